"""Sessions of the console: a random token in a cookie, of which only the SHA-256 is kept.

They end twelve hours after they began, or after an hour in which nobody came; by the database's real time.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

from psycopg import Connection

from models.ledger import Ledger
from workflows.access.principals import Principal

HOURS = 12
IDLE_MINUTES = 60

_BEGIN = """
insert into staff_sessions (id, principal, setup, started_at, seen_at, expires_at)
values (%s, %s, %s, clock_timestamp(), clock_timestamp(), clock_timestamp() + make_interval(hours => %s))
"""
_GOES_ON = """s.expires_at > clock_timestamp() and p.revoked_at is null
    and s.seen_at > clock_timestamp() - make_interval(mins => %(idle)s)"""
# Seen once a minute is often enough: a page must not cost a write.
_FIND = f"""
with found as (
  select s.id, s.setup, s.seen_at < clock_timestamp() - interval '1 minute' as stale,
    p.id as principal, p.kind, p.name, p.channel, p.roles, p.regions, p.person
  from staff_sessions s join principals p on p.id = s.principal
  where s.id = %(id)s and {_GOES_ON}),
seen as (
  update staff_sessions s set seen_at = clock_timestamp() from found where s.id = found.id and found.stale and %(seen)s)
select setup, principal, kind, name, channel, roles, regions, person from found
"""  # noqa: S608  a text of ours
_GOING_ON = f"""
select s.id from staff_sessions s join principals p on p.id = s.principal where s.id = any(%(ids)s) and {_GOES_ON}
"""  # noqa: S608  the same
_END = "delete from staff_sessions where id = %s"
_END_ALL = "delete from staff_sessions where principal = %s"
_PENDING = "select 1 from staff_sessions where principal = %s and setup = %s"
_FORGET = "delete from staff_sessions where expires_at < clock_timestamp()"


@dataclass(frozen=True, slots=True)
class Session:
    """Who has signed in; `setup` is sealed, and there until he has set up his account."""

    principal: Principal
    setup: bytes | None = None


def begin(conn: Connection[Any], principal_id: str, setup: bytes | None = None) -> str:
    """Begin a session; the token for the cookie."""
    token = secrets.token_urlsafe(32)
    conn.execute(_BEGIN, (_id(token), principal_id, setup, HOURS))
    return token


def pending(conn: Connection[Any], session: Session) -> bool:
    """Whether the session that sets up an account is still there: it is the only one with this sealed secret."""
    return conn.execute(_PENDING, (session.principal.id, session.setup)).fetchone() is not None


def find(ledger: Ledger, token: str, *, seen: bool = True) -> Session | None:
    """The session of a cookie; None if it has ended or never was. `seen`: a person asks, not his page by itself."""
    if not 20 <= len(token) <= 100:
        return None
    with ledger.connection() as conn:
        row = conn.execute(_FIND, {"id": _id(token), "idle": IDLE_MINUTES, "seen": seen}).fetchone()
    if row is None:
        return None
    principal = Principal(row[1], row[2], row[3], row[4], tuple(row[5]), tuple(row[6]), row[7])
    return Session(principal, bytes(row[0]) if row[0] is not None else None)


def going_on(ledger: Ledger, tokens: Collection[str]) -> set[str]:
    """Those of these tokens whose sessions have not ended; asking does not keep them alive."""
    ids = {_id(token): token for token in tokens}
    with ledger.connection() as conn:
        rows = conn.execute(_GOING_ON, {"ids": list(ids), "idle": IDLE_MINUTES}).fetchall()
    return {ids[row[0]] for row in rows}


def end(ledger: Ledger, token: str) -> None:
    """End a session; no error if it has ended already."""
    with ledger.connection() as conn:
        conn.execute(_END, (_id(token),))


def end_all(conn: Connection[Any], principal_id: str) -> None:
    """End all sessions of somebody."""
    conn.execute(_END_ALL, (principal_id,))


def forget(conn: Connection[Any]) -> None:
    """Drop the sessions that are over."""
    conn.execute(_FORGET)


def new_token() -> str:
    """A token that belongs to no session yet, for the form that signs somebody in."""
    return secrets.token_urlsafe(32)


def csrf_of(token: str) -> str:
    """What a form must bring along to show that it comes from a page of ours: a digest of the cookie."""
    return hmac.digest(token.encode(), b"csrf", hashlib.sha256).hex()


def _id(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()
