"""Accounts of staff for the console: a password (argon2id), an authenticator's code (TOTP, RFC 6238), and a lockout.

An account belongs to a principal. It is made with a one-time password; at the first sign-in its owner chooses his own
and pairs his authenticator, so that nobody else ever knew either. Times here are the database's real ones: the code
on somebody's phone does not follow a sandbox's clock.
"""

from __future__ import annotations

import secrets
import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from typing import Any

import pyotp
from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from models.keyring import Keyring
from models.ledger import Ledger
from workflows.access import noting, principals, sessions
from workflows.access.principals import Principal
from workflows.access.sessions import Session
from workflows.errors import Malformed, Refused

MOST_WRONG = 5  # sign-ins that fail in a row
LOCKED_MINUTES = 15
SHORTEST = 12  # characters of a password that somebody chooses
LONGEST = 200
ISSUER = "kinbind 医保亲情账户"
_STEP = 30  # seconds for which a code stands; one step before and after is taken too
_HASHER = PasswordHasher()  # RFC 9106's second choice: 64 MiB, 3 rounds, 4 lanes
_AT_ONCE = threading.BoundedSemaphore(2)  # hashes: costly on purpose, and others need the processor
_PATIENCE = 2.0  # seconds for which one's turn is waited for

# An attempt is taken before the password is looked at, so that twenty guesses sent at once are five guesses too.
_TAKE = """
update staff_accounts a
set failed = case when a.locked_until is null then a.failed + 1 else 1 end,
    locked_until = case when a.locked_until is null and a.failed + 1 >= %(most)s
                        then clock_timestamp() + make_interval(mins => %(minutes)s) end
where a.login = %(login)s and (a.locked_until is null or a.locked_until <= clock_timestamp())
  and exists (select from principals p where p.id = a.principal and p.revoked_at is null)
returning a.principal, a.password_hash, a.totp, clock_timestamp(), a.locked_until is not null
"""
# Only while the password is the one that was verified: who was let in by it must not outlive a reset.
_RIGHT = """
update staff_accounts set failed = 0, locked_until = null, totp_step = greatest(totp_step, %(step)s),
  password_hash = coalesce(%(hash)s, password_hash)
where principal = %(principal)s and password_hash = %(verified)s and (%(step)s = 0 or totp_step < %(step)s)
"""
_ADD = """
insert into staff_accounts (principal, login, password_hash, created_at) values (%s, %s, %s, clock_timestamp())
on conflict do nothing
"""
_LOCK = "select from staff_accounts where principal = %s for update"
_SET_UP = """
update staff_accounts set password_hash = %s, totp = %s, totp_step = %s where principal = %s and totp is null
"""
_RESET = """
update staff_accounts
set password_hash = %s, totp = null, totp_step = 0, failed = 0, locked_until = null where login = %s
returning principal
"""
_LIST = """
select a.login, p.id, p.name, p.roles, p.regions, a.totp is not null,
  a.locked_until is not null and a.locked_until > clock_timestamp(), p.revoked_at is not null
from staff_accounts a join principals p on p.id = a.principal order by a.login
"""


@dataclass(frozen=True, slots=True)
class Account:
    """An account as a list shows it."""

    login: str
    principal: str
    name: str
    roles: tuple[str, ...]
    regions: tuple[str, ...]
    set_up: bool
    locked: bool
    revoked: bool


# -- for whoever keeps the accounts --------------------------------------------------------------------------------


def add(
    ledger: Ledger, login: str, name: str, roles: Iterable[str], regions: Iterable[str], person: str | None = None
) -> tuple[Principal, str]:
    """Make an account with a principal of its own; the one-time password is told this once.

    Raises `ValueError` for what `principals.create_staff` refuses, and for a login that is taken or has no form.
    """
    login = plain(login)
    if not (2 <= len(login) <= 64 and login.isprintable() and " " not in login):
        raise ValueError("a login has 2 to 64 characters and no spaces")
    principal = principals.new_staff(ledger.now(), name, roles, regions, person)
    password = secrets.token_urlsafe(12)
    hashed = _hashed(password)  # before a connection is held: it takes its time
    with ledger.transaction() as conn:
        principals.keep(conn, principal)  # his key is not told: whoever has an account needs none
        if conn.execute(_ADD, (principal.id, login, hashed)).rowcount == 0:
            raise ValueError("this login is taken")
        noting.note(conn, noting.COMMAND_LINE, f"account_made:{principal.id}", purpose=name)
    return principal, password


def reset(ledger: Ledger, login: str) -> str | None:
    """Begin an account anew: a fresh one-time password, no authenticator, no session; None for nobody's login."""
    password = secrets.token_urlsafe(12)
    hashed = _hashed(password)
    with ledger.transaction() as conn:
        row = conn.execute(_RESET, (hashed, plain(login))).fetchone()
        if row is None:
            return None
        sessions.end_all(conn, row[0])
        noting.note(conn, noting.COMMAND_LINE, f"account_reset:{row[0]}")
    return password


def every(ledger: Ledger) -> list[Account]:
    """All accounts, by login."""
    with ledger.connection() as conn:
        rows = conn.execute(_LIST).fetchall()
    return [Account(row[0], row[1], row[2], tuple(row[3]), tuple(row[4]), *row[5:]) for row in rows]


def plain(login: str) -> str:
    """A login as it is compared: people mix capitals and small letters."""
    return login.strip().casefold()


# -- for whoever signs in ------------------------------------------------------------------------------------------


