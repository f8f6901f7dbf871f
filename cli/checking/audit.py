"""One audit of a ledger: everything that is looked at, in one snapshot."""

from __future__ import annotations

import psycopg

from cli.checking.findings import Findings
from cli.checking.rows import look
from cli.checking.walk import walk


def examine(url: str, *, settled: bool = False) -> Findings:
    """Audit the ledger at `url` in one snapshot; `settled`: nobody is at work, nothing may be under way."""
    with psycopg.connect(url) as conn:
        conn.isolation_level = psycopg.IsolationLevel.REPEATABLE_READ
        conn.read_only = True
        row = conn.execute("select kinbind_now()").fetchone()
        assert row is not None  # noqa: S101  a select without a table always answers
        found = Findings(row[0], settled)
        found.digest = walk(conn, found)
        look(conn, found)
    return found
