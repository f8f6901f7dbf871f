"""Whose face is asked, whether an attempt may begin, a pass counts, or the camera can do no more."""

from __future__ import annotations

from datetime import date, datetime, timedelta

from policies.ages import age_group
from policies.calendar import shanghai_day
from workflows.case import ACTIVE, CAME_INTO_FORCE, FACE_CHECK, REVERIFICATION, SUSPENDED, UNBINDING, Cursor, Window
from workflows.deadlines import reverification_asked
from workflows.errors import Refused, out_of_turn

SPOOF = "face_spoof_suspected"


def face_asked(cursor: Cursor) -> bool:
    """Whether a face is asked of somebody now."""
    return _purpose(cursor) is not None


def face_purpose(cursor: Cursor) -> str:
    """What a face would be checked for now: binding, reverification or unbinding.

    Raises `Refused` where no face is asked.
    """
    purpose = _purpose(cursor)
    if purpose is None:
        raise out_of_turn()
    return purpose


def _purpose(cursor: Cursor) -> str | None:
    if cursor.state in CAME_INTO_FORCE:
        return _beside(cursor)
    return "binding" if cursor.case.next_subject is not None else None


def _beside(cursor: Cursor) -> str | None:
    """For what a face is asked while the binding is in force, suspended or being ended."""
    unbinding = cursor.progress.unbinding
    if cursor.state == UNBINDING and unbinding is not None and unbinding.method == "face":
        return UNBINDING
    return REVERIFICATION if reverification_asked(cursor.case) else None


def face_subject(cursor: Cursor) -> str:
    """Whose face is asked now."""
    purpose = face_purpose(cursor)
    if purpose == "binding":
        return cursor.case.next_subject or ""
    if purpose == UNBINDING and cursor.progress.unbinding is not None:
        return "member" if cursor.progress.unbinding.by == "member" else "holder"
    return "holder" if too_young(cursor) else "member"  # a child's face is never asked, but its guardian's (F15)


def compared(cursor: Cursor) -> str:
    """Who is compared now, in the words of `beyond_camera`: the member as last reported is not who he was (F136)."""
    subject = face_subject(cursor)
    anew = subject == "member" and face_purpose(cursor) == REVERIFICATION and cursor.progress.reported is not None
    return "reported" if anew else subject


def faces_open(cursor: Cursor) -> list[str]:
    """Whose faces are not settled yet, in order, and so who must stand before a clerk; also a child grown meanwhile."""
    if cursor.state in (ACTIVE, SUSPENDED):
        return [face_subject(cursor)] if reverification_asked(cursor.case) else []
    subjects = dict.fromkeys((*cursor.case.subjects, *(["member"] if has_grown(cursor) else [])))
    return [who for who in subjects if who not in cursor.progress.passed]


def has_grown(cursor: Cursor) -> bool:
    """Whether a child whose face was not asked at the application has reached the face age since."""
    day = cursor.case.application.face_age_day
    return day is not None and shanghai_day(cursor.now) >= day


def too_young(cursor: Cursor) -> bool:
    """Whether the member has not reached the face age of the plan."""
    application, today = cursor.case.application, shanghai_day(cursor.now)
    if application.face_age_day is not None:
        return today < application.face_age_day
    # no day is kept where the product never asks a child for its face
    born = application.parties["member"].get("birth_date")
    return born is not None and age_group(cursor.case.plan.age, date.fromisoformat(born), today) == "minor"


def window_key(cursor: Cursor) -> str:
    """Under which key the attempts of the face asked now are counted."""
    purpose = face_purpose(cursor)
    return face_subject(cursor) if purpose == "binding" else purpose


def readable(cursor: Cursor, subject: str) -> bool:
    """Whether a provider can compare the face on this subject's document."""
    id_type = cursor.case.application.parties[subject]["id_type"]
    return id_type in cursor.case.plan.face.document_types


def may_start_face(cursor: Cursor) -> None:
    """The window is open or not yet begun, attempts are left, and the provider's own limit is over."""
    if face_purpose(cursor) != "binding" and not readable(cursor, face_subject(cursor)):
        raise out_of_turn()  # he goes to the counter; an application is sent there by the system itself
    if compared(cursor) in cursor.progress.beyond_camera:
        raise out_of_turn()
    if (until := rests_until(cursor)) is not None:
        raise Refused("face_rate_limited", next_retry_at=until)
    window = cursor.progress.windows.get(window_key(cursor))
    over = window is not None and (cursor.now >= window.closes or _spent(cursor, window))
    if over and face_purpose(cursor) == "binding":
        raise out_of_turn()


