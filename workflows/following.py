"""What the system says next by itself, in the same commit: an approval, then that a binding comes into force.

After each move the desk asks `next_said` and makes that move too, until nothing follows.
"""

from __future__ import annotations

from typing import Any

from workflows import facing, guards, sampling
from workflows.binding import MOVES
from workflows.case import (
    ACTIVE,
    AGENCY_REVIEW,
    CLOCK,
    FACE_CHECK,
    MATERIALS_UPLOADED,
    NOT_YET_IN_FORCE,
    OFFLINE_FALLBACK,
    REVERIFICATION,
    STATES,
    SUBMITTED,
    SUSPENDED,
    SYSTEM,
    Actor,
    Cursor,
)
from workflows.deadlines import DEADLINES_BY_NAME, armed
from workflows.guards import Condition


def _own_work_done(cursor: Cursor) -> bool:
    """Whether all that this state is for is done, so that the case can go on."""
    progress, state = cursor.progress, cursor.state
    if state == MATERIALS_UPLOADED:
        return progress.registry_answered and not guards.record_to_confirm(cursor)
    return (
        state == FACE_CHECK
        or (state == OFFLINE_FALLBACK and progress.offline is None)
        or (state == AGENCY_REVIEW and progress.reviewed)
    )


def _review_open(cursor: Cursor) -> bool:
    return cursor.state != AGENCY_REVIEW and cursor.case.open_step == "agency_review" and _own_work_done(cursor)


def _nothing_open(cursor: Cursor) -> bool:
    return cursor.case.open_step is None and _own_work_done(cursor)


def _passes_by_itself(cursor: Cursor) -> bool:
    undecided = cursor.state == AGENCY_REVIEW and not cursor.progress.reviewed
    return undecided and sampling.automatic(cursor.case) and not sampling.drawn(cursor.case)


def _sampled(cursor: Cursor) -> bool:
    return sampling.automatic(cursor.case) and sampling.drawn(cursor.case) and _review_open(cursor)


def _not_for_a_registry(cursor: Cursor) -> bool:
    """Whether there is what no registry can settle, an age or a suspicion: then a clerk looks, once (0020, 0021)."""
    answered = bool(cursor.lines) and cursor.lines[-1].event == "registry_answered"
    return answered and bool(cursor.facts.get("go_offline")) and not cursor.progress.counter_decided


def _stands_at_the_counter(cursor: Cursor) -> bool:
    """Of an application that a clerk took: whether a face or a birth record is open, which he settles himself."""
    taken = cursor.case.taken_at_counter and cursor.progress.offline is None
    to_look_at = cursor.state == FACE_CHECK and cursor.case.next_subject is not None
    to_confirm = cursor.state == MATERIALS_UPLOADED and guards.record_to_confirm(cursor)
    return taken and (to_look_at or to_confirm)


FOLLOW_UPS: tuple[tuple[Condition, str, str | None], ...] = (
    (lambda c: c.state == SUBMITTED and not c.case.plan.materials, "submit_materials", None),
    (_not_for_a_registry, "route_offline", None),
    (_stands_at_the_counter, "route_offline", "applied_at_counter"),
    (facing.cannot_read, "route_offline", "document_not_readable"),
    (facing.gave_up, "route_offline", None),
    (facing.beyond_camera, "route_offline", "cannot_pass"),
    (_passes_by_itself, "approve", "automatic"),
    (_sampled, "begin_review", "sampled"),
    (_review_open, "begin_review", None),
    (lambda c: c.limit_met is not None and _nothing_open(c), "limit_refused", None),
    (_nothing_open, "activate", None),
)
# by state, those whose move the law has there: the others need not be asked
_FOLLOW_UPS_IN = {
    state: tuple(one for one in FOLLOW_UPS if any(move.said == one[1] and state in move.while_ for move in MOVES))
    for state in STATES
}


def next_said(cursor: Cursor) -> tuple[str, Actor, dict[str, Any]] | None:
    """What is said next in the same commit, by whom and why; None when nothing follows."""
    if cursor.state in (ACTIVE, SUSPENDED):
        return _unseen(cursor) or _overdue(cursor)
    if cursor.state not in NOT_YET_IN_FORCE:
        return None
    found = next(((said, why) for holds, said, why in _FOLLOW_UPS_IN[cursor.state] if holds(cursor)), None)
    if found is None:
        return None
    said, why = found
    if said == "route_offline" and why is None:
        why = cursor.facts.get("reason")
    note = sampling.rule(cursor.case) if why in ("automatic", "sampled") else None
    return said, SYSTEM, {"reason": why, "note": note}


def _unseen(cursor: Cursor) -> tuple[str, Actor, dict[str, Any]] | None:
    """The agency has decided, but a new name or number is still reported: the member has to show his face."""
    reported = cursor.progress.reported
    if cursor.state != ACTIVE or reported is None:
        return None
    what = "id_number" if reported.person is not None else "name"
    return "suspend", SYSTEM, {"suspended_for": REVERIFICATION, "reason": what}


def _overdue(cursor: Cursor) -> tuple[str, Actor, dict[str, Any]] | None:
    """What fell due during an unbinding is said when it is cancelled: asking and cancelling buys no time."""
    if not cursor.lines or cursor.lines[-1].event != "unbind_cancelled":
        return None
    for name, due in armed(cursor.case).items():
        deadline = DEADLINES_BY_NAME[name]
        if deadline.move is not None and due.at <= cursor.now:
            return deadline.move, CLOCK, deadline.facts
    return None
