"""Guangdong's two steps at the doors: every scan of both, the agency's word, and only then the holder's code."""

from datetime import date
from typing import Any

import pytest

from tests.doors.family import act, application, submitted, uploaded, view
from tests.doors.town import USUAL, Town, View, acting

SCANS = [
    "holder_id_front", "holder_id_back", "member_id_front", "member_id_back", "household_register_first_page",
    "household_register_member_page", "commitment_letter",
]  # fmt: skip
SHOWN = {
    "family_account": ("member", "member_own"),
    "account_sharing": ("holder", "holder_personal_account"),
    "code_display": ("holder", "holder_personal_account"),
}


def pair(seed: int) -> dict[str, Any]:
    return {"holder_seed": seed, "member_seed": seed, "region": "440100"}


def ended(town: Town, seen: View) -> None:
    """The holder ends a binding by his password."""
    client = town.at("yueyibao_alipay")
    asked = act(client, seen["id"], "request_unbind", initiator="holder", method="pay_password")
    assert asked.status_code == 200, asked.text
    assert view(act(client, seen["id"], "confirm_unbind", pay_password="123456"))["state"] == "unbound"


def test_every_scan_of_both_is_needed(town: Town) -> None:
    client = town.at("yueyibao_alipay")
    made = submitted(client, product="account_sharing")
    for scan in SCANS:
        early = act(client, made["id"], "submit_materials")
        assert (early.status_code, early.json()["code"]) == (409, "material_incomplete"), scan
        assert uploaded(client, made["id"], scan).status_code == 201
    assert view(act(client, made["id"], "submit_materials"))["state"] == "materials_uploaded"


def test_the_code_waits_for_the_agencys_word(town: Town) -> None:
    sharing = town.checked("yueyibao_alipay", application(product="account_sharing", **pair(960)))
    assert sharing["state"] == "agency_review"
    body = application(product="code_display", **pair(960))
    refused = town.applied("alipay", body)
    assert (refused.status_code, refused.json()["code"]) == (409, "sharing_not_active")
    town.approved(sharing["id"])
    assert town.applied("alipay", body).status_code == 201


def test_a_sharing_in_the_other_direction_is_none(town: Town) -> None:
    town.active("yueyibao_alipay", application(product="account_sharing", **pair(961)))
    body = application(product="code_display", **pair(961))
    turned = body | {"holder": body["member"], "member": body["holder"], "relationship": "CHILD"}
    assert town.applied("alipay", turned).json()["code"] == "sharing_not_active"


def test_the_code_goes_with_the_sharing(town: Town) -> None:
    sharing, _ = town.active("yueyibao_alipay", application(product="account_sharing", **pair(962)))
    _, body = town.active("alipay", application(product="code_display", **pair(962)))
    for use in ("show_code", "pay_from_account"):
        assert town.use("alipay", body, use, patient="member") == (True, None)
    ended(town, sharing)
    for use in ("show_code", "pay_from_account"):
        assert town.use("alipay", body, use, patient="member") == (False, "sharing_not_active")


def test_a_childs_holder_alone_shows_his_face(town: Town) -> None:
    child = {"member_born": date(2015, 5, 1)} | pair(963)
    town.active("yueyibao_alipay", application(product="account_sharing", **child))
    body = application(product="code_display", initiator="holder", **child)
    seen = town.checked("alipay", body)
    assert (seen["plan"]["face_subjects"], seen["waiting_on"]["party"]) == (["holder"], "holder")
    town.face("alipay", seen, "holder")
    waits = town.seen("alipay", seen["id"])["waiting_on"]
    assert (waits["party"], waits["for"], waits["then"]) == ("holder", "authorisation", "expired")


def test_an_authorisation_not_given_in_a_week_is_none(town: Town) -> None:
    town.active("yueyibao_alipay", application(product="account_sharing", **pair(964)))
    seen = town.checked("alipay", application(product="code_display", **pair(964)))
    for subject in ("member", "holder"):
        town.face("alipay", seen, subject)
    town.advance(seconds=7 * 86_400 - 60)
    assert town.seen("alipay", seen["id"])["state"] == "face_check"
    town.advance(seconds=60)
    after = town.seen("alipay", seen["id"])
    assert (after["state"], after["reason"]) == ("expired", "passed_to_authorised")


