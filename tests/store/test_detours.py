"""Detours that must not become ways round: to the counter and back, into an unbinding and out of it."""

import contextlib
from collections.abc import Iterator
from datetime import timedelta

import pytest

from cli.checking.audit import examine
from tasks.office import Office
from tests import life
from tests.store.invariants import check
from workflows.case import SYSTEM
from workflows.commands import Command
from workflows.deadlines import armed
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


def test_a_face_that_passes_at_the_counter_takes_no_registrys_place(office: Office) -> None:
    """An operator has sent it back to the registries, the family to the counter, and then the camera answers."""
    binding_id = life.to_state(office, "face_check")
    session = life.start_face(office, binding_id)
    life.say(office, "move", binding_id, life.OPERATOR, to="materials_uploaded", reason="move")
    life.say(office, "route_offline", binding_id, reason="declines_face")
    life.end_face(office, session)
    case = life.look(office, binding_id)
    assert (case.state, case.progress.passed, case.progress.registry_answered) == (
        "materials_uploaded", ["member"], False,
    )  # fmt: skip
    assert life.registries_say_yes(office, binding_id).state == "active"


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
    assert first.code == last.progress.offline_code  # what stands on the slip opens the ticket again
    assert last.state == "expired"


@pytest.mark.parametrize(("state", "method"), [("face_check", "id_number"), ("materials_uploaded", NEWBORN)])
def test_no_number_of_rounds_keeps_a_case_open_longer_than_one_ticket(office: Office, state: str, method: str) -> None:
    """Six and a half days online, to the counter and back before any sweep comes by, and again (attack: 130 days)."""
    if method == NEWBORN:
        binding_id = life.to_state(office, "submitted", method=method)
        life.say(office, "registries_answered", binding_id, SYSTEM, record={"certificate": "A********1"})
    else:
        binding_id = life.to_state(office, state)
    days = 0.0
    while life.look(office, binding_id).state == state:
        life.skip(office, days=6.5)
        days += 6.5
        with contextlib.suppress(Refused):  # the sweep comes by only once the family has moved
            life.say(office, "route_offline", binding_id, reason="other")
            life.say(office, "resume_online", binding_id)
        until_quiet(office)
    ended = life.look(office, binding_id)
    assert (ended.state, days) == ("expired", 6.5 * 6)  # 30 days from the first time at the counter
    found = examine(office.ledger.url, settled=True)  # the auditor tells the rule a second time
    assert not found.faults, found.told


def test_back_online_it_ends_when_the_ticket_would_have(office: Office) -> None:
    binding_id = life.to_state(office, "offline_fallback")
    ticket = life.look(office, binding_id)
    life.skip(office, days=29)
    back = life.say(office, "resume_online", binding_id)
    assert armed(back)["face_to_first_attempt"] == armed(ticket)["offline_to_counter"]
    found = examine(office.ledger.url, settled=True)
    assert not found.faults, found.told
    life.say(office, "route_offline", binding_id, reason="other")
    life.skip(office, days=1)
    with pytest.raises(Refused, match="action_not_available"):  # though no sweep has been by
        life.say(office, "resume_online", binding_id)


def test_a_ticket_that_was_settled_is_no_burden_to_the_next(office: Office) -> None:
    """The clerk settles the first; weeks later the registries do not answer about the corrected case."""
    binding_id = life.to_state(office, "materials_uploaded", product="account_sharing")
    life.say(office, "route_offline", binding_id, SYSTEM, reason="registry_unanswered")
    life.skip(office, days=6)
    life.say(office, "counter_verified", binding_id, life.COUNTER, method="document_reader", registry_checked=True)
    life.skip(office, days=20)
    life.claim(office, binding_id)
    items = [{"kind": "commitment_letter", "reason": "letter_unsigned"}]
    life.say(office, "return_for_correction", binding_id, life.REVIEWER, reason="letter_unsigned", items=items)
    life.skip(office, days=7)
    life.hand_in(office, binding_id)
    second = life.say(office, "route_offline", binding_id, SYSTEM, reason="registry_unanswered")
    assert armed(second)["offline_to_counter"].at == second.since + timedelta(days=30)


def test_whoever_comes_after_has_a_ticket_of_his_own(office: Office) -> None:
    """The member went to the counter and came back; the holder, whose face is next, has had no ticket yet."""
    sharing = life.to_state(office, "agency_review")  # codes are shown on a sharing in force
    life.claim(office, sharing)
    life.say(office, "approve", sharing, life.REVIEWER)
    binding_id = life.submit(office, life.a_request(office.desk.book, product="code_display"))
    life.registries_say_yes(office, binding_id)
    life.say(office, "route_offline", binding_id, reason="other")
    life.skip(office, days=20)
    life.say(office, "resume_online", binding_id)
    life.pass_face(office, binding_id, "member")
    holder = life.say(office, "route_offline", binding_id, reason="other")
    assert armed(holder)["offline_to_counter"].at == holder.since + timedelta(days=30)


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
    with office.ledger.connection() as conn:
        told = conn.execute(
            "select sequence from history where binding_id = %s order by xid, id", (binding_id,)
        ).fetchall()
    assert [row[0] for row in told] == [1, 2, 3]
