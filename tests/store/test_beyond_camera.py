"""Whom a provider has nothing to compare with: no camera is offered to him again, and to nobody else because of him."""

from collections.abc import Iterator

import pytest

from tasks.office import Office
from tests import life
from tests.store.test_identity import refused
from workflows.case import ACTIVE, FACE_CHECK, OFFLINE_FALLBACK, SUSPENDED, UNBINDING, Cursor
from workflows.repairs import mending
from workflows.views.public import available_actions


@pytest.fixture
def office(database_url: str) -> Iterator[Office]:
    with life.office(database_url) as opened:
        yield opened


def offered(office: Office, binding_id: str, by: str = "holder") -> bool:
    """Whether a face check may be begun, by the channel that speaks for this party."""
    case, now = office.desk.look(binding_id)
    return "start_face_check" in available_actions(case, life.channel(acting_for=getattr(case.application, by)), now)


def fails(office: Office, binding_id: str, outcome: str = "id_not_found", subject: str = "member") -> None:
    life.end_face(office, life.start_face(office, binding_id, subject), outcome)


def test_an_operator_who_sends_him_back_opens_the_camera_again(office: Office) -> None:
    binding_id = life.to_state(office, FACE_CHECK)
    fails(office, binding_id)
    assert life.say(office, "move", binding_id, life.OPERATOR, to=FACE_CHECK).state == FACE_CHECK
    assert offered(office, binding_id)


def test_nobody_is_left_in_a_step_whose_camera_is_closed(office: Office) -> None:
    binding_id = life.to_state(office, FACE_CHECK)
    fails(office, binding_id)
    life.say(office, "move", binding_id, life.OPERATOR, to="materials_uploaded")
    life.registries_say_yes(office, binding_id)
    assert life.look(office, binding_id).state == OFFLINE_FALLBACK


def test_an_end_is_not_asked_for_by_a_face_that_cannot_be_compared(office: Office) -> None:
    binding_id = life.to_state(office, ACTIVE)
    life.say(office, "request_unbind", binding_id, initiator="holder", method="face")
    fails(office, binding_id, subject="holder")
    life.say(office, "cancel_unbind", binding_id)
    with refused("method_not_allowed"):
        life.say(office, "request_unbind", binding_id, initiator="holder", method="face")
    assert life.say(office, "request_unbind", binding_id, initiator="holder", method="pay_password").state == UNBINDING


def test_the_name_of_before_does_not_shut_out_the_name_of_now(office: Office) -> None:
    binding_id = life.to_state(office, ACTIVE)
    life.report(office, binding_id, "name", "李新名")
    member = life.channel(acting_for=life.look(office, binding_id).application.member)
    life.say(office, "request_unbind", binding_id, member, initiator="member", method="face")
    fails(office, binding_id)  # compared under the name of before
    life.say(office, "cancel_unbind", binding_id, member)
    assert (life.look(office, binding_id).state, offered(office, binding_id)) == (SUSPENDED, True)


def test_what_a_session_says_of_the_name_reported_before_is_not_said_of_the_next(office: Office) -> None:
    binding_id = life.to_state(office, ACTIVE)
    life.report(office, binding_id, "name", "李错名")
    begun = life.start_face(office, binding_id, "member")
    life.report(office, binding_id, "name", "李对名")
    life.end_face(office, begun, "id_not_found")
    assert offered(office, binding_id)


def test_a_name_that_was_reported_wrongly_shuts_out_nobody(office: Office) -> None:
    binding_id = life.to_state(office, ACTIVE)
    life.report(office, binding_id, "name", "李错名")
    fails(office, binding_id)
    assert not offered(office, binding_id)
    life.say(office, "resume", binding_id, life.SUPERVISOR, reason="cleared")
    member = life.channel(acting_for=life.look(office, binding_id).application.member)
    life.say(office, "request_unbind", binding_id, member, initiator="member", method="face")
    assert offered(office, binding_id, "member")


def test_the_ways_of_a_move_are_those_in_which_something_can_be_done(office: Office) -> None:
    binding_id = life.to_state(office, FACE_CHECK)
    fails(office, binding_id)
    case, now = office.desk.look(binding_id)
    assert FACE_CHECK in mending.ways(Cursor(case, now))