@pytest.mark.parametrize("product", list(SHOWN))
def test_whose_code_and_whose_money_are_said_everywhere(town: Town, product: str) -> None:
    """Before an application, in its view, in lists, in the event feed, in the review and at the counter."""
    seed = 970 + list(SHOWN).index(product)
    if product == "code_display":
        town.active("yueyibao_alipay", application(product="account_sharing", **pair(seed)))
    client, body = town.at(USUAL[product]), application(product=product, **pair(seed))
    seen = town.checked(USUAL[product], body)
    found = view(client.post("/v1/bindings/search", json=acting(body, "holder")))["items"]
    events = view(client.get("/v1/events", params={"limit": 200}))["items"]
    told = [
        town.told(product=product, region="440100")["boundaries"],
        seen,
        *(one for one in found if one["id"] == seen["id"]),
        *(one["data"]["binding"] for one in events if one["data"]["binding"]["id"] == seen["id"]),
        town.seen("counter", seen["id"]),
    ]
    if seen["state"] == "agency_review":
        told.append(view(town.at("reviewer").get(f"/v1/reviews/{seen['id']}")))
    assert len(told) > 5
    assert {(one["shown_credential"], one["fund_source"]) for one in told} == {SHOWN[product]}


def test_a_code_is_no_longer_shown_once_its_sharing_has_ended(town: Town) -> None:
    """Nor on a sharing made anew, on which the holder gave no word; it ends, and a new one may be applied for."""
    sharing, _ = town.active(product="account_sharing", **pair(967))
    seen, body = town.active("alipay", application(product="code_display", **pair(967)))
    ended(town, sharing)
    assert town.use("alipay", body, "show_code", patient="member") == (False, "sharing_not_active")
    town.active(product="account_sharing", **pair(967))
    assert town.use("alipay", body, "show_code", patient="member")[0] is False
    town.advance(seconds=60)  # that the sharing has ended has been heard of
    left = town.seen("alipay", seen["id"])
    assert (left["state"], left["reason"]) == ("unbound", "sharing_not_active")
    assert town.applied("alipay", body).status_code == 201


def test_a_sharing_that_ends_on_the_way_brings_no_code_into_force(town: Town) -> None:
    sharing, _ = town.active(product="account_sharing", **pair(968))
    seen = town.checked("alipay", application(product="code_display", **pair(968)))
    town.face("alipay", seen, "member")
    ended(town, sharing)
    town.face("alipay", seen, "holder")
    refused = view(act(town.at("alipay"), seen["id"], "confirm_authorisation"))
    assert (refused["state"], refused["reason"]) == ("rejected", "sharing_not_active")


def test_the_holders_code_is_shown_only_where_a_channel_may_show_it(town: Town) -> None:
    """WeChat binds and shows nothing yet (F100)."""
    town.active(product="account_sharing", **pair(969))
    _, body = town.active("alipay", application(product="code_display", **pair(969)))
    for channel in ("wechat", "yueyibao_wechat", "nhsa_oa"):
        assert town.signed_in(channel, body)
        assert town.use(channel, body, "show_code", patient="member") == (False, "channel_not_open")
    assert town.use("yueyibao_alipay", body, "show_code", patient="member") == (True, None)


@pytest.mark.parametrize(("age", "code"), [(13, "initiator_not_allowed"), (15, None)])
def test_a_child_gives_no_guardians_consent_of_his_own(town: Town, age: int, code: str | None) -> None:
    today = town.today()
    born = date(today.year - age, 1, 1)
    people = pair(970) | {"member_born": born}
    town.active(product="account_sharing", relationship="CHILD", **people)
    body = application(product="code_display", relationship="CHILD", initiator="holder", **people)
    body["initiator"] = "member"
    answer = town.applied("alipay", body)
    assert (answer.json()["errors"][0]["code"] if answer.is_error else None) == code
