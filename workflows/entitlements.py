"""What an active binding entitles to, asked at the moment of use, and the record of every use allowed."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import text

from models.ids import new_id
from policies.book import LawBook
from policies.calendar import shanghai_day
from policies.entitlements import refusal
from policies.planning import may_show
from policies.refusals import NotAllowed
from workflows import answers
from workflows.access import noting
from workflows.case import SUSPENDED, Case
from workflows.commands import Idempotency, Reply
from workflows.engine import Desk
from workflows.views import cursors
from workflows.views.public import dumps

NO_GROUNDS, NOT_HERE = "sharing_not_active", "channel_not_open"
# The order in which reasons are told, if several bindings of the same two people all say no: the most helpful first.
_TELLING = (
    NOT_HERE, "region_not_allowed", "not_own_code", "wrong_product", "purpose_not_allowed", NO_GROUNDS, "suspended",
)  # fmt: skip
NONE_ACTIVE = "not_active"
REASONS = (*_TELLING, NONE_ACTIVE)

_BETWEEN = text("""
select a.binding_id from applications a join bindings b on b.id = a.binding_id
where a.holder = any(:holder) and a.member = any(:member) and b.state in ('active', 'suspended', 'unbinding')
order by a.binding_id
""")
_OF_HOLDER = text("""
select a.binding_id from applications a join bindings b on b.id = a.binding_id
where a.holder = :holder and a.product = :product and b.state in ('active', 'suspended', 'unbinding')
""")
_KNOWS = text("select from person_channels where person = any(:persons) and channel = :channel limit 1")
# A binding that has ended since it was read records nothing, and allows nothing.
_RECORD = """
insert into usage_records (id, binding_id, purpose, patient, channel, region, at)
select %s, b.id, %s, %s, %s, %s, kinbind_now() from bindings b
where b.id = %s and b.state in ('active', 'unbinding')
"""
_USES = text("""
select id, purpose, patient, channel, region, at from usage_records
where binding_id = :binding and (cast(:at as timestamptz) is null or (at, id) < (:at, :after))
order by at desc, id desc limit :limit
""")


@dataclass(frozen=True, slots=True)
class Use:
    """One use as a channel asks for it; the two people by all the blind indexes that their numbers may mean."""

    holder: Collection[str]
    member: Collection[str]
    purpose: str
    channel: str
    principal: str  # whose key it is
    patient: str | None = None
    region: str | None = None


def check(desk: Desk, use: Use, now: datetime, asked: Idempotency | None) -> Reply:
    """Answer `{allowed, reason, binding_id}`; an allowed use is recorded. Bindings of others are never told.

    A channel that has acted for neither of the two is told no reason, or it could try out who is bound to whom; that
    it has asked is noted. The record and the answer kept under a reserved key are one commit: a key records one use.
    Raises as `answers.keep_on`.
    """
    stranger = _is_stranger(desk, use)
    if stranger:
        _note(desk, use)
    cases = _between(desk, use.holder, use.member)
    refusals: dict[str, str] = {}
    for case in cases:
        reason = _refusal(case, use, cases) or _not_here(desk.book, case, use, now)
        if reason is None and (allowed := _recorded(desk, case, use, now, asked)):
            return allowed
        refusals.setdefault(reason or NONE_ACTIVE, case.id)
    for reason in () if stranger else _TELLING:
        if reason in refusals:
            return _answer(reason, refusals[reason])
    return _answer(NONE_ACTIVE, None)


def uses(desk: Desk, binding_id: str, limit: int, cursor: str | None) -> dict[str, Any]:
    """A page of the recorded uses of a binding, the newest first."""
    at, after = cursors.decode(cursor, datetime, str) if cursor else (None, None)
    rows = desk.ledger.read(_USES, {"binding": binding_id, "at": at, "after": after, "limit": limit + 1},
                            fresh=True)  # fmt: skip
    return cursors.page(rows, limit, "at", "id")


def _is_stranger(desk: Desk, use: Use) -> bool:
    """Whether the channel has never acted for either of the two; it has for whoever applied through it."""
    asked = {"channel": use.channel, "persons": [*use.holder, *use.member]}
    return not desk.ledger.read(_KNOWS, asked, fresh=True)


def _note(desk: Desk, use: Use) -> None:
    persons = [*use.holder, *use.member]
    with desk.ledger.connection() as conn:
        noting.note(conn, use.principal, "entitlement_check", persons=persons, purpose=use.purpose)


def _refusal(case: Case, use: Use, between: Sequence[Case]) -> str | None:
    if not case.in_force:
        return SUSPENDED
    if case.plan.requires_active is not None:
        grounds = [one for one in between if _stands_on(case, one)]
        if not any(one.in_force for one in grounds):
            # if the sharing is only suspended, the family must not apply for a new one
            return SUSPENDED if grounds else NO_GROUNDS
    return refusal(case.plan, use.purpose, use.patient, use.region)


def _not_here(book: LawBook, case: Case, use: Use, now: datetime) -> str | None:
    """Why this channel may not show the code: it is asked of the law of today, under which channels open and close."""
    region = case.application.region
    try:
        pack = book.law_for(region, case.plan.product, shanghai_day(now)).pack
    except NotAllowed:  # not offered there any more: what is in force goes on
        return None
    return None if may_show(pack, use.channel, region) else NOT_HERE


def has_grounds(desk: Desk, case: Case) -> bool:
    """Whether what this binding was authorised on is still there, be it suspended; so for one that needs nothing.

    A member's number changes in one binding after the other (F136): meanwhile they count as bindings of the same two.
    Raises where a binding that might be it cannot be read.
    """
    if case.plan.requires_active is None:
        return True
    asked = {"holder": case.application.holder, "product": case.plan.requires_active}
    theirs = [desk.look(row["binding_id"])[0] for row in desk.ledger.read(_OF_HOLDER, asked, fresh=True)]
    return any(_stands_on(case, one) and _same_member(case, one) for one in theirs)


def _same_member(case: Case, other: Case) -> bool:
    between = case.application.member == other.application.member
    return between or any(one.progress.changed or one.progress.reported for one in (case, other))


def _between(desk: Desk, holder: Collection[str], member: Collection[str]) -> list[Case]:
    found = desk.ledger.read(_BETWEEN, {"holder": list(holder), "member": list(member)}, fresh=True)
    return [case for case, _ in desk.look_many([row["binding_id"] for row in found])]


def _stands_on(case: Case, other: Case) -> bool:
    """Whether this binding was authorised on that one between the same two: 展码代扣 on an approved sharing (F92, F98).

    A sharing that came into force later is another one: on that the holder's word was not given.
    """
    since, before = case.progress.active_since, other.progress.active_since
    if since is None or before is None:
        return False
    return other.plan.product == case.plan.requires_active and before <= since


def _recorded(desk: Desk, case: Case, use: Use, now: datetime, asked: Idempotency | None) -> Reply | None:
    """The yes, once it is written down; None where the binding has ended since it was read."""
    allowed = _answer(None, case.id)
    with desk.ledger.transaction() as conn:
        row = (new_id("use", now), use.purpose, use.patient, use.channel, use.region, case.id)
        if conn.execute(_RECORD, row).rowcount == 0:
            return None
        answers.keep_on(conn, desk.keys, asked, allowed)
    return allowed


def _answer(reason: str | None, binding_id: str | None) -> Reply:
    return Reply(200, dumps({"allowed": reason is None, "reason": reason, "binding_id": binding_id}))
