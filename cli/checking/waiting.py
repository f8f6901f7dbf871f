"""What waits for a binding in the tables of work, held against what its last line says: deadlines, review, ticket."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, NamedTuple

import psycopg

from cli.checking.findings import Findings
from cli.checking.terms import AT_REST, Armed, Moment

_DEADLINES = """
select binding_id, name, due_at, watch, attempts, parked from deadlines order by binding_id collate "C"
"""
_REVIEWS = "select binding_id, agency, entered_at, due_at, escalations from review_cases"
_TICKETS = "select binding_id, code, agency, opened_at, due_at from counter_tickets"

ASKED_AGAIN = timedelta(minutes=15)  # how often registries are asked about an application
LOOKED_AGAIN = timedelta(hours=1)  # after a daily look that had no answer
RETRIED = timedelta(hours=1)  # a step that broke is tried again after so long at the latest
A_DAY = timedelta(days=1)  # over which the first looks at insurances are spread
TICKET_ENDS = ("offline_to_counter", "suspended_to_ended", "reverification_to_done")


class Row(NamedTuple):
    """An armed deadline as the table has it."""

    name: str
    due_at: datetime
    watch: bool
    attempts: int
    parked: str | None


class Review(NamedTuple):
    """A reviewer's work item as the table has it."""

    agency: str
    entered_at: datetime
    due_at: datetime
    escalations: int


class Ticket(NamedTuple):
    """A counter's work item as the table has it."""

    code: str
    agency: str
    opened_at: datetime
    due_at: datetime


@dataclass(frozen=True, slots=True)
class Last:
    """A binding after its last line, and how exactly its rows can be foretold."""

    binding_id: str
    region: str  # the holder's, as applied with
    moment: Moment
    armed: Armed
    exact: bool  # no repair, which may fire early or give another plan
    pending: bool  # a year was loaded just now: what it moves is counted again within the hour


class Waiting:
    """All rows of the tables of work, taken out binding by binding."""

    def __init__(self, conn: psycopg.Connection[Any]) -> None:
        """As this connection sees them."""
        self.deadlines: dict[str, dict[str, Row]] = {}
        for binding_id, *row in conn.execute(_DEADLINES):
            self.deadlines.setdefault(binding_id, {})[row[0]] = Row(*row)
        self._reviews = {row[0]: Review(*row[1:]) for row in conn.execute(_REVIEWS)}
        self._tickets = {row[0]: Ticket(*row[1:]) for row in conn.execute(_TICKETS)}

    def compare(self, last: Last, found: Findings) -> None:
        """Hold what waits for this binding against its last line."""
        rows = self.deadlines.pop(last.binding_id, {})
        _deadlines(last, rows, found)
        due = rows.get("review_to_decision")
        _review(last, self._reviews.get(last.binding_id), found, moved=due is None or not due.parked)
        _ticket(last, self._tickets.get(last.binding_id), found)


# -- deadlines -----------------------------------------------------------------------------------------------------


def _deadlines(last: Last, table: dict[str, Row], found: Findings) -> None:
    if last.armed.keys() != table.keys():
        found.fault("deadlines_differ", last.binding_id, f"{sorted(last.armed)} {sorted(table)}")
    elif not last.armed and last.moment.state not in AT_REST:
        found.fault("no_deadline", last.binding_id, last.moment.state)
    for name, row in table.items():
        found.count("deadlines waiting")
        if row.parked:
            found.count("deadlines parked")
        elif name in last.armed and last.exact and not _as_it_may_be(last, row, found.now):
            _late(last, found)("due_time_differs", last.binding_id, name)
        elif not row.watch and row.due_at <= found.now:
            found.count("deadlines overdue")
            found.unsettled("deadline_not_fired", last.binding_id, name)


def _late(last: Last, found: Findings) -> Callable[[str, str, object], None]:
    return found.unsettled if last.pending else found.fault


def _as_it_may_be(last: Last, row: Row, now: datetime) -> bool:
    """Whether a row is due when it must be, or has been put off as the hands put off."""
    due = last.armed[row.name]
    if due is None or row.watch:
        return due is None and row.watch and row.due_at <= _next_look(last.moment, row.name, now)
    if row.due_at == due or (row.attempts and row.due_at <= now + RETRIED):
        return True
    # what runs on through an unbinding waits for its end
    behind = last.armed.get("unbind_to_confirmed")
    return behind is not None and row.name != "unbind_to_confirmed" and due <= row.due_at <= behind


def _next_look(at: Moment, name: str, now: datetime) -> datetime:
    """When a watch asks next at the latest."""
    if name == "materials_to_checked":
        return now + ASKED_AGAIN
    length = timedelta(hours=at.plan["deadlines"][name].get("hours") or 24)
    since = at.progress.get("active_since")
    first = (datetime.fromisoformat(since) if since else at.since) + length + A_DAY
    return max(first, now + max(length, LOOKED_AGAIN))


# -- work lists ----------------------------------------------------------------------------------------------------


def _review(last: Last, row: Review | None, found: Findings, *, moved: bool) -> None:
    """`moved`: its due time follows the deadline's, which does not move while it is parked."""
    at = last.moment
    told = at.progress.get("review") if at.state == "agency_review" else None
    if told is None or row is None:
        if (told is None) != (row is None) or at.state == "agency_review":
            found.fault("review_without_a_case", last.binding_id, at.state)
        return
    agency = at.progress.get("review_agency") or at.plan["review"].get("agency") or last.region
    entered = datetime.fromisoformat(told["entered"])
    if last.exact and (row.agency, row.entered_at, row.escalations) != (agency, entered, told.get("escalations", 0)):
        found.fault("review_differs", last.binding_id, row.agency)
    missed = told.get("missed")
    due = datetime.fromisoformat(missed) if missed else last.armed.get("review_to_decision")
    if last.exact and moved and row.due_at != due:
        _late(last, found)("review_differs", last.binding_id, row.due_at)


def _ticket(last: Last, row: Ticket | None, found: Findings) -> None:
    at = last.moment
    told = at.progress.get("offline") if at.state != "unbinding" else None  # it waits for the end of the unbinding
    if told is None or row is None:
        if told is not None or at.state == "offline_fallback":
            found.fault("offline_without_a_ticket", last.binding_id, at.state)
        elif row is not None:
            found.fault("ticket_of_nobody", last.binding_id, row.code)
        return
    since = datetime.fromisoformat(told["since"])
    if (row.code, row.agency, row.opened_at) != (told["code"], told["agency"], since):
        found.fault("ticket_differs", last.binding_id, row.code)
    due = next((end for name in TICKET_ENDS if (end := last.armed.get(name)) is not None), since)
    if last.exact and row.due_at != due:
        _late(last, found)("ticket_differs", last.binding_id, row.due_at)
