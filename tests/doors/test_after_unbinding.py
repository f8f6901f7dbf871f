"""Whoever may end a binding ends it, by password or face, at any channel or at a counter; and nobody else does."""

from concurrent.futures import ThreadPoolExecutor
from datetime import date, datetime, timedelta
from typing import Any

import httpx
import pytest

from policies.calendar import next_midnight
from tests.doors.family import act, key, view
from tests.doors.town import Town, View, acting

CHILD = date(2019, 5, 1)
ELSEWHERE = "jiangsu_yibaoyun"  # a channel that has never had to do with these families


def active(town: Town, **options: Any) -> tuple[View, View]:
    """A binding of Suzhou, where a single paper does."""
    return town.active("alipay", day=town.today(), region="320500", **options)


def to_noon(town: Town) -> None:
    """Let it be noon in Shanghai, so that no midnight comes in between."""
    now = datetime.fromisoformat(view(town.at("alipay").get("/v1/sandbox/clock"))["now"])
    town.advance(seconds=(next_midnight(now) - now).total_seconds() + 43_200)


def who(body: View, initiator: str) -> View:
    """The person who is signed in: a guardian is the holder."""
    return acting(body, "member" if initiator == "member" else "holder")


def asked(client: httpx.Client, binding_id: str, initiator: str, method: str, **who: Any) -> httpx.Response:
    return act(client, binding_id, "request_unbind", initiator=initiator, method=method, **who)


@pytest.mark.parametrize("channel", ["alipay", ELSEWHERE])
@pytest.mark.parametrize("initiator", ["holder", "member", "guardian"])
def test_by_password(town: Town, channel: str, initiator: str) -> None:
    seen, body = active(town, **({"member_born": CHILD} if initiator == "guardian" else {}))
    client, signed_in = town.at(channel), who(body, initiator)
    town.knows(body["member"]["id_number"], pay_password="222222")
    right, others = ("222222", "123456") if initiator == "member" else ("123456", "222222")
    waiting = view(asked(client, seen["id"], initiator, "pay_password", **signed_in))
    assert (waiting["state"], waiting["waiting_on"]["party"]) == ("unbinding", initiator)
    assert "start_face_check" not in waiting["available_actions"]
    assert town.use(channel, body, "show_code") == (True, None)  # in force until he has shown that it is he
    wrong = act(client, seen["id"], "confirm_unbind", pay_password=others, **signed_in)
    assert (wrong.status_code, view(wrong)["code"]) == (422, "pay_password_wrong")
    ended = view(act(client, seen["id"], "confirm_unbind", pay_password=right, **signed_in))
    assert (ended["state"], ended["reason"]) == ("unbound", f"by_{initiator}")
    assert town.use(channel, body, "show_code") == (False, "not_active")


@pytest.mark.parametrize("initiator", ["holder", "member", "guardian"])
def test_by_face(town: Town, initiator: str) -> None:
    seen, body = active(town, **({"member_born": CHILD} if initiator == "guardian" else {}))
    client, signed_in = town.at("alipay"), who(body, initiator)
    waiting = view(asked(client, seen["id"], initiator, "face", **signed_in))
    assert "confirm_unbind" not in waiting["available_actions"]
    subject = "member" if initiator == "member" else "holder"
    other = "holder" if initiator == "member" else "member"
    refused = client.post(f"/v1/bindings/{seen['id']}/face-checks", json={"subject": other})
    assert (refused.status_code, view(refused)["code"]) == (409, "face_subject_not_next")
    assert town.face("alipay", seen, subject, "no_match")["status"] == "failed"
    assert town.seen("alipay", seen["id"])["state"] == "unbinding"
    assert town.face("alipay", seen, subject)["status"] == "passed"
    assert town.seen("alipay", seen["id"])["state"] == "unbound"


def test_by_face_in_a_channel_that_did_not_apply(town: Town) -> None:
    seen, body = active(town)
    client, signed_in = town.at(ELSEWHERE), who(body, "member")
    asked(client, seen["id"], "member", "face", **signed_in)
    begun = client.post(f"/v1/bindings/{seen['id']}/face-checks", json={"subject": "member", **signed_in})
    assert begun.status_code == 201, begun.text
    where = f"/v1/sandbox/face-checks/{view(begun)['id']}/complete"
    assert view(client.post(where, json={"outcome": "passed"}))["status"] == "passed"
    assert town.seen("alipay", seen["id"])["state"] == "unbound"


