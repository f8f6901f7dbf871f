"""What the collected facts say of an active binding: whose code, whose money, what is recorded and listed."""

from datetime import date
from typing import Any

import pytest

from tests.doors.family import application, view
from tests.doors.town import Town, View

CHILD = date(2019, 5, 1)
RIGHTS = ("show_code", "activate_credential", "query_usage", "query_expenses")


@pytest.fixture(scope="module")
def family(town: Town) -> tuple[View, View]:
    """A family account of a child of Changshu, active; and its application."""
    return town.active("alipay", member_born=CHILD, region="320581")


@pytest.mark.parametrize("purpose", RIGHTS)
def test_the_rights_of_a_family_account(town: Town, family: tuple[View, View], purpose: str) -> None:
    for channel in ("national_app", "alipay", "wechat", "jiangsu_yibaoyun", "suzhou_yibao_oa"):
        assert town.use(channel, family[1], purpose) == (True, None), channel


def test_only_the_patients_own_code(town: Town, family: tuple[View, View]) -> None:
    seen, body = family
    assert (seen["shown_credential"], seen["fund_source"]) == ("member", "member_own")
    assert town.use("alipay", body, "show_code", patient="member") == (True, None)
    assert town.use("alipay", body, "show_code", patient="holder") == (False, "not_own_code")


def test_it_hangs_off_the_holders_account(town: Town, family: tuple[View, View]) -> None:
    turned = {"holder": family[1]["member"], "member": family[1]["holder"]}
    assert town.use("alipay", turned, "show_code") == (False, "not_active")


def test_a_family_account_shares_no_money(town: Town, family: tuple[View, View]) -> None:
    for more in ({}, {"patient": "member"}, {"patient": "holder"}, {"region": "320500"}):
        assert town.use("alipay", family[1], "pay_from_account", **more) == (False, "wrong_product")


def test_a_place_elsewhere_makes_no_difference_to_a_code(town: Town, family: tuple[View, View]) -> None:
    assert town.use("alipay", family[1], "show_code", region="110100") == (True, None)


def test_sharing_pays_and_shows_nothing(town: Town) -> None:
    _, body = town.active("yueyibao_alipay", product="account_sharing", region="440100")
    assert town.use("yueyibao_alipay", body, "pay_from_account", region="440106") == (True, None)
    for elsewhere in ("440300", "320500"):
        refused = town.use("yueyibao_alipay", body, "pay_from_account", region=elsewhere)
        assert refused == (False, "region_not_allowed")
    assert town.signed_in("alipay", body)
    for patient in ("member", "holder"):
        assert town.use("alipay", body, "show_code", patient=patient) == (False, "purpose_not_allowed")


def test_both_products_between_the_same_two(town: Town) -> None:
    people: dict[str, Any] = {"holder_seed": 940, "member_seed": 940, "region": "320500"}
    _, body = town.active("alipay", **people)
    assert town.signed_in("jiangsu_yibaoyun", body)
    assert town.use("jiangsu_yibaoyun", body, "pay_from_account") == (False, "wrong_product")
    town.active("jiangsu_yibaoyun", body=application(product="account_sharing", **people))
    assert town.use("jiangsu_yibaoyun", body, "pay_from_account", region="320100") == (True, None)
    assert town.use("alipay", body, "show_code", patient="member") == (True, None)
    assert town.use("alipay", body, "show_code", patient="holder")[0] is False
    assert town.use("jiangsu_yibaoyun", body, "pay_from_account", region="440100")[1] == "region_not_allowed"


def test_sharing_at_the_counter_of_suzhou(town: Town) -> None:
    body = application(product="account_sharing", region="320500")
    made = town.at("counter").post("/v1/counter/tickets", json=body, headers={"Idempotency-Key": "counter"})
    assert (made.status_code, view(made)["channel"]) == (201, "counter")


def test_each_use_leaves_a_record(town: Town) -> None:
    seen, body = town.active("alipay", member_born=CHILD, region="440100")
    for purpose in RIGHTS:
        town.use("wechat", body, purpose, patient="member", region="440300")
    town.use("wechat", body, "show_code", patient="holder")  # refused: no record
    records = view(town.at("alipay").get(f"/v1/bindings/{seen['id']}/usage"))["items"]
    assert [(one["purpose"], one["channel"], one["region"]) for one in reversed(records)] == [
        (purpose, "wechat", "440300") for purpose in RIGHTS
    ]


@pytest.mark.parametrize("channel", ["national_app", "alipay", "wechat"])
def test_the_list_of_members(town: Town, channel: str) -> None:
    """The holder sees all of his own, whatever channel they came through; picks one; may end each."""
    seed = {"national_app": 950, "alipay": 951, "wechat": 952}[channel]
    made = [
        town.active(via, member_born=CHILD, holder_seed=seed, member_seed=seed + n, region="320500")
        for n, via in ((0, "alipay"), (10, "wechat"))
    ]
    found = town.signed_in(channel, made[0][1], "holder")
    assert {one["id"] for one in found} == {seen["id"] for seen, _ in made}
    for one in found:
        assert one["state"] == "active"
        assert {"request_unbind", "report_change"} <= set(one["available_actions"])
        assert "*" in one["member"]["name"]
    for _, body in made:
        assert town.use(channel, body, "show_code", patient="member") == (True, None)
