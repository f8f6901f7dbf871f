"""The face window to the microsecond: `[t0, t0+24h)`, then the counter, without anybody having to wait for it."""

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any

import psycopg
import pytest

from models.ids import new_id
from tasks.faces import start_face_check
from tasks.office import Office
from tests import life
from tests.store.invariants import check, rows
from workflows.case import SYSTEM, Case
from workflows.commands import Command
from workflows.deadlines import armed
from workflows.errors import Refused
from workflows.sweeping import sweep
from workflows.views.public import available_actions
from workflows.views.waiting import waiting_on

WINDOW, GRACE, TICK = timedelta(hours=24), timedelta(minutes=30), timedelta(microseconds=1)


@pytest.fixture
def office(database_url: str) -> Iterator[Office]:
    with life.office(database_url) as opened:
        stop_clock(opened, opened.ledger.now())
        yield opened
        check(opened)


def stop_clock(office: Office, at: datetime) -> None:
    """Let it be `at`, exactly, until it is set again."""
    with psycopg.connect(office.ledger.url, autocommit=True) as conn:
        conn.execute(
            "create or replace function kinbind_now() returns timestamptz language sql volatile as"
            f" $$ select timestamptz '{at.isoformat()}' $$"
        )
    assert office.ledger.now() == at


def begin(office: Office, binding_id: str, subject: str = "member") -> dict[str, Any]:
    """The provider has answered an init at this very moment; the session as its row has it."""
    now = office.ledger.now()
    session = {"id": new_id("fac", now), "provider": "sandbox", "reference": new_id("ref", now),
               "expires_at": now + timedelta(hours=2)}  # fmt: skip
    life.say(office, "face_started", binding_id, subject=subject, session=session)
    (row,) = (row for row in life.sessions(office, binding_id) if row["id"] == session["id"])
    return row


def passes(office: Office, session: dict[str, Any], finished_at: datetime) -> Case:
    facts = {name: session[name] for name in ("subject", "purpose", "started_at")}
    return life.say(
        office, "face_passed", session["binding_id"], SYSTEM, **facts, session=session, finished_at=finished_at
    )


def fails(office: Office, session: dict[str, Any], **facts: Any) -> Case:
    told = {"subject": session["subject"], "purpose": session["purpose"], "session": session, "reason": "face_no_match",
            "finished_at": office.ledger.now()}  # fmt: skip
    return life.say(office, "face_failed", session["binding_id"], SYSTEM, **told, **facts)


def at_the_counter(office: Office) -> tuple[dict[str, Any], datetime]:
    """A case whose window has just closed on a session begun in its last minute; and when it closed."""
    session = begin(office, life.to_state(office, "face_check"))
    closes = session["started_at"] + WINDOW
    stop_clock(office, closes - timedelta(minutes=1))
    late = begin(office, session["binding_id"])
    stop_clock(office, closes)
    assert sweep(office.desk) == 1
    return late, closes


# -- the border -------------------------------------------------------------------------------------------------


def test_on_that_microsecond_and_not_before(office: Office) -> None:
    binding_id = life.to_state(office, "face_check")
    t0 = begin(office, binding_id)["started_at"]
    stop_clock(office, t0 + WINDOW - TICK)
    assert sweep(office.desk) == 0
    shown = waiting_on(life.look(office, binding_id), t0 + WINDOW - TICK)
    assert shown is not None
    assert (shown["until"], shown["then"]) == (t0 + WINDOW, "offline_fallback")
    stop_clock(office, t0 + WINDOW)
    assert sweep(office.desk) == 1
    case = life.look(office, binding_id)
    assert (case.state, case.since) == ("offline_fallback", t0 + WINDOW)
    assert case.progress.offline is not None
    assert case.progress.offline.reason == "first_attempt_to_pass"
    assert sweep(office.desk) == 0


def test_the_window_begins_with_the_first_attempt_only(office: Office) -> None:
    binding_id = life.to_state(office, "face_check")
    stop_clock(office, office.ledger.now() + timedelta(days=3))
    t0 = begin(office, binding_id)["started_at"]
    stop_clock(office, t0 + timedelta(hours=23))
    fails(office, begin(office, binding_id), uses_attempt=True)
    assert armed(life.look(office, binding_id)).keys() == {"first_attempt_to_pass"}
    assert armed(life.look(office, binding_id))["first_attempt_to_pass"].at == t0 + WINDOW


