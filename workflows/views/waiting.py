"""Whom a binding is waiting on, for what, until when, and what happens then: the same answer everywhere."""

from __future__ import annotations

from datetime import datetime
from typing import Any, NamedTuple

from policies.calendar import Due
from workflows.attending import second_awaited
from workflows.case import (
    ACTIVE,
    AGENCY_REVIEW,
    DECISION,
    FACE_CHECK,
    FINAL,
    INSURANCE,
    MATERIALS_UPLOADED,
    OFFLINE_FALLBACK,
    RETURNED,
    REVERIFICATION,
    SUBMITTED,
    SUSPENDED,
    UNBINDING,
    Case,
    Cursor,
)
from workflows.deadlines import ASK_AGAIN, DEADLINES_BY_NAME, confirming
from workflows.facing import faces_open

_SUSPENDED = {
    REVERIFICATION: ("member", "reverification"),
    DECISION: ("agency", "decision"),
    INSURANCE: ("registry", "insurance"),
}


class Waiting(NamedTuple):
    """Party, for what, and the deadline that ends the wait."""

    party: str
    what: str
    deadline: str


def waiting(case: Case, now: datetime) -> Waiting | None:
    """Whom a case waits on; None in `active` and the final states."""
    state, applicant = case.state, case.application.initiator
    if state in FINAL or state == ACTIVE:
        return None
    if state == MATERIALS_UPLOADED and not confirming(case):
        return Waiting("system", "registry_check", "materials_to_checked")
    if state == FACE_CHECK:
        return _at_the_face(case)
    if state == SUSPENDED:
        why = DECISION if second_awaited(case) else case.progress.suspended_for or DECISION
        return Waiting(*_SUSPENDED[why], "suspended_to_ended")
    if state == UNBINDING:
        unbinding = case.progress.unbinding
        by, method = (unbinding.by, unbinding.method) if unbinding else ("holder", "face")
        return Waiting(by, "face_check" if method == "face" else method, "unbind_to_confirmed")
    return {
        SUBMITTED: Waiting(applicant, "materials", "submitted_to_materials"),
        MATERIALS_UPLOADED: Waiting(applicant, "registry_confirmation", "record_to_confirmed"),
        OFFLINE_FALLBACK: Waiting(*_to_come(case, now), "offline_to_counter"),
        AGENCY_REVIEW: Waiting("agency", "review", "review_to_decision"),
        RETURNED: Waiting(applicant, "correction", "returned_to_corrected"),
    }[state]


def _to_come(case: Case, now: datetime) -> tuple[str, str]:
    """Who must come to the counter first; where no face is asked, the holder. Or the second clerk (0029)."""
    if second_awaited(case):
        return _SUSPENDED[DECISION]
    return next(iter(faces_open(Cursor(case, now))), "holder"), "counter_visit"


def _at_the_face(case: Case) -> Waiting:
    subject = case.next_subject
    if subject is None:
        return Waiting("holder", "authorisation", "passed_to_authorised")
    begun = subject in case.progress.windows
    return Waiting(subject, "face_check", "first_attempt_to_pass" if begun else "face_to_first_attempt")


def until(case: Case, name: str, now: datetime) -> Due:
    """When the wait ends; for the registries, when they are asked next."""
    due = DEADLINES_BY_NAME[name].due(case)
    if name != "materials_to_checked" or now < due.at:
        return due
    return Due(due.at + ((now - due.at) // ASK_AGAIN + 1) * ASK_AGAIN, provisional=False)


def waiting_on(case: Case, now: datetime) -> dict[str, Any] | None:
    """The `waiting_on` of the binding view (API.md)."""
    found = waiting(case, now)
    if found is None:
        return None
    due = until(case, found.deadline, now)
    then = DEADLINES_BY_NAME[found.deadline].then
    if found.deadline == "unbind_to_confirmed":
        then = SUSPENDED if case.progress.suspended_for else ACTIVE
    return {"party": found.party, "for": found.what, "since": case.since, "until": due.at, "then": then,
            "provisional": due.provisional}  # fmt: skip
