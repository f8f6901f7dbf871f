"""An attempt at the camera: begun, failed, passed; and the window of its subject."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from msgspec.structs import replace

from workflows.case import Cursor, Window
from workflows.deadlines import due
from workflows.effects import applying
from workflows.facing import SPOOF, compared, face_purpose, face_subject, question, window_key

LAST_LOOK = timedelta(minutes=1)  # before an unbinding is given up: then the provider is asked a last time


def start_face(cursor: Cursor) -> None:
    """An attempt began at the provider; the first one opens the subject's window."""
    key, purpose = window_key(cursor), face_purpose(cursor)
    if key not in cursor.progress.windows:
        length = timedelta(hours=cursor.case.plan.face.window_hours)
        cursor.progress.windows = {**cursor.progress.windows, key: Window(cursor.now, cursor.now + length)}
    session = cursor.facts["session"]
    cursor.also("sessions", {
        **session, "subject": face_subject(cursor), "purpose": purpose, "started_at": cursor.now,
        "status": "pending", "uses_attempt": False, "poll_at": _first_poll(cursor, session["expires_at"]),
    })  # fmt: skip


def _first_poll(cursor: Cursor, expires_at: datetime | None) -> datetime | None:
    """When to ask a provider that does not call: at the session's end, or just before an unbinding is given up."""
    ends = due(cursor.case, "unbind_to_confirmed")
    if ends is None or expires_at is None:  # None: only a rehearsal
        return expires_at
    return min(expires_at, ends.at - LAST_LOOK)


def settle_session(cursor: Cursor, status: str) -> None:
    session: dict[str, Any] = dict(cursor.facts["session"])
    uses_attempt = bool(cursor.facts.get("uses_attempt"))
    reason = cursor.facts.get("reason")
    cursor.also(
        "sessions",
        {**session, "status": status, "reason": reason, "uses_attempt": uses_attempt,
         "finished_at": cursor.facts.get("finished_at"), "poll_at": None},
    )  # fmt: skip


def fail_face(cursor: Cursor) -> None:
    """An attempt failed; whether it counts, and when the next may begin, is as the provider says."""
    settle_session(cursor, cursor.facts.get("status", "failed"))
    since = question(cursor)[2]
    if cursor.facts.get("go_offline") and (since is None or cursor.facts["started_at"] >= since):
        applying.leave_camera(cursor, compared(cursor))
    key = window_key(cursor)
    window = cursor.progress.windows.get(key)
    if window is None:
        return
    later = cursor.facts.get("next_retry_at")
    fresh = replace(
        window,
        used=window.used + bool(cursor.facts.get("uses_attempt")),
        not_before=later.astimezone(UTC) if later else window.not_before,  # providers give Shanghai time
        suspected=window.suspected or cursor.facts.get("reason") == SPOOF,
    )
    cursor.progress.windows = {**cursor.progress.windows, key: fresh}


def pass_face(cursor: Cursor) -> None:
    """A face passed: the next subject's turn."""
    settle_session(cursor, "passed")
    applying.back_before_camera(cursor, compared(cursor))
    cursor.progress.passed = [*cursor.progress.passed, cursor.facts["subject"]]
    cursor.progress.offline = None
    applying.your_turn(cursor)


def extend_window(cursor: Cursor) -> None:
    """The provider was down: the window moves by the overlap."""
    subject = cursor.facts["subject"]
    window = cursor.progress.windows[subject]
    longer = replace(window, closes=window.closes + cursor.facts["by"])
    cursor.progress.windows = {**cursor.progress.windows, subject: longer}
