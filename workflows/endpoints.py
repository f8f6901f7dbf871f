"""Where a channel wants its events pushed: addresses and the secrets that sign what is sent there."""

from __future__ import annotations

import base64
import secrets
from collections.abc import Collection, Sequence
from datetime import datetime, timedelta
from typing import Any

import orjson
from psycopg import Connection
from sqlalchemy import text

from models.ids import new_id
from models.keyring import Keyring
from workflows import answers
from workflows.binding import MOVES
from workflows.commands import Idempotency, Reply
from workflows.engine import Desk
from workflows.errors import Refused, not_found
from workflows.views import cursors, public

MOST = 10  # endpoints of one channel
OVERLAP_HOURS = 24  # how long an old secret goes on signing beside the new one
MOST_OLD = 4  # old secrets that still sign: receivers refuse a header with many signatures
_NOTICES = ("binding.party_notice", "binding.stuck", "binding.recovered")  # events that have no line in the history
EVENTS = frozenset({*(f"binding.{move.event}" for move in MOVES), *_NOTICES})

_OF_CHANNEL = text("""
select id, url, events, created_at, disabled_at from webhook_endpoints where channel = :channel order by id
""")
# One channel's endpoints are counted and added one after the other.
_ONE_BY_ONE = "select pg_advisory_xact_lock(hashtext('webhook_endpoints'), hashtext(%s))"
_COUNT = "select count(*), kinbind_now() from webhook_endpoints where channel = %s"
_ADD = """
insert into webhook_endpoints (id, channel, url, events, secrets, created_at) values (%s, %s, %s, %s, %s, %s)
"""
_LOCK = """
select secrets, kinbind_now() from webhook_endpoints where id = %s and channel = %s for update
"""


# Whoever has a letter sent again has been told that it is taken.
_WAKE = "update webhook_endpoints set rests_until = null where id = any(%s) and rests_until is not null"


def add(desk: Desk, channel: str, url: str, events: Sequence[str] | None, asked: Idempotency | None) -> Reply:
    """A new endpoint, its secret shown this once only; `events` None is all of them.

    The address has been judged by the caller. Raises `Refused` with `too_many_endpoints`, and as `answers.keep_on`.
    """
    secret = new_secret()
    with desk.ledger.transaction() as conn:
        conn.execute(_ONE_BY_ONE, (channel,))
        row = conn.execute(_COUNT, (channel,)).fetchone()
        assert row is not None  # noqa: S101  a count always answers
        now = row[1]
        if row[0] >= MOST:
            raise Refused("too_many_endpoints", most=MOST)
        endpoint_id = new_id("whe", now)
        wanted = sorted(set(events)) if events is not None else None
        sealed = seal(desk.keys, endpoint_id, [{"secret": secret, "until": None}])
        conn.execute(_ADD, (endpoint_id, channel, url, wanted, sealed, now))
        made = {"id": endpoint_id, "url": url, "events": wanted, "secret": secret, "created_at": now}
        reply = Reply(201, public.dumps(made), secret=True)
        answers.keep_on(conn, desk.keys, asked, reply)
    return reply


def of_channel(desk: Desk, channel: str) -> list[dict[str, Any]]:
    """The endpoints of a channel, without secrets; one that answered 410 says since when it is disabled."""
    return [dict(row) for row in desk.ledger.read(_OF_CHANNEL, {"channel": channel}, fresh=True)]


def page(desk: Desk, channel: str, limit: int, cursor: str | None) -> dict[str, Any]:
    """A page of them, the oldest first. Raises `Refused` 400 `cursor_invalid`."""
    after = cursors.decode(cursor, str)[0] if cursor else ""
    return cursors.page([one for one in of_channel(desk, channel) if one["id"] > after], limit, "id")


def known(desk: Desk, channel: str, endpoint_id: str) -> None:
    """Make sure that this endpoint is the channel's. Raises `Refused` with `not_found`."""
    if all(endpoint["id"] != endpoint_id for endpoint in of_channel(desk, channel)):
        raise not_found()


def remove(desk: Desk, channel: str, endpoint_id: str) -> None:
    """Forget an endpoint and what was still to be sent there. Raises `Refused` with `not_found`."""
    with desk.ledger.transaction() as conn:
        gone = conn.execute("delete from webhook_endpoints where id = %s and channel = %s", (endpoint_id, channel))
        if gone.rowcount == 0:
            raise not_found()
        conn.execute("delete from deliveries where endpoint_id = %s and state <> 'delivered'", (endpoint_id,))


def rotate(desk: Desk, channel: str, endpoint_id: str, asked: Idempotency | None) -> Reply:
    """A new secret, shown this once only; the one before it goes on signing for 24 hours.

    Raises `Refused` with `not_found`, and as `answers.keep_on`.
    """
    secret = new_secret()
    with desk.ledger.transaction() as conn:
        row = conn.execute(_LOCK, (endpoint_id, channel)).fetchone()
        if row is None:
            raise not_found()
        until = row[1] + timedelta(hours=OVERLAP_HOURS)
        kept = [{"secret": secret, "until": None}, *_ending(_open(desk.keys, endpoint_id, row[0]), row[1], until)]
        sealed = seal(desk.keys, endpoint_id, kept)
        conn.execute("update webhook_endpoints set secrets = %s where id = %s", (sealed, endpoint_id))
        told = {"id": endpoint_id, "secret": secret, "previous_valid_until": until}
        reply = Reply(200, public.dumps(told), secret=True)
        answers.keep_on(conn, desk.keys, asked, reply)
    return reply


def wake(conn: Connection[Any], endpoint_ids: Collection[str]) -> None:
    """Let letters to these endpoints be tried at once, also where none would have been for a while."""
    conn.execute(_WAKE, (sorted(set(endpoint_ids)),))


def signing(keys: Keyring, endpoint_id: str, sealed: bytes, now: datetime) -> list[str]:
    """The secrets that sign at `now`, the newest first: what the column `secrets` holds, opened."""
    kept = _open(keys, endpoint_id, sealed)
    return [one["secret"] for one in kept if one["until"] is None or datetime.fromisoformat(one["until"]) > now]


def new_secret() -> str:
    """Make a secret as it is shown, once: `whsec_` and 32 random bytes in base64."""
    return f"whsec_{base64.b64encode(secrets.token_bytes(32)).decode()}"


def _ending(before: list[dict[str, Any]], now: datetime, until: datetime) -> list[dict[str, Any]]:
    """The older secrets that still sign, each with its end, the newest first."""
    ending = []
    for one in before:
        ends = min(until, datetime.fromisoformat(one["until"])) if one["until"] else until
        if ends > now:
            ending.append({"secret": one["secret"], "until": ends.isoformat()})
    return ending[:MOST_OLD]


def seal(keys: Keyring, endpoint_id: str, kept: Sequence[dict[str, Any]]) -> bytes:
    """Seal `{secret, until}` of each secret, the newest first, for the endpoint's row; `until` None is for good."""
    return keys.seal(orjson.dumps(kept), _context(endpoint_id))


def _open(keys: Keyring, endpoint_id: str, sealed: bytes) -> list[dict[str, Any]]:
    kept: list[dict[str, Any]] = orjson.loads(keys.open(sealed, _context(endpoint_id)))
    return kept


def _context(endpoint_id: str) -> str:
    return f"endpoint:{endpoint_id}"
