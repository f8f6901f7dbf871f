"""Days, months and working days of Asia/Shanghai (DOMAIN §C.9); instants go in and come out in UTC."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo

import chinese_calendar

SHANGHAI = ZoneInfo("Asia/Shanghai")
FIRST_KNOWN_YEAR: int = min(day.year for day in chinese_calendar.holidays)
LAST_KNOWN_YEAR: int = max(day.year for day in chinese_calendar.holidays)
_ONE_DAY = timedelta(days=1)
_SATURDAY = 5


@dataclass(frozen=True, slots=True)
class Due:
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
    return shanghai_day(instant).strftime("%Y-%m")


def start_of_day(day: date) -> datetime:
    """Return 00:00 Asia/Shanghai of `day`, in UTC."""
    return datetime(day.year, day.month, day.day, tzinfo=SHANGHAI).astimezone(UTC)


def end_of_day(day: date) -> datetime:
    """Return 24:00 Asia/Shanghai of `day`, in UTC."""
    return start_of_day(day + _ONE_DAY)


def next_midnight(instant: datetime) -> datetime:
    """Return the first midnight of Shanghai after `instant`, in UTC; a midnight gives the next one."""
    return end_of_day(shanghai_day(instant))


def is_known(day: date) -> bool:
    """Tell whether the State Council's holidays of that year are in the calendar."""
    return FIRST_KNOWN_YEAR <= day.year <= LAST_KNOWN_YEAR


def is_working_day(day: date) -> bool:
    """Tell whether offices work on `day`; Monday to Friday in years that are not published yet."""
    # The package raises outside its years; guessing holidays there (as others do) would look like knowledge.
    if not is_known(day):
        return day.weekday() < _SATURDAY
    works: bool = chinese_calendar.is_workday(day)
    return works


def next_working_day(day: date) -> date:
    """Return the first working day after `day`."""
    day += _ONE_DAY
    while not is_working_day(day):
        day += _ONE_DAY
    return day


@lru_cache(maxsize=4096)  # the same few days are asked of every case
def add_working_days(day: date, days: int) -> date:
    """Return the `days`-th working day after `day`, which itself does not count (民法典 §201).

    Raises `ValueError` for fewer than one.
    """
    if days < 1:
        raise ValueError("a term has at least one working day")
    for _ in range(days):
        day = next_working_day(day)
    return day


def working_day_due(start: datetime, days: int) -> Due:
    """Return the end of `days` working days begun at `start`: 24:00 Shanghai of the last of them."""
    day = add_working_days(shanghai_day(start), days)
    return Due(end_of_day(day), provisional=not is_known(day))


def working_days_between(first: date, last: date) -> int:
    """Count the working days after `first` up to and including `last`; 0 when `last` is not later."""
    return sum(is_working_day(first + timedelta(days=n)) for n in range(1, (last - first).days + 1))
