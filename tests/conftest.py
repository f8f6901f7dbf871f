"""A real PostgreSQL and a real Valkey for the tests that ask for them, on ports and in folders of their own.

`KINBIND_TEST_DATABASE_URL` and `KINBIND_TEST_REDIS_URL` name servers to use instead. The tests of
store/ run on every PostgreSQL found (the wheel's and the system's): `KINBIND_TEST_POSTGRES=wheel` or
`path` keeps to one.
"""

import base64
import contextlib
import functools
import hashlib
import hmac
import os
import re
import secrets
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit, urlunsplit

import psycopg
import pytest
import structlog
from psycopg import sql
from xdist.scheduler import LoadScopeScheduling

from embedded.accounts import NoAccount
from embedded.binaries import Installation, ServerMissing, postgres_installations
from embedded.broker import Broker
from embedded.postgres import TEST_SETTINGS, USER, Postgres
from tests.evidence import cannot_run, cannot_run_here

HERE = Path(__file__).parent
ROOM = 2_000_000_000  # bytes of memory that a whole run may take; a clone takes 10 ms there, 130 on a disk


def pytest_xdist_auto_num_workers() -> int:
    """Two more processes than there are cores: half of the longest tests wait for processes of their own."""
    return (os.cpu_count() or 1) + 2


# The folders whose tests take longest come first: at the end no process should wait for another's last long one.
LONGEST_FIRST = ("workers", "drills", "browser", "golden", "store", "doors", "pure")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The folder is the marker; what lies at the top of tests/ needs no server either."""
    items.sort(key=_place_of)
    for item in items:
        if item.path.is_relative_to(HERE):
            folders = item.path.relative_to(HERE).parts[:-1]
            item.add_marker(folders[0] if folders else "pure")


def _place_of(item: pytest.Item) -> int:
    folders = item.path.relative_to(HERE).parts[:-1] if item.path.is_relative_to(HERE) else ()
    return LONGEST_FIRST.index(folders[0]) if folders else len(LONGEST_FIRST)


class ByFile(LoadScopeScheduling):  # type: ignore[misc]  # xdist carries no types
    """A file stays with one process, which then sets up once what its tests share; on two servers it is two files.

    Groups of xdist's own are lost under pytest 9 (xdist 3.8 writes them into a name that is no longer read).
    """

    def _split_scope(self, nodeid: str) -> str:
        server = re.search(r"[\[-](path|wheel)-\d+[\]-]", nodeid)
        return nodeid.partition("::")[0] + (server[1] if server else "")


def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> ByFile:
    return ByFile(config, log)


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Each test of store/ that touches a database runs on every PostgreSQL found."""
    in_store = metafunc.definition.path.is_relative_to(HERE / "store")
    found = _installations() if in_store and "server_url" in metafunc.fixturenames else []
    if found:
        names = [f"{one.origin}-{one.major}" for one in found]
        metafunc.parametrize("server_url", found, ids=names, indirect=True, scope="session")


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    for reason in sorted(set(cannot_run_here)):
        terminalreporter.write_line(f"NOT PROVEN HERE: {reason}", red=True, bold=True)
    for report in terminalreporter.stats.get("passed", []):
        for name, told in report.user_properties:
            if name == "drill":  # what a drill counted and measured
                terminalreporter.write_line(f"DRILL {report.nodeid.rpartition('/')[2]}: {told}")


@functools.cache  # asked once a test; each must be started to be asked its version
def _installations() -> list[Installation]:
    if "KINBIND_TEST_DATABASE_URL" in os.environ:
        return []
    wanted = os.environ.get("KINBIND_TEST_POSTGRES", "")
    return [one for one in postgres_installations() if wanted in {"", "all", one.origin}]


@pytest.fixture(autouse=True)
def _no_log_to_a_closed_file() -> None:
    """A command that a test has run in this process has left its log at a stderr that is closed by now."""
    written_to = getattr(structlog.get_config()["logger_factory"], "_file", None)
    if written_to is not None and written_to.closed:
        structlog.reset_defaults()


@pytest.fixture(scope="session")
def server_folder() -> Iterator[Path]:
    """A folder in memory, if there is room, into which an unprivileged server may come too."""
    in_memory = Path("/dev/shm")
    roomy = os.access(in_memory, os.W_OK) and shutil.disk_usage(in_memory).free > ROOM
    with _folder(in_memory if roomy else None) as folder:
        yield folder


@pytest.fixture
def open_folder() -> Iterator[Path]:
    """The same on a disk, for one test: where programs may be started from, and crashes are real."""
    with _folder(None) as folder:
        yield folder


