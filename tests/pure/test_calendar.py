"""Days, months and working days of Shanghai, by the vectors of DOMAIN C.9."""

from datetime import UTC, date, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cli.checking.terms import WorkingDays
from policies.calendar import (
    SEED,
    Calendar,
    Year,
    end_of_day,
    month_of,
    next_midnight,
    seed_year,
    shanghai_day,
    start_of_day,
)
from tests.years import LAST_KNOWN_YEAR

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
    found = SEED.working_day_due(start_of_day(start) + timedelta(hours=15), days)
    assert found.at == datetime(due.year, due.month, due.day, 16, tzinfo=UTC)  # 24:00 in Shanghai
    assert not found.provisional


def test_a_term_into_an_unpublished_year_is_provisional():
    start = datetime(LAST_KNOWN_YEAR, 12, 30, 3, tzinfo=UTC)
    found = SEED.working_day_due(start, 2)
    assert found.provisional
    assert shanghai_day(found.at).year == LAST_KNOWN_YEAR + 1
    assert SEED.working_day_due(start, 1).provisional is False


def test_unpublished_years_count_monday_to_friday():
    monday = date(LAST_KNOWN_YEAR + 5, 6, 1)
    monday -= timedelta(days=monday.weekday())
    assert [SEED.is_working_day(monday + timedelta(days=n)) for n in range(7)] == [True] * 5 + [False] * 2
    assert not SEED.is_known(monday)


def test_what_the_law_fixes_is_off_before_a_year_is_published():
    """Nobody's application lapses because 1 January was counted as a working day (§C.9)."""
    years = range(LAST_KNOWN_YEAR + 1, LAST_KNOWN_YEAR + 9)
    new_year = next(date(year, 1, 1) for year in years if date(year, 1, 1).weekday() < 4)
    assert not SEED.is_working_day(new_year)
    assert SEED.is_working_day(new_year + timedelta(days=1))
    found = SEED.working_day_due(start_of_day(new_year - timedelta(days=1)), 1)
    assert found == (end_of_day(new_year + timedelta(days=1)), True)
    fixed = [(1, 1), (5, 1), (5, 2), (10, 1), (10, 2), (10, 3)]
    assert not any(SEED.is_working_day(date(year, *day)) for year in years for day in fixed)
    # once it is, its notice alone says so
    assert Calendar([a_year(year=new_year.year)]).is_working_day(new_year)


@given(st.dates(date(2024, 1, 1), date(LAST_KNOWN_YEAR + 9, 12, 31)))
def test_the_checker_counts_as_the_desk_does(day):
    assert WorkingDays().works(day) == SEED.is_working_day(day)
    assert WorkingDays([(NEXT, [], [])]).works(day) == Calendar([a_year()]).is_working_day(day)


def test_make_up_days_of_2026():
    made_up = [date(2026, 1, 1) + timedelta(days=n) for n in range(365)]
    found = [f"{day:%m-%d}" for day in made_up if day.weekday() >= 5 and SEED.is_working_day(day)]
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
        SEED.add_working_days(date(2026, 11, 20), 0)


@given(KNOWN_DAYS, st.integers(1, 15))
def test_counting_there_and_back(day, days):
    due = SEED.add_working_days(day, days)
    assert SEED.working_days_between(day, due) == days
    assert SEED.is_working_day(due)
    assert SEED.working_days_between(due, day) == 0
    assert SEED.add_working_days(day, days + 1) == SEED.next_working_day(due)


# -- years given from outside --------------------------------------------------------------------------------------


NEXT = LAST_KNOWN_YEAR + 1


def a_year(*, off: tuple[date, ...] = (), on: tuple[date, ...] = (), year: int = NEXT) -> Year:
    return Year(year, frozenset(off), frozenset(on))


def a_week(year: int) -> list[date]:
    """Monday to Sunday of a week in June."""
    monday = date(year, 6, 1)
    monday += timedelta(days=-monday.weekday() % 7)
    return [monday + timedelta(days=n) for n in range(7)]


def test_a_year_that_is_given_is_known_with_its_holidays_and_make_up_days():
    monday, tuesday, *_, sunday = a_week(NEXT)
    known = Calendar([a_year(off=(monday,), on=(sunday,))], version=3)
    assert (known.version, known.is_known(date(NEXT, 12, 31)), known.is_known(date(NEXT + 1, 1, 1))) == (3, True, False)
    worked = [known.is_working_day(day) for day in a_week(NEXT)]
    assert worked == [False, True, True, True, True, False, True]
    before = start_of_day(monday - timedelta(days=3))  # a Friday
    assert known.working_day_due(before, 1).at == end_of_day(tuesday)
    assert not known.working_day_due(before, 1).provisional
    assert SEED.working_day_due(before, 1).at == end_of_day(monday)
    assert SEED.working_day_due(before, 1).provisional
    assert known.working_day_due(start_of_day(date(NEXT, 12, 30)), 5).provisional  # and past its end again


def test_a_year_that_is_given_counts_more_than_the_package():
    seed = seed_year(LAST_KNOWN_YEAR)
    assert seed is not None
    extended = next(day for day in a_week(LAST_KNOWN_YEAR) if SEED.is_working_day(day))
    corrected = Calendar([a_year(year=LAST_KNOWN_YEAR, off=(*seed.holidays, extended), on=tuple(seed.make_up))])
    assert not corrected.is_working_day(extended)
    assert all(corrected.is_working_day(day) for day in seed.make_up)
    plain = Calendar([a_year(year=LAST_KNOWN_YEAR)])  # whatever the package says of that year is gone
    assert not any(plain.is_working_day(day) for day in seed.make_up)


def test_a_notice_may_speak_of_the_december_before_and_the_later_one_is_right():
    eve = next(date(LAST_KNOWN_YEAR, 12, day) for day in (31, 30, 29) if date(LAST_KNOWN_YEAR, 12, day).weekday() < 5)
    assert SEED.is_working_day(eve)
    assert not Calendar([a_year(off=(eve,))]).is_working_day(eve)
    both = Calendar([a_year(off=(eve,)), a_year(year=LAST_KNOWN_YEAR, on=(eve,))])
    assert not both.is_working_day(eve)
    assert a_year().speaks_of(eve)
    assert not a_year().speaks_of(date(LAST_KNOWN_YEAR, 11, 30))
