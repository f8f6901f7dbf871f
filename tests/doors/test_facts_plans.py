"""What the collected facts say of plans: ages, papers, faces, reviews and methods, as a channel is told them.

The facts (F) and contradictions (C) that each test proves stand in docs/facts.yaml.
"""

from datetime import date, timedelta

import pytest

from tests.doors.town import Town

BEIJING, GUANGZHOU, NANJING, SUZHOU, CHANGSHU = "110100", "440100", "320100", "320500", "320581"
REGISTER = ["household_register_first_page", "household_register_member_page"]
BOTH_PAGES = ["household_register_holder_page", "household_register_member_page"]
LETTER = [["commitment_letter"]]
MINOR = [REGISTER, ["birth_certificate"], ["notarised_relationship"]]
CHILD = {"born": "2019-05-01", "relationship": "CHILD"}


def years_ago(day: date, years: int, *, days: int = 0) -> str:
    """Who was born then has his birthday `days` after `day`."""
    birthday = day + timedelta(days=days)
    return birthday.replace(year=birthday.year - years).isoformat()


@pytest.mark.parametrize(
    ("region", "years", "days", "faces"),
    [
        (BEIJING, 16, 1, []),
        (BEIJING, 16, 0, ["member"]),
        (SUZHOU, 16, 0, []),
        (SUZHOU, 17, 1, []),
        (SUZHOU, 17, 0, ["member"]),
    ],
    ids=["national-15", "national-16", "suzhou-16", "suzhou-16-last-day", "suzhou-17"],
)
def test_the_border_of_sixteen(town: Town, region: str, years: int, days: int, faces: list[str]) -> None:
    born = years_ago(town.today(), years, days=days)
    told = town.told(region=region, relationship="CHILD", born=born)
    assert told["plan"]["face_subjects"] == faces


@pytest.mark.parametrize(
    ("asked", "groups"),
    [
        pytest.param({}, [LETTER, [REGISTER]], id="adult"),
        pytest.param(CHILD, [LETTER, MINOR], id="minor"),
        pytest.param({"region": SUZHOU}, [[["household_register_member_page"]]], id="suzhou-adult"),
        pytest.param(
            CHILD | {"region": SUZHOU},
            [[["birth_certificate"], BOTH_PAGES, ["notarised_relationship"]]],
            id="suzhou-minor",
        ),
        pytest.param(
            {"region": GUANGZHOU, "product": "account_sharing"},
            [[["holder_id_front", "holder_id_back"]], [["member_id_front", "member_id_back"]], [REGISTER], LETTER],
            id="guangdong",
        ),
        pytest.param({"method": "birth_certificate", **CHILD}, [], id="newborn"),
    ],
)
def test_papers(town: Town, asked: dict[str, str], groups: list[list[list[str]]]) -> None:
    told = town.told(**asked)["plan"]["materials"]
    assert [group["any_of"] for group in told] == groups
    assert all(group["label"] for group in told)


@pytest.mark.parametrize(
    ("asked", "faces"),
    [
        pytest.param({}, ["member"], id="member"),
        pytest.param(CHILD, [], id="child"),
        pytest.param({"method": "birth_certificate", **CHILD}, ["mother"], id="newborn"),
        pytest.param({"region": SUZHOU}, ["member"], id="suzhou"),
        pytest.param({"region": GUANGZHOU, "product": "account_sharing"}, [], id="sharing"),
        pytest.param({"region": GUANGZHOU, "product": "code_display"}, ["member", "holder"], id="code_display"),
    ],
)
def test_whose_face(town: Town, asked: dict[str, str], faces: list[str]) -> None:
    plan = town.told(**asked)["plan"]
    assert plan["face_subjects"] == faces
    assert ("face_check" in plan["steps"]) == bool(faces)
    assert plan["face_window_seconds"] == 24 * 3600


@pytest.mark.parametrize(
    ("asked", "ahead"),
    [
        pytest.param({}, False, id="resident"),
        pytest.param({"method": "other_document", "id_type": "passport"}, True, id="passport"),
        pytest.param({"method": "other_document", "id_type": "passport", **CHILD}, False, id="child, no face"),
    ],
)
def test_who_will_have_to_come_to_a_counter_is_told_beforehand(town: Town, asked: dict[str, str], ahead: bool) -> None:
    told = town.told(**asked)
    counter = told["counter"]
    assert counter["reason"] == ("document_not_readable" if ahead else None)
    assert counter["agency_name"]  # where a person is, for whom a registry refuses, too (0026)
    assert counter["bring"]


