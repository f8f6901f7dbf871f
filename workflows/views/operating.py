"""One binding as an operator or a supervisor sees it: the sentence, the life so far, deadlines, letters, repairs.

People look here above all when something is wrong with a binding: if the case itself cannot be read or shown, the
page still shows what its rows say.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from datetime import datetime
from itertools import pairwise
from typing import Any

import structlog
from sqlalchemy import text

from policies.languages import Words
from workflows.access import scopes
from workflows.case import ACTIVE, FINAL, Actor, Case
from workflows.engine import Desk
from workflows.errors import Refused, not_found
from workflows.repairs.verbs import BY_CAUSE, of_state
from workflows.views import explaining, findings, listing, public, reason_words, reviewing, stuck
from workflows.views.waiting import waiting

log = structlog.get_logger()
MOST = 200  # letters of one binding that are listed

_ROW = text("""
select b.id, b.state, b.state_since, b.version, b.plan, a.product, a.method, a.channel, a.region, a.relationship,
  p.body ->> 'pack' as pack, p.body ->> 'version' as policy, kinbind_now() as now
from bindings b join applications a on a.binding_id = b.id join plans p on p.hash = b.plan where b.id = :id
""")
_DEADLINES = text("""
select name, due_at, watch, attempts, parked, leased_until > clock_timestamp() as leased
from deadlines where binding_id = :id order by due_at, name
""")
# by endpoint, of which there are few: letters have no index by binding alone
_LETTERS = text("""
select l.id, e.channel, e.url, e.disabled_at is not null as disabled, l.sequence, l.type, l.notice <> '' as notice,
  l.state, l.attempts, l.next_at, l.last_error, l.created_at, l.settled_at
from deliveries l join webhook_endpoints e on e.id = l.endpoint_id
where l.endpoint_id in (select id from webhook_endpoints) and l.binding_id = :id
order by l.sequence desc, l.created_at desc limit :limit
""")


def page(desk: Desk, binding_id: str, actor: Actor) -> dict[str, Any]:
    """Everything of the page. Raises `Refused` with `not_found` outside the actor's regions."""
    row, case = seen(desk, binding_id, actor)
    party = case is not None and case.is_party(actor.person)
    lines = listing.timeline(desk.ledger, binding_id, actor, party=party)
    causes = stuck.of_binding(desk.ledger, binding_id)
    armed = [dict(one) for one in desk.ledger.read(_DEADLINES, {"id": binding_id}, fresh=True)]
    return {
        **row, "view": None, "sentence": None, "review": None, "available_actions": [], "reasons": {}, "findings": [],
        **_told(desk, case, actor, row, {one["name"] for one in armed}),
        "party": party, "timeline": lines, "reason_words": _words(desk, case, lines),
        "stretches": stretches(lines, row["now"]),
        "deadlines": armed,
        "letters": [dict(one) for one in desk.ledger.read(_LETTERS, {"id": binding_id, "limit": MOST}, fresh=True)],
        "stuck": causes, "repairs": fitting_first([one["cause"] for one in causes], row["state"]),
    }  # fmt: skip


def seen(desk: Desk, binding_id: str, actor: Actor) -> tuple[dict[str, Any], Case | None]:
    """What the rows say of a binding that this actor may see, and the case, if it can be read. Raises as `page`."""
    row, case = _row(desk, binding_id), _case(desk, binding_id)
    if not (scopes.staff(case, actor) if case is not None else actor.sees(row["region"])):
        raise not_found()
    return row, case


def fitting_first(causes: list[str], state: str) -> list[tuple[str, bool]]:
    """The verbs that the machine has in this state, those that fit what it is stuck for first, and marked."""
    there = of_state(state)
    fit = [verb for cause in causes for verb in BY_CAUSE[cause] if verb in there]
    return [(verb, verb in fit) for verb in dict.fromkeys((*fit, *there))]


def stretches(lines: list[dict[str, Any]], now: datetime) -> list[dict[str, Any]]:
    """The life so far, one piece for each stay in a state: `state`, `since`, `until`, `seconds`, `open`."""
    moves = [line for place, line in enumerate(lines) if place == 0 or line["to"] != lines[place - 1]["to"]]
    ends = [after["at"] for _, after in pairwise(moves)] + ([now] if moves else [])
    found = [
        {"state": line["to"], "since": line["at"], "until": end, "open": False,
         "seconds": max(0.0, (end - line["at"]).total_seconds())}
        for line, end in zip(moves, ends, strict=True)
    ]  # fmt: skip
    if found:
        found[-1]["open"] = found[-1]["state"] not in FINAL
    return found


def _row(desk: Desk, binding_id: str) -> dict[str, Any]:
    rows = desk.ledger.read(_ROW, {"id": binding_id}, fresh=True)
    if not rows:
        raise not_found()
    return dict(rows[0])


def _case(desk: Desk, binding_id: str) -> Case | None:
    """The case; None where its plan cannot be read."""
    try:
        return desk.look(binding_id)[0]
    except Refused:
        raise
    except Exception:  # whatever it is: this page is for looking into it
        log.exception("case_not_read", binding_id=binding_id)
        return None


def _told(
    desk: Desk, case: Case | None, actor: Actor, row: Mapping[str, Any], armed: Collection[str]
) -> dict[str, Any]:
    """What the case itself can tell; nothing if it cannot be shown. `armed` are the names of deadlines in the table.

    The sentence names the deadline that the plan gives; if that one is not armed, it says so.
    """
    if case is None:
        return {}
    try:
        view = public.binding_view(case, actor, row["now"])
        zh, en = explaining.explain(case, row["now"], desk.book)
        awaited = waiting(case, row["now"])
    except KeyError:  # the plan lacks a length
        log.exception("case_not_shown", binding_id=case.id)
        return {}
    lost = explaining.LOST if awaited is not None and awaited.deadline not in armed else ("", "")
    return {"view": view, "sentence": (zh + lost[0], en + lost[1]),
            "review": reviewing.review_times(case),
            "available_actions": view["available_actions"],
            "return_reasons": case.plan.review.return_reasons,
            "kinds": [*dict.fromkeys(document["kind"] for document in case.materials), "other"],
            "at_rest": case.state in (ACTIVE, *FINAL), "findings": findings.of(case, row["now"])}  # fmt: skip


def _words(desk: Desk, case: Case | None, lines: list[dict[str, Any]]) -> dict[str, Words]:
    if case is None:
        return {}
    said = {line["reason"] for line in lines if line["reason"]}
    codes = said.union(case.plan.review.return_reasons, *reason_words.SUPERVISED.values())
    return reason_words.every(codes, case.plan, desk.book)
