"""Detours that must not become ways round: to the counter and back, into an unbinding and out of it."""

from collections.abc import Iterator

import pytest

from tasks.office import Office
from tests import life
from tests.store.invariants import check
from workflows.case import SYSTEM
from workflows.commands import Command
from workflows.errors import Refused
from workflows.sweeping import sweep

NEWBORN = "birth_certificate"


@pytest.fixture
def office(database_url: str) -> Iterator[Office]:
    with life.office(database_url) as opened:
        yield opened
        check(opened)


def until_quiet(office: Office) -> None:
    while sweep(office.desk):
        pass


def test_a_record_is_confirmed_also_on_the_way_back_from_the_counter(office: Office) -> None:
    binding_id = life.to_state(office, "submitted", method=NEWBORN)  # nothing to hand in: the registries are next
    life.say(office, "registries_answered", binding_id, SYSTEM, record={"certificate": "A********1"})
    life.say(office, "route_offline", binding_id, reason="member_elsewhere")
    assert life.say(office, "resume_online", binding_id).state == "materials_uploaded"
    with pytest.raises(Refused, match="action_not_available"):
        life.start_face(office, binding_id, "mother")
    assert life.say(office, "confirm_registry_record", binding_id).state == "face_check"


def test_registries_are_asked_again_after_a_detour(office: Office) -> None:
    binding_id = life.to_state(office, "materials_uploaded")
    life.say(office, "route_offline", binding_id, reason="declines_face")
    assert life.say(office, "resume_online", binding_id).state == "materials_uploaded"
    assert life.registries_say_yes(office, binding_id).state == "face_check"


def test_going_back_and_forth_buys_no_time_at_the_counter(office: Office) -> None:
    binding_id = life.to_state(office, "offline_fallback")
    first = life.look(office, binding_id).progress.offline
    life.skip(office, days=29)
    life.say(office, "resume_online", binding_id)
    life.skip(office, days=7, hours=1)
    until_quiet(office)
    last = life.look(office, binding_id)
    assert first is not None
    assert last.progress.offline_since == first.since
    assert last.state == "expired"


def test_asking_for_an_end_and_taking_it_back_puts_nothing_off(office: Office) -> None:
    binding_id = life.to_state(office, "suspended")
    life.skip(office, days=180, minutes=-5)
    ended = life.look(office, binding_id)
    while ended.state == "suspended":
        life.say(office, "request_unbind", binding_id, initiator="holder", method="pay_password")
        life.skip(office, minutes=10)
        until_quiet(office)
        ended = life.say(office, "cancel_unbind", binding_id)
    assert (ended.state, ended.progress.reason) == ("unbound", "suspended_to_ended")


def test_the_other_party_cannot_take_an_unbinding_back(office: Office) -> None:
    binding_id = life.to_state(office, "active")
    parties = life.look(office, binding_id).application
    member, holder = (life.channel(acting_for=one) for one in (parties.member, parties.holder))
    life.say(office, "request_unbind", binding_id, member, initiator="member", method="pay_password")
    with pytest.raises(Refused, match="action_not_available"):
        life.say(office, "cancel_unbind", binding_id, holder)
    assert life.say(office, "cancel_unbind", binding_id, member).state == "active"


def test_lines_of_a_binding_stand_in_order_in_the_feed(office: Office) -> None:
    """A transaction that took its number first and wrote last does not put its line before the one it follows."""
    binding_id = life.to_state(office, "submitted")
    with office.ledger.transaction() as conn:
        conn.execute("select pg_current_xact_id()")  # as a lock would: an early number, used late
        life.give_materials(office, binding_id)
        life.say(office, "submit_materials", binding_id)
        (outcome,) = office.desk.serve_on(conn, [Command("withdraw", binding_id, life.channel())])
        outcome.unwrap()
    with office.ledger.desk() as conn:
        told = conn.execute(
            "select sequence from history where binding_id = %s order by xid, id", (binding_id,)
        ).fetchall()
    assert [row[0] for row in told] == [1, 2, 3]