def sign_in(ledger: Ledger, keys: Keyring, login: str, password: str, code: str) -> str:
    """Open a session; return the token for the cookie. An account that is not set up gets a session for that alone.

    It is noted, and so is each attempt that fails, with the one that locks the account.

    Raises `Refused` 401 `sign_in_failed`, the same whatever was wrong, also while the account is locked; 503
    `unavailable` where too many wait: that is no attempt.
    """
    named = {"login": plain(login)[:200], "most": MOST_WRONG, "minutes": LOCKED_MINUTES}
    with _turn():  # before the attempt is counted: waiting in vain must not count as a wrong password
        with ledger.connection() as conn:
            row = conn.execute(_TAKE, named).fetchone()
        nobodys = _nobodys_hash()  # also where there is an account: the first sign-in takes as long for either
        if not _verified(row[1] if row else nobodys, password) or row is None:
            raise _failed(ledger, row)
        principal, stored, sealed, now, _ = row
        again = _HASHER.hash(password[:LONGEST]) if _HASHER.check_needs_rehash(stored) else None
    step, setup = 0, None
    if sealed is None:
        setup = keys.seal(pyotp.random_base32().encode(), _context(principal))
    else:
        step = _step_of(keys.open(sealed, _context(principal)).decode(), code, now)
        if step == 0:
            raise _failed(ledger, row)
    with ledger.transaction() as conn:  # a reset comes before, and this fails, or after, and ends the session
        right = {"principal": principal, "verified": stored, "step": step, "hash": again}
        if conn.execute(_RIGHT, right).rowcount > 0:
            noting.note(conn, principal, "signed_in")
            return sessions.begin(conn, principal, setup)
    raise _failed(ledger, row)  # this code has opened a session before, or the account was reset meanwhile


def pairing(keys: Keyring, session: Session) -> tuple[str, str]:
    """What an authenticator is paired with: the secret, and the same as an `otpauth:` address.

    Raises `Refused` with `not_found` where nothing is to be set up.
    """
    secret = _pending(keys, session)
    return secret, pyotp.TOTP(secret).provisioning_uri(name=session.principal.name, issuer_name=ISSUER)


def set_up(ledger: Ledger, keys: Keyring, session: Session, password: str, code: str) -> str:
    """Keep the password that was chosen and the authenticator whose code was shown; a session for everything.

    Raises `Malformed` with `password_too_short`, `too_long` or `code_wrong`, and `Refused` with `not_found` where the
    account was begun anew meanwhile, or has been set up.
    """
    secret = _pending(keys, session)
    if len(password) < SHORTEST:
        raise Malformed([{"pointer": "/password", "code": "password_too_short"}])
    if len(password) > LONGEST:
        raise Malformed([{"pointer": "/password", "code": "too_long"}])
    with ledger.connection() as conn:
        now = conn.execute("select clock_timestamp()").fetchone()
    step = _step_of(secret, code, now[0]) if now else 0
    if step == 0:
        raise Malformed([{"pointer": "/code", "code": "code_wrong"}])
    principal = session.principal.id
    kept = (_hashed(password), keys.seal(secret.encode(), _context(principal)), step, principal)
    with ledger.transaction() as conn:
        conn.execute(_LOCK, (principal,))  # a reset has happened and ended this session, or it waits until we are done
        if not sessions.pending(conn, session) or conn.execute(_SET_UP, kept).rowcount == 0:
            raise Refused("not_found", 404)
        sessions.end_all(conn, principal)
        noting.note(conn, principal, "account_set_up")
        return sessions.begin(conn, principal)


def _pending(keys: Keyring, session: Session) -> str:
    if session.setup is None:
        raise Refused("not_found", 404)
    return keys.open(session.setup, _context(session.principal.id)).decode()


def _step_of(secret: str, code: str, now: datetime) -> int:
    """The step in which a code stands, a step early or late included; 0 for a wrong one."""
    asked = "".join(code.split())
    this, made = int(now.timestamp()) // _STEP, pyotp.TOTP(secret)
    if not (asked.isascii() and asked.isdigit()):
        return 0
    return next((one for one in (this, this - 1, this + 1) if secrets.compare_digest(made.generate_otp(one), asked)), 0)


def _verified(stored: str, password: str) -> bool:
    try:
        return _HASHER.verify(stored, password[:LONGEST])
    except (VerificationError, InvalidHashError):
        return False


@cache
def _nobodys_hash() -> str:
    """What is compared where there is no such account, so that it takes as long; made once for a process."""
    return _HASHER.hash(secrets.token_hex(16))


def _hashed(password: str) -> str:
    with _turn():
        return _HASHER.hash(password)


@contextmanager
def _turn() -> Iterator[None]:
    """One's turn to compute a hash. Raises `Refused` 503 where too many wait: guessers must not hold all threads."""
    if not _AT_ONCE.acquire(timeout=_PATIENCE):
        raise Refused("unavailable", 503, retry_after=5)
    try:
        yield
    finally:
        _AT_ONCE.release()


def _context(principal: str) -> str:
    return f"totp:{principal}"


def _failed(ledger: Ledger, taken: tuple[Any, ...] | None) -> Refused:
    """The refusal of an attempt, noted if it was one at an account.

    One at none, or while it is locked, is not: anybody may try as often as he likes, and the notes are kept for good.
    """
    if taken is not None:
        principal, *_, locks = taken
        with ledger.connection() as conn:
            noting.note(conn, principal, "account_locked" if locks else "sign_in_failed")
    return Refused("sign_in_failed", 401)
