"""What the collected facts let be refused: who may bind whom, where, through which channel, and how many."""

from calendar import monthrange
from typing import Any

import pytest

from tests.doors.family import act, application, view
from tests.doors.town import Town

BEIJING, GUANGZHOU, SHENZHEN, NANJING, SUZHOU = "110100", "440100", "440300", "320100", "320500"
ALIPAY = [
    f"44{city}"
    for city in ("01", "02", "04", "05", "06", "07", "08", "09", "13", "14", "17", "18", "19", "20", "51", "53")
]
WECHAT = ["4402", "4405", "4408", "4416", "4417", "4418"]
NOWHERE_NAMED = ["4403", "4412", "4415", "4452"]


@pytest.mark.parametrize(
    "without",
    ["member.name", "member.id_number", "member.insured_region", "holder.insured_region", "relationship", "method"],
)
def test_what_an_application_names(town: Town, without: str) -> None:
    body: dict[str, Any] = application()
    *inside, name = without.split(".")
    del (body[inside[0]] if inside else body)[name]
    refused = town.applied("alipay", body)
    assert refused.status_code == 422
    assert "/" + without.replace(".", "/") in [one["pointer"] for one in refused.json()["errors"]]


@pytest.mark.parametrize("without", ["number", "mother_name", "mother_id_number"])
def test_what_a_newborns_application_names(town: Town, without: str) -> None:
    body = application(method="birth_certificate")
    del body["birth_certificate"][without]
    refused = town.applied("alipay", body)
    assert refused.status_code == 422
    assert [one["pointer"] for one in refused.json()["errors"]] == [f"/birth_certificate/{without}"]


@pytest.mark.parametrize("product", ["family_account", "account_sharing", "code_display"])
def test_no_application_without_its_notices(town: Town, product: str) -> None:
    channel = "yueyibao_alipay" if product == "account_sharing" else "alipay"
    body = application(product=product)
    told = town.told(channel, product=product, region=GUANGZHOU)["notices"]
    assert [one["notice"] for one in told] == [one["notice"] for one in body["consents"]]
    assert all(one["title"] and one["text"] for one in told)
    for place, consent in enumerate(body["consents"]):
        others = body["consents"][:place] + body["consents"][place + 1 :]
        assert town.applied(channel, body | {"consents": others}).json()["code"] == "consent_missing"
        old = [*others, consent | {"version": "1999-01-01"}]
        assert town.applied(channel, body | {"consents": old}).json()["code"] == "consent_version_unknown"


NEAR = ["SPOUSE", "CHILD", "PARENT"]
WIDER = ["SIBLING", "GRANDPARENT", "GRANDCHILD", "WARD"]


@pytest.mark.parametrize(
    ("product", "region", "channel", "allowed"),
    [
        ("family_account", BEIJING, "alipay", NEAR + WIDER),
        ("account_sharing", GUANGZHOU, "yueyibao_alipay", NEAR),
        ("account_sharing", NANJING, "jiangsu_yibaoyun", NEAR),
    ],
    ids=["family_account", "guangdong", "jiangsu"],
)
def test_relationships(town: Town, product: str, region: str, channel: str, allowed: list[str]) -> None:
    for relation in (*NEAR, *WIDER, "PARENT_IN_LAW", "OTHER"):
        answer = town.asked(channel, product=product, region=region, relationship=relation)
        code = view(answer).get("code")
        assert code == (None if relation in allowed else "relation_not_allowed"), relation


@pytest.mark.parametrize(
    ("product", "initiator", "code"),
    [
        ("family_account", "member", "initiator_not_allowed"),
        ("account_sharing", "member", "initiator_not_allowed"),
        ("account_sharing", "holder", None),
        ("code_display", "member", "sharing_not_active"),  # he may: what lacks is the first step
    ],
    ids=["family-member", "sharing-member", "sharing-holder", "display-member"],
)
def test_who_begins(town: Town, product: str, initiator: str, code: str | None) -> None:
    channel = "yueyibao_alipay" if product == "account_sharing" else "alipay"
    body = application(product=product) | {"initiator": initiator}
    assert view(town.applied(channel, body)).get("code") == code


