"""Decisions that may still be taken back: they wait eight seconds in a row beside the lease, then the hands say them.

Until then nothing is in the history. A held decision counts only under the lease (by its epoch) and for the version
under which it was made: whoever lost the case meanwhile decides nothing. Decisions through the API are not held.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any, NamedTuple

import orjson
import structlog
from psycopg import Connection

from models.ids import new_id
from models.ledger import AWAY
from workflows import leases
from workflows.access import scopes
from workflows.case import Actor
from workflows.commands import Command, Outcome
from workflows.engine import Desk
from workflows.errors import Refused, out_of_turn, undecided

HELD_SECONDS = 8
KEPT_DAYS = 40  # for the reviewer's own lists; the history has it for good
SAID = ("approve", "reject", "return_for_correction")
log = structlog.get_logger()

_HOLD = """
insert into held_decisions (id, binding_id, staff, epoch, version, said, facts, held_at, send_at)
select %(id)s, r.binding_id, %(staff)s, r.epoch, %(version)s, %(said)s, %(facts)s::jsonb, clock.now,
  clock.now + make_interval(secs => %(seconds)s)
from review_cases r, (select kinbind_now() as now) as clock
where r.binding_id = %(binding)s and r.claimed_by = %(staff)s and r.lease_until > clock.now
on conflict (binding_id) where settled_at is null do nothing
returning send_at
"""
_TAKE_BACK = """
update held_decisions set settled_at = kinbind_now(), outcome = 'taken_back'
where binding_id = %s and staff = %s and settled_at is null returning binding_id
"""
_LAST = """
select outcome, said, facts from held_decisions where binding_id = %s and staff = %s order by held_at desc limit 1
"""
# Nothing is decided by who was revoked meanwhile, or under a lease that has changed hands. An escalation changes
# nothing that the reviewer saw: if it is all that happened meanwhile, the decision stands, at the newer version.
_DUE = """
select h.id, h.binding_id, h.staff,
  coalesce((select max(l.sequence) from history l where l.binding_id = h.binding_id and l.sequence > h.version
            having bool_and(l.event = 'review_escalated')), h.version),
  h.said, h.facts, p.regions, p.person,
  p.revoked_at is null and coalesce(r.epoch = h.epoch, true)
