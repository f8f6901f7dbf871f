"""The sandbox's stand-ins with their state in a real PostgreSQL, and a clock that is moved."""

from datetime import datetime, timedelta
from typing import cast

import psycopg
import pytest
from psycopg_pool import ConnectionPool

from gateways.faces import Subject
from gateways.sandbox import Pool
from gateways.sandbox.faces import SandboxFaces
from gateways.sandbox.registries import SandboxRegistries
from gateways.sandbox.schema import sandbox_schema_sql
from models.keyring import Keyring

KEYS = Keyring({"k001": b"k" * 32}, "k001", b"i" * 32)
ZHANG = Subject("张三", "resident_id", "11010119900307123X")
LI = Subject("李四", "resident_id", "310101199801011234")
# A clock of the test's own, found before the ledger's: these tests need no ledger.
CLOCK = """
create schema test_clock;
create table test_clock.ahead as select interval '0' as by;
create function test_clock.kinbind_now() returns timestamptz language sql volatile
  as 'select clock_timestamp() + by from test_clock.ahead';
"""


@pytest.fixture
def pool(empty_database_url):
    with psycopg.connect(empty_database_url, autocommit=True) as connection:
        connection.execute(CLOCK)
        connection.execute(sandbox_schema_sql())
        connection.execute(sandbox_schema_sql())  # said again, it changes nothing
    options = {"autocommit": True, "options": "-c search_path=test_clock,public"}
    with ConnectionPool(empty_database_url, min_size=1, max_size=4, kwargs=options) as pool:
        yield pool


@pytest.fixture
def faces(pool):
    return SandboxFaces(pool, KEYS)


@pytest.fixture
def registries(pool):
    return SandboxRegistries(pool, KEYS)


def advance(pool: Pool, **by: float) -> None:
    with pool.connection() as connection:
        connection.execute("update test_clock.ahead set by = by + %s", (timedelta(**by),))


def now(pool: Pool) -> datetime:
    with pool.connection() as connection:
        row = connection.execute("select kinbind_now()").fetchone()
    assert row
    return cast("datetime", row[0])


def everything(pool: Pool) -> str:
    """All that lies in schema sandbox, as text."""
    with pool.connection() as connection:
        names = connection.execute(
            "select tablename from pg_tables where schemaname = 'sandbox' and tablename <> 'secrets'"
        ).fetchall()
        return " ".join(
            str(connection.execute(f"select coalesce(json_agg(t)::text, '') from sandbox.{name} t").fetchone())
            for (name,) in names
        )
