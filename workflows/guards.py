"""What must hold before a move is made.

A *condition* answers yes or no and picks between the states a move may lead to. A *guard* refuses by name and is
asked too when the actions of the moment are listed; a *check* refuses what was sent along and is not.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import date, datetime, timedelta

from policies.ages import age_on
from policies.calendar import next_midnight, shanghai_day
from policies.eligibility import REGISTRY_REASONS
from policies.planning import ADULT_AT_LAW
from workflows.case import INSURANCE, Case, Cursor, FaultsTold, has_vouched
from workflows.deadlines import DEADLINES_BY_NAME, confirming, due
from workflows.errors import Malformed, Refused, out_of_turn
from workflows.facing import may_start_face, readable, too_young

Guard = Callable[[Cursor], None]
Condition = Callable[[Cursor], bool]
SUSPECTED = "suspected_fraud"
MOST_WRONG = 5  # payment passwords of a person on one Shanghai day


# -- conditions ------------------------------------------------------------------------------------------------


def at_the_face(cursor: Cursor) -> bool:
    """The plan next asks a face, or the authorisation after the faces."""
    return cursor.case.open_step in ("face_check", "authorisation")


def record_to_confirm(cursor: Cursor) -> bool:
    """The birth registry's record awaits the applicant's word."""
    return confirming(cursor.case) and not cursor.progress.record_confirmed


def has_face_step(cursor: Cursor) -> bool:
    """The plan has a face step still open."""
    return cursor.case.open_step == "face_check"


def taken_at_counter(cursor: Cursor) -> bool:
    """A clerk has taken the application."""
    return cursor.case.taken_at_counter


def was_suspended(cursor: Cursor) -> bool:
    """The unbinding came from `suspended`, and goes back there."""
    return cursor.progress.suspended_for is not None


def died(cursor: Cursor) -> bool:
    """The change reported is a death."""
    return cursor.facts.get("what") == "death"


def in_force(cursor: Cursor) -> bool:
    """The unbinding came from `active`."""
    return cursor.case.in_force


# -- guards ----------------------------------------------------------------------------------------------------


def materials_complete(cursor: Cursor) -> None:
    """Every group of the plan is met."""
    if missing := cursor.case.missing:
        raise Refused("material_incomplete", missing=missing)


def corrected(cursor: Cursor) -> None:
    """Each paper that the return names has been added again, or another that the plan takes in its place.

    A fault that only a registry can mend (a name, an insurance) needs no paper: handing in asks the registries again.
    """
    correction = cursor.progress.correction
    left = [item for item in correction.items if not _mended(cursor.case, item)] if correction else []
    if left:
        raise Refused("material_incomplete", uncorrected=left)


def _mended(case: Case, item: dict[str, str]) -> bool:
    if item["reason"] in REGISTRY_REASONS:
        return True
    kind, added = item["kind"], set(case.added_since)
    if kind == "other":  # only the note says which paper is meant
        return bool(added)
    return kind in added or any(_does_without(case, group.any_of, kind) for group in case.plan.materials)


def _does_without(case: Case, any_of: Sequence[Sequence[str]], kind: str) -> bool:
    """Whether a group that takes this kind is now met without it, by something newly added."""
    there, added = {material["kind"] for material in case.materials}, set(case.added_since)
    asked = any(kind in some for some in any_of)
    return asked and any(kind not in some and there.issuperset(some) and added & set(some) for some in any_of)


def faults_told_at_once(cursor: Cursor) -> None:
    """A return must name all faults at once: what could have been seen at the last one needs a supervisor's word.

    A fault could have been seen if no new document of its kind has come in since; what was named then does not count.
    """
    told = cursor.progress.faults_told
    if told is None:
        return
    late = [item for item in cursor.facts["items"] if _overlooked(told, item)]
    if late:
        raise Refused("supervisor_required", overlooked=late)


def _overlooked(told: FaultsTold, item: dict[str, str]) -> bool:
    # of other papers only the note says which is meant: whatever came in may be it
    came_in = bool(told.renewed) if item["kind"] == "other" else item["kind"] in told.renewed
    return not came_in and (item["kind"], item["reason"]) not in told.faults


def agency_serves(cursor: Cursor) -> None:
    """A ticket goes to another agency, and only where a clerk finds it: the caller has looked (`agencies.serves`)."""
    if cursor.facts.get("agency") == cursor.case.counter_agency:
        raise Refused("agency_unchanged", 409, "/agency")
    if not cursor.facts.get("served"):
        raise Refused("agency_unserved")


def second_look(cursor: Cursor) -> None:
    """A supervisor returns only what was returned before; not what he returned himself as a reviewer, under any key."""
    told, actor = cursor.progress.faults_told, cursor.actor
    if told is None:
        raise out_of_turn()
    same = told.by == f"reviewer:{actor.id}" or (actor.person is not None and told.person == actor.person)
    if same and told.by.startswith("reviewer:"):  # what he returned as a supervisor had had its second look
        raise Refused("supervisor_required")


def registry_settled(cursor: Cursor) -> None:
    """The registries have said yes, or the clerk says that he has checked; if they said no, he must say why."""
    objection, facts = cursor.progress.objection, cursor.facts
    if cursor.progress.registry_answered:
        return
    if not facts.get("registry_checked"):
        raise Refused("registry_unanswered") if objection is None else Refused("registry_objects")
    if objection is not None and not facts.get("note"):
        raise Malformed([{"pointer": "/note", "code": "required"}])


def may_resume(cursor: Cursor) -> None:
    """Back online: the ticket must still run, and the registries still be asked or the window not be over.

    No face lifts a suspicion.
    """
    progress, case = cursor.progress, cursor.case
    suspected = progress.offline is not None and progress.offline.reason == SUSPECTED
    if progress.counter_decided or case.taken_at_counter or suspected:
        raise out_of_turn()
    if cursor.now >= DEADLINES_BY_NAME["offline_to_counter"].due(case).at:  # the sweep has just not come by yet
        raise out_of_turn()
    if registries_open(cursor):
        return
    subject = case.next_subject
    if subject is None or not readable(cursor, subject):
        raise out_of_turn()
    window = progress.windows.get(subject)
    if window is not None and cursor.now >= window.closes:
        raise out_of_turn()
    may_start_face(cursor)


def registries_open(cursor: Cursor) -> bool:
    """The registries have not answered, or the applicant has not confirmed the record."""
    return not cursor.progress.registry_answered or record_to_confirm(cursor)


def asked_by_caller(cursor: Cursor) -> None:
    """Only who asked for an unbinding may take it back: nobody cancels the other party's wish."""
    unbinding = cursor.progress.unbinding
    if cursor.actor.kind == "channel" and unbinding is not None and not speaks_for(cursor, unbinding.by):
        raise out_of_turn()


