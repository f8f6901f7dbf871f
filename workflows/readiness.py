"""Whether this deployment can do its work: the ledger takes what is written, and somebody has worked lately."""

from __future__ import annotations

import math
from datetime import datetime
from functools import cache
from typing import Any

import psycopg
from sqlalchemy import text
from sqlalchemy.exc import ProgrammingError, SQLAlchemyError

from models.keyring import Keyring
from models.ledger import WRITABLE, Ledger, newest_schema, serves

MISSED_AFTER = 60  # seconds of real time without a sign, after which the worker or the sweep is missed
UPKEEP_MISSED_AFTER = 7200  # the same of the upkeep, which comes every half hour

_SEEN = text("""
select (select array_agg(version_num) from alembic_version) as versions,
  exists (select from heartbeats
          where name like 'worker%' and seen_at > clock_timestamp() - make_interval(secs => :seconds)) as worker,
  (select mark from keyring) as mark
""")
_ANSWERS = text("select 1")
# By real time: a moved clock makes no worker old.
_HEARTBEATS = text("""
select name, seen_at, extract(epoch from clock_timestamp() - seen_at)::float8 as seconds from heartbeats order by name
""")
NEWEST = "select max(seen_at) as at from heartbeats"


def readiness(ledger: Ledger, keys: Keyring) -> dict[str, bool]:
    """What the database tells: `{database, writable, migrations, keyring, worker}`; all false if it does not answer.

    The database that the desk writes to is asked; if there is a separate one for reading, that is told as `reader`.
    """
    return _desk_side(ledger, keys) | ({"reader": _reader_answers(ledger)} if ledger.reads_apart else {})


def _desk_side(ledger: Ledger, keys: Keyring) -> dict[str, bool]:
    nothing = dict.fromkeys(("database", "writable", "migrations", "keyring", "worker"), False)
    try:
        seen = ledger.read(_SEEN, {"seconds": MISSED_AFTER}, fresh=True)[0]
    except ProgrammingError:  # no such table: a database that was never migrated
        return nothing | {"database": True, "writable": _writable(ledger)}
    except SQLAlchemyError:
        return nothing
    return {
        "database": True,
        "writable": _writable(ledger),
        "migrations": serves(seen["versions"] or [], head(ledger.url)),
        "keyring": seen["mark"] in {None, keys.mark},  # it may have been restored to before it was anybody's
        "worker": seen["worker"],
    }


def _writable(ledger: Ledger) -> bool:
    """Whether the desk can write: its URL may lead to a standby. It is asked itself, as whoever reads never writes."""
    try:
        with ledger.connection() as conn:
            return conn.execute(WRITABLE).fetchone() == (True,)
    except psycopg.Error:
        return False


def _reader_answers(ledger: Ledger) -> bool:
    try:
        ledger.read(_ANSWERS)
    except SQLAlchemyError:
        return False
    return True


def heartbeats(ledger: Ledger) -> list[dict[str, Any]]:
    """When the sweep and each worker were last seen, and how many seconds ago.

    Fresh: where a replica lags, workers are not gone.
    """
    return [dict(row) for row in ledger.read(_HEARTBEATS, fresh=True)]


def reader_lag(ledger: Ledger) -> float:
    """By how many seconds the side for reads is behind. Raises what the driver raises."""
    if not ledger.reads_apart:
        return 0.0
    return lag(*(ledger.read(text(NEWEST), fresh=fresh)[0]["at"] for fresh in (True, False)))


def lag(here: datetime | None, there: datetime | None) -> float:
    """The seconds between the newest heartbeat of the main database and of the one for reads.

    As heartbeats come every ten seconds, some are normal; infinite where no heartbeat has ever come over.
    """
    if here is None:
        return 0.0
    return max(0.0, (here - there).total_seconds()) if there is not None else math.inf


@cache
def head(url: str) -> str | None:
    """The newest migration of this code."""
    return newest_schema(url)
