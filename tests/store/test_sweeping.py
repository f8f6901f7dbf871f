"""What the sweep does with deadlines that fire in vain."""

from collections.abc import Callable, Iterator
from datetime import timedelta

import psycopg
import pytest

from tasks.office import Office
from tests import life
from tests.logs import logged
from tests.store.invariants import check
from workflows import holding, sweeping
from workflows.deadlines import armed
from workflows.engine import Desk
from workflows.sweeping import sweep


@pytest.fixture
def office(database_url: str) -> Iterator[Office]:
    with life.office(database_url) as opened:
        yield opened
        check(opened)


def deadline(office: Office, binding_id: str, name: str) -> tuple[object, int]:
    with psycopg.connect(office.ledger.url) as conn:
        row = conn.execute(
            "select due_at, attempts from deadlines where binding_id = %s and name = %s", (binding_id, name)
        ).fetchone()
    assert row is not None
    return row[0], row[1]


def test_the_end_of_a_suspension_waits_for_the_end_of_an_unbinding(office: Office) -> None:
    binding_id = life.to_state(office, "suspended")
    life.skip(office, days=180, minutes=-10)
    life.say(office, "request_unbind", binding_id, initiator="holder", method="pay_password")
    asked = life.look(office, binding_id).since
    life.skip(office, minutes=20)
    while sweep(office.desk):
        pass
    assert life.look(office, binding_id).state == "unbinding"
    due, attempts = deadline(office, binding_id, "suspended_to_ended")
    assert (due, attempts) == (asked + timedelta(minutes=30), 0)
    life.skip(office, minutes=10)
    while sweep(office.desk):
        pass
    ended = life.look(office, binding_id)
    assert (ended.state, ended.progress.reason) == ("unbound", "suspended_to_ended")
    assert life.events(office, binding_id)[-2:] == ["unbind_cancelled", "unbound"]


def test_a_warning_that_fell_due_during_an_unbinding_is_said_after_its_end(office: Office) -> None:
    binding_id = life.to_state(office, "suspended")
    ends = armed(life.look(office, binding_id))["suspended_to_ended"].at
    life.skip(office, days=150, minutes=-10)
    life.say(office, "request_unbind", binding_id, initiator="holder", method="pay_password")
    life.skip(office, minutes=20)
    while sweep(office.desk):
        pass
    life.skip(office, minutes=10)
    with logged(sweeping) as said:
        while sweep(office.desk):
            pass
    assert [line["event"] for line in said if line["log_level"] == "error"] == []
    assert life.events(office, binding_id)[-2:] == ["unbind_cancelled", "suspended"]
    assert deadline(office, binding_id, "suspended_to_warned") == (ends - timedelta(days=7), 0)


def test_what_is_armed_for_a_state_that_is_over_is_taken_off_without_a_line(office: Office) -> None:
    """In a rolling upgrade old code leaves deadlines behind that it does not know."""
    binding_id = life.to_state(office, "active")
    told = life.events(office, binding_id)
    with psycopg.connect(office.ledger.url, autocommit=True) as conn:
        conn.execute(
            "insert into deadlines (binding_id, name, due_at, watch) values (%s, %s, kinbind_now(), false)",
            (binding_id, "suspended_to_warned"),
        )
        assert sweep(office.desk) == 1
        left = conn.execute("select name from deadlines where binding_id = %s", (binding_id,)).fetchall()
    assert left == [("insurance_to_rechecked",)]
    assert life.events(office, binding_id) == told


@pytest.mark.parametrize(("table", "look"), [("provider_outages", sweep), ("held_decisions", holding.send_due)])
def test_a_claim_that_fails_is_not_nothing_due(office: Office, table: str, look: Callable[[Desk], int]) -> None:
    with psycopg.connect(office.ledger.url, autocommit=True) as conn:
        conn.execute(f"alter table {table} rename to mislaid")
        with pytest.raises(psycopg.errors.UndefinedTable):
            look(office.desk)
        conn.execute(f"alter table mislaid rename to {table}")
    assert look(office.desk) == 0
