"""What a caller may see of a binding, and what he may do with it: read-only, masked by default."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from functools import cache
from typing import Any

import orjson

from policies.people import mask_name, mask_number
from policies.plan import Plan
from policies.regions import AgencyName, agency_name
from workflows import binding
from workflows.case import (
    ACTIVE,
    AGENCY_REVIEW,
    MATERIALS_UPLOADED,
    OFFLINE_FALLBACK,
    RETURNED,
    SUBMITTED,
    SUSPENDED,
    Actor,
    Case,
    Cursor,
)
from workflows.deadlines import confirming
from workflows.views.waiting import waiting_on

# What a caller may say at a door, by his kind: (action, the move that it makes).
ACTIONS: dict[str, tuple[tuple[str, str], ...]] = {
    "channel": (
        ("submit_materials", "submit_materials"),
        ("confirm_registry_record", "confirm_registry_record"),
        ("start_face_check", "face_started"),
        ("choose_offline", "route_offline"),
        ("resume_online", "resume_online"),
        ("confirm_authorisation", "confirm_authorisation"),
        ("withdraw", "withdraw"),
        ("request_unbind", "request_unbind"),
        ("confirm_unbind", "confirm_unbind"),
        ("cancel_unbind", "cancel_unbind"),
        ("report_change", "report_change"),
    ),
    "counter": (
        ("submit_materials", "submit_materials"),
        ("verify", "counter_verified"),
        ("refuse", "counter_refused"),
        ("hand_over", "hand_over"),
        ("withdraw", "withdraw"),
        ("unbind", "request_unbind"),  # asked for and confirmed at once,
        ("unbind", "confirm_unbind"),  # or only confirmed, if it was asked for before
        ("report_change", "report_change"),
    ),
    "reviewer": (
        ("approve", "approve"),
        ("reject", "reject"),
        ("return", "return_for_correction"),
        ("escalate", "escalate"),
    ),
    "supervisor": (
        ("return", "return_for_correction"),
        ("suspend", "suspend"),
        ("resume", "resume"),
        ("unbind", "end"),
    ),
    "operator": (
        ("route_offline", "route_offline"),
        *((said, said) for said in ("rearm", "ask_again", "resend", "move", "replan", "reassign")),
        ("end", "close"),
    ),
}
# These end or avoid what a consent was given for; withdrawing the consent says one of them.
_CONSENT = ("choose_offline", "withdraw", "request_unbind")
# For a binding in force: the service to ask for at the window, and what to bring; in Chinese, as in packs.
_VERIFYING, _DOCUMENTS = "重新核验身份", "双方有效身份证件原件"
_UPLOADS = {"channel": (SUBMITTED, RETURNED), "counter": (SUBMITTED, RETURNED, OFFLINE_FALLBACK)}


def available_actions(case: Case, actor: Actor, now: datetime) -> list[str]:
    """What this caller may do now: what is listed is accepted, what is not listed is refused."""
    cursor = Cursor(case, now)
    found = [action for action, said in offered(actor.kind, case.state) if binding.may(cursor, said, actor)]
    if takes_documents(case, actor) and not case.full:
        found.insert(0, "upload_material")
    if actor.kind == "channel" and any(action in found for action in _CONSENT):
        found.append("withdraw_consent")
    return _with_lease(found, case, actor, now)


def _with_lease(found: list[str], case: Case, actor: Actor, now: datetime) -> list[str]:
    """A reviewer may take what nobody has, and renew or give back what he has."""
    if actor.kind != "reviewer" or case.state != AGENCY_REVIEW or case.is_party(actor.person):
        return found
    holder = case.lease.holder(now) if case.lease is not None else None
    if holder not in (None, actor.id):
        return found
    return ["claim", *found, *(["release"] if holder else [])]


def instead(case: Case, actor: Actor, now: datetime) -> dict[str, Any]:
    """What a refusal out of turn tells besides: the state, and what this caller may do in it."""
    return {"state": case.state, "available_actions": available_actions(case, actor, now)}


def takes_documents(case: Case, actor: Actor) -> bool:
    """Whether this caller may add and remove documents now; of channels only the one that applied may."""
    here = actor.kind != "channel" or actor.id == case.application.channel
    return here and case.state in _UPLOADS.get(actor.kind, ()) and not case.is_party(actor.person)


@cache
def offered(kind: str, state: str) -> tuple[tuple[str, str], ...]:
    """The actions that the law has for this kind of caller in this state; guards are still to be asked."""
    return tuple(
        (action, said)
        for action, said in ACTIONS.get(kind, ())
        if any(state in move.while_ and kind in move.by for move in binding.MOVES_BY_NAME[said])
    )


def binding_view(case: Case, actor: Actor, now: datetime) -> dict[str, Any]:
    """The binding view of API.md, for this caller at this moment."""
    elsewhere = actor.kind == "channel" and actor.id != case.application.channel
    view = view_elsewhere(case, now) if elsewhere else public_view(case, now)
    view["available_actions"] = available_actions(case, actor, now)
    return view


def public_view(case: Case, now: datetime) -> dict[str, Any]:
    """The view without what depends on who looks: what a webhook carries."""
    application, plan, progress = case.application, case.plan, case.progress
    return {
        "id": case.id, "product": application.product, "method": application.method,
        "channel": application.channel, "region": application.region,
        "policy": {"pack": plan.pack, "version": plan.version},
        "state": case.state, "state_since": case.since, "version": case.version, "reason": progress.reason,
        "holder": party_view(case, "holder"), "member": party_view(case, "member"),
        "relationship": application.relationship, "shown_credential": plan.shown_credential,
        "fund_source": plan.fund_source, "channel_reference": application.channel_reference,
        "plan": plan_view(plan, case.steps, case.subjects), "materials": case.materials,
        "correction": correction_view(case), "registry_record": record_view(case) if _to_confirm(case) else None,
        "counter_ticket": ticket_view(case), "waiting_on": waiting_on(case, now),
    }  # fmt: skip


def _to_confirm(case: Case) -> bool:
    open_here = case.state in (MATERIALS_UPLOADED, OFFLINE_FALLBACK)
    return open_here and confirming(case) and not case.progress.record_confirmed


def view_elsewhere(case: Case, now: datetime) -> dict[str, Any]:
    """The same for another channel than the one that applied: without that one's own reference for the case."""
    return public_view(case, now) | {"channel_reference": None}