def test_a_guardian_of_whoever_has_come_of_age_is_nobody(town: Town) -> None:
    eighteen = town.today() - timedelta(days=18 * 366)
    seen, body = active(town, member_born=eighteen, relationship="CHILD")
    refused = asked(town.at("alipay"), seen["id"], "guardian", "pay_password", **who(body, "holder"))
    assert (refused.status_code, view(refused)["code"]) == (422, "initiator_not_allowed")


@pytest.mark.parametrize(("signed_in", "says"), [("member", "holder"), ("holder", "member")])
def test_nobody_asks_in_the_others_name(town: Town, signed_in: str, says: str) -> None:
    seen, body = active(town)
    refused = asked(town.at(ELSEWHERE), seen["id"], says, "pay_password", **acting(body, signed_in))
    assert (refused.status_code, view(refused)["code"]) == (422, "initiator_not_allowed")
    assert town.seen("alipay", seen["id"])["state"] == "active"


def test_a_stranger_finds_nothing_to_end(town: Town) -> None:
    (seen, _), (_, strangers) = active(town), active(town)
    for channel in ("alipay", ELSEWHERE):
        refused = asked(town.at(channel), seen["id"], "holder", "pay_password", **acting(strangers, "holder"))
        assert refused.status_code == 404


def test_what_is_locked_is_not_listed_until_midnight(town: Town) -> None:
    """Five wrong ones of the person, whatever the binding and the channel they were typed for."""
    to_noon(town)
    (one, body), (two, _) = (active(town, holder_seed=960, member_seed=960 + n) for n in range(2))
    client, elsewhere, signed_in = town.at("alipay"), town.at(ELSEWHERE), who(body, "holder")
    for seen in (one, two):
        asked(client, seen["id"], "holder", "pay_password", **signed_in)
    for left, (seen, door) in zip((4, 3, 2, 1, 0), 3 * ((one, client), (two, elsewhere)), strict=False):
        assert "confirm_unbind" in town.seen("alipay", seen["id"])["available_actions"]
        wrong = act(door, seen["id"], "confirm_unbind", pay_password="000000", **signed_in)
        assert view(wrong)["attempts_left"] == left
    for seen in (one, two):
        assert town.seen("alipay", seen["id"])["available_actions"] == ["cancel_unbind", "report_change"]
        locked = act(elsewhere, seen["id"], "confirm_unbind", pay_password="123456", **signed_in)
        assert (locked.status_code, view(locked)["code"]) == (409, "pay_password_locked")
        assert view(locked)["until"] == f"{town.today().isoformat()}T16:00:00Z"
    town.advance(seconds=1800)  # not confirmed in time: in force as before, and the lock is no shorter
    asked(client, one["id"], "holder", "pay_password", **signed_in)
    assert "confirm_unbind" not in town.seen("alipay", one["id"])["available_actions"]
    asked(client, two["id"], "holder", "face", **signed_in)  # his face is not locked
    assert "start_face_check" in town.seen("alipay", two["id"])["available_actions"]


def test_the_member_is_not_locked_by_what_the_holder_mistypes(town: Town) -> None:
    to_noon(town)
    seen, body = active(town)
    asked(town.at("alipay"), seen["id"], "holder", "pay_password", **who(body, "holder"))
    for _ in range(5):
        act(town.at("alipay"), seen["id"], "confirm_unbind", pay_password="000000", **who(body, "holder"))
    town.advance(seconds=1800)
    asked(town.at(ELSEWHERE), seen["id"], "member", "pay_password", **who(body, "member"))
    ended = act(town.at(ELSEWHERE), seen["id"], "confirm_unbind", pay_password="123456", **who(body, "member"))
    assert view(ended)["state"] == "unbound"


def test_an_unbinding_is_no_shelter_from_the_registry(town: Town) -> None:
    """Whoever asks for the end and takes it back every half hour is looked at like everybody else (attack: never)."""
    seen, body = active(town)
    client = town.at("alipay")
    town.knows(body["holder"]["id_number"], insured={"status": "terminated"})
    asked(client, seen["id"], "holder", "pay_password")
    look = town.at("operator").post(f"/v1/ops/bindings/{seen['id']}/repair",
                                    json={"repair": "ask_again", "reason": "ask_again"})  # fmt: skip
    assert look.status_code == 200, look.text
    town.advance(seconds=1)
    now = town.seen("alipay", seen["id"])
    assert (now["state"], now["reason"]) == ("suspended", "insurance_ended")
    assert town.use("alipay", body, "show_code") == (False, "suspended")
    still = asked(client, seen["id"], "holder", "pay_password")  # he who still wants the end asks again
    assert view(still)["waiting_on"]["then"] == "suspended"
    assert view(act(client, seen["id"], "confirm_unbind", pay_password="123456"))["state"] == "unbound"


