"""The verbs of repairs: what each says to the desk, what it changes beside the step, and what may be undone.

Every verb ends in one command of the machine, with the same guards, history and chain as any other. What is not part of
a step (a letter's state, a session's poll, a lease, the plan that the row names) is written in the same commit.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from psycopg import Connection

from policies.book import LawBook
from policies.plan import Plan
from workflows import binding, endpoints, leases
from workflows.case import AGENCY_REVIEW, FINAL, NOT_YET_IN_FORCE, Actor, Case, has_vouched
from workflows.commands import Command
from workflows.deadlines import DEADLINES_BY_NAME, armed, waits_for_unbinding
from workflows.errors import Refused, out_of_turn
from workflows.repairs.versions import EVERY, plan_of
from workflows.views import reason_words


@dataclass(frozen=True, slots=True)
class Verb:
    """One verb: whether a supervisor must say yes too, whether it can be taken back, and what it must be told."""

    name: str
    risky: bool = False
    undoable: bool = False
    needs: tuple[str, ...] = ()
    takes: tuple[str, ...] = ()


VERBS = {verb.name: verb for verb in (
    Verb("rearm"),
    Verb("fire_now", risky=True, needs=("deadline",)),
    Verb("ask_again"),
    Verb("resend"),
    Verb("retry_step"),
    Verb("move", risky=True, undoable=True, needs=("to",)),
    Verb("replan", risky=True, undoable=True, needs=("version",), takes=("pack", "recompute")),
    Verb("reassign", undoable=True, takes=("agency", "staff")),
    Verb("suspend", risky=True, undoable=True),
    Verb("end", risky=True),
)}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Order:
    """What was asked, by whom; the part of a repair's row that its commands are made of."""

    id: str
    verb: str
    args: Mapping[str, Any]
    reason: str
    regions: tuple[str, ...]
    asked_by: str
    asked_person: str | None = None
    approved_by: str | None = None
    approved_person: str | None = None
    applied_by: str | None = None
    applied_person: str | None = None
    undone_person: str | None = None
    staff_regions: tuple[str, ...] = ()  # of the reviewer that a `reassign` names: his grants
    staff_person: str | None = None  # and who he is
    agency_roles: tuple[str, ...] = ()  # of the agency that it names: the roles of those who work for it

    def note(self, plan: Plan | None) -> str:
        """What stands beside the line: which repair, to which plan, who carried it out and said yes to it, and why."""
        to = f" to plan {plan.hash}" if plan else ""
        also = f", applied by {self.applied_by}" if self.applied_by not in (None, self.asked_by) else ""
        second = f", approved by {self.approved_by}" if self.approved_by else ""
        return f"{self.id} {self.verb}{to}, asked by {self.asked_by}{also}{second}: {self.reason}"


@dataclass(frozen=True, slots=True)
class Looked:
    """A case, and what a repair needs to know besides."""

    case: Case
    now: datetime
    deadlines: dict[str, tuple[datetime, str | None]] = field(default_factory=dict)  # due, parked
    pending: int = 0  # face sessions without an answer
    letters: int = 0  # put aside, to endpoints that are not disabled


def command(order: Order, looked: Looked, book: LawBook, version: int | None = None) -> Command:
    """The command that carries out this verb on this case. Raises `Refused` if there is none."""
    case = looked.case
    own_case(order, case)
    said, actor, facts = _SAID[order.verb](order, looked, book)
    return Command(said, case.id, actor, {"note": order.note(facts.get("plan")), **facts}, if_match=version)


def pin_new_plan(conn: Connection[Any], said: Command) -> None:
    """Let the row name the new plan before the desk reads it: under the old one no step may be possible at all.

    Raises `Refused`: 422 `policy_unknown` where the plan is not the one that the dry run stored, 412 `stale_version`
    where the binding has moved on since: its row is then left as it is.
    """
    if said.said == "replan":
        plan = said.facts["plan"].hash
        if conn.execute(_STORED, (plan,)).fetchone() is None:
            raise Refused("policy_unknown", 422, "/version")
        if conn.execute(_PIN_AT, (plan, said.binding_id, said.if_match)).rowcount == 0:
            raise Refused("stale_version", 412)


def write_beside(conn: Connection[Any], order: Order, done: Case) -> None:
    """Write what belongs to a verb and is no part of a step, in the transaction of the step."""
    if order.verb in ALIGNS:
        _align(conn, done)
    elif order.verb == "ask_again":
        conn.execute(_POLL, (done.id,))
    elif order.verb == "resend":
        resend(conn, done.id)
    elif order.verb == "reassign" and done.state == AGENCY_REVIEW:
        _lease(conn, done.id, order.args.get("staff"))


