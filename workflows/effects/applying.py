"""On the way to a binding: papers, registries, the counter, the review, and how an application ends."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import msgspec

from models.ids import short_code
from policies.calendar import shanghai_day
from workflows.case import SUSPENDED, Correction, Cursor, FaultsTold, Objection, Offline, Review
from workflows.deadlines import due
from workflows.facing import faces_open, has_grown


def hand_in(cursor: Cursor) -> None:
    """The materials are in: the registries are asked, also again after a correction."""
    progress = cursor.progress
    progress.registry_answered = progress.registry_by_hand = False
    progress.record_confirmed = False
    progress.correction = None
    progress.offline_since = progress.offline_code = None
    renew(cursor)
    # the write checks that these are still there: a document may be taken back at the same moment
    cursor.also("handed_in", {"materials": [material["id"] for material in cursor.case.materials]})


def renew(cursor: Cursor) -> None:
    """Note of which kinds documents have come in since faults were last told, a clerk's scans too."""
    told = cursor.progress.faults_told
    if told is not None:
        came = sorted({*told.renewed, *cursor.case.added_since})
        cursor.progress.faults_told = msgspec.structs.replace(told, renewed=came)


def take_registry_answer(cursor: Cursor) -> None:
    """The registries said yes; if they found a birth record, the applicant must confirm it before it counts."""
    cursor.progress.registry_answered, cursor.progress.registry_at = True, cursor.now
    cursor.progress.objection = None
    cursor.progress.record = cursor.facts.get("record")
    your_turn(cursor)


def confirm_record(cursor: Cursor) -> None:
    """The applicant says that the record is his child's."""
    cursor.progress.record_confirmed = True
    your_turn(cursor)


def your_turn(cursor: Cursor) -> None:
    """Something is settled: the time of whoever is next begins now, and a new ticket for him has all its days (0021).

    A child who has reached the face age meanwhile is asked first.
    """
    cursor.progress.turn_since = cursor.now
    cursor.progress.offline_since = cursor.progress.offline_code = None
    if has_grown(cursor) and "member" not in cursor.case.plan.face.subjects:
        cursor.progress.grown = True


def authorise(cursor: Cursor) -> None:
    """The holder confirms the authorisation after all faces have passed."""
    cursor.progress.authorised = True
    your_turn(cursor)


def go_offline(cursor: Cursor) -> None:
    """To a counter, for the reason that was said: never a dead end, never a punishment."""
    open_ticket(cursor, cursor.facts.get("reason") or "other")
    if (subject := cursor.facts.get("beyond_camera")) is not None:
        leave_camera(cursor, subject)


def leave_camera(cursor: Cursor, who: str) -> None:
    """No attempt of this subject begins any more, until he has another name or number."""
    cursor.progress.beyond_camera = [*dict.fromkeys((*cursor.progress.beyond_camera, who))]


def back_before_camera(cursor: Cursor, *who: str) -> None:
    """These may try again: they have passed after all, are called otherwise now, or an operator says so."""
    cursor.progress.beyond_camera = [one for one in cursor.progress.beyond_camera if one not in who]


def object_to(cursor: Cursor) -> None:
    """The registries say no: a clerk at a counter looks into it, and an earlier approval no longer counts (0026)."""
    before = cursor.progress.objection
    cursor.progress.objection = Objection(cursor.facts["reason"], before.vouched if before else [])
    cursor.progress.reviewed = False
    if cursor.case.taken_at_counter:
        go_offline(cursor)
    else:
        end_application(cursor)


def open_ticket(cursor: Cursor, reason: str, note: str | None = None) -> None:
    """Open a ticket at the member's agency; `note` is why, in the words of who sends it there by a repair."""
    progress = cursor.progress
    progress.counter_decided = False  # what a clerk decided at an earlier ticket does not count for this one
    progress.offline_since = progress.offline_since or cursor.now
    code = progress.offline_code or short_code()
    progress.offline = Offline(reason, cursor.case.counter_agency, code, progress.offline_since, note=note)


def back_online(cursor: Cursor) -> None:
    """Back to the camera: an open window goes on, and so do the ticket's days, at whose end the case expires."""
    cursor.progress.offline_code = cursor.progress.offline.code if cursor.progress.offline else None
    cursor.progress.offline = None
    if cursor.case.next_subject not in cursor.progress.windows:
        cursor.progress.turn_since = cursor.now


