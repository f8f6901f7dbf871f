"""From the history to deliveries: every line becomes a letter for each endpoint that wants it.

The history is the outbox. Lines are read by `(transaction, id)` and only up to the oldest transaction that still
runs: a cursor over ids alone would skip what commits late.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Any, NamedTuple, get_args

import structlog
from psycopg import Connection

from models.ids import new_id
from policies.words import ChannelName
from tasks.office import Office
from tasks.registries import look_now
from workflows.case import UNBOUND
from workflows.views.feed import PARTY_NOTICE

BATCH = 500  # lines of one channel in one commit

_NEWS = """
select c from unnest(%s::text[]) as c left join feed_cursors f on f.channel = c
where exists (
  select from history h
  where h.channel = c and (h.xid, h.id) > (coalesce(f.xid, '0'), coalesce(f.id, 0))
    and h.xid < pg_snapshot_xmin(pg_current_snapshot()))
"""
_BEGIN = "insert into feed_cursors (channel, xid, id) values (%s, '0', 0) on conflict do nothing"
# If another has locked the row, he is turning this channel's lines into letters: there is nothing to wait for.
_CURSOR = "select xid::text, id from feed_cursors where channel = %s for update skip locked"
# Ordered by `h.xid` of the table: the `xid` that is selected is a text, which puts 1000 before 999.
_LINES = """
select h.xid::text, h.id, h.binding_id, h.sequence, h.event, h.at, h.to_state, h.reason from history h
where h.channel = %s and (h.xid, h.id) > (%s::xid8, %s) and h.xid < pg_snapshot_xmin(pg_current_snapshot())
order by h.xid, h.id limit %s
"""
_ADVANCE = "update feed_cursors set xid = %s::xid8, id = %s where channel = %s"
_ENDPOINTS = "select id, channel, events, created_at from webhook_endpoints where disabled_at is null"
_PARTIES_ELSEWHERE = """
select distinct a.binding_id, p.channel
from applications a join person_channels p on p.person in (a.holder, a.member)
where a.binding_id = any(%s) and p.channel <> a.channel
"""
# For those who pull the feed, also if they have no endpoint.
_NOTICES = """
insert into party_notices (channel, binding_id, sequence)
select distinct p.channel, l.binding_id, l.sequence
from unnest(%s::text[], %s::int[]) as l(binding_id, sequence)
join applications a on a.binding_id = l.binding_id
join person_channels p on p.person in (a.holder, a.member)
where p.channel <> a.channel
order by l.binding_id, l.sequence, p.channel
"""
# A letter behind one that waits for its next attempt gets the same time, so that nobody looks at it in vain; when that
# one has arrived or was put aside, it goes on (`deliver._GO_ON`).
_INSERT = """
insert into deliveries (id, endpoint_id, binding_id, sequence, type, next_at, created_at)
values (%(id)s, %(endpoint)s, %(binding)s, %(sequence)s, %(type)s, greatest(%(now)s, (
  select before.next_at from deliveries before
  where before.endpoint_id = %(endpoint)s and before.binding_id = %(binding)s and before.state = 'pending'
    and before.sequence < %(sequence)s
  order by before.sequence limit 1)), %(now)s)
