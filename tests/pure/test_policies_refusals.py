"""Which applications are refused at the door: by channel and city, by who applies and for whom."""

from datetime import date

import pytest

from policies.book import LawBook
from policies.loader import SHIPPED, read_folder, read_pack
from policies.planning import plan_for
from policies.refusals import NotAllowed
from tests.pure.policy_cases import (
    BEIJING,
    CHANGSHU,
    DAY,
    GUANGZHOU,
    NANJING,
    SHENZHEN,
    asked,
    plan,
    refusal,
)

JINAN = "370100"  # offers no sharing by any pack of ours
ALIPAY = [
    "4401",
    "4404",
    "4405",
    "4406",
    "4402",
    "4414",
    "4413",
    "4419",
    "4420",
    "4407",
    "4417",
    "4408",
    "4409",
    "4418",
    "4451",
    "4453",
]  # F102
WECHAT = ["4402", "4418", "4405", "4417", "4408", "4416"]  # F101
SILENT = ["4403", "4415", "4412", "4452"]  # 深圳 汕尾 肇庆 揭阳


# -- channels × cities --


def outcome(product, channel, city):
    try:
        return plan(product, region=f"{city}00", channel=channel).pack
    except NotAllowed as refused:
        return refused.code, refused.status


@pytest.mark.parametrize("city", sorted({*ALIPAY, *WECHAT, *SILENT}))
def test_guangdong_channels_city_by_city(city):
    open_, closed = "CN-44-guangdong", ("channel_not_open", 422)
    if city in SILENT:
        closed = ("channel_unknown", 409)
    assert outcome("account_sharing", "yueyibao_alipay", city) == (open_ if city in ALIPAY else closed)
    assert outcome("account_sharing", "yueyibao_wechat", city) == (open_ if city in WECHAT else closed)
    for channel in ("alipay", "yueyibao_alipay"):
        assert outcome("code_display", channel, city) == (open_ if city in ALIPAY else closed)
    assert outcome("code_display", "yueyibao_wechat", city) == closed  # binds, does not show (F100)
    assert outcome("account_sharing", "counter", city) == open_


@pytest.mark.parametrize(
    ("product", "channel", "region", "open_there"),
    [
        ("account_sharing", "national_app", GUANGZHOU, {"yueyibao_alipay"}),
        ("code_display", "yueyibao_wechat", GUANGZHOU, {"alipay", "yueyibao_alipay"}),
        ("account_sharing", "alipay", NANJING, {"jiangsu_yibaoyun"}),
    ],
)
def test_whoever_comes_to_a_closed_door_is_told_the_open_ones(product, channel, region, open_there):
    with pytest.raises(NotAllowed, match="channel_not_open") as refused:
        plan(product, region=region, channel=channel)
    assert set(refused.value.extra["channels"]) == open_there
    assert {plan(product, region=region, channel=name).product for name in open_there} == {product}


def test_the_lists_name_seventeen_cities():
    assert len({*ALIPAY, *WECHAT}) == 17
    assert len(set(ALIPAY)) == 16


@pytest.mark.parametrize(
    ("product", "channel", "region", "code"),
    [
        ("family_account", "national_app", BEIJING, None),
        ("family_account", "nhsa_oa", BEIJING, None),
        ("family_account", "jiangsu_yibaoyun", NANJING, None),
        ("family_account", "jiangsu_yibaoyun", CHANGSHU, None),
        ("family_account", "suzhou_yibao_oa", CHANGSHU, None),
        ("account_sharing", "jiangsu_yibaoyun", NANJING, None),
        ("account_sharing", "counter", SHENZHEN, None),
        ("account_sharing", "national_app", BEIJING, None),
        ("family_account", "jiangsu_yibaoyun", GUANGZHOU, "channel_not_open"),
        ("family_account", "suzhou_yibao_oa", NANJING, "channel_not_open"),
        ("family_account", "yueyibao_wechat", GUANGZHOU, "wrong_product"),
        ("account_sharing", "national_app", GUANGZHOU, "channel_not_open"),
        ("account_sharing", "alipay", NANJING, "channel_not_open"),
        ("account_sharing", "alipay", BEIJING, "channel_not_open"),
        ("account_sharing", "national_app", JINAN, "region_not_allowed"),
        ("code_display", "alipay", NANJING, "region_not_allowed"),
    ],
)
def test_channels_elsewhere(product, channel, region, code):
    if code is None:
        assert plan(product, region=region, channel=channel).product == product
    else:
        assert refusal(product, region=region, channel=channel)[0] == code


def test_the_channel_decides_whether_but_never_what():
    through = {plan(channel=channel).hash for channel in (None, "alipay", "wechat", "national_app", "counter")}
    assert len(through) == 1


