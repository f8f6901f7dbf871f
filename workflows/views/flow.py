"""What enters and leaves each state, by the hour or by the day, and the lines behind each number.

Read from the history along its index over `at`; however large the ledger, a look costs what happened in the span.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Literal

from sqlalchemy import text

from models.ledger import Ledger
from policies.calendar import shanghai_day, start_of_day
from workflows.case import STATES
from workflows.views import cursors
from workflows.views.narrowing import Part, asked_of, narrowed
from workflows.views.pacing import PAGE, Paced

Span = Literal["day", "fortnight"]
Way = Literal["in", "out"]

# no line's `at` is later than now; all lines of one step have the same
_FLOW = """
select date_bin(cast(:step as interval), h.at, cast(:since as timestamptz)) as slot, h.from_state, h.to_state,
  count(*) as count
from history h
where h.at >= :since and h.from_state is distinct from h.to_state {part}
group by 1, 2, 3
"""
_LINES = """
select h.binding_id, h.sequence, h.event, h.from_state, h.to_state, h.at, h.actor, h.reason
from history h
where h.at >= :since and h.from_state is distinct from h.to_state and {way} = :state
  and (cast(:at as timestamptz) is null or (h.at, h.binding_id, h.sequence)
       < (cast(:at as timestamptz), :after, cast(:sequence as bigint))) {part}
order by h.at desc, h.binding_id desc, h.sequence desc limit :limit
"""
_WAYS = {"in": "h.to_state", "out": "h.from_state"}


@dataclass(frozen=True, slots=True)
class Stretch:
    """The time looked at: `slots` steps of `step` from `since` on, the last of them not over yet."""

    since: datetime
    step: timedelta
    slots: int


def stretch(span: Span, now: datetime) -> Stretch:
    """The last 24 hours by the hour, or the last fourteen days of Shanghai by the day."""
    if span == "fortnight":
        return Stretch(start_of_day(shanghai_day(now) - timedelta(days=13)), timedelta(days=1), 14)
    return Stretch(now.replace(minute=0, second=0, microsecond=0) - timedelta(hours=23), timedelta(hours=1), 24)


def flow(ledger: Ledger, part: Part, span: Span, now: datetime) -> dict[str, dict[str, list[int]]]:
    """By state, `in` and `out`: how many in each slot of `stretch(span, now)`, the oldest first."""
    return _paced(ledger, (part, stretch(span, now)))


def _look(ledger: Ledger, asked: tuple[Part, Stretch]) -> dict[str, dict[str, list[int]]]:
    part, over = asked
    query = text(_FLOW.format(part=narrowed(part, "h.binding_id")))
    found = {state: {"in": [0] * over.slots, "out": [0] * over.slots} for state in STATES}
    for row in ledger.read(query, asked_of(part, query, step=over.step, since=over.since)):
        slot = min(over.slots - 1, (row["slot"] - over.since) // over.step)
        found[row["to_state"]]["in"][slot] += row["count"]
        if row["from_state"] in found:
            found[row["from_state"]]["out"][slot] += row["count"]
    return found


_paced = Paced(_look, PAGE, behind=True)


def lines(
    ledger: Ledger, part: Part, state: str, way: Way, over: Stretch, limit: int, cursor: str | None = None
) -> dict[str, Any]:
    """A page of the moves behind a number, the newest first. Raises `Refused` 400 `cursor_invalid`."""
    at, after, sequence = cursors.decode(cursor, datetime, str, int) if cursor else (None, None, None)
    query = text(_LINES.format(way=_WAYS[way], part=narrowed(part, "h.binding_id")))
    rows = ledger.read(query, asked_of(part, query, since=over.since, state=state, at=at, after=after,
                                       sequence=sequence, limit=limit + 1))  # fmt: skip
    return cursors.page(rows, limit, "at", "binding_id", "sequence")
