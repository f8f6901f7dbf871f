"""Every deadline: while it runs, when it is due, and what the clock then says.

A deadline is not remembered but derived: from the state, from how far the case has come and from its pinned plan.
The table `deadlines` is the index that the sweep reads; each step brings it in line with what is derived here.
Names say from what to what. Lengths live in packs, in clock hours or working days of Asia/Shanghai.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from policies.calendar import Due, end_of_day, shanghai_day, start_of_day
from workflows.case import (
    ACTIVE,
    AGENCY_REVIEW,
    CAME_INTO_FORCE,
    FACE_CHECK,
    INSURANCE,
    MATERIALS_UPLOADED,
    OFFLINE_FALLBACK,
    RETURNED,
    REVERIFICATION,
    STATES,
    SUBMITTED,
    SUSPENDED,
    UNBINDING,
    Case,
)

A_DAY = 86_400  # seconds
UNBIND_TO_CONFIRMED = "unbind_to_confirmed"
ASK_AGAIN = timedelta(minutes=15)  # how often a registry that does not answer is asked again


@dataclass(frozen=True, slots=True)
class Deadline:
    """One row of the table: a step that the clock may make, or a watch that asks and counts without a step."""

    name: str
    while_: tuple[str, ...]  # the states in which it may run
    runs: Callable[[Case], bool]  # whether it does, in one of them
    due: Callable[[Case], Due]
    move: str | None  # what the clock says when it is due; None: a watch, an errand of the hands
    then: str  # the word for `waiting_on.then`
    reason: str | None = None  # why, in the history; None: the deadline's own name

    @property
    def facts(self) -> dict[str, Any]:
        """What the clock sends along when it speaks for this deadline."""
        return {"deadline": self.name, "reason": self.reason or self.name}

    @property
    def watch(self) -> bool:
        """Whether it only asks: attempts are counted on the row, no line is written."""
        return self.move is None


def span(case: Case, name: str, start: datetime) -> Due:
    """`start` plus the length that the plan gives this deadline."""
    length = case.plan.deadlines[name]
    if length.working_days is not None:
        return case.calendar.working_day_due(start, length.working_days)
    return _certain(start + timedelta(hours=length.hours or 0))


def _certain(at: datetime) -> Due:
    return Due(at, provisional=False)


def confirming(case: Case) -> bool:
    """The registry has answered with a record that the applicant must confirm."""
    return case.plan.registry.birth_certificate and case.progress.registry_answered


def _since(name: str) -> Callable[[Case], Due]:
    return lambda case: span(case, name, case.since)


def _turn(name: str) -> Callable[[Case], Due]:
    return lambda case: _while_ticket(case, span(case, name, case.progress.turn_since or case.since))


def _while_ticket(case: Case, ends: Due) -> Due:
    """What began anew on the way back from a counter ends with the ticket's own days at the latest (0021)."""
    since = case.progress.offline_since
    return ends if since is None else min(ends, span(case, "offline_to_counter", since), key=lambda one: one.at)


def _always(_: Case) -> bool:
    return True


def _face_to_begin(case: Case) -> bool:
    subject = case.next_subject
    return subject is not None and subject not in case.progress.windows


def _window_runs(case: Case) -> bool:
    return case.next_subject in case.progress.windows


def _window_closes(case: Case) -> Due:
    return _certain(case.progress.windows[case.next_subject or ""].closes)


def _review_due(case: Case) -> Due:
    review = case.progress.review
    assert review is not None  # noqa: S101  entering the state sets it
    if review.counted_from is None:  # written before the days were kept to be counted again
        return Due(review.due, review.provisional)
    return case.calendar.working_day_due(review.counted_from, review.counted_days)


def _suspended(case: Case) -> bool:
    return not case.in_force


def _grows(case: Case) -> bool:
    grows = case.application.face_age_day is not None and "member" not in case.progress.passed
    return grows and case.in_force and case.progress.reverify_since is None


def _face_age_day(case: Case) -> Due:
    day = case.application.face_age_day
    assert day is not None  # noqa: S101  `_grows` has looked
    return _certain(start_of_day(day))


def _insurance_watched(case: Case) -> bool:
    # looked at also while it rests for want of insurance: the registry's "back" lifts that
    return case.in_force or case.progress.suspended_for == INSURANCE


def _recheck(case: Case) -> Due:
    # what the registries said at hand-in is too old by now: they are asked at once
    since, said = case.progress.active_since or case.since, case.progress.registry_at
    stale = said is None or span(case, "insurance_to_rechecked", said).at < since
    return _certain(since if stale else daily_look(case))


def daily_look(case: Case) -> datetime:
    """The hour of the looks at its insurance, on the first full day in force.

    Spread over the day by the case's own id, so that no hour carries the whole country.
    """
    first = span(case, "insurance_to_rechecked", case.progress.active_since or case.since).at
    return first + timedelta(seconds=zlib.crc32(case.id.encode()) % A_DAY)


def _resting(name: str) -> Callable[[Case], Due]:
    return lambda case: span(case, name, case.progress.resting_since or case.since)


def _has_term(case: Case) -> bool:
    return case.plan.term_days is not None and case.progress.active_since is not None


def _term_over(case: Case) -> Due:
    first = shanghai_day(case.progress.active_since or case.since)
    return _certain(end_of_day(first + timedelta(days=case.plan.term_days or 0)))


