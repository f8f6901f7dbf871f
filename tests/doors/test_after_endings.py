"""How a binding rests and ends without anybody asking for it: insurance, death, a suspension that nobody settles."""

from datetime import datetime, timedelta

import pytest

from tests.doors.family import act, view
from tests.doors.town import Town, View, acting

KEPT = 180  # days suspended before the end, of the national pack
WARNED = (30, 7)  # days before it


def binding(town: Town) -> tuple[View, View]:
    """An active binding that came through Alipay; WeChat has acted for the member. The application's people."""
    seen, body = town.active("alipay", day=town.today(), region="320500")
    town.at("wechat").post("/v1/bindings/search", json=acting(body, "member"))
    return seen, body


def lines(town: Town, binding_id: str, behind: int) -> list[View]:
    """The lines of the history after a version, as the channel sees them."""
    found: list[View] = view(town.at("alipay").get(f"/v1/bindings/{binding_id}/timeline"))["items"]
    return found[behind:]


@pytest.mark.parametrize("party", ["holder", "member"])
@pytest.mark.parametrize(
    ("status", "reason"), [("suspended", "insurance_suspended"), ("terminated", "insurance_ended")]
)
def test_insurance_that_stops_and_comes_back(town: Town, party: str, status: str, reason: str) -> None:
    seen, body = binding(town)
    number, place = body[party]["id_number"], body[party]["insured_region"]
    town.knows(number, insured={"status": status, "region": place})
    town.advance(days=3)
    resting = town.seen("alipay", seen["id"])
    assert (resting["state"], resting["reason"]) == ("suspended", reason)
    waits = {name: resting["waiting_on"][name] for name in ("party", "for", "then")}
    assert waits == {"party": "registry", "for": "insurance", "then": "unbound"}
    assert town.use("alipay", body, "show_code") == (False, "suspended")
    assert "start_face_check" not in resting["available_actions"]  # a face insures nobody
    town.knows(number, insured={"status": "normal", "region": place})
    town.advance(days=3)
    back = town.seen("alipay", seen["id"])
    assert (back["state"], back["reason"]) == ("active", None)
    assert town.use("alipay", body, "show_code") == (True, None)
    told = [(line["event"], line["actor"], line["reason"]) for line in lines(town, seen["id"], seen["version"])]
    assert told == [("suspended", "system", reason), ("resumed", "system", "insurance_back")]
    assert [one["type"] for one in town.heard("wechat", seen["id"])][-2:] == ["binding.party_notice"] * 2


def test_both_sides_are_told_thirty_and_seven_days_before_the_end(town: Town) -> None:
    seen, body = binding(town)
    number, place = body["holder"]["id_number"], body["holder"]["insured_region"]
    town.knows(number, insured={"status": "terminated", "region": place})
    town.advance(days=3)
    resting = town.seen("alipay", seen["id"])
    end = datetime.fromisoformat(resting["waiting_on"]["until"])
    heard = len(town.heard("wechat", seen["id"]))
    town.advance(days=KEPT + 1)
    ended = town.seen("alipay", seen["id"])
    assert (ended["state"], ended["reason"], ended["available_actions"]) == ("unbound", "suspended_to_ended", [])
    told = lines(town, seen["id"], resting["version"])
    assert [(line["event"], line["from"], line["to"], line["actor"]) for line in told] == [
        ("suspended", "suspended", "suspended", "clock"),
        ("suspended", "suspended", "suspended", "clock"),
        ("unbound", "suspended", "unbound", "clock"),
    ]
    for line, days in zip(told, (*WARNED, 0), strict=True):
        late = datetime.fromisoformat(line["at"]) - (end - timedelta(days=days))
        assert timedelta() <= late < timedelta(minutes=1), line
    for one in town.heard("alipay", seen["id"])[-3:-1]:
        told_of = one["data"]["binding"]
        assert one["type"] == "binding.suspended"
        assert (told_of["reason"], told_of["waiting_on"]["then"]) == ("insurance_ended", "unbound")
        assert datetime.fromisoformat(told_of["waiting_on"]["until"]) == end
        assert told_of["state_since"] == resting["state_since"]
    assert [one["type"] for one in town.heard("wechat", seen["id"])][heard:] == ["binding.party_notice"] * 3
    assert town.use("alipay", body, "show_code") == (False, "not_active")


def test_a_warning_waits_for_an_unbinding_and_is_not_lost(town: Town) -> None:
    seen, _ = binding(town)
    town.at("supervisor").post(f"/v1/bindings/{seen['id']}/suspend", json={"reason": "suspected_fraud"})
    town.advance(seconds=(KEPT - WARNED[0]) * 86_400 - 300)
    asked = act(town.at("alipay"), seen["id"], "request_unbind", initiator="holder", method="pay_password")
    assert view(asked)["state"] == "unbinding"
    town.advance(seconds=900)
    assert town.seen("alipay", seen["id"])["state"] == "unbinding"
    town.advance(seconds=1800)  # nobody has confirmed
    assert [line["event"] for line in lines(town, seen["id"], seen["version"])] == [
        "suspended", "unbind_requested", "unbind_cancelled", "suspended",
    ]  # fmt: skip


@pytest.mark.parametrize("dead", ["holder", "member"])
def test_a_death_ends_it(town: Town, dead: str) -> None:
    seen, body = binding(town)
    other = "member" if dead == "holder" else "holder"
    reported = act(town.at("alipay"), seen["id"], "report_change", what="death", **acting(body, other))
    assert reported.status_code == 200, reported.text
    assert (view(reported)["state"], view(reported)["reason"]) == ("unbound", "death")
    assert town.use("alipay", body, "show_code") == (False, "not_active")
    town.advance(seconds=1)
    assert town.heard("wechat", seen["id"])[-1]["type"] == "binding.party_notice"
    fresh = body | {"channel_reference": "again"}
    assert town.applied("alipay", fresh).status_code == 201  # its place is free again


def test_a_death_reported_at_the_window(town: Town) -> None:
    seen, _ = binding(town)
    reported = act(town.at("counter"), seen["id"], "report_change", what="death")
    assert (view(reported)["state"], view(reported)["reason"]) == ("unbound", "death")