from held_decisions h join principals p on p.id = h.staff left join review_cases r on r.binding_id = h.binding_id
where h.settled_at is null and h.send_at <= (select kinbind_now()) and (%(only)s::text is null or h.id = %(only)s)
order by h.send_at limit %(limit)s for update of h skip locked
"""
_SETTLE = "update held_decisions set settled_at = kinbind_now(), outcome = %s where id = %s"
_NEXT_DUE = "select min(send_at) from held_decisions where settled_at is null and send_at > %s"
_FORGET = "delete from held_decisions where settled_at < kinbind_now() - make_interval(days => %s)"


class Held(NamedTuple):
    """A decision that has come to its time."""

    id: str
    binding_id: str
    staff: str
    version: int
    said: str
    facts: dict[str, Any]
    regions: list[str]
    person: str | None
    stands: bool

    def command(self) -> Command:
        """The command by which it is said to the desk."""
        actor = Actor("reviewer", self.staff, regions=tuple(self.regions), person=self.person)
        return Command(self.said, self.binding_id, actor, self.facts, if_match=self.version, in_scope=scopes.reviews)


def hold(desk: Desk, binding_id: str, actor: Actor, said: str, facts: Mapping[str, Any], version: int) -> datetime:
    """Hold a decision; return when it will be said, unless it is taken back. What the desk would refuse is refused now.

    Raises `Refused` as `Desk.say` does, and `action_not_available` where a decision is held already.
    """
    assert said in SAID  # noqa: S101  the door has three buttons
    leases.keep_alive(desk, binding_id, actor)
    desk.rehearse(Command(said, binding_id, actor, facts, if_match=version, in_scope=scopes.reviews))
    named = {"id": new_id("dec", desk.ledger.now()), "binding": binding_id, "staff": actor.id, "version": version,
             "said": said, "facts": orjson.dumps(dict(facts)).decode(), "seconds": HELD_SECONDS}  # fmt: skip
    with desk.ledger.connection() as conn:
        row = conn.execute(_HOLD, named).fetchone()
    if row is None:
        raise out_of_turn()
    send_at: datetime = row[0]
    return send_at


def take_back(desk: Desk, binding_id: str, actor: Actor) -> bool:
    """Take a decision back; False if it is too late, or there is none."""
    with desk.ledger.connection() as conn:
        taken = conn.execute(_TAKE_BACK, (binding_id, actor.id)).fetchone() is not None
    if taken:
        leases.keep_alive(desk, binding_id, actor)
    return taken


def was_sent(desk: Desk, binding_id: str, actor: Actor) -> bool:
    """Whether the last decision that he made of this case has been said."""
    last = _last(desk, binding_id, actor)
    return last is not None and last[0] == "sent"


def taken_back(desk: Desk, binding_id: str, actor: Actor) -> tuple[str, dict[str, Any]] | None:
    """His last decision of this case, and its facts, if he took it back; else None."""
    last = _last(desk, binding_id, actor)
    return (last[1], last[2]) if last is not None and last[0] == "taken_back" else None


def _last(desk: Desk, binding_id: str, actor: Actor) -> tuple[Any, ...] | None:
    with desk.ledger.connection() as conn:
        return conn.execute(_LAST, (binding_id, actor.id)).fetchone()


def send_due(desk: Desk, limit: int = 100) -> int:
    """Say what has been held long enough, and note what became of it, in one commit; how many. Safe to run twice.

    What only a passing fault kept back is not among them: it waits for the next call. Raises what the database says
    where not even a claim succeeds.
    """
    due: list[Held] = []
    try:
        with desk.ledger.transaction() as conn:
            due = _due(conn, limit)
            return _send(desk, conn, due)
    except Exception as fault:  # whatever it is, the other decisions must go on
        if not due:
            raise
        log.warning("decisions_batch_failed", decisions=len(due), fault=type(fault).__name__)
        return sum(_send_alone(desk, one.id) for one in due)


def _send_alone(desk: Desk, held_id: str) -> int:
    """Say one decision in a commit of its own; 0 if it still waits, because only a passing fault kept it back."""
    try:
        with desk.ledger.transaction() as conn:
            return _send(desk, conn, _due(conn, 1, held_id))
    except AWAY as fault:
        log.warning("decision_waits", decision=held_id, fault=type(fault).__name__)
        return 0
    except Exception as fault:  # noqa: BLE001  the reviewer sees in his list that it was not said
        log.error("decision_not_sent", decision=held_id, fault=type(fault).__name__)  # noqa: TRY400
        with desk.ledger.connection() as conn:
            conn.execute(_SETTLE, ("internal_error", held_id))
    return 1


def _due(conn: Connection[Any], limit: int, only: str | None = None) -> list[Held]:
    return [Held(*row) for row in conn.execute(_DUE, {"limit": limit, "only": only})]


def _send(desk: Desk, conn: Connection[Any], due: list[Held]) -> int:
    """Say them and note what became of each; how many. One about which the desk has not decided waits still."""
    standing = [one for one in due if one.stands]
    outcomes = _say(desk, conn, standing)
    # if a case was escalated between our look and the desk's, a second look finds its new version
    overtaken = [one for one in standing if outcomes[one.id] == "stale_version"]
    outcomes |= _say(desk, conn, [now for one in overtaken for now in _due(conn, 1, one.id) if now.stands])
    became = {one.id: outcomes.get(one.id, "lease_required") for one in due}
    settled = {held_id: what for held_id, what in became.items() if what is not None}
    for held_id, what in settled.items():
        conn.execute(_SETTLE, (what, held_id))
    return len(settled)


def _say(desk: Desk, conn: Connection[Any], standing: list[Held]) -> dict[str, str | None]:
    """Say them to the desk; what became of each, by its id: None where nothing was decided."""
    outcomes = desk.serve_on(conn, [one.command() for one in standing]) if standing else []
    return {one.id: _became(outcome) for one, outcome in zip(standing, outcomes, strict=True)}


def _became(outcome: Outcome) -> str | None:
    if outcome.refused is None:
        return "sent"
    if undecided(outcome.refused):
        return None
    return outcome.refused.code if isinstance(outcome.refused, Refused) else "internal_error"


def next_due(conn: Connection[Any], after: datetime) -> datetime | None:
    """When the next decision after `after` is to be said."""
    row = conn.execute(_NEXT_DUE, (after,)).fetchone()
    return row[0] if row else None


def forget(conn: Connection[Any]) -> None:
    """Drop decisions that were settled long ago."""
    conn.execute(_FORGET, (KEPT_DAYS,))
