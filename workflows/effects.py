"""What a move changes in a case besides its state: how far it has come, and the rows that go with the step."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec

from models.ids import short_code
from policies.calendar import shanghai_day
from workflows import limits
from workflows.case import (
    REVERIFICATION,
    SUSPENDED,
    Correction,
    Cursor,
    Notice,
    Offline,
    Review,
    Unbinding,
    Window,
)
from workflows.changes import only_moved
from workflows.deadlines import due
from workflows.errors import Refused
from workflows.facing import face_purpose, face_subject, faces_open, too_young, window_key

Effect = Callable[[Cursor], None]


def hand_in(cursor: Cursor) -> None:
    """The materials are in: the registries are asked, also again after a correction."""
    progress = cursor.progress
    progress.registry_answered = progress.registry_by_hand = False
    progress.record_confirmed = False
    progress.correction = None
    progress.offline_since = None
    if progress.notice is not None:
        progress.notice = msgspec.structs.replace(progress.notice, renewed=list(cursor.case.added_since))
    # the write looks whether these are still there: a document may be taken back at the same moment
    cursor.also("handed_in", {"materials": [material["id"] for material in cursor.case.materials]})


def take_registry_answer(cursor: Cursor) -> None:
    """The registries said yes; a birth record is shown to the applicant before it counts."""
    cursor.progress.registry_answered = True
    cursor.progress.record = cursor.facts.get("record")
    your_turn(cursor)


def confirm_record(cursor: Cursor) -> None:
    """The applicant says that the record is his child's."""
    cursor.progress.record_confirmed = True
    your_turn(cursor)


def your_turn(cursor: Cursor) -> None:
    """Something is settled: the next one's time begins now, and a ticket of his own has all its days (0021).

    A child who has grown meanwhile is asked first.
    """
    cursor.progress.turn_since = cursor.now
    cursor.progress.offline_since = None
    look_at_age(cursor)


def look_at_age(cursor: Cursor) -> None:
    """A child who has reached the face age on the way gets the face step."""
    day = cursor.case.application.face_age_day
    if day is not None and shanghai_day(cursor.now) >= day and "member" not in cursor.case.plan.face.subjects:
        cursor.progress.grown = True


def start_face(cursor: Cursor) -> None:
    """An attempt began at the provider; the first one opens the subject's window."""
    key, purpose = window_key(cursor), face_purpose(cursor)
    if key not in cursor.progress.windows:
        length = timedelta(hours=cursor.case.plan.face.window_hours)
        cursor.progress.windows = {**cursor.progress.windows, key: Window(cursor.now, cursor.now + length)}
    session = cursor.facts["session"]
    cursor.also("sessions", {
        **session, "subject": face_subject(cursor), "purpose": purpose, "started_at": cursor.now,
        "status": "pending", "uses_attempt": False, "poll_at": session["expires_at"],
    })  # fmt: skip


def _settle_session(cursor: Cursor, status: str) -> None:
    session: dict[str, Any] = dict(cursor.facts["session"])
    uses_attempt = bool(cursor.facts.get("uses_attempt"))
    reason = cursor.facts.get("reason")
    cursor.also(
        "sessions",
        {**session, "status": status, "reason": reason, "uses_attempt": uses_attempt,
         "finished_at": cursor.facts.get("finished_at"), "poll_at": None},
    )  # fmt: skip


def fail_face(cursor: Cursor) -> None:
    """An attempt came to nothing; what it used up and when the next may begin is the provider's word."""
    _settle_session(cursor, cursor.facts.get("status", "failed"))
    key = window_key(cursor)
    window = cursor.progress.windows.get(key)
    if window is None:
        return
    used = window.used + bool(cursor.facts.get("uses_attempt"))
    later = cursor.facts.get("next_retry_at")
    not_before = later.astimezone(UTC) if later else window.not_before  # providers tell midnight in Shanghai
    fresh = Window(window.opened, window.closes, used, not_before)
    cursor.progress.windows = {**cursor.progress.windows, key: fresh}


def pass_face(cursor: Cursor) -> None:
    """A face passed: the next subject's turn."""
    _settle_session(cursor, "passed")
    cursor.progress.passed = [*cursor.progress.passed, cursor.facts["subject"]]
    cursor.progress.offline = None
    your_turn(cursor)


def verified_again(cursor: Cursor) -> None:
    """A re-verification is done, by camera or at the counter; what was reported of the member now stands."""
    take_change(cursor)
    if cursor.facts.get("session"):
        _settle_session(cursor, "passed")
    else:
        _seen_at_counter(cursor)
    progress = cursor.progress
    # a child for whom somebody else stood is still asked for its own face at the face age
    if "member" not in progress.passed and not too_young(cursor):
        progress.passed = [*progress.passed, "member"]
    progress.reverify_since = None
    progress.offline = None
    progress.windows = {key: window for key, window in progress.windows.items() if key != REVERIFICATION}
    if cursor.case.state == SUSPENDED:
        back_in_force(cursor)


