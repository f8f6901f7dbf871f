"""The clock of the sandbox goes from due moment to due moment, and everything runs in the order it fell due."""

from collections.abc import Iterator
from datetime import timedelta

import pytest

from tasks.advance import advance as advance_by
from tasks.office import Office
from tasks.sweep import sweep
from tests import life
from tests.life import advance, events, look, to_state


@pytest.fixture
def office(database_url: str) -> Iterator[Office]:
    with life.office(database_url) as opened:
        yield opened


def lines(office: Office) -> list[tuple[str, object]]:
    with office.ledger.connection() as conn:
        return [(row[0], row[1]) for row in conn.execute("select binding_id, at from history order by id")]


def test_the_answer_is_the_time_after_it(office: Office) -> None:
    before = office.ledger.now()
    after = advance_by(office, 90_000)
    assert timedelta(seconds=90_000) <= after - before < timedelta(seconds=90_010)
    assert timedelta(0) <= office.ledger.now() - after < timedelta(seconds=5)


def test_each_step_is_made_at_the_moment_that_it_was_due(office: Office) -> None:
    binding_id = to_state(office, "submitted")
    since = look(office, binding_id).since
    advance(office, days=30)
    case = look(office, binding_id)
    assert case.state == "expired"
    assert timedelta(0) <= case.since - since - timedelta(days=7) < timedelta(seconds=3)


def test_who_moves_the_clock_again_at_once_finds_it_free(office: Office) -> None:
    """With the answer the clock is nobody's: the end of a connection, with which the lock goes too, may come later."""
    for _ in range(20):
        advance(office, seconds=1)
        with office.ledger.connection() as conn:
            assert conn.execute("select 1 from pg_locks where locktype = 'advisory'").fetchone() is None


def test_what_one_deadline_leads_to_falls_due_in_its_turn(office: Office) -> None:
    binding_id = to_state(office, "face_check")
    life.start_face(office, binding_id)
    advance(office, days=32)
    case = look(office, binding_id)
    assert events(office, binding_id)[-2:] == ["routed_offline", "expired"]
    assert (case.state, case.progress.reason) == ("expired", "offline_to_counter")


def test_the_order_over_all_bindings_is_that_of_the_due_times(office: Office) -> None:
    made = []
    for seed, state in enumerate(("face_check", "submitted", "returned", "offline_fallback")):
        made.append(to_state(office, state, seed=seed))
        life.skip(office, hours=5)
    already = len(lines(office))
    advance(office, days=40)
    fired = lines(office)[already:]
    times = [at for _, at in fired]
    assert times == sorted(times)  # type: ignore[type-var]
    assert {binding_id for binding_id, _ in fired} == set(made)


def test_a_child_that_grows_up_is_asked_on_the_day_and_suspended_thirty_days_later(office: Office) -> None:
    today = office.ledger.now().date()
    born = (today - timedelta(days=40)).replace(year=today.year - 15)
    binding_id = to_state(office, "active", member_born=born, relationship="CHILD")
    advance(office, days=330)
    case = look(office, binding_id)
    assert case.state == "active"
    assert case.progress.reverify_since is not None
    advance(office, days=31)
    assert look(office, binding_id).state == "suspended"
    life.pass_face(office, binding_id)
    assert look(office, binding_id).state == "active"


def test_many_active_bindings_cost_little(office: Office) -> None:
    for seed in range(10):
        to_state(office, "active", seed=seed)
    advance(office, days=20)
    assert {look(office, row[0]).state for row in lines(office)} == {"active"}


def test_the_sweep_says_how_many_it_dealt_with(office: Office) -> None:
    for seed in range(5):
        to_state(office, "submitted", seed=seed)
    assert sweep(office) == 0
    life.skip(office, days=8)
    assert sweep(office, limit=2) == 5
    assert sweep(office) == 0
