"""The desk: the only writer of state. It reads a batch, decides each case in memory, and writes all in one commit.

Callers differ only in how many commands they bring. A step that fails does not fail its neighbours; whoever comes
late is read and decided again; a number limit met at activation turns into a refusal of its own.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from contextlib import nullcontext
from datetime import datetime
from typing import Any

import msgspec
import structlog
from psycopg import Connection
from psycopg.errors import DeadlockDetected, ForeignKeyViolation, SerializationFailure
from psycopg.pq import TransactionStatus

from models.keyring import Keyring
from models.ledger import Ledger, waiting
from policies.book import LawBook
from policies.refusals import NotAllowed
from workflows import binding, following, limits, submission
from workflows.answers import kept_reply, kept_row
from workflows.case import FINAL, SUSPENDED, Actor, Case, Cursor, Line
from workflows.commands import Command, InScope, Outcome, Reply
from workflows.errors import Refused, by_law, not_found
from workflows.reading import Read, Reader
from workflows.views import public
from workflows.writing import Before, Step, write

UNHEARD = ("system", "clock")  # who says something and reads no answer
MOMENT = 250  # milliseconds
TRIES = 3  # readings of a case that others keep moving
_PROGRESS = msgspec.json.Encoder(order="sorted")  # as the hash chain wants it
_AGAIN = (DeadlockDetected, SerializationFailure)
_PLAN_STORED = "bindings_plan_fkey"
log = structlog.get_logger()


class Desk:
    """Serves commands on one ledger under one law book."""

    def __init__(self, ledger: Ledger, book: LawBook, keys: Keyring) -> None:
        """Take a place at the desk; any number of desks may share a ledger."""
        self.ledger = ledger
        self.book = book
        self.keys = keys
        self.reader = Reader(keys)

    # -- for those who bring commands ------------------------------------------------------------------------

    def serve(self, commands: Sequence[Command]) -> list[Outcome]:
        """Carry out commands, each in a step of its own; outcomes come in the order of the commands."""
        with self.ledger.connection() as conn:
            return self.serve_on(conn, commands)

    def say(self, command: Command) -> Outcome:
        """Carry out one command. Raises `Refused`."""
        return self.serve([command])[0].unwrap()

    def look(self, binding_id: str) -> tuple[Case, datetime]:
        """Read one case as it is now. Raises `Refused` with `not_found`, or what broke its reading."""
        with self.ledger.connection() as conn:
            read = self.reader.read(conn, [(binding_id, None, None)])[0]
        return read.found()

    def seen(self, binding_id: str, actor: Actor, in_scope: InScope) -> tuple[Case, datetime]:
        """The same, of a case that he may see. Raises `Refused` with `not_found` for all others too."""
        case, now = self.look(binding_id)
        if not in_scope(case, actor):
            raise not_found()
        return case, now

    def look_many(self, binding_ids: Collection[str]) -> list[tuple[Case, datetime]]:
        """Read these cases as they are now, in this order; what is gone or cannot be read is left out."""
        if not binding_ids:
            return []
        with self.ledger.connection() as conn:
            return self.reader.cases(conn, binding_ids)

    def rehearse(self, command: Command) -> Outcome:
        """Decide a command without writing it: what must be known before a window is opened for it.

        The outcome's case is as it stands, untouched; a `reply` is there only for a replay. Raises what `say` would.
        """
        return self.rehearse_all([command])[0].unwrap()

    def rehearse_all(self, commands: Sequence[Command]) -> list[Outcome]:
        """Rehearse each command as if it were alone; a refusal is in its outcome."""
        keys = [_key(command) for command in commands]
        with self.ledger.connection() as conn:
            reads = self.reader.read(conn, [*keys, *keys])
        untouched, spent = reads[: len(keys)], reads[len(keys) :]  # deciding moves the case that it is given
        rehearsed = []
        for command, stands, read in zip(commands, untouched, spent, strict=True):
            decided = self._decide(_Ticket(command), read)
            rehearsed.append(decided if isinstance(decided, Outcome) else Outcome(case=stands.case, now=stands.now))
        return rehearsed

    # -- the batch -------------------------------------------------------------------------------------------

    def serve_on(self, conn: Connection[Any], commands: Sequence[Command]) -> list[Outcome]:
        """Carry out commands on this connection, in as many rounds as it takes."""
        tickets = [_Ticket(command) for command in commands]
        waiting = tickets
        while waiting:
            self._round(conn, _one_per_binding(waiting))
            waiting = [ticket for ticket in waiting if ticket.outcome is None]
        return [ticket.outcome for ticket in tickets if ticket.outcome is not None]

    def _round(self, conn: Connection[Any], batch: list[_Ticket]) -> None:
        """Read, decide and write one batch; what must be decided again is left without an outcome."""
        reads = self.reader.read(conn, [_key(ticket.command) for ticket in batch])
        steps: list[tuple[_Ticket, Step]] = []
        persons: set[str] = set()
        for ticket, read in zip(batch, reads, strict=True):
            decided = self._decide(ticket, read)
            if isinstance(decided, Outcome):
                ticket.outcome = decided
            elif persons.isdisjoint(decided.persons):  # one taking command per person in a batch; the next one waits
                persons |= decided.persons
                steps.append((ticket, decided))
        verdicts = self._write(conn, [step for _, step in steps]) if steps else {}
        for ticket, step in steps:
            _settle(ticket, step, verdicts[step.cursor.case.id])

    # -- deciding --------------------------------------------------------------------------------------------

    def _decide(self, ticket: _Ticket, read: Read) -> Step | Outcome:
        command = ticket.command
        try:
            return self._replay(command, read) or self._step(ticket, read)
        except NotAllowed as no:
            refused: Exception = by_law(no)
        except Refused as no:
            refused = _with_actions(no, command, read)
        except Exception as fault:
            log.exception("command_failed", said=command.said, binding_id=command.binding_id)
            refused = fault
        return Outcome(refused=refused, case=read.case, now=read.now)

    def _replay(self, command: Command, read: Read) -> Outcome | None:
        """A key used before gives its first answer again; whoever may not see the binding learns nothing."""
        asked, kept = command.idempotency, read.answered
        if asked is None or kept is None:
            _admit(command, read)
            return None
        same = kept.fingerprint == asked.fingerprint
        if same and kept.status is not None:
            # the same caller had this very answer before, even if the case has left his scope since
            return Outcome(reply=kept_reply(self.keys, asked, kept), case=read.case, now=read.now)
        _admit(command, read)
        if not same:  # answered, or reserved for what still runs
            raise Refused("idempotency_key_reused", 422)
        return None

    def _step(self, ticket: _Ticket, read: Read) -> Step:
        command, case, now = ticket.command, read.case, read.now
        if command.malformed is not None:
            raise command.malformed
        submits = command.said == "submit"
        if submits:
            case = submission.prepare(
                command.facts["request"],
                command.facts["channel"],
                command.binding_id,
                now,
                self.book,
                self.keys,
            )
            case.calendar = self.reader.calendar
        assert case is not None  # noqa: S101  `_replay` has refused what is nowhere
        if command.if_match is not None and command.if_match != case.version:
            raise Refused("stale_version", 412, version=case.version)
        before, cursor = Before.of(case), Cursor(case, now, limit_met=ticket.limit_met)
        cursor.seen = command.if_match
        make_move(cursor, command.said, command.actor, command.facts)
        if submits:
            submission.rows(cursor, command.facts["request"])
        _follow(cursor)
        if cursor.lines[-1].event == "activated":
            limits.take_month_seat(cursor)
            limits.need_grounds(cursor)
        lease = case.lease if command.actor.kind == "reviewer" else None
        step = Step(cursor, before, epoch=lease.epoch if lease is not None else None)
        if command.actor.kind in UNHEARD:
            return step
        reply = ticket.reply = command.answering(case, command.actor, now)
        if command.idempotency is not None:
            step.answer = kept_row(self.keys, command.idempotency, reply)
        return step

    # -- writing ---------------------------------------------------------------------------------------------

    def _write(self, conn: Connection[Any], steps: list[Step]) -> Mapping[str, str | Exception]:
        """Write a batch; where it fails as a whole, one by one, so that a bad step fails alone."""
        try:
            return self._written(conn, steps)
        except Exception as fault:
            # the database's word, or a step of which no document can be made; in a transaction of the sweep's
            # nothing can be tried again, and the sweep sees to it
            if conn.info.transaction_status != TransactionStatus.IDLE:
                raise
            if len(steps) == 1:
                return {steps[0].cursor.case.id: self._failed(steps[0], fault)}
        return {step.cursor.case.id: self._write_alone(conn, step) for step in steps}

    def _write_alone(self, conn: Connection[Any], step: Step) -> str | Exception:
        """Write one step of a batch that failed; it waits only a moment for its lock, since the others wait for it."""
        try:
            return self._written(conn, [step], within=MOMENT)[step.cursor.case.id]
        except Exception as fault:
            if conn.info.transaction_status != TransactionStatus.IDLE:
                raise
            return self._failed(step, fault)

    def _written(self, conn: Connection[Any], steps: list[Step], within: int | None = None) -> dict[str, str]:
        """The verdicts of a batch that could be written; what it brought of plans is known from then on.

        `within`: milliseconds for each lock, where less than usual.
        """
        plans = {
            step.cursor.case.plan.hash: step.cursor.case.plan
            for step in steps
            if step.before.version == 0 and not self.reader.knows(step.cursor.case.plan.hash)
        }
        with waiting(conn, within) if within else nullcontext():
            verdicts = write(conn, steps, {name: plan.to_json() for name, plan in plans.items()})
        for name, plan in plans.items():
            self.reader.remember(name, plan)
        return verdicts

    def _failed(self, step: Step, fault: Exception) -> str | Exception:
        """The verdict on a step that could not be written by itself."""
        if isinstance(fault, _AGAIN):  # it only collided: a later reading decides it anew
            return "stale"
        if isinstance(fault, ForeignKeyViolation) and fault.diag.constraint_name == _PLAN_STORED:
            # the ledger was set back to a moment before this plan: the next try brings it along
            self.reader.forget(step.cursor.case.plan.hash)
            return "stale"
        log.error("step_failed", binding_id=step.cursor.case.id, exc_info=fault)
        return fault


def _admit(command: Command, read: Read) -> None:
    """To whoever may not see the binding there is none. Raises what broke its reading, else `Refused`."""
    case, in_scope = read.case, command.in_scope
    if command.said != "submit" and (case is None or not (in_scope is None or in_scope(case, command.actor))):
        raise read.fault or not_found()


def make_move(cursor: Cursor, said: str, actor: Actor, facts: Mapping[str, Any]) -> None:
    """Make one move and write its line: the only place where a case changes its state.

    Raises `Refused` before anything is changed.
    """
    came_from = cursor.state
    event = binding.obey(cursor, said, actor, facts)
    case = cursor.case
    case.state = cursor.state
    case.version += 1
    if cursor.state != came_from:
        case.since = cursor.facts.get("since", cursor.now)  # a repair undone goes on where it stood
    reason = cursor.facts.get("reason")
    if cursor.state in (*FINAL, SUSPENDED):
        reason = case.progress.reason or reason
    cursor.lines.append(Line(
        event=event, from_state=None if came_from == binding.NOWHERE else came_from, to_state=cursor.state,
        at=cursor.now, actor=str(actor), reason=reason, note=facts.get("note"), since=case.since,
        progress=_PROGRESS.encode(case.progress), plan_was=cursor.facts.get("plan_was"),
    ))  # fmt: skip


def _follow(cursor: Cursor) -> None:
    """Make the moves that the system says next, in the same commit."""
    while follows := following.next_said(cursor):
        make_move(cursor, *follows)


def tried(case: Case, now: datetime, said: str, actor: Actor, facts: Mapping[str, Any]) -> Cursor:
    """Say one thing of a copy of a case, with all that follows by itself. Raises `Refused` as the desk would."""
    copy = msgspec.structs.replace(
        case, progress=msgspec.structs.replace(case.progress), application=msgspec.structs.replace(case.application)
    )
    cursor = Cursor(copy, now)
    make_move(cursor, said, actor, facts)
    _follow(cursor)
    return cursor


def _with_actions(no: Refused, command: Command, read: Read) -> Exception:
    """Add state and available actions to `action_not_available`; if they cannot be computed, that fault is returned."""
    if no.code == "action_not_available" and read.case is not None:
        try:
            no.extra |= public.instead(read.case, command.actor, read.now)
        except Exception as fault:
            log.exception("actions_unknown", said=command.said, binding_id=command.binding_id)
            return fault
    return no


class _Ticket(msgspec.Struct):
    """One command on its way through the rounds."""

    command: Command
    tries: int = 0  # readings that others overtook
    read_again: bool = False  # after a submission was refused for a limit
    limit_met: str | None = None
    reply: Reply | None = None
    outcome: Outcome | None = None


def _key(command: Command) -> tuple[str, str | None, str | None]:
    key = command.idempotency
    return command.binding_id, key.principal if key else None, key.key if key else None


def _one_per_binding(waiting: list[_Ticket]) -> list[_Ticket]:
    """At most one command per binding, and per idempotency key, is in a batch; the others wait for the next."""
    taken: set[tuple[str | None, ...]] = set()
    batch = []
    for ticket in waiting:
        binding_id, *key = _key(ticket.command)
        names = {(binding_id,), *([tuple(key)] if key[0] else [])}
        if taken.isdisjoint(names):
            taken |= names
            batch.append(ticket)
    return batch


def _settle(ticket: _Ticket, step: Step, verdict: str | Exception) -> None:
    """Turn a verdict into an outcome, or leave the ticket open to be decided again."""
    command, case = ticket.command, step.cursor.case
    if isinstance(verdict, Exception):
        ticket.outcome = Outcome(refused=verdict)
    elif verdict == "done":
        ticket.outcome = Outcome(ticket.reply, case, now=step.cursor.now)
    elif verdict == "stale":
        ticket.tries += 1
        if ticket.tries >= TRIES:
            ticket.outcome = Outcome(refused=Refused("busy", 409))
    elif command.said == "submit" and command.idempotency is not None and not ticket.read_again:
        ticket.read_again = True  # perhaps its own copy has the seat: then the next reading finds the copy's answer
    elif command.said == "submit":
        ticket.outcome = Outcome(refused=Refused(verdict, 409))
    else:
        ticket.limit_met = verdict
