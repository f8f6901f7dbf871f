"""Days, months and working days of Asia/Shanghai (DOMAIN §C.9); instants go in and come out in UTC.

Days and months never change. Which days are worked is published each year in the State Council's notice: that is a
`Calendar`, made of the years that are known. `SEED` has those of the package `chinesecalendar`;
the ledger may know more, or know better, and gives its years from outside (`workflows/calendars.py`).
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import NamedTuple
from zoneinfo import ZoneInfo

import chinese_calendar

SHANGHAI = ZoneInfo("Asia/Shanghai")
_ONE_DAY = timedelta(days=1)
_SATURDAY = 5
# Month and day of the holidays that the law fixes, since 2025: 元旦, 劳动节, 国庆节. The others move from year to year.
_ALWAYS_OFF = frozenset({(1, 1), (5, 1), (5, 2), (10, 1), (10, 2), (10, 3)})
_REMEMBERED = 4096  # every case asks about the same few days


class Due(NamedTuple):
    """The end of a term in UTC; `provisional` where it rests on a year whose holidays are not published."""

    at: datetime
    provisional: bool


def shanghai_day(instant: datetime) -> date:
    """Return the day that it is in Shanghai at `instant` (aware, any zone)."""
    if instant.tzinfo is None:
        raise ValueError("an instant without a time zone has no day")
    return instant.astimezone(SHANGHAI).date()


def month_of(instant: datetime) -> str:
    """Return the calendar month in Shanghai, as "2026-11": the month of the binder limit (C11)."""
    return shanghai_day(instant).isoformat()[:7]


def start_of_day(day: date) -> datetime:
    """Return 00:00 Asia/Shanghai of `day`, in UTC."""
    return datetime(day.year, day.month, day.day, tzinfo=SHANGHAI).astimezone(UTC)


def end_of_day(day: date) -> datetime:
    """Return 24:00 Asia/Shanghai of `day`, in UTC."""
    return start_of_day(day + _ONE_DAY)


def next_midnight(instant: datetime) -> datetime:
    """Return the first midnight of Shanghai after `instant`, in UTC; a midnight gives the next one."""
    return end_of_day(shanghai_day(instant))


# -- working days --------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Year:
    """One year's notice: days on which offices rest, and days on which they work although it is a weekend.

    A notice may also speak of the December before (New Year's holiday begins there). Weekends among the holidays
    and weekdays among the make-up days change nothing.
    """

    year: int
    holidays: frozenset[date]
    make_up: frozenset[date]

    def speaks_of(self, day: date) -> bool:
        """Whether a notice of this year may say something about `day`."""
        return day.year == self.year or (day.year, day.month) == (self.year - 1, 12)


class Calendar:
    """Which days are worked, as far as years are known. Immutable; `version` tells a ledger's calendars apart."""

    def __init__(self, years: Iterable[Year] = (), version: int = 0) -> None:
        """Know the seed's years and these; what these say of a day overrides what was known before."""
        self.version = version
        given = sorted(years, key=lambda one: one.year)
        self._known = _SEED_YEARS.keys() | {one.year for one in given}
        instead = {one.year: one for one in given}
        self._holidays: set[date] = set()
        self._make_up: set[date] = set()
        for year in sorted(self._known):
            self._learn(instead.get(year) or _SEED_YEARS[year])
        self._terms: dict[tuple[date, int], date] = {}

    def _learn(self, year: Year) -> None:
        self._holidays = self._holidays - year.make_up | year.holidays
        self._make_up = self._make_up - year.holidays | year.make_up

    def is_known(self, day: date) -> bool:
        """Tell whether the State Council's holidays of that year are in the calendar."""
        return day.year in self._known

    def is_working_day(self, day: date) -> bool:
        """Tell whether offices work on `day`; in years not published yet Monday to Friday, save what the law fixes."""
        # the other holidays of an unpublished year are not guessed: it would look like knowledge
        off = day in self._holidays or ((day.month, day.day) in _ALWAYS_OFF and not self.is_known(day))
        return day in self._make_up or (day.weekday() < _SATURDAY and not off)

    def next_working_day(self, day: date) -> date:
        """Return the first working day after `day`."""
        day += _ONE_DAY
        while not self.is_working_day(day):
            day += _ONE_DAY
        return day

    def add_working_days(self, day: date, days: int) -> date:
        """Return the `days`-th working day after `day`, which itself does not count (民法典 §201).

        Raises `ValueError` for fewer than one.
        """
        if days < 1:
            raise ValueError("a term has at least one working day")
        last = self._terms.get((day, days))
        if last is None:
            last = day
            for _ in range(days):
                last = self.next_working_day(last)
            if len(self._terms) >= _REMEMBERED:
                self._terms.clear()
            self._terms[day, days] = last
        return last

    def working_day_due(self, start: datetime, days: int) -> Due:
        """Return the end of `days` working days begun at `start`: 24:00 Shanghai of the last of them."""
        day = self.add_working_days(shanghai_day(start), days)
        return Due(end_of_day(day), provisional=not self.is_known(day))

    def working_days_between(self, first: date, last: date) -> int:
        """Count the working days after `first` up to and including `last`; 0 when `last` is not later."""
        return sum(self.is_working_day(first + timedelta(days=n)) for n in range(1, (last - first).days + 1))


def _seed() -> dict[int, Year]:
    holidays, make_up = frozenset(chinese_calendar.holidays), frozenset(chinese_calendar.workdays)
    return {
        year: Year(year, _in_year(holidays, year), _in_year(make_up, year))
        for year in range(min(holidays).year, max(holidays).year + 1)
    }


def _in_year(days: Iterable[date], year: int) -> frozenset[date]:
    return frozenset(day for day in days if day.year == year)


_SEED_YEARS = _seed()
SEED = Calendar()  # what the package knows


def seed_year(year: int) -> Year | None:
    """What the package knows of a year; None where it was not published when the package was made."""
    return _SEED_YEARS.get(year)