def _next_warning(case: Case) -> datetime | None:
    """When both sides are told next that a suspended binding is about to end; None after the last time."""
    end = _resting("suspended_to_ended")(case).at
    told = case.progress.warned_at or case.progress.resting_since or case.since
    since = max(told, case.progress.resting_since or told)  # a warning before an earlier suspension is none of this one
    ahead = sorted(case.plan.warning_days, reverse=True)
    return next((at for days in ahead if (at := end - timedelta(days=days)) > since), None)


def _warning(case: Case) -> Due:
    at = _next_warning(case)
    assert at is not None  # noqa: S101  whether it runs has been asked
    return _certain(at)


DEADLINES = (
    Deadline("submitted_to_materials", (SUBMITTED,), _always,
             _since("submitted_to_materials"), "expire", "expired"),
    Deadline("materials_to_checked", (MATERIALS_UPLOADED,), lambda c: not confirming(c),
             lambda c: _certain(c.since), None, "asked_again"),
    Deadline("materials_to_offline", (MATERIALS_UPLOADED,), lambda c: not confirming(c),
             lambda c: _while_ticket(c, span(c, "materials_to_offline", c.since)),
             "route_offline", OFFLINE_FALLBACK, "registry_unanswered"),
    Deadline("record_to_confirmed", (MATERIALS_UPLOADED,), confirming,
             _turn("record_to_confirmed"), "expire", "expired"),
    Deadline("face_to_first_attempt", (FACE_CHECK,), _face_to_begin,
             _turn("face_to_first_attempt"), "route_offline", OFFLINE_FALLBACK),
    Deadline("first_attempt_to_pass", (FACE_CHECK,), _window_runs,
             _window_closes, "route_offline", OFFLINE_FALLBACK),
    Deadline("passed_to_authorised", (FACE_CHECK,), lambda c: c.open_step == "authorisation",
             _turn("passed_to_authorised"), "expire", "expired"),
    Deadline("review_to_decision", (AGENCY_REVIEW,), _always,
             _review_due, "escalate", "escalated"),
    Deadline("returned_to_corrected", (RETURNED,), _always,
             _since("returned_to_corrected"), "expire", "expired"),
    Deadline("offline_to_counter", (OFFLINE_FALLBACK,), _always,
             lambda c: span(c, "offline_to_counter", c.progress.offline.since if c.progress.offline else c.since),
             "expire", "expired"),
    Deadline(UNBIND_TO_CONFIRMED, (UNBINDING,), _always,
             _since(UNBIND_TO_CONFIRMED), "cancel_unbind", ""),
    Deadline("member_to_age", (ACTIVE, UNBINDING), _grows,
             _face_age_day, "ask_reverification", ACTIVE),
    Deadline("reverification_to_done", (ACTIVE, UNBINDING),
             lambda c: c.in_force and c.progress.reverify_since is not None,
             lambda c: span(c, "reverification_to_done", c.progress.reverify_since or c.since), "suspend", SUSPENDED),
    Deadline("insurance_to_rechecked", CAME_INTO_FORCE, _insurance_watched,
             _recheck, None, ACTIVE),
    Deadline("active_to_term", CAME_INTO_FORCE, _has_term,
             _term_over, "end", "unbound", "term_over"),
    Deadline("suspended_to_ended", (SUSPENDED, UNBINDING), _suspended,
             _resting("suspended_to_ended"), "end", "unbound"),
    Deadline("suspended_to_warned", (SUSPENDED, UNBINDING),
             lambda c: _suspended(c) and _next_warning(c) is not None, _warning, "warn_of_end", SUSPENDED),
)  # fmt: skip
DEADLINES_BY_NAME = {deadline.name: deadline for deadline in DEADLINES}
BY_STATE = {state: tuple(one for one in DEADLINES if state in one.while_) for state in STATES}
# One of these is armed in each state that is neither active nor final, and none of them in those: they have an index of
# their own, `deadlines_open_idx`.
OPEN = tuple(
    one.name for one in DEADLINES if ACTIVE not in one.while_ and not one.watch and one.name != "suspended_to_warned"
)
# By the plan's `warning_days` and `term_days`, on a birthday, or as often as the hands ask.
WITHOUT_LENGTH = ("suspended_to_warned", "active_to_term", "member_to_age", "materials_to_checked")


def armed(case: Case) -> dict[str, Due]:
    """What must be armed for this case as it stands now, by name."""
    return {one.name: one.due(case) for one in BY_STATE[case.state] if one.runs(case)}


def due(case: Case, name: str) -> Due | None:
    """When this deadline ends, as `armed` has it; None where it does not run."""
    one = DEADLINES_BY_NAME[name]
    return one.due(case) if case.state in one.while_ and one.runs(case) else None


def waits_for_unbinding(case: Case, name: str) -> bool:
    """Deadlines of `active` and `suspended` stay armed through an unbinding and wait for its end."""
    return case.state == UNBINDING and name != UNBIND_TO_CONFIRMED


def reverification_asked(case: Case) -> bool:
    """Whether a face is asked of a binding in force or suspended (the child has grown, the identity changed)."""
    due = case.state == ACTIVE and case.progress.reverify_since is not None
    return due or (case.state == SUSPENDED and case.progress.suspended_for == REVERIFICATION)
