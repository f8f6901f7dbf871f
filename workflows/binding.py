"""The whole machine: every move that a binding may make, while what, by whom, and to which state.

`MOVES` is the law; everything else here makes `transitions` obey it. A move whose `becomes` lists pairs goes to the
first state whose condition holds. `SAME` stays where it is. What the system says next by itself is in
`workflows/following.py`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import KW_ONLY, dataclass
from typing import Any, cast

from transitions import Machine, MachineError, Transition
from transitions.core import EventData

from workflows import attending, changes, facing, guards
from workflows.case import (
    ACTIVE,
    AGENCY_REVIEW,
    CAME_INTO_FORCE,
    EXPIRED,
    FACE_CHECK,
    MATERIALS_UPLOADED,
    NOT_YET_IN_FORCE,
    OFFLINE_FALLBACK,
    REJECTED,
    RETURNED,
    STATES,
    SUBMITTED,
    SUSPENDED,
    UNBINDING,
    UNBOUND,
    WITHDRAWN,
    Actor,
    Cursor,
)
from workflows.deadlines import reverification_asked
from workflows.effects import Effect, applying, faces, in_force
from workflows.errors import Refused, out_of_turn
from workflows.guards import Condition, Guard
from workflows.repairs import mending

NOWHERE = "nowhere"  # before submission: the machine's initial state, never in the ledger
SAME = "="
Becomes = str | tuple[tuple[str, Condition | None], ...]


@dataclass(frozen=True, slots=True)
class Move:
    """One row of the law."""

    said: str
    while_: tuple[str, ...]
    becomes: Becomes
    by: frozenset[str]
    event: str
    _: KW_ONLY
    guards: tuple[Guard, ...] = ()  # asked also when the actions of the moment are listed
    checks: tuple[Guard, ...] = ()  # look at what was sent along
    effect: Effect | None = None
    when: Condition | None = None  # where it fails, the move is out of turn, and no guard is asked


def _by(words: str) -> frozenset[str]:
    return frozenset(words.split())


def _reverifying(cursor: Cursor) -> bool:
    return reverification_asked(cursor.case)


FACE_NEXT: Becomes = ((FACE_CHECK, guards.at_the_face), (SAME, None))
BACK: Becomes = ((SUSPENDED, guards.was_suspended), (ACTIVE, None))
CHANGED: Becomes = ((UNBOUND, guards.died), (SUSPENDED, None))
HAND_IN: tuple[Guard, ...] = (guards.materials_complete, guards.corrected)
DECIDES: tuple[Guard, ...] = (guards.not_own_case, guards.lease_held)
MENDS: tuple[Guard, ...] = (guards.not_own_case,)
MOVED: Becomes = tuple((state, mending.going_to(state)) for state in mending.TARGETS)
RESTORED: Becomes = tuple((state, mending.restored_to(state)) for state in mending.LIVING)
REPAIRS = frozenset({"rearm", "ask_again", "resend", "move", "replan", "reassign", "close", "undo_repair"})

MOVES = (
    Move("submit", (NOWHERE,), SUBMITTED, _by("channel counter"), "submitted", guards=(guards.not_own_case,)),
    Move("submit_materials", (SUBMITTED, RETURNED), MATERIALS_UPLOADED, _by("channel counter system"),
         "materials_submitted", guards=HAND_IN, effect=applying.hand_in),
    Move("registries_answered", (MATERIALS_UPLOADED,),
         ((MATERIALS_UPLOADED, guards.record_to_confirm), *FACE_NEXT), _by("system"),
         "registry_answered", guards=(guards.registries_being_asked,), effect=applying.take_registry_answer),
    Move("registry_refused", (MATERIALS_UPLOADED,), OFFLINE_FALLBACK, _by("system"),
         "routed_offline", guards=(guards.registries_being_asked,), effect=applying.object_to,
         when=guards.taken_at_counter),
    Move("registry_refused", (MATERIALS_UPLOADED,), REJECTED, _by("system"),
         "registry_refused", guards=(guards.registries_being_asked,), effect=applying.object_to),
    Move("confirm_registry_record", (MATERIALS_UPLOADED,), FACE_NEXT, _by("channel"),
         "registry_confirmed", effect=applying.confirm_record, when=guards.record_to_confirm),

    Move("face_started", (FACE_CHECK, *CAME_INTO_FORCE), SAME, _by("channel"),
         "face_check_started", guards=(facing.may_start_face,), checks=(facing.right_subject, facing.same_question),
         effect=faces.start_face, when=facing.face_asked),
    Move("face_failed", (FACE_CHECK, OFFLINE_FALLBACK, *CAME_INTO_FORCE), SAME, _by("system"),
         "face_check_failed", checks=(facing.as_begun,), effect=faces.fail_face),
    Move("face_passed", (FACE_CHECK,), FACE_NEXT, _by("system"),
         "face_check_passed", checks=(facing.pass_counts,), effect=faces.pass_face),
    Move("face_passed", (OFFLINE_FALLBACK,), ((MATERIALS_UPLOADED, guards.registries_open), *FACE_NEXT), _by("system"),
         "face_check_passed", checks=(facing.pass_counts,), effect=faces.pass_face),
    Move("face_passed", (ACTIVE, SUSPENDED), ACTIVE, _by("system"),
         "face_check_passed", checks=(facing.pass_counts,), effect=in_force.verified_again, when=_reverifying),
    Move("face_passed", (UNBINDING,), UNBOUND, _by("system"),
         "unbound", checks=(facing.pass_counts,), effect=in_force.end_binding),
    Move("confirm_authorisation", (FACE_CHECK,), SAME, _by("channel"),
         "authorisation_confirmed", guards=(guards.not_the_member,), effect=applying.authorise,
         when=lambda c: c.case.open_step == "authorisation"),
    Move("extend_window", (FACE_CHECK, OFFLINE_FALLBACK), SAME, _by("system"),
         "window_extended", effect=faces.extend_window),

    Move("route_offline", (MATERIALS_UPLOADED, FACE_CHECK), OFFLINE_FALLBACK, _by("clock system operator"),
         "routed_offline", checks=(guards.is_due,), effect=applying.go_offline),
    Move("route_offline", (MATERIALS_UPLOADED, FACE_CHECK), OFFLINE_FALLBACK, _by("channel"),
         "routed_offline", effect=applying.go_offline, when=guards.has_face_step),
    Move("resume_online", (OFFLINE_FALLBACK,),
         ((MATERIALS_UPLOADED, guards.registries_open), (FACE_CHECK, None)), _by("channel"),
         "resumed_online", guards=(guards.may_resume,), effect=applying.back_online),
    Move("counter_verified", (OFFLINE_FALLBACK,), SAME, _by("counter"),
         "counter_verified", guards=(guards.not_own_case, guards.materials_complete),
         checks=(guards.registry_settled, attending.named_present, attending.not_twice), effect=applying.vouch,
         when=attending.needs_second),
    Move("counter_verified", (OFFLINE_FALLBACK,), FACE_NEXT, _by("counter"),
         "counter_verified", guards=(guards.not_own_case, guards.materials_complete),
         checks=(guards.registry_settled, attending.named_present), effect=applying.decide_at_counter),
    Move("counter_verified", (ACTIVE, SUSPENDED), SAME, _by("counter"),
         "counter_verified", guards=(guards.not_own_case, guards.ticket_is_his),
         checks=(attending.as_seen, attending.named_present, attending.not_twice), effect=applying.vouch,
         when=attending.needs_second),
    Move("counter_verified", (ACTIVE, SUSPENDED), ACTIVE, _by("counter"),
         "counter_verified", guards=(guards.not_own_case, guards.ticket_is_his),
         checks=(attending.as_seen, attending.named_present), effect=in_force.verified_again, when=_reverifying),
    Move("counter_refused", (OFFLINE_FALLBACK,), REJECTED, _by("counter"),
         "counter_refused", guards=(guards.not_own_case,), checks=(guards.reason_listed("refuse_reasons"),),
         effect=applying.refuse_at_counter),
    Move("counter_refused", (SUSPENDED,), SUSPENDED, _by("counter"),
         "counter_refused", guards=(guards.not_own_case,), checks=(guards.reason_listed("refuse_reasons"),),
         effect=applying.refuse_at_counter, when=_reverifying),
    Move("hand_over", (OFFLINE_FALLBACK,), SAME, _by("counter"),
         "routed_offline", guards=(guards.not_own_case,), checks=(guards.agency_serves,), effect=applying.hand_over),
    Move("hand_over", (ACTIVE, SUSPENDED), SAME, _by("counter"),
         "routed_offline", guards=(guards.not_own_case, guards.ticket_is_his), checks=(guards.agency_serves,),
         effect=applying.hand_over, when=mending.in_somebodys_hands),

    Move("begin_review", (MATERIALS_UPLOADED, FACE_CHECK, OFFLINE_FALLBACK), AGENCY_REVIEW, _by("system"),
         "review_begun", effect=applying.begin_review),
    Move("approve", (AGENCY_REVIEW,), FACE_NEXT, _by("reviewer system"),
         "approved", guards=(*DECIDES, guards.not_own_word), effect=applying.approve),
    Move("reject", (AGENCY_REVIEW,), REJECTED, _by("reviewer"),
         "rejected", guards=DECIDES, checks=(guards.reason_listed("reject_reasons"),),
         effect=applying.end_application),
    Move("return_for_correction", (AGENCY_REVIEW,), RETURNED, _by("reviewer"),
         "returned", guards=DECIDES, checks=(guards.reason_listed("return_reasons"), guards.faults_told_at_once),
         effect=applying.return_for_correction),
    Move("return_for_correction", (AGENCY_REVIEW,), RETURNED, _by("supervisor"),
         "returned", guards=(guards.not_own_case, guards.second_look),
         checks=(guards.reason_listed("return_reasons"),), effect=applying.return_for_correction),
    Move("escalate", (AGENCY_REVIEW,), SAME, _by("clock reviewer"),
         "review_escalated", guards=DECIDES, checks=(guards.is_due,), effect=applying.escalate),
    Move("limit_refused", (MATERIALS_UPLOADED, FACE_CHECK, OFFLINE_FALLBACK, AGENCY_REVIEW),
         REJECTED, _by("system"), "rejected", effect=applying.end_application),
    Move("activate", (MATERIALS_UPLOADED, FACE_CHECK, OFFLINE_FALLBACK, AGENCY_REVIEW),
         ACTIVE, _by("system"), "activated", effect=in_force.activate),

    Move("withdraw", NOT_YET_IN_FORCE, WITHDRAWN, _by("channel counter"),
         "withdrawn", guards=(guards.not_own_case,), effect=applying.withdraw),
    Move("expire", (SUBMITTED, MATERIALS_UPLOADED, FACE_CHECK, RETURNED, OFFLINE_FALLBACK), EXPIRED, _by("clock"),
         "expired", checks=(guards.is_due,), effect=applying.end_application),

    Move("ask_reverification", (ACTIVE,), SAME, _by("clock"),
         "reverification_due", checks=(guards.is_due,), effect=in_force.ask_reverification),
    Move("report_change", (ACTIVE, SUSPENDED), CHANGED, _by("channel counter"),
         "change_reported", guards=(guards.not_own_case,), checks=(changes.on_top_of_newest,),
         effect=in_force.report_change),
    Move("report_change", (UNBINDING,), UNBOUND, _by("channel counter"),
         "change_reported", guards=(guards.not_own_case,), checks=(guards.only_a_death,),
         effect=in_force.report_change),
    Move("link_number", (ACTIVE,), SAME, _by("system"),
         "registry_answered", checks=(changes.on_top_of_newest,), effect=in_force.take_change),
    Move("suspend", (ACTIVE,), SUSPENDED, _by("supervisor system clock"),
         "suspended", guards=(guards.not_own_case,), checks=(guards.is_due,), effect=in_force.suspend),
    Move("suspend", (UNBINDING,), SUSPENDED, _by("supervisor system"),
         "suspended", guards=(guards.not_own_case,), effect=in_force.suspend, when=guards.in_force),
    Move("warn_of_end", (SUSPENDED,), SAME, _by("clock"),
         "suspended", checks=(guards.is_due,), effect=in_force.warn_of_end),
    Move("resume", (SUSPENDED,), ACTIVE, _by("supervisor system clock"),
         "resumed", guards=(guards.not_own_case, guards.suspicion_only_by_supervisor), checks=(guards.is_due,),
         effect=in_force.resume),

    Move("request_unbind", (ACTIVE, SUSPENDED), UNBINDING, _by("channel counter"),
         "unbind_requested", guards=(guards.not_own_case, guards.old_enough), checks=(guards.may_unbind,),
         effect=in_force.ask_unbind),
    Move("confirm_unbind", (UNBINDING,), UNBOUND, _by("channel counter"),
         "unbound", guards=(guards.not_own_case, guards.confirms_without_face), checks=(guards.same_request,),
         effect=in_force.end_binding),
    Move("cancel_unbind", (UNBINDING,), BACK, _by("channel clock"),
         "unbind_cancelled", guards=(guards.asked_by_caller,), checks=(guards.is_due,),
         effect=in_force.forget_unbinding),
    Move("end", (ACTIVE, SUSPENDED), UNBOUND, _by("supervisor system clock"),
         "unbound", guards=(guards.not_own_case,), checks=(guards.is_due,), effect=in_force.end_binding),
    Move("end", (UNBINDING,), UNBOUND, _by("supervisor system"),
         "unbound", guards=(guards.not_own_case,), effect=in_force.end_binding),

    # repairs: what operators say where no ordinary door helps (docs/repairs.md)
    Move("rearm", mending.LIVING, SAME, _by("operator"), "repaired", guards=MENDS),
    Move("ask_again", mending.ASKED, SAME, _by("operator"),
         "repaired", guards=MENDS, checks=(mending.something_waits,), effect=mending.ask_again),
    Move("resend", mending.LIVING, SAME, _by("operator"),
         "repaired", guards=MENDS, checks=(mending.letters_aside,)),
    Move("move", NOT_YET_IN_FORCE, MOVED, _by("operator"),
         "repaired", guards=MENDS, checks=(mending.plan_allows,), effect=mending.move, when=mending.somewhere_to_go),
    Move("replan", mending.LIVING, SAME, _by("operator"), "repaired", guards=MENDS, effect=mending.replan),
    Move("reassign", (OFFLINE_FALLBACK, AGENCY_REVIEW, ACTIVE, SUSPENDED), SAME, _by("operator"),
         "repaired", guards=MENDS, effect=mending.reassign, when=mending.in_somebodys_hands),
    Move("close", NOT_YET_IN_FORCE, REJECTED, _by("operator"),
         "rejected", guards=MENDS, effect=applying.end_application),
    Move("undo_repair", mending.LIVING, RESTORED, _by("system"),
         "repaired", checks=(mending.right_way_back,), effect=mending.restore),
)  # fmt: skip


# -- the machine of `transitions`, made from the table -------------------------------------------------------------


def _cursor(event: EventData) -> Cursor:
    return cast("Cursor", event.model)


def _obeyed(move: Move, holds: Condition | None) -> Callable[[EventData], bool]:
    """All that is asked of a way, as one condition: `transitions` spends more on calling two than we on answering."""

    def obeyed(event: EventData) -> bool:
        cursor = _cursor(event)
        if cursor.actor.kind not in move.by:
            return False
        if cursor.move is not move:  # the same move may have been asked already, for another state that it leads to
            if move.when is not None and not move.when(cursor):
                return False
            for refuse in (*move.guards, *move.checks):
                refuse(cursor)
            cursor.move = move
            # before the state is picked: where a case goes depends on what has just been settled
            if move.effect is not None:
                move.effect(cursor)
        return holds is None or holds(cursor)

    return obeyed


class _Way(Transition):
    """A way from state to state, without the callbacks before and after that `transitions` would look for."""

    def execute(self, event_data: EventData) -> bool:
        taken = self._eval_conditions(event_data)
        if taken:
            setattr(event_data.model, event_data.machine.model_attribute, self.dest)
        return taken


class _Law(Machine):
    transition_cls = _Way


def _machine() -> Machine:
    machine = _Law(model=None, states=[NOWHERE, *STATES], initial=NOWHERE, auto_transitions=False, send_event=True)
    for move in MOVES:
        pairs = ((move.becomes, None),) if isinstance(move.becomes, str) else move.becomes
        for state, condition in pairs:
            machine.add_transition(move.said, list(move.while_), state, conditions=_obeyed(move, condition))
    return machine


_MACHINE = _machine()
MOVES_BY_NAME: dict[str, tuple[Move, ...]] = {
    said: tuple(move for move in MOVES if move.said == said) for said in dict.fromkeys(m.said for m in MOVES)
}


def obey(cursor: Cursor, said: str, actor: Actor, facts: Mapping[str, Any]) -> str:
    """Make one move on the cursor: guards, effect, state. Return what it is called in the history.

    Raises `Refused`: by the guard's own code, else `action_not_available`.
    """
    cursor.hear(actor, facts)
    try:
        moved = _MACHINE.events[said].trigger(cursor)
    except MachineError:
        moved = False
    if not moved or cursor.move is None:
        raise out_of_turn()
    return cursor.move.event


def may(cursor: Cursor, said: str, actor: Actor) -> bool:
    """Whether this actor may say this now, as far as it depends on the case."""
    cursor.actor, cursor.facts = actor, {}
    for move in MOVES_BY_NAME[said]:
        if cursor.state in move.while_ and actor.kind in move.by and (move.when is None or move.when(cursor)):
            try:
                for refuse in move.guards:
                    refuse(cursor)
            except Refused:
                continue
            return True
    return False
