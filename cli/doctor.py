"""`kinbind doctor`: what is well, what is not, and what to do about it."""

from __future__ import annotations

import os
import platform
import shutil
import stat
import sys
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Literal

import psycopg
import redis

from cli.places import readable
from cli.screen import Trouble, fail, say
from embedded import addresses as known
from embedded.addresses import noted_sandbox, running, var_folder
from embedded.binaries import ServerMissing, postgres_installation, valkey_server
from gateways.documents import documents_folder
from models import keyring
from models.ledger import WRITABLE, schemas, serves
from models.settings import SettingWrong, sandbox
from policies.book import places
from policies.check import check_folders
from tasks.broker import leave_a_word
from workflows import keyed
from workflows.readiness import MISSED_AFTER, NEWEST, UPKEEP_MISSED_AFTER, head, lag

PATIENCE = 5  # seconds for a server to answer
OLDEST_POSTGRES = 15
CLOCKS_APART = 2.0  # seconds between this machine's clock and the database's
ROOM = 1_000_000_000  # bytes free under var/
_NOT_THEIRS = 0o027  # of a keyring: a group may read it, as a Secret is mounted for the pod's; nobody else

Level = Literal["ok", "note", "bad"]


@dataclass(frozen=True, slots=True)
class Found:
    """One thing that was looked at. A note is worth knowing and no fault; something bad has a way out in `detail`."""

    level: Level
    what: str
    detail: str


def doctor() -> None:
    """Look at everything that the service stands on; exit code 1 when something is bad."""
    found = [one for look in LOOKS for one in look()]
    width = max(len(one.what) for one in found)
    for one in found:
        say(f"{one.level:<4} {one.what:<{width}}  {one.detail}")
    bad = sum(one.level == "bad" for one in found)
    if bad:
        fail(f"{bad} of {len(found)} are bad")


def _python() -> Iterator[Found]:
    good = sys.version_info >= (3, 11)
    yield Found(
        "ok" if good else "bad", "python", f"{platform.python_version()}{'' if good else '; 3.11 or later is needed'}"
    )


def _mode() -> Iterator[Found]:
    try:
        on = sandbox()
    except SettingWrong as wrong:
        yield Found("bad", "mode", str(wrong))
        return
    if on or noted_sandbox():
        yield Found("ok", "mode", "sandbox" if on else f"sandbox (what runs on {var_folder()})")
    else:
        yield Found("ok", "mode", "no sandbox (in this environment)")


def _servers() -> Iterator[Found]:
    """The ones we bring; needed only where no URL names others."""
    looks: tuple[tuple[str, str, Callable[[], str]], ...] = (
        ("postgres", known.DATABASE, _postgres_here),
        ("valkey", known.BROKER, lambda: str(valkey_server())),
    )
    for name, variable, look in looks:
        try:
            yield Found("ok", f"{name} here", look())
        except ServerMissing as missing:
            yield Found("note" if known.given(variable) else "bad", f"{name} here", str(missing))


def _postgres_here() -> str:
    installation = postgres_installation()
    return f"{installation.version} ({installation.origin}, {installation.bin})"


def _database() -> Iterator[Found]:
    noted = running()
    url = known.given(known.DATABASE) or (noted and noted.database_url)
    if not url:
        yield Found("bad", "database", f"nothing runs on {var_folder()}; `kinbind up`, or set {known.DATABASE}")
        return
    try:
        with psycopg.connect(readable(known.DATABASE, url), connect_timeout=PATIENCE, autocommit=True) as conn:
            yield from _ledger(conn, url)
    except Trouble as wrong:
        yield Found("bad", "database", str(wrong))
    except psycopg.Error as fault:
        yield Found("bad", "database", f"{type(fault).__name__}: {_first_line(fault)}; is {known.DATABASE} right?")


def _reader() -> Iterator[Found]:
    """Where lists and counts are read, if that has an address of its own."""
    if not (url := known.given(known.READER)):
        return
    try:
        with psycopg.connect(readable(known.READER, url), connect_timeout=PATIENCE):
            yield Found("ok", "reader", "answers")
    except Trouble as wrong:
        yield Found("bad", "reader", str(wrong))
    except psycopg.Error as fault:
        yield Found("bad", "reader", f"{type(fault).__name__}: {_first_line(fault)}; is {known.READER} right?")


