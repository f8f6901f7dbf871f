"""A suspicion outlives the binding that it fell on: whoever ends that and applies anew is looked at by a person."""

from datetime import date
from typing import Any

import pytest

from tasks.office import Office
from tasks.registries import ask_registries
from tests import life
from tests.doors.family import act, application, key, view, with_materials
from tests.doors.town import Town, View
from tests.doors.visitor import Comes, text_of

CHILD = date(2016, 1, 1)
WORD = {"reason": "suspected_fraud"}
LOOKED_AT = ("offline_fallback", "suspected_fraud")


def end(town: Town, binding_id: str) -> View:
    act(town.at("alipay"), binding_id, "request_unbind", initiator="holder", method="pay_password")
    return view(act(town.at("alipay"), binding_id, "confirm_unbind", pay_password="123456"))


def suspected(town: Town, **options: Any) -> View:
    """The application of a binding that was suspended for a suspicion, and that its holder ended."""
    seen, body = town.active("alipay", **options)
    assert town.at("supervisor").post(f"/v1/bindings/{seen['id']}/suspend", json=WORD).status_code == 200
    assert end(town, seen["id"])["reason"] == "by_holder"
    return body


def became_of(town: Town, seen: View) -> tuple[str, str | None]:
    """The state of an application, and the reason of its last line."""
    lines = view(town.at("supervisor").get(f"/v1/bindings/{seen['id']}/timeline"))["items"]
    return seen["state"], lines[-1]["reason"]


@pytest.mark.parametrize("options", [{"member_born": CHILD}, {}], ids=["a child", "a grown member"])
def test_who_ends_it_himself_and_applies_anew_is_sent_to_a_clerk(town: Town, options: dict[str, Any]) -> None:
    """No face lifts it, and there is no way round the clerk; once he has looked it goes on."""
    again = town.checked("alipay", suspected(town, **options))
    assert became_of(town, again) == LOOKED_AT
    assert again["available_actions"] == ["withdraw", "withdraw_consent"]
    assert view(act(town.at("alipay"), again["id"], "resume_online"))["code"] == "action_not_available"
    where = f"/v1/counter/tickets/{again['id']}/verify"
    seen_by = town.at("counter").post(where, json={"method": "document_reader"}, headers=key())
    assert view(seen_by)["state"] == "active"


@pytest.mark.parametrize("channel", ["alipay", "wechat"])
def test_whom_the_supervisor_has_ended_it_for(town: Town, channel: str) -> None:
    seen, body = town.active("alipay", member_born=CHILD)
    assert town.at("supervisor").post(f"/v1/bindings/{seen['id']}/unbind", json=WORD).status_code == 200
    assert became_of(town, town.checked(channel, body)) == LOOKED_AT


def test_the_other_way_round_and_in_another_product(town: Town) -> None:
    """It is of the two persons, not of one binding."""
    grown: dict[str, Any] = {"relationship": "SPOUSE", "member_born": date(1986, 6, 1), "region": "440100"}
    body = suspected(town, **grown)
    turned = body | {"holder": body["member"], "member": body["holder"]}
    assert became_of(town, town.checked("wechat", turned)) == LOOKED_AT
    shared = application(product="account_sharing", **grown)
    shared |= {"holder": body["holder"], "member": body["member"]}
    assert became_of(town, town.checked("yueyibao_alipay", shared)) == LOOKED_AT


def test_taken_at_the_window_it_is_for_that(town: Town) -> None:
    """Of a child nobody else would have looked."""
    counter, body = town.at("counter"), suspected(town, member_born=CHILD)
    made = view(counter.post("/v1/counter/tickets", json=body, headers=key()))
    with_materials(counter, made)
    assert act(counter, made["id"], "submit_materials").status_code == 200
    town.advance(seconds=1)
    assert became_of(town, town.seen("counter", made["id"])) == LOOKED_AT


def test_the_clerk_reads_what_to_look_at(office: Office, comes: Comes) -> None:
    life.say(office, "end", life.to_state(office, "active"), life.SUPERVISOR, **WORD)
    again = life.to_state(office, "materials_uploaded")
    ask_registries(office)
    assert "曾涉嫌冒用，尚未解除" in text_of(comes("counter").get(f"/counter/{again}"))


def test_what_was_cleared_is_over(town: Town) -> None:
    seen, body = town.active("alipay", member_born=CHILD)
    where = f"/v1/bindings/{seen['id']}"
    assert town.at("supervisor").post(f"{where}/suspend", json=WORD).status_code == 200
    assert town.at("supervisor").post(f"{where}/resume", json={"reason": "cleared"}).status_code == 200
    end(town, seen["id"])
    assert town.checked("alipay", body)["state"] == "active"
    stranger = application(member_born=CHILD) | {"holder": body["holder"]}
    assert town.checked("alipay", stranger)["state"] == "active"
