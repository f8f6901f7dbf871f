"""Signs of life: who has worked last, and when by real time. The operators' page misses whoever is silent."""

from __future__ import annotations

from models.ledger import Ledger

_GIVE = """
insert into heartbeats (name, seen_at) values (%s, clock_timestamp())
on conflict (name) do update set seen_at = excluded.seen_at
"""
_TAKE_AWAY = "delete from heartbeats where name = %s"


def give(ledger: Ledger, name: str) -> None:
    """Say that `name` works."""
    with ledger.connection() as conn:
        conn.execute(_GIVE, (name,))


def take_away(ledger: Ledger, name: str) -> None:
    """Say that `name` has ended as it should, so that nobody misses it."""
    with ledger.connection() as conn:
        conn.execute(_TAKE_AWAY, (name,))
