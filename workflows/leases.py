"""Leases of review cases: who works on which, for fifteen minutes at a time, kept alive by work.

A lease is no step: no line, no version, no event. Every change of hands raises the epoch, and the write of a
decision names the epoch under which it was decided, so that whoever lost his lease cannot decide late. An expired
lease is nobody's by its time alone; nothing has to sweep it first.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

import structlog

from workflows.access import scopes
from workflows.case import AGENCY_REVIEW, Actor, Case, has_vouched
from workflows.engine import Desk
from workflows.errors import Refused, out_of_turn
from workflows.views import public

LEASE_SECONDS = 900
log = structlog.get_logger()

_CLAIM = """
update review_cases r
set claimed_by = %(staff)s, lease_until = clock.now + make_interval(secs => %(seconds)s),
    epoch = r.epoch + case when r.claimed_by = %(staff)s and r.lease_until > clock.now then 0 else 1 end
from (select kinbind_now() as now) as clock
where r.binding_id = %(binding)s
  and (r.claimed_by is null or r.claimed_by = %(staff)s or r.lease_until <= clock.now)
"""
# The nearest due that nobody holds; rows that another is just taking are skipped, so two who ask at once get two cases.
_NEXT = """
update review_cases r
set claimed_by = %(staff)s, lease_until = clock.now + make_interval(secs => %(seconds)s), epoch = r.epoch + 1
from (select kinbind_now() as now) as clock
where r.binding_id = (
  select w.binding_id from review_cases w
  where w.agency like any(%(granted)s) and (w.claimed_by is null or w.lease_until <= clock.now)
    and w.binding_id <> all(%(not_these)s)
  order by w.due_at, w.binding_id limit 1 for update of w skip locked)
returning r.binding_id
"""
# Who gives a case back no longer decides it: a decision of his that is still held is deleted. It is counted, so that it
# is locked before the lease, in the order in which the sending locks them.
_RELEASE = """
with taken_back as (
  delete from held_decisions where binding_id = %(binding)s and staff = %(staff)s and settled_at is null returning 1)
update review_cases set claimed_by = null, lease_until = null, epoch = epoch + 1
where binding_id = %(binding)s and claimed_by = %(staff)s and (select count(*) from taken_back) >= 0
"""
_KEEP = """
update review_cases r set lease_until = clock.now + make_interval(secs => %(seconds)s)
from (select kinbind_now() as now) as clock
where r.binding_id = %(binding)s and r.claimed_by = %(staff)s and r.lease_until > clock.now
"""


def claim(desk: Desk, binding_id: str, actor: Actor) -> tuple[Case, datetime]:
    """Take the lease, or take it again; the case as it is then, and the time.

    Raises `Refused` with `not_found`, `action_not_available`, `own_case` or `claimed_by_other`.
    """
    case = _open_case(desk, binding_id, actor)
    if case.is_party(actor.person):
        raise Refused("own_case")
    if not _changed(desk, _CLAIM, binding_id, actor):
        # it was decided, or another was faster, between our reading and our writing
        _open_case(desk, binding_id, actor)
        raise Refused("claimed_by_other")
    return desk.look(binding_id)


def take_next(desk: Desk, actor: Actor, not_these: Sequence[str] = ()) -> str | None:
    """Take the lease of the next best case: the nearest due that nobody holds, and that is not the reviewer's own.

    Return its id, None if there is none. `not_these` are skipped, so that what was just given back does not come again;
    so are cases that cannot be read: nobody can decide them, and each reviewer would get them next.
    """
    passed_over = list(not_these)
    named = {"staff": actor.id, "seconds": LEASE_SECONDS, "granted": scopes.patterns(actor.regions)}
    while True:
        with desk.ledger.connection() as conn:
            row = conn.execute(_NEXT, named | {"not_these": passed_over}).fetchone()
        if row is None:
            return None
        found: str = row[0]
        if _for_him(desk, found, actor):
            return found
        _changed(desk, _RELEASE, found, actor)
        passed_over.append(found)


def _for_him(desk: Desk, binding_id: str, actor: Actor) -> bool:
    """Whether it can be read, and he may approve it: he is no party, and has not vouched for it at a counter."""
    try:
        case = desk.look(binding_id)[0]
        return not (case.is_party(actor.person) or has_vouched(case.progress.objection, actor))
    except Exception as fault:  # noqa: BLE001  the next case is as good; what broke this one stands in the log
        log.warning("review_passed_over", binding_id=binding_id, fault=type(fault).__name__)
        return False


def release(desk: Desk, binding_id: str, actor: Actor) -> tuple[Case, datetime]:
    """Give the lease back; no error if nobody holds it. Return the case as it is then, and the time.

    Raises `Refused` with `not_found`, `action_not_available` or `claimed_by_other`.
    """
    case, now = _open_case(desk, binding_id, actor), desk.ledger.now()
    lease = case.lease
    if lease is not None and lease.holder(now) not in (None, actor.id):
        raise Refused("claimed_by_other")
    _changed(desk, _RELEASE, binding_id, actor)
    return desk.look(binding_id)


def keep_alive(desk: Desk, binding_id: str, actor: Actor) -> None:
    """Work on a case that one holds prolongs the lease; for all others this does nothing."""
    if actor.kind == "reviewer":
        _changed(desk, _KEEP, binding_id, actor)


def _open_case(desk: Desk, binding_id: str, actor: Actor) -> Case:
    case, now = desk.seen(binding_id, actor, scopes.reviews)
    if case.state != AGENCY_REVIEW:
        raise out_of_turn(**public.instead(case, actor, now))
    return case


def _changed(desk: Desk, statement: str, binding_id: str, actor: Actor) -> bool:
    named: dict[str, Any] = {"binding": binding_id, "staff": actor.id, "seconds": LEASE_SECONDS}
    with desk.ledger.connection() as conn:
        return conn.execute(statement, named).rowcount > 0


def lease_view(case: Case, actor: Actor, now: datetime) -> dict[str, Any] | None:
    """Who holds the lease, until when, and whether that is the one who looks; None if nobody does."""
    lease = case.lease
    holder = lease.holder(now) if lease is not None else None
    if lease is None or holder is None:
        return None
    return {"claimed_by": holder, "mine": holder == actor.id, "until": lease.until}
