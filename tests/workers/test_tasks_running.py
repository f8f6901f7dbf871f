"""Real workers and a real beat on a real broker: what is due gets done, whatever becomes of the hints."""

import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import cast

import httpx
import pytest
import redis

from tasks.office import Office
from tasks.schedule import MOST_WAITING, QUEUE
from tests import life
from tests.doors.conftest import serving
from tests.life import look, to_state
from tests.receiver import receiving

ROOT = Path(__file__).parents[2]
PATIENCE = 30.0  # seconds


@dataclass
class Household:
    """Workers and beats of one office; ends what it started."""

    office: Office
    broker: str
    path: str = str(ROOT)  # where the processes find our code
    processes: list[subprocess.Popen[bytes]] = field(default_factory=list)

    def start(self, *arguments: str) -> subprocess.Popen[bytes]:
        environment = os.environ | {"KINBIND_BROKER_URL": self.broker, "PYTHONPATH": self.path}
        process = subprocess.Popen(
            [sys.executable, "-m", "celery", "-A", "tasks.app", *arguments, "--loglevel", "WARNING"],
            cwd=os.environ["KINBIND_VAR"],
            env=environment,
        )
        self.processes.append(process)
        return process

    def worker(self, name: str = "one") -> subprocess.Popen[bytes]:
        pool = ("--pool", "threads", "--concurrency", "4", "--without-gossip", "--without-mingle")
        return self.start("worker", *pool, "-n", f"{name}@test")

    def beat(self) -> subprocess.Popen[bytes]:
        return self.start("beat", "--pidfile", "")

    def look_after(self) -> None:
        """Start again what has ended, as the supervisor, Compose and Kubernetes do."""
        for process in [one for one in self.processes if one.poll() is not None]:
            self.processes.remove(process)
            self.start(*map(str, cast("list[str]", process.args)[5:-2]))

    def seen(self, name: str) -> bool:
        with self.office.ledger.connection() as conn:
            row = conn.execute("select 1 from heartbeats where name = %s", (name,)).fetchone()
        return row is not None

    def close(self) -> None:
        for process in self.processes:
            process.terminate()
        for process in self.processes:
            try:
                process.wait(15)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


@pytest.fixture
def office(database_url: str) -> Iterator[Office]:
    with life.office(database_url) as opened:
        yield opened


@pytest.fixture
def household(office: Office, broker_url: str) -> Iterator[Household]:
    with contextlib.closing(Household(office, broker_url)) as made:
        yield made


def until(holds: Callable[[], object], what: str) -> None:
    end = time.monotonic() + PATIENCE
    while not holds():
        assert time.monotonic() < end, f"not within {PATIENCE:g} s: {what}"
        time.sleep(0.05)


def test_registries_deadlines_and_letters_without_anybody_asking(household: Household) -> None:
    office = household.office
    household.worker()
    household.beat()
    with receiving() as receiver:
        receiver.secrets.append(life.endpoint(office.desk, receiver.url)["secret"])
        binding_id = to_state(office, "materials_uploaded")
        until(lambda: look(office, binding_id).state == "face_check", "the registries were asked")
        until(lambda: receiver.sequences(binding_id) == [1, 2, 3], "the letters came")
        life.start_face(office, binding_id)
        life.skip(office, hours=24)
        until(lambda: look(office, binding_id).state == "offline_fallback", "the window closed")
        until(lambda: receiver.sequences(binding_id) == [1, 2, 3, 4, 5], "the letters came")
        assert not receiver.faults
    until(lambda: household.seen("worker:one@test"), "the worker gave a sign of life")
    assert household.seen("sweep")


def test_the_answer_to_a_skip_comes_after_all_that_fell_due_whoever_does_it(household: Household) -> None:
    office = household.office
    household.worker()
    household.beat()
    until(lambda: household.seen("sweep"), "the worker works")
    with receiving() as receiver:
        receiver.secrets.append(life.endpoint(office.desk, receiver.url)["secret"])
        for seed in range(12):
            binding_id = to_state(office, "materials_uploaded", seed=seed)
            time.sleep(seed * 0.09)  # before, in and after the beat's second
            life.advance(office, seconds=5)
            assert look(office, binding_id).state == "face_check"
            assert receiver.sequences(binding_id) == [1, 2, 3]
            life.start_face(office, binding_id)
            life.advance(office, hours=24)
            assert look(office, binding_id).state == "offline_fallback"
            assert receiver.sequences(binding_id) == [1, 2, 3, 4, 5]