def lease_held(cursor: Cursor) -> None:
    """A reviewer decides only the case that he holds."""
    if cursor.actor.kind != "reviewer":
        return
    lease = cursor.case.lease
    if lease is None or lease.holder(cursor.now) != cursor.actor.id:
        raise Refused("lease_required")


def not_own_case(cursor: Cursor) -> None:
    """Nobody decides a case in which he is a party."""
    if cursor.case.is_party(cursor.actor.person):
        raise Refused("own_case")


def not_own_word(cursor: Cursor) -> None:
    """Who has vouched, at the counter, for what a registry refuses may not also approve it."""
    if cursor.actor.kind == "reviewer" and has_vouched(cursor.progress.objection, cursor.actor):
        raise Refused("own_verification")


def is_due(cursor: Cursor) -> None:
    """The clock speaks only for a deadline that is armed and due: if something else came first, there is no step."""
    if cursor.actor.kind != "clock":
        return
    ends = due(cursor.case, cursor.facts["deadline"])
    early = cursor.facts.get("early", False)  # an operator's repair, with a supervisor's word
    if ends is None or (cursor.now < ends.at and not early):
        raise Refused("deadline_gone")


def reason_listed(name: str) -> Guard:
    """The reason is one of the list that the plan gives for this decision."""

    def check(cursor: Cursor) -> None:
        case = cursor.case
        listed = case.refuse_reasons if name == "refuse_reasons" else getattr(case.plan.review, name)
        if cursor.facts.get("reason") not in listed:
            raise Refused("reason_not_listed", 422, "/reason", reasons=list(listed))
        for place, item in enumerate(cursor.facts.get("items", ())):
            if item["reason"] not in listed:
                raise Refused("reason_not_listed", 422, f"/items/{place}/reason", reasons=list(listed))

    return check


