"""A binding that is in force, rests, or is being ended; and whom its member is said to be now."""

from __future__ import annotations

from datetime import datetime

from msgspec.structs import replace

from models.ids import short_code
from workflows import limits
from workflows.case import DECISION, INSURANCE, REVERIFICATION, SUSPENDED, Cursor, Offline, Unbinding
from workflows.changes import only_moved
from workflows.effects import applying, faces
from workflows.errors import Refused
from workflows.facing import compared, too_young


def verified_again(cursor: Cursor) -> None:
    """A re-verification is done, by camera or at the counter; what was reported of the member now stands."""
    if cursor.facts.get("session"):
        applying.back_before_camera(cursor, compared(cursor))
        faces.settle_session(cursor, "passed")
    else:
        applying.seen_at_counter(cursor)
    take_change(cursor)
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
    """What was reported of the member stands from now on; with a new number he is a new person to the ledger."""
    if cursor.limit_met is not None:  # who has the new number is bound to this holder already, or to too many
        raise Refused(cursor.limit_met)
    progress, application = cursor.progress, cursor.case.application
    change = cursor.facts.get("change") or progress.reported
    if change is None:
        return
    progress.changed, progress.reported = change, None
    applying.back_before_camera(cursor, "member", "reported")
    if "reported" in application.parties:
        parties = dict(application.parties)
        application.parties = {**parties, "member": parties.pop("reported")}
    if change.person is not None and change.person != application.member:
        cursor.also("rekeyed", {"member": change.person})
        # a family reported it; a registry that gives a newborn its number knows the child
        if "change" not in cursor.facts:
            limits.count_binders(cursor, change.person)


def activate(cursor: Cursor) -> None:
    """In force from now."""
    cursor.progress.active_since = cursor.now
    cursor.progress.resting_since = cursor.now
    cursor.progress.offline = None


def ask_reverification(cursor: Cursor) -> None:
    """The child has reached the face age: within the grace it must show its face, or come to a clerk."""
    cursor.progress.reverify_since = cursor.now
    _counter_beside(cursor)


def _counter_beside(cursor: Cursor, ticket: Offline | None = None) -> None:
    """A re-verification has a ticket throughout, for those whom a camera cannot check or who want none (0024)."""
    agency = cursor.case.plan.counter.agency
    cursor.progress.offline = ticket or Offline(REVERIFICATION, agency, short_code(), cursor.now)


def suspend(cursor: Cursor) -> None:
    """Not in force, not ended: for the reason that was said, else for the one that such an actor always has.

    An unbinding under way is dropped; who still wants it asks again, as a suspended binding may be ended too.
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
    """Tell both sides again that it is suspended, and when it will end if nothing is done."""
    cursor.progress.warned_at = cursor.now


def report_change(cursor: Cursor) -> None:
    """Identity, region or relation changed: suspended until the member is verified again or the agency decides.

    Of a name or number that nobody has told, no face says what it is: the agency asks.
    """
    what, progress = cursor.facts["what"], cursor.progress
    if what == "death":
        end_binding(cursor)
        return
    why = DECISION
    if what in ("name", "id_number") and "change" in cursor.facts:
        why = REVERIFICATION
        applying.back_before_camera(cursor, "reported")
    if what == "insurance_ended":
        why = INSURANCE
    if progress.suspended_for not in (None, why):
        # suspended for two causes, the agency decides: a face settles no suspicion, and a registry no identity
        why = DECISION
    since = progress.resting_since if progress.suspended_for else cursor.now  # reporting again buys no time
    progress.reported = cursor.facts.get("change") or progress.reported
    progress.reported_at = cursor.now
    if progress.offline is not None:  # what a clerk has vouched for was said of the member as he was
        progress.offline = replace(progress.offline, vouched=[])
    suspected = progress.suspended_for == DECISION  # the agency must still read why it has to decide
    _rest(cursor, why, progress.reason if suspected else what, since)


def resume(cursor: Cursor) -> None:
    """End the suspension. A supervisor's word makes a reported move of region stand.

    If a new name or number was reported too, the member's face is asked next (`following.next_said`). If only a face
    was asked for, what was reported is dropped.
    """
    unseen = cursor.progress.reported if cursor.progress.suspended_for == DECISION else None
    if cursor.actor.kind == "supervisor" and only_moved(cursor.case):
        take_change(cursor)
        unseen = None
    back_in_force(cursor)
    cursor.progress.reported = unseen


def back_in_force(cursor: Cursor) -> None:
    """The suspension is over; what was reported and not verified is dropped."""
    cursor.progress.reported = None
    cursor.progress.suspended_for = None
    cursor.progress.reason = None
    cursor.progress.offline = None
    if cursor.progress.reverify_since is not None:  # a face was asked before this suspension, and still is
        # the suspension does not count: meanwhile nobody could show his face
        cursor.progress.reverify_since += cursor.now - (cursor.progress.resting_since or cursor.now)
        _counter_beside(cursor)
    cursor.progress.resting_since = cursor.now


def ask_unbind(cursor: Cursor) -> None:
    """Who may end the binding asks for it, and must prove who he is."""
    facts = cursor.facts
    if cursor.actor.kind == "counter":
        by, method = "counter", "counter_visit"  # the clerk sees who it is; no camera is needed
    else:
        by, method = facts.get("initiator", "holder"), facts.get("method", "face")
    cursor.progress.unbinding = Unbinding(by, method, facts.get("reason"))


def forget_unbinding(cursor: Cursor) -> None:
    """Drop the unbinding: the binding goes on as before."""
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