def rests_until(cursor: Cursor) -> datetime | None:
    """Until when the provider's own limit forbids the person whose turn it is a new attempt; None if it does not."""
    window, refused = cursor.progress.windows.get(window_key(cursor)), cursor.case.rests.get(face_subject(cursor))
    ends = [at for at in (window.not_before if window else None, refused) if at is not None and cursor.now < at]
    return max(ends, default=None)


def _spent(cursor: Cursor, window: Window) -> bool:
    """The pack's attempts are used up, or a picture was shown to the camera and the pack wants a person to look."""
    most = cursor.case.plan.face.max_attempts
    return (most is not None and window.used >= most) or _to_be_looked_at(cursor, window)


def _to_be_looked_at(cursor: Cursor, window: Window) -> bool:
    return window.suspected and cursor.case.plan.face.spoof == "counter"


def right_subject(cursor: Cursor) -> None:
    """The face asked for is the one whose turn it is."""
    subject = cursor.facts.get("subject")
    if subject is not None and subject != face_subject(cursor):
        raise Refused("face_subject_not_next", 409, "/subject", subject=face_subject(cursor))


def question(cursor: Cursor) -> tuple[str, str, datetime | None]:
    """What a face is asked for now: purpose, subject, and since when, if the same may have been asked before.

    Raises `Refused` where no face is asked.
    """
    return face_purpose(cursor), face_subject(cursor), _asked_since(cursor)


def _asked_since(cursor: Cursor) -> datetime | None:
    if cursor.state == UNBINDING:
        return cursor.case.since
    return cursor.progress.reported_at if cursor.state in (ACTIVE, SUSPENDED) else None


def same_question(cursor: Cursor) -> None:
    """Nothing was reported while the provider was being asked, so it compares with what is still true."""
    told = cursor.facts.get("question")
    if told is not None and told != question(cursor):
        raise Refused("busy")


def as_begun(cursor: Cursor) -> None:
    """A failure counts only for the question its session was begun for; else it is noted on the session alone."""
    if (cursor.facts["purpose"], cursor.facts["subject"]) != question(cursor)[:2]:
        raise out_of_turn()


def pass_counts(cursor: Cursor) -> None:
    """A pass counts by the provider's finish time: inside the window, or inside its grace if it began in the window.

    A re-verification or an unbinding has no window; there it counts only for what was asked when the session began: a
    face shown for one report was not shown for what has been reported since (F136).
    """
    subject = cursor.facts["subject"]
    if cursor.state in CAME_INTO_FORCE:
        *asked, since = question(cursor)
        too_early = since is not None and cursor.facts["started_at"] < since
        if [cursor.facts["purpose"], subject] != asked or too_early:
            raise out_of_turn()
        return
    window = cursor.progress.windows.get(subject)
    late = cursor.case.plan.face.grace_minutes
    if (
        cursor.facts["purpose"] != "binding"
        or subject != cursor.case.next_subject
        or window is None
        or _to_be_looked_at(cursor, window)
        or cursor.facts["started_at"] >= window.closes
        or cursor.facts["finished_at"] > window.closes + timedelta(minutes=late)
    ):
        raise out_of_turn()


def cannot_read(cursor: Cursor) -> bool:
    """Whether no camera can compare the document of whoever is next: only a counter is left."""
    subject = cursor.case.next_subject
    return cursor.state == FACE_CHECK and subject is not None and not readable(cursor, subject)


def beyond_camera(cursor: Cursor) -> bool:
    """Whether the provider has said before that no retry helps the next one in turn."""
    return cursor.state == FACE_CHECK and cursor.case.next_subject in cursor.progress.beyond_camera


def gave_up(cursor: Cursor) -> bool:
    """Whether the camera is done with: no retry helps, the attempts are used up, or a person must look at a spoof."""
    subject = cursor.case.next_subject
    if cursor.state != FACE_CHECK or subject is None or not cursor.lines:
        return False
    window = cursor.progress.windows.get(subject)
    spent = window is not None and _spent(cursor, window)
    failed = cursor.lines[-1].event == "face_check_failed"
    return failed and (spent or bool(cursor.facts.get("go_offline")))
