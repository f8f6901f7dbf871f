"""Made-up cases for a plan, and everything that anyone could say of them: what `check` tries the machine with."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from typing import Any

from policies.calendar import start_of_day
from policies.plan import Plan
from workflows import facing, following, sampling
from workflows.binding import MOVES_BY_NAME, NOWHERE, REPAIRS
from workflows.case import (
    AGENCY_REVIEW,
    CLOCK,
    FINAL,
    NOT_YET_IN_FORCE,
    SYSTEM,
    Actor,
    Application,
    Case,
    Cursor,
    Lease,
    Progress,
)
from workflows.deadlines import DEADLINES_BY_NAME, armed
from workflows.repairs import mending

BEGIN = start_of_day(date(2026, 1, 5))  # a Monday in a year whose holidays are known
GROWN_BY_THEN = date(2026, 1, 5)
GROWN_LATER = date(2036, 1, 5)
_STAFF = "stf_check"
_CHANGES = ("name", "id_number", "insured_region", "relationship_ended", "insurance_ended", "death")
_ACTORS = {
    "system": (SYSTEM,),
    **{kind: (Actor(kind, _STAFF, regions=("000000",)),) for kind in ("counter", "reviewer", "operator")},
    "supervisor": (Actor("supervisor", "stf_another", regions=("000000",)),),  # who gives his word is somebody else
}
# what the system says only as a consequence of something else, never by itself
_FOLLOWING = {said for _, said, _ in following.FOLLOW_UPS if all(m.by == {"system"} for m in MOVES_BY_NAME[said])}


@dataclass(frozen=True, slots=True)
class Saying:
    """Something said of a case at a moment."""

    said: str
    actor: Actor
    facts: dict[str, Any]
    at: datetime

    @classmethod
    def by_clock(cls, name: str, at: datetime) -> Saying:
        """What the clock says for a deadline that is due."""
        return cls(DEADLINES_BY_NAME[name].move or "", CLOCK, {"deadline": name}, at)


def cases(plan: Plan) -> list[Case]:
    """The cases to begin with: in the review sample or not, a child that grows or stays one, at an app or a counter."""
    grows = [GROWN_LATER, GROWN_BY_THEN] if plan.face_at_age else [None]
    holders = _drawn(plan.product) if plan.review.mode == "auto_then_sample" else ("holder",)
    taken = [_case(plan, holder, day) for holder in holders for day in grows]
    return [*taken, _case(plan, holders[-1], grows[0], "counter")]


def _drawn(product: str) -> tuple[str, str]:
    """One pair of persons whose review is in the sample of automatic reviews, and one whose is not."""
    holders = sorted((f"holder_{n}" for n in range(1000)), key=lambda one: sampling.draw(one, "member", product))
    return holders[0], holders[-1]


def _case(plan: Plan, holder: str, face_age_day: date | None, channel: str = "check") -> Case:
    someone = {"name": "", "id_type": "resident_id", "id_number": None, "birth_date": "2025-01-05",
               "insured_region": "000000"}  # fmt: skip
    roles = ("holder", "member", "mother") if plan.registry.birth_certificate else ("holder", "member")
    application = Application(
        product=plan.product, method=plan.method, channel=channel, channel_reference=None, region="000000",
        relationship="CHILD", initiator="holder", holder=holder, member="member", sealed=b"",
        face_age_day=face_age_day, created_at=BEGIN, parties=dict.fromkeys(roles, someone),
    )  # fmt: skip
    kinds = sorted({kind for group in plan.materials for kind in group.any_of[0]})
    lease = Lease(_STAFF, BEGIN + timedelta(days=36500), 1)
    papers = [{"id": f"mat_{place}", "kind": kind} for place, kind in enumerate(kinds)]
    return Case("bnd_check", NOWHERE, 0, BEGIN, b"", Progress(), plan, application, papers, lease)


def situation(case: Case) -> tuple[object, ...]:
    """What of a case decides what may be said of it, without times."""
    progress, state = case.progress, case.state
    drawn = (state, case.application.channel, case.application.holder, case.application.face_age_day)
    if state in FINAL:
        return (state,)
    if state in NOT_YET_IN_FORCE or state == NOWHERE:
        how_far = (progress.registry_answered, progress.record_confirmed, progress.counter_decided, progress.grown,
                   progress.objection is not None)  # fmt: skip
        begun = case.next_subject in progress.windows
        told_before = state == AGENCY_REVIEW and progress.faults_told is not None  # then a supervisor may return it
        return (*drawn, *how_far, case.open_step, case.next_subject, begun, progress.offline is None, told_before)
    unbinding = progress.unbinding and (progress.unbinding.by, progress.unbinding.method)
    reverify = progress.reverify_since is not None
    return (*drawn, progress.suspended_for, reverify, "member" in progress.passed, unbinding)


def sayings(case: Case, now: datetime) -> Iterator[Saying]:
    """Everything that may be said of a case at `now`, and what the clock will say when it is due."""
    for name, due in armed(case).items() if case.state != NOWHERE else ():
        if DEADLINES_BY_NAME[name].move is not None:
            yield Saying.by_clock(name, max(due.at, now))
    for said in MOVES_BY_NAME.keys() - _FOLLOWING:
        moves = [move for move in MOVES_BY_NAME[said] if case.state in move.while_]
        for kind in sorted({kind for move in moves for kind in move.by} - {"clock"}):
            for actor in _ACTORS.get(kind) or _parties(case):
                yield from (Saying(said, actor, facts, now) for facts in told_with(case, said, now))


def _parties(case: Case) -> Iterator[Actor]:
    """A channel that acts for either party."""
    return (Actor("channel", "check", person) for person in (case.application.holder, case.application.member))


def told_with(case: Case, said: str, now: datetime) -> list[dict[str, Any]]:
    """By command, what may be sent along with it."""
    plan = case.plan
    if said in ("face_started", "face_failed", "face_passed"):
        return _faces(case, said, now)
    if said == "report_change":
        return [{"what": what} for what in _CHANGES]
    if said == "request_unbind":
        return [{"initiator": by, "method": how} for by in plan.unbind.initiators for how in plan.unbind.authentication]
    if said == "extend_window":
        subject = case.next_subject
        return [{"subject": subject, "by": timedelta(minutes=10)}] if subject in case.progress.windows else []
    if said in REPAIRS:
        return _repairs(case, said)
    told: dict[str, dict[str, Any]] = {
        "reject": {"reason": next(iter(plan.review.reject_reasons), None)},
        "return_for_correction": {"reason": next(iter(plan.review.return_reasons), None), "items": []},
        "counter_refused": {"reason": next(iter(plan.counter.refuse_reasons), None)},
        "counter_verified": {"registry_checked": True, "note": "checked"},
        "registry_refused": {"reason": "not_insured"},
        "hand_over": {"agency": "110000" if case.counter_agency == "000000" else "000000", "served": True},
    }
    return [told.get(said, {})]


def _repairs(case: Case, said: str) -> list[dict[str, Any]]:
    """What repairs send along: a plan that differs in one figure; for an undoing, the case as it is."""
    told: dict[str, list[dict[str, Any]]] = {
        "ask_again": [{"pending": 1}],
        "resend": [{"letters": 1}],
        "move": [{"to": to} for to in mending.TARGETS],
        "replan": [{"plan": replace(case.plan, max_files=case.plan.max_files + 1)}],
        "undo_repair": [{"restore": {"state": case.state, "progress": case.progress, "plan": case.plan}}],
    }
    return told.get(said, [{}])


def _faces(case: Case, said: str, now: datetime) -> list[dict[str, Any]]:
    """A session of the face whose turn it is."""
    cursor = Cursor(case, now)
    if not facing.face_asked(cursor):
        return []
    subject, purpose = facing.face_subject(cursor), facing.face_purpose(cursor)
    session = {"id": "fac_check", "provider": "check", "reference": "check", "expires_at": now}
    told = {"subject": subject, "purpose": purpose, "session": session, "started_at": now, "finished_at": now}
    if said == "face_failed":
        return [{**told, "reason": "face_no_match", "go_offline": gone} for gone in (False, True)]
    return [told]
