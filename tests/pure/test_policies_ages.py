"""On which day a child becomes an adult: sixteen itself, 29 February, and the two readings of "reached"."""

from datetime import date, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from policies.ages import age_group, age_on, age_reached_day, face_age, face_age_day
from policies.plan import AgeRule

NATIONAL = AgeRule(minor_max_exclusive=16)
SUZHOU = AgeRule(minor_max_inclusive=16)
A_DAY = timedelta(days=1)


@pytest.mark.parametrize(
    ("rule", "border"),
    [
        (NATIONAL, date(2026, 11, 21)),
        (SUZHOU, date(2027, 11, 21)),
        (AgeRule(minor_max_exclusive=16, reached_on="day_after"), date(2026, 11, 22)),
        (AgeRule(minor_max_inclusive=16, reached_on="day_after"), date(2027, 11, 22)),
    ],
)
def test_the_day_before_on_and_after(rule, border):
    born = date(2010, 11, 21)
    assert face_age_day(rule, born) == border
    groups = [age_group(rule, born, day) for day in (border - A_DAY, border, border + A_DAY)]
    assert groups == ["minor", "adult", "adult"]


@pytest.mark.parametrize(
    ("years", "mar01", "feb28"),
    [
        (14, date(2026, 3, 1), date(2026, 2, 28)),
        (16, date(2028, 2, 29), date(2028, 2, 29)),  # a leap year again
        (17, date(2029, 3, 1), date(2029, 2, 28)),
        (18, date(2030, 3, 1), date(2030, 2, 28)),
    ],
)
def test_born_on_29_february(years, mar01, feb28):
    born = date(2012, 2, 29)
    for rule, day in ((AgeRule(16, feb29_in_common_year="mar01"), mar01), (AgeRule(16, feb29_in_common_year="feb28"), feb28)):  # fmt: skip  # noqa: E501
        assert age_reached_day(rule, born, years) == day
        assert (age_on(rule, born, day - A_DAY), age_on(rule, born, day)) == (years - 1, years)


def test_2100_is_no_leap_year():
    assert face_age_day(NATIONAL, date(2084, 2, 29)) == date(2100, 3, 1)


def test_ages_before_birth_are_negative_and_on_it_zero():
    born = date(2026, 11, 21)
    assert [age_on(NATIONAL, born, born + n * A_DAY) for n in (-1, 0, 1)] == [-1, 0, 0]


def test_a_rule_has_one_border():
    assert (face_age(NATIONAL), face_age(SUZHOU)) == (16, 17)
    for wrong in (AgeRule(), AgeRule(minor_max_exclusive=16, minor_max_inclusive=16)):
        with pytest.raises(ValueError, match="exactly one"):
            face_age(wrong)


@given(
    st.dates(date(1900, 1, 1), date(2080, 1, 1)),
    st.dates(date(1900, 1, 1), date(2110, 1, 1)),
    st.sampled_from(["birthday", "day_after"]),
    st.sampled_from(["feb28", "mar01"]),
)
def test_the_group_changes_once_and_for_ever(born, day, reached_on, feb29):
    rule = AgeRule(minor_max_exclusive=16, reached_on=reached_on, feb29_in_common_year=feb29)
    grown = age_group(rule, born, day) == "adult"
    assert grown == (age_on(rule, born, day) >= 16)
    assert not grown or age_group(rule, born, day + A_DAY) == "adult"
