"""What a reviewer is about to send: the message made from his ticks, or a decision that he has taken back."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from console import canned
from console.forms import Form
from console.visit import Visit
from workflows import holding
from workflows.access import scopes
from workflows.views import reason_words, reviewing

ACTIONS: Mapping[str, str] = {"approve": "approve", "reject": "reject", "return": "return_for_correction"}


def message(visit: Visit, binding_id: str, items: Sequence[Mapping[str, str]]) -> str:
    """What the applicant would be told of these `{kind, reason, note?}`."""
    desk, actor = visit.office.desk, visit.actor()
    case, _ = desk.seen(binding_id, actor, scopes.reviews)
    meant = {item["reason"]: reason_words.say(item["reason"], case.plan, desk.book)[0] for item in items}
    facts = reviewing.brief(case) | {"correction_days": case.plan.deadlines["returned_to_corrected"].working_days}
    return canned.message(facts, items, meant)


def taken_back(visit: Visit, binding_id: str) -> Form | None:
    """The form of his last decision of this case, as he had sent it; None if he has not taken that one back."""
    held = holding.taken_back(visit.office.desk, binding_id, visit.actor())
    if held is None:
        return None
    said, facts = held
    action = next(name for name, word in ACTIONS.items() if word == said)
    told = {name: facts[name] for name in ("note", "reason") if name in facts}
    made = {"made": message(visit, binding_id, facts["items"])} if action == "return" else {}
    return Form([("action", action), *told.items(), *made.items(), *_ticked(facts.get("items", ()))])


def _ticked(items: Iterable[Mapping[str, Any]]) -> Iterable[tuple[str, str]]:
    for item in items:
        yield "tick", item["kind"]
        yield f"reason.{item['kind']}", item["reason"]
        yield f"note.{item['kind']}", item.get("note", "")
