"""Zhejiang's sharing at its borders: near relatives, the whole province, from its first day on."""

from datetime import date

import pytest

from policies.eligibility import insurance_verdict, judge
from tests.pure.policy_cases import around, found_on, kinds
from tests.pure.registry_answers import answers

HANGZHOU, NINGBO, LISHUI = "330100", "330200", "331100"
FIRST_DAY = date(2026, 11, 22)


def sharing(day=FIRST_DAY, **application):
    return found_on(day, "account_sharing", **({"region": HANGZHOU} | application))


def test_it_begins_on_its_day():
    found = [sharing(day) for day in around(FIRST_DAY)]
    assert found[0] == "region_not_allowed"
    assert [plan.pack for plan in found[1:]] == ["CN-33-zhejiang", "CN-33-zhejiang"]


@pytest.mark.parametrize("region", [HANGZHOU, NINGBO, LISHUI, "330182", "339900", "320500", "340100"])
def test_it_is_offered_inside_the_province_only(region):
    found = sharing(region=region)
    expected = {"33": "CN-33-zhejiang", "32": "CN-32-jiangsu"}.get(region[:2], "region_not_allowed")
    assert (found if isinstance(found, str) else found.pack) == expected


def test_the_family_account_stays_the_national_one():
    assert found_on(FIRST_DAY, region=HANGZHOU).pack == "CN-national"


@pytest.mark.parametrize(
    ("member", "allowed"), [("330100", True), ("331100", True), ("339900", True), ("320500", False), ("310100", False)]
)
def test_both_are_insured_in_the_province(member, allowed):
    assert (sharing(member_region=member) == "region_not_allowed") is not allowed


@pytest.mark.parametrize(
    ("relationship", "near"),
    [("SPOUSE", True), ("PARENT", True), ("CHILD", True), ("SIBLING", True), ("GRANDPARENT", True),
     ("GRANDCHILD", True), ("PARENT_IN_LAW", False), ("WARD", False), ("OTHER", False)],
)  # fmt: skip
def test_near_relatives_are_the_eight_kinds_and_no_in_laws(relationship, near):
    assert (sharing(relationship=relationship) == "relation_not_allowed") is not near
    in_jiangsu = sharing(region="320500", relationship=relationship) == "relation_not_allowed"
    assert in_jiangsu is (relationship not in ("SPOUSE", "PARENT", "CHILD"))


def test_a_holder_shares_from_his_eighteenth_birthday_on():
    found = [sharing(day, holder_born=date(2008, 11, 25)) for day in around(date(2026, 11, 25))]
    assert found[0] == "holder_under_age"
    assert [plan.steps for plan in found[1:]] == [("agency_review",), ("agency_review",)]


@pytest.mark.parametrize("birthday", [14, 16, 18])
def test_no_birthday_of_the_member_changes_what_is_asked(birthday):
    born = date(2026 - birthday, 11, 25)
    found = [sharing(on, relationship="CHILD", born=born) for on in around(date(2026, 11, 25))]
    assert len({(plan.materials, plan.steps, plan.face.subjects) for plan in found}) == 1
    assert ("marriage_certificate",) in kinds(found[0])[-1]


@pytest.mark.parametrize(
    ("channel", "code"), [("national_app", None), ("counter", None), ("jiangsu_yibaoyun", "channel_not_open"),
                          ("alipay", "channel_not_open"), ("yueyibao_alipay", "channel_not_open")],
)  # fmt: skip
def test_its_doors_are_not_those_of_the_pack_that_it_builds_on(channel, code):
    found = sharing(channel=channel)
    assert (found if isinstance(found, str) else None) == code


@pytest.mark.parametrize(
    ("party", "said", "reason", "verdict"),
    [
        ("holder", {"status": "suspended"}, None, None),
        ("holder", {"status": "terminated"}, "insurance_suspended", "insurance_ended"),
        ("holder", {"scheme": "resident"}, "not_insured", "not_insured"),
        ("member", {"scheme": "resident"}, None, None),
        ("member", {"region": "320500"}, "region_not_allowed", "region_not_allowed"),
    ],
)
def test_what_the_registry_must_say(party, said, reason, verdict):
    heard = answers(region=HANGZHOU, **{party: said})
    assert judge(sharing(), heard) == reason
    assert insurance_verdict(sharing(), heard) == verdict


def test_nobody_is_asked_for_a_filing():
    assert judge(sharing(), answers(HANGZHOU, filed=False)) is None


@pytest.mark.parametrize(
    ("region", "agency"), [("330182", "杭州市医疗保障经办机构"), ("339900", "浙江省（339900）医疗保障经办机构")]
)
def test_the_agency_is_called_after_its_city(region, agency):
    found = sharing(region=region)
    assert (found.review.agency, found.counter.agency_name) == (f"{region[:4]}00", agency)


def test_the_notice_is_the_provinces_own():
    names = [ref.notice for ref in sharing().notices]
    assert "sharing_zhejiang" in names
    assert not {"sharing", "adding_member"} & set(names)
