"""The years of working days that the ledger knows: read by every process, loaded by a person or from the package.

A row holds one year's notice; it counts more than what the package `chinesecalendar` says of that year. Each load
raises the version, which every read of cases brings along: no process counts by an old calendar for longer than one
reading. What was counted by the old one is counted again by `workflows/recounting.py`.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

import msgspec
from psycopg import Connection

from models.ledger import Ledger
from policies.calendar import Calendar, Year, seed_year

FROM_SEED = "chinesecalendar"
FEWEST_HOLIDAYS = 10  # days: a year has had eleven statutory ones since 2008, thirteen since 2025
# A mistaken file may hold off decisions for months, or take away days that people count on. In the years that
# the package knows these were 23 and 12 at most; a year within them has at least 220 working days.
MOST_WEEKDAYS_OFF = 40
MOST_WEEKENDS_WORKED = 20
_SATURDAY = 5

_READ = "select year, holidays, make_up, version from working_days"
_ONE = "select source, loaded_at from working_days where year = %s"
_LOCK = "lock table working_days in share row exclusive mode"  # versions come in the order in which they are seen
_LOAD = """
insert into working_days (year, holidays, make_up, source, version, loaded_at)
select %(year)s, %(holidays)s, %(make_up)s, %(source)s, coalesce(max(version), 0) + 1, clock_timestamp()
from working_days
on conflict (year) do update
set holidays = excluded.holidays, make_up = excluded.make_up, source = excluded.source, version = excluded.version,
    loaded_at = excluded.loaded_at, recounted_at = null
"""


class NoYear(ValueError):
    """What was given is not a year of working days; the message says why, in one line."""


class _Day(msgspec.Struct, rename="camel"):
    date: date
    is_off_day: bool


class _File(msgspec.Struct):
    year: int
    days: list[_Day]


@dataclass(frozen=True, slots=True)
class Origin:
    """Where the ledger has a year from, and since when (real time)."""

    source: str
    loaded_at: datetime


def read(conn: Connection[Any]) -> Calendar:
    """The calendar as the ledger has it now."""
    rows = conn.execute(_READ).fetchall()
    years = [Year(row[0], frozenset(row[1]), frozenset(row[2])) for row in rows]
    return Calendar(years, version=max((row[3] for row in rows), default=0))


def origin(conn: Connection[Any], year: int) -> Origin | None:
    """Where the ledger has this year from; None where it does not have it."""
    row = conn.execute(_ONE, (year,)).fetchone()
    return Origin(*row) if row else None


def load(ledger: Ledger, year: Year, source: str) -> None:
    """Let this year count from now on, instead of what was known of it before."""
    told = {"year": year.year, "holidays": sorted(year.holidays), "make_up": sorted(year.make_up), "source": source}
    with ledger.transaction() as conn:
        conn.execute(_LOCK)
        conn.execute(_LOAD, told)


def learn_seed(ledger: Ledger, today: date) -> list[int]:
    """Load years, from this one on, that a newer package knows and the ledger does not; return them."""
    with ledger.connection() as conn:
        there = {row[0] for row in conn.execute("select year from working_days")}
    found = [seed for year in range(today.year, today.year + 3) if year not in there and (seed := seed_year(year))]
    for seed in found:
        load(ledger, seed, FROM_SEED)
    return [seed.year for seed in found]


def parse(body: bytes, year: int) -> Year:
    """One year's notice from JSON: `{"year": 2027, "days": [{"date": "2027-01-01", "isOffDay": true}, …]}`.

    That is the form in which the public `holiday-cn` has them; other keys are passed over. Raises `NoYear`.
    """
    try:
        file = msgspec.json.decode(body, type=_File)
    except msgspec.MsgspecError as fault:
        raise NoYear(f"not a year's days as JSON: {fault}") from fault
    if file.year != year:
        raise NoYear(f"the file is about {file.year}, not {year}")
    found = Year(
        year,
        frozenset(day.date for day in file.days if day.is_off_day),
        frozenset(day.date for day in file.days if not day.is_off_day),
    )
    strangers = sorted(day for day in found.holidays | found.make_up if not found.speaks_of(day))
    if strangers:
        raise NoYear(f"{strangers[0]} is neither in {year} nor in the December before")
    if both := sorted(found.holidays & found.make_up):
        raise NoYear(f"{both[0]} is said to be both off and worked")
    if len(found.holidays) < FEWEST_HOLIDAYS:  # files of coming years are published empty, and filled in later
        raise NoYear(f"only {len(found.holidays)} days off: the holidays of {year} do not seem to be published yet")
    _be_plausible(found)
    return found


def _be_plausible(year: Year) -> None:
    """Raise `NoYear` where far more differs from Monday to Friday than ever did."""
    off = sum(day.weekday() < _SATURDAY for day in year.holidays)
    if off > MOST_WEEKDAYS_OFF:
        raise NoYear(f"{off} weekdays off: no year has more than {MOST_WEEKDAYS_OFF}")
    worked = sum(day.weekday() >= _SATURDAY for day in year.make_up)
    if worked > MOST_WEEKENDS_WORKED:
        raise NoYear(f"{worked} days of weekends worked: no year has more than {MOST_WEEKENDS_WORKED}")
