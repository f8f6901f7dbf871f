"""The review's clock: working days, make-up days, a year that is loaded, the stop while returned, each escalation.

The year is the one after all that the package knows; what is worked in it, these tests load themselves.
"""

from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import orjson
import pytest
from typer.testing import CliRunner

from cli.main import app
from policies.calendar import end_of_day, shanghai_day, start_of_day
from tasks.office import Office
from tests import life
from tests.doors.conftest import Caller
from tests.doors.family import picture, uploaded
from tests.store.invariants import check_deadlines, rows
from tests.years import LAST_KNOWN_YEAR

NOON = timedelta(hours=12)
MAY_FIRST = (b'{"date": "2031-05-01", "isOffDay": true}', b'{"date": "2031-05-01", "isOffDay": false}')
LETTER = {"kind": "commitment_letter", "reason": "letter_unsigned"}
CHANNEL = "yueyibao_alipay"
# of a week in June, and the one after
MON, TUE, WED, THU, FRI, SAT, SUN, MON2, TUE2, WED2 = range(10)


@pytest.fixture
def monday(office: Office) -> date:
    """The second Monday of June in a year of which nobody knows yet; the service's clock stands at its midnight."""
    year = max(LAST_KNOWN_YEAR, shanghai_day(office.ledger.now()).year) + 1
    day = date(year, 6, 8)
    day += timedelta(days=-day.weekday() % 7)
    go_to(office, start_of_day(day))
    return day


def go_to(office: Office, moment: datetime) -> None:
    life.skip(office, seconds=(moment - office.ledger.now()).total_seconds())


def a_file(folder: Path, year: int, *, off: tuple[date, ...] = (), on: tuple[date, ...] = ()) -> Path:
    """A year's notice with ten days off in January, and these."""
    january = tuple(date(year, 1, day) for day in range(1, 11))
    days = [{"name": "x", "date": day, "isOffDay": is_off} for is_off, some in ((True, january + off), (False, on))
            for day in some]  # fmt: skip
    file = folder / f"{year}.json"
    file.write_bytes(orjson.dumps({"year": year, "papers": [], "days": days}))
    return file


def load(folder: Path, monday: date, *, off: tuple[int, ...] = (), on: tuple[int, ...] = ()) -> str:
    """Load the year with these days of the two weeks off or worked, as an operator does; what the command said."""
    days = {name: tuple(monday + timedelta(days=n) for n in some) for name, some in (("off", off), ("on", on))}
    done = CliRunner().invoke(app, ["calendar", "load", str(monday.year), str(a_file(folder, monday.year, **days))])
    assert done.exit_code == 0, done.stderr
    return done.stdout


def ends(monday: date, day: int) -> datetime:
    """24:00 in Shanghai of a day of the two weeks."""
    return end_of_day(monday + timedelta(days=day))


def in_review(office: Office, monday: date, day: int) -> str:
    """A sharing that enters the queue at noon of that day."""
    go_to(office, start_of_day(monday + timedelta(days=day)) + NOON)
    return life.to_state(office, "agency_review")


def waits(client: httpx.Client, binding_id: str) -> tuple[datetime, bool]:
    told = client.get(f"/v1/bindings/{binding_id}").json()["waiting_on"]
    return datetime.fromisoformat(told["until"]), told["provisional"]


def advance_to(client: httpx.Client, moment: datetime) -> None:
    """Let the hands work until that moment, which is in the future."""
    now = datetime.fromisoformat(client.get("/v1/sandbox/clock").json()["now"])
    seconds = int((moment - now).total_seconds()) + 1
    assert client.post("/v1/sandbox/clock/advance", json={"seconds": seconds}).status_code == 200


def said(client: httpx.Client, binding_id: str, what: str, **body: Any) -> httpx.Response:
    return client.post(f"/v1/reviews/{binding_id}/{what}", json=body)


def returned(client: httpx.Client, binding_id: str) -> None:
    assert said(client, binding_id, "claim").status_code == 200
    assert said(client, binding_id, "return", reason="letter_unsigned", items=[LETTER]).status_code == 200


def lines(client: httpx.Client, binding_id: str, event: str) -> list[datetime]:
    told = client.get(f"/v1/bindings/{binding_id}/timeline").json()["items"]
    return [datetime.fromisoformat(line["at"]) for line in told if line["event"] == event]