def take_change(cursor: Cursor) -> None:
    """What was reported of the member stands from now on; with another number he is another person to the ledger."""
    if cursor.limit_met is not None:  # that person has a binding to this holder, or as many binders as he may have
        raise Refused(cursor.limit_met)
    progress, application = cursor.progress, cursor.case.application
    change = cursor.facts.get("change") or progress.reported
    if change is None:
        return
    progress.changed, progress.reported = change, None
    if "reported" in application.parties:
        parties = dict(application.parties)
        application.parties = {**parties, "member": parties.pop("reported")}
    if change.person is not None and change.person != application.member:
        cursor.also("rekeyed", {"member": change.person})
        if "change" not in cursor.facts:  # reported; of what a registry links it knows that the two are one child
            limits.count_binders(cursor, change.person)


def authorise(cursor: Cursor) -> None:
    """The holder confirms the authorisation after all faces have passed."""
    cursor.progress.authorised = True


def go_offline(cursor: Cursor) -> None:
    """To a counter, for the reason that was said: never a dead end, never a punishment."""
    open_ticket(cursor, cursor.facts.get("reason") or "other")


def open_ticket(cursor: Cursor, reason: str, note: str | None = None) -> None:
    """A ticket is opened at the member's agency; `note` is why, in the words of whoever sends it there by a repair."""
    progress = cursor.progress
    progress.offline_since = progress.offline_since or cursor.now
    progress.offline = Offline(reason, cursor.case.counter_agency, short_code(), progress.offline_since, note=note)


def back_online(cursor: Cursor) -> None:
    """Back to where the case was: an open window goes on, and so do the days of the counter, which end it all."""
    cursor.progress.offline = None
    if cursor.case.next_subject not in cursor.progress.windows:
        cursor.progress.turn_since = cursor.now


def decide_at_counter(cursor: Cursor) -> None:
    """The clerk's word stands for every face still open."""
    progress = cursor.progress
    your_turn(cursor)
    progress.counter_decided = True
    _seen_at_counter(cursor)
    progress.passed = [*progress.passed, *(who for who in cursor.case.subjects if who not in progress.passed)]
    progress.registry_by_hand = not progress.registry_answered
    progress.registry_answered = True
    progress.record_confirmed = True
    progress.offline = None


def _seen_at_counter(cursor: Cursor) -> None:
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
    """The review clock starts, or goes on after a correction with what is left of it."""
    before = cursor.progress.review
    days = cursor.case.plan.deadlines["review_to_decision"].working_days or 1
    left = max(1, before.days_left) if before else days
    due = cursor.case.calendar.working_day_due(cursor.now, left)
    cursor.progress.offline = None
    cursor.progress.review = Review(
        cursor.now, due.at, left, due.provisional, counted_from=cursor.now, counted_days=left
    )


def escalate(cursor: Cursor) -> None:
    """Overdue or asked for: a supervisor sees it, and it is due again the next working day."""
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
    """The agency says yes; a child who has grown during the review is asked for its face all the same."""
    cursor.progress.reviewed = True
    your_turn(cursor)


def return_for_correction(cursor: Cursor) -> None:
    """All faults in one notice; the review clock stops with the days used up to and including today."""
    review = cursor.progress.review
    assert review is not None  # noqa: S101  the state has it
    used = cursor.case.calendar.working_days_between(shanghai_day(review.entered), shanghai_day(cursor.now))
    cursor.progress.review = msgspec.structs.replace(review, days_left=review.days_left - used)
    facts = cursor.facts
    cursor.progress.correction = Correction(facts["reason"], list(facts["items"]), facts.get("note"))
    faults = [(item["kind"], item["reason"]) for item in facts["items"]]
    cursor.progress.notice = Notice(str(cursor.actor), faults, person=cursor.actor.person)


def take_reason(cursor: Cursor) -> None:
    """Keep why."""
    cursor.progress.reason = cursor.facts.get("reason") or cursor.limit_met


def end_application(cursor: Cursor) -> None:
    """An application ends without ever being in force."""
    take_reason(cursor)
    cursor.progress.offline = None
    cursor.progress.correction = None


def withdraw(cursor: Cursor) -> None:
    """Either party may step back; a member who did not apply himself refuses what others applied for."""
    end_application(cursor)
    by_member = cursor.actor.acting_for == cursor.case.application.member
    if by_member and cursor.case.application.initiator != "member":
        cursor.progress.reason = "refused_by_member"


def activate(cursor: Cursor) -> None:
    """In force from now."""
    cursor.progress.active_since = cursor.now
    cursor.progress.resting_since = cursor.now
    cursor.progress.offline = None


def ask_reverification(cursor: Cursor) -> None:
    """The child has reached the face age: its own face is asked within the grace, or a clerk's look."""
    cursor.progress.reverify_since = cursor.now
    _counter_beside(cursor)


def _counter_beside(cursor: Cursor, ticket: Offline | None = None) -> None:
    """A re-verification has a ticket from first to last: for whom no camera knows, and who wants none (0024)."""
    agency = cursor.case.plan.counter.agency
    cursor.progress.offline = ticket or Offline(REVERIFICATION, agency, short_code(), cursor.now)