def old_enough(cursor: Cursor) -> None:
    """Some packs let nobody end a binding in its first days; a counter may at any time.

    Where a pack names no days nothing is compared, so that a clock that was set back makes no binding too young.
    """
    since, days = cursor.progress.active_since, cursor.case.plan.unbind.min_age_days
    if days and cursor.actor.kind == "channel" and since is not None and cursor.now < since + timedelta(days=days):
        raise Refused("unbind_too_early", not_before=since + timedelta(days=days))


def may_unbind(cursor: Cursor) -> None:
    """A channel speaks for one whom the plan lets unbind, and he proves who he is by a method of the plan."""
    if cursor.actor.kind != "channel":
        return
    plan, by = cursor.case.plan.unbind, cursor.facts.get("initiator", "holder")
    right = by in plan.initiators and speaks_for(cursor, by) and (by != "guardian" or guarded(cursor))
    if not right:
        raise Refused("initiator_not_allowed", 422, "/initiator")
    method, who = cursor.facts.get("method"), "member" if by == "member" else "holder"
    no_child = who == "holder" or not too_young(cursor)  # a child's face is never asked (F15)
    seen = no_child and readable(cursor, who) and who not in cursor.progress.beyond_camera
    blind = method == "face" and not seen
    if method not in plan.authentication or blind:
        raise Refused("method_not_allowed", 422, "/method")


def only_a_death(cursor: Cursor) -> None:
    """During an unbinding only a death may be reported: any other change would drop what somebody has asked for."""
    if not died(cursor):
        raise Refused("action_not_available", 409, "/what", allowed=["death"])


def confirms_without_face(cursor: Cursor) -> None:
    """Who asked for the end confirms it: in a channel by payment password, at the counter before the clerk."""
    unbinding = cursor.progress.unbinding
    assert unbinding is not None  # noqa: S101  the state has it
    at_counter = cursor.actor.kind == "counter"
    if at_counter:
        right = unbinding.by == "counter"
    else:
        right = unbinding.method == "pay_password" and speaks_for(cursor, unbinding.by)
    if not right:
        raise out_of_turn()
    whose = "member" if unbinding.by == "member" else "holder"
    if not at_counter and cursor.case.wrong_passwords.get(whose, 0) >= MOST_WRONG:
        raise Refused("pay_password_locked", until=next_midnight(cursor.now))


def same_request(cursor: Cursor) -> None:
    """The password was checked for this very unbinding, not for an earlier one that has been taken back."""
    asked = cursor.facts.get("asked_at")
    if asked is not None and asked != cursor.case.since:
        raise out_of_turn()


def ticket_is_his(cursor: Cursor) -> None:
    """Only the ticket's own agency settles it, though other windows may see the binding too."""
    ticket = cursor.progress.offline
    if ticket is not None and not cursor.actor.sees(ticket.agency):
        raise out_of_turn()


def not_the_member(cursor: Cursor) -> None:
    """Only the holder gives the authorisation, not one who acts for somebody else (F98, F106)."""
    if cursor.actor.acting_for is not None and cursor.actor.party(cursor.case) != "holder":
        raise out_of_turn()


def speaks_for(cursor: Cursor, by: str) -> bool:
    """Whether a channel speaks for this initiator: a guardian is the holder, acting for the member."""
    holder = ("holder", "guardian")
    party = cursor.actor.party(cursor.case)
    return party == by or (party in holder and by in holder)


def guarded(cursor: Cursor) -> bool:
    """Whether a guardian may act: the member is under 18, or a ward who was of age when the guardianship was shown.

    The guardianship of a child ends by law at 18 (民法典 §17): what was shown then says nothing of the adult.
    """
    application = cursor.case.application
    ward = application.relationship == "WARD" and not _minor(cursor.case, application.created_at)
    return ward or _minor(cursor.case, cursor.now)


def _minor(case: Case, at: datetime) -> bool:
    born = case.application.parties["member"].get("birth_date")
    return born is not None and age_on(case.plan.age, date.fromisoformat(born), shanghai_day(at)) < ADULT_AT_LAW


def suspicion_only_by_supervisor(cursor: Cursor) -> None:
    """Only a supervisor lifts a suspicion; the registry or a supervisor lifts an insurance stop."""
    if cursor.actor.kind != "supervisor" and cursor.progress.suspended_for != INSURANCE:
        raise out_of_turn()


def registries_being_asked(cursor: Cursor) -> None:
    """The registries answer once for each hand-in."""
    if cursor.progress.registry_answered:
        raise out_of_turn()
