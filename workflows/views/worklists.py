"""The work that waits for staff: reviews and counter tickets, nearest due first, of the regions they are granted."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

from sqlalchemy import TextClause, text

from policies.relations import to_gbt4761
from workflows import attending, leases
from workflows.access import scopes
from workflows.case import Actor, Case, region_prefix
from workflows.deadlines import due
from workflows.engine import Desk
from workflows.views import cursors, listing, public

Status = Literal["open", "unclaimed", "claimed", "mine", "escalated"]
_OTHERS = 50  # bindings of the same two people that a reviewer is shown

_STATUS = {
    "unclaimed": "(w.claimed_by is null or w.lease_until <= clock.now)",
    "claimed": "w.lease_until > clock.now",
    "mine": "w.claimed_by = :staff and w.lease_until > clock.now",
    "escalated": "w.escalations > 0",
}
_APPLIED = """exists (
  select from applications a where a.binding_id = w.binding_id
    and (cast(:product as text) is null or a.product = :product)
    and (cast(:persons as text[]) is null or a.holder = any(:persons) or a.member = any(:persons)))"""
_PAGE = """
select w.*, clock.now
from {table} w cross join (select kinbind_now() as now) as clock
where w.agency like any(:granted) and w.agency like :region
  and (cast(:overdue as boolean) is null or (w.due_at <= clock.now) = :overdue)
  and (cast(:due_at as timestamptz) is null or (w.due_at, w.binding_id) > (:due_at, :after))
  and ({narrowed})
order by w.due_at, w.binding_id
limit :limit
"""
_SAME_PEOPLE = text("""
select a.binding_id from applications a
where (a.holder = any(:people) or a.member = any(:people)) and a.binding_id <> :binding
order by a.binding_id desc limit :limit
""")


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which part of a work list: a region within the grants, overdue or not, and the page."""

    region: str | None = None
    overdue: bool | None = None
    limit: int = 50
    cursor: str | None = None
    product: str | None = None  # only for reviews, like `persons`
    persons: Sequence[str] | None = None  # blind indexes, of which one must be a party


def review_queue(desk: Desk, actor: Actor, wanted: Wanted, status: Status = "open") -> dict[str, Any]:
    """A page of the cases that await a decision; `status` is about the lease, or whether it is overdue."""
    narrowed, named = _STATUS.get(status, "true"), {}
    if wanted.product is not None or wanted.persons is not None:
        narrowed += f" and {_APPLIED}"
        named = {"product": wanted.product, "persons": None if wanted.persons is None else list(wanted.persons)}
    return _listed(desk, actor, wanted, _statement("review_cases", narrowed), _review_item, named)


def tickets(desk: Desk, actor: Actor, wanted: Wanted, code: str | None = None) -> dict[str, Any]:
    """A page of the open tickets, or the one with this code, however it is typed."""
    statement = _statement("counter_tickets", "cast(:code as text) is null or w.code = :code")
    return _listed(desk, actor, wanted, statement, _ticket_item, {"code": code and _spelt(code)})


def review_case(desk: Desk, binding_id: str, actor: Actor) -> dict[str, Any]:
    """Everything a reviewer needs to decide one case: the view, and what lies beside it.

    Looking is work: it keeps the looker's own lease alive. Raises `Refused` with `not_found`.
    """
    leases.keep_alive(desk, binding_id, actor)
    case, now = desk.seen(binding_id, actor, scopes.reviews)
    return review_details(desk, case, actor, now)


def review_details(desk: Desk, case: Case, actor: Actor, now: datetime) -> dict[str, Any]:
    """The same of a case that has been read, by one who may see it."""
    review = case.plan.review
    return with_lease(case, actor, now) | {
        "relationship_code": to_gbt4761(case.application.relationship),
        "reasons": {"reject": review.reject_reasons, "return": review.return_reasons},
        "timeline": listing.timeline(desk.ledger, case.id, actor, party=case.is_party(actor.person)),
        "face_checks": listing.face_checks(desk.ledger, case, now),
        "other_bindings": other_bindings(desk, case, actor),
    }


def with_lease(case: Case, actor: Actor, now: datetime) -> dict[str, Any]:
    """The view for a reviewer, with the lease."""
    return public.binding_view(case, actor, now) | {"lease": leases.lease_view(case, actor, now)}


