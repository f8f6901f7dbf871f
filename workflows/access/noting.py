"""The access log: who signed in or failed to, looked for whom or at what, gave or took a key, told or erased somebody.

A look is noted before it is answered, a change in the commit that makes it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from psycopg import Connection

from models.ledger import Ledger
from workflows.case import Actor

_NOTE = """
insert into access_log (at, principal, act, binding_id, person, purpose)
select kinbind_now(), %(principal)s, %(act)s, %(binding)s, person, %(purpose)s
from unnest(%(persons)s::text[]) as person
"""
COMMAND_LINE = "command_line"  # who keeps the servers: what he does to accounts and keys is under no key of ours
_NOBODY = (None,)  # an act that concerns no person (a key, a document) is one row all the same


def note(
    conn: Connection[Any],
    principal: str,
    act: str,
    *,
    persons: Sequence[str | None] = _NOBODY,
    binding: str | None = None,
    purpose: str | None = None,
) -> None:
    """Log an act: a row for each of these persons (blind indexes), or one row that names nobody."""
    named = {"principal": principal, "act": act, "binding": binding, "persons": list(persons), "purpose": purpose}
    conn.execute(_NOTE, named)


def note_search(ledger: Ledger, actor: Actor, persons: Sequence[str], purpose: str) -> None:
    """Log that a member of staff has looked for these persons by a number."""
    with ledger.connection() as conn:
        note(conn, actor.id, "search", persons=persons, purpose=purpose)