def decide_at_counter(cursor: Cursor) -> None:
    """The clerk's word settles every face still open, and the authorisation of a holder who applied before him."""
    progress = cursor.progress
    your_turn(cursor)
    renew(cursor)
    progress.counter_decided = True
    seen_at_counter(cursor)
    if cursor.case.taken_at_counter and "holder" in progress.present:
        progress.authorised = True  # he said so at the window: he may have no app to say it in
    progress.passed = [*progress.passed, *(who for who in cursor.case.subjects if who not in progress.passed)]
    if not progress.registry_answered:
        progress.registry_by_hand, progress.registry_at = True, cursor.now
        if (said := progress.objection) is not None:
            progress.objection = Objection(said.reason, [*said.vouched, (cursor.actor.id, cursor.actor.person)])
    progress.registry_answered = True
    progress.record_confirmed = True
    progress.offline = None


def vouch(cursor: Cursor) -> None:
    """One clerk has seen a guardian alone: nothing is decided until another has too (0029)."""
    offline = cursor.progress.offline
    assert offline is not None  # noqa: S101  whether a second is needed has been asked
    cursor.progress.offline = msgspec.structs.replace(offline, vouched=[(cursor.actor.id, cursor.actor.person)])
    cursor.facts = {**cursor.facts, "reason": "second_clerk_required"}


def seen_at_counter(cursor: Cursor) -> None:
    cursor.progress.checked_how = cursor.facts.get("method")
    named = cursor.facts.get("subjects")
    cursor.progress.present = faces_open(cursor) if named is None else list(dict.fromkeys(named))


def refuse_at_counter(cursor: Cursor) -> None:
    """The clerk refuses; a suspended binding keeps its ticket (0024)."""
    if cursor.case.state != SUSPENDED:
        cursor.progress.counter_decided = True
        cursor.progress.offline = None
    take_reason(cursor)


def begin_review(cursor: Cursor) -> None:
    """The review clock starts, or after a correction goes on with the days that are left."""
    before = cursor.progress.review
    days = cursor.case.plan.deadlines["review_to_decision"].working_days or 1
    left = max(1, before.days_left) if before else days
    due = cursor.case.calendar.working_day_due(cursor.now, left)
    cursor.progress.offline = None
    cursor.progress.review = Review(
        cursor.now, due.at, left, due.provisional, counted_from=cursor.now, counted_days=left
    )


def escalate(cursor: Cursor) -> None:
    """The review is overdue, or the reviewer asks: a supervisor sees it, and it is due again the next working day."""
    review = cursor.progress.review
    assert review is not None  # noqa: S101  the state has it
    told: dict[str, Any] = {"escalations": review.escalations + 1}
    if cursor.actor.kind == "clock":
        # it fell due at 24:00, when the next day has just begun: if that is a working day, it is the next one
        since = cursor.now - timedelta(days=1)
        ends, again = due(cursor.case, "review_to_decision"), cursor.case.calendar.working_day_due(since, 1)
        told |= {"due": again.at, "provisional": again.provisional, "counted_from": since, "counted_days": 1,
                 "missed": review.missed or min(ends.at if ends else cursor.now, cursor.now)}  # fmt: skip
    cursor.progress.review = msgspec.structs.replace(review, **told)


def approve(cursor: Cursor) -> None:
    """The agency says yes; a child who reached the face age during the review is asked for its face all the same."""
    cursor.progress.reviewed = True
    your_turn(cursor)


def return_for_correction(cursor: Cursor) -> None:
    """Tell all faults at once; the review clock stops, and today counts as used."""
    review = cursor.progress.review
    assert review is not None  # noqa: S101  the state has it
    used = cursor.case.calendar.working_days_between(shanghai_day(review.entered), shanghai_day(cursor.now))
    cursor.progress.review = msgspec.structs.replace(review, days_left=review.days_left - used)
    facts = cursor.facts
    cursor.progress.correction = Correction(facts["reason"], list(facts["items"]), facts.get("note"))
    faults = [(item["kind"], item["reason"]) for item in facts["items"]]
    cursor.progress.faults_told = FaultsTold(str(cursor.actor), faults, person=cursor.actor.person)


def take_reason(cursor: Cursor) -> None:
    """Keep why."""
    cursor.progress.reason = cursor.facts.get("reason") or cursor.limit_met


def end_application(cursor: Cursor) -> None:
    """An application ends without ever being in force."""
    take_reason(cursor)
    cursor.progress.offline = None
    cursor.progress.correction = None


def withdraw(cursor: Cursor) -> None:
    """Either party steps back; from a member who did not apply himself it counts as a refusal."""
    end_application(cursor)
    by_member = cursor.actor.acting_for == cursor.case.application.member
    if by_member and cursor.case.application.initiator != "member":
        cursor.progress.reason = "refused_by_member"


def hand_over(cursor: Cursor) -> None:
    """Another agency takes the ticket; the due time stays."""
    offline = cursor.progress.offline
    assert offline is not None  # noqa: S101  the state has it
    to = {name: cursor.facts.get(name) for name in ("agency", "agency_name", "address")}
    cursor.progress.offline = msgspec.structs.replace(offline, **to)
