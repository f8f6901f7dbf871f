"""Who may call: channels and staff, each with a key of which only the SHA-256 is kept."""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any, get_args

from psycopg import Connection

from models.ids import new_id
from models.ledger import Ledger
from policies.words import ChannelName
from workflows.access import noting

ROLES = ("reviewer", "counter", "operator", "supervisor")
EVERYWHERE = "000000"  # a grant of the whole country
SANDBOX = "sandbox-"  # how the keys of the sandbox begin; they open nothing elsewhere
_LONGEST = 200  # characters of a key
LONGEST_NAME = 80  # characters of the name of whoever holds it
CHANNELS = tuple(name for name in get_args(ChannelName) if name != "counter")
_SANDBOX_STAFF = (
    ("sandbox-reviewer", "reviewer", EVERYWHERE),
    ("sandbox-reviewer-2", "reviewer", EVERYWHERE),
    ("sandbox-reviewer-suzhou", "reviewer", "320500"),
    ("sandbox-counter", "counter", EVERYWHERE),
    ("sandbox-counter-2", "counter", EVERYWHERE),
    ("sandbox-operator", "operator", EVERYWHERE),
    ("sandbox-operator-2", "operator", EVERYWHERE),
    ("sandbox-supervisor", "supervisor", EVERYWHERE),
    ("sandbox-supervisor-2", "supervisor", EVERYWHERE),
)

_COLUMNS = "id, kind, name, channel, roles, regions, person"
_FIND = f"select {_COLUMNS} from principals where key_hash = %s and revoked_at is null"  # noqa: S608
_ALL = f"select {_COLUMNS} from principals where revoked_at is null order by id"  # noqa: S608
_CREATE = """
insert into principals (id, kind, name, channel, roles, regions, person, key_hash, created_at)
values (%s, %s, %s, %s, %s, %s, %s, %s, kinbind_now()) on conflict do nothing
"""
# The repairs that he has set going pause with it: somebody whose key is valid resumes or withdraws them.
_REVOKE = """
with gone as (
  update principals set revoked_at = kinbind_now() where id = %s and revoked_at is null returning id),
paused as (
  update repairs r set paused_at = kinbind_now() from gone
  where gone.id in (r.asked_by, r.applied_by, r.approved_by, r.undone_by)
    and r.state in ('planning', 'running', 'undoing') and r.paused_at is null)
select id from gone
"""


@dataclass(frozen=True, slots=True)
class Principal:
    """One who calls: a channel, or a member of staff with roles and regions."""

    id: str
    kind: str  # channel or staff
    name: str
    channel: str | None = None
    roles: tuple[str, ...] = ()
    regions: tuple[str, ...] = ()
    person: str | None = None  # staff: the blind index of the own number


def key_hash(key: str) -> str:
    """What is kept of a key: SHA-256, hex. Keys are random, so that no salt is needed."""
    return hashlib.sha256(key.encode()).hexdigest()


def find(ledger: Ledger, key: str, *, sandbox: bool) -> Principal | None:
    """Who holds this key; None for an unknown or revoked one, and outside the sandbox for the sandbox's known keys."""
    if len(key) > _LONGEST or not (key.isascii() and key.isprintable()):
        return None
    with ledger.connection() as conn:
        row = conn.execute(_FIND, (key_hash(key),)).fetchone()
    if row is None or (row[0].startswith(SANDBOX) and not sandbox):
        return None
    return _principal(row)


def every(ledger: Ledger) -> list[Principal]:
    """All whose keys are valid, by id."""
    with ledger.connection() as conn:
        return [_principal(row) for row in conn.execute(_ALL).fetchall()]


def create_channel(ledger: Ledger, channel: str, name: str | None = None) -> tuple[Principal, str]:
    """Give a channel a key; the key is told this once.

    Raises `ValueError` for a channel that API.md does not list, and a name that is none.
    """
    return _made(ledger, new_channel(ledger.now(), channel, name))


