"""Who has no app at all: what a clerk has taken in is brought to its end at the counter, whatever was applied for."""

from collections.abc import Iterator

import pytest

from tasks.office import Office
from tasks.registries import ask_registries
from tests import life
from tests.store.invariants import check
from workflows.case import SYSTEM
from workflows.views import window
from workflows.views.public import available_actions, public_view

SEEN = {"method": "document_reader"}


@pytest.fixture
def office(database_url: str) -> Iterator[Office]:
    with life.office(database_url) as opened:
        yield opened
        check(opened)


def test_a_newborn(office: Office) -> None:
    """The registry's record is confirmed at the window too: the clerk has it before him."""
    request = life.a_request(office.desk.book, method="birth_certificate")
    life.know_birth(office, request)
    binding_id = life.submit(office, request, "counter")
    ask_registries(office)
    case, now = office.desk.look(binding_id)
    assert (case.state, case.progress.offline and case.progress.offline.reason) == (
        "offline_fallback", "applied_at_counter",
    )  # fmt: skip
    assert "verify" in available_actions(case, life.COUNTER, now)
    record = public_view(case, now)["registry_record"]
    assert record["mother_name"] == "王*"
    assert ("confirm_record", record) in window.window_case(office.desk, binding_id, life.COUNTER)["checks"]
    assert life.say(office, "counter_verified", binding_id, life.COUNTER, **SEEN).state == "active"


def test_a_record_that_tells_little_is_read_out_as_far_as_it_goes(office: Office) -> None:
    binding_id = life.submit(office, life.a_request(office.desk.book, method="birth_certificate"), "counter")
    told = {"child_name": False, "child_birth_date": False}
    life.say(office, "registries_answered", binding_id, SYSTEM, record=told)
    (record,) = (facts for name, facts in window.window_case(office.desk, binding_id, life.COUNTER)["checks"]
                 if name == "confirm_record")  # fmt: skip
    assert (record["child_name"], record["child_birth_date"], record["mother_name"]) == ("—", "—", "王*")


def test_a_code_to_be_shown(office: Office) -> None:
    """The holder stands there: what he authorises he need not confirm in an app."""
    sharing = life.to_state(office, "agency_review")
    life.claim(office, sharing)
    life.say(office, "approve", sharing, life.REVIEWER)
    binding_id = life.submit(office, life.a_request(office.desk.book, product="code_display"), "counter")
    life.registries_say_yes(office, binding_id)
    assert ("hear_authorisation", {}) in window.window_case(office.desk, binding_id, life.COUNTER)["checks"]
    case = life.say(office, "counter_verified", binding_id, life.COUNTER, **SEEN)
    assert (case.state, case.progress.present) == ("active", ["member", "holder"])


def test_whoever_applied_in_an_app_still_authorises_there(office: Office) -> None:
    sharing = life.to_state(office, "agency_review")
    life.claim(office, sharing)
    life.say(office, "approve", sharing, life.REVIEWER)
    binding_id = life.submit(office, life.a_request(office.desk.book, product="code_display"))
    life.registries_say_yes(office, binding_id)
    life.say(office, "route_offline", binding_id, reason="cannot_pass")
    case = life.say(office, "counter_verified", binding_id, life.COUNTER, **SEEN)
    assert (case.state, case.open_step) == ("face_check", "authorisation")
    assert life.say(office, "confirm_authorisation", binding_id).state == "active"
