"""The national family account at its borders: the day before, the day itself, the day after."""

from datetime import UTC, date, datetime, timedelta

import pytest

from policies.calendar import month_of, shanghai_day
from tests.pure.policy_cases import BEIJING, around, found_on

LEAP = date(2012, 2, 29)  # its 16th birthday is a real one, its 14th and 18th are not (DOMAIN §C.7)


def groups(days, **application):
    return [found_on(day, region=BEIJING, relationship="CHILD", **application).age_group for day in days]


@pytest.mark.parametrize(
    ("born", "sixteen"),
    [
        (date(2010, 11, 21), date(2026, 11, 21)),
        (date(2010, 12, 31), date(2026, 12, 31)),
        (date(2010, 1, 1), date(2026, 1, 1)),
        (LEAP, date(2028, 2, 29)),
    ],
)
def test_a_face_from_the_sixteenth_birthday_on(born, sixteen):
    found = [found_on(day, region=BEIJING, relationship="CHILD", born=born) for day in around(sixteen)]
    assert [plan.age_group for plan in found] == ["minor", "adult", "adult"]
    assert [plan.face.subjects for plan in found] == [(), ("member",), ("member",)]
    assert [plan.face_at_age for plan in found] == [("member",), (), ()]
    assert [plan.materials[-1].label == "户口簿" for plan in found] == [False, True, True]


@pytest.mark.parametrize(("born", "sixteen"), [(date(2010, 11, 21), date(2026, 11, 21)), (LEAP, date(2028, 2, 29))])
def test_the_newborn_method_ends_with_the_same_day(born, sixteen):
    found = [
        found_on(day, region=BEIJING, method="birth_certificate", relationship="CHILD", born=born)
        for day in around(sixteen)
    ]
    assert found[0].age_group == "newborn"
    assert found[1:] == ["method_not_allowed", "method_not_allowed"]


@pytest.mark.parametrize(("born", "fourteen"), [(date(2012, 11, 21), date(2026, 11, 21)), (LEAP, date(2026, 3, 1))])
def test_a_guardian_consents_until_the_fourteenth_birthday(born, fourteen):
    found = [found_on(day, region=BEIJING, relationship="CHILD", born=born) for day in around(fourteen)]
    assert ["guardian" in {ref.notice for ref in plan.notices} for plan in found] == [True, False, False]


@pytest.mark.parametrize(("born", "eighteen"), [(date(2008, 11, 21), date(2026, 11, 21)), (LEAP, date(2030, 3, 1))])
def test_a_guardian_acts_until_the_eighteenth_birthday(born, eighteen):
    found = [
        found_on(day, region=BEIJING, relationship="CHILD", born=born, initiator="guardian") for day in around(eighteen)
    ]
    assert found[0].age_group == "adult"  # sixteen and seventeen show their own face, and still have a guardian
    assert found[1:] == ["initiator_not_allowed", "initiator_not_allowed"]


@pytest.mark.parametrize(("born", "eighteen"), [(date(2008, 11, 21), date(2026, 11, 21)), (LEAP, date(2030, 3, 1))])
def test_a_holder_binds_from_his_eighteenth_birthday_on(born, eighteen):
    found = [found_on(day, region=BEIJING, holder_born=born) for day in around(eighteen)]
    assert found[0] == "holder_under_age"
    assert [plan.pack for plan in found[1:]] == ["CN-national", "CN-national"]


def test_nobody_is_bound_before_he_is_born():
    birth = date(2026, 11, 21)
    found = [found_on(day, region=BEIJING, relationship="CHILD", born=birth) for day in around(birth)]
    assert found[0] == "birth_date_invalid"
    assert [plan.age_group for plan in found[1:]] == ["minor", "minor"]


def test_it_is_the_law_from_its_first_day_on():
    found = [found_on(day, region=BEIJING) for day in around(date(2024, 3, 2))]
    assert found[0] == "region_not_allowed"
    assert [plan.pack for plan in found[1:]] == ["CN-national", "CN-national"]


def test_days_and_months_begin_at_midnight_in_shanghai():
    midnight = datetime(2026, 11, 30, 16, tzinfo=UTC)
    moments = [midnight - timedelta(microseconds=1), midnight]
    assert [shanghai_day(moment) for moment in moments] == [date(2026, 11, 30), date(2026, 12, 1)]
    assert len({month_of(moment) for moment in moments}) == 2
    assert len({month_of(moment - timedelta(hours=16)) for moment in moments}) == 1


def test_five_members_two_binders_a_calendar_month_ended_ones_counted():
    limits = found_on(date(2026, 11, 21), region=BEIJING).limits
    assert (limits.members_per_holder, limits.holder_scope, limits.per_relation) == (5, "all_channels", {})
    assert (limits.binders_per_member, limits.member_window, limits.count_ended) == (2, "calendar_month", True)


@pytest.mark.parametrize("first", [1, 12, 28])
def test_the_age_is_that_of_the_day_not_of_the_year(first):
    born = date(2010, 12, first)
    assert groups([date(2026, 12, first), date(2026, 1, 1)], born=born) == ["adult", "minor"]