def new_channel(now: datetime, channel: str, name: str | None = None) -> Principal:
    """Who will hold a channel's next key. Raises `ValueError` as `create_channel` does."""
    if channel not in CHANNELS:
        raise ValueError(f"channels are {', '.join(CHANNELS)}")
    return Principal(new_id("prn", now), "channel", channel if name is None else _right_name(name), channel)


def create_staff(
    ledger: Ledger, name: str, roles: Iterable[str], regions: Iterable[str], person: str | None = None
) -> tuple[Principal, str]:
    """Give a member of staff a key; `person` is the blind index of his own number, so that he decides no own case.

    Raises `ValueError` for unknown roles, regions that are not six digits, and a name that is none.
    """
    return _made(ledger, new_staff(ledger.now(), name, roles, regions, person))


def new_staff(
    now: datetime, name: str, roles: Iterable[str], regions: Iterable[str], person: str | None = None
) -> Principal:
    """Who will be a member of staff. Raises `ValueError` as `create_staff` does."""
    roles, regions = tuple(roles), tuple(regions)
    if not roles or not set(roles) <= set(ROLES):
        raise ValueError(f"roles are {', '.join(ROLES)}")
    if not regions or not all(len(region) == 6 and region.isascii() and region.isdecimal() for region in regions):
        raise ValueError("regions are codes of six digits; 000000 is the whole country")
    return Principal(new_id("prn", now), "staff", _right_name(name), None, roles, regions, person)


def keep(conn: Connection[Any], principal: Principal) -> str:
    """Note a principal, with what else is noted on this connection; his key, which is told this once."""
    key = f"kb_{secrets.token_urlsafe(32)}"
    conn.execute(_CREATE, _row(principal, key))
    return key


def revoke(ledger: Ledger, principal_id: str) -> bool:
    """Take a key back; whether there was one. Doors forget a key within seconds (`api.auth.REMEMBERED`)."""
    with ledger.transaction() as conn:
        taken = take_back(conn, principal_id)
        if taken:
            noting.note(conn, noting.COMMAND_LINE, f"key_revoked:{principal_id}")
    return taken


def take_back(conn: Connection[Any], principal_id: str) -> bool:
    """The same as `revoke`, with what else is noted on this connection."""
    return conn.execute(_REVOKE, (principal_id,)).rowcount > 0


def sandbox_keys() -> tuple[list[str], list[str]]:
    """The keys of the sandbox, known to all: those of channels, those of staff."""
    return [f"{SANDBOX}{one}" for one in CHANNELS], [key for key, _, _ in _SANDBOX_STAFF]


def seed_sandbox(ledger: Ledger) -> None:
    """Make the sandbox's principals, whose keys are their ids; harmless when repeated."""
    channels = [Principal(f"{SANDBOX}{one}", "channel", one, one) for one in CHANNELS]
    staff = [Principal(key, "staff", key, None, (role,), (region,)) for key, role, region in _SANDBOX_STAFF]
    with ledger.transaction() as conn:
        for principal in (*channels, *staff):
            conn.execute(_CREATE, _row(principal, principal.id))


def _made(ledger: Ledger, principal: Principal) -> tuple[Principal, str]:
    with ledger.transaction() as conn:
        key = keep(conn, principal)
        noting.note(conn, noting.COMMAND_LINE, f"key_made:{principal.id}", purpose=principal.name)
    return principal, key


def _right_name(name: str) -> str:
    if not (name.strip() and len(name) <= LONGEST_NAME and name.isprintable()):
        raise ValueError(f"a name has 1 to {LONGEST_NAME} characters that can be seen")
    return name


def _row(principal: Principal, key: str) -> tuple[Any, ...]:
    return (principal.id, principal.kind, principal.name, principal.channel, list(principal.roles),
            list(principal.regions), principal.person, key_hash(key))  # fmt: skip


def _principal(row: Any) -> Principal:
    return Principal(row[0], row[1], row[2], row[3], tuple(row[4]), tuple(row[5]), row[6])