def still_as_done(order: Order, looked: Looked) -> None:
    """Refuse where somebody else has claimed the case since: a claim moves no version, so `if_match` does not see it.

    Raises `Refused` 409 `claimed_by_other`.
    """
    lease = looked.case.lease if order.verb == "reassign" else None
    if lease is not None and lease.holder(looked.now) not in (None, order.args.get("staff")):
        raise Refused("claimed_by_other")


def write_back(conn: Connection[Any], order: Order, undone: Case, plan: str) -> None:
    """Write what belongs to an undoing: the row names its old plan again, and a lease that was given is taken back."""
    pin(conn, undone.id, plan)
    if order.verb == "reassign" and undone.state == AGENCY_REVIEW:
        _lease(conn, undone.id, None)


def resend(conn: Connection[Any], binding_id: str) -> int:
    """Let the letters of a binding that were put aside be tried anew, for three days; how many."""
    sent = [row[0] for row in conn.execute(_RESEND, (binding_id,))]
    endpoints.wake(conn, sent)
    return len(sent)


def store(conn: Connection[Any], plan: Plan) -> None:
    """Keep a plan under its hash, before any binding names it."""
    conn.execute(_STORE, (plan.hash, plan.to_json().decode()))


def pin(conn: Connection[Any], binding_id: str, plan: str) -> None:
    """Let the binding's row name the plan of this hash."""
    conn.execute(_PIN, (plan, binding_id))


def _lease(conn: Connection[Any], binding_id: str, staff: str | None) -> None:
    conn.execute(_LEASE, {"binding": binding_id, "staff": staff, "seconds": leases.LEASE_SECONDS})


def _align(conn: Connection[Any], case: Case) -> None:
    """Bring the deadlines of a case in line with what is derived; running watches stay where the hands put them."""
    ends = armed(case)
    conn.execute(_STRAY, (case.id, list(ends)))
    for name, due in ends.items():
        conn.execute(_ARM, (case.id, name, due.at, DEADLINES_BY_NAME[name].watch))


ALIGNS = ("rearm", "replan")  # the verbs after which every row of `deadlines` is as it is derived
_STRAY = "delete from deadlines where binding_id = %s and name <> all(%s)"
_ARM = """
insert into deadlines (binding_id, name, due_at, watch) values (%s, %s, %s, %s)
on conflict (binding_id, name) do update set due_at = excluded.due_at, attempts = 0, parked = null
where not deadlines.watch or deadlines.parked is not null
"""
_STORED = "select from plans where hash = %s"
_RESEND = """
update deliveries d set state = 'pending', attempts = 0, next_at = kinbind_now(), again_at = kinbind_now(),
  settled_at = null, leased_until = null
from webhook_endpoints e
where d.binding_id = %s and d.state = 'parked' and e.id = d.endpoint_id and e.disabled_at is null
returning d.endpoint_id
"""
_POLL = "update face_sessions set poll_at = kinbind_now(), attempts = 0 where binding_id = %s and status = 'pending'"
# Who had the lease can no longer decide under it; who is named has it as if he had claimed it.
_LEASE = """
update review_cases set claimed_by = %(staff)s, epoch = epoch + 1,
  lease_until = case when %(staff)s::text is not null then kinbind_now() + make_interval(secs => %(seconds)s) end
where binding_id = %(binding)s
"""
_STORE = "insert into plans (hash, body) values (%s, %s::jsonb) on conflict do nothing"
_PIN = "update bindings set plan = %s where id = %s"
_PIN_AT = f"{_PIN} and version = %s"
Said = tuple[str, Actor, dict[str, Any]]


def operator(order: Order) -> Actor:
    """Who asked, as the history has him."""
    return Actor("operator", order.asked_by, regions=order.regions, person=order.asked_person)


def own_case(order: Order, case: Case) -> None:
    """Nobody who asked, applied, approved or undoes is a party of the case. Raises `Refused` 409 `own_case`."""
    people = (order.asked_person, order.applied_person, order.approved_person, order.undone_person)
    if any(case.is_party(person) for person in people):
        raise Refused("own_case")


# -- what each verb says -----------------------------------------------------------------------------------------


def _plainly(order: Order, looked: Looked, _: LawBook) -> Said:
    facts = {"reason": order.verb, "pending": looked.pending, "letters": looked.letters}
    return order.verb, operator(order), facts


def _move(order: Order, _: Looked, __: LawBook) -> Said:
    return "move", operator(order), {"reason": "move", "to": order.args["to"], "because": order.reason}


