"""Decisions: held for eight seconds in which they can be taken back; then the next case is already open."""

from __future__ import annotations

from typing import Annotated, Any, get_args

from fastapi import APIRouter, Depends, Response

from console import drafts
from console.drafts import ACTIONS
from console.forms import Form, wrong
from console.pages.reviews import case_page, to_next
from console.visit import Visit, asks, tellable
from policies.words import Kind
from workflows import beside, holding, leases
from workflows.access import scopes
from workflows.commands import Command
from workflows.errors import Malformed, Refused

router = APIRouter(prefix="/reviews/{binding_id}")
Reviewer = Annotated[Visit, Depends(asks("reviewer"))]
_MADE = 20_000  # of the prepared message: more than anybody may send
_ITEM_NOTE = 200


@router.post("/decide")
def decide(visit: Reviewer, binding_id: str) -> Response:
    """Hold a decision, and open the next case. A refusal shows the case again, with what was typed."""
    desk, actor = visit.office.desk, visit.actor()
    try:
        action = visit.form.one_of("action", tuple(ACTIONS))
        facts = _facts(visit, binding_id, action)
        holding.hold(desk, binding_id, actor, ACTIONS[action], facts, visit.form.number("version"))
    except Refused as no:
        return case_page(visit, binding_id, tellable(no))
    beside.left(desk, binding_id, actor)
    return to_next(visit, binding_id)


@router.post("/take-back")
def take_back(visit: Reviewer, binding_id: str) -> Response:
    """Take a decision back, and open its case again."""
    desk, actor = visit.office.desk, visit.actor()
    if not holding.take_back(desk, binding_id, actor):
        code = "too_late" if holding.was_sent(desk, binding_id, actor) else "nothing_held"
        return case_page(visit, binding_id, Refused(code))
    return visit.go(f"/reviews/{binding_id}?taken_back=1")


@router.post("/escalate")
def escalate(visit: Reviewer, binding_id: str) -> Response:
    """Escalate to a supervisor, with a reason; the reviewer keeps the case."""
    desk, actor = visit.office.desk, visit.actor()
    try:
        facts = {"note": visit.form.needed_note("note")}
        desk.say(Command("escalate", binding_id, actor, facts, in_scope=scopes.reviews))
    except Refused as no:
        return case_page(visit, binding_id, tellable(no))
    leases.keep_alive(desk, binding_id, actor)
    return visit.go(f"/reviews/{binding_id}")


@router.post("/message")
def message(visit: Reviewer, binding_id: str) -> Response:
    """What the applicant would be told, from what has been ticked so far."""
    message = drafts.message(visit, binding_id, _items(visit.form))
    return visit.page("parts/message.html", message=message, made=message)


def _facts(visit: Visit, binding_id: str, action: str) -> dict[str, Any]:
    form = visit.form
    facts: dict[str, Any] = {}
    if (note := form.note("note")) is not None:
        facts["note"] = note
    if action == "reject":
        facts["reason"] = form.needed("reason", 200)
        form.sure()
    if action == "return":
        items = _items(form)
        if not items:
            raise Malformed([{"pointer": "/tick", "code": "items_required"}])
        # the return's own reason is that of its first item: each item has its reason beside it
        facts |= {"reason": items[0]["reason"], "items": items}
        # a prepared message that nobody has edited is made anew, from the ticks that are sent now
        if facts.get("note") == form.text("made", _MADE) or "note" not in facts:
            facts["note"] = drafts.message(visit, binding_id, items)
    return facts


def _items(form: Form) -> list[dict[str, str]]:
    """What has been ticked: `{kind, reason, note?}`. Raises `Malformed` for a document that nobody could upload."""
    items = []
    for kind in dict.fromkeys(form.every("tick")):
        if kind not in get_args(Kind):
            raise wrong("/tick", "not_one_of")
        item = {"kind": kind, "reason": form.raw(f"reason.{kind}")}
        if note := form.note(f"note.{kind}", _ITEM_NOTE):
            item["note"] = note
        items.append(item)
    return items
