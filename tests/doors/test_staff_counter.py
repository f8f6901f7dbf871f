"""The agency's window: tickets, the outcome there, whole applications, endings."""

from datetime import date
from typing import Any

import httpx
import pytest

from tasks.office import Office
from tests import life
from tests.doors.conftest import Caller
from tests.doors.family import application
from tests.wire import NO_AUTHORITIES
from workflows.access import principals
from workflows.case import ACTIVE, OFFLINE_FALLBACK, REJECTED, SUSPENDED, UNBOUND

TICKETS = "/v1/counter/tickets"


@pytest.fixture
def counter(as_: Caller) -> httpx.Client:
    return as_("counter")


@pytest.fixture
def ticket(office: Office) -> str:
    return life.to_state(office, OFFLINE_FALLBACK)


def said(client: httpx.Client, binding_id: str, what: str, **body: Any) -> httpx.Response:
    return client.post(f"{TICKETS}/{binding_id}/{what}", json=body)


def of_shenzhen(office: Office, base_url: str) -> httpx.Client:
    _, key = principals.create_staff(office.ledger, "深圳窗口", ["counter"], ["440300"])
    return httpx.Client(
        base_url=base_url, headers={"Authorization": f"Bearer {key}"}, timeout=30, verify=NO_AUTHORITIES
    )


def test_a_ticket_is_found_by_its_code_however_written(counter: httpx.Client, ticket: str, office: Office) -> None:
    life.to_state(office, OFFLINE_FALLBACK, seed=2)
    listed = counter.get(TICKETS).json()["items"]
    item = listed[0]
    assert item["binding_id"] == ticket
    code = item["code"].lower().replace("0", "o").replace("1", "l")
    found = counter.get(TICKETS, params={"code": f"{code[:4]}-{code[4:]}"}).json()["items"]
    assert [one["binding_id"] for one in found] == [ticket]
    assert "verify" in item["available_actions"]
    assert item["counter_ticket"]["bring"]
    assert counter.get(TICKETS, params={"code": "nothing"}).json()["items"] == []
    assert counter.get(TICKETS, params={"limit": 1}).json()["next_cursor"]


def test_verify_stands_for_the_face(counter: httpx.Client, ticket: str, office: Office) -> None:
    assert said(counter, ticket, "verify", method="telepathy").json()["errors"][0]["pointer"] == "/method"
    done = said(counter, ticket, "verify", method="document_reader", subjects=["member"], note="本人到场")
    assert done.json()["state"] == ACTIVE
    assert counter.get(TICKETS).json()["items"] == []
    progress = life.look(office, ticket).progress
    assert (progress.checked_how, progress.present) == ("document_reader", ["member"])
    again = said(counter, ticket, "verify", method="document_reader")
    assert again.json()["code"] == "action_not_available"


def test_verify_names_who_was_there(counter: httpx.Client, ticket: str, office: Office) -> None:
    version = life.look(office, ticket).version
    for present, code in (([], "subject_not_present"), (["holder"], "subject_not_present"),
                          (["member", "mother"], "request_invalid")):  # fmt: skip
        refused = said(counter, ticket, "verify", method="document_reader", subjects=present)
        assert (refused.status_code, refused.json()["code"]) == (422, code), present
        assert [one["pointer"] for one in refused.json()["errors"]] == ["/subjects"]
    assert life.look(office, ticket).version == version
    assert said(counter, ticket, "verify", method="document_reader").json()["state"] == ACTIVE
    assert life.look(office, ticket).progress.present == ["member"]  # left out: everybody still asked for


@pytest.mark.parametrize(("relationship", "stands"), [("WARD", True), ("PARENT", False)])
def test_a_guardian_stands_for_a_ward_only(
    counter: httpx.Client, office: Office, relationship: str, stands: bool
) -> None:
    ticket = life.to_state(office, OFFLINE_FALLBACK, relationship=relationship)
    answer = said(counter, ticket, "verify", method="home_visit", subjects=["holder"])
    assert answer.status_code == (200 if stands else 422), answer.text
    assert life.look(office, ticket).progress.present == []  # of an adult a second clerk has yet to say so


