"""An operator's first screen: what is due or late, who works, whose letters lag, which face provider is well.

Each part is one statement over small tables or a bounded stretch of an index; what is stuck stands in `stuck`, what
moves in `flow`. Times of steps are the service's clock; heartbeats are real time, as in `overview`.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any, Literal

from sqlalchemy import text

from models.ids import first_id
from models.ledger import Ledger
from workflows.readiness import MISSED_AFTER, UPKEEP_MISSED_AFTER, heartbeats
from workflows.sweeping import HELD_OPEN
from workflows.views import cursors
from workflows.views.narrowing import Part, asked_of, narrowed

SOON = timedelta(hours=4)  # a deadline this near is worth an operator's look
BACK = timedelta(hours=24)  # how far back a provider's health is judged
When = Literal["overdue", "soon"]
Which = Literal["pending", "behind", "parked"]  # letters still to be delivered, those of them that are late, put aside

_DUE = """
with clock as (select kinbind_now() as now)
select d.name, count(*) filter (where d.due_at <= clock.now) as overdue,
  count(*) filter (where d.due_at > clock.now) as soon,
  min(d.due_at) filter (where d.due_at <= clock.now) as oldest_at, min(d.due_at) as first_at
from deadlines d cross join clock
where d.parked is null and not d.watch and d.due_at <= clock.now + cast(:soon as interval)
  and not (d.due_at <= clock.now and {held}) {part}
group by d.name order by 2 desc, 3 desc, 1
"""
_DUE_LIST = """
with clock as (select kinbind_now() as now)
select d.binding_id, d.name, d.due_at, d.attempts
from deadlines d cross join clock
where d.parked is null and not d.watch and d.name = :name and {when}
  and (cast(:at as timestamptz) is null or (d.due_at, d.binding_id) > (cast(:at as timestamptz), :after)) {part}
order by d.due_at, d.binding_id limit :limit
"""
_WHEN: dict[When, str] = {
    "overdue": f"d.due_at <= clock.now and not {HELD_OPEN}",
    "soon": "d.due_at > clock.now and d.due_at <= clock.now + cast(:soon as interval)",
}
_ESCALATED = """
select count(*) as reviews, count(*) filter (where r.due_at <= (select kinbind_now())) as overdue
from review_cases r where r.escalations > 0 {part}
"""
# Of its escalations the one that asks somebody something: the last by a person, else the clock's.
_ESCALATED_LIST = """
select r.binding_id, r.entered_at, r.due_at, r.escalations, e.at, e.actor, e.note
from review_cases r left join lateral (
  select h.at, h.actor, h.note from history h
  where h.binding_id = r.binding_id and h.event = 'review_escalated' and h.at >= r.entered_at
  order by h.actor like 'clock%', h.sequence desc limit 1
) as e on true
where r.escalations > 0
  and (cast(:at as timestamptz) is null or (r.due_at, r.binding_id) > (cast(:at as timestamptz), :after)) {part}
order by r.due_at, r.binding_id limit :limit
"""
_ALWAYS = {"sweep", "keep_up", "worker"}
_MISSED = {"keep_up": UPKEEP_MISSED_AFTER}
# `pending` and `parked` each have a small index of their own; most letters are in neither state.
_CHANNELS = """
with clock as (select kinbind_now() as now)
select e.channel, count(*) filter (where l.state = 'pending') as pending,
  count(*) filter (where l.state = 'pending' and l.created_at < clock.now - interval '1 minute') as behind,
  count(*) filter (where l.state = 'parked') as parked,
  extract(epoch from clock.now - min(l.created_at) filter (where l.state = 'pending'))::float8 as oldest_seconds
from (select endpoint_id, binding_id, state, created_at from deliveries where state = 'pending'
      union all select endpoint_id, binding_id, state, created_at from deliveries where state = 'parked') l
join webhook_endpoints e on e.id = l.endpoint_id cross join clock
where e.disabled_at is null {part}
group by e.channel, clock.now order by 4 desc, 3 desc, 1
"""
_LETTERS = """
select l.binding_id, l.id, l.sequence, l.type, l.state, l.attempts, l.last_error, l.created_at, l.next_at
from deliveries l join webhook_endpoints e on e.id = l.endpoint_id
where l.state = :state and e.disabled_at is null and e.channel = :channel
  and (not :late or l.created_at < (select kinbind_now()) - interval '1 minute')
  and (cast(:after as text) is null or l.id > :after) {part}
order by l.id limit :limit
"""
_ENDPOINTS = text("select id, channel, url from webhook_endpoints")
_PROVIDERS = """
select f.provider, count(*) as begun, count(*) filter (where f.status = 'passed') as passed,
  count(*) filter (where f.status = 'failed') as failed,
  count(*) filter (where f.status in ('error', 'expired')) as unanswered,
  count(*) filter (where f.status = 'pending') as pending,
  percentile_cont(0.5) within group (order by extract(epoch from f.finished_at - f.started_at)) as median_seconds
from face_sessions f where f.id >= :since {part} group by f.provider order by 1
"""
_OUTAGES = text("""
select provider, max(first_at) filter (where ended_at is null) as down_since, count(*) as outages
from provider_outages where ended_at is null or last_at > kinbind_now() - cast(:back as interval) group by provider
""")
_SESSIONS = """
select f.binding_id, f.id, f.subject, f.status, f.reason, f.started_at, f.finished_at
from face_sessions f where f.provider = :provider and f.id >= :since
  and (cast(:status as text) is null or f.status = any(string_to_array(:status, ' ')))
  and (cast(:after as text) is null or f.id < :after) {part}
