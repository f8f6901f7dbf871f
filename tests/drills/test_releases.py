"""A migration under load: the previous release goes on writing, in its own words, while the schema is brought up."""

import importlib
import itertools
import threading
import time
from collections.abc import Iterator
from typing import Any

import psycopg
import pytest
from alembic import command as alembic

from models import ledger
from tests.drills import parts
from tests.golden.lives import RELEASES, copy, recorded, written

WRITERS = 3
RELEASE = RELEASES[-1]
AFTERWARDS = parts.size(1, 20)  # seconds of load before the migration, and after it

# What the first sweep does with a warning armed for somebody whom the code of before then brought back. It cannot be
# made here: the copies' names are sealed for other ids. That it does so: tests/store/test_sweeping.py.
TAKE_OFF = """
delete from deadlines d using bindings b
where d.name = 'suspended_to_warned' and b.id = d.binding_id and b.state not in ('suspended', 'unbinding')
"""

pytestmark = pytest.mark.timeout(parts.size(120, 600))


class Writer(threading.Thread):
    """A process of the previous release: life after life, each step a commit; remembers its longest wait."""

    def __init__(self, url: str, numbers: Iterator[int], over: threading.Event) -> None:
        super().__init__(daemon=True)
        self.url, self.numbers, self.over = url, numbers, over
        self.steps = self.lives = 0
        self.longest = 0.0
        self.failed: BaseException | None = None

    def run(self) -> None:
        told = recorded(RELEASE)
        # who is suspended by the old code gets the new code's deadlines from a migration: tests/golden/test_lives.py
        lives = [steps for steps in told["lives"].values() if steps[-1]["lines"][-1][2] != "suspended"]
        try:
            with psycopg.connect(self.url, autocommit=True) as conn:
                for steps in itertools.cycle(lives):
                    if self.over.is_set():
                        return
                    self.a_life(conn, told["write"], steps)
        except BaseException as fault:  # noqa: BLE001  told to the drill
            self.failed = fault

    def a_life(self, conn: psycopg.Connection[Any], write: str, steps: list[Any]) -> None:
        for step in copy(steps, next(self.numbers)):
            begun = time.monotonic()
            verdicts = written(conn, write, step)
            self.longest = max(self.longest, time.monotonic() - begun)
            assert set(verdicts.values()) == {"done"}, verdicts
            self.steps += 1
        self.lives += 1


def test_a_migration_under_load(empty_database_url: str) -> None:
    url, told = empty_database_url, recorded(RELEASE)
    alembic.upgrade(ledger.alembic_config(url), told["schema"])
    with psycopg.connect(url, autocommit=True) as conn:
        conn.execute(told["function"])  # as it was then: the file of today may ask for more
    numbers, over = itertools.count(1), threading.Event()
    writers = [Writer(url, numbers, over) for _ in range(WRITERS)]
    for writer in writers:
        writer.start()
    time.sleep(AFTERWARDS)
    begun = time.monotonic()
    ledger.migrate(url)
    took = time.monotonic() - begun
    written_so_far = sum(writer.steps for writer in writers)
    time.sleep(AFTERWARDS)
    over.set()
    for writer in writers:
        writer.join(60)
        assert writer.failed is None, writer.failed
    steps = sum(writer.steps for writer in writers)
    assert steps > written_so_far, "it went on writing afterwards"
    # whom the code of before suspended after the migration: as docs/reliability.md tells for the end of an upgrade
    warnings = importlib.import_module("migrations.versions.0007_warnings_of_the_suspended")
    with psycopg.connect(url, autocommit=True) as conn:
        conn.execute(warnings.ARM)
        conn.execute(TAKE_OFF)
    found = parts.prove(url, settled=False)
    assert found.counted["bindings"] == sum(writer.lives for writer in writers)
    longest = max(writer.longest for writer in writers)
    assert longest < 5.0
    parts.figures(
        f"migrated from {told['schema']} under load", f"{took:.1f} s, {steps:,} steps, longest wait {longest:.2f} s"
    )