def test_for_a_suspended_child_its_guardian_is_there(counter: httpx.Client, office: Office) -> None:
    binding_id = life.to_state(office, ACTIVE, member_born=date(2019, 1, 1))
    life.report(office, binding_id, "name", "李明月", life.COUNTER)
    alone = said(counter, binding_id, "verify", method="compared_by_eye", subjects=["member"])
    assert (alone.status_code, alone.json()["subjects"]) == (422, ["holder"])
    assert said(counter, binding_id, "verify", method="compared_by_eye", subjects=["holder"]).json()["state"] == ACTIVE


def test_verify_waits_for_the_registries_or_the_clerks_own_check(counter: httpx.Client, office: Office) -> None:
    binding_id = life.to_state(office, "materials_uploaded")
    life.say(office, "route_offline", binding_id, reason="declines_face")
    refused = said(counter, binding_id, "verify", method="compared_by_eye")
    assert (refused.status_code, refused.json()["code"]) == (409, "registry_unanswered")
    done = said(counter, binding_id, "verify", method="compared_by_eye", registry_checked=True)
    assert done.json()["state"] == ACTIVE


def test_refuse_wants_a_reason_of_the_list(counter: httpx.Client, ticket: str) -> None:
    assert said(counter, ticket, "refuse", reason="because").json()["code"] == "reason_not_listed"
    done = said(counter, ticket, "refuse", reason="relation_unproven", note="不能证明").json()
    assert (done["state"], done["reason"]) == (REJECTED, "relation_unproven")


def test_hand_over_keeps_code_and_due_time(base_url: str, counter: httpx.Client, ticket: str, office: Office) -> None:
    with of_shenzhen(office, base_url) as shenzhen:
        before = counter.get(TICKETS).json()["items"][0]
        assert said(shenzhen, ticket, "verify", method="compared_by_eye").status_code == 404
        assert said(counter, ticket, "hand-over", agency="999999").json()["errors"][0]["code"] == "not_one_of"
        done = said(counter, ticket, "hand-over", agency="440300")
        assert done.json()["counter_ticket"]["agency"] == "440300"
        after = shenzhen.get(TICKETS).json()["items"][0]
        assert (after["code"], after["due_at"]) == (before["code"], before["due_at"])
        assert said(shenzhen, ticket, "verify", method="compared_by_eye").json()["state"] == ACTIVE


def test_the_first_agency_no_longer_sees_what_it_handed_over(
    base_url: str, counter: httpx.Client, office: Office
) -> None:
    ticket = life.to_state(office, OFFLINE_FALLBACK, region="440300")
    with of_shenzhen(office, base_url) as shenzhen:
        assert said(shenzhen, ticket, "hand-over", agency="440100").status_code == 200
        assert shenzhen.get(TICKETS).json()["items"] == []
        assert said(shenzhen, ticket, "refuse", reason="nonsense").status_code == 404


def test_a_suspended_bindings_ticket(counter: httpx.Client, office: Office) -> None:
    binding_id = life.to_state(office, ACTIVE, member_born=date(2019, 1, 1))
    life.report(office, binding_id, "name", "李明月", life.COUNTER)
    item = counter.get(TICKETS).json()["items"][0]
    assert (item["binding_id"], item["state"]) == (binding_id, SUSPENDED)
    assert said(counter, binding_id, "verify", method="compared_by_eye").json()["state"] == ACTIVE


def test_a_whole_application_at_the_counter(counter: httpx.Client, office: Office) -> None:
    body = application()
    assert counter.post(TICKETS, json=body).json()["code"] == "idempotency_key_required"
    key = {"Idempotency-Key": "one"}
    made = counter.post(TICKETS, json=body, headers=key)
    assert made.status_code == 201, made.text
    view = made.json()
    assert (view["channel"], made.headers["location"]) == ("counter", f"/v1/bindings/{view['id']}")
    assert "upload_material" in view["available_actions"]
    assert counter.post(TICKETS, json=body, headers=key).content == made.content
    assert counter.get(f"/v1/bindings/{view['id']}").json()["state"] == "submitted"
    life.give_materials(office, view["id"])
    handed_in = counter.post(f"/v1/bindings/{view['id']}/actions/submit_materials", json={})
    assert handed_in.json()["state"] == "materials_uploaded"


