"""A registry's no is not the last word: at the counter a person hears the family, and no automaton decides (0026)."""

from collections.abc import Iterator
from contextlib import ExitStack
from typing import Any

import httpx
import pytest

from models.keyring import keyring
from tasks.office import Office
from tasks.registries import ask_registries
from tests import life
from tests.doors.conftest import Caller
from tests.doors.family import application, key
from tests.doors.visitor import Comes, text_of
from tests.wire import NO_AUTHORITIES
from workflows import leases
from workflows.access import principals
from workflows.case import ACTIVE, AGENCY_REVIEW, OFFLINE_FALLBACK, REJECTED, SYSTEM, Actor, Case
from workflows.views import explaining, findings

TICKETS = "/v1/counter/tickets"
CHECKED = {"method": "document_reader", "registry_checked": True, "note": "户口本与身份证一致，登记的名字是曾用名"}


@pytest.fixture
def counter(as_: Caller) -> httpx.Client:
    return as_("counter")


@pytest.fixture
def staff(base_url: str, office: Office) -> Iterator[Any]:
    """`staff("counter")`: the client of a new key of that role, and of one and the same person."""
    person = keyring().person("resident_id", "a number of his own")
    with ExitStack() as clients:

        def somebody(role: str) -> httpx.Client:
            _, secret = principals.create_staff(office.ledger, "somebody", [role], ["000000"], person)
            told = {"Authorization": f"Bearer {secret}"}
            return clients.enter_context(
                httpx.Client(base_url=base_url, headers=told, timeout=30, verify=NO_AUTHORITIES)
            )

        yield somebody


def refused_by_registry(counter: httpx.Client, office: Office, **options: Any) -> str:
    """An application taken at the counter whose member the registries call otherwise; its id."""
    body = application(**options)
    life.registries(office).put_person(body["member"]["id_number"], {"name": "曾用名"})
    return handed_in(counter, office, body)


def handed_in(counter: httpx.Client, office: Office, body: dict[str, Any]) -> str:
    """An application with its papers, about which the registries were asked; its id."""
    made = counter.post(TICKETS, json=body, headers=key())
    assert made.status_code == 201, made.text
    binding_id = str(made.json()["id"])
    life.give_materials(office, binding_id)
    given = counter.post(f"/v1/bindings/{binding_id}/actions/submit_materials", json={})
    assert given.status_code == 200, given.text
    ask_registries(office)
    return binding_id


def verified(counter: httpx.Client, binding_id: str, **body: Any) -> httpx.Response:
    return counter.post(f"{TICKETS}/{binding_id}/verify", json=body)


def of_registries(case: Case, office: Office) -> tuple[str, str]:
    (found,) = (one for one in findings.of(case, office.ledger.now()) if one["name"].startswith("registries"))
    return found["name"], found["found"]


def test_the_clerk_decides_and_says_why(counter: httpx.Client, office: Office) -> None:
    binding_id = refused_by_registry(counter, office)
    (item,) = counter.get(TICKETS).json()["items"]
    assert (item["state"], item["reason"]) == (OFFLINE_FALLBACK, "name_id_mismatch")
    assert of_registries(life.look(office, binding_id), office) == ("registries_object", "open")
    silent = verified(counter, binding_id, method="document_reader")
    assert (silent.status_code, silent.json()["code"]) == (409, "registry_objects")
    unsaid = verified(counter, binding_id, **CHECKED | {"note": None})
    assert (unsaid.status_code, unsaid.json()["errors"][0]["pointer"]) == (422, "/note")
    done = verified(counter, binding_id, **CHECKED)
    assert done.json()["state"] == ACTIVE
    lines = {line["event"]: line for line in counter.get(f"/v1/bindings/{binding_id}/timeline").json()["items"]}
    assert lines["routed_offline"]["reason"] == "name_id_mismatch"
    assert "registry_answered" not in lines
    assert of_registries(life.look(office, binding_id), office) == ("registries_overruled", "watch")


def test_the_clerk_may_hold_with_the_registry(counter: httpx.Client, office: Office) -> None:
    """For its own reason, whether the pack lists that for clerks or not."""
    body = application()
    life.registries(office).put_person(body["holder"]["id_number"], {"credential_active": False})
    binding_id = handed_in(counter, office, body)
    done = counter.post(f"{TICKETS}/{binding_id}/refuse", json={"reason": "holder_credential_inactive"}).json()
    assert (done["state"], done["reason"]) == (REJECTED, "holder_credential_inactive")
    assert "重新申请" not in explaining.explain(*office.desk.look(binding_id), office.desk.book)[0]


def test_who_vouched_at_the_counter_does_not_approve_it(staff: Any, as_: Caller, office: Office) -> None:
    clerk, himself = staff("counter"), staff("reviewer")
    binding_id = refused_by_registry(clerk, office, product="account_sharing")
    assert verified(clerk, binding_id, **CHECKED).json()["state"] == AGENCY_REVIEW
    at = f"/v1/reviews/{binding_id}"
    assert himself.post(f"{at}/claim", json={}).status_code == 200
    assert "approve" not in himself.get(at).json()["available_actions"]
    refused = himself.post(f"{at}/approve", json={})
    assert (refused.status_code, refused.json()["code"]) == (409, "own_verification")
    assert himself.post(f"{at}/release", json={}).status_code == 200
    another = as_("reviewer")
    assert another.post(f"{at}/claim", json={}).status_code == 200
    assert another.post(f"{at}/approve", json={}).json()["state"] == ACTIVE


