"""Beijing's sharing: the two must have been filed beforehand (F35, C8), and what an application meets then."""

from typing import Any

import pytest

from tests.doors.family import act, application, view, with_materials
from tests.doors.town import Town, View

APP = "national_app"
BEIJING: dict[str, Any] = {"product": "account_sharing", "region": "110105"}


def filed(town: Town, body: View, holder: str = "holder", member: str = "member") -> None:
    """The agency has filed the two; the filing has a direction, as the money has."""
    town.knows(body[holder]["id_number"], prior_filings=[body[member]["id_number"]])


def test_it_is_told_before_an_application(town: Town) -> None:
    told = town.told(APP, **BEIJING)
    assert told["policy"]["pack"] == "CN-11-beijing"
    assert told["boundaries"]["prior_filing"] is True
    assert town.told(APP, region="110105")["boundaries"]["prior_filing"] is False
    (notice,) = [one for one in told["notices"] if one["notice"] == "sharing_after_filing"]
    assert "先在官方指定的途径办理备案" in notice["text"]
    assert "12393" in told["help"]["filing"]
    assert (told["boundaries"]["shown_credential"], told["boundaries"]["fund_source"]) == (
        "member", "holder_personal_account",
    )  # fmt: skip


@pytest.mark.parametrize("filing", [None, ("member", "holder")], ids=["not-filed", "filed-the-other-way"])
def test_without_the_filing_it_is_rejected(town: Town, filing: tuple[str, str] | None) -> None:
    body = application(**BEIJING)
    if filing:
        filed(town, body, *filing)
    seen = town.checked(APP, body)
    assert (seen["state"], seen["reason"]) == ("rejected", "prior_filing_missing")


def test_once_filed_the_family_applies_anew(town: Town) -> None:
    body = application(**BEIJING)
    assert town.checked(APP, body)["state"] == "rejected"
    filed(town, body)
    seen = town.checked(APP, body)
    assert (seen["state"], seen["reason"]) == ("agency_review", None)


def test_a_filed_pair_shares_in_the_city(town: Town) -> None:
    body = application(**BEIJING)
    filed(town, body)
    seen, _ = town.active(APP, body)
    assert (seen["shown_credential"], seen["fund_source"]) == ("member", "holder_personal_account")
    assert town.use(APP, body, "pay_from_account", region="110228") == (True, None)
    assert town.use(APP, body, "pay_from_account", region="120101") == (False, "region_not_allowed")
    assert town.use(APP, body, "show_code", patient="holder") == (False, "purpose_not_allowed")


def test_the_counter_takes_it_and_asks_for_the_filing_too(town: Town) -> None:
    body = application(**BEIJING)
    made = town.at("counter").post("/v1/counter/tickets", json=body, headers={"Idempotency-Key": "filing"})
    assert (made.status_code, view(made)["channel"]) == (201, "counter")
    clerk = town.at("counter")
    with_materials(clerk, view(made))
    assert act(clerk, view(made)["id"], "submit_materials").status_code == 200
    town.advance(seconds=1)
    assert town.seen("counter", view(made)["id"])["state"] == "offline_fallback"  # a clerk hears what is lacking
    line = view(clerk.get(f"/v1/bindings/{view(made)['id']}/timeline"))["items"][-1]
    assert (line["event"], line["reason"]) == ("routed_offline", "prior_filing_missing")


@pytest.mark.parametrize("party", ["holder", "member"])
def test_the_filing_stands_for_no_insurance(town: Town, party: str) -> None:
    body = application(**BEIJING)
    filed(town, body)
    town.knows(body[party]["id_number"], insured={"status": "suspended"})
    seen = town.checked(APP, body)
    assert (seen["state"], seen["reason"]) == ("rejected", "insurance_suspended")