def test_nobody_at_a_counter_is_asked_to_agree_to_a_camera(counter: httpx.Client, as_: Caller) -> None:
    asked = {"product": "family_account", "method": "id_number", "relationship": "PARENT",
             "holder": {"insured_region": "440100"},
             "member": {"insured_region": "440100", "birth_date": "1958-03-07", "id_type": "resident_id"}}  # fmt: skip
    there, in_the_app = ({one["notice"] for one in client.post("/v1/requirements", json=asked).json()["notices"]}
                         for client in (counter, as_("alipay")))  # fmt: skip
    assert in_the_app - there == {"face"}


def test_an_application_of_another_region(base_url: str, office: Office, counter: httpx.Client, as_: Caller) -> None:
    with of_shenzhen(office, base_url) as shenzhen:
        headers = {"Idempotency-Key": "one"}
        refused = shenzhen.post(TICKETS, json=application(), headers=headers)
        assert (refused.status_code, refused.json()["code"]) == (422, "region_not_allowed")
        near = application(member_region="440305")
        made = shenzhen.post(TICKETS, json=near, headers=headers)
        assert made.status_code == 201
        assert shenzhen.get(made.headers["location"]).status_code == 200
    assert as_("alipay").get(made.headers["location"]).status_code == 404


def test_ended_at_the_window(counter: httpx.Client, office: Office) -> None:
    binding_id = life.to_state(office, ACTIVE, member_born=date(2019, 1, 1))
    assert said(counter, binding_id, "unbind", initiator="somebody").json()["errors"][0]["pointer"] == "/initiator"
    path, body = f"{TICKETS}/{binding_id}/unbind", {"initiator": "member", "reason": "no_longer_needed"}
    done = counter.post(path, json=body, headers={"Idempotency-Key": "one"})
    assert (done.json()["state"], done.json()["reason"]) == (UNBOUND, "no_longer_needed")
    assert life.events(office, binding_id)[-2:] == ["unbind_requested", "unbound"]
    assert counter.post(path, json=body, headers={"Idempotency-Key": "one"}).content == done.content
    assert said(counter, binding_id, "unbind", initiator="member").json()["code"] == "action_not_available"


def test_an_unbinding_that_stopped_half_way_is_ended_at_the_window(counter: httpx.Client, office: Office) -> None:
    binding_id = life.to_state(office, ACTIVE, member_born=date(2019, 1, 1))
    actions = f"/v1/bindings/{binding_id}/actions"
    asked = {"initiator": "holder", "method": "pay_password"}
    assert counter.post(f"{actions}/request_unbind", json=asked).status_code == 403
    assert "unbind" in counter.get(f"/v1/bindings/{binding_id}").json()["available_actions"]
    life.say(office, "request_unbind", binding_id, life.COUNTER)
    shown = counter.get(f"/v1/bindings/{binding_id}").json()
    assert (shown["state"], shown["available_actions"]) == ("unbinding", ["unbind", "report_change"])
    stale = counter.post(f"{TICKETS}/{binding_id}/unbind", json={"initiator": "member"}, headers={"If-Match": '"1"'})
    assert stale.status_code == 412
    done = said(counter, binding_id, "unbind", initiator="member", reason="no_longer_needed").json()
    assert (done["state"], done["reason"], done["available_actions"]) == (UNBOUND, "no_longer_needed", [])


def test_the_window_does_not_end_what_a_channel_began(counter: httpx.Client, office: Office) -> None:
    binding_id = life.to_state(office, "unbinding")
    assert counter.get(f"/v1/bindings/{binding_id}").json()["available_actions"] == ["report_change"]
    assert said(counter, binding_id, "unbind", initiator="member").json()["code"] == "action_not_available"


def test_the_counter_is_for_clerks(as_: Caller, ticket: str) -> None:
    for name in ("alipay", "reviewer", "operator", "supervisor"):
        assert as_(name).get(TICKETS).status_code == 403, name
        assert said(as_(name), ticket, "verify", method="compared_by_eye").status_code == 403, name
