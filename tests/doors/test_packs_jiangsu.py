"""Jiangsu's sharing at the doors: the counter takes it whole, money stays in the province, it rests with insurance."""

from typing import Any

from tests.doors.family import act, application, key, view, with_materials
from tests.doors.town import Town

APP = "jiangsu_yibaoyun"
NANJING: dict[str, Any] = {"product": "account_sharing", "region": "320100"}


def test_the_counter_takes_it_from_the_first_paper_to_the_end(town: Town) -> None:
    clerk, body = town.at("counter"), application(**NANJING)
    made = view(clerk.post("/v1/counter/tickets", json=body, headers=key()))
    with_materials(clerk, made)
    assert view(act(clerk, made["id"], "submit_materials"))["state"] == "materials_uploaded"
    town.advance(seconds=1)
    waits = town.seen("counter", made["id"])["waiting_on"]
    assert (waits["party"], waits["for"]) == ("agency", "review")
    town.approved(made["id"])
    seen = town.seen("counter", made["id"])
    assert (seen["state"], seen["channel"]) == ("active", "counter")
    assert (seen["shown_credential"], seen["fund_source"]) == ("member", "holder_personal_account")
    assert town.use(APP, body, "pay_from_account", region="320500") == (True, None)


def test_money_stays_in_the_province_and_no_code_is_shown(town: Town) -> None:
    _, body = town.active(APP, application(member_region="321300", **NANJING))
    assert town.use(APP, body, "pay_from_account", patient="member", region="321300") == (True, None)
    assert town.use(APP, body, "pay_from_account", region="310100") == (False, "region_not_allowed")
    for patient in ("member", "holder"):
        assert town.use(APP, body, "show_code", patient=patient) == (False, "purpose_not_allowed")


def test_an_insurance_that_ends_or_moves_away_rests_the_sharing(town: Town) -> None:
    for gone in ({"status": "terminated"}, {"region": "330100"}):
        seen, body = town.active(APP, application(**NANJING))
        town.knows(body["holder"]["id_number"], insured=gone)
        town.advance(days=2)
        after = town.seen(APP, seen["id"])
        assert (after["state"], after["waiting_on"]["party"]) == ("suspended", "registry")
        assert town.use(APP, body, "pay_from_account", region="320100") == (False, "suspended")