on conflict do nothing
"""
log = structlog.get_logger()


class Line(NamedTuple):
    """What of a line of the history decides who is told."""

    xid: str
    id: int
    binding_id: str
    sequence: int
    event: str
    at: datetime
    to_state: str
    reason: str | None


class Endpoint(NamedTuple):
    """Where letters go, and which: `events` None is all."""

    id: str
    channel: str
    events: list[str] | None
    created_at: datetime

    def wants(self, kind: str, line: Line) -> bool:
        """Whether a letter of this kind goes here: not of what happened before the endpoint was there."""
        listed = self.events is None or kind in self.events or kind.removeprefix("binding.") in self.events
        return listed and line.at >= self.created_at


def fan_out(office: Office) -> int:
    """Turn new lines of every channel into deliveries; return how many lines were read. Safe to run twice at once.

    A channel whose lines break keeps no other from its letters; its fault is logged, and the first one raised in the
    end.
    """
    read, faults = 0, []
    for channel in with_news(office):
        try:
            read += _channel(office, channel)
        except Exception as fault:  # its place is not moved: the next call begins with the same lines
            log.exception("fan_out_failed", channel=channel)
            faults.append(fault)
    if faults:
        raise faults[0]
    return read


def with_news(office: Office) -> list[str]:
    """The channels with lines that were not turned into letters yet."""
    with office.ledger.connection() as conn:
        return [row[0] for row in conn.execute(_NEWS, (list(get_args(ChannelName)),))]


def _channel(office: Office, channel: str) -> int:
    read = 0
    while True:
        with office.ledger.transaction() as conn:
            lines = _take(conn, channel)
            if lines:
                _write(conn, channel, lines)
                _look_at_others(conn, lines)
        read += len(lines)
        if len(lines) < BATCH:
            return read


def _take(conn: Connection[Any], channel: str) -> list[Line]:
    """The next lines of a channel, with its cursor moved past them."""
    conn.execute(_BEGIN, (channel,))
    cursor = conn.execute(_CURSOR, (channel,)).fetchone()
    if cursor is None:
        return []
    lines = [Line(*row) for row in conn.execute(_LINES, (channel, *cursor, BATCH))]
    if lines:
        conn.execute(_ADVANCE, (lines[-1].xid, lines[-1].id, channel))
    return lines


def _look_at_others(conn: Connection[Any], lines: list[Line]) -> None:
    ended = [line for line in lines if line.to_state == UNBOUND]
    if ended:
        look_now(conn, [line.binding_id for line in ended],
                 [line.binding_id for line in ended if line.reason == "death"])  # fmt: skip


def _write(conn: Connection[Any], channel: str, lines: list[Line]) -> None:
    conn.execute(_NOTICES, ([line.binding_id for line in lines], [line.sequence for line in lines]))
    endpoints = [Endpoint(*row) for row in conn.execute(_ENDPOINTS)]
    if not endpoints:
        return
    row = conn.execute("select kinbind_now()").fetchone()
    assert row is not None  # noqa: S101  a select without a table always answers
    letters = [*_own(channel, lines, endpoints), *_elsewhere(conn, channel, lines, endpoints)]
    if letters:
        with conn.cursor() as cursor:
            cursor.executemany(_INSERT, [{**letter, "id": new_id("dlv", row[0]), "now": row[0]} for letter in letters])


def _letter(endpoint: Endpoint, line: Line, kind: str) -> dict[str, Any]:
    return {"endpoint": endpoint.id, "binding": line.binding_id, "sequence": line.sequence, "type": kind}


def _own(channel: str, lines: list[Line], endpoints: list[Endpoint]) -> Iterable[dict[str, Any]]:
    for line in lines:
        kind = f"binding.{line.event}"
        for endpoint in endpoints:
            if endpoint.channel == channel and endpoint.wants(kind, line):
                yield _letter(endpoint, line, kind)


def _elsewhere(
    conn: Connection[Any], channel: str, lines: list[Line], endpoints: list[Endpoint]
) -> Iterable[dict[str, Any]]:
    """A party learns of it in every other channel that has ever acted for him."""
    others = [endpoint for endpoint in endpoints if endpoint.channel != channel]
    if not others:
        return
    ids = list({line.binding_id for line in lines})
    known = {(row[0], row[1]) for row in conn.execute(_PARTIES_ELSEWHERE, (ids,))}
    for line in lines:
        for endpoint in others:
            if (line.binding_id, endpoint.channel) in known and endpoint.wants(PARTY_NOTICE, line):
                yield _letter(endpoint, line, PARTY_NOTICE)