@pytest.mark.parametrize(
    ("party", "told", "product", "region", "reason"),
    [
        ("holder", {"insured": None}, "family_account", BEIJING, "not_insured"),
        ("member", {"insured": None}, "family_account", BEIJING, "not_insured"),
        ("holder", {"credential_active": False}, "family_account", BEIJING, "holder_credential_inactive"),
        ("holder", {"insured": {"scheme": "resident"}}, "family_account", BEIJING, None),
        ("holder", {"insured": {"scheme": "resident"}}, "account_sharing", GUANGZHOU, "not_insured"),
        ("holder", {"insured": {"status": "suspended"}}, "account_sharing", GUANGZHOU, "insurance_suspended"),
        ("member", {"insured": {"status": "suspended"}}, "account_sharing", GUANGZHOU, "insurance_suspended"),
        ("holder", {"insured": {"status": "suspended"}}, "account_sharing", NANJING, None),
        ("holder", {"insured": {"status": "terminated"}}, "account_sharing", NANJING, "insurance_suspended"),
        ("member", {"insured": {"region": "330100"}}, "account_sharing", NANJING, "region_not_allowed"),
        ("member", {"insured": {"region": "330100"}}, "family_account", BEIJING, None),
        ("member", {"name": "王五"}, "family_account", BEIJING, "name_id_mismatch"),
    ],
    ids=[
        "holder-uninsured", "member-uninsured", "credential", "resident-binds", "resident-shares-nothing",
        "guangdong-holder", "guangdong-member", "jiangsu-rests", "jiangsu-ended", "jiangsu-elsewhere",
        "family-elsewhere", "wrong-name",
    ],
)  # fmt: skip
def test_what_registries_say(
    town: Town, party: str, told: dict[str, Any], product: str, region: str, reason: str | None
) -> None:
    channel = {BEIJING: "alipay", GUANGZHOU: "yueyibao_alipay", NANJING: "jiangsu_yibaoyun"}[region]
    body = application(product=product, region=region)
    town.knows(body[party]["id_number"], **told)
    seen = town.checked(channel, body)
    assert seen["reason"] == reason
    assert (seen["state"] == "rejected") == (reason is not None)


@pytest.mark.parametrize(
    ("product", "region", "member_region", "code"),
    [
        ("family_account", BEIJING, "540100", None),
        ("family_account", SUZHOU, "540100", None),
        ("account_sharing", GUANGZHOU, "440106", None),
        ("account_sharing", GUANGZHOU, SHENZHEN, "region_not_allowed"),
        ("account_sharing", NANJING, SUZHOU, None),
        ("account_sharing", NANJING, GUANGZHOU, "region_not_allowed"),
        ("account_sharing", BEIJING, "110105", None),
        ("account_sharing", BEIJING, NANJING, "region_not_allowed"),
    ],
    ids=[
        "china",
        "suzhou-china",
        "same-pool",
        "other-pool",
        "same-province",
        "other-province",
        "beijing",
        "not-beijing",
    ],
)
def test_insured_places(town: Town, product: str, region: str, member_region: str, code: str | None) -> None:
    channel = {NANJING: "jiangsu_yibaoyun", BEIJING: "national_app"}.get(region)
    answer = town.asked(channel, product=product, region=region, member_region=member_region)
    assert view(answer).get("code") == code


@pytest.mark.parametrize(
    ("product", "channel", "open_in", "code"),
    [
        ("account_sharing", "yueyibao_alipay", ALIPAY, "channel_not_open"),
        ("account_sharing", "yueyibao_wechat", WECHAT, "channel_not_open"),
        ("code_display", "alipay", ALIPAY, "channel_not_open"),
        ("code_display", "yueyibao_wechat", [], "channel_not_open"),
    ],
    ids=["sharing-alipay", "sharing-wechat", "display-alipay", "display-wechat"],
)
def test_the_cities_of_guangdong(town: Town, product: str, channel: str, open_in: list[str], code: str) -> None:
    named = {*ALIPAY, *WECHAT}
    assert (len(ALIPAY), len(WECHAT), len(named)) == (16, 6, 17)
    for city in sorted(named | set(NOWHERE_NAMED)):
        answer = town.asked(channel, product=product, region=f"{city}00")
        closed = (409, "channel_unknown") if city in NOWHERE_NAMED else (422, code)
        said = (answer.status_code, view(answer).get("code"))
        assert said == ((200, None) if city in open_in else closed), city


