"""What a steering meeting wants to see, read from the histories by SQL."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import psycopg

Rows = list[tuple[Any, ...]]

_STATEMENTS = {
    "by_day": """
        select to_char(at at time zone 'Asia/Shanghai', 'MM-DD') as day, event, count(*) from history
        where event in ('submitted', 'activated', 'routed_offline', 'review_begun', 'unbound')
        group by 1, 2 order by 1, 2""",
    "waits": """
        select to_state, count(*), percentile_disc(0.5) within group (order by seconds),
          percentile_disc(0.9) within group (order by seconds), max(seconds)
        from (
          select h.to_state, extract(epoch from
            lead(h.at) over (partition by h.binding_id order by h.sequence) - h.at)::float8 as seconds
          from history h where h.from_state is distinct from h.to_state) as stays
        where seconds is not null group by 1 order by 1""",
    "states": """
        select a.product, b.state, count(*) from bindings b join applications a on a.binding_id = b.id
        group by 1, 2 order by 1, 2""",
    "reasons": """
        select to_state, coalesce(reason, '-'), count(*) from history
        where to_state in ('rejected', 'expired', 'withdrawn', 'suspended', 'unbound') and from_state <> to_state
        group by 1, 2 order by 1, 3 desc, 2""",
    "offline": """
        select l.reason, count(*), count(*) filter (where b.state in ('active', 'suspended', 'unbinding', 'unbound')),
          count(*) filter (where b.state = 'rejected'), count(*) filter (where b.state = 'expired'),
          count(*) filter (where b.state not in
            ('active', 'suspended', 'unbinding', 'unbound', 'rejected', 'expired', 'withdrawn'))
        from (select distinct on (binding_id) binding_id, reason from history where event = 'routed_offline'
              order by binding_id, sequence) l join bindings b on b.id = l.binding_id
        group by 1 order by 2 desc, 1""",
    "breaches": """
        select 'reviews not decided in time' as what, count(distinct binding_id) from history
        where event = 'review_escalated' and actor = 'clock'
        union all select 'face windows that closed', count(*) from history where reason = 'first_attempt_to_pass'
        union all select 'registries silent for three working days', count(*) from history
          where reason = 'registry_unanswered'
        union all select 'applications expired', count(*) from history where event = 'expired'
        union all select 'windows held open through an outage', count(*) from history where event = 'window_extended'
        order by 1""",
}


@dataclass(frozen=True, slots=True)
class Figures:
    """Rows of each question; times in seconds."""

    by_day: Rows  # day, event, number
    waits: Rows  # state, number, median, nine in ten, longest
    states: Rows  # product, state, number
    reasons: Rows  # ending, reason, number
    offline: Rows  # why, number, in force or once so, rejected, expired, still waiting
    breaches: Rows  # what, number


def measure(url: str) -> Figures:
    """Ask them all."""
    with psycopg.connect(url) as conn:
        return Figures(**{name: conn.execute(text).fetchall() for name, text in _STATEMENTS.items()})
