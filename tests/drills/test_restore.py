"""Backup and restore: a real server lost, made anew as of a moment, and the clock that catches up without doubling."""

import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from datetime import datetime
from pathlib import Path

import psycopg
import pytest

from embedded import addresses
from embedded.addresses import Addresses
from embedded.children import free_port
from embedded.postgres import Postgres
from models import ledger
from tasks.office import Office, open_office
from tests import life
from tests.store.invariants import check
from workflows import audit
from workflows.errors import Refused
from workflows.sweeping import sweep

ROOT = Path(__file__).parents[2]


def kinbind(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "cli.main", *map(str, arguments)]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)


def right(done: subprocess.CompletedProcess[str]) -> str:
    assert done.returncode == 0, done.stderr
    return done.stdout


def real_now(url: str) -> datetime:
    with psycopg.connect(url) as conn:
        row = conn.execute("select clock_timestamp()").fetchone()
    assert row is not None
    return row[0]


def written(folder: Path, url: str) -> None:
    """Wait until the log has come over up to this moment."""
    with psycopg.connect(url, autocommit=True) as conn:
        conn.execute("select pg_logical_emit_message(false, 'drill', '', true)")
        row = conn.execute("select pg_current_wal_flush_lsn()").fetchone()
        until = time.monotonic() + 20
        while time.monotonic() < until:
            (sent,) = conn.execute(
                "select coalesce(bool_or(flush_lsn >= %s), false) from pg_stat_replication", row
            ).fetchone() or (False,)
            if sent:
                return
            time.sleep(0.05)
    pytest.fail(f"the log did not come to {folder}")


