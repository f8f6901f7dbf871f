"""A fault that passes drops nothing: whoever holds a row for long keeps one case waiting, and only as long.

One that stays is given up, and keeps no other waiting.
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

import psycopg
import pytest
from psycopg import Connection
from psycopg.errors import LockNotAvailable

from models import ledger
from tasks import faces, outages
from tasks.decisions import send_decisions
from tasks.office import Office
from tests import life
from tests.logs import logged
from tests.store.invariants import check
from tests.store.test_repairs import OPERATOR
from workflows import holding, leases
from workflows.access import principals
from workflows.case import ACTIVE, AGENCY_REVIEW, FACE_CHECK, Actor
from workflows.commands import Command
from workflows.errors import Refused
from workflows.repairs import carrying, orders
from workflows.repairs.orders import Wish
from workflows.views import repairs as shown
from workflows.writing import Step, write


@pytest.fixture
def office(database_url: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Office]:
    """One that waits for a lock only a moment, and not five seconds."""
    hasty = ledger._DESK_OPTIONS.replace("lock_timeout=5000", "lock_timeout=200")
    assert hasty != ledger._DESK_OPTIONS
    monkeypatch.setattr(ledger, "_DESK_OPTIONS", hasty)
    with life.office(database_url) as opened:
        yield opened
        check(opened)


@contextmanager
def locked(office: Office, binding_id: str) -> Iterator[None]:
    """Somebody has the binding's row, and does not end."""
    with psycopg.connect(office.ledger.url) as other:
        other.execute("select from bindings where id = %s for update", (binding_id,))
        yield


@contextmanager
def overtaken(binding_id: str) -> Iterator[None]:
    """Others move the binding between each reading and its writing."""

    def stale(conn: Connection[Any], steps: Sequence[Step], plans: dict[str, bytes]) -> Mapping[str, str]:
        free = [step for step in steps if step.cursor.case.id != binding_id]
        return {**(write(conn, free, plans) if free else {}), binding_id: "stale"}

    with pytest.MonkeyPatch.context() as here:
        here.setattr("workflows.engine.write", stale)
        yield


