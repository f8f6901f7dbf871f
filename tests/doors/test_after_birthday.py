"""The day on which a child reaches the face age: flagged, told to both sides, a grace, then rest until verified."""

from datetime import datetime, timedelta
from typing import Any

import pytest

from policies.ages import birthday_in
from policies.calendar import SHANGHAI, start_of_day
from tests.doors.family import act, application, view, with_materials
from tests.doors.town import Town, View, acting

GRACE = 30  # days, of the national pack


@pytest.fixture
def child(town: Town) -> tuple[View, View]:
    """A child's binding through Alipay, active; the child is sixteen in ten days. WeChat has acted for the child."""
    today = town.today()
    soon = today + timedelta(days=10)
    seen, body = town.active("alipay", member_born=birthday_in(soon, soon.year - 16), day=today)
    town.at("wechat").post("/v1/bindings/search", json=acting(body, "member"))
    return seen, body


def told(town: Town, channel: str, binding_id: str) -> list[str]:
    """The types of what a channel has heard of a binding, in order."""
    return [one["type"] for one in town.heard(channel, binding_id)]


def to_birthday(town: Town, body: View, *, seconds: int) -> None:
    """Let time go by until the child's sixteenth birthday begins in Shanghai, and `seconds` more (or fewer)."""
    born = datetime.strptime(body["member"]["id_number"][6:14], "%Y%m%d").replace(tzinfo=SHANGHAI).date()
    now = datetime.fromisoformat(view(town.at("alipay").get("/v1/sandbox/clock"))["now"])
    left = start_of_day(birthday_in(born, born.year + 16)) - now
    town.advance(seconds=left.total_seconds() + seconds)


def test_flag_tell_grace_and_rest(town: Town, child: tuple[View, View]) -> None:
    seen, body = child
    binding_id = seen["id"]
    to_birthday(town, body, seconds=-60)  # the day before
    before = town.seen("alipay", binding_id)
    assert (before["state"], before["version"]) == ("active", seen["version"])
    assert "start_face_check" not in before["available_actions"]

    heard = len(told(town, "wechat", binding_id))
    town.advance(seconds=120)  # on the day
    flagged = town.seen("alipay", binding_id)
    assert (flagged["state"], flagged["waiting_on"]) == ("active", None)
    assert "start_face_check" in flagged["available_actions"]
    assert town.events("alipay", binding_id)[-1] == "reverification_due"
    checks = view(town.at("alipay").get(f"/v1/bindings/{binding_id}/face-checks"))
    day = datetime.fromisoformat(checks["window_closes_at"]) - datetime.fromisoformat(flagged["state_since"])
    assert timedelta(days=GRACE) < day < timedelta(days=GRACE + 11)  # in force since at most ten days before
    assert told(town, "alipay", binding_id)[-1] == "binding.reverification_due"
    assert told(town, "wechat", binding_id)[heard:] == ["binding.party_notice"]
    assert town.use("alipay", body, "show_code") == (True, None)  # the grace

    town.advance(seconds=GRACE * 86_400 - 240)
    assert town.seen("alipay", binding_id)["state"] == "active"
    town.advance(seconds=240)  # after it
    resting = town.seen("alipay", binding_id)
    assert (resting["state"], resting["reason"]) == ("suspended", "reverification_to_done")
    waits = {name: resting["waiting_on"][name] for name in ("party", "for", "then")}
    assert waits == {"party": "member", "for": "reverification", "then": "unbound"}
    assert resting["counter_ticket"]["code"]
    assert town.use("alipay", body, "show_code") == (False, "suspended")
    assert told(town, "alipay", binding_id)[-1] == "binding.suspended"
    assert told(town, "wechat", binding_id)[heard:] == ["binding.party_notice"] * 2

    town.face("alipay", resting, "member")
    assert town.seen("alipay", binding_id)["state"] == "active"
    assert town.use("alipay", body, "show_code") == (True, None)


def test_who_shows_his_face_in_the_grace_never_rests(town: Town, child: tuple[View, View]) -> None:
    seen, body = child
    to_birthday(town, body, seconds=60)
    flagged = town.seen("alipay", seen["id"])
    assert town.face("alipay", flagged, "member", "no_match")["status"] == "failed"
    assert town.face("alipay", flagged, "member")["status"] == "passed"
    town.advance(days=GRACE + 2)
    after = town.seen("alipay", seen["id"])
    assert after["state"] == "active"
    assert "start_face_check" not in after["available_actions"]
    assert "suspended" not in town.events("alipay", seen["id"])