def test_no_attempt_begins_after_it_has_closed_even_before_the_sweep(office: Office) -> None:
    binding_id = life.to_state(office, "face_check")
    t0 = begin(office, binding_id)["started_at"]
    for at, listed in ((t0 + WINDOW - TICK, True), (t0 + WINDOW, False)):
        stop_clock(office, at)
        case, now = office.desk.look(binding_id)
        assert ("start_face_check" in available_actions(case, life.channel(), now)) is listed
    with pytest.raises(Refused, match="action_not_available"):
        begin(office, binding_id)


def test_each_subject_has_a_window_of_its_own(office: Office) -> None:
    # the sharing between the two must be in force first
    life_of_sharing(office)
    binding_id = life.submit(office, life.a_request(office.desk.book, product="code_display"))
    life.registries_say_yes(office, binding_id)
    first = begin(office, binding_id, "member")
    stop_clock(office, first["started_at"] + timedelta(hours=20))
    passes(office, first, office.ledger.now())
    assert armed(life.look(office, binding_id)).keys() == {"face_to_first_attempt"}
    stop_clock(office, first["started_at"] + timedelta(days=3))
    second = begin(office, binding_id, "holder")
    assert armed(life.look(office, binding_id))["first_attempt_to_pass"].at == second["started_at"] + WINDOW


def life_of_sharing(office: Office) -> None:
    binding_id = life.to_state(office, "agency_review")
    life.claim(office, binding_id)
    assert life.say(office, "approve", binding_id, life.REVIEWER).state == "active"


# -- what a pass is worth ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("finished", "counts"),
    [(-TICK, True), (timedelta(0), True), (GRACE, True), (GRACE + TICK, False), (timedelta(days=1), False)],
)
def test_a_pass_counts_by_its_finish_in_the_window_or_its_grace(
    office: Office, finished: timedelta, counts: bool
) -> None:
    session, closes = at_the_counter(office)
    stop_clock(office, closes + timedelta(days=2))  # the news comes late
    if counts:
        assert passes(office, session, closes + finished).state == "active"
    else:
        with pytest.raises(Refused, match="action_not_available"):
            passes(office, session, closes + finished)
        assert life.look(office, session["binding_id"]).state == "offline_fallback"


def test_a_session_begun_after_the_window_counts_for_nothing(office: Office) -> None:
    session, closes = at_the_counter(office)
    with pytest.raises(Refused, match="action_not_available"):
        passes(office, session | {"started_at": closes}, closes + timedelta(minutes=1))


def test_a_pass_of_a_replaced_session_counts(office: Office) -> None:
    binding_id = life.to_state(office, "face_check")
    old = begin(office, binding_id)
    begin(office, binding_id)
    assert passes(office, old, office.ledger.now()).state == "active"


def test_a_pass_counts_once(office: Office) -> None:
    session = begin(office, life.to_state(office, "face_check"))
    passes(office, session, office.ledger.now())
    with pytest.raises(Refused, match="action_not_available"):
        passes(office, session, office.ledger.now())


def test_after_the_clerk_has_decided_a_pass_is_only_noted(office: Office) -> None:
    session, closes = at_the_counter(office)
    life.say(office, "counter_refused", session["binding_id"], life.COUNTER, reason="relation_unproven")
    with pytest.raises(Refused, match="action_not_available"):
        passes(office, session, closes - TICK)
    assert life.look(office, session["binding_id"]).state == "rejected"


def test_before_the_clerk_a_pass_takes_the_ticket_off_his_desk(office: Office) -> None:
    session, closes = at_the_counter(office)
    assert len(rows(office, "select 1 from counter_tickets")) == 1
    passes(office, session, closes - TICK)
    assert rows(office, "select 1 from counter_tickets") == []
    with pytest.raises(Refused, match="action_not_available"):
        life.say(office, "counter_verified", session["binding_id"], life.COUNTER)


# -- the other ways to the counter, and back -------------------------------------------------------------------------


