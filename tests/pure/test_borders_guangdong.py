"""Guangdong at its borders: sharing inside one pooling area, and the code shown in a second step."""

from datetime import date

import pytest

from policies.eligibility import insurance_verdict, judge
from policies.entitlements import refusal
from tests.pure.policy_cases import DAY, around, found_on
from tests.pure.registry_answers import answers

FIRST_DAY = date(2024, 3, 2)
LEAP = date(2012, 2, 29)


def sharing(day=DAY, **application):
    return found_on(day, "account_sharing", **application)


def display(day=DAY, **application):
    return found_on(day, "code_display", **({"channel": "alipay"} | application))


@pytest.mark.parametrize(("product", "ask"), [("account_sharing", sharing), ("code_display", display)])
def test_each_product_begins_on_its_day(product, ask):
    found = [ask(day) for day in around(FIRST_DAY)]
    assert found[0] == "region_not_allowed"
    assert [(plan.pack, plan.product) for plan in found[1:]] == [("CN-44-guangdong", product)] * 2


@pytest.mark.parametrize(
    ("member", "allowed"),
    [("440100", True), ("440106", True), ("440199", True), ("440200", False), ("440300", False), ("450100", False)],
)
def test_both_are_insured_in_one_pooling_area(member, allowed):
    for ask in (sharing, display):
        assert (ask(region="440100", member_region=member) == "region_not_allowed") is not allowed


@pytest.mark.parametrize("region", ["430100", "450100"])
def test_nothing_is_offered_next_door(region):
    assert sharing(region=region, channel="counter") == "region_not_allowed"
    assert display(region=region) == "region_not_allowed"


@pytest.mark.parametrize("ask", [sharing, display])
def test_a_holder_authorises_from_his_eighteenth_birthday_on(ask):
    found = [ask(day, holder_born=date(2008, 11, 21)) for day in around(date(2026, 11, 21))]
    assert found[0] == "holder_under_age"
    assert [plan.pack for plan in found[1:]] == ["CN-44-guangdong"] * 2


@pytest.mark.parametrize(("born", "sixteen"), [(date(2010, 11, 21), date(2026, 11, 21)), (LEAP, date(2028, 2, 29))])
def test_the_members_face_comes_first_once_he_is_sixteen(born, sixteen):
    found = [display(day, relationship="CHILD", born=born) for day in around(sixteen)]
    assert [plan.face.subjects for plan in found] == [("holder",), ("member", "holder"), ("member", "holder")]
    assert {plan.steps for plan in found} == {("face_check", "authorisation")}


@pytest.mark.parametrize("birthday", [14, 16, 17, 18])
def test_all_scans_of_both_are_asked_at_every_age(birthday):
    born = date(2026 - birthday, 11, 21)
    found = [sharing(on, relationship="CHILD", born=born) for on in around(date(2026, 11, 21))]
    kinds = {kind for plan in found for group in plan.materials for way in group.any_of for kind in way}
    assert kinds == {
        "holder_id_front", "holder_id_back", "member_id_front", "member_id_back", "household_register_first_page",
        "household_register_member_page", "commitment_letter",
    }  # fmt: skip
    assert {len(plan.materials) for plan in found} == {4}


@pytest.mark.parametrize("party", ["holder", "member"])
@pytest.mark.parametrize(
    ("status", "reason", "verdict"),
    [("normal", None, None), ("suspended", "insurance_suspended", "insurance_suspended"),
     ("terminated", "insurance_suspended", "insurance_ended")],
)  # fmt: skip
def test_both_must_be_normally_insured(party, status, reason, verdict):
    said = answers(**{party: {"status": status}})
    for plan in (sharing(), display()):
        assert judge(plan, said) == reason
        assert insurance_verdict(plan, said) == verdict


def test_the_employee_scheme_authorises_and_only_for_the_code_is_a_credential_needed():
    resident = answers(holder={"scheme": "resident"})
    assert [judge(plan, resident) for plan in (sharing(), display())] == ["not_insured", "not_insured"]
    inactive = answers(credential_active=False)
    assert [judge(plan, inactive) for plan in (sharing(), display())] == [None, "holder_credential_inactive"]


@pytest.mark.parametrize(
    ("region", "allowed"), [("440100", True), ("440199", True), ("440200", False), ("110100", False), (None, True)]
)
def test_money_stays_in_its_area(region, allowed):
    for plan in (sharing(), display()):
        said = refusal(plan, "pay_from_account", "member", region)
        assert said == (None if allowed else "region_not_allowed")
    shown = refusal(display(), "show_code", "member", region)  # 展示…进行代扣 (F99): what is shown there pays there
    assert shown == (None if allowed else "region_not_allowed")


def test_whose_code_may_be_shown():
    shown = {plan.product: refusal(plan, "show_code", "member") for plan in (sharing(), display())}
    assert shown == {"account_sharing": "purpose_not_allowed", "code_display": None}
    assert {plan.shown_credential for plan in (sharing(), display())} == {"holder"}
    assert {plan.fund_source for plan in (sharing(), display())} == {"holder_personal_account"}


def test_five_members_and_as_many_authorisers_as_there_are():
    for plan in (sharing(), display()):
        assert (plan.limits.members_per_holder, plan.limits.binders_per_member) == (5, None)