def test_a_loaded_year_moves_what_was_counted_without_it(
    as_: Caller, office: Office, monday: date, tmp_path: Path
) -> None:
    channel, reviewer = as_(CHANNEL), as_("reviewer")
    binding_id = in_review(office, monday, THU)
    assert waits(channel, binding_id) == (ends(monday, MON2), True)
    assert reviewer.get("/v1/reviews").json()["items"][0]["provisional"] is True

    assert "1 deadlines moved" in load(tmp_path, monday, on=(SUN,))
    assert waits(channel, binding_id) == (ends(monday, SUN), False)
    queued = reviewer.get("/v1/reviews").json()["items"][0]
    assert (datetime.fromisoformat(queued["due_at"]), queued["provisional"]) == (ends(monday, SUN), False)
    check_deadlines([life.look(office, binding_id)], rows(office, "select * from deadlines"))

    advance_to(channel, ends(monday, SUN) - timedelta(seconds=30))
    assert lines(channel, binding_id, "review_escalated") == []
    advance_to(channel, ends(monday, SUN))
    (at,) = lines(channel, binding_id, "review_escalated")
    assert ends(monday, SUN) <= at < ends(monday, SUN) + timedelta(seconds=2)


def test_it_may_move_later_and_the_old_moment_passes_without_a_step(
    as_: Caller, office: Office, monday: date, tmp_path: Path
) -> None:
    channel = as_(CHANNEL)
    binding_id = in_review(office, monday, MON)
    before = channel.get(f"/v1/bindings/{binding_id}").json()["version"]
    load(tmp_path, monday, off=(TUE, WED))
    assert waits(channel, binding_id) == (ends(monday, FRI), False)
    advance_to(channel, ends(monday, WED))
    assert channel.get(f"/v1/bindings/{binding_id}").json()["version"] == before
    # a year is corrected now and then: what is loaded last counts
    assert "1 deadlines moved" in load(tmp_path, monday, off=(TUE, WED, THU))
    assert waits(channel, binding_id) == (ends(monday, MON2), False)


def test_the_hands_bring_in_line_what_a_load_left_behind(
    as_: Caller, office: Office, monday: date, tmp_path: Path
) -> None:
    channel = as_(CHANNEL)
    binding_id = in_review(office, monday, MON)
    load(tmp_path, monday, on=(SUN,))
    with office.ledger.connection() as conn:  # as if a step in flight had written by the calendar before
        conn.execute("update deadlines set due_at = %s where binding_id = %s", (ends(monday, WED2), binding_id))
        conn.execute("update review_cases set due_at = %s", (ends(monday, WED2),))
    advance_to(channel, office.ledger.now())
    for table in ("deadlines", "review_cases"):
        assert [row["due_at"] for row in rows(office, f"select due_at from {table}")] == [ends(monday, WED)]


def test_each_working_day_it_is_escalated_again(as_: Caller, office: Office, monday: date, tmp_path: Path) -> None:
    channel = as_(CHANNEL)
    load(tmp_path, monday, off=(MON2,), on=(SAT,))
    binding_id = in_review(office, monday, WED)
    advance_to(channel, ends(monday, TUE2))
    found = lines(channel, binding_id, "review_escalated")
    assert [shanghai_day(at) - timedelta(days=1) for at in found] == [
        monday + timedelta(days=day) for day in (FRI, SAT, TUE2)
    ]
    assert waits(channel, binding_id) == (ends(monday, WED2), False)
    escalated = as_("reviewer").get("/v1/reviews", params={"status": "escalated"}).json()["items"][0]
    assert (escalated["escalations"], escalated["overdue"]) == (3, True)


