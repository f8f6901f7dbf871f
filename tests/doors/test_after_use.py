"""What stays of an application and of a use: the consents in their words, whose code was shown, and the warning."""

from datetime import UTC, date, datetime
from typing import Any

import pytest

from tests.doors.family import act, application, view
from tests.doors.town import Town

INFANT = date(2023, 5, 1)
GUANGZHOU = "440100"


@pytest.mark.parametrize("language", ["zh", "en"])
def test_consents_can_be_read_in_the_words_that_were_accepted(town: Town, language: str) -> None:
    """Evidence that it was authorised (F26): each consent with its time; of a small child, by its guardian."""
    body = application(member_born=INFANT) | {"initiator": "guardian"}
    body["consents"][0]["accepted_at"] = "2026-11-21T16:00:00+08:00"  # told in the zone of all times
    made = town.submitted("alipay", body)
    asked = town.told("alipay", language, region=GUANGZHOU, born=INFANT.isoformat(), relationship="CHILD")["notices"]
    found = view(town.at("alipay", language).get(f"/v1/bindings/{made['id']}/consents"))
    assert found["next_cursor"] is None
    given = {one["notice"]: one["accepted_at"] for one in body["consents"]}
    assert "guardian" in given
    for item, notice in zip(found["items"], asked, strict=True):
        assert {name: item[name] for name in notice} == notice
        assert item["accepted_by"] == "guardian"
        said = datetime.fromisoformat(given[item["notice"]]).astimezone(UTC)
        assert item["accepted_at"] == said.isoformat().replace("+00:00", "Z")


def test_consents_are_shown_to_those_who_see_the_binding(town: Town) -> None:
    made = town.submitted("alipay", application(region="320500"))
    where = f"/v1/bindings/{made['id']}/consents"
    for door in ("alipay", "counter", "reviewer", "reviewer-suzhou", "supervisor", "operator"):
        assert view(town.at(door).get(where))["items"], door
    assert town.at("wechat").get(where).status_code == 404
    elsewhere = town.submitted("alipay", application(region=GUANGZHOU))
    assert town.at("reviewer-suzhou").get(f"/v1/bindings/{elsewhere['id']}/consents").status_code == 404


def test_fit_for_the_old_and_the_small(town: Town) -> None:
    """F36: under fourteen a guardian consents and no face is asked; to who cannot pass or come, a clerk comes home."""
    body = application(member_born=INFANT, region="320500")
    without = [one for one in body["consents"] if one["notice"] != "guardian"]
    refused = town.applied("alipay", body | {"consents": without})
    assert (refused.status_code, refused.json()["code"]) == (422, "consent_missing")
    assert town.checked("alipay", body)["state"] == "active"
    old = town.checked("alipay", application(region="320500"))
    act(town.at("alipay"), old["id"], "choose_offline", reason="cannot_pass")
    where = f"/v1/counter/tickets/{old['id']}/verify"
    assert view(town.at("counter").post(where, json={"method": "home_visit"}))["state"] == "active"


def test_whose_code_and_with_which_warning(town: Town) -> None:
    """The member's own; the holder's only after Guangdong's second step, and never without the warning (C6)."""
    people: dict[str, Any] = {"holder_seed": 970, "member_seed": 970, "region": GUANGZHOU}
    _, family = town.active("alipay", **people)
    assert town.use("alipay", family, "show_code", patient="member") == (True, None)
    assert town.use("alipay", family, "show_code", patient="holder") == (False, "not_own_code")
    town.active(product="account_sharing", **people)
    assert town.use("alipay", family, "show_code", patient="holder")[0] is False
    seen, _ = town.active("alipay", product="code_display", **people)
    assert seen["shown_credential"] == "holder"
    told = town.told("alipay", product="code_display", region=GUANGZHOU)
    assert told["boundaries"]["shown_credential"] == "holder"
    assert "骗取医疗保障基金" in told["care_warning"]
    assert town.use("alipay", family, "show_code", patient="member") == (True, None)


@pytest.mark.parametrize("purpose", ["show_code", "activate_credential", "query_usage", "query_expenses"])
def test_a_use_ends_with_the_binding_and_its_record_stays(town: Town, purpose: str) -> None:
    seen, body = town.active("alipay", member_born=INFANT, region="320500")
    where = f"/v1/bindings/{seen['id']}"
    assert town.signed_in("wechat", body)
    assert town.use("wechat", body, purpose) == (True, None)
    town.at("supervisor").post(f"{where}/suspend", json={"reason": "suspected_fraud"})
    assert town.use("wechat", body, purpose) == (False, "suspended")
    town.at("supervisor").post(f"{where}/resume", json={"reason": "cleared"})
    assert town.use("wechat", body, purpose) == (True, None)
    town.at("supervisor").post(f"{where}/unbind", json={"reason": "suspected_fraud"})
    assert town.use("wechat", body, purpose) == (False, "not_active")
    records = view(town.at("alipay").get(f"{where}/usage"))["items"]
    assert [(one["purpose"], one["channel"]) for one in records] == [(purpose, "wechat")] * 2


def test_after_a_death_the_registry_is_asked_at_once_about_whatever_else_there_is(town: Town) -> None:
    seen, body = town.active(member_seed=870)
    other, _ = town.active(member_seed=870, holder_seed=871)
    town.knows(body["member"]["id_number"], insured={"status": "terminated"})
    assert act(town.at("alipay"), seen["id"], "report_change", what="death").status_code == 200
    town.advance(seconds=60)
    left = town.seen("alipay", other["id"])
    assert (left["state"], left["reason"]) == ("suspended", "insurance_ended")