@contextlib.contextmanager
def _folder(parent: Path | None) -> Iterator[Path]:
    folder = Path(tempfile.mkdtemp(prefix="kinbind-test-", dir=parent))
    folder.chmod(0o755)
    yield folder
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="session")
def server_url(request: pytest.FixtureRequest, server_folder: Path) -> Iterator[str]:
    """A PostgreSQL's maintenance database, as superuser."""
    if given := os.environ.get("KINBIND_TEST_DATABASE_URL"):
        yield given
        return
    installation: Installation | None = getattr(request, "param", None)
    if installation is None:
        installation = next(iter(_installations()), None)
    if installation is None:
        cannot_run("no PostgreSQL: neither the wheel nor one on the PATH")
    home = server_folder / f"postgres-{installation.origin}-{installation.major}"
    try:
        server = Postgres(home, settings=TEST_SETTINGS, installation=installation)
    except (NoAccount, ServerMissing) as error:
        cannot_run(str(error))
    with server:
        _sign_in_at_once(server)
        yield server.url_of("postgres")


def _sign_in_at_once(server: Postgres) -> None:
    """The same password, stretched once and not 4,096 times: 5 ms at each of some ten thousand connections."""
    salt = secrets.token_bytes(16)
    stretched = hashlib.pbkdf2_hmac("sha256", server.password.encode(), salt, 1)
    stored = hashlib.sha256(hmac.digest(stretched, b"Client Key", "sha256")).digest()
    theirs = hmac.digest(stretched, b"Server Key", "sha256")
    encoded = [base64.b64encode(part).decode() for part in (salt, stored, theirs)]
    verifier = "SCRAM-SHA-256$1:{}${}:{}".format(*encoded)  # RFC 5803, as PostgreSQL keeps it
    with psycopg.connect(server.url_of("postgres"), autocommit=True) as connection:
        change = sql.SQL("ALTER ROLE {} PASSWORD {}").format(sql.Identifier(USER), sql.Literal(verifier))
        connection.execute(change)


@pytest.fixture(scope="session")
def template(server_url: str) -> Iterator[str]:
    """The name of a database with our schema and nothing in it, from which the others are cloned."""
    from models import ledger  # only those who ask for a database need the models

    with own_database(server_url, "template") as name:
        ledger.migrate(address_of(server_url, name))
        yield name


@pytest.fixture
def database_url(server_url: str, template: str) -> Iterator[str]:
    """A database of the test's own: our schema, no rows."""
    with own_database(server_url, "test", cloned_from=template) as name:
        yield address_of(server_url, name)


@pytest.fixture
def empty_database_url(server_url: str) -> Iterator[str]:
    """A database without our schema, for the tests of the migrations."""
    with own_database(server_url, "empty") as name:
        yield address_of(server_url, name)


@pytest.fixture(scope="session")
def broker_server_url(server_folder: Path) -> Iterator[str]:
    if given := os.environ.get("KINBIND_TEST_REDIS_URL"):
        yield given
        return
    try:
        broker = Broker(server_folder / "broker", durable=False)
    except ServerMissing as error:
        cannot_run(str(error))
    with broker:
        yield broker.url


@pytest.fixture
def broker_url(broker_server_url: str) -> str:
    """A broker with nothing in it."""
    import redis

    with contextlib.closing(redis.Redis.from_url(broker_server_url)) as client:
        client.flushdb()
    return broker_server_url


@pytest.fixture
def full_broker_url(broker_url: str) -> Iterator[str]:
    """The same, with no room for anything: it answers, and takes nothing."""
    import redis

    with contextlib.closing(redis.Redis.from_url(broker_url)) as client:
        before = client.config_get("maxmemory")["maxmemory"] or 0
        client.config_set("maxmemory", 1)
        yield broker_url
        client.config_set("maxmemory", before)


@contextlib.contextmanager
def own_database(server_url: str, kind: str, cloned_from: str = "template1") -> Iterator[str]:
    name = f"kinbind_{kind}_{secrets.token_hex(6)}"
    make = sql.SQL("CREATE DATABASE {} TEMPLATE {} STRATEGY FILE_COPY")
    drop = sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)")
    with psycopg.connect(server_url, autocommit=True) as connection:
        connection.execute(make.format(sql.Identifier(name), sql.Identifier(cloned_from)))
        try:
            yield name
        finally:
            connection.execute(drop.format(sql.Identifier(name)))


def address_of(server_url: str, database: str) -> str:
    return urlunsplit(urlsplit(server_url)._replace(path=f"/{database}"))
