"""A PostgreSQL of our own: made once in a folder, run in the foreground as our child."""

import contextlib
import os
import secrets
import shutil
import signal
import subprocess
import time
from pathlib import Path

import psutil
import psycopg
from psycopg import sql

from embedded.accounts import Account, server_account
from embedded.binaries import Installation, postgres_installation
from embedded.children import Child, StartFailed
from embedded.reach import home_for, programs_for
from embedded.server import Server

USER = DATABASE = "kinbind"
BUILTIN_LOCALES = 17  # first major version that needs no locale from the system
TAKE_OVER_LIMIT = 15.0  # seconds that a left-over server gets to end

SERVICE_SETTINGS = {
    "max_connections": "200",
    "jit": "off",
    "timezone": "UTC",
    "log_timezone": "UTC",
    "log_error_verbosity": "terse",  # details quote what was in a row; whoever asked is told them all the same
}
# Nothing has to survive a power cut in tests; a commit is still a commit when a process is killed.
TEST_SETTINGS = {
    "fsync": "off",
    "full_page_writes": "off",
    "synchronous_commit": "on",
    "max_wal_size": "256MB",
}


class FolderInUse(RuntimeError):
    """Another server that is not ours to end runs on this data folder."""


class Postgres(Server):
    """A PostgreSQL. Raises ServerMissing and NoAccount when made, StartFailed and FolderInUse when started."""

    title = "PostgreSQL"

    def __init__(
        self,
        home: Path,
        *,
        port: int | None = None,
        settings: dict[str, str] | None = None,
        installation: Installation | None = None,
        account: Account | None = None,
    ) -> None:
        self.account = account or server_account()
        self.home = home_for(home, self.account)
        self.data = self.home / "data"
        super().__init__(self.home / "postgres.log", port)
        self._installation = installation or postgres_installation(major_of(self.data))
        self._settings = SERVICE_SETTINGS | (settings or {})

    # -- addresses -------------------------------------------------------------------------------------

    @property
    def password(self) -> str:
        return (self.home / "password").read_text().strip()

    @property
    def url(self) -> str:
        return self.url_of(DATABASE)

    def url_of(self, database: str) -> str:
        return f"postgresql://{USER}:{self.password}@127.0.0.1:{self.port}/{database}"

    # -- life ------------------------------------------------------------------------------------------

    def prepare(self) -> Child:
        """What to run, once the data folder is made and a left-over server has ended."""
        programs = programs_for(self._installation, self.account)
        if not self.data.exists():
            self._init(programs)
        _take_over(self.data)
        settings = self._settings | {
            "listen_addresses": "127.0.0.1",
            "port": str(self.port),
            "unix_socket_directories": "",
        }
        flags = [part for name, value in settings.items() for part in ("-c", f"{name}={value}")]
        return Child(
            name="postgres",
            argv=[str(programs / "postgres"), "-D", str(self.data), *flags],
            cwd=self.home,
            stop_signal=signal.SIGINT,  # "fast": ends connections; SIGTERM would wait for every client
            ready=self._is_ready,
            account=self.account,
        )

    def start(self) -> None:
        """The same, and with our database in it."""
        super().start()
        self.ensure_database()

    def beside(self) -> Path:
        """Where a data folder is made, emptied of what was left there; it is moved to its place when it is whole.

        So whoever is killed half-way leaves no half database.
        """
        partial = self.home / "data.partial"
        _take_over(partial)
        shutil.rmtree(partial, ignore_errors=True)
        return partial

    def ensure_database(self) -> None:
        """Makes our database in a server that has just been made."""
        made = contextlib.suppress(psycopg.errors.DuplicateDatabase)
        with psycopg.connect(self.url_of("postgres"), autocommit=True) as connection, made:
            connection.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(DATABASE)))

    # -- parts -----------------------------------------------------------------------------------------

    def _init(self, programs: Path) -> None:
        password = self.home / "password"
        password.touch(mode=0o600)
        password.write_text(secrets.token_urlsafe(24) + "\n")
        partial = self.beside()
        partial.mkdir(mode=0o700)
        for path in (password, partial):
            self.account.own(path)
        command = [str(programs / "initdb"), "-D", str(partial), "--username", USER, "--encoding=UTF8"]
        command += ["--auth=scram-sha-256", f"--pwfile={password}", "--locale=C.UTF-8"]
        if self._installation.major >= BUILTIN_LOCALES:
            command.append("--locale-provider=builtin")
        if self._settings.get("fsync") == "off":
            command.append("--no-sync")
        made = subprocess.run(
            command,
            capture_output=True,
            text=True,
            check=False,
            cwd=self.home,
            preexec_fn=self.account.enter,
            **self.account.popen_arguments(),
        )
        if made.returncode != 0:
            raise StartFailed(f"initdb failed: {made.stdout}{made.stderr}")
        os.chown(password, os.geteuid(), os.getegid())  # initdb had to read it; the server need not
        partial.rename(self.data)

    def _is_ready(self, pid: int) -> bool:
        with contextlib.suppress(OSError):
            lines = (self.data / "postmaster.pid").read_text().splitlines()
            return lines[:1] == [str(pid)] and lines[-1].strip() == "ready"
        return False


def major_of(data: Path) -> int | None:
    """Of which PostgreSQL a data folder is; None where there is none yet. Raises StartFailed for what is no version."""
    version = data / "PG_VERSION"
    if not version.exists():
        return None
    try:
        return int(version.read_text(encoding="ascii"))
    except (OSError, ValueError):
        raise StartFailed(
            f"{version} names no version of PostgreSQL: the folder is damaged, or not one of its own"
        ) from None


def _take_over(data: Path) -> None:
    """A server whose parent was killed ends by itself; waits for it and for the last of its backends."""
    until = time.monotonic() + TAKE_OVER_LIMIT
    while left := _processes_in(data):
        for process in left:
            with contextlib.suppress(psutil.Error):
                if process.ppid() == 1 and process.pid == _pid_in(data):
                    process.send_signal(signal.SIGINT)
        if time.monotonic() > until:
            raise FolderInUse(f"{data} is used by process {left[0].pid}, which is not ours to end")
        time.sleep(0.1)
    # Nobody is in there; but its number may by now be some other process's, which PostgreSQL
    # would take for itself (containers count from 1 at each start).
    (data / "postmaster.pid").unlink(missing_ok=True)


def _pid_in(data: Path) -> int | None:
    with contextlib.suppress(OSError, ValueError, IndexError):
        return int((data / "postmaster.pid").read_text().splitlines()[0])
    return None


def _processes_in(data: Path) -> list[psutil.Process]:
    """PostgreSQL's processes, the server and its backends, all stand in its data folder."""
    found = []
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error, OSError):
            if process.cwd() == str(data) and process.name().startswith("postgres"):
                found.append(process)
    return found