order by f.id desc limit :limit
"""


def due(ledger: Ledger, part: Part) -> list[dict[str, Any]]:
    """By deadline, how many are overdue and how many due within `SOON`, without windows that an outage holds open."""
    query = text(_DUE.format(held=HELD_OPEN, part=narrowed(part, "d.binding_id")))
    return [dict(row) for row in ledger.read(query, asked_of(part, query, soon=SOON))]


def due_list(
    ledger: Ledger, part: Part, name: str, when: When, limit: int, cursor: str | None = None
) -> dict[str, Any]:
    """A page of the bindings behind one of these numbers, the nearest due first. Raises `Refused` `cursor_invalid`."""
    at, after = cursors.decode(cursor, datetime, str) if cursor else (None, None)
    query = text(_DUE_LIST.format(when=_WHEN[when], part=narrowed(part, "d.binding_id")))
    rows = ledger.read(query, asked_of(part, query, soon=SOON, name=name, at=at, after=after, limit=limit + 1))
    return cursors.page(rows, limit, "due_at", "binding_id")


def escalated(ledger: Ledger, part: Part) -> dict[str, int]:
    """How many `reviews` were escalated and wait still, and how many are `overdue`, though their deadline is new."""
    query = text(_ESCALATED.format(part=narrowed(part, "r.binding_id")))
    return dict(ledger.read(query, asked_of(part, query))[0])


def escalated_list(ledger: Ledger, part: Part, limit: int, cursor: str | None = None) -> dict[str, Any]:
    """A page of them, sorted by `due_at`, when each should have been decided; of one escalation `at`, `actor`, `note`.

    Raises `Refused` `cursor_invalid`.
    """
    at, after = cursors.decode(cursor, datetime, str) if cursor else (None, None)
    query = text(_ESCALATED_LIST.format(part=narrowed(part, "r.binding_id")))
    rows = ledger.read(query, asked_of(part, query, at=at, after=after, limit=limit + 1))
    return cursors.page(rows, limit, "due_at", "binding_id")


def signs_of_life(ledger: Ledger) -> list[dict[str, Any]]:
    """When sweep, upkeep and each worker were last seen (real time). Each is listed even if there never was one."""
    rows = [row | {"missed": row["seconds"] > _MISSED.get(row["name"], MISSED_AFTER)} for row in heartbeats(ledger)]
    there = {row["name"].partition(":")[0] for row in rows}
    never = [{"name": name, "seen_at": None, "seconds": None, "missed": True} for name in _ALWAYS - there]
    return sorted(rows + never, key=lambda row: row["name"])


def channels(ledger: Ledger, part: Part) -> list[dict[str, Any]]:
    """By channel, the letters still to be delivered, those late by a minute, and those put aside."""
    query = text(_CHANNELS.format(part=narrowed(part, "l.binding_id")))
    return [dict(row) for row in ledger.read(query, asked_of(part, query))]


def letters(
    ledger: Ledger, part: Part, channel: str, which: Which, limit: int, cursor: str | None = None
) -> dict[str, Any]:
    """A page of the letters behind one of a channel's numbers, the oldest first. Raises `Refused` `cursor_invalid`."""
    after = cursors.decode(cursor, str)[0] if cursor else None
    query = text(_LETTERS.format(part=narrowed(part, "l.binding_id")))
    state = "parked" if which == "parked" else "pending"
    rows = ledger.read(query, asked_of(part, query, channel=channel, state=state, late=which == "behind", after=after,
                                       limit=limit + 1))  # fmt: skip
    return cursors.page(rows, limit, "id")


def endpoints(ledger: Ledger) -> dict[str, dict[str, str]]:
    """Every endpoint by its id, the disabled ones too: `channel`, `url`."""
    return {row["id"]: {"channel": row["channel"], "url": row["url"]} for row in ledger.read(_ENDPOINTS)}


def providers(ledger: Ledger, part: Part, now: datetime) -> list[dict[str, Any]]:
    """By face provider, what became of the attempts of the last day, and whether it is down."""
    query = text(_PROVIDERS.format(part=narrowed(part, "f.binding_id")))
    rows = ledger.read(query, asked_of(part, query, since=first_id("fac", now - BACK)))
    found = {row["provider"]: dict(row) | {"down_since": None, "outages": 0} for row in rows}
    for row in ledger.read(_OUTAGES, {"back": BACK}):
        nothing = dict.fromkeys(("begun", "passed", "failed", "unanswered", "pending"), 0) | {"median_seconds": None}
        found.setdefault(row["provider"], {"provider": row["provider"], **nothing}).update(
            down_since=row["down_since"], outages=row["outages"]
        )
    return list(found.values())


def sessions(
    ledger: Ledger, part: Part, provider: str, status: str | None, now: datetime, limit: int, cursor: str | None = None
) -> dict[str, Any]:
    """A page of a provider's attempts of the last day, the newest first; `status` may be several, with spaces."""
    after = cursors.decode(cursor, str)[0] if cursor else None
    query = text(_SESSIONS.format(part=narrowed(part, "f.binding_id")))
    rows = ledger.read(query, asked_of(part, query, provider=provider, status=status, after=after, limit=limit + 1,
                                       since=first_id("fac", now - BACK)))  # fmt: skip
    return cursors.page(rows, limit, "id")
