"""The packs' borders by the service's own clock: midnights, month ends, windows, and what a counter is asked for."""

from calendar import monthrange
from datetime import datetime, timedelta
from typing import Any

import pytest

from policies.calendar import SHANGHAI
from tests.doors.family import act, application, view
from tests.doors.town import USUAL, Town, View

DOORS = {  # a city of each pack, the product and a door that is open there
    "national": ("family_account", "430100", "alipay"),
    "suzhou": ("family_account", "320500", "suzhou_yibao_oa"),
    "guangdong": ("account_sharing", "440100", "yueyibao_alipay"),
    "jiangsu": ("account_sharing", "320100", "jiangsu_yibaoyun"),
    "beijing": ("account_sharing", "110105", "national_app"),
}


def now(town: Town) -> datetime:
    """The service's time, in Shanghai."""
    return datetime.fromisoformat(view(town.at("alipay").get("/v1/sandbox/clock"))["now"]).astimezone(SHANGHAI)


def to(town: Town, moment: datetime) -> None:
    """Let time go by until then."""
    town.advance(seconds=(moment - now(town)).total_seconds())


def midnight(town: Town) -> datetime:
    """The next one in Shanghai, far enough away to do something before it."""
    begun = now(town).replace(hour=0, minute=0, second=0, microsecond=0)
    return begun + timedelta(days=2)


@pytest.mark.parametrize(("region", "years"), [("430100", 16), ("320100", 16), ("320500", 17)])
def test_the_face_is_asked_from_the_midnight_of_the_birthday(town: Town, region: str, years: int) -> None:
    birthday = midnight(town)
    born = birthday.date().replace(year=birthday.year - years).isoformat()
    asked = {"region": region, "relationship": "CHILD", "born": born}
    to(town, birthday - timedelta(seconds=30))
    assert town.told(**asked)["plan"]["face_subjects"] == []
    to(town, birthday + timedelta(seconds=1))
    assert town.told(**asked)["plan"]["face_subjects"] == ["member"]


def test_the_month_of_two_binders_ends_at_midnight(town: Town) -> None:
    to(town, midnight(town))  # a whole day at least until the month ends
    for holder in (980, 981):
        town.active(holder_seed=holder, member_seed=980)
    third = application(holder_seed=982, member_seed=980)
    today = now(town)
    last = today.replace(day=monthrange(today.year, today.month)[1], hour=23, minute=59, second=30, microsecond=0)
    to(town, last)
    refused = town.applied("alipay", third)
    assert (refused.status_code, refused.json()["code"]) == (409, "member_binder_limit")
    to(town, last + timedelta(seconds=31))
    assert town.applied("alipay", third).status_code == 201


def test_seven_days_for_the_papers_in_every_pack(town: Town) -> None:
    made = [
        (channel, town.submitted(channel, application(product=product, region=region)))
        for product, region, channel in DOORS.values()
    ]
    since = max(datetime.fromisoformat(seen["state_since"]) for _, seen in made)
    to(town, since + timedelta(days=7, seconds=-60))
    assert {town.seen(channel, seen["id"])["state"] for channel, seen in made} == {"submitted"}
    to(town, since + timedelta(days=7, seconds=1))
    after = [town.seen(channel, seen["id"]) for channel, seen in made]
    assert {(seen["state"], seen["reason"]) for seen in after} == {("expired", "submitted_to_materials")}


@pytest.mark.parametrize("pack", ["guangdong", "jiangsu", "beijing"])
def test_two_working_days_for_the_review_end_at_midnight(town: Town, pack: str) -> None:
    product, region, channel = DOORS[pack]
    body = application(product=product, region=region)
    town.knows(body["holder"]["id_number"], prior_filings=[body["member"]["id_number"]])
    waits = town.checked(channel, body)["waiting_on"]
    until = datetime.fromisoformat(waits["until"]).astimezone(SHANGHAI)
    assert (waits["party"], waits["for"], waits["then"]) == ("agency", "review", "escalated")
    assert (until.hour, until.minute, until.second) == (0, 0, 0)  # 24:00 of the day that is due
    begun = datetime.fromisoformat(waits["since"]).astimezone(SHANGHAI)
    assert timedelta(days=2) <= until - begun.replace(hour=0, minute=0, second=0, microsecond=0)


@pytest.mark.parametrize(
    ("product", "service"),
    [("family_account", "亲情账户线下绑定"), ("code_display", "亲情账户展码代扣线下办理")],
    ids=["family_account", "code_display"],
)
def test_a_ticket_names_the_service_that_it_is_for(town: Town, product: str, service: str) -> None:
    people: dict[str, Any] = {"holder_seed": 990, "member_seed": 990, "region": "440100"}
    if product == "code_display":
        town.active("yueyibao_alipay", application(product="account_sharing", **people))
    seen = town.checked(USUAL[product], application(product=product, **people))
    away: View = view(act(town.at(USUAL[product]), seen["id"], "choose_offline", reason="cannot_pass"))
    assert away["counter_ticket"]["service"] == service
    code = away["counter_ticket"]["code"]
    (ticket,) = view(town.at("counter").get("/v1/counter/tickets", params={"code": code}))["items"]
    assert ticket["counter_ticket"]["service"] == service