def other_bindings(desk: Desk, case: Case, actor: Actor) -> dict[str, Any]:
    """What else the two have applied for, masked: in the caller's regions each binding, elsewhere only how many."""
    people = [case.application.holder, case.application.member]
    found = desk.ledger.read(_SAME_PEOPLE, {"people": people, "binding": case.id, "limit": _OTHERS},
                             fresh=True)  # fmt: skip
    others = [other for other, _ in desk.look_many([row["binding_id"] for row in found])]
    here = [other for other in others if scopes.in_region(other, actor)]
    return {"items": [_other(case, other) for other in here], "elsewhere": len(others) - len(here)}


def _other(case: Case, other: Case) -> dict[str, Any]:
    ours, theirs = case.application, other.application
    shared = [
        f"{role}_as_{as_role}"
        for role, person in (("holder", ours.holder), ("member", ours.member))
        for as_role, other_person in (("holder", theirs.holder), ("member", theirs.member))
        if person == other_person
    ]
    return {"id": other.id, "product": theirs.product, "channel": theirs.channel, "state": other.state,
            "state_since": other.since, "reason": other.progress.reason, "relationship": theirs.relationship,
            "holder": public.party_view(other, "holder"), "member": public.party_view(other, "member"),
            "shared": shared}  # fmt: skip


# -- pages -------------------------------------------------------------------------------------------------------

Item = Callable[[Any, Case, Actor, datetime], dict[str, Any]]


def _statement(table: str, narrowed: str) -> TextClause:
    return text(_PAGE.format(table=table, narrowed=narrowed))


def _listed(
    desk: Desk, actor: Actor, wanted: Wanted, statement: TextClause, item: Item, named: dict[str, Any]
) -> dict[str, Any]:
    due_at, after = cursors.decode(wanted.cursor, datetime, str) if wanted.cursor else (None, None)
    rows = desk.ledger.read(statement, named | {
        "granted": scopes.patterns(actor.regions), "region": f"{region_prefix(wanted.region or '')}%",
        "overdue": wanted.overdue, "due_at": due_at, "after": after, "staff": actor.id, "limit": wanted.limit + 1,
    })  # fmt: skip
    page = cursors.page(rows, wanted.limit, "due_at", "binding_id")
    cases = {case.id: case for case, _ in desk.look_many([row["binding_id"] for row in page["items"]])}
    items = [
        item(row, cases[row["binding_id"]], actor, row["now"]) for row in page["items"] if row["binding_id"] in cases
    ]
    return page | {"items": items}


def _item(row: Any, case: Case, now: datetime) -> dict[str, Any]:
    application = case.application
    return {
        "binding_id": case.id, "version": case.version, "state": case.state, "product": application.product,
        "method": application.method, "channel": application.channel, "relationship": application.relationship,
        "region": application.region, "agency": row["agency"], "holder": public.party_view(case, "holder"),
        "member": public.party_view(case, "member"), "due_at": row["due_at"], "overdue": row["due_at"] <= now,
    }  # fmt: skip


def _review_item(row: Any, case: Case, actor: Actor, now: datetime) -> dict[str, Any]:
    ends = due(case, "review_to_decision")
    return _item(row, case, now) | {
        "entered_at": row["entered_at"], "escalations": row["escalations"],
        "provisional": ends is not None and ends.provisional, "lease": leases.lease_view(case, actor, now),
    }  # fmt: skip


def _ticket_item(row: Any, case: Case, actor: Actor, now: datetime) -> dict[str, Any]:
    offline = case.progress.offline
    return _item(row, case, now) | {
        "code": row["code"], "opened_at": row["opened_at"], "reason": offline.reason if offline else None,
        "counter_ticket": public.ticket_view(case), "materials_complete": not case.missing,
        "registry_answered": case.progress.registry_answered, "second_clerk_required": attending.second_awaited(case),
        "available_actions": public.available_actions(case, actor, now),
    }  # fmt: skip


def _spelt(code: str) -> str:
    """A code as it was made, though people type O for zero, I and L for one, small letters and dashes."""
    plain = "".join(sign for sign in code.upper() if sign.isalnum())
    return plain.translate(str.maketrans("OIL", "011"))