@pytest.fixture
def var(open_folder: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name in ("KINBIND_KEYS_FILE", "KINBIND_DOCUMENTS", "KINBIND_READER_URL", "KINBIND_ENV", "KINBIND_DATABASE_URL"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("KINBIND_SANDBOX", "1")
    monkeypatch.setenv("KINBIND_VAR", str(open_folder / "var"))
    return open_folder / "var"


@contextmanager
def service(var: Path) -> Iterator[Office]:
    """The server of `var`, and an office on it; the environment names it meanwhile."""
    with Postgres(var / "postgres") as server, pytest.MonkeyPatch.context() as environment:
        ledger.migrate(server.url)
        environment.setenv("KINBIND_DATABASE_URL", server.url)
        with open_office() as office:
            yield office


@contextmanager
def archiving(folder: Path, url: str) -> Iterator[None]:
    """`kinbind backup wal`, ended when all is written that was committed."""
    command = [sys.executable, "-m", "cli.main", "backup", "wal", str(folder)]
    process = subprocess.Popen(command, cwd=ROOT)
    try:
        yield
        written(folder, url)
    finally:
        process.send_signal(signal.SIGTERM)
        assert process.wait(20) == 0


def destroyed(var: Path) -> None:
    """Database and documents are gone; the keyring is kept elsewhere, as it should be."""
    home = var / "postgres"
    shutil.rmtree(home.resolve())
    home.unlink(missing_ok=True)
    shutil.rmtree(var / "documents", ignore_errors=True)


@pytest.mark.timeout(180)
def test_a_lost_server_is_made_anew_as_of_a_moment_and_catches_up_once(var: Path) -> None:
    """What was committed by then is there, what came later is not; what fell due since is fired once, by two sweeps."""
    sunday, wal = var.parent / "sunday", var.parent / "wal"
    with service(var) as office, archiving(wal, office.ledger.url):
        made = [life.to_state(office, "submitted", seed=seed) for seed in range(1, 4)]
        office.windows.documents.put("mat_drill", b"content")
        assert "k001" in right(kinbind("backup", "base", sunday))
        made.append(life.to_state(office, "face_check", seed=4))
        moment = real_now(office.ledger.url)
        life.say(office, "withdraw", made[0])
        lost = life.to_state(office, "submitted", seed=5)
    destroyed(var)

    too_far = kinbind("restore", sunday, "--wal", wal, "--to", "2099-01-01T00:00:00Z")
    assert (too_far.returncode, "before configured recovery target" in too_far.stderr) == (1, True), too_far.stderr
    right(kinbind("restore", sunday, "--wal", wal, "--to", moment.isoformat()))
    again = kinbind("restore", sunday)
    assert (again.returncode, "nothing is overwritten" in again.stderr) == (1, True)

    with service(var) as office:
        assert office.windows.documents.get("mat_drill") == b"content"
        states = [life.look(office, one).state for one in made]
        assert states == ["submitted", "submitted", "submitted", "face_check"], "as of that moment"
        with pytest.raises(Refused, match="not_found"):
            office.desk.look(lost)
        check(office)
        life.skip(office, days=8)
        sweepers = [threading.Thread(target=all_due, args=(office,)) for _ in range(2)]
        for sweeper in sweepers:
            sweeper.start()
        for sweeper in sweepers:
            sweeper.join(30)
        assert [life.events(office, one) for one in made[:3]] == [["submitted", "expired"]] * 3
        assert life.events(office, made[3])[3:] == ["routed_offline"]
        check(office)
        found = audit.verify(office.ledger)
        assert (found.bindings, found.faults) == (4, [])


def all_due(office: Office) -> None:
    while sweep(office.desk):
        pass


# What may end a restore, put where it asks whether the log is played, or where it comes to the documents.
ENDS = {
    "Ctrl-C": ("embedded.backup._writes", "raise KeyboardInterrupt"),
    "a fault of the connection": ("embedded.backup._writes", "raise __import__('psycopg').OperationalError"),
    "kill -9": ("embedded.backup._writes", "__import__('os').kill(__import__('os').getpid(), 9)"),
    "Ctrl-C over the documents": ("cli.backup.documents_folder", "raise KeyboardInterrupt"),
}


def interrupted(name: str, *arguments: str | Path) -> subprocess.CompletedProcess[str]:
    """`kinbind`, ended where its function `name` is asked."""
    place, end = ENDS[name]
    module, function = place.rsplit(".", 1)
    code = f"import {module} as m\nfrom cli.main import app\ndef end(*_):\n  {end}\nm.{function} = end\napp()"
    command = [sys.executable, "-c", code, *map(str, arguments)]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)


@pytest.mark.timeout(180)
def test_a_restore_that_is_interrupted_leaves_nothing_that_would_be_served(var: Path) -> None:
    sunday, wal = var.parent / "sunday", var.parent / "wal"
    with service(var) as office, archiving(wal, office.ledger.url):
        office.windows.documents.put("mat_drill", b"content")
        right(kinbind("backup", "base", sunday))
        late = life.to_state(office, "submitted", seed=1)
    destroyed(var)

    for name in ENDS:
        ended = interrupted(name, "restore", sunday, "--wal", wal)
        assert ended.returncode != 0, (name, ended.stdout)
        assert not (var / "postgres" / "data").exists(), name
    right(kinbind("restore", sunday, "--wal", wal))
    assert not (var / "postgres" / "data.partial").exists()
    with service(var) as office:
        assert office.windows.documents.get("mat_drill") == b"content"
        assert life.look(office, late).state == "submitted"
        check(office)


# -- the log, while the server comes and goes ------------------------------------------------------------------------


@contextmanager
def following(folder: Path) -> Iterator[subprocess.Popen[str]]:
    """`kinbind backup wal`, whose lines can be read; killed where the test did not end it."""
    command = [sys.executable, "-m", "cli.main", "backup", "wal", str(folder)]
    pipe = subprocess.PIPE
    with subprocess.Popen(command, cwd=ROOT, stdout=pipe, stderr=pipe, text=True) as process:
        try:
            yield process
        finally:
            process.kill()


def told(process: subprocess.Popen[str]) -> str:
    """The next line that it says."""
    assert process.stdout is not None
    return process.stdout.readline()


@contextmanager
def noted(var: Path) -> Iterator[str]:
    """The server of `var`, at a port of its own choice; its address is noted as the supervisor notes it."""
    with Postgres(var / "postgres") as server:
        addresses.note(var, Addresses(server.url, "redis://127.0.0.1:1"))
        try:
            yield server.url
        finally:
            addresses.forget(var)


@pytest.mark.timeout(180)
def test_the_log_follows_our_server_to_another_port(var: Path) -> None:
    sunday, wal = var.parent / "sunday", var.parent / "wal"
    with ExitStack() as running:
        with noted(var) as first:
            process = running.enter_context(following(wal))
            written(wal, first)
            right(kinbind("backup", "base", sunday))
        assert "gone" in told(process)
        with noted(var) as second:
            assert second != first
            assert "back" in told(process)
            with psycopg.connect(second) as conn:
                conn.execute("create table drill as select 1")
            written(wal, second)
            process.send_signal(signal.SIGTERM)
            assert process.wait(20) == 0
    destroyed(var)
    right(kinbind("restore", sunday, "--wal", wal))
    with noted(var) as url, psycopg.connect(url) as conn:
        assert conn.execute("select * from drill").fetchall() == [(1,)]


@pytest.mark.timeout(180)
def test_the_log_follows_a_server_by_url_and_ends_with_a_word_where_waiting_mends_nothing(
    var: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    wal, port = var.parent / "wal", free_port()
    with ExitStack() as running:
        with Postgres(var / "postgres", port=port) as server:
            monkeypatch.setenv("KINBIND_DATABASE_URL", server.url)
            process = running.enter_context(following(wal))
            written(wal, server.url)
        assert "gone" in told(process)
        with Postgres(var / "postgres", port=port) as server:
            assert "back" in told(process)
            written(wal, server.url)
            with psycopg.connect(server.url) as conn:
                conn.execute("select pg_terminate_backend(pid) from pg_stat_replication")
            assert process.wait(20) == 1
            assert process.stderr is not None
            assert "though the database is there" in process.stderr.read()
            process = running.enter_context(following(wal))
            written(wal, server.url)
        assert "gone" in told(process)
        process.send_signal(signal.SIGTERM)
        assert process.wait(20) == 1, "whatever is written from now on is not in the log"
