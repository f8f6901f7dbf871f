"""Bindings that do not move though they should: each with its cause, the evidence, and since when.

A cause is one query over small tables; all that are asked for are read by one statement. Leniences are how long
something may be late before it is worth a person's look.
"""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime
from typing import Any

from sqlalchemy import TextClause, text

from models.ledger import Ledger
from workflows.access.scopes import patterns
from workflows.case import ACTIVE, FINAL
from workflows.views import cursors
from workflows.views.overview import moments

# Each gives binding_id, since and evidence; `clock` is the service's now. Keep evidence free of names and addresses.
CAUSES: dict[str, str] = {
    # the sweep looks every second: a minute late is the sweep's trouble, or an outage that holds the face window
    "deadline_overdue": """
select d.binding_id, d.due_at as since,
  jsonb_build_object('deadline', d.name, 'due_at', d.due_at, 'attempts', d.attempts, 'watch', d.watch) as evidence
from deadlines d, clock
where d.parked is null and d.due_at < clock.now - interval '1 minute' * case when d.watch then 15 else 1 end""",
    "step_poisoned": """
select d.binding_id, d.due_at as since,
  jsonb_build_object('deadline', d.name, 'parked', d.parked, 'attempts', d.attempts) as evidence
from deadlines d where d.parked is not null""",
    "no_deadline": """
select b.id as binding_id, b.state_since as since,
  jsonb_build_object('state', b.state, 'version', b.version) as evidence
from bindings b
where b.state <> all(:resting)
  and not exists (select from deadlines d where d.binding_id = b.id)""",
    "registry_unanswered": """
select d.binding_id, b.state_since as since,
  jsonb_build_object('attempts', d.attempts, 'asked_again_at', d.due_at) as evidence
from deadlines d join bindings b on b.id = d.binding_id
where d.name = 'materials_to_checked' and d.attempts > 1""",
    # a session without an answer is polled at its end; ten minutes later even the poll has heard nothing
    "callback_lost": """
select f.binding_id, f.expires_at as since,
  jsonb_build_object('face_check_id', f.id, 'provider', f.provider, 'expires_at', f.expires_at,
                     'polls', f.attempts) as evidence
from face_sessions f, clock
where f.status = 'pending' and f.expires_at < clock.now - interval '10 minutes'""",
    "delivery_parked": """
select l.binding_id, coalesce(l.settled_at, l.created_at) as since,
  jsonb_build_object('delivery_id', l.id, 'endpoint_id', l.endpoint_id, 'sequence', l.sequence, 'type', l.type,
                     'attempts', l.attempts, 'last_error', l.last_error) as evidence
from deliveries l where l.state = 'parked'""",
    "delivery_late": """
select l.binding_id, l.created_at as since,
  jsonb_build_object('delivery_id', l.id, 'endpoint_id', l.endpoint_id, 'sequence', l.sequence,
                     'attempts', l.attempts, 'next_at', l.next_at, 'last_error', l.last_error) as evidence
from deliveries l, clock
where l.state = 'pending' and l.created_at < clock.now - interval '1 hour'""",
    # the oldest line of a channel that nobody has turned into deliveries for a minute of real time
    "feed_lagging": """
select line.binding_id, line.at as since,
  jsonb_build_object('channel', e.channel, 'sequence', line.sequence,
                     'seconds', extract(epoch from clock_timestamp() - line.recorded_at)) as evidence
from (select distinct channel from webhook_endpoints where disabled_at is null) e
left join feed_cursors c on c.channel = e.channel
cross join lateral (
  select h.binding_id, h.sequence, h.at, h.recorded_at from history h
  where h.channel = e.channel and (c.channel is null or (h.xid, h.id) > (c.xid, c.id))
  order by h.xid, h.id limit 1) line
where line.recorded_at < clock_timestamp() - interval '1 minute'""",
}

_LIST = """
with clock as (select kinbind_now() as now),
found as ({causes})
select f.binding_id, f.cause, f.since, f.evidence, f.key, b.state, b.version, a.product, a.channel, a.region
from found f join bindings b on b.id = f.binding_id join applications a on a.binding_id = f.binding_id
where a.region like any(:granted)
  and (cast(:since as timestamptz) is null or (f.since, f.binding_id, f.cause, f.key)
       > (cast(:since as timestamptz), :after, :after_cause, :after_key))
order by f.since, f.binding_id, f.cause, f.key
limit :limit
"""
# What tells two findings of one cause in one binding apart.
_KEY = "coalesce(s.evidence ->> 'delivery_id', s.evidence ->> 'face_check_id', s.evidence ->> 'deadline', '')"
_COUNTS = """
with clock as (select kinbind_now() as now),
found as ({causes})
select f.cause, count(*) as count, min(f.since) as oldest_since from found f group by f.cause
"""


def stuck(
    ledger: Ledger, granted: Collection[str], cause: str | None, limit: int, cursor: str | None
) -> dict[str, Any]:
    """A page of what is stuck in these regions, the longest first; `cause` is one of `CAUSES`, None for all."""
    place = cursors.decode(cursor, datetime, str, str, str) if cursor else (None, None, None, None)
    since, after, after_cause, after_key = place
    rows = ledger.read(_query(_LIST, [cause] if cause else CAUSES), {
        "granted": patterns(granted), "since": since, "after": after, "after_cause": after_cause,
        "after_key": after_key, "limit": limit + 1,
    })  # fmt: skip
    last = rows[limit - 1] if len(rows) > limit else None
    return {"items": [_item(row) for row in rows[:limit]], "next_cursor": _behind(last) if last else None}


def counts(ledger: Ledger) -> dict[str, int]:
    """How many are stuck, by cause, everywhere; causes with none are there too."""
    found = ledger.read(_query(_COUNTS, CAUSES))
    return dict.fromkeys(CAUSES, 0) | {row["cause"]: row["count"] for row in found}


def _query(statement: str, causes: Collection[str]) -> TextClause:
    union = "\nunion all\n".join(
        f"select s.binding_id, '{cause}' as cause, s.since, s.evidence, {_KEY} as key from ({CAUSES[cause]}) s"  # noqa: S608 - all ours
        for cause in causes
    )
    asked = text(statement.format(causes=union))
    return asked.bindparams(resting=[ACTIVE, *FINAL]) if ":resting" in union else asked


def _item(row: Any) -> dict[str, Any]:
    shown = {name: value for name, value in row.items() if name != "key"}
    return shown | {"evidence": moments(row["evidence"]), "repairs": []}


def _behind(last: Any) -> str:
    return cursors.encode(last["since"], last["binding_id"], last["cause"], last["key"])
