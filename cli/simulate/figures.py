"""What a steering meeting wants to see, read from the histories by SQL."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import psycopg

from policies.book import lawbook
from policies.languages import Words
from policies.plan import plan_from_json
from workflows.views import reason_words

Rows = list[tuple[Any, ...]]

_STAYS = """
create temp table stays as
select h.to_state, h.at, lead(h.at) over (partition by h.binding_id order by h.sequence) as until
from history h where h.from_state is distinct from h.to_state
"""
# What happens at the very end happens on the day that ends then.
_STATEMENTS = {
    "by_day": """
        select to_char((at - interval '1 microsecond') at time zone 'Asia/Shanghai', 'MM-DD') as day, event, count(*)
        from history where event in ('submitted', 'activated', 'routed_offline', 'review_begun', 'unbound')
        group by 1, 2 order by 1, 2""",
    "stages": """
        select to_state, sum(n)::bigint, sum(gone)::bigint, sum(n - gone)::bigint, max(n)
        from (select to_state, ((at - interval '1 microsecond') at time zone 'Asia/Shanghai')::date as day,
                count(*) as n, count(until) as gone
              from stays group by 1, 2) as days
        group by 1 order by 1""",
    "waits": """
        select to_state, count(*), percentile_disc(0.5) within group (order by seconds),
          percentile_disc(0.9) within group (order by seconds), max(seconds)
        from (select to_state, extract(epoch from until - at)::float8 as seconds from stays) as spans
        where seconds is not null group by 1 order by 1""",
    "journeys": """
        select a.product, exists (select from history o where o.binding_id = h.binding_id
            and o.event = 'routed_offline' and o.at <= h.at) as offline,
          count(*), percentile_disc(0.5) within group (order by extract(epoch from h.at - a.created_at)::float8),
          percentile_disc(0.9) within group (order by extract(epoch from h.at - a.created_at)::float8)
        from history h join applications a on a.binding_id = h.binding_id where h.event = 'activated'
        group by 1, 2 order by 1, 2""",
    "states": """
        select a.product, b.state, count(*) from bindings b join applications a on a.binding_id = b.id
        group by 1, 2 order by 1, 3 desc, 2""",
    "reasons": """
        select to_state, coalesce(reason, '-'), count(*) from history
        where to_state in ('rejected', 'expired', 'withdrawn', 'suspended', 'unbound') and from_state <> to_state
        group by 1, 2 order by 1, 3 desc, 2""",
    "offline": """
        select l.reason, count(*), count(*) filter (where b.state in ('active', 'suspended', 'unbinding', 'unbound')),
          count(*) filter (where b.state = 'rejected'), count(*) filter (where b.state in ('expired', 'withdrawn')),
          count(*) filter (where b.state not in
            ('active', 'suspended', 'unbinding', 'unbound', 'rejected', 'expired', 'withdrawn'))
        from (select distinct on (binding_id) binding_id, reason from history where event = 'routed_offline'
              order by binding_id, sequence) l join bindings b on b.id = l.binding_id
        group by 1 order by 2 desc, 1""",
    "breaches": """
        with happened as (select event, reason, actor, to_state, binding_id from history)
        select 'late_reviews', count(distinct binding_id) filter (where event = 'review_escalated' and actor = 'clock'),
          count(distinct binding_id) filter (where to_state = 'agency_review') from happened
        union all
        select 'closed_windows', count(*) filter (where reason = 'first_attempt_to_pass'),
          count(distinct binding_id) filter (where to_state = 'face_check') from happened
        union all
        select 'silent_registries', count(*) filter (where reason = 'registry_unanswered'),
          count(distinct binding_id) filter (where to_state = 'materials_uploaded') from happened
        union all
        select 'expired', count(*) filter (where event = 'expired'), count(distinct binding_id) from happened
        union all
        select 'held_windows', count(distinct binding_id) filter (where event = 'window_extended'),
          count(distinct binding_id) filter (where to_state = 'face_check') from happened""",
}
_REASONS = """
select said.reason, p.body::text
from (select h.reason, min(b.plan) as plan from history h join bindings b on b.id = h.binding_id
      where h.reason is not null group by 1) as said
join plans p on p.hash = said.plan order by 1
"""


@dataclass(frozen=True, slots=True)
class Figures:
    """Rows of each question; times in seconds; `words` of the reason codes, as one plan that gave them has them."""

    by_day: Rows  # day, event, number
    stages: Rows  # state, came in, went on, still there, most on one day
    waits: Rows  # state, number, median, nine in ten, longest
    journeys: Rows  # product, whether over a counter, in force, median and nine in ten from the application to there
    states: Rows  # product, state, number
    reasons: Rows  # ending, reason, number
    offline: Rows  # why, number, in force or once so, rejected, expired or withdrawn, still waiting
    breaches: Rows  # what, number, of how many
    words: dict[str, Words]


def measure(url: str) -> Figures:
    """Ask them all."""
    with psycopg.connect(url, options="-c jit=off") as conn:
        conn.execute(_STAYS)
        found = {name: conn.execute(text).fetchall() for name, text in _STATEMENTS.items()}
        words: dict[str, Words] = {}
        for code, body in conn.execute(_REASONS):
            words |= reason_words.every([code], plan_from_json(body), lawbook())
    return Figures(**found, words=words)
