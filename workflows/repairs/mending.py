"""What the moves of repairs ask and change: guards, checks and effects of their rows in the table of moves.

A repair makes no exception to the law. It says a move of the table like everybody else, and leaves its line,
`repaired`, with who asked for it and why.
"""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any

import msgspec

from policies.ages import face_age_day, face_to_come
from workflows.case import (
    AGENCY_REVIEW,
    CAME_INTO_FORCE,
    FACE_CHECK,
    FINAL,
    MATERIALS_UPLOADED,
    NOT_YET_IN_FORCE,
    OFFLINE_FALLBACK,
    STATES,
    Cursor,
)
from workflows.deadlines import DEADLINES_BY_NAME, armed
from workflows.effects import applying
from workflows.errors import Refused, out_of_turn
from workflows.facing import readable
from workflows.guards import Condition, record_to_confirm

LIVING = tuple(state for state in STATES if state not in FINAL)
TARGETS = (MATERIALS_UPLOADED, FACE_CHECK, OFFLINE_FALLBACK, AGENCY_REVIEW)  # where a case may be moved to
ASKED = (MATERIALS_UPLOADED, FACE_CHECK, *CAME_INTO_FORCE)  # where a registry or a provider may owe an answer


# -- conditions, guards, checks ----------------------------------------------------------------------------------


def ways(cursor: Cursor) -> tuple[str, ...]:
    """The states to which an open application may be moved: those in which its plan's next step can be done."""
    case, progress = cursor.case, cursor.progress
    subject, step = case.next_subject, case.open_step
    complete = not case.missing
    settled = complete and progress.registry_answered and not record_to_confirm(cursor)
    fits = {
        MATERIALS_UPLOADED: complete,
        FACE_CHECK: settled and step == "face_check" and subject is not None and readable(cursor, subject),
        OFFLINE_FALLBACK: step == "face_check" or not progress.registry_answered,
        AGENCY_REVIEW: settled and step == "agency_review",
    }
    at_counter = case.application.channel == "counter"  # the clerk sees the people: no camera is used
    return tuple(to for to in TARGETS if fits[to] and to != case.state and not (at_counter and to == FACE_CHECK))


def somewhere_to_go(cursor: Cursor) -> bool:
    """The plan has another state for this case."""
    return bool(ways(cursor))


def in_somebodys_hands(cursor: Cursor) -> bool:
    """The case is in a review queue or at a counter."""
    return cursor.state == AGENCY_REVIEW or cursor.progress.offline is not None


def plan_allows(cursor: Cursor) -> None:
    """The state named is one that the plan has for this case."""
    if cursor.facts.get("to") not in ways(cursor):
        raise Refused("state_not_allowed", 409, "/to", allowed=list(ways(cursor)))


def something_waits(cursor: Cursor) -> None:
    """There is a question that can be asked again."""
    watched = any(DEADLINES_BY_NAME[name].watch for name in armed(cursor.case))
    if not watched and not cursor.facts.get("pending"):
        raise Refused("nothing_to_repair")


def letters_aside(cursor: Cursor) -> None:
    """There is a letter that was put aside."""
    if not cursor.facts.get("letters"):
        raise Refused("nothing_to_repair")


def right_way_back(cursor: Cursor) -> None:
    """The restored state is one from which the case can have come here without having ended or come into force."""
    to = cursor.facts["restore"]["state"]
    both = NOT_YET_IN_FORCE if cursor.state in NOT_YET_IN_FORCE else CAME_INTO_FORCE
    if to not in both:
        raise out_of_turn()


def going_to(state: str) -> Condition:
    """The move names this state."""
    return lambda cursor: cursor.facts.get("to") == state


def restored_to(state: str) -> Condition:
    """What is restored stood in this state."""
    return lambda cursor: bool(cursor.facts["restore"]["state"] == state)


# -- effects -----------------------------------------------------------------------------------------------------


def _arm(cursor: Cursor, name: str, at: Any) -> None:
    # every step writes only what has changed: here rows are written anew although the case has not
    cursor.also("armed", {"name": name, "due_at": at, "watch": DEADLINES_BY_NAME[name].watch})


def ask_again(cursor: Cursor) -> None:
    """What is watched is asked about now; on its own grid, so that `waiting_on` stays true."""
    for name, due in armed(cursor.case).items():
        if DEADLINES_BY_NAME[name].watch:
            _arm(cursor, name, min(due.at, cursor.now))


def move(cursor: Cursor) -> None:
    """The case goes to the state named, as if it had come there by itself: a face gets its whole window again."""
    progress, to, subject = cursor.progress, cursor.facts["to"], cursor.case.next_subject
    progress.offline, progress.correction = None, None
    if to == MATERIALS_UPLOADED:
        applying.hand_in(cursor)
    elif to == FACE_CHECK:
        progress.windows = {key: window for key, window in progress.windows.items() if key != subject}
        applying.back_before_camera(cursor, subject or "")
        applying.your_turn(cursor)
    elif to == OFFLINE_FALLBACK:
        applying.open_ticket(cursor, "other", cursor.facts.get("because"))
    else:
        applying.begin_review(cursor)


def replan(cursor: Cursor) -> None:
    """The binding gets another plan; running deadlines are computed anew only where the order says so."""
    case, progress, plan = cursor.case, cursor.progress, cursor.facts["plan"]
    anew = cursor.facts.get("recompute", ())
    case.plan = plan
    _ask_the_child(cursor)
    window = progress.windows.get(case.next_subject or "")
    if "first_attempt_to_pass" in anew and window is not None:
        closes = window.opened + timedelta(hours=plan.face.window_hours)
        fresh = msgspec.structs.replace(window, closes=closes)
        progress.windows = {**progress.windows, case.next_subject or "": fresh}
    review = progress.review
    if "review_to_decision" in anew and review is not None and review.escalations == 0:
        days = plan.deadlines["review_to_decision"].working_days or 1
        due = case.calendar.working_day_due(review.entered, days)
        progress.review = msgspec.structs.replace(
            review, due=due.at, provisional=due.provisional, days_left=days, counted_from=review.entered,
            counted_days=days,
        )  # fmt: skip


def _ask_the_child(cursor: Cursor) -> None:
    """A face is asked of the child on the day that its plan has for it."""
    application, plan = cursor.case.application, cursor.case.plan
    told = application.parties["member"].get("birth_date")
    born = date.fromisoformat(told) if told else None
    day = face_to_come(plan, born)
    if day is None and born and cursor.state in CAME_INTO_FORCE and cursor.case.next_subject == "member":
        # in force, its face never checked, and old enough by this plan: it is asked now
        day = face_age_day(plan.age, born)
    application.face_age_day = day
    cursor.also("face_ages", {"day": application.face_age_day})


def reassign(cursor: Cursor) -> None:
    """Another agency gets the review or the ticket; due times stay. If none is named, only the lease changes."""
    if cursor.facts.get("agency") is None:
        return
    if cursor.progress.offline is not None:
        applying.hand_over(cursor)
    else:
        cursor.progress.review_agency = cursor.facts["agency"]


def restore(cursor: Cursor) -> None:
    """Put back how far the case had come before the repair, and its plan; waits go on where they stood."""
    before = cursor.facts["restore"]
    cursor.case.progress = before["progress"]
    if before["plan"].hash != cursor.case.plan.hash:
        cursor.case.plan = before["plan"]
        _ask_the_child(cursor)
