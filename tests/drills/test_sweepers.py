"""Two sweeps, two beats, no beat, a beat that dies in the second in which it fires; a timer cancelled as it fires."""

import contextlib
import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import date
from functools import partial
from pathlib import Path
from threading import Barrier

import pytest

from tasks.office import Office
from tests import life
from tests.drills import parts
from tests.store.invariants import check
from tests.workers.test_tasks_running import Household
from workflows.commands import Command
from workflows.engine import Desk
from workflows.errors import Refused
from workflows.sweeping import sweep

MANY = parts.size(120, 3000)
ROUNDS = parts.size(12, 200)
ROOT = Path(__file__).parents[2]

pytestmark = pytest.mark.timeout(parts.size(120, 900))


@pytest.fixture
def office(database_url: str) -> Iterator[Office]:
    with life.office(database_url, size=8) as opened:
        yield opened


@pytest.fixture
def household(office: Office, broker_url: str) -> Iterator[Household]:
    with contextlib.closing(Household(office, broker_url)) as made:
        yield made


def waiting(office: Office, count: int) -> list[str]:
    """Families that have submitted and will not be heard of again: due together, seven days later."""
    made = []
    for n in range(count):
        later, seed = divmod(n, 900)
        people = {"member_born": date(1950 + later, 3, 7), "holder_born": date(1980 + later, 3, 7)}
        made.append(life.to_state(office, "submitted", seed=seed, **people))
    return made


def ended(office: Office) -> Counter[str]:
    with office.ledger.connection() as conn:
        return Counter(dict(conn.execute("select event, count(*) from history group by 1").fetchall()))


def a_sweep_of_its_own() -> subprocess.Popen[bytes]:
    """`kinbind sweep --once`, as cron would call it; it finds the ledger and the keys in the environment."""
    return subprocess.Popen([sys.executable, "-m", "cli.main", "sweep", "--once"], cwd=ROOT, stdout=subprocess.DEVNULL)


def test_two_beats_two_workers_and_sweeps_besides(household: Household) -> None:
    office = household.office
    made = waiting(office, MANY)
    for name in ("one", "two"):
        household.worker(name)
        household.beat()
    parts.until(lambda: household.seen("sweep"), "a worker works")
    others = [a_sweep_of_its_own() for _ in range(2)]
    life.skip(office, days=8)
    took = parts.until(lambda: ended(office)["expired"] == len(made), "all were fired")
    assert [other.wait(60) for other in others] == [0, 0]
    assert ended(office)["expired"] == len(made)
    parts.prove(office.ledger.url)
    parts.figures("two beats, two workers, two sweeps", f"{len(made)} due in one second, all fired after {took:.1f} s")


def test_no_beat_and_no_worker(office: Office) -> None:
    made = waiting(office, MANY)
    life.skip(office, days=8)
    sweeps = [a_sweep_of_its_own() for _ in range(3)]
    assert [one.wait(60) for one in sweeps] == [0, 0, 0]
    assert ended(office)["expired"] == len(made)
    parts.prove(office.ledger.url)
    parts.figures("no beat, three sweeps by cron", f"{len(made)} fired")


def test_a_beat_that_dies_in_the_second_in_which_it_fires(household: Household) -> None:
    office = household.office
    made = waiting(office, parts.size(40, 400))
    household.worker()
    beat = household.beat()
    parts.until(lambda: household.seen("sweep"), "the worker works")
    life.skip(office, days=8)
    beat.kill()
    beat.wait()
    household.beat()
    took = parts.until(lambda: ended(office)["expired"] == len(made), "all were fired")
    assert ended(office)["expired"] == len(made)
    parts.prove(office.ledger.url)
    parts.figures("a beat killed as it fires", f"{len(made)} fired once, the last after {took:.1f} s")


def test_a_timer_cancelled_as_it_fires(office: Office) -> None:
    """The family withdraws in the very moment in which its case expires: one of the two, and the history says which."""
    results: Counter[str] = Counter()
    for n in range(ROUNDS):
        binding_id = life.to_state(office, "submitted", seed=n)
        life.skip(office, days=7)
        line = Barrier(2)
        desk = Desk(office.ledger, office.desk.book, office.desk.keys)

        def at_once(act: Callable[[], object], line: Barrier = line) -> None:
            line.wait()
            with contextlib.suppress(Refused):
                act()

        withdraw = Command("withdraw", binding_id, life.channel())
        with ThreadPoolExecutor(2) as two:
            done = [two.submit(at_once, lambda: sweep(office.desk)),
                    two.submit(at_once, partial(desk.say, withdraw))]  # fmt: skip
        for future in done:
            future.result()
        while sweep(office.desk):
            pass
        (last,) = life.events(office, binding_id)[1:]
        results[last] += 1
    assert set(results) <= {"withdrawn", "expired"}
    check(office)
    parts.prove(office.ledger.url)
    parts.figures("cancelled in the second in which it fires", dict(results))