def _reassign(order: Order, looked: Looked, _: LawBook) -> Said:
    case, agency, staff = looked.case, order.args.get("agency"), order.args.get("staff")
    asked_for, there = "counter", case.counter_agency
    if case.state == AGENCY_REVIEW:
        asked_for, there = "reviewer", case.review_agency
    if agency is not None and asked_for not in order.agency_roles:
        raise Refused("agency_unserved")
    if staff is not None and case.state == AGENCY_REVIEW:  # who may not decide would only keep others away
        reviewer = Actor("reviewer", staff, regions=order.staff_regions, person=order.staff_person)
        if not reviewer.sees(agency or case.review_agency):
            raise Refused("agency_unserved")
        if case.is_party(order.staff_person):
            raise Refused("own_case")
        if has_vouched(case.progress.objection, reviewer):
            raise Refused("own_verification")
    leased = case.lease is not None and case.lease.claimed_by is not None
    if agency in (None, there) and not (case.state == AGENCY_REVIEW and (staff is not None or leased)):
        raise Refused("nothing_to_repair")
    return "reassign", operator(order), {"reason": "reassign", "agency": agency}


def _fire(order: Order, looked: Looked, _: LawBook) -> Said:
    """What the clock would say at the deadline's end, said now."""
    return _clock(order, looked.case, order.args["deadline"], early=True)


def _retry(order: Order, looked: Looked, _: LawBook) -> Said:
    """What the clock could not say, of the parked deadline that is longest overdue."""
    parked = sorted((due, name) for name, (due, why) in looked.deadlines.items() if why is not None)
    if not parked:
        raise Refused("nothing_to_repair")
    return _clock(order, looked.case, parked[0][1], early=False)


def _clock(order: Order, case: Case, name: str, *, early: bool) -> Said:
    deadline = DEADLINES_BY_NAME.get(name)
    if deadline is None or deadline.move is None:  # a watch says nothing: it is asked again
        raise Refused("nothing_to_repair")
    if waits_for_unbinding(case, name):
        raise out_of_turn()
    return deadline.move, Actor("clock", order.id), {**deadline.facts, "early": early}


def _supervised(order: Order) -> Actor:
    """Who approved speaks, since only a supervisor suspends and ends; in a dry run it is the operator who asked."""
    return Actor("supervisor", order.approved_by or order.asked_by, regions=order.regions,
                 person=order.approved_person)  # fmt: skip


def _suspend(order: Order, _: Looked, __: LawBook) -> Said:
    return "suspend", _supervised(order), {"reason": _cause(order)}


def _end(order: Order, looked: Looked, _: LawBook) -> Said:
    if looked.case.state in NOT_YET_IN_FORCE:
        return "close", operator(order), {"reason": _cause(order)}
    return "end", _supervised(order), {"reason": _cause(order)}


def _cause(order: Order) -> str:
    """What the family reads: the operator's reason, if it is a code. His own words stand in the note, for staff."""
    return order.reason if order.reason in reason_words.SUPERVISED[order.verb] else reason_words.BY_AGENCY


def _replan(order: Order, looked: Looked, book: LawBook) -> Said:
    case, args = looked.case, order.args
    plan = plan_of(book, case, args.get("pack") or case.plan.pack, args["version"], args.get("recompute") or [])
    if plan.hash == case.plan.hash:
        raise Refused("nothing_to_repair")
    anew = list(DEADLINES_BY_NAME) if EVERY in (args.get("recompute") or []) else args.get("recompute") or []
    facts = {"reason": "replan", "plan": plan, "plan_was": case.plan.hash, "recompute": anew}
    return "replan", operator(order), facts


_SAID = {
    "rearm": _plainly, "ask_again": _plainly, "resend": _plainly, "move": _move, "reassign": _reassign,
    "fire_now": _fire, "retry_step": _retry, "suspend": _suspend, "end": _end, "replan": _replan,
}  # fmt: skip


# -- which verbs fit ---------------------------------------------------------------------------------------------

# By cause, the likeliest to help first.
BY_CAUSE: dict[str, tuple[str, ...]] = {
    "deadline_overdue": ("fire_now", "rearm"),
    "no_deadline": ("rearm", "replan", "move", "end"),
    "system_slow": ("ask_again",),
    "registry_unanswered": ("ask_again", "move"),
    "feed_lagging": (),  # a forgotten transaction holds it up: no verb helps
    "callback_lost": ("ask_again", "move"),
    "delivery_parked": ("resend",),
    "delivery_late": (),  # it is tried again by itself
    "lease_lost": ("ask_again",),
    "step_poisoned": ("retry_step", "replan", "suspend", "end"),
    "plan_impossible": ("replan", "move", "suspend", "end"),
}


_ANYWHERE = ("fire_now", "retry_step", "end")  # possible in every state that is not final


def fitting(cause: str, state: str) -> list[str]:
    """The verbs that may help a binding stuck for this cause in this state; asked of the state alone."""
    return [verb for verb in BY_CAUSE[cause] if verb in of_state(state)]


def of_state(state: str) -> tuple[str, ...]:
    """The verbs that the machine has for a binding in this state."""
    if state in FINAL:
        return ("resend",)
    moves = binding.MOVES_BY_NAME
    return tuple(name for name in VERBS if name in _ANYWHERE or any(state in move.while_ for move in moves[name]))
