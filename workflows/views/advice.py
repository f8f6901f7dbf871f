"""What an application would need, before one is made; and what taking back a consent means."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from policies.book import LawBook
from policies.calendar import shanghai_day
from policies.people import check_birth_date, parse_identity
from policies.plan import Plan
from policies.planning import NOT_AT_COUNTER, ApplicationFacts, PersonFacts, plan_for
from workflows.case import FINAL, NOT_YET_IN_FORCE, Actor, Case
from workflows.errors import Refused
from workflows.views.public import plan_view

FACE_NOTICE = "face"  # the packs' name for the separate consent to the face check (PIPL §29)


@dataclass(frozen=True, slots=True)
class Outline:
    """An application in outline: all that a plan depends on."""

    product: str
    method: str
    relationship: str
    channel: str
    holder_region: str
    member_region: str
    member_id_type: str
    member_id_number: str | None = None
    member_birth_date: date | None = None


def requirements(book: LawBook, outline: Outline, now: datetime, language: str) -> dict[str, Any]:
    """The policy, the plan, the notices to show ("zh" or "en"), and the counter, with the reason if one must go there.

    Raises `NotAllowed` as a submission would.
    """
    today = shanghai_day(now)
    born = outline.member_birth_date
    check_birth_date(born, today, "/member")
    if outline.member_id_number is not None:
        identity = parse_identity(outline.member_id_type, outline.member_id_number, born, today, "/member")
        born = identity.birth_date
    facts = ApplicationFacts(
        outline.product, outline.method, outline.relationship, outline.channel, None,
        PersonFacts("resident_id", outline.holder_region),
        PersonFacts(outline.member_id_type, outline.member_region, born),
    )  # fmt: skip
    return needed(book, plan_for(book, facts, today), outline.channel, outline.member_id_type, language)


def needed(book: LawBook, plan: Plan, channel: str, member_id_type: str, language: str) -> dict[str, Any]:
    """The same of a plan that is made already."""
    unasked = NOT_AT_COUNTER if channel == "counter" else set()
    return {
        "policy": {"pack": plan.pack, "version": plan.version},
        "plan": plan_view(plan, plan.steps, plan.face.subjects),
        "notices": book.notices([ref for ref in plan.notices if ref.notice not in unasked], language),
        "counter": _counter(plan, member_id_type),
    }


def _counter(plan: Plan, id_type: str) -> dict[str, Any]:
    """The counter, and why one must go there: no camera can compare this kind of document (W1)."""
    leads = "member" in plan.face.subjects and id_type not in plan.face.document_types
    counter = plan.counter
    return {"reason": "document_not_readable" if leads else None, "service": counter.service or None,
            "agency": counter.agency, "agency_name": counter.agency_name, "address": counter.address,
            "bring": counter.bring}  # fmt: skip


def consent_withdrawn(case: Case, actor: Actor, notice: str) -> tuple[str, Mapping[str, Any]]:
    """What taking back a consent says: to the face check, that one chooses the counter; to any other, the end.

    Of a child who has reached the face age on the way a face is asked, though its plan has no notice of it: that may
    be declined all the same. Raises `Refused` 422 `notice_unknown` for a notice that is none of the binding's.
    """
    known = dict.fromkeys(ref.notice for ref in case.plan.notices)
    if "face_check" in case.steps:
        known[FACE_NOTICE] = None
    if notice not in known:
        raise Refused("notice_unknown", 422, "/notice", notices=list(known))
    if notice == FACE_NOTICE:
        return "route_offline", {"reason": "declines_face"}
    if case.state in NOT_YET_IN_FORCE or case.state in FINAL:
        return "withdraw", {"reason": "consent_withdrawn"}
    method = next(iter(case.plan.unbind.authentication), "face")
    return "request_unbind", {"initiator": actor.party(case) or "holder", "method": method,
                              "reason": "consent_withdrawn"}  # fmt: skip