@pytest.mark.parametrize("days", [0, GRACE], ids=["in the grace", "after it"])
def test_the_counter_helps_whom_the_camera_does_not_know(town: Town, child: tuple[View, View], days: int) -> None:
    seen, body = child
    to_birthday(town, body, seconds=60)
    town.advance(days=days, seconds=1)
    ticket = town.seen("alipay", seen["id"])["counter_ticket"]
    found = view(town.at("counter").get("/v1/counter/tickets", params={"code": ticket["code"]}))["items"]
    assert [(one["binding_id"], "verify" in one["available_actions"]) for one in found] == [(seen["id"], True)]
    where = f"/v1/counter/tickets/{seen['id']}/verify"
    said: dict[str, Any] = {"method": "compared_by_eye", "subjects": ["member"]}
    verified = view(town.at("counter").post(where, json=said))
    assert (verified["state"], verified["counter_ticket"]) == ("active", None)
    assert view(town.at("counter").post(where, json=said))["code"] == "action_not_available"
    assert town.use("alipay", body, "show_code") == (True, None)
    town.advance(days=GRACE + 2)
    assert town.seen("alipay", seen["id"])["state"] == "active"


def test_the_guardian_does_not_stand_for_whom_the_face_age_asks_himself(town: Town, child: tuple[View, View]) -> None:
    seen, body = child
    to_birthday(town, body, seconds=60)
    said = {"method": "compared_by_eye", "subjects": ["holder"]}
    refused = town.at("counter").post(f"/v1/counter/tickets/{seen['id']}/verify", json=said)
    assert (refused.status_code, view(refused)["code"]) == (422, "subject_not_present")
    assert "start_face_check" in town.seen("alipay", seen["id"])["available_actions"]  # both ways stay open


def test_a_clerk_confirms_no_name_that_was_reported_after_he_had_looked(town: Town, child: tuple[View, View]) -> None:
    """The ticket was there before the report: who names no version may have the child before him as it was called."""
    seen, body = child
    to_birthday(town, body, seconds=60)
    ticket = town.seen("alipay", seen["id"])["counter_ticket"]
    changed = view(act(town.at("alipay"), seen["id"], "report_change", what="name", value="李春"))
    assert (changed["state"], changed["counter_ticket"]) == ("suspended", ticket)  # the family's code stays
    where = f"/v1/counter/tickets/{seen['id']}/verify"
    said: dict[str, Any] = {"method": "compared_by_eye", "subjects": ["member"]}
    unseen = town.at("counter").post(where, json=said)
    assert (unseen.status_code, view(unseen)["code"]) == (412, "stale_version")
    told = {"If-Match": f'"{changed["version"]}"'}
    assert view(town.at("counter").post(where, json=said, headers=told))["state"] == "active"


def test_the_ticket_outlasts_a_rest_for_something_else(town: Town, child: tuple[View, View]) -> None:
    seen, body = child
    to_birthday(town, body, seconds=60)
    supervisor, where = town.at("supervisor"), f"/v1/bindings/{seen['id']}"
    assert supervisor.post(f"{where}/suspend", json={"reason": "suspected_fraud"}).status_code == 200
    assert town.seen("alipay", seen["id"])["counter_ticket"] is None
    assert supervisor.post(f"{where}/resume", json={"reason": "cleared"}).status_code == 200
    assert town.seen("alipay", seen["id"])["counter_ticket"]["code"]


def test_the_grace_stands_still_while_no_face_can_be_shown(town: Town, child: tuple[View, View]) -> None:
    seen, body = child
    to_birthday(town, body, seconds=60)
    town.advance(days=GRACE - 10)
    supervisor, where = town.at("supervisor"), f"/v1/bindings/{seen['id']}"
    assert supervisor.post(f"{where}/suspend", json={"reason": "suspected_fraud"}).status_code == 200
    town.advance(days=20)
    assert supervisor.post(f"{where}/resume", json={"reason": "cleared"}).status_code == 200
    town.advance(days=9)
    assert town.seen("alipay", seen["id"])["state"] == "active"
    town.advance(days=2)
    assert town.seen("alipay", seen["id"])["reason"] == "reverification_to_done"


def test_an_application_on_the_way_over_the_birthday_gets_the_face(town: Town) -> None:
    """What is pinned is pinned, but the age is asked again at activation (DOMAIN §C.7)."""
    today = town.today()
    soon = today + timedelta(days=3)
    body = application(member_born=birthday_in(soon, soon.year - 16), day=today)
    made = town.submitted("alipay", body)
    assert made["plan"]["steps"] == []
    to_birthday(town, body, seconds=60)
    with_materials(town.at("alipay"), made)
    assert act(town.at("alipay"), made["id"], "submit_materials").status_code == 200
    town.advance(seconds=1)
    seen = town.seen("alipay", made["id"])
    assert (seen["state"], seen["waiting_on"]["for"]) == ("face_check", "face_check")
    assert (seen["plan"]["steps"], seen["plan"]["face_subjects"]) == (["face_check"], ["member"])
    assert town.through("alipay", seen)["state"] == "active"