def test_whoever_declines_goes_at_once(office: Office) -> None:
    binding_id = life.to_state(office, "face_check")
    case = life.say(office, "route_offline", binding_id, reason="declines_face")
    assert (case.state, case.since) == ("offline_fallback", office.ledger.now())
    assert armed(case).keys() == {"offline_to_counter"}
    assert life.say(office, "counter_verified", binding_id, life.COUNTER).state == "active"


@pytest.mark.parametrize("go_offline", [True, False])
def test_what_no_retry_can_mend_goes_at_once(office: Office, go_offline: bool) -> None:
    session = begin(office, life.to_state(office, "face_check"))
    case = fails(office, session, uses_attempt=True, go_offline=go_offline)
    assert case.state == ("offline_fallback" if go_offline else "face_check")
    if go_offline:
        assert case.progress.offline is not None
        assert case.progress.offline.reason == "face_no_match"


def test_back_online_while_the_window_is_open_and_it_does_not_start_again(office: Office) -> None:
    binding_id = life.to_state(office, "face_check")
    t0 = begin(office, binding_id)["started_at"]
    stop_clock(office, t0 + timedelta(hours=10))
    life.say(office, "route_offline", binding_id, reason="member_elsewhere")
    stop_clock(office, t0 + WINDOW - TICK)
    case = life.say(office, "resume_online", binding_id)
    assert case.state == "face_check"
    assert armed(case)["first_attempt_to_pass"].at == t0 + WINDOW
    stop_clock(office, t0 + WINDOW)
    assert sweep(office.desk) == 1
    with pytest.raises(Refused, match="action_not_available"):
        life.say(office, "resume_online", binding_id)


def test_back_online_when_the_window_never_began(office: Office) -> None:
    binding_id = life.to_state(office, "offline_fallback")
    stop_clock(office, office.ledger.now() + timedelta(days=20))
    assert life.say(office, "resume_online", binding_id).state == "face_check"
    assert passes(office, begin(office, binding_id), office.ledger.now()).state == "active"


def test_a_failure_counts_for_the_question_of_its_session_and_no_other(office: Office) -> None:
    """An attempt of the application, answered only when the member's face is asked for an unbinding."""
    binding_id = life.to_state(office, "face_check")
    old = life.start_face(office, binding_id)
    life.start_face(office, binding_id)
    (other,) = (one for one in life.sessions(office, binding_id) if one["id"] != old["id"])
    life.end_face(office, other)
    member = life.channel(acting_for=life.look(office, binding_id).application.member)
    life.say(office, "request_unbind", binding_id, member, initiator="member", method="face")
    start_face_check(office, Command("face_started", binding_id, member, {"subject": "member"}))
    events = life.events(office, binding_id)
    life.end_face(office, old, "no_match")
    assert life.events(office, binding_id) == events
    assert life.look(office, binding_id).progress.windows["unbinding"].used == 0
    assert {one["id"]: one["status"] for one in life.sessions(office, binding_id)}[old["id"]] == "failed"


def test_an_outage_moves_the_window_by_its_overlap(office: Office) -> None:
    binding_id = life.to_state(office, "face_check")
    t0 = begin(office, binding_id)["started_at"]
    by = timedelta(hours=2)
    case = life.say(office, "extend_window", binding_id, SYSTEM, subject="member", by=by)
    assert armed(case)["first_attempt_to_pass"].at == t0 + WINDOW + by
    stop_clock(office, t0 + WINDOW)
    assert sweep(office.desk) == 0
    stop_clock(office, t0 + WINDOW + by)
    assert sweep(office.desk) == 1


@pytest.mark.parametrize(("minutes", "fires"), [(4, True), (6, False)])
def test_while_an_outage_is_open_the_deadline_does_not_fire(office: Office, minutes: int, fires: bool) -> None:
    binding_id = life.to_state(office, "face_check")
    t0 = begin(office, binding_id)["started_at"]
    with office.ledger.connection() as conn:
        conn.execute(
            "insert into provider_outages (provider, first_at, last_at) values ('sandbox', %s, %s)",
            (t0 + WINDOW - timedelta(minutes=minutes), t0 + WINDOW),
        )
    stop_clock(office, t0 + WINDOW)
    assert sweep(office.desk) == int(fires)
    outcome = office.desk.serve([Command("withdraw", binding_id, life.channel())])[0]
    assert outcome.refused is None
