"""Who is in each state: how many, how long half of them have waited at least, and the list of them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import text

from models.ledger import Ledger
from workflows.case import FINAL, STATES
from workflows.engine import Desk
from workflows.views import cursors, reviewing
from workflows.views.narrowing import Part, asked_of, narrowed
from workflows.views.pacing import PAGE, Paced

# What has ended waits for nobody: only counted.
_COUNTS = """
with clock as (select kinbind_now() as now)
select b.state, count(*) as count, min(b.state_since) as oldest_since,
  extract(epoch from (select now from clock) - percentile_disc(0.5) within group (order by b.state_since)
    filter (where b.state <> all(:final)))::float8 as median_seconds
from bindings b where true {part} group by b.state
"""
_LIST = """
select b.id as binding_id, b.state, b.state_since as since, b.version
from bindings b where b.state = :state and (cast(:after as text) is null or b.id > :after) {part}
order by b.id limit :limit
"""
_STAND = text("""
select b.id as binding_id, b.state, b.state_since as since, b.version, a.product, a.channel, a.region, a.relationship
from bindings b join applications a on a.binding_id = b.id where b.id = any(:ids)
""")


def population(ledger: Ledger, part: Part) -> dict[str, dict[str, Any]]:
    """By state: `count`, `oldest_since`, `median_seconds` (None where nobody waits); every state is there."""
    return _paced(ledger, part)


def _look(ledger: Ledger, part: Part) -> dict[str, dict[str, Any]]:
    query = text(_COUNTS.format(part=narrowed(part, "b.id")))
    rows = {row["state"]: dict(row) for row in ledger.read(query, asked_of(part, query, final=list(FINAL)))}
    nobody = {"count": 0, "oldest_since": None, "median_seconds": None}
    return {state: rows.get(state, {"state": state} | nobody) for state in STATES}


_paced = Paced(_look, PAGE, behind=True)


def members(ledger: Ledger, part: Part, state: str, limit: int, cursor: str | None = None) -> dict[str, Any]:
    """A page of the bindings in a state, the oldest application first. Raises `Refused` 400 `cursor_invalid`."""
    after = cursors.decode(cursor, str)[0] if cursor else None
    query = text(_LIST.format(part=narrowed(part, "b.id")))
    rows = ledger.read(query, asked_of(part, query, state=state, after=after, limit=limit + 1))
    return {"items": [dict(row) for row in rows[:limit]],
            "next_cursor": cursors.encode(rows[limit - 1]["binding_id"]) if len(rows) > limit else None}  # fmt: skip


def with_briefs(desk: Desk, rows: Sequence[Any]) -> list[dict[str, Any]]:
    """These rows (each has a `binding_id`), and of each its `brief`, masked; of one that cannot be read its row."""
    ids = list(dict.fromkeys(row["binding_id"] for row in rows))
    found = {case.id: reviewing.brief(case) for case, _ in desk.look_many(ids)}
    if unread := [one for one in ids if one not in found]:
        found |= {row["binding_id"]: dict(row) for row in desk.ledger.read(_STAND, {"ids": unread})}
    return [dict(row) | {"brief": found.get(row["binding_id"])} for row in rows]
