"""A member of staff has looked for somebody by his number: noted before it is answered, as every such look is."""

from __future__ import annotations

from collections.abc import Sequence

from models.ledger import Ledger
from workflows.case import Actor

_NOTE = """
insert into access_log (at, principal, act, person, purpose)
select kinbind_now(), %s, 'search', person, %s from unnest(%s::text[]) as person
"""


def note(ledger: Ledger, actor: Actor, persons: Sequence[str], purpose: str) -> None:
    """Log who has looked for which persons (blind indexes), and what for."""
    with ledger.desk() as conn:
        conn.execute(_NOTE, (actor.id, purpose, list(persons)))
