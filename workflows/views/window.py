"""One case as the clerk at the window has it before him: who must come, what is to be compared, what may be done."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from typing import Any

from sqlalchemy import text

from workflows import attending
from workflows.access import scopes
from workflows.case import OFFLINE_FALLBACK, Actor, Case, Cursor
from workflows.engine import Desk
from workflows.facing import faces_open
from workflows.guards import SUSPECTED
from workflows.views import explaining, listing, public, reason_words
from workflows.writing import ticket_row

_NOT_HANDED_IN = text("""
select id from materials
where binding_id = :id and removed_at is null and not handed_in and added_by like 'counter:%'
""")


def window_case(desk: Desk, binding_id: str, actor: Actor) -> dict[str, Any]:
    """The view, and what lies beside it for a clerk. Raises `Refused` with `not_found`."""
    case, now = desk.seen(binding_id, actor, scopes.at_counter)
    cursor = Cursor(case, now)
    still_open = faces_open(cursor)
    party, refusals = case.is_party(actor.person), case.refuse_reasons
    lines = listing.timeline(desk.ledger, case.id, actor, party=party)
    codes = {*refusals, *(line["reason"] for line in lines if line["reason"])}
    return public.binding_view(case, actor, now) | {
        "now": now, "sentence": explaining.explain(case, now, desk.book),
        "told": explaining.explain(case, now, desk.book, to_family=True),
        "checks": checks(case, still_open),
        "subjects_open": still_open, "guardians": attending.guardians(cursor),
        "registry_answered": case.progress.registry_answered, "objected": case.progress.objection is not None,
        "missing": missing(case), "removable": removable(desk, case, actor),
        "max_file_bytes": case.plan.max_file_bytes, "reasons": {"refuse": refusals},
        "reason_words": reason_words.every(codes, case.plan, desk.book),
        "counter": public.ticket_view(case) or {"agency_name": case.plan.counter.agency_name,
                    "address": case.plan.counter.address, "bring": list(case.plan.counter.bring)},
        "timeline": lines, "ticket": ticket_row(case),
    }  # fmt: skip


def missing(case: Case) -> list[dict[str, Any]]:
    """The groups of materials that are not met, each with what it is `lacking`: see there."""
    kinds = {material["kind"] for material in case.materials}
    return [group | {"lacking": lacking(group["any_of"], kinds)} for group in case.missing]


def lacking(any_of: Iterable[Sequence[str]], kinds: Collection[str]) -> list[list[str]]:
    """What each way to meet a group still lacks; once one is begun, only of those that are."""
    ways = [(some, [kind for kind in some if kind not in kinds]) for some in any_of]
    begun = [rest for some, rest in ways if len(rest) < len(some)]
    return begun or [rest for _, rest in ways]


def removable(desk: Desk, case: Case, actor: Actor) -> set[str]:
    """The ids of the documents that this clerk may take back now: scanned at a counter, and not handed in."""
    if not public.takes_documents(case, actor):
        return set()
    return {row["id"] for row in desk.ledger.read(_NOT_HANDED_IN, {"id": case.id}, fresh=True)}


def checks(case: Case, still_open: Sequence[str]) -> list[tuple[str, dict[str, Any]]]:
    """What the clerk has to do, in order: `(name, facts)`."""
    told: list[tuple[str, dict[str, Any]]] = [("compare_person", {"subject": who}) for who in still_open]
    if attending.second_awaited(case):
        told.append(("second_clerk", {}))
    told += [("scan_missing", group) for group in missing(case)]
    if case.materials:
        told.append(("compare_originals", {"count": len(case.materials)}))
    record = public.record_view(case)
    if case.state == OFFLINE_FALLBACK and record is not None and not case.progress.record_confirmed:
        told.append(("confirm_record", {name: value or "—" for name, value in record.items()}))
    if case.taken_at_counter and "authorisation" in case.steps and not case.progress.authorised:
        told.append(("hear_authorisation", {}))
    if case.progress.offline is not None and case.progress.offline.reason == SUSPECTED:
        told.append(("settle_suspicion", {}))
    if case.state == OFFLINE_FALLBACK and not case.progress.registry_answered:
        objection = case.progress.objection
        told.append(("settle_objection", {"reason": objection.reason}) if objection else ("ask_registries", {}))
    return told