@pytest.mark.parametrize(
    ("channel", "product", "region", "code"),
    [
        ("yueyibao_alipay", "family_account", GUANGZHOU, "wrong_product"),
        ("yueyibao_wechat", "family_account", GUANGZHOU, "wrong_product"),
        ("jiangsu_yibaoyun", "account_sharing", NANJING, None),
        ("alipay", "account_sharing", GUANGZHOU, "channel_not_open"),
        ("alipay", "account_sharing", NANJING, "channel_not_open"),
        ("suzhou_yibao_oa", "family_account", NANJING, "channel_not_open"),
    ],
    ids=["family-yueyibao", "family-yueyibao-wechat", "jiangsu", "guangdong-alipay", "jiangsu-alipay", "suzhou-only"],
)
def test_each_product_has_its_doors(town: Town, channel: str, product: str, region: str, code: str | None) -> None:
    assert view(town.asked(channel, product=product, region=region)).get("code") == code


def test_five_members_and_no_sixth_in_whatever_channel(town: Town) -> None:
    channels = ("alipay", "wechat", "national_app")
    for member in range(5):
        town.submitted(channels[member % 3], application(holder_seed=900, member_seed=900 + member))
    refused = town.applied("wechat", application(holder_seed=900, member_seed=905))
    assert (refused.status_code, refused.json()["code"]) == (409, "holder_limit")


def test_two_binders_in_a_month_counting_those_that_ended(town: Town) -> None:
    """`binders_per_member` is 2 in a calendar month; what has been unbound in it still counts, until the next one."""
    ended, body = town.active(holder_seed=910, member_seed=910)
    client = town.at("alipay")
    act(client, ended["id"], "request_unbind", initiator="holder", method="pay_password")
    assert view(act(client, ended["id"], "confirm_unbind", pay_password="123456"))["state"] == "unbound"
    town.active(holder_seed=911, member_seed=910)
    third = town.applied("alipay", application(holder_seed=912, member_seed=910))
    assert (third.status_code, third.json()["code"]) == (409, "member_binder_limit")
    assert body["holder"]["id_number"] not in third.text
    today = town.today()
    town.advance(days=monthrange(today.year, today.month)[1] - today.day + 1)
    assert town.applied("alipay", application(holder_seed=912, member_seed=910)).status_code == 201


def test_as_many_authorisers_as_there_are(town: Town) -> None:
    for holder in range(3):
        seen, _ = town.active(product="account_sharing", holder_seed=920 + holder, member_seed=920)
        assert seen["product"] == "account_sharing"


@pytest.mark.parametrize("channel", ["national_app", "alipay", "wechat", "jiangsu_yibaoyun", "suzhou_yibao_oa"])
def test_papers_are_asked_in_every_channel(town: Town, channel: str) -> None:
    made = town.submitted(channel, application(region=SUZHOU))
    refused = act(town.at(channel), made["id"], "submit_materials")
    assert (refused.status_code, refused.json()["code"]) == (409, "material_incomplete")
    assert made["waiting_on"]["for"] == "materials"


def test_nobody_without_a_key(town: Town) -> None:
    """The channel has signed its user in; the service knows the channel, and for whom it acts."""
    client = town.at("alipay")
    body = application(member_born=None)
    assert client.post("/v1/bindings", json=body, headers={"Authorization": ""}).status_code == 401
    made = town.submitted("alipay", body)
    assert town.at("wechat").get(f"/v1/bindings/{made['id']}").status_code == 404
    found = town.signed_in("wechat", body, "holder")
    assert [one["id"] for one in found] == [made["id"]]
