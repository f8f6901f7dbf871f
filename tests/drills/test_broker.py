"""The broker flushed again and again, stopped for 26 hours, replaced by an empty one: it costs latency only."""

import contextlib
import time
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
import redis

from embedded.broker import Broker
from embedded.children import free_port
from tasks.office import Office
from tests import life
from tests.drills import parts
from tests.receiver import receiving
from tests.workers.test_tasks_running import Household

FAMILIES = parts.size(20, 400)
FLUSHES = parts.size(20, 200)

pytestmark = pytest.mark.timeout(parts.size(180, 900))


@pytest.fixture
def office(database_url: str) -> Iterator[Office]:
    with life.office(database_url) as opened:
        yield opened


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[Broker]:
    made = Broker(tmp_path / "broker", port=free_port(), durable=False)
    made.start()
    yield made
    made.stop()


@pytest.fixture
def household(office: Office, broker: Broker) -> Iterator[Household]:
    with contextlib.closing(Household(office, broker.url)) as made:
        made.worker()
        made.beat()
        parts.until(lambda: made.seen("worker:one@test"), "the worker works")
        yield made


def states(office: Office, made: list[str]) -> set[str]:
    return {life.look(office, one).state for one in made}


def test_flushed_while_families_go_through(household: Household, broker: Broker) -> None:
    office = household.office
    with receiving() as receiver, contextlib.closing(redis.Redis.from_url(broker.url)) as client:
        receiver.secrets.append(life.endpoint(office.desk, receiver.url)["secret"])
        made = []
        for n in range(FLUSHES):
            made.append(life.to_state(office, "materials_uploaded", seed=n))
            client.flushall()
            time.sleep(0.05)
        parts.until(lambda: states(office, made) == {"face_check"}, "the registries were asked")
        parts.until(lambda: len(receiver.letters) == 3 * len(made), "the letters came")
        assert {tuple(receiver.sequences(one)) for one in made} == {(1, 2, 3)}
    parts.prove(office.ledger.url)
    parts.figures("broker flushed", {"flushes": FLUSHES, "families": len(made), "letters": len(receiver.letters)})


def test_stopped_for_26_hours_and_replaced_by_an_empty_one(household: Household, broker: Broker) -> None:
    office = household.office
    waiting = [life.to_state(office, "face_check", seed=seed) for seed in range(FAMILIES)]
    for binding_id in waiting:
        life.start_face(office, binding_id)
    asked = [life.to_state(office, "materials_uploaded", seed=900 + seed) for seed in range(5)]
    broker.stop()
    life.skip(office, hours=26)  # every hint of 26 hours is lost
    time.sleep(3)
    lost = states(office, waiting)
    broker.start()  # an empty one at the same address

    def are(ids: list[str], state: str) -> bool:
        household.look_after()  # a worker may end over a broker that goes while it is being let go of
        return states(office, ids) == {state}

    took = parts.until(lambda: are(waiting, "offline_fallback"), "the windows closed")
    parts.until(lambda: are(asked, "face_check"), "the registries were asked")
    assert lost == {"face_check"}, "nothing moved while there was no broker"
    with office.ledger.connection() as conn:
        conn.execute("delete from heartbeats")
    parts.until(lambda: household.seen("worker:one@test"), "the worker that lost its broker takes hints again")
    found = parts.prove(office.ledger.url)
    assert timedelta(seconds=found.longest["lateness of the clock"]) < timedelta(hours=2, minutes=2)
    parts.figures("broker away for 26 hours", f"{len(waiting)} windows closed {took:.1f} s after its return")
