"""Processes whose clocks are two minutes off, either way: the database's is the only one that counts."""

import contextlib
import os
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from tasks.office import Office
from tests import life
from tests.drills import parts
from tests.receiver import receiving
from tests.workers.test_tasks_running import Household

FAMILIES = parts.size(6, 60)
OFF = 120  # seconds
# Python reads this at its start, before any of our code: every clock that it or Celery could ask is wrong from then on.
_WRONG = """
import importlib, os, time
from datetime import datetime, timezone
off = float(os.environ["DRILL_CLOCK_OFF"])
right, right_ns = time.time, time.time_ns
time.time, time.time_ns = lambda: right() + off, lambda: right_ns() + int(off * 1e9)
class Wrong(datetime):
    @classmethod
    def now(cls, tz=None):
        return datetime.fromtimestamp(time.time(), tz)
for name in ("app.base", "app.amqp", "app.task", "beat", "schedules", "utils.time", "worker.request"):
    module = importlib.import_module("celery." + name)
    if getattr(module, "datetime", None) is datetime:
        module.datetime = Wrong
"""

pytestmark = pytest.mark.timeout(parts.size(120, 600))


@pytest.fixture
def office(database_url: str) -> Iterator[Office]:
    with life.office(database_url) as opened:
        yield opened


@pytest.fixture
def wrong_clock(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    (tmp_path / "sitecustomize.py").write_text(_WRONG)
    monkeypatch.setenv("DRILL_CLOCK_OFF", "0")
    return monkeypatch


@pytest.fixture
def household(office: Office, broker_url: str, tmp_path: Path) -> Iterator[Household]:
    path = os.pathsep.join([str(tmp_path), str(Path(__file__).parents[2])])  # the wrong clock first
    with contextlib.closing(Household(office, broker_url, path)) as made:
        yield made


@pytest.mark.parametrize(("worker", "beat"), [(OFF, -OFF), (-OFF, OFF)])
def test_what_is_due_fires_and_every_line_has_the_databases_time(
    household: Household, wrong_clock: pytest.MonkeyPatch, worker: int, beat: int
) -> None:
    office = household.office
    begun = office.ledger.now()
    wrong_clock.setenv("DRILL_CLOCK_OFF", str(worker))
    household.worker()
    wrong_clock.setenv("DRILL_CLOCK_OFF", str(beat))
    household.beat()
    with receiving() as receiver:
        receiver.secrets.append(life.endpoint(office.desk, receiver.url)["secret"])
        made = [life.to_state(office, "materials_uploaded", seed=seed) for seed in range(FAMILIES)]
        parts.until(lambda: states(office, made) == {"face_check"}, "the registries were asked")
        for binding_id in made:
            life.start_face(office, binding_id)
        life.skip(office, hours=23, minutes=58)
        parts.until(lambda: len(receiver.lines) >= 4 * FAMILIES, "the letters came")
        assert states(office, made) == {"face_check"}  # for somebody's clock the window has closed
        life.skip(office, minutes=2)
        parts.until(lambda: states(office, made) == {"offline_fallback"}, "the windows closed")
        parts.until(lambda: len(receiver.lines) == 5 * FAMILIES, "the letters came")
        assert not receiver.faults  # their timestamps are the database's: a receiver allows five minutes
        stamps = [letter.timestamp for letter in receiver.lines]
    assert max(stamps) - min(stamps) < OFF
    assert all(at <= office.ledger.now() for at in lines(office, begun))
    parts.prove(office.ledger.url, settled=False)
    parts.figures(f"worker {worker:+} s, beat {beat:+} s", {"families": FAMILIES, "letters": len(stamps)})


def states(office: Office, made: list[str]) -> set[str]:
    return {life.look(office, one).state for one in made}


def lines(office: Office, begun: datetime) -> list[datetime]:
    """Times of all lines; that of each is the service's, as it was when the line was recorded."""
    with office.ledger.connection() as conn:
        rows = conn.execute("select at, recorded_at, h.event from history h order by id").fetchall()
    late = timedelta(days=1)  # what was skipped meanwhile
    assert all(begun <= at and at - recorded < late + timedelta(seconds=5) for at, recorded, _ in rows), rows
    return [at for at, *_ in rows]
