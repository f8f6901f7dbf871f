"""Deadlines counted on working days, counted again when a year is loaded: rows brought in line with what is derived.

When a deadline is due is derived (`workflows/deadlines.py`), so that a new calendar changes at once what is told of
it. The tables that the sweep and the work lists read follow here: no step, no line, no version. A row that a step in
flight has written by the old calendar is found by the second round, a minute later.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any

from psycopg import Connection

from policies.calendar import start_of_day
from workflows.case import Case
from workflows.deadlines import armed
from workflows.engine import Desk
from workflows.writing import review_row, ticket_row

BATCH = 500  # bindings locked together

# Packs say what is counted in working days; the plans in use hold what they said.
_COUNTED = """
select coalesce(array_agg(distinct t.name), '{}')
from plans p cross join lateral jsonb_each(p.body -> 'deadlines') as t(name, length)
where t.length ->> 'working_days' is not null
"""
_DUE = """
select binding_id, name, due_at from deadlines
where parked is null and not watch and name = any(%(names)s) and due_at >= %(first)s and due_at < %(last)s
  and (due_at, binding_id, name) > (%(at)s, %(binding)s, %(name)s)
order by due_at, binding_id, name limit %(limit)s
"""
_LOCK = "select id from bindings where id = any(%s) order by id for no key update"
_MOVE = """
update deadlines d set due_at = new.due_at
from unnest(%s::text[], %s::text[], %s::timestamptz[]) as new(binding_id, name, due_at)
where d.binding_id = new.binding_id and d.name = new.name and d.due_at <> new.due_at and d.parked is null
"""
_MOVE_REVIEWS = """
update review_cases r set due_at = new.due_at
from unnest(%s::text[], %s::timestamptz[]) as new(binding_id, due_at)
where r.binding_id = new.binding_id and r.due_at <> new.due_at
"""
_MOVE_TICKETS = """
update counter_tickets t set due_at = new.due_at
from unnest(%s::text[], %s::timestamptz[]) as new(binding_id, due_at)
where t.binding_id = new.binding_id and t.due_at <> new.due_at
"""
# A year that was counted within a minute of its load is counted once more: a step under way may have used the old one.
_PENDING = """
select year from working_days
where recounted_at is null or recounted_at < loaded_at + interval '1 minute' order by year
"""
# `recounted_at` is when the count began: what a step wrote behind it only the next count finds. A year that was loaded
# again meanwhile stays uncounted.
_BEGUN = "select clock_timestamp(), loaded_at from working_days where year = %s"
_DONE = "update working_days set recounted_at = %s where year = %s and loaded_at = %s"


@dataclass(slots=True)
class _New:
    """What the rows of some bindings should say."""

    deadlines: list[tuple[str, str, datetime]] = field(default_factory=list)
    reviews: list[tuple[str, datetime]] = field(default_factory=list)
    tickets: list[tuple[str, datetime]] = field(default_factory=list)

    def add(self, case: Case, names: Sequence[str]) -> None:
        """Add what is derived of this case now."""
        self.deadlines += [(case.id, name, due.at) for name, due in armed(case).items() if name in names]
        if (review := review_row(case)) is not None:
            self.reviews.append((case.id, review["due_at"]))
        if (ticket := ticket_row(case)) is not None:
            self.tickets.append((case.id, ticket["due_at"]))


def recount_pending(desk: Desk) -> int:
    """Recount the years that were loaded and not yet finally counted; return how many deadlines moved."""
    with desk.ledger.connection() as conn:
        years = [row[0] for row in conn.execute(_PENDING)]
    return sum(recount(desk, year) for year in years)


def recount(desk: Desk, year: int) -> int:
    """Bring every deadline in line that the working days of a year may have moved; return how many moved.

    Safe to run from several places at once, and again after a crash.
    """
    with desk.ledger.connection() as conn:
        names = conn.execute(_COUNTED).fetchone()
        begun = conn.execute(_BEGUN, (year,)).fetchone()
    # a year's list may hold days of the December before; no term of working days is longer than a year
    first, last = start_of_day(date(year - 1, 12, 1)), start_of_day(date(year + 2, 1, 1))
    asked: dict[str, Any] = {"names": names[0] if names else [], "first": first, "last": last, "at": first,
                             "binding": "", "name": "", "limit": BATCH}  # fmt: skip
    moved = 0
    while True:
        with desk.ledger.transaction() as conn:
            found = conn.execute(_DUE, asked).fetchall()
            moved += _bring_in_line(desk, conn, sorted({row[0] for row in found}), asked["names"])
        if len(found) < BATCH:
            break
        asked |= {"binding": found[-1][0], "name": found[-1][1], "at": found[-1][2]}
    if begun is not None:
        at, loaded_at = begun
        with desk.ledger.connection() as conn:
            conn.execute(_DONE, (at, year, loaded_at))
    return moved


def _bring_in_line(desk: Desk, conn: Connection[Any], ids: list[str], names: Sequence[str]) -> int:
    if not ids:
        return 0
    conn.execute(_LOCK, (ids,))  # as every step does, so that neither overtakes the other
    new = _New()
    for case, _ in desk.reader.cases(conn, ids):
        new.add(case, names)
    _write(conn, _MOVE_REVIEWS, new.reviews)
    _write(conn, _MOVE_TICKETS, new.tickets)
    return _write(conn, _MOVE, new.deadlines)


def _write(conn: Connection[Any], statement: Any, rows: Sequence[tuple[Any, ...]]) -> int:
    if not rows:
        return 0
    return conn.execute(statement, [list(column) for column in zip(*rows, strict=True)]).rowcount
