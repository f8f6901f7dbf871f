"""Every history from its first line to its last: whole, chained, and each deadline fired once or cancelled."""

from __future__ import annotations

import hashlib
import json
import re
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime
from itertools import groupby
from typing import Any, NamedTuple

import psycopg

from cli.checking.findings import Findings
from cli.checking.terms import ENDED, Armed, Calendars, LoadedYear, Moment, expected, fired_by
from cli.checking.waiting import Last, Waiting

_LINES = """
select h.binding_id, h.sequence, h.event, h.from_state, h.to_state, h.at, h.actor, h.reason, h.note, h.after, h.hash,
  h.xid::text::bigint, h.recorded_at, b.state, b.version, b.head, b.state_since, b.plan, a.face_age_day, a.region,
  'member' = any(a.erased)
from history h left join bindings b on b.id = h.binding_id left join applications a on a.binding_id = h.binding_id
order by h.binding_id collate "C", h.sequence, h.id
"""
_YEARS = "select year, holidays, make_up, loaded_at, recounted_at from working_days"
_WITHOUT_LINES = "select b.id from bindings b where not exists (select from history h where h.binding_id = b.id)"
# A repair that gives a binding another plan says in its line which; nothing else changes the plan of a binding.
_PLAN_NAMED = re.compile(r"rep_\w+ (?:replan|undone) to plan ([0-9a-f]{64}), asked by ")
BATCH = 5000  # rows fetched at a time


class Line(NamedTuple):
    """A line of the history, with the row of its binding beside it."""

    binding_id: str
    sequence: int
    event: str
    from_state: str | None
    to_state: str
    at: datetime
    actor: str
    reason: str | None
    note: str | None
    after: dict[str, Any]
    hash: bytes
    xid: int
    recorded_at: datetime
    state: str | None
    version: int
    head: bytes
    state_since: datetime
    plan: str
    face_age_day: date | None
    region: str
    member_erased: bool


def walk(conn: psycopg.Connection[Any], found: Findings) -> str:
    """Look at every history on this connection (one snapshot); return a digest (hex) of all their hashes."""
    plans = dict(conn.execute("select hash, body from plans").fetchall())
    waiting = Waiting(conn)
    days = Calendars([LoadedYear(*row) for row in conn.execute(_YEARS)])
    digest = hashlib.sha256()
    with conn.cursor("histories") as cursor:
        cursor.itersize = BATCH
        lines = (Line(*row) for row in cursor.execute(_LINES))
        for binding_id, some in groupby(lines, key=lambda line: line.binding_id):
            history = list(some)
            digest.update(f"{binding_id} {len(history)} ".encode() + bytes(history[-1].hash))
            found.count("bindings")
            _history(history, found)
            _deadlines(history, plans.get(history[-1].plan, {}), waiting, days, found)
    for (binding_id,) in conn.execute(_WITHOUT_LINES):
        found.fault("history_missing", binding_id)
    for binding_id in waiting.deadlines:
        found.fault("deadline_of_nobody", binding_id)
    return digest.hexdigest()


# -- the chain -----------------------------------------------------------------------------------------------------


