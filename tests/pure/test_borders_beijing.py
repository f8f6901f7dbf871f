"""Beijing's sharing at its borders: filed or not, inside the city or not."""

from datetime import date

import pytest

from policies.eligibility import insurance_verdict, judge
from tests.pure.policy_cases import BEIJING, DAY, around, found_on
from tests.pure.registry_answers import answers


def sharing(day=DAY, **application):
    return found_on(day, "account_sharing", **({"region": BEIJING} | application))


def test_it_begins_on_its_day():
    found = [sharing(day) for day in around(date(2024, 3, 2))]
    assert found[0] == "region_not_allowed"
    assert [plan.pack for plan in found[1:]] == ["CN-11-beijing", "CN-11-beijing"]


@pytest.mark.parametrize(("filed", "reason"), [(False, "prior_filing_missing"), (True, None)])
def test_the_filing_decides(filed, reason):
    assert judge(sharing(), answers(BEIJING, filed=filed)) == reason


def test_only_sharing_needs_it():
    family = found_on(DAY, region=BEIJING)
    assert (family.pack, judge(family, answers(BEIJING))) == ("CN-national", None)


def test_an_active_one_is_not_asked_for_its_filing_again():
    assert insurance_verdict(sharing(), answers(BEIJING)) is None


@pytest.mark.parametrize(
    ("member", "allowed"), [("110100", True), ("110228", True), ("119999", True), ("120100", False), ("130100", False)]
)
def test_the_whole_city_is_one_pooling_area(member, allowed):
    assert (sharing(member_region=member) == "region_not_allowed") is not allowed


@pytest.mark.parametrize("region", ["120100", "130100"])
def test_it_is_offered_in_beijing_only(region):
    assert sharing(region=region) == "region_not_allowed"


def test_a_holder_shares_from_his_eighteenth_birthday_on():
    found = [sharing(day, holder_born=date(2008, 11, 21)) for day in around(date(2026, 11, 21))]
    assert found[0] == "holder_under_age"
    assert [plan.review.agency for plan in found[1:]] == ["110000", "110000"]


@pytest.mark.parametrize("birthday", [14, 16, 18])
def test_no_birthday_of_the_member_changes_what_is_asked(birthday):
    born = date(2026 - birthday, 11, 21)
    found = [sharing(on, relationship="CHILD", born=born) for on in around(date(2026, 11, 21))]
    assert len({(plan.materials, plan.steps, plan.face.subjects) for plan in found}) == 1