def test_who_waits_behind_a_kept_row_waits_a_moment_for_each_other(
    office: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One clerk serves a whole process: the batch has waited its time, and its steps need not do so one by one."""
    kept, free = (life.to_state(office, "submitted", seed=seed) for seed in (1, 2))
    patience: list[tuple[int, str]] = []

    def writes(conn: Connection[Any], steps: Sequence[Step], plans: dict[str, bytes]) -> Mapping[str, str]:
        shown = conn.execute("show lock_timeout").fetchone()
        patience.append((len(steps), shown[0] if shown else ""))
        return write(conn, steps, plans)

    monkeypatch.setattr("workflows.engine.write", writes)
    monkeypatch.setattr("workflows.engine.MOMENT", 50)
    with locked(office, kept), office.ledger.connection() as conn:
        asked = [Command("withdraw", binding_id, life.channel()) for binding_id in (kept, free)]
        outcomes = office.desk.serve_on(conn, asked)
        assert (conn.execute("show lock_timeout").fetchone() or ("",))[0] == "200ms"
    assert [type(one.refused) for one in outcomes] == [LockNotAvailable, type(None)]
    assert patience == [(2, "200ms"), (1, "50ms"), (1, "50ms")]


def two_decisions(office: Office) -> tuple[str, str, Actor]:
    """Two bindings whose approval has been held long enough, and whose it is."""
    made, _ = principals.create_staff(office.ledger, "李娜", ["reviewer"], ["000000"])
    reviewer = Actor("reviewer", made.id, regions=made.regions)
    kept, other = (life.to_state(office, AGENCY_REVIEW, seed=seed) for seed in (1, 2))
    for binding_id in (kept, other):
        leases.claim(office.desk, binding_id, reviewer)
        holding.hold(office.desk, binding_id, reviewer, "approve", {}, life.look(office, binding_id).version)
    life.skip(office, seconds=holding.HELD_SECONDS)
    return kept, other, reviewer


def test_a_decision_waits_for_a_row_that_another_holds(office: Office) -> None:
    kept, other, reviewer = two_decisions(office)
    with locked(office, kept), logged(holding) as said:
        assert send_decisions(office) == 1
    assert "decision_waits" in {one["event"] for one in said}
    assert holding.was_sent(office.desk, other, reviewer)
    assert life.look(office, kept).state == AGENCY_REVIEW
    assert send_decisions(office) == 1
    assert holding.was_sent(office.desk, kept, reviewer)
    assert life.look(office, kept).state == ACTIVE


def broken(office: Office, binding_id: str) -> None:
    """Let the history take no line of this binding."""
    with office.ledger.connection() as conn:
        conn.execute(f"alter table history add constraint poison check (binding_id <> '{binding_id}') not valid")


def test_a_decision_that_breaks_is_given_up_and_the_others_are_said(office: Office) -> None:
    poisoned, other, reviewer = two_decisions(office)
    broken(office, poisoned)
    assert send_decisions(office) == 2
    assert holding.was_sent(office.desk, other, reviewer)
    (given_up, *_) = holding._last(office.desk, poisoned, reviewer) or ("",)
    assert (given_up, life.look(office, poisoned).state) == ("internal_error", AGENCY_REVIEW)
    assert send_decisions(office) == 0


def test_an_answer_that_cannot_be_written_keeps_no_other_face_waiting(office: Office) -> None:
    poisoned, other = (life.to_state(office, FACE_CHECK, seed=seed) for seed in (1, 2))
    for binding_id in (poisoned, other):
        life.faces(office).complete(life.start_face(office, binding_id)["reference"], "passed")  # nobody calls
    broken(office, poisoned)
    life.skip(office, minutes=40)
    with logged(faces) as said:
        assert faces.poll_faces(office) == 2
    assert [one["event"] for one in said if "fail" in one["event"]] == ["face_polls_failed", "face_poll_failed"]
    assert (life.look(office, poisoned).state, life.look(office, other).state) == (FACE_CHECK, ACTIVE)
    (session,) = life.sessions(office, poisoned)
    assert (session["status"], session["poll_at"] > office.ledger.now()) == ("pending", True), "it is asked again"


def test_a_decision_that_others_overtook_is_said_again(office: Office) -> None:
    kept, other, reviewer = two_decisions(office)
    with overtaken(kept):
        assert send_decisions(office) == 1
    assert holding.was_sent(office.desk, other, reviewer)
    assert send_decisions(office) == 1
    assert holding.was_sent(office.desk, kept, reviewer)
    assert life.look(office, kept).state == ACTIVE


def test_a_pass_that_others_overtook_is_asked_for_again(office: Office) -> None:
    binding_id = life.to_state(office, FACE_CHECK)
    session = life.start_face(office, binding_id)
    with overtaken(binding_id):
        life.end_face(office, session)
    (waits,) = life.sessions(office, binding_id)
    assert (waits["status"], waits["expires_at"]) == ("pending", session["expires_at"])
    life.skip(office, minutes=1)
    assert faces.poll_faces(office) == 1
    assert life.look(office, binding_id).state == ACTIVE


def test_a_window_that_others_overtook_is_made_good_by_the_next_look(office: Office) -> None:
    kept, other = sorted(life.to_state(office, FACE_CHECK, seed=seed) for seed in (1, 2))
    for binding_id in (kept, other):
        life.start_face(office, binding_id)
    begun = office.ledger.now()
    for minutes in (0, 6):
        outages.found_down(office, "sandbox", begun + timedelta(minutes=minutes))
    life.skip(office, minutes=26)
    with overtaken(kept), pytest.raises(Refused, match="busy"):
        outages.watch_outages(office)
    outages.watch_outages(office)
    assert [life.events(office, one).count("window_extended") for one in (kept, other)] == [1, 1]


def test_a_repair_comes_back_to_a_row_that_another_holds(office: Office) -> None:
    kept, other = (life.to_state(office, "submitted", seed=seed) for seed in (1, 2))
    order = orders.make(office.ledger, OPERATOR, Wish("rearm", "x", {"binding_ids": [kept, other]}, {}))
    while shown.repair(office.ledger, OPERATOR, order)["state"] == "planning":
        carrying.round_of(office.desk, order)
    with locked(office, kept), logged(carrying) as said:
        assert carrying.round_of(office.desk, order) == 2
    assert "repair_waits" in {one["event"] for one in said}
    assert shown.repair(office.ledger, OPERATOR, order)["counts"] == {"planned": 1, "done": 1}
    assert carrying.round_of(office.desk, order) == 0, "not at once: whoever holds the row may do so for long"
    with office.ledger.connection() as conn:
        conn.execute("update repairs set next_at = clock_timestamp()")  # half a minute later
    carrying.to_its_end(office.desk, order, 20)
    through = shown.repair(office.ledger, OPERATOR, order)
    assert (through["state"], through["counts"]) == ("done", {"done": 2})
    assert life.events(office, kept) == life.events(office, other) == ["submitted", "repaired"]
