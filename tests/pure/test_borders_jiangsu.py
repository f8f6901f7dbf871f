"""Jiangsu and Suzhou at their borders: sixteen is still a minor in Suzhou, sharing ends with the province."""

from datetime import date

import pytest

from policies.book import lawbook
from policies.eligibility import insurance_verdict, judge
from tests.pure.policy_cases import CHANGSHU, DAY, NANJING, around, found_on
from tests.pure.registry_answers import answers

SUZHOU = "320500"
LEAP = date(2012, 2, 29)
FIRST_DAY = date(2025, 3, 7)


# -- Suzhou's family account --


@pytest.mark.parametrize(
    ("born", "seventeen"),
    [(date(2009, 11, 21), date(2026, 11, 21)), (LEAP, date(2029, 3, 1))],
)
@pytest.mark.parametrize("region", [SUZHOU, CHANGSHU])
def test_sixteen_and_under_ends_on_the_seventeenth_birthday(region, born, seventeen):
    found = [found_on(day, region=region, relationship="CHILD", born=born) for day in around(seventeen)]
    assert [plan.age_group for plan in found] == ["minor", "adult", "adult"]
    assert [plan.face.subjects for plan in found] == [(), ("member",), ("member",)]
    assert [len(plan.materials[0].any_of) for plan in found] == [3, 1, 1]  # any one of three; then the page alone


@pytest.mark.parametrize("id_type", ["passport", "travel_permit", "hmt_residence_permit"])
def test_any_one_of_three_papers_is_enough_for_a_child_with_another_document(id_type):
    """S4 names the three, and no letter, for whoever is sixteen or less (F155, F156, C2): not for one method alone."""
    child = {"region": CHANGSHU, "relationship": "CHILD", "born": date(2019, 5, 1)}
    other = found_on(DAY, method="other_document", id_type=id_type, **child)
    assert other.materials == found_on(DAY, **child).materials
    assert [sorted({kind for some in group.any_of for kind in some}) for group in other.materials] == [
        ["birth_certificate", "household_register_holder_page", "household_register_member_page",
         "notarised_relationship"],
    ]  # fmt: skip
    assert (other.face.subjects, other.face_at_age) == ((), ("member",))
    assert lawbook().law_for(CHANGSHU, "family_account", DAY).is_unconfirmed("methods.other_document.branches.minor")


@pytest.mark.parametrize("born", [date(2010, 11, 21), LEAP])
def test_the_sixteenth_birthday_changes_nothing_in_suzhou(born):
    sixteen = born.replace(year=born.year + 16)
    found = [found_on(day, region=SUZHOU, relationship="CHILD", born=born) for day in around(sixteen)]
    assert len({plan.hash for plan in found}) == 1
    elsewhere = [found_on(day, region=NANJING, relationship="CHILD", born=born) for day in around(sixteen)]
    assert [plan.age_group for plan in elsewhere] == ["minor", "adult", "adult"]


@pytest.mark.parametrize(
    ("region", "pack"), [("320499", "CN-32-jiangsu"), ("320500", "CN-3205-suzhou"), ("320599", "CN-3205-suzhou"),
                         ("320600", "CN-32-jiangsu"), ("330500", "CN-national")],
)  # fmt: skip
def test_suzhou_ends_at_its_digits(region, pack):
    assert found_on(DAY, region=region).pack == pack


@pytest.mark.parametrize(("region", "pack"), [(SUZHOU, "CN-3205-suzhou"), (NANJING, "CN-32-jiangsu")])
def test_from_its_first_day_on_the_nearer_pack_rules(region, pack):
    found = [found_on(day, region=region).pack for day in around(FIRST_DAY)]
    assert found == ["CN-national", pack, pack]


# -- sharing in Jiangsu --


def sharing(day=DAY, **application):
    return found_on(day, "account_sharing", **({"region": SUZHOU} | application))


def test_sharing_begins_on_its_day():
    found = [sharing(day) for day in around(FIRST_DAY)]
    assert found[0] == "region_not_allowed"
    assert [plan.pack for plan in found[1:]] == ["CN-32-jiangsu", "CN-32-jiangsu"]


@pytest.mark.parametrize(
    ("member", "allowed"), [("320100", True), ("329900", True), ("310100", False), ("330100", False)]
)
def test_both_are_insured_in_the_province(member, allowed):
    assert (sharing(member_region=member) == "region_not_allowed") is not allowed


@pytest.mark.parametrize("region", ["311200", "320100", "329999", "330100"])
def test_sharing_is_offered_inside_the_province_only(region):
    assert (sharing(region=region) == "region_not_allowed") is (region[:2] != "32")


def test_a_holder_shares_from_his_eighteenth_birthday_on():
    found = [sharing(day, holder_born=date(2008, 11, 21)) for day in around(date(2026, 11, 21))]
    assert found[0] == "holder_under_age"
    assert [plan.steps for plan in found[1:]] == [("agency_review",), ("agency_review",)]


@pytest.mark.parametrize("birthday", [14, 16, 17, 18])
def test_no_birthday_of_the_member_changes_what_sharing_asks(birthday):
    born = date(2026 - birthday, 11, 21)
    found = [sharing(on, relationship="CHILD", born=born) for on in around(date(2026, 11, 21))]
    assert len({(plan.materials, plan.steps, plan.face.subjects) for plan in found}) == 1


@pytest.mark.parametrize(
    ("party", "status", "reason", "verdict"),
    [
        ("holder", "normal", None, None),
        ("holder", "suspended", None, None),  # 非终止参保状态: at rest is not ended (F154)
        ("holder", "terminated", "insurance_suspended", "insurance_ended"),
        ("member", "suspended", None, None),
        ("member", "terminated", "insurance_suspended", "insurance_ended"),
    ],
)
def test_insured_and_not_ended(party, status, reason, verdict):
    said = answers(region=SUZHOU, **{party: {"status": status}})
    assert judge(sharing(), said) == reason
    assert insurance_verdict(sharing(), said) == verdict


def test_an_employee_shares_and_a_resident_may_be_shared_with():
    assert judge(sharing(), answers(region=SUZHOU, holder={"scheme": "resident"})) == "not_insured"
    assert judge(sharing(), answers(region=SUZHOU, member={"scheme": "resident"})) is None
