"""What an operator looks at first: how many are where and how old, what is due, what waits to be sent, who works."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import text

from models.ledger import Ledger
from workflows.case import STATES
from workflows.readiness import heartbeats
from workflows.sweeping import HELD_OPEN
from workflows.views.narrowing import Part, asked_of, narrowed
from workflows.views.pacing import Paced

# Of a letter `l`: its endpoint is not disabled (it would have answered 410). Others are never sent, and concern nobody.
TO_BE_SENT = "exists (select from webhook_endpoints e where e.id = l.endpoint_id and e.disabled_at is null)"
# One statement, so that a moment is seen whole. `{…}` narrows to a part.
_OVERVIEW = """
with clock as (select kinbind_now() as now),
states as (
  select b.state, count(*) as count, min(b.state_since) as oldest_since,
         extract(epoch from (select now from clock) - min(b.state_since)) as oldest_seconds
  from bindings b where true {bindings} group by b.state
),
due as (
  select d.name, bool_or(d.watch) as watch, count(*) as armed, min(d.due_at) as next_due_at,
         count(*) filter (where d.parked is not null) as parked,
         count(*) filter (where d.parked is null and d.due_at <= clock.now and not {held}) as overdue,
         count(*) filter (where d.parked is null and d.due_at > clock.now
                          and d.due_at <= clock.now + interval '24 hours') as due_within_24h
  from deadlines d cross join clock where true {deadlines} group by d.name
),
reviews as (
  select count(*) as reviews_open, count(*) filter (where r.due_at <= clock.now) as reviews_overdue,
         count(*) filter (where r.lease_until > clock.now) as reviews_claimed,
         count(*) filter (where r.escalations > 0) as reviews_escalated
  from review_cases r cross join clock where true {reviews}
),
work as (
  select r.*, (select count(*) from counter_tickets t where true {tickets}) as tickets_open,
         (select count(*) from face_sessions f where f.status = 'pending' {faces}) as face_sessions_pending
  from reviews r
),
backlog as (
  select count(*) filter (where l.state = 'pending') as pending,
         count(*) filter (where l.state = 'parked') as parked,
         min(l.created_at) filter (where l.state = 'pending') as oldest_pending_at
  from deliveries l where (l.state = 'pending' or l.state = 'parked') and {sent} {deliveries}
)
select clock.now,
  (select coalesce(jsonb_agg(s), '[]') from states s) as states,
  (select coalesce(jsonb_agg(d order by d.name), '[]') from due d) as deadlines,
  (select to_jsonb(w) from work w) as work,
  (select to_jsonb(b) from backlog b) as deliveries,
  (select coalesce(jsonb_agg(jsonb_build_object('provider', o.provider, 'since', o.first_at)), '[]')
   from provider_outages o where o.ended_at is null) as outages
from clock
"""
_NARROWED = {"bindings": "b.id", "deadlines": "d.binding_id", "reviews": "r.binding_id", "tickets": "t.binding_id",
             "faces": "f.binding_id", "deliveries": "l.binding_id"}  # fmt: skip


def overview(ledger: Ledger, part: Part) -> dict[str, Any]:
    """Counts and ages as of one moment, `at`; every state is listed, also an empty one.

    If counting takes long, an earlier answer is given again (`pacing`): `at` says from when it is.
    """
    return _paced(ledger, part)


def _look(ledger: Ledger, part: Part) -> dict[str, Any]:
    parts = {name: narrowed(part, column) for name, column in _NARROWED.items()}
    query = text(_OVERVIEW.format(held=HELD_OPEN, sent=TO_BE_SENT, **parts))
    row = ledger.read(query, asked_of(part, query))[0]
    by_state = {state["state"]: state for state in row["states"]}
    return {
        "at": row["now"],
        "states": [moments(by_state.get(name, _empty(name))) for name in STATES],
        "deadlines": moments(row["deadlines"]),
        "work": row["work"],
        "deliveries": moments(row["deliveries"]),
        "workers": heartbeats(ledger),
        "outages": moments(row["outages"]),
    }


_paced = Paced(_look)


def moments(value: Any) -> Any:
    """JSON from the database with its times as datetimes, so that doors write all times in one form."""
    if isinstance(value, list):
        return [moments(one) for one in value]
    if isinstance(value, dict):
        return {name: _moment(name, one) for name, one in value.items()}
    return value


def _moment(name: str, value: Any) -> Any:
    if isinstance(value, str) and name.endswith(("_at", "since")):
        return datetime.fromisoformat(value)
    return moments(value)


def _empty(state: str) -> dict[str, Any]:
    return {"state": state, "count": 0, "oldest_since": None, "oldest_seconds": None}
