"""The sessions with the database, and the only place that commits."""

from __future__ import annotations

import select
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, LiteralString

import orjson
import psycopg
import sqlalchemy.exc
from psycopg import Connection, RawCursor
from psycopg.types.json import Jsonb
from psycopg_pool import ConnectionPool
from sqlalchemy import Engine, Executable, RowMapping, create_engine, event
from sqlalchemy.engine import make_url

from models.settings import given

if TYPE_CHECKING:
    from alembic.config import Config

ROOT = Path(__file__).parent.parent
MONTHS_AHEAD = 3  # partitions of the history

# The desk has few statements, all prepared and by primary key: a generic plan is always the right one.
_DESK_OPTIONS = (
    "-c plan_cache_mode=force_generic_plan -c enable_seqscan=off -c enable_hashjoin=off -c enable_mergejoin=off "
    "-c idle_in_transaction_session_timeout=60000 -c lock_timeout=5000 -c timezone=UTC -c jit=off"
)
# Looks at every binding sort in memory; few run at a time.
_READER_OPTIONS = (
    "-c default_transaction_read_only=on -c statement_timeout=30000 -c timezone=UTC -c jit=off -c work_mem=32MB"
)
_MIGRATING_OPTIONS = "-c lock_timeout=4000 -c timezone=UTC"  # as in migrations/env.py: fail fast, and be repeated
# How long a dead host is waited for, in every pool: in seconds; in milliseconds for data that is not acknowledged.
PATIENCE = {
    "connect_timeout": 5,
    "keepalives_idle": 10,
    "keepalives_interval": 5,
    "keepalives_count": 3,
    "tcp_user_timeout": 30_000,
}
# The ledger does not answer, or not in time, or takes nothing, as a standby: trying again helps. Any other failure of a
# statement is our own fault.
# A pool's errors are psycopg's operational ones; those of the reading side come wrapped by SQLAlchemy.
AWAY: tuple[type[Exception], ...] = (
    psycopg.OperationalError, psycopg.InterfaceError, psycopg.errors.ReadOnlySqlTransaction,
    sqlalchemy.exc.OperationalError, sqlalchemy.exc.InterfaceError, sqlalchemy.exc.TimeoutError,
)  # fmt: skip
# Whether a writing connection can write.
WRITABLE = "select not pg_is_in_recovery() and current_setting('default_transaction_read_only') = 'off'"


def not_hung_up(conn: Connection[Any]) -> None:
    """Whether a connection of a pool is still one: for `ConnectionPool(check=…)`.

    A server that went away has said so, or hung up: then there is something to read though nothing was asked. If there
    is nothing to read, nothing is sent. Raises what psycopg raises for a lost connection.
    """
    heard = select.poll()
    heard.register(conn.fileno(), select.POLLIN)
    if heard.poll(0):
        ConnectionPool.check_connection(conn)


class LedgerNotSetError(RuntimeError):
    """`KINBIND_DATABASE_URL` is not set."""


def database_url() -> str:
    """The ledger's address from `KINBIND_DATABASE_URL`.

    Raises `LedgerNotSetError`.
    """
    url = given("KINBIND_DATABASE_URL")
    if not url:
        raise LedgerNotSetError
    return url


class LedgerClosedError(psycopg.InterfaceError):
    """A background thread has outlived the ledger of its process."""


