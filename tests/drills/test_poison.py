"""A poisoned row in a batch, a lease that runs out while its holder lives: the others go on, who is late is refused."""

from collections.abc import Iterator
from datetime import date
from typing import Any

import pytest

from tasks.office import Office
from tasks.registries import ask_registries
from tests import life
from tests.drills import parts
from tests.drills.failpoints import Killed
from tests.store.invariants import check
from workflows import sweeping
from workflows.errors import Refused

BATCH = parts.size(200, 2000)
POISONED = 3


@pytest.fixture
def office(database_url: str) -> Iterator[Office]:
    with life.office(database_url) as opened:
        yield opened


def rows(office: Office, statement: str) -> list[Any]:
    with office.ledger.connection() as conn:
        return conn.execute(statement).fetchall()


@pytest.mark.timeout(parts.size(60, 600))
def test_poisoned_rows_leave_the_head_and_are_parked_with_their_cause(office: Office) -> None:
    """Their history refuses every line, as a broken row would: the database's own word, in the middle of a batch."""
    made = []
    for n in range(BATCH):
        born = {"holder_born": date(1980 + n // 900, 3, 7)}
        made.append(life.to_state(office, "submitted", seed=n % 900, **born))
    poisoned = made[:: BATCH // POISONED][:POISONED]
    with office.ledger.connection() as conn:
        listed = ", ".join(f"'{one}'" for one in poisoned)
        conn.execute(f"alter table history add constraint poison check (binding_id not in ({listed})) not valid")
    life.skip(office, days=8)
    assert sweeping.sweep(office.desk) == min(BATCH, 500)
    while sweeping.sweep(office.desk):
        pass
    states = {one: life.look(office, one).state for one in made}
    assert {one for one, state in states.items() if state != "expired"} == set(poisoned)
    tried = 1
    while rows(office, "select 1 from deadlines where parked is null"):
        life.skip(office, hours=2)
        sweeping.sweep(office.desk)
        tried += 1
        assert tried < 20
    parked = rows(office, "select binding_id, attempts, parked from deadlines order by binding_id")
    assert parked == [(one, 10, "step_poisoned") for one in sorted(poisoned)]
    parts.prove(office.ledger.url)
    parts.figures("poisoned rows in a batch", {"batch": BATCH, "fired": BATCH - POISONED, "parked": len(parked)})


def test_a_row_that_cannot_be_read_is_put_aside_and_parked(office: Office) -> None:
    """No step breaks: not even the case can be made of the row. The others of its batch fire all the same."""
    made = [life.to_state(office, "submitted", seed=seed) for seed in range(parts.size(5, 200))]
    broken = made[2]
    with life.unreadable(office, broken):
        life.skip(office, days=8)
        assert sweeping.sweep(office.desk) == len(made)
        assert rows(office, "select binding_id, attempts, parked from deadlines") == [(broken, 1, None)]
        assert rows(office, "select count(distinct xid) from history where event = 'expired'") == [(1,)], "one commit"
        for _ in range(1, sweeping.ATTEMPTS):
            life.skip(office, hours=2)
            assert sweeping.sweep(office.desk) == 1
        life.skip(office, hours=2)
        assert sweeping.sweep(office.desk) == 0
    parked = rows(office, "select binding_id, attempts, parked from deadlines")
    assert parked == [(broken, 10, "step_poisoned")]
    states = {one: life.look(office, one).state for one in made}
    assert states == dict.fromkeys(made, "expired") | {broken: "submitted"}
    parts.prove(office.ledger.url)
    parts.figures("unreadable rows in a batch", {"batch": len(made), "fired": len(made) - 1, "parked": len(parked)})


def test_a_lease_that_runs_out_while_its_holder_lives(office: Office) -> None:
    """He looked at the case for a quarter of an hour; another took it; his decision comes too late, and is none."""
    refused = 0
    for seed in range(parts.size(8, 100)):
        binding_id = life.to_state(office, "agency_review", seed=seed)
        life.claim(office, binding_id)
        life.skip(office, minutes=15)
        with pytest.raises(Refused, match="lease_required"):
            life.say(office, "approve", binding_id, life.REVIEWER)
        refused += 1
        assert life.look(office, binding_id).state == "agency_review"
    parts.prove(office.ledger.url)
    parts.figures("leases that ran out", {"decisions refused": refused})


def test_a_family_whose_worker_died_asking_need_not_wait_for_the_next_round(office: Office) -> None:
    """He had put the next question off by a quarter of an hour, and a minute of real time after that he is given up."""
    made = [life.to_state(office, "materials_uploaded", seed=seed) for seed in range(5)]
    life.skip(office, seconds=1)
    with pytest.MonkeyPatch.context() as dying:
        dying.setattr("tasks.registries._each", _die)
        dying.setattr("tasks.registries._ASKED", "select %s::text[], %s::text")  # nobody gives it back
        with pytest.raises(Killed):
            ask_registries(office)
    assert ask_registries(office) == 0
    with office.ledger.connection() as conn:
        conn.execute(
            "update deadlines set leased_until = leased_until - interval '60 s' where leased_until is not null"
        )
    assert ask_registries(office) == len(made)
    assert {life.look(office, one).state for one in made} == {"face_check"}
    check(office)
    parts.prove(office.ledger.url)
    parts.figures("workers that died asking", {"families asked again at once": len(made)})


def _die(*_: object) -> None:
    raise Killed
