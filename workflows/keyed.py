"""Whose ledger it is: one keyring's for good. Under another its people would be others, and be bound twice."""

from __future__ import annotations

from typing import Any

from psycopg import Connection

from models.keyring import AnotherKeyringError, Keyring, keyring
from models.ledger import Ledger

_TAKE = "insert into keyring (mark) values (%s) on conflict do nothing"


def keyring_of(ledger: Ledger) -> Keyring:
    """The process's keyring; a ledger that was nobody's belongs to it from now on.

    Raises `AnotherKeyringError` where the ledger belongs to another, and what `keyring` raises.
    """
    keys = keyring()
    with ledger.connection() as conn:
        if mark(conn) is None:
            conn.execute(_TAKE, (keys.mark,))
        if mark(conn) != keys.mark:
            raise AnotherKeyringError
    return keys


def mark(conn: Connection[Any]) -> str | None:
    """The mark of the keyring that the ledger belongs to; None while it is nobody's."""
    row = conn.execute("select mark from keyring").fetchone()
    return row[0] if row else None
