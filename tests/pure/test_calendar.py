"""Days, months and working days of Shanghai, by the vectors of DOMAIN C.9."""

from datetime import UTC, date, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from policies.calendar import (
    LAST_KNOWN_YEAR,
    add_working_days,
    end_of_day,
    is_known,
    is_working_day,
    month_of,
    next_midnight,
    next_working_day,
    shanghai_day,
    start_of_day,
    working_day_due,
    working_days_between,
)

KNOWN_DAYS = st.dates(date(2010, 1, 1), date(LAST_KNOWN_YEAR, 11, 1))


@pytest.mark.parametrize(
    ("start", "days", "due"),
    [
        (date(2026, 2, 13), 2, date(2026, 2, 24)),  # Saturday 14 works, then Spring Festival
        (date(2026, 9, 18), 2, date(2026, 9, 21)),  # Sunday 20 works
        (date(2026, 9, 30), 3, date(2026, 10, 10)),  # National Day, Saturday 10 works
        (date(2026, 4, 30), 1, date(2026, 5, 6)),
        (date(2026, 11, 20), 2, date(2026, 11, 24)),  # a Friday like any other
        (date(2026, 10, 1), 1, date(2026, 10, 8)),  # begun on a holiday
    ],
)
def test_terms_end_at_the_last_moment_of_the_right_day(start, days, due):
    found = working_day_due(start_of_day(start) + timedelta(hours=15), days)
    assert found.at == datetime(due.year, due.month, due.day, 16, tzinfo=UTC)  # 24:00 in Shanghai
    assert not found.provisional


def test_a_term_into_an_unpublished_year_is_provisional():
    start = datetime(LAST_KNOWN_YEAR, 12, 30, 3, tzinfo=UTC)
    found = working_day_due(start, 2)
    assert found.provisional
    assert shanghai_day(found.at).year == LAST_KNOWN_YEAR + 1
    assert working_day_due(start, 1).provisional is False


def test_unpublished_years_count_monday_to_friday():
    monday = date(LAST_KNOWN_YEAR + 5, 6, 1)
    monday -= timedelta(days=monday.weekday())
    assert [is_working_day(monday + timedelta(days=n)) for n in range(7)] == [True] * 5 + [False] * 2
    assert not is_known(monday)


def test_make_up_days_of_2026():
    made_up = [date(2026, 1, 1) + timedelta(days=n) for n in range(365)]
    found = [f"{day:%m-%d}" for day in made_up if day.weekday() >= 5 and is_working_day(day)]
    assert found == ["01-04", "02-14", "02-28", "05-09", "09-20", "10-10"]


def test_a_day_changes_at_shanghai_midnight():
    assert shanghai_day(datetime(2026, 11, 20, 15, 59, 59, tzinfo=UTC)) == date(2026, 11, 20)
    assert shanghai_day(datetime(2026, 11, 20, 16, 0, tzinfo=UTC)) == date(2026, 11, 21)
    assert shanghai_day(datetime(2026, 11, 20, 16, 30, tzinfo=UTC)) == date(2026, 11, 21)
    with pytest.raises(ValueError, match="time zone"):
        shanghai_day(datetime(2026, 11, 20, 16, 30))  # noqa: DTZ001 - the mistake itself


def test_a_month_changes_there_too():
    assert month_of(datetime(2026, 11, 30, 15, 59, 59, tzinfo=UTC)) == "2026-11"
    assert month_of(datetime(2026, 11, 30, 16, 0, tzinfo=UTC)) == "2026-12"


def test_the_next_midnight_of_a_midnight_is_a_day_later():
    midnight = datetime(2026, 11, 20, 16, 0, tzinfo=UTC)
    assert next_midnight(midnight - timedelta(seconds=1)) == midnight
    assert next_midnight(midnight) == midnight + timedelta(days=1)
    assert start_of_day(date(2026, 11, 21)) == end_of_day(date(2026, 11, 20)) == midnight


def test_no_term_is_shorter_than_a_day():
    with pytest.raises(ValueError, match="at least one"):
        add_working_days(date(2026, 11, 20), 0)


@given(KNOWN_DAYS, st.integers(1, 15))
def test_counting_there_and_back(day, days):
    due = add_working_days(day, days)
    assert working_days_between(day, due) == days
    assert is_working_day(due)
    assert working_days_between(due, day) == 0
    assert add_working_days(day, days + 1) == next_working_day(due)