@pytest.mark.parametrize(
    ("entered", "back", "again", "due"),
    [
        (MON, MON, WED, FRI),  # none used on the day of entry: two left, from the day after re-entry
        (MON, TUE, FRI, SAT),  # one used: one left, and the Saturday is worked
        (MON, WED, FRI, SAT),  # both used: at least one
        (FRI, SUN, MON2, TUE2),  # Saturday was worked and used
    ],
)
def test_the_clock_stops_while_it_is_returned(
    as_: Caller, office: Office, monday: date, tmp_path: Path, entered: int, back: int, again: int, due: int
) -> None:
    channel, reviewer = as_(CHANNEL), as_("reviewer")
    load(tmp_path, monday, on=(SAT,))
    binding_id = in_review(office, monday, entered)
    go_to(office, start_of_day(monday + timedelta(days=back)) + NOON + timedelta(hours=1))
    returned(reviewer, binding_id)
    told = channel.get(f"/v1/bindings/{binding_id}").json()
    assert told["waiting_on"]["for"] == "correction"
    assert reviewer.get("/v1/reviews").json()["items"] == []

    go_to(office, start_of_day(monday + timedelta(days=again)) + NOON + timedelta(hours=2))
    assert uploaded(channel, binding_id, "commitment_letter", picture()).status_code == 201
    assert channel.post(f"/v1/bindings/{binding_id}/actions/submit_materials", json={}).status_code == 200
    advance_to(channel, office.ledger.now())
    assert waits(channel, binding_id) == (ends(monday, due), False)
    assert lines(channel, binding_id, "review_escalated") == []


def test_a_term_for_the_family_is_counted_again_too(as_: Caller, office: Office, monday: date, tmp_path: Path) -> None:
    channel = as_(CHANNEL)
    binding_id = in_review(office, monday, MON)
    returned(as_("reviewer"), binding_id)
    assert waits(channel, binding_id) == (end_of_day(monday + timedelta(days=14)), True)
    load(tmp_path, monday, off=(THU,))
    assert waits(channel, binding_id) == (end_of_day(monday + timedelta(days=15)), False)
    advance_to(channel, end_of_day(monday + timedelta(days=15)) - timedelta(minutes=1))
    assert channel.get(f"/v1/bindings/{binding_id}").json()["state"] == "returned"
    advance_to(channel, end_of_day(monday + timedelta(days=15)))
    assert channel.get(f"/v1/bindings/{binding_id}").json()["state"] == "expired"


def test_the_year_is_shown_as_it_was_loaded(office: Office, monday: date, tmp_path: Path) -> None:
    run = CliRunner()
    unknown = run.invoke(app, ["calendar", "show", str(monday.year)])
    assert (unknown.exit_code, "provisional" in unknown.stderr) == (1, True)
    load(tmp_path, monday, off=(MON,), on=(SUN,))
    shown = run.invoke(app, ["calendar", "show", str(monday.year)]).stdout
    assert f"from {monday.year}.json, loaded {datetime.now(UTC):%Y-}" in shown
    assert f"{monday}\t周一 Mon\t休 off" in shown
    assert f"{monday + timedelta(days=SUN)}\t周日 Sun\t班 worked" in shown


@pytest.mark.parametrize(
    ("body", "words"),
    [
        (b"no json", "not a year's days as JSON"),
        (b'{"year": 2031, "days": []}', "only 0 days off"),  # published empty, and filled in later (trap 14)
        (b'{"year": 2030, "days": []}', "about 2030, not 2031"),
        (b'{"year": 2031, "days": [{"date": "2030-11-30", "isOffDay": true}]}', "2030-11-30 is neither in 2031"),
        (b'{"year": 2031, "days": [' + b",".join(MAY_FIRST) + b"]}", "both off and worked"),
    ],
)
def test_a_file_that_is_no_years_notice(office: Office, tmp_path: Path, body: bytes, words: str) -> None:
    file = tmp_path / "year.json"
    file.write_bytes(body)
    done = CliRunner().invoke(app, ["calendar", "load", "2031", str(file)])
    assert (done.exit_code, words in done.stderr) == (1, True), done.stderr
    assert rows(office, "select year from working_days") == []


def test_what_the_package_knows_is_loaded_by_name(office: Office) -> None:
    run = CliRunner()
    assert run.invoke(app, ["calendar", "load", str(LAST_KNOWN_YEAR), "--from-seed"]).exit_code == 0
    assert (
        f"from chinesecalendar, loaded {datetime.now(UTC):%Y-}"
        in run.invoke(app, ["calendar", "show", str(LAST_KNOWN_YEAR)]).stdout
    )
    assert "does not know" in run.invoke(app, ["calendar", "load", str(LAST_KNOWN_YEAR + 1), "--from-seed"]).stderr
