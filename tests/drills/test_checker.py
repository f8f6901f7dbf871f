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
from tasks.feed import fan_out
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
# what is changed in rows that are there: table, what is said of whom, and what the auditor calls it
FAR = "due_at = timestamptz '2099-01-01 00:00+08'"
CHANGED = [
    ("review_cases", "agency = '110000'", "review_differs"),
    ("review_cases", FAR, "review_differs"),
    ("review_cases", "escalations = 7", "review_differs"),
    ("counter_tickets", "agency = '110000'", "ticket_differs"),
    ("counter_tickets", "code = '000000'", "ticket_differs"),
    ("counter_tickets", FAR, "ticket_differs"),
    ("deadlines", f"{FAR} where name = 'insurance_to_rechecked'", "due_time_differs"),
    ("deadlines", f"{FAR} where name = 'materials_to_checked'", "due_time_differs"),
    ("deadlines", f"{FAR} where name = 'unbind_to_confirmed'", "due_time_differs"),
    ("deadlines", f"{FAR} where name = 'suspended_to_ended'", "due_time_differs"),
    ("deadlines", f"{FAR}, attempts = 1 where name = 'offline_to_counter'", "due_time_differs"),
    ("deadlines", "watch = true where name = 'offline_to_counter'", "due_time_differs"),
    ("seats", "scope = 'account_sharing'", "seat_of_another"),
    ("seats", "relationship = 'SIBLING'", "seat_of_another"),
    ("month_seats", "ended = not ended", "month_seat_of_another"),
    ("month_seats", "scope = 'family_account'", "month_seat_of_another"),
]


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
    with office.ledger.connection() as conn:
        conn.execute(DAMAGE[fault], {"one": made["face_check"]} if "%(one)s" in DAMAGE[fault] else None)
    found = examine(office.ledger.url, settled=True)
    assert fault in found.faults, found.lines()


@pytest.mark.parametrize(("table", "change", "fault"), CHANGED)
def test_a_row_that_says_something_else_is_found(office: Office, table: str, change: str, fault: str) -> None:
    for seed, state in enumerate(("active", "agency_review", "offline_fallback", "materials_uploaded", "suspended")):
        life.to_state(office, state, seed=seed)
    resting = life.to_state(office, "suspended", seed=5)
    life.say(office, "request_unbind", resting, method="pay_password")
    assert not examine(office.ledger.url, settled=True).faults
    with office.ledger.connection() as conn:
        assert conn.execute(f"update {table} set {change}").rowcount
    assert fault in examine(office.ledger.url).faults


@pytest.mark.parametrize("by", ["channel", "clock"])
def test_what_waits_behind_an_unbinding_and_is_tried_again_is_no_fault(office: Office, by: str) -> None:
    """The clock comes in vain while an unbinding runs; what broke is tried again within the hour."""
    resting = life.to_state(office, "suspended")
    with office.ledger.connection() as conn:
        ends = conn.execute("select due_at from deadlines where name = 'suspended_to_warned'").fetchone()
    assert ends is not None
    life.skip(office, seconds=(ends[0] - office.ledger.now()).total_seconds() - 60)
    life.say(office, "request_unbind", resting, method="pay_password")
    life.skip(office, minutes=5)
    assert sweep(office.desk) == 1
    assert not examine(office.ledger.url, settled=True).faults
    if by == "channel":
        life.say(office, "cancel_unbind", resting)
    else:
        life.skip(office, minutes=30)
        sweep(office.desk)
        assert not examine(office.ledger.url).faults
        while sweep(office.desk):
            pass
    assert life.look(office, resting).state == "suspended"
    assert not examine(office.ledger.url, settled=True).faults
    with office.ledger.connection() as conn:
        conn.execute("update deadlines set attempts = 3, due_at = kinbind_now() + interval '8 min' where not watch")
    assert not examine(office.ledger.url, settled=True).faults


def told_elsewhere(office: Office) -> None:
    """A holder who has used two channels; both listen, and all that happened has become letters."""
    for channel in ("alipay", "wechat"):
        life.endpoint(office.desk, "https://example.org/hook", None, channel)
    life.submit(office, life.a_request(office.desk.book, seed=3), "wechat")
    life.skip(office, minutes=2)
    life.submit(office, life.a_request(office.desk.book, seed=4, holder_seed=3), "alipay")
    fan_out(office)


@pytest.mark.parametrize(
    ("damage", "faults"),
    [
        ("", set()),
        ("delete from party_notices", {"notice_missing"}),
        ("delete from deliveries where type = 'binding.party_notice'", {"notice_not_sent"}),
    ],
)
def test_whoever_has_used_another_channel_is_told_there(office: Office, damage: str, faults: set[str]) -> None:
    told_elsewhere(office)
    with office.ledger.connection() as conn:
        assert not damage or conn.execute(damage).rowcount == 2  # of the first binding too, the same minute
    assert examine(office.ledger.url).faults.keys() == faults


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
    assert examine(office.ledger.url, settled=True).faults.keys() == {"due_time_differs", "review_differs"}
    keep_calendar(office)
    with office.ledger.connection() as conn:
        conn.execute("update working_days set recounted_at = recounted_at + interval '1 hour'")
    assert not examine(office.ledger.url, settled=True).faults
    with office.ledger.connection() as conn:
        conn.execute("update working_days set loaded_at = loaded_at - interval '1 hour'")
    assert examine(office.ledger.url).faults.keys() == {"fired_unarmed_or_early"}


def test_the_command_says_so_and_ends_with_one(office: Office) -> None:
    life.to_state(office, "face_check")
    whole = CliRunner().invoke(app, ["check", "--settled"])
    assert (whole.exit_code, whole.stdout.splitlines()[-1]) == (0, "no fault")
    with office.ledger.connection() as conn:
        conn.execute("update history set note = 'other' where sequence = 2")
    damaged = CliRunner().invoke(app, ["check"])
    assert damaged.exit_code == 1
    assert "chain_broken bnd_" in damaged.stdout