def suspend(cursor: Cursor) -> None:
    """Not in force, not ended: for what was said, else for what such an actor suspends.

    An unbinding is dropped with it; whoever still wants the end asks again, as a suspended binding may be ended too.
    """
    forget_unbinding(cursor)
    by_kind = {"clock": REVERIFICATION, "system": "insurance", "supervisor": "decision"}
    why = cursor.facts.get("suspended_for") or by_kind.get(cursor.actor.kind, "decision")
    _rest(cursor, why, cursor.facts.get("reason"), cursor.now)


def _rest(cursor: Cursor, why: str, reason: str | None, since: datetime | None) -> None:
    progress = cursor.progress
    progress.suspended_for, progress.reason, progress.resting_since = why, reason, since
    ticket, progress.offline = progress.offline, None
    if why == REVERIFICATION:
        progress.reverify_since = None
        progress.passed = [who for who in progress.passed if who != "member"]
        _counter_beside(cursor, ticket)


def warn_of_end(cursor: Cursor) -> None:
    """Both sides are told once more that it is suspended, and by when it ends unless that is settled."""
    cursor.progress.warned_at = cursor.now


def report_change(cursor: Cursor) -> None:
    """Identity, region or relation changed: it rests until it is verified again or decided."""
    what, progress = cursor.facts["what"], cursor.progress
    if what == "death":
        end_binding(cursor)
        return
    why = REVERIFICATION if what in ("name", "id_number") else "decision"
    if what == "insurance_ended":
        why = "insurance"
    if progress.suspended_for not in (None, why):
        # what was suspended before stays in doubt: a face lifts no suspicion, nor does the registry an identity
        why = "decision"
    since = progress.resting_since if progress.suspended_for else cursor.now  # reporting again buys no time
    progress.reported = cursor.facts.get("change") or progress.reported
    progress.reported_at = cursor.now
    _rest(cursor, why, what, since)


def resume(cursor: Cursor) -> None:
    """What it was suspended for is settled; that the member has moved stands with a supervisor's word.

    Where besides it is said that he is called otherwise, this is what the agency had to decide, and his face is asked
    next (`binding.next_said`). Of what only a face was asked for, a supervisor who resumes lets nothing stand.
    """
    unseen = cursor.progress.reported if cursor.progress.suspended_for == "decision" else None
    if cursor.actor.kind == "supervisor" and only_moved(cursor.case):
        take_change(cursor)
        unseen = None
    back_in_force(cursor)
    cursor.progress.reported = unseen


def back_in_force(cursor: Cursor) -> None:
    """Whatever it was suspended for is settled; what was reported and nobody has verified is dropped."""
    cursor.progress.reported = None
    cursor.progress.suspended_for = None
    cursor.progress.reason = None
    cursor.progress.offline = None
    cursor.progress.resting_since = cursor.now
    if cursor.progress.reverify_since is not None:  # asked before it rested for something else, and still
        _counter_beside(cursor)


def ask_unbind(cursor: Cursor) -> None:
    """Somebody with the right to it asks for the end, and must show that it is he."""
    facts = cursor.facts
    if cursor.actor.kind == "counter":
        by, method = "counter", "counter_visit"  # the clerk knows whom he has before him; no camera is asked
    else:
        by, method = facts.get("initiator", "holder"), facts.get("method", "face")
    cursor.progress.unbinding = Unbinding(by, method, facts.get("reason"))


def forget_unbinding(cursor: Cursor) -> None:
    """It goes on as before."""
    cursor.progress.unbinding = None
    cursor.progress.windows = {key: window for key, window in cursor.progress.windows.items() if key != "unbinding"}


def end_binding(cursor: Cursor) -> None:
    """It is over, from now on and for good."""
    if cursor.facts.get("session"):
        _settle_session(cursor, "passed")
    unbinding = cursor.progress.unbinding
    said = cursor.facts.get("reason") if not cursor.facts.get("session") else None
    cursor.progress.reason = (
        said or cursor.facts.get("what")
        or (unbinding and (unbinding.reason or f"by_{unbinding.by}")) or None
    )  # fmt: skip
    cursor.progress.offline = None


def extend_window(cursor: Cursor) -> None:
    """The provider was down: the window moves by the overlap."""
    subject = cursor.facts["subject"]
    window = cursor.progress.windows[subject]
    longer = Window(window.opened, window.closes + cursor.facts["by"], window.used, window.not_before)
    cursor.progress.windows = {**cursor.progress.windows, subject: longer}


def hand_over(cursor: Cursor) -> None:
    """Another agency takes the ticket; the due time stays."""
    offline = cursor.progress.offline
    assert offline is not None  # noqa: S101  the state has it
    to = {name: cursor.facts.get(name) for name in ("agency", "agency_name", "address")}
    cursor.progress.offline = msgspec.structs.replace(offline, **to)