class Ledger:
    """A pool that writes for the desk, and one that only reads, for views.

    If the reading side has an address of its own, it may be a replica that lags: then a third pool has `fresh` reads.
    """

    def __init__(self, url: str, reader_url: str | None = None, size: int = 4) -> None:
        """Open both pools; `size` is the most connections of the desk's."""
        self.url = url
        self.pool = ConnectionPool(
            url,
            min_size=1,
            max_size=size,
            open=True,
            timeout=5,  # seconds until whoever waits for a connection is told that there is none
            check=not_hung_up,
            kwargs={"autocommit": True, "prepare_threshold": 0, "options": _DESK_OPTIONS, **PATIENCE},
        )
        reader_url = reader_url or given("KINBIND_READER_URL") or url
        self._reader = _reader_engine(reader_url, size)
        self.reads_apart = reader_url != url
        self._fresh = _reader_engine(url, size) if self.reads_apart else self._reader
        self._closed = False

    def close(self) -> None:
        """Close both pools; reads under way may finish."""
        self._closed = True
        self.pool.close()
        self._reader.dispose()
        self._fresh.dispose()

    @contextmanager
    def connection(self) -> Iterator[Connection[Any]]:
        """A writing connection on which every statement commits by itself."""
        with self.pool.connection() as conn:
            yield conn

    @contextmanager
    def transaction(self) -> Iterator[Connection[Any]]:
        """A writing connection whose statements commit together at the end of the block."""
        with self.pool.connection() as conn, conn.transaction():
            yield conn

    def read(
        self, statement: Executable, parameters: dict[str, Any] | None = None, *, fresh: bool = False
    ) -> Sequence[RowMapping]:
        """Run a query on the reading side and return its rows as mappings.

        `fresh`: from where the desk writes. For what somebody has just done himself and what a decision rests on; only
        lists of what others do may lag behind. Raises `LedgerClosedError`, and what the driver raises.
        """
        if self._closed:
            raise LedgerClosedError
        with (self._fresh if fresh else self._reader).connect() as conn:
            try:
                return conn.execute(statement, parameters or {}).mappings().all()
            finally:
                if self._closed and not conn.invalidated:
                    conn.detach()  # its pool is closed: the connection closes at the end of the block

    def now(self) -> datetime:
        """The service clock: the database's real time plus what the sandbox has added (UTC)."""
        with self.connection() as conn:
            row = conn.execute("select kinbind_now()").fetchone()
        assert row is not None  # noqa: S101  a select without a table always answers
        moment: datetime = row[0]
        return moment


@contextmanager
def waiting(conn: Connection[Any], milliseconds: int) -> Iterator[None]:
    """A transaction on a connection of the desk's that waits for each lock only so long."""
    with conn.transaction():
        conn.execute(f"set local lock_timeout = {milliseconds}")
        yield


def run(conn: Connection[Any], statement: LiteralString, document: Any) -> list[Any]:
    """Run a prepared statement of one parameter, `$1`, a JSON document with all that it needs; return its rows.

    One plain parameter, a cursor without placeholders and rows in binary take a third of psycopg's usual time.
    """
    return RawCursor(conn).execute(statement, (Jsonb(document, orjson.dumps),), prepare=True, binary=True).fetchall()


def _reader_engine(url: str, size: int) -> Engine:
    engine = create_engine(
        make_url(url).set(drivername="postgresql+psycopg"),
        pool_size=size,
        max_overflow=size,
        pool_use_lifo=True,  # the connection used last has its statements prepared, and its caches warm
        pool_pre_ping=True,
        isolation_level="AUTOCOMMIT",
        connect_args={"options": _READER_OPTIONS, **PATIENCE},
    )

    @event.listens_for(engine, "connect")
    def _prepare_early(connection: Any, _record: Any) -> None:
        connection.prepare_threshold = 2

    return engine


# Alembic takes a tenth of the time a process needs to start, and few need it: it is imported on use.


def alembic_config(url: str) -> Config:
    """Alembic's configuration for this repository and `url`."""
    from alembic.config import Config  # noqa: PLC0415

    config = Config()
    config.set_main_option("script_location", str(ROOT / "migrations"))
    config.attributes["url"] = make_url(url).set(drivername="postgresql+psycopg")
    return config


def migrate(url: str) -> None:
    """Bring the schema at `url` to the newest version; harmless when it is there already, or further.

    The partitions of the history are made too: if upkeep has not run for long, the first line need not wait for it.
    """
    from alembic import command  # noqa: PLC0415

    with psycopg.connect(url, autocommit=True, options=_MIGRATING_OPTIONS) as conn:
        if not serves(schemas(conn), newest_schema(url)):  # a newer schema has all that this code needs
            command.upgrade(alembic_config(url), "head")
        make_partitions(conn)


def make_partitions(conn: Connection[Any]) -> None:
    """Make the history's partitions of this month and those ahead, where there is none yet."""
    conn.execute("select history_partitions_v1(%s)", (MONTHS_AHEAD,))


def newest_schema(url: str) -> str | None:
    """The newest migration of this code."""
    from alembic.script import ScriptDirectory  # noqa: PLC0415

    return ScriptDirectory.from_config(alembic_config(url)).get_current_head()


def schemas(conn: Connection[Any]) -> list[str]:
    """The migrations at which a database stands: one, or none yet."""
    row = conn.execute("select to_regclass('alembic_version') is not null").fetchone()
    there = row is not None and row[0]
    return [one[0] for one in conn.execute("select version_num from alembic_version")] if there else []


def serves(versions: Sequence[str], head: str | None) -> bool:
    """Whether a database at these migrations has all that code with the newest migration `head` needs.

    Migrations are numbered. A later one, which this code does not know, leaves in place what the release before needs.
    """
    return bool(versions) and (head is None or min(versions) >= head)
