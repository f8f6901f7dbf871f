"""Answers kept under idempotency keys, for what is done with a window opened in between.

The desk keeps the answers of its own commands in the commit of their step. Where a provider is asked or a document
is written first, the key is reserved before and the answer completed after; a copy that comes meanwhile is told so.
What may run twice without harm reserves nothing: the answer that was kept first is everybody's.
"""

from __future__ import annotations

import base64
from typing import Any

import orjson
from msgspec.structs import asdict, replace
from psycopg import Connection

from models.keyring import Keyring
from models.ledger import Ledger
from workflows.commands import Idempotency, Reply
from workflows.errors import Refused
from workflows.reading import Answered

_SEALED = "sealed:"  # no JSON begins so

# A reservation older than this (real time) was left by a process that died: the next copy takes it over. No window
# is waited for so long; whoever does something longer under a key says how long it may take.
LEASE_SECONDS = 60
_RESERVE = """
insert into idempotency (principal, key, fingerprint, created_at, reserved_at)
values (%(principal)s, %(key)s, %(fingerprint)s, kinbind_now(), clock_timestamp())
on conflict (principal, key) do update set created_at = excluded.created_at, reserved_at = excluded.reserved_at
where idempotency.status is null and idempotency.fingerprint = excluded.fingerprint
  and idempotency.reserved_at < clock_timestamp() - %(lease)s * interval '1 second'
returning created_at
"""
_KEPT = """
select fingerprint, status, headers, body,
  %(lease)s - floor(extract(epoch from clock_timestamp() - reserved_at))::int as seconds_left
from idempotency where principal = %(principal)s and key = %(key)s
"""
_KEEP = """
insert into idempotency (principal, key, fingerprint, status, headers, body, created_at)
values (%(principal)s, %(key)s, %(fingerprint)s, %(status)s, %(headers)s::jsonb, %(body)s, kinbind_now())
on conflict (principal, key) do nothing returning true
"""
# Whoever was so late that another has taken the key over completes and gives back nothing that is the other's.
_OURS = "principal = %(principal)s and key = %(key)s and created_at = %(reserved)s and status is null"
_COMPLETE = f"""
update idempotency set status = %(status)s, headers = %(headers)s::jsonb, body = %(body)s, created_at = kinbind_now()
where {_OURS}
"""  # noqa: S608  words of our own
_RELEASE = f"delete from idempotency where {_OURS}"  # noqa: S608


def kept_row(keys: Keyring, asked: Idempotency, reply: Reply) -> dict[str, Any]:
    """An answer as it is stored; its body is sealed where it holds a secret of the caller's."""
    if reply.secret:
        body = _SEALED + base64.b64encode(keys.seal(reply.body, _context(asked))).decode()
    else:
        body = reply.body.decode()
    return {"principal": asked.principal, "key": asked.key, "fingerprint": asked.fingerprint,
            "status": reply.status, "headers": reply.headers, "body": body}  # fmt: skip


def kept_reply(keys: Keyring, asked: Idempotency, kept: Answered) -> Reply:
    """The first answer again. Raises `Refused` 422 `idempotency_key_reused` for another request."""
    if kept.fingerprint != asked.fingerprint:
        raise Refused("idempotency_key_reused", 422)
    body = kept.body.encode()
    if kept.body.startswith(_SEALED):
        body = keys.open(base64.b64decode(kept.body.removeprefix(_SEALED)), _context(asked))
    return Reply(kept.status or 200, body, kept.headers, replayed=True)


def _context(asked: Idempotency) -> str:
    return f"answer:{asked.principal}:{asked.key}"


def reserve(
    ledger: Ledger, keys: Keyring, asked: Idempotency, lease_seconds: int = LEASE_SECONDS
) -> Reply | Idempotency:
    """Reserve a key for so long; the same key, reserved, when it is ours, else the answer that was given before.

    Raises `Refused`: 409 `idempotency_in_progress` while the first runs, 422 `idempotency_key_reused`. `Retry-After`
    says when the key is free at the latest: in the seconds (real time) that are left to the first.
    """
    named = _named(asked, lease_seconds)
    with ledger.connection() as conn:
        if ours := conn.execute(_RESERVE, named).fetchone():
            return replace(asked, reserved=ours[0])
        row = conn.execute(_KEPT, named).fetchone()
    if row is not None and (row[1] is not None or row[0] != asked.fingerprint):
        return kept_reply(keys, asked, Answered.of(*row[:4]))
    # no row: released this instant, and the next copy will get it
    left = row[4] if row is not None else 1
    raise Refused("idempotency_in_progress", 409, retry_after=max(1, left or 1))


def kept(ledger: Ledger, keys: Keyring, asked: Idempotency) -> Reply | None:
    """The answer that was given under this key, if there is one. Raises `Refused` 422 `idempotency_key_reused`."""
    with ledger.connection() as conn:
        row = conn.execute(_KEPT, _named(asked)).fetchone()
    if row is None or (row[1] is None and row[0] == asked.fingerprint):
        return None
    return kept_reply(keys, asked, Answered.of(*row[:4]))


def keep(ledger: Ledger, keys: Keyring, asked: Idempotency, reply: Reply) -> Reply:
    """Keep an answer under a key that nobody reserved; the one that a copy kept before, where it was faster.

    Raises `Refused` 422 `idempotency_key_reused`.
    """
    with ledger.connection() as conn:
        if conn.execute(_KEEP, _stored(keys, asked, reply)).fetchone():
            return reply
    return kept(ledger, keys, asked) or reply


def complete(ledger: Ledger, keys: Keyring, asked: Idempotency, reply: Reply) -> None:
    """Keep the answer; where it was kept in the commit of what was done, this changes nothing."""
    with ledger.connection() as conn:
        _completed(conn, keys, asked, reply)


def keep_on(conn: Connection[Any], keys: Keyring, asked: Idempotency | None, reply: Reply) -> None:
    """Keep the answer in the transaction of what it answers; without a key there is nothing to keep.

    Raises `Refused` 409 `idempotency_in_progress` where that took so long that a copy has taken the key over: only one
    of them does it.
    """
    if asked is not None and not _completed(conn, keys, asked, reply):
        raise Refused("idempotency_in_progress", retry_after=1)


def _completed(conn: Connection[Any], keys: Keyring, asked: Idempotency, reply: Reply) -> bool:
    return conn.execute(_COMPLETE, _stored(keys, asked, reply)).rowcount > 0


def release(ledger: Ledger, asked: Idempotency) -> None:
    """Give a reserved key back after a refusal: refusals are not kept."""
    with ledger.connection() as conn:
        conn.execute(_RELEASE, _named(asked))


def _named(asked: Idempotency, lease: int = LEASE_SECONDS) -> dict[str, Any]:
    return {**asdict(asked), "lease": lease}


def _stored(keys: Keyring, asked: Idempotency, reply: Reply) -> dict[str, Any]:
    headers = orjson.dumps(reply.headers).decode()
    return {**kept_row(keys, asked, reply), "headers": headers, "reserved": asked.reserved}
