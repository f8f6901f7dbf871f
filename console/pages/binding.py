"""One binding for operators and supervisors: what it waits for, how it came here, and what may be done about it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, get_args

from fastapi import APIRouter, Depends, Response

from console import drawing, noted
from console.forms import REASON, wrong
from console.repair_fields import choices
from console.visit import Visit, asks, tellable
from policies.words import Kind
from workflows import beside
from workflows.access import scopes
from workflows.commands import Command
from workflows.errors import Refused
from workflows.views import operating, reason_words, reviewing, supervising

router = APIRouter(prefix="/ops/bindings/{binding_id}")
Either = Annotated[Visit, Depends(asks("operator", "supervisor"))]
Supervisor = Annotated[Visit, Depends(asks("supervisor"))]
# What a supervisor may say on this page: the action as the view offers it, and the command for it.
WORDS: Mapping[str, str] = {"suspend": "suspend", "resume": "resume", "unbind": "end"}


@router.get("")
def binding(visit: Either, binding_id: str) -> Response:
    """The page."""
    return _page(visit, binding_id)


@router.post("/decide")
def decide(visit: Supervisor, binding_id: str) -> Response:
    """A supervisor's decision takes effect at once, as through the API; a refusal shows the page again."""
    desk, actor, form = visit.office.desk, visit.actor("supervisor"), visit.form
    try:
        said = WORDS[form.one_of("action", tuple(WORDS))]
        # the family reads the reason, a code that has words; the note is for staff only
        facts = {"reason": form.one_of("reason", reason_words.SUPERVISED[said]), "note": form.note("note")}
        told = {name: value for name, value in facts.items() if value is not None}
        form.sure()
        desk.say(Command(said, binding_id, actor, told, form.number("version"), in_scope=scopes.staff))
    except Refused as no:
        return _page(visit, binding_id, tellable(no))
    return visit.go(f"/ops/bindings/{binding_id}")


@router.post("/return")
def hand_back(visit: Supervisor, binding_id: str) -> Response:
    """Return the case for a fault that the last return overlooked: only a supervisor may (0012)."""
    desk, actor, form = visit.office.desk, visit.actor("supervisor"), visit.form
    try:
        reason = form.needed("reason", REASON)
        items = [{"kind": kind, "reason": reason} for kind in dict.fromkeys(form.every("tick"))]
        if not items or not {item["kind"] for item in items} <= set(get_args(Kind)):
            raise wrong("/tick", "items_required")
        facts = {"reason": reason, "items": items, "note": form.needed_note("note")}
        form.sure()
        version = form.number("version")
        desk.say(Command("return_for_correction", binding_id, actor, facts, version, in_scope=scopes.staff))
    except Refused as no:
        return _page(visit, binding_id, tellable(no))
    return visit.go(f"/ops/bindings/{binding_id}")


@router.post("/look")
def look(visit: Supervisor, binding_id: str) -> Response:
    """A supervisor has looked again and notes what he saw; a decision of the sample then counts as looked at."""
    desk, actor = visit.office.desk, visit.actor("supervisor")
    try:
        beside.look_again(desk, binding_id, actor, visit.form.needed_note("body"))
    except Refused as no:
        return _page(visit, binding_id, tellable(no))
    return visit.go(f"/ops/bindings/{binding_id}#look")


def _page(visit: Visit, binding_id: str, no: Refused | None = None) -> Response:
    # who is both sees the supervisor's list of actions, which is longer
    supervises = "supervisor" in visit.roles
    found = operating.page(visit.office.desk, binding_id, visit.actor("supervisor" if supervises else "operator"))
    notes = reviewing.notes(visit.office.ledger, binding_id) if supervises and not found["party"] else []
    if found["view"]:
        found["view"]["materials"] = reviewing.in_order(found["view"])
    return visit.page("binding.html", refused=no, found=found, drawing=drawing,
                      pieces=drawing.pieces(found["stretches"]),
                      choices=choices(visit.office, visit.principal, found["product"]),
                      words={one: reason_words.SUPERVISED[said] for one, said in WORDS.items()
                             if one in found["available_actions"]}, supervises=supervises,
                      stuck=_folded(found["stuck"]), notes=notes, question=_question(found),
                      names=noted.names(visit.office.ledger, found["timeline"]),
                      decided=any(line["event"] in supervising.DECIDED for line in found["timeline"]),
                      his_own=supervising.his_own(visit.office.ledger, found["timeline"], visit.actor()),
                      repairs="operator" in visit.roles, typed=visit.form.filled())  # fmt: skip


def _question(found: dict[str, Any]) -> dict[str, Any] | None:
    """The line by which this review was last put before a supervisor with something to answer."""
    if found["review"] is None:
        return None
    asked = [line for line in found["timeline"] if line["event"] == "review_escalated" and line["note"]]
    return asked[-1] if asked and asked[-1]["at"] >= found["review"]["entered_at"] else None


def _folded(found: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """One row for each cause, its first finding; `times` is how many there are, as of letters."""
    rows: dict[str, dict[str, Any]] = {}
    for one in found:
        row = rows.setdefault(one["cause"], one | {"times": 0})
        row["times"] += one["evidence"].get("letters", 1)
    return list(rows.values())
