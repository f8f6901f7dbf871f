"""The auditor himself: a sound ledger has no fault, and every kind of damage is found and named."""

import subprocess
import sys
from collections.abc import Iterator
from datetime import date, timedelta
from pathlib import Path

import pytest
from typer.testing import CliRunner

from cli.checking.audit import examine
from cli.main import app
from policies.calendar import Year, shanghai_day
from tasks.calendars import keep_calendar
from tasks.office import Office
from tests import life
from tests.store.invariants import check
from workflows import calendars
from workflows.case import STATES
from workflows.sweeping import sweep

ROOT = Path(__file__).parents[2]
# what somebody does to the tables behind the desk's back, and what the auditor calls it
DAMAGE = {
    "chain_broken": "update history set reason = 'other' where binding_id = %(one)s and sequence = 2",
    "step_lost_or_doubled": "delete from history where binding_id = %(one)s and sequence = 2",
    "row_and_history_differ": "update bindings set state = 'active' where id = %(one)s",
    "deadlines_differ": "delete from deadlines where binding_id = %(one)s and not watch",
    "due_time_differs": "update deadlines set due_at = due_at + interval '1 s' where binding_id = %(one)s",
    "deadline_not_fired": "update service_clock set ahead = interval '20 days'",
    "deadline_of_nobody": "insert into deadlines (binding_id, name, due_at, watch) values ('b', 'd', now(), false)",
    "seat_missing": "delete from seats where binding_id = %(one)s",
    "seat_beyond_the_limit": "update seats set n = 99 where binding_id = %(one)s",
    "seat_not_given_back": "update seats set binding_id = 'b' where binding_id = %(one)s",
    "review_without_a_case": "delete from review_cases",
    "offline_without_a_ticket": "delete from counter_tickets",
    "month_seat_missing": "delete from month_seats",
    "history_missing": "delete from history where binding_id = %(one)s",
}


@pytest.fixture
def office(database_url: str) -> Iterator[Office]:
    with life.office(database_url) as opened:
        yield opened


def one_in_every_state(office: Office) -> dict[str, str]:
    return {state: life.to_state(office, state, seed=seed) for seed, state in enumerate(reversed(STATES))}


def test_the_auditor_shares_no_code_with_those_whom_he_audits() -> None:
    looks = "import sys, cli.checking.audit; print(*{name.partition('.')[0] for name in sys.modules})"
    told = subprocess.run([sys.executable, "-c", looks], capture_output=True, text=True, check=True, cwd=ROOT)
    assert not {"workflows", "policies", "models", "tasks", "gateways"} & set(told.stdout.split())


def test_a_sound_ledger_has_no_fault_and_is_counted(office: Office) -> None:
    made = one_in_every_state(office)
    check(office)  # the other proof, by the desk's own rules, agrees
    found = examine(office.ledger.url, settled=True)
    assert found.lines()[-1] == "no fault"
    assert found.counted["bindings"] == len(made)
    assert found.counted["lines"] == sum(len(life.events(office, one)) for one in made.values())
    assert found.counted["deadlines fired"] >= 1
    assert {name for name in found.counted if name.startswith("state ")} == {f"state {state}" for state in STATES}


@pytest.mark.parametrize("fault", DAMAGE)
def test_damage_is_found_and_named(office: Office, fault: str) -> None:
    made = {state: life.to_state(office, state, seed=seed) for seed, state in enumerate(
        ("active", "agency_review", "offline_fallback", "face_check"))}  # fmt: skip
    with office.ledger.desk() as conn:
        conn.execute(DAMAGE[fault], {"one": made["face_check"]} if "%(one)s" in DAMAGE[fault] else None)
    found = examine(office.ledger.url, settled=True)
    assert fault in found.faults, found.lines()


def nobody_works(office: Office, since: date) -> None:
    """A notice by which no day was worked from then until three weeks from now."""
    days = [since + timedelta(days=n) for n in range((shanghai_day(office.ledger.now()) - since).days + 21)]
    calendars.load(office.ledger, Year(since.year, frozenset(days), frozenset()), "test")


def test_a_year_loaded_later_makes_no_fault_of_what_the_clock_has_done(
    office: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It fired by the days that were known; only what is written once a year is there must be counted by it."""
    monkeypatch.setattr(calendars, "seed_year", lambda _: None)
    first = shanghai_day(office.ledger.now())
    life.to_state(office, "returned")
    waiting = life.to_state(office, "agency_review", seed=2)
    life.skip(office, days=70)
    while sweep(office.desk):
        pass
    late = life.to_state(office, "agency_review", seed=3)
    assert ["review_escalated" in life.events(office, one) for one in (waiting, late)] == [True, False]
    nobody_works(office, first)
    assert not examine(office.ledger.url).faults  # what waits is counted again within the hour
    assert examine(office.ledger.url, settled=True).faults.keys() == {"due_time_differs"}
    keep_calendar(office)
    with office.ledger.desk() as conn:
        conn.execute("update working_days set recounted_at = recounted_at + interval '1 hour'")
    assert not examine(office.ledger.url, settled=True).faults
    with office.ledger.desk() as conn:
        conn.execute("update working_days set loaded_at = loaded_at - interval '1 hour'")
    assert examine(office.ledger.url).faults.keys() == {"fired_unarmed_or_early"}


def test_the_command_says_so_and_ends_with_one(office: Office) -> None:
    life.to_state(office, "face_check")
    whole = CliRunner().invoke(app, ["check", "--settled"])
    assert (whole.exit_code, whole.stdout.splitlines()[-1]) == (0, "no fault")
    with office.ledger.desk() as conn:
        conn.execute("update history set note = 'other' where sequence = 2")
    damaged = CliRunner().invoke(app, ["check"])
    assert damaged.exit_code == 1
    assert "chain_broken bnd_" in damaged.stdout