def test_a_broker_that_forgets_everything_costs_latency_only(household: Household) -> None:
    office = household.office
    household.worker()
    beat = household.beat()
    first = to_state(office, "materials_uploaded", seed=1)
    until(lambda: look(office, first).state == "face_check", "the registries were asked")
    beat.terminate()
    beat.wait(15)
    second = to_state(office, "materials_uploaded", seed=2)
    with contextlib.closing(redis.Redis.from_url(household.broker)) as broker:
        broker.flushall()
    household.beat()
    until(lambda: look(office, second).state == "face_check", "the registries were asked again")


def test_a_killed_worker_is_followed_by_another(household: Household) -> None:
    office = household.office
    killed = household.worker("one")
    household.beat()
    household.beat()  # doubled: harmless
    until(lambda: household.seen("sweep"), "the worker works")
    killed.send_signal(signal.SIGKILL)
    killed.wait()
    made = [to_state(office, "materials_uploaded", seed=seed) for seed in range(5)]
    household.worker("two")
    until(lambda: {look(office, one).state for one in made} == {"face_check"}, "another took over")
    assert all(life.events(office, one).count("registry_answered") == 1 for one in made)


@pytest.mark.timeout(150)  # beat calls for what is stuck every ten seconds, and that is waited for twice
def test_an_order_is_carried_through_and_who_is_stuck_is_told_of(household: Household) -> None:
    office = household.office
    made = {to_state(office, "submitted", seed=seed) for seed in range(3)}
    household.worker("one")
    household.worker("two")
    household.beat()
    key = {"Authorization": "Bearer sandbox-operator"}
    with receiving() as receiver, serving() as url, httpx.Client(base_url=url, headers=key) as operator:
        receiver.secrets.append(life.endpoint(office.desk, receiver.url, ["stuck", "recovered"])["secret"])

        def told(kind: str) -> list[str]:
            return [one.data["binding"]["id"] for one in receiver.letters if one.type == f"binding.{kind}"]

        with office.ledger.connection() as conn:
            conn.execute("update deadlines set parked = 'step_poisoned', attempts = 10")
        until(lambda: set(told("stuck")) == made, "that they are stuck was told")
        wish = {"repair": "rearm", "reason": "演练", "filter": {"cause": "step_poisoned"}, "dry_run": True}
        order = f"/v1/ops/repairs/{operator.post('/v1/ops/repairs', json=wish).json()['id']}"
        until(lambda: operator.get(order).json()["state"] == "planned", "the order was planned")
        assert operator.post(f"{order}/apply").status_code == 200
        until(lambda: operator.get(order).json()["state"] == "done", "the order was carried through")
        assert operator.get(order).json()["counts"] == {"done": 3}
        until(lambda: set(told("recovered")) == made, "that they move again was told")
        assert sorted(told("stuck")) == sorted(told("recovered")) == sorted(made), "once each"
    assert all(life.events(office, one) == ["submitted", "repaired"] for one in made)


def test_a_worker_that_ends_takes_its_sign_of_life_away(household: Household) -> None:
    ending = household.worker("one")
    until(lambda: household.seen("worker:one@test"), "it works")
    until(lambda: household.seen("keep_up"), "the upkeep was done, though no beat has called for it")
    with household.office.ledger.connection() as conn:
        conn.execute("insert into heartbeats (name, seen_at) values ('worker:two@test', clock_timestamp())")
    ending.terminate()
    ending.wait(20)
    assert not household.seen("worker:one@test")
    assert household.seen("worker:two@test")


def test_hints_do_not_pile_up_while_no_worker_is_there(household: Household) -> None:
    with contextlib.closing(redis.Redis.from_url(household.broker)) as broker:
        broker.rpush(QUEUE, *(["{}"] * MOST_WAITING))
        household.beat()
        time.sleep(5)  # a beat that is up sends within a second
        assert broker.llen(QUEUE) == MOST_WAITING
        broker.delete(QUEUE)
        until(lambda: broker.llen(QUEUE) > 4, "it sends again")
