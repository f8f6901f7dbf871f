"""A binding that is in force, rests, or is being ended; and whom its member is said to be now."""

from __future__ import annotations

from datetime import datetime

from models.ids import short_code
from workflows import limits
from workflows.case import DECISION, INSURANCE, REVERIFICATION, SUSPENDED, Cursor, Offline, Unbinding
from workflows.changes import only_moved
from workflows.effects import applying, faces
from workflows.errors import Refused
from workflows.facing import too_young


def verified_again(cursor: Cursor) -> None:
    """A re-verification is done, by camera or at the counter; what was reported of the member now stands."""
    take_change(cursor)
    if cursor.facts.get("session"):
        faces.settle_session(cursor, "passed")
    else:
        applying.seen_at_counter(cursor)
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
    by_kind = {"clock": REVERIFICATION, "system": INSURANCE}
    why = cursor.facts.get("suspended_for") or by_kind.get(cursor.actor.kind, DECISION)
    _rest(cursor, why, cursor.facts.get("reason"), cursor.now)


def _rest(cursor: Cursor, why: str, reason: str | None, since: datetime | None) -> None:
    progress = cursor.progress
    progress.suspended_for, progress.reason, progress.resting_since = why, reason, since
    ticket, progress.offline = progress.offline, None
    if why == REVERIFICATION:
        progress.reverify_since = None
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
    why = DECISION
    if what in ("name", "id_number"):
        why = REVERIFICATION
        progress.beyond_camera = [who for who in progress.beyond_camera if who != "member"]
    if what == "insurance_ended":
        why = INSURANCE
    if progress.suspended_for not in (None, why):
        # what was suspended before stays in doubt: a face lifts no suspicion, nor does the registry an identity
        why = DECISION
    since = progress.resting_since if progress.suspended_for else cursor.now  # reporting again buys no time
    progress.reported = cursor.facts.get("change") or progress.reported
    progress.reported_at = cursor.now
    suspected = progress.suspended_for == DECISION  # why the agency is to decide stays to be read
    _rest(cursor, why, progress.reason if suspected else what, since)


def resume(cursor: Cursor) -> None:
    """What it was suspended for is settled; that the member has moved stands with a supervisor's word.

    Where besides it is said that he is called otherwise, this is what the agency had to decide, and his face is asked
    next (`binding.next_said`). Of what only a face was asked for, a supervisor who resumes lets nothing stand.
    """
    unseen = cursor.progress.reported if cursor.progress.suspended_for == DECISION else None
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
    if cursor.progress.reverify_since is not None:  # asked before it rested for something else, and still
        # nobody could show his face meanwhile: the days of the grace stood still
        cursor.progress.reverify_since += cursor.now - (cursor.progress.resting_since or cursor.now)
        _counter_beside(cursor)
    cursor.progress.resting_since = cursor.now


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
        faces.settle_session(cursor, "passed")
    unbinding = cursor.progress.unbinding
    said = cursor.facts.get("reason") if not cursor.facts.get("session") else None
    cursor.progress.reason = (
        said or cursor.facts.get("what")
        or (unbinding and (unbinding.reason or f"by_{unbinding.by}")) or None
    )  # fmt: skip
    cursor.progress.offline = None