def record_view(case: Case) -> dict[str, Any] | None:
    """The birth record as the applicant sees it, who must recognise it: masked, but the date in full."""
    told, parties = case.progress.record, case.application.parties
    if told is None or "mother" not in parties:
        return None
    mother, child = parties["mother"], parties["member"]
    return {
        "certificate": mask_number(mother["certificate"]),
        "mother_name": mask_name(mother["name"]),
        "child_name": mask_name(child["name"]) if told.get("child_name") else None,
        "child_birth_date": child["birth_date"] if told.get("child_birth_date") else None,
    }


def party_view(case: Case, role: str) -> dict[str, Any]:
    """One party, masked."""
    party = case.application.parties[role]
    number = party["id_number"]
    return {"name": mask_name(party["name"]), "id_type": party["id_type"],
            "id_number": mask_number(number) if number else None,
            "insured_region": party["insured_region"]}  # fmt: skip


def plan_view(plan: Plan, steps: Sequence[str], subjects: Sequence[str]) -> dict[str, Any]:
    """A plan as API.md shows it; for a case, with the face step of a child who reached the face age meanwhile."""
    return {
        "materials": [{"label": group.label, "any_of": group.any_of} for group in plan.materials],
        "steps": steps, "face_subjects": subjects, "face_window_seconds": int(plan.face.window_hours * 3600),
    }  # fmt: skip


def correction_view(case: Case) -> dict[str, Any] | None:
    """What is to be mended, while the case is returned; else None."""
    correction = case.progress.correction
    if case.state != RETURNED or correction is None:
        return None
    return {"reason": correction.reason, "items": correction.items, "note": correction.note}


def ticket_view(case: Case) -> dict[str, Any] | None:
    """The ticket to show at the window: while offline, and while a re-verification is asked."""
    offline, counter = case.progress.offline, case.plan.counter
    if offline is None or case.state not in (OFFLINE_FALLBACK, ACTIVE, SUSPENDED):
        return None
    at = AgencyName(counter.agency_name, counter.address)
    if offline.agency != counter.agency:  # it was handed over, or reassigned
        known = agency_name(offline.agency)
        at = AgencyName(offline.agency_name or known.name, offline.address or known.address)
    service, bring = counter.service or None, list(counter.bring)
    if case.state != OFFLINE_FALLBACK:  # bound already: the application's papers are not asked for again
        service, bring = _VERIFYING, [_DOCUMENTS]
    return {"code": offline.code, "service": service, "agency": offline.agency,
            "agency_name": at.name, "address": at.address, "bring": bring}  # fmt: skip


def dumps(body: Any) -> bytes:
    """JSON as every door sends it: UTF-8, times in RFC 3339 UTC with a Z."""
    return orjson.dumps(body, option=orjson.OPT_UTC_Z | orjson.OPT_NAIVE_UTC, default=_plain)


def _plain(value: Any) -> Any:
    if isinstance(value, (set, frozenset)):
        return sorted(value)
    raise TypeError(type(value).__name__)