def returned(office: Office, binding_id: str) -> None:
    """A reviewer has it corrected, and the papers are there."""
    life.claim(office, binding_id)
    items = [{"kind": "commitment_letter", "reason": "letter_unsigned"}]
    life.say(office, "return_for_correction", binding_id, life.REVIEWER, reason="letter_unsigned", items=items)
    life.give_materials(office, binding_id)


def test_a_registry_that_falls_silent_has_not_said_yes(staff: Any, office: Office) -> None:
    clerk, himself = staff("counter"), staff("reviewer")
    binding_id = refused_by_registry(clerk, office, product="account_sharing")
    verified(clerk, binding_id, **CHECKED)
    returned(office, binding_id)
    life.registries(office).set_mode("down")
    clerk.post(f"/v1/bindings/{binding_id}/actions/submit_materials", json={})
    life.advance(office, days=12)
    assert life.look(office, binding_id).state == OFFLINE_FALLBACK
    assert verified(clerk, binding_id, **CHECKED | {"note": None}).status_code == 422
    assert verified(clerk, binding_id, **CHECKED).json()["state"] == AGENCY_REVIEW
    himself.post(f"/v1/reviews/{binding_id}/claim", json={})
    assert himself.post(f"/v1/reviews/{binding_id}/approve", json={}).json()["code"] == "own_verification"


def test_nobody_is_handed_as_his_next_case_what_he_may_not_approve(staff: Any, office: Office) -> None:
    clerk, person = staff("counter"), keyring().person("resident_id", "a number of his own")
    binding_id = refused_by_registry(clerk, office, product="account_sharing")
    verified(clerk, binding_id, **CHECKED)
    himself = Actor("reviewer", "stf_himself", regions=("000000",), person=person)
    assert leases.take_next(office.desk, himself) is None
    assert leases.take_next(office.desk, life.REVIEWER) == binding_id


def test_a_correction_asks_the_registry_anew(counter: httpx.Client, as_: Caller, office: Office) -> None:
    binding_id = refused_by_registry(counter, office, product="account_sharing")
    verified(counter, binding_id, **CHECKED)
    returned(office, binding_id)
    counter.post(f"/v1/bindings/{binding_id}/actions/submit_materials", json={})
    ask_registries(office)
    again = life.look(office, binding_id)
    assert (again.state, of_registries(again, office)) == (OFFLINE_FALLBACK, ("registries_object", "open"))
    number = again.application.parties["member"]
    life.registries(office).put_person(number["id_number"], {"name": number["name"]})
    assert verified(counter, binding_id, **CHECKED).json()["state"] == AGENCY_REVIEW


def test_whom_an_automaton_refused_is_told_where_a_person_is(office: Office) -> None:
    binding_id = life.to_state(office, "materials_uploaded")
    number = life.look(office, binding_id).application.parties["member"]["id_number"]
    life.registries(office).put_person(number, {"name": "曾用名"})
    ask_registries(office)
    case, now = office.desk.look(binding_id)
    assert case.state == REJECTED
    assert of_registries(case, office) == ("registries_refused", "watch")
    told = explaining.explain(case, now, office.desk.book, to_family=True)
    assert f"到{case.plan.counter.agency_name}窗口重新申请" in told[0]
    assert f"at the counter ({case.plan.counter.agency_name})" in told[1]


def test_so_is_who_was_at_a_counter_for_something_else_before(office: Office) -> None:
    binding_id = life.to_state(office, "materials_uploaded", product="account_sharing")
    life.say(office, "route_offline", binding_id, SYSTEM, reason="registry_unanswered")
    life.say(office, "counter_verified", binding_id, life.COUNTER, method="document_reader", registry_checked=True)
    returned(office, binding_id)
    life.say(office, "submit_materials", binding_id)
    life.say(office, "registry_refused", binding_id, SYSTEM, reason="name_id_mismatch")
    told = explaining.explain(*office.desk.look(binding_id), office.desk.book, to_family=True)
    assert "窗口重新申请" in told[0]


def test_whom_a_person_refused_is_not_sent_to_another(office: Office) -> None:
    binding_id = life.to_state(office, AGENCY_REVIEW)
    life.claim(office, binding_id)
    case = life.say(office, "reject", binding_id, life.REVIEWER, reason="name_id_mismatch")
    assert "重新申请" not in explaining.explain(case, case.since, office.desk.book)[0]


def test_at_the_window(counter: httpx.Client, comes: Comes, office: Office) -> None:
    binding_id = refused_by_registry(counter, office)
    page = text_of(comes("counter").get(f"/counter/{binding_id}"))
    assert "登记机构核对未通过（姓名与证件号码不一致）" in page
    assert "申请属实的写明依据" in page
    assert "我已核实申请属实" in page
