"""Copies of a running PostgreSQL, its write-ahead log as it is written, and a server made anew from both.

PostgreSQL's own programs do the work (`pg_basebackup`, `pg_receivewal`), over an ordinary connection: the same for the
server that kinbind brings and for one by URL, whose account then needs the right to replicate.
"""

import os
import shutil
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import datetime
from pathlib import Path

import psycopg
from psycopg.conninfo import conninfo_to_dict

from embedded import children
from embedded.binaries import Installation, postgres_installation
from embedded.children import StartFailed
from embedded.postgres import Postgres, major_of

SLOT = "kinbind_backup"  # so that the server keeps what the archive has not yet
GLANCE = 0.1  # seconds between two looks whether a recovery is through
PATIENCE = 5  # seconds that a server may take to let somebody in
LONGEST = 86_400.0  # seconds that a recovery may take
_NAMES = {"host": "PGHOST", "port": "PGPORT", "user": "PGUSER", "password": "PGPASSWORD", "sslmode": "PGSSLMODE",
          "sslrootcert": "PGSSLROOTCERT"}  # fmt: skip


class BackupFailed(RuntimeError):
    """One of PostgreSQL's programs said no; the message is what it said last."""


class DatabaseThere(RuntimeError):
    """Where the database should come, there is one already; nothing is overwritten."""


def base(url: str, target: Path) -> None:
    """Copy the whole server at `url` to the new folder `target`, checked file by file. Raises BackupFailed."""
    programs = _installation(url).bin
    command: list[str | Path] = [
        programs / "pg_basebackup",
        "--pgdata",
        target,
        "--wal-method=stream",
        "--checkpoint=fast",
    ]
    _run([*command, "--no-password"], url)
    _run([programs / "pg_verifybackup", "--quiet", target], url)


def receive_wal(url: str, target: Path) -> subprocess.Popen[bytes]:
    """Begin to write the log of the server at `url` to `target` as it comes, until SIGINT or until the server is gone.

    It does not wait for a server at the same address: ours comes back at another. Raises BackupFailed.
    """
    target.mkdir(mode=0o700, parents=True, exist_ok=True)
    program = _installation(url).bin / "pg_receivewal"
    _run([program, "--slot", SLOT, "--create-slot", "--if-not-exists", "--no-password"], url)
    command: list[str | Path] = [program, "--directory", target, "--slot", SLOT, "--synchronous", "--no-loop"]
    return subprocess.Popen([*command, "--no-password"], env=_environment(url))


def answers(url: str) -> bool:
    """Whether the server at `url` lets in whoever asks, at this moment."""
    try:
        psycopg.connect(url, connect_timeout=PATIENCE).close()
    except psycopg.OperationalError:
        return False
    return True


@contextmanager
def restored(copy: Path, wal: Path | None, var: Path, until: datetime | None) -> Iterator[datetime | None]:
    """Make `var`'s server from a copy, and play the log up to `until` (else all of it); when its last commit was.

    It takes its place at the end of the block: until then, whatever happens, there is nothing that would be taken for a
    whole one. Raises BackupFailed where the log does not reach so far, DatabaseThere where `var` has a server.
    """
    server = Postgres(var / "postgres", installation=_installation_of(copy))
    place = server.data
    if place.exists():
        raise DatabaseThere
    server.data = server.beside()
    try:
        with _replaying(server.home, wal) as log:
            _copied(copy, server, log, until)
            last = _recovered(server)
        yield last
        server.data.rename(place)
    except BaseException:  # Ctrl-C, too: the copy is as large as the database
        shutil.rmtree(server.data, ignore_errors=True)
        raise


def _copied(copy: Path, server: Postgres, log: Path | None, until: datetime | None) -> None:
    """The copy as the server's own data, told what to play; the password with it."""
    shutil.copytree(copy, server.data, symlinks=True)
    _say_how(server.data, log, until)
    password = server.home / "password"
    password.write_bytes((copy.parent / "password").read_bytes())
    password.chmod(0o600)
    for path in [server.data, *server.data.rglob("*")]:
        server.account.own(path)
    server.data.chmod(0o700)


@contextmanager
def _replaying(home: Path, wal: Path | None) -> Iterator[Path | None]:
    """A copy of the log where the server's account can come; gone afterwards."""
    if wal is None:
        yield None
        return
    log = home / "replay"
    shutil.rmtree(log, ignore_errors=True)
    shutil.copytree(wal, log)
    server = Postgres(home)
    for path in [log, *log.iterdir()]:
        path.chmod(0o700 if path.is_dir() else 0o600)
        server.account.own(path)
    try:
        yield log
    finally:
        shutil.rmtree(log, ignore_errors=True)


def _say_how(data: Path, log: Path | None, until: datetime | None) -> None:
    """Tell the server to play the log: the segment that was still being written counts too."""
    (data / "postgresql.auto.conf").open("a").close()
    lines = ["recovery_target_action = 'promote'"]
    if log is not None:
        there, half = f'"{log}/%f"', f'"{log}/%f.partial"'
        lines.append(f'restore_command = \'cp {there} "%p" 2>/dev/null || cp {half} "%p" 2>/dev/null\'')
    else:
        lines.append("restore_command = 'false'")
    if until is not None:
        lines.append(f"recovery_target_time = '{until.isoformat()}'")
    with (data / "postgresql.auto.conf").open("a") as settings:
        settings.write("\n".join(lines) + "\n")
    (data / "recovery.signal").touch()


def _recovered(server: Postgres) -> datetime | None:
    """Run the server until it has played the log and takes writes, forget how it was told to, and stop it."""
    child = replace(server.prepare(), start_limit=LONGEST, ready=lambda _: _writes(server))
    process = children.spawn(child, server.log)
    try:
        children.wait_ready(child, process, server.log)
        with psycopg.connect(server.url_of("postgres"), autocommit=True) as conn:
            row = conn.execute("select pg_last_xact_replay_timestamp()").fetchone()
            for name in ("restore_command", "recovery_target_time", "recovery_target_action"):
                conn.execute(f"alter system reset {name}")
    except StartFailed as failed:
        raise BackupFailed(str(failed)) from failed
    finally:
        children.stop_all([(child, process)])
    return row[0] if row else None


def _writes(server: Postgres) -> bool:
    try:
        with psycopg.connect(server.url_of("postgres"), connect_timeout=2) as conn:
            row = conn.execute("select pg_is_in_recovery()").fetchone()
    except psycopg.OperationalError:
        row = None
    if row is None or row[0]:
        time.sleep(GLANCE)
        return False
    return True


def _installation(url: str) -> Installation:
    with psycopg.connect(url) as conn:
        return postgres_installation(conn.info.server_version // 10_000)


def _installation_of(copy: Path) -> Installation:
    return postgres_installation(major_of(copy))


def _run(command: list[str | Path], url: str) -> None:
    done = subprocess.run(command, env=_environment(url), capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise BackupFailed((done.stderr or done.stdout).strip().splitlines()[-1])


def _environment(url: str) -> dict[str, str]:
    """The address in the environment: a command line is there for all to see."""
    told = {_NAMES[name]: str(value) for name, value in conninfo_to_dict(url).items() if name in _NAMES}
    return {**os.environ, **told}