@pytest.mark.parametrize(
    ("asked", "steps"),
    [
        pytest.param({}, ["face_check"], id="national"),
        pytest.param(CHILD, [], id="national-child"),
        pytest.param({"region": GUANGZHOU, "product": "account_sharing"}, ["agency_review"], id="guangdong"),
        pytest.param({"region": GUANGZHOU, "product": "code_display"}, ["face_check", "authorisation"], id="display"),
    ],
)
def test_whether_an_agency_reviews(town: Town, asked: dict[str, str], steps: list[str]) -> None:
    assert town.told(**asked)["plan"]["steps"] == steps


@pytest.mark.parametrize("channel", ["national_app", "wechat", "nhsa_oa"])
def test_the_channel_changes_nothing(town: Town, channel: str) -> None:
    for asked in ({}, CHILD):
        assert town.told(channel, **asked) == town.told("alipay", **asked)


@pytest.mark.parametrize(
    ("method", "id_type"),
    [("id_number", "resident_id"), ("birth_certificate", "resident_id"), ("other_document", "passport")],
)
def test_each_method_has_its_plan(town: Town, method: str, id_type: str) -> None:
    told = town.told(method=method, id_type=id_type, born=town.today().isoformat(), relationship="CHILD")
    assert {notice["notice"] for notice in told["notices"]} >= {"adding_member", "guardian"}
    assert ("birth_certificate" in str(told["plan"]["materials"])) == (method != "birth_certificate")


def test_no_other_method(town: Town) -> None:
    other = town.asked(method="other_document").json()
    assert (other["code"], other["methods"]) == ("method_not_allowed", ["id_number"])
    assert town.asked(method="birth_certificate").json()["code"] == "method_not_allowed"  # of a grown member
    assert town.asked(method="palm_reading").json()["errors"][0]["pointer"] == "/method"


@pytest.mark.parametrize("channel", ["national_app", "alipay", "wechat", "jiangsu_yibaoyun", "suzhou_yibao_oa"])
def test_the_channels_of_suzhou(town: Town, channel: str) -> None:
    assert town.told(channel, region=CHANGSHU)["policy"]["pack"] == "CN-3205-suzhou"


def test_regions_have_their_own_rules(town: Town) -> None:
    packs = {region: town.told(region=region)["policy"]["pack"] for region in (BEIJING, GUANGZHOU, NANJING, CHANGSHU)}
    assert packs == {
        BEIJING: "CN-national", GUANGZHOU: "CN-national", NANJING: "CN-32-jiangsu", CHANGSHU: "CN-3205-suzhou",
    }  # fmt: skip


def test_the_old_and_the_small(town: Town) -> None:
    """Whoever has no telephone of his own: a great-grandmother and a child of one day get a plan."""
    assert town.told(born="1921-02-03", relationship="GRANDPARENT")["plan"]["steps"] == ["face_check"]
    told = town.told(born=town.today().isoformat(), relationship="CHILD")
    assert told["plan"]["steps"] == []
    assert "guardian" in {notice["notice"] for notice in told["notices"]}


@pytest.mark.parametrize(
    ("product", "region", "shown", "money", "own_code_only", "needs"),
    [
        ("family_account", BEIJING, "member", "member_own", True, None),
        ("family_account", SUZHOU, "member", "member_own", True, None),
        ("account_sharing", GUANGZHOU, "holder", "holder_personal_account", True, None),
        ("code_display", GUANGZHOU, "holder", "holder_personal_account", False, "account_sharing"),
    ],
    ids=["family_account", "suzhou", "account_sharing", "code_display"],
)
def test_what_is_shown_and_who_pays(
    town: Town, product: str, region: str, shown: str, money: str, own_code_only: bool, needs: str | None
) -> None:
    told = town.told(product=product, region=region)["boundaries"]
    assert (told["shown_credential"], told["fund_source"]) == (shown, money)
    assert (told["own_code_only"], told["requires_active"]) == (own_code_only, needs)
    assert ("pay_from_account" in told["purposes"]) == (product != "family_account")