def link(before: bytes, line: Line) -> bytes:
    """SHA-256 over the hash before and the line's canonical JSON: sorted keys, no spaces, times with six decimals."""
    at = line.at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
    told = [line.binding_id, line.sequence, line.event, line.from_state, line.to_state, at,
            line.actor, line.reason, line.note, line.after]  # fmt: skip
    body = json.dumps(told, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return hashlib.sha256(before + body.encode()).digest()


def _history(lines: list[Line], found: Findings) -> None:
    head, state, at, xid = bytes(32), None, lines[0].at, 0
    for sequence, line in enumerate(lines, 1):
        found.count("lines")
        if line.sequence != sequence:
            return found.fault("step_lost_or_doubled", line.binding_id, line.sequence)
        head = link(head, line)
        if bytes(line.hash) != head:
            return found.fault("chain_broken", line.binding_id, sequence)
        if line.from_state != state:
            found.fault("line_out_of_place", line.binding_id, sequence)
        if state in ENDED:
            found.fault("line_after_the_end", line.binding_id, sequence)
        if line.at < at or line.xid < xid:
            found.fault("line_out_of_order", line.binding_id, sequence)
        state, at, xid = line.to_state, line.at, line.xid
    last = lines[-1]
    row = (last.state, last.version, bytes(last.head or b""), last.state_since)
    if row != (state, len(lines), head, datetime.fromisoformat(last.after["since"])):
        found.fault("row_and_history_differ", last.binding_id, len(lines))
    named = [said[1] for line in lines if line.event == "repaired" and (said := _PLAN_NAMED.match(line.note or ""))]
    if named and named[-1] != last.plan:
        found.fault("plan_and_history_differ", last.binding_id, last.plan)
    found.count(f"state {state}")
    return None


# -- deadlines -----------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Standing:
    """How a step leaves a binding: what is armed, and since when so; before the first step nothing is."""

    moment: Moment | None = None
    armed: Armed = field(default_factory=dict)
    since_when: dict[str, datetime] = field(default_factory=dict)  # a birthday may be past when it is in force again

    def after(self, moment: Moment, at: datetime) -> Standing:
        """The standing that a step at this time brings about."""
        armed = expected(moment)
        since = {name: self.since_when[name] if self.armed.get(name, "") == due else at for name, due in armed.items()}
        return Standing(moment, armed, since)

    def due(self, name: str, line: Line, days: Calendars) -> datetime | None:
        """When a deadline that a line of the clock's stands for was due, by the calendar of its time; None: unarmed.

        A year that was loaded later makes it no fault that the clock went by what was known.
        """
        due = self.armed.get(name)
        if due is None or due <= line.at or self.moment is None:
            return due
        return expected(replace(self.moment, days=days.then(line.recorded_at))).get(name)


def _deadlines(lines: list[Line], plan: dict[str, Any], waiting: Waiting, days: Calendars, found: Findings) -> None:
    if not plan:
        return found.fault("plan_missing", lines[-1].binding_id)
    repaired = max((line.sequence for line in lines if line.event == "repaired"), default=0)
    before = Standing()
    # the lines of one commit are one step: what the case looked like in between armed nothing
    for _, some in groupby(lines, key=lambda line: (line.xid, line.at)):
        step = list(some)
        final = step[-1]
        after = before.after(_moment(final, plan, days), final.at)
        if final.sequence > repaired:  # a repair may have given it another plan, or fired something before its time
            _step(step, before, after.armed, days, found)
        before = after
    end = lines[-1]
    last = Last(end.binding_id, end.region, _moment(end, plan, days), before.armed,
                exact=not repaired, pending=days.pending)  # fmt: skip
    waiting.compare(last, found)
    return None


def _moment(line: Line, plan: dict[str, Any], days: Calendars) -> Moment:
    since = datetime.fromisoformat(line.after["since"])
    return Moment(line.to_state, since, line.after["progress"], plan, line.face_age_day, days.now)


def _step(lines: list[Line], before: Standing, after: Armed, days: Calendars, found: Findings) -> None:
    """One step: what the clock fired was armed and due, and is armed no more; what else is gone was cancelled."""
    fired = {fired_by(line.event, line.from_state, line.reason): line for line in lines if line.actor == "clock"}
    for name, line in fired.items():
        if name == "member_to_age" and line.member_erased:
            continue  # the day is erased with him
        due = before.due(name, line, days)
        if due is None or due > line.at:
            found.fault("fired_unarmed_or_early", line.binding_id, line.sequence)
        elif after.get(name) == before.armed[name]:
            found.fault("fired_and_still_armed", line.binding_id, line.sequence)
        else:
            found.count("deadlines fired")
            found.latest("lateness of the clock", (line.at - max(due, before.since_when[name])).total_seconds())
    found.count("deadlines armed", sum(before.armed.get(name, "") != due for name, due in after.items()))
    gone = sum(after.get(name, "") != due for name, due in before.armed.items() if name not in fired)
    found.count("deadlines cancelled or moved", gone)