@pytest.mark.parametrize(("said", "state"), [("suspend", "suspended"), ("unbind", "unbound")])
def test_a_supervisor_need_not_wait_for_an_unbinding(town: Town, said: str, state: str) -> None:
    seen, body = active(town)
    asked(town.at("alipay"), seen["id"], "holder", "face")
    supervisor = town.at("supervisor")
    assert said in town.seen("supervisor", seen["id"])["available_actions"]
    decided = supervisor.post(f"/v1/bindings/{seen['id']}/{said}", json={"reason": "suspected_fraud"})
    assert (view(decided)["state"], view(decided)["reason"]) == (state, "suspected_fraud")
    assert not town.use("alipay", body, "show_code")[0]
    late = town.at("alipay").post(f"/v1/bindings/{seen['id']}/face-checks", json={"subject": "holder"})
    assert (late.status_code, view(late)["code"]) == (409, "action_not_available")


def test_what_was_suspended_before_the_unbinding_is_not_suspended_again(town: Town) -> None:
    seen, _ = active(town)
    where = f"/v1/bindings/{seen['id']}/suspend"
    assert town.at("supervisor").post(where, json={"reason": "suspected_fraud"}).status_code == 200
    asked(town.at("alipay"), seen["id"], "holder", "pay_password")
    again = town.at("supervisor").post(where, json={"reason": "suspected_fraud"})
    assert (again.status_code, view(again)["code"]) == (409, "action_not_available")
    assert "suspend" not in view(again)["available_actions"]
    assert view(act(town.at("alipay"), seen["id"], "cancel_unbind"))["reason"] == "suspected_fraud"


def test_a_death_ends_what_is_being_ended(town: Town) -> None:
    """Another change waits for the end of the unbinding: it would take away the wish of whoever asked for it."""
    seen, body = active(town)
    asked(town.at("alipay"), seen["id"], "holder", "pay_password")
    waits = act(town.at("alipay"), seen["id"], "report_change", what="relationship_ended", **who(body, "member"))
    assert (waits.status_code, view(waits)["code"]) == (409, "action_not_available")
    assert view(waits)["allowed"] == ["death"]
    assert "report_change" in town.seen("alipay", seen["id"])["available_actions"]
    told = view(act(town.at("alipay"), seen["id"], "report_change", what="death"))
    assert (told["state"], told["reason"]) == ("unbound", "death")


@pytest.mark.parametrize("initiator", ["holder", "member", "guardian"])
def test_at_a_counter(town: Town, initiator: str) -> None:
    """The clerk knows whom he has before him: no password, no camera; whose wish it was stands in the note."""
    seen, body = active(town)
    where = f"/v1/counter/tickets/{seen['id']}/unbind"
    ended = town.at("counter").post(where, json={"initiator": initiator, "reason": "no_longer_needed"})
    assert (view(ended)["state"], view(ended)["reason"]) == ("unbound", "no_longer_needed")
    told = view(town.at("counter").get(f"/v1/bindings/{seen['id']}/timeline"))["items"][-2:]
    assert [(line["event"], line["note"]) for line in told] == [("unbind_requested", initiator), ("unbound", initiator)]
    assert town.use("alipay", body, "show_code") == (False, "not_active")


def test_at_a_counter_copies_sent_at_once_end_it_once(town: Town) -> None:
    seen, _ = active(town)
    where, told = f"/v1/counter/tickets/{seen['id']}/unbind", key()
    with ThreadPoolExecutor(4) as threads:
        answers = list(threads.map(lambda _: town.at("counter").post(where, json={"initiator": "holder"}, headers=told),
                                   range(4)))  # fmt: skip
    assert {answer.status_code for answer in answers} == {200}
    assert len({answer.content for answer in answers}) == 1
    assert sum("idempotency-replayed" in answer.headers for answer in answers) == 3
    assert town.events("alipay", seen["id"])[-2:] == ["unbind_requested", "unbound"]


def test_copies_of_what_opens_no_window_wait_for_the_first(town: Town) -> None:
    """The clock is moved once, one endpoint is made, however many copies are on the way."""
    alipay = town.at("alipay")
    for where, body in (("sandbox/clock/advance", {"seconds": 1}),
                        ("webhook-endpoints", {"url": "http://127.0.0.1:9/"})):  # fmt: skip
        told = key()
        with ThreadPoolExecutor(4) as threads:
            answers = list(threads.map(lambda _: alipay.post(f"/v1/{where}", json=body, headers=told), range(4)))  # noqa: B023
        assert {answer.status_code for answer in answers} <= {200, 201}, where
        assert len({answer.content for answer in answers}) == 1
    assert len(view(alipay.get("/v1/webhook-endpoints"))["items"]) == 1