def _ledger(conn: psycopg.Connection[Any], url: str) -> Iterator[Found]:
    version = conn.info.server_version // 10_000
    good = version >= OLDEST_POSTGRES
    yield Found("ok" if good else "bad", "database", f"PostgreSQL {version}{'' if good else '; 15 or later is needed'}")
    yield _writable(conn)
    wanted = head(url)
    current = schemas(conn)
    at = ", ".join(current) or "nothing"
    if not serves(current, wanted):
        yield Found("bad", "schema", f"at {at}, the code wants {wanted}; `kinbind migrate`")
        return
    later = "" if current == [wanted] else f", later than this code's {wanted}"
    yield Found("ok", "schema", f"at {at}{later or ', the newest'}")
    yield from _clock(conn)
    yield from _whose(conn)
    yield from _worker(conn)
    yield from _upkeep(conn)
    yield from _reader_lag(conn)


def _writable(conn: psycopg.Connection[Any]) -> Found:
    if conn.execute(WRITABLE).fetchone() == (True,):
        return Found("ok", "writable", "takes what is written")
    way_out = f"does {known.DATABASE} lead to a standby, or is default_transaction_read_only on?"
    return Found("bad", "writable", f"it only reads; {way_out}")


def _whose(conn: psycopg.Connection[Any]) -> Iterator[Found]:
    """Whether it is the ledger of our keyring; what is wrong with the file itself is told elsewhere."""
    with suppress(OSError, keyring.KeyringBrokenError, keyring.KeyringUnreadableError):
        ours = keyring.read(keyring.keys_file()).mark
        if keyed.mark(conn) in {None, ours}:
            yield Found("ok", "ledger", "of this keyring")
        else:
            yield Found("bad", "ledger", str(keyring.AnotherKeyringError()))


def _clock(conn: psycopg.Connection[Any]) -> Iterator[Found]:
    row = conn.execute("select clock_timestamp(), extract(epoch from ahead)::float8 from service_clock").fetchone()
    theirs, ahead = row or (datetime.now(UTC), 0.0)
    apart = abs((datetime.now(UTC) - theirs).total_seconds())
    if apart > CLOCKS_APART:
        yield Found("bad", "clock", f"{apart:.1f} s from the database's; let both keep time by NTP")
    elif ahead and not _may_be_ahead():
        yield Found("note", "clock", f"{timedelta(seconds=round(ahead))} ahead of real time; right in a sandbox only")
    else:
        told = f", {timedelta(seconds=round(ahead))} ahead of real time" if ahead else ""
        yield Found("ok", "clock", f"the database's{told}")


def _may_be_ahead() -> bool:
    with suppress(SettingWrong):  # which `_mode` tells of
        return sandbox() or noted_sandbox()
    return False


def _worker(conn: psycopg.Connection[Any]) -> Iterator[Found]:
    silent = _silent(conn, "worker%")
    if silent is None:
        yield Found("bad", "worker", "none gives a sign; start one: celery -A tasks.app worker, and beat")
    elif silent > MISSED_AFTER:
        yield Found("bad", "worker", f"last seen {silent:.0f} s ago; is it, and is beat, still running?")
    else:
        yield Found("ok", "worker", f"seen {silent:.0f} s ago")


def _upkeep(conn: psycopg.Connection[Any]) -> Iterator[Found]:
    silent = _silent(conn, "keep_up")
    if silent is None:
        yield Found("note", "upkeep", "never done yet; a worker does it as it starts")
    elif silent > UPKEEP_MISSED_AFTER:
        yield Found("bad", "upkeep", f"last done {silent / 3600:.0f} h ago; does a worker's log say `chore_failed`?")
    else:
        yield Found("ok", "upkeep", f"done {silent / 60:.0f} min ago")


def _silent(conn: psycopg.Connection[Any], name: str) -> float | None:
    """Seconds since the last sign of whoever is named so; None where there never was one."""
    row = conn.execute(
        "select extract(epoch from clock_timestamp() - max(seen_at))::float8 from heartbeats where name like %s",
        (name,),
    ).fetchone()
    return row and row[0]


