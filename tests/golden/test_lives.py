"""Lives that an earlier release recorded: its own words on today's schema, and today's code going on from any step."""

from collections import Counter
from collections.abc import Iterator
from importlib import import_module
from typing import Any

import psycopg
import pytest

from cli.checking.audit import examine
from tasks.office import Office
from tests import life
from tests.golden.lives import RELEASES, Step, command, lay, recorded, written
from tests.golden.record import LINES, SET, STANDING_CLOCK, golden_keys
from workflows.case import STATES
from workflows.engine import Desk
from workflows.sweeping import sweep

ARMING = ("0007_warnings_of_the_suspended",)  # migrations that bring rows of earlier releases up to date
LIVES = [(release, name) for release in RELEASES for name in recorded(release)["lives"]]


@pytest.fixture
def office(database_url: str) -> Iterator[Office]:
    with golden_keys() as keys, life.office(database_url) as opened:
        with opened.ledger.connection() as conn:
            conn.execute(STANDING_CLOCK)
        yield Office(opened.ledger, Desk(opened.ledger, opened.desk.book, keys), opened.windows)


def tried(office: Office, conn: psycopg.Connection[Any], step: Step) -> list[tuple[Any, ...]]:
    """What today's desk makes of the step: its lines; nothing of it stays."""
    with conn.transaction(force_rollback=True):
        lay(conn, step)
        office.desk.serve_on(conn, [command(step)])[0].unwrap()
        return conn.execute(LINES, (step["binding_id"], step["version"])).fetchall()


def deployed(office: Office, now: str) -> None:
    """What a deployment does for rows that were there before: the migrations that arm what is new, and a sweep."""
    with office.ledger.connection() as conn:
        conn.execute(SET, (now,))
        for migration in ARMING:
            conn.execute(import_module(f"migrations.versions.{migration}").ARM)
    while sweep(office.desk):
        pass


@pytest.mark.parametrize(("release", "name"), LIVES)
def test_todays_code_goes_on_with_yesterdays_lives(office: Office, release: str, name: str) -> None:
    """Before each step but the first (an application is judged by today's law) today's code is asked to make it."""
    steps, write = recorded(release)["lives"][name], recorded(release)["write"]
    for step in steps:
        with office.ledger.connection() as conn:
            conn.execute(SET, (step["now"],))
            if step["version"]:
                assert tried(office, conn, step) == [tuple(line) for line in step["lines"]], step["said"]
            assert written(conn, write, step) == {step["binding_id"]: "done"}
    deployed(office, steps[-1]["now"])
    found = examine(office.ledger.url, settled=True)
    assert not found.faults, found.told
    assert found.counted["lines"] == sum(len(step["lines"]) for step in steps)


@pytest.mark.parametrize("release", RELEASES)
def test_the_lives_lead_to_every_state(release: str) -> None:
    ends = Counter(steps[-1]["lines"][-1][2] for steps in recorded(release)["lives"].values())
    assert ends.keys() == set(STATES)
