"""Number limits, as rows for the write: the seat that a submission takes, the month's place of an activation.

A limit has a size, a scope (all channels together, or each apart), a window (at the same time, in a calendar month of
Shanghai, in so many days back from now), and says whether what has ended within the window still counts; all of it
stands in the pinned plan (F50, F51, C10-C12). A holder's limit at the same time counts seats, from submission on. All
others count the places taken at activation, and are asked at submission too, so that nobody waits in vain. The write
does the counting, under the locks of both persons.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any

from policies.book import LawBook
from policies.calendar import month_of
from policies.plan import LimitScope, LimitWindow
from workflows.case import Case, Cursor


def take_seat(cursor: Cursor) -> None:
    """Let the write take the seat of a submission, if there is one, and refuse what no window has room for."""
    case, limits, application = cursor.case, cursor.case.plan.limits, cursor.case.application
    at_once = limits.holder_window == "at_once"
    cursor.also("seats", {
        "scope": _scope(case, limits.holder_scope), "holder": application.holder, "member": application.member,
        "certificate": application.parties.get("mother", {}).get("certificate_person"),
        "product": application.product, "relationship": application.relationship,
        "max_n": limits.members_per_holder if at_once else None,
        "relation_max": limits.per_relation.get(application.relationship) if at_once else None,
        "requires": case.plan.requires_active,
    })  # fmt: skip
    _count(cursor)


def take_month_seat(cursor: Cursor) -> None:
    """Let the write take the month's place of an activation, where the plan counts over any window."""
    case, limits, application = cursor.case, cursor.case.plan.limits, cursor.case.application
    windowed = limits.holder_window != "at_once"
    if limits.binders_per_member is None and not windowed:
        return
    cursor.also("month_seats", {
        "member": application.member, "holder": application.holder, "product": _scope(case, limits.member_scope),
        "month": month_of(cursor.now), "scope": _scope(case, limits.holder_scope) if windowed else None,
        "relationship": application.relationship, "taken_at": cursor.now,
    })  # fmt: skip
    _count(cursor)


def need_grounds(cursor: Cursor) -> None:
    """Let the write refuse what comes into force without the binding that it stands on (F92)."""
    application, product = cursor.case.application, cursor.case.plan.requires_active
    if product is not None:
        cursor.also("grounds", {"holder": application.holder, "member": application.member, "product": product})


def count_binders(cursor: Cursor, member: str) -> None:
    """Let the write count the binders of the person whom the member is reported to be, as if bound from the start.

    A limit by calendar month counts the month in which the binding came into force: its place there becomes his.
    """
    since, holder = cursor.progress.active_since or cursor.now, cursor.case.application.holder
    for limit in _of_member(cursor):
        month = month_of(since) if limit.get("month") else None
        cursor.also("counts", {"holder": holder, **limit, "member": member, "month": month})


def still_counts(case: Case, book: LawBook, taken_at: datetime, now: datetime) -> bool:
    """Whether the place that an ended binding took at `taken_at` may still count within a window of somebody's limits.

    The next application may be under another pack, or a newer version: the limits of all of them are looked at.
    """
    return any(
        ended and _within_window(window, taken_at, now)
        for limits in (case.plan.limits, *book.limits_of(case.application.product))
        for window, ended in (
            (limits.holder_window, limits.holder_count_ended), (limits.member_window, limits.count_ended),
        )
    )  # fmt: skip


def _within_window(window: LimitWindow, taken_at: datetime, now: datetime) -> bool:
    if isinstance(window, int):
        return now - timedelta(days=window) < taken_at
    return window == "calendar_month" and month_of(taken_at) == month_of(now)


def _count(cursor: Cursor) -> None:
    application = cursor.case.application
    for limit in _limits(cursor):
        cursor.also("counts", {"member": application.member, "holder": application.holder, **limit})


def _limits(cursor: Cursor) -> Iterator[dict[str, Any]]:
    """The limits counted over places, each with the code of its refusal."""
    case, limits, relationship = cursor.case, cursor.case.plan.limits, cursor.case.application.relationship
    yield from _of_member(cursor)
    if limits.holder_window == "at_once":
        return
    within = _within(cursor, limits.holder_window, ended=limits.holder_count_ended)
    of_holder = {"scope": _scope(case, limits.holder_scope), **within}
    if limits.members_per_holder is not None:
        yield {"code": "holder_limit", "most": limits.members_per_holder, **of_holder}
    if relationship in limits.per_relation:
        most = limits.per_relation[relationship]
        yield {"code": "holder_relation_limit", "most": most, "relationship": relationship, **of_holder}


def _of_member(cursor: Cursor) -> Iterator[dict[str, Any]]:
    case, limits = cursor.case, cursor.case.plan.limits
    if limits.binders_per_member is not None:
        within = _within(cursor, limits.member_window, ended=limits.count_ended)
        yield {"code": "member_binder_limit", "most": limits.binders_per_member,
               "product": _scope(case, limits.member_scope), **within}  # fmt: skip


def _within(cursor: Cursor, window: LimitWindow, *, ended: bool) -> dict[str, Any]:
    live = window == "at_once" or not ended
    if isinstance(window, int):
        return {"since": cursor.now - timedelta(days=window), "live": live}
    return {"month": month_of(cursor.now) if window == "calendar_month" else None, "live": live}


def _scope(case: Case, scope: LimitScope) -> str:
    product = case.application.product
    return f"{product}/{case.application.channel}" if scope == "per_channel" else product