# -- people --


@pytest.mark.parametrize(
    ("facts", "expected"),
    [
        ({"relationship": "PARENT_IN_LAW"}, ("relation_not_allowed", "/relationship", 422)),
        ({"region": "990100"}, ("region_not_allowed", "/holder/insured_region", 422)),
        ({"member_region": "4401"}, ("region_not_allowed", "/member/insured_region", 422)),
        ({"born": None}, ("birth_date_required", "/member/birth_date", 422)),
        ({"born": date(2026, 11, 22)}, ("birth_date_invalid", "/member/birth_date", 422)),
        ({"holder_born": date(2008, 11, 22)}, ("holder_under_age", "/holder", 422)),
        ({"method": "birth_certificate"}, ("method_not_allowed", "/method", 422)),  # a grown member
        ({"method": "palm_reading"}, ("method_not_allowed", "/method", 422)),
        ({"initiator": "member"}, ("initiator_not_allowed", "/initiator", 422)),
        ({"initiator": "guardian"}, ("initiator_not_allowed", "/initiator", 422)),
        ({"product": "account_sharing", "initiator": "member"}, ("initiator_not_allowed", "/initiator", 422)),
        ({"product": "account_sharing", "method": "other_document"}, ("method_not_allowed", "/method", 422)),
        ({"product": "account_sharing", "member_region": "440400"},
         ("region_not_allowed", "/member/insured_region", 422)),
    ],
)  # fmt: skip
def test_who_is_refused_and_where(facts, expected):
    assert refusal(**facts) == expected


BY_CERTIFICATE = {"method": "birth_certificate", "born": date(2026, 10, 1)}
RELATION = ("relation_not_allowed", "/relationship", 422)


@pytest.mark.parametrize("region", [BEIJING, NANJING, CHANGSHU])
def test_a_certificate_is_for_who_has_or_keeps_the_child(region):
    """F22 母婴绑定: no newborn is bound so as a husband, parent, grandparent, brother or sister."""
    for relationship in ("CHILD", "GRANDCHILD", "WARD"):
        assert plan(region=region, relationship=relationship, **BY_CERTIFICATE).age_group == "newborn"
    assert refusal(region=region, relationship="SIBLING", **BY_CERTIFICATE) == RELATION
    assert plan(region=region, relationship="SIBLING", born=date(2026, 10, 1))


@pytest.mark.parametrize("relationship", ["SPOUSE", "PARENT", "GRANDPARENT", "PARENT_IN_LAW"])
def test_no_child_is_a_husband_a_parent_or_a_grandparent(relationship):
    """Nor by marriage or adoption (民法典 §1047, §1098); and a child would be bound so without face and look."""
    book = with_a_pack_that_says(f"relations: {{allowed: [CHILD, {relationship}]}}")
    born = date(2018, 1, 1), date(2008, 11, 22), date(2008, 11, 21)
    found = [found_in(book, asked(region="510100", relationship=relationship, born=day)) for day in born]
    assert found == ["relation_not_allowed", "relation_not_allowed", None]


def test_a_pack_may_open_a_method_to_more_or_fewer():
    told = {
        "methods: {birth_certificate: {relations: [CHILD]}}": ["CHILD"],
        "methods: {birth_certificate: {relations: null}}": ["CHILD", "SIBLING"],
        "relations: {allowed: [SPOUSE, CHILD]}": ["CHILD"],
    }
    for rule, expected in told.items():
        book = with_a_pack_that_says(rule)
        facts = {
            one: asked(region="510100", relationship=one, **BY_CERTIFICATE) for one in ("SPOUSE", "CHILD", "SIBLING")
        }
        assert [one for one in facts if found_in(book, facts[one]) is None] == expected


def with_a_pack_that_says(rule):
    head = """
pack: CN-51-test
version: "1"
effective_from: 2026-01-01
region: "51"
inherits: CN-national/family_account
product: family_account
facts: {methods: [F22]}
"""
    return LawBook([*read_folder(SHIPPED), read_pack("own.yaml", f"{head}{rule}\n")])


def found_in(book, facts):
    try:
        plan_for(book, facts, DAY)
    except NotAllowed as no:
        return no.code
    return None


def test_guardians_act_below_eighteen_and_for_wards():
    assert plan(relationship="CHILD", born=date(2008, 11, 22), initiator="guardian")
    assert plan(relationship="WARD", initiator="guardian")
    assert refusal(relationship="CHILD", born=date(2008, 11, 21), initiator="guardian")[0] == "initiator_not_allowed"


def test_a_holder_of_eighteen_today_may_bind_and_unknown_birth_dates_are_not_judged():
    assert plan(holder_born=date(2008, 11, 21), initiator="holder")
    assert plan(holder_born=None)