def _reader_lag(conn: psycopg.Connection[Any]) -> Iterator[Found]:
    """How far the database for reads is behind this one; whether it answers at all is told by itself."""
    if not (url := known.given(known.READER)):
        return
    with suppress(Trouble, psycopg.Error):
        with psycopg.connect(readable(known.READER, url), connect_timeout=PATIENCE) as reader:
            seconds = lag(*((one.execute(NEWEST).fetchone() or (None,))[0] for one in (conn, reader)))
        if seconds > MISSED_AFTER:
            yield Found("bad", "reader lag", f"lags {seconds:.0f} s; does it follow this database?")
        else:
            yield Found("ok", "reader lag", f"{seconds:.0f} s")


def _broker() -> Iterator[Found]:
    noted = running()
    url = known.given(known.BROKER) or (noted and noted.broker_url)
    if not url:
        yield Found("bad", "broker", f"nothing runs on {var_folder()}; `kinbind up`, or set {known.BROKER}")
        return
    try:
        with redis.Redis.from_url(url, socket_timeout=PATIENCE, socket_connect_timeout=PATIENCE) as client:
            leave_a_word(client)
            yield from _policy(client)
    except ValueError:  # whose message quotes what it cannot read, and that may be part of a password
        yield Found("bad", "broker", f"{known.BROKER} is no URL as redis://:password@host:6379/0")
    except redis.exceptions.OutOfMemoryError:
        yield Found("bad", "broker", "the broker is full and takes no hints; raise its maxmemory, or flush it")
    except (redis.RedisError, OSError) as fault:
        yield Found("bad", "broker", f"{type(fault).__name__}: {_first_line(fault)}; is {known.BROKER} right?")


def _policy(client: Any) -> Iterator[Found]:
    """An evicted key is a lost queue; some rented servers do not tell."""
    try:
        policy = client.config_get("maxmemory-policy").get("maxmemory-policy")
    except redis.ResponseError:
        yield Found("note", "broker", "answers, but does not tell its maxmemory-policy; it must be noeviction")
        return
    if policy == "noeviction":
        yield Found("ok", "broker", "answers; maxmemory-policy noeviction")
    else:
        yield Found("bad", "broker", f"maxmemory-policy is {policy}; set noeviction")


def _disk() -> Iterator[Found]:
    yield _room("disk", var_folder())


def _documents() -> Iterator[Found]:
    """Where they lie in a place of their own, or are there already."""
    folder = documents_folder()
    if folder.exists() and not os.access(folder, os.W_OK | os.X_OK):
        yield Found("bad", "documents", f"{folder} cannot be written; nobody can hand in a document")
    elif known.given("KINBIND_DOCUMENTS"):
        yield _room("documents", folder)


def _room(what: str, wanted: Path) -> Found:
    folder = next(path for path in (wanted, *wanted.parents) if path.exists())
    free = shutil.disk_usage(folder).free
    good = free >= ROOM
    return Found(
        "ok" if good else "bad", what, f"{free / 1e9:.1f} GB free under {wanted}{'' if good else '; make room'}"
    )


def _keyring() -> Iterator[Found]:
    path = keyring.keys_file()
    if not path.exists():
        yield Found("note", "keyring", f"none at {path} yet; the service makes it at its first start")
        return
    mode = stat.S_IMODE(path.stat().st_mode)
    try:
        ids = keyring.read(path).key_ids
    except (keyring.KeyringBrokenError, keyring.KeyringUnreadableError) as broken:
        yield Found("bad", "keyring", str(broken))
        return
    if mode & _NOT_THEIRS and os.name == "posix":
        yield Found("bad", "keyring", f"{path} has mode {mode:o}; others can read or change it: chmod 600")
    else:
        yield Found("ok", "keyring", f"{path}, mode {mode:o}, keys {' '.join(ids)}; is there a copy elsewhere?")


def _packs() -> Iterator[Found]:
    problems = check_folders(*places())
    yield Found("bad" if problems else "ok", "packs", str(problems[0]) if problems else "in order")


def _first_line(fault: BaseException) -> str:
    """Of a driver's message, which names hosts and ports but no password."""
    return str(fault).strip().partition("\n")[0]


LOOKS = (_python, _mode, _servers, _database, _reader, _broker, _disk, _documents, _keyring, _packs)
