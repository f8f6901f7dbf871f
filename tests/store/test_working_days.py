"""Years in the ledger: seen by every process at its next reading, learned from a newer package, counted again."""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import date, datetime, timedelta
from typing import Any

import msgspec
import pytest

from policies.calendar import Year, end_of_day, seed_year, shanghai_day
from tasks.calendars import keep_calendar
from tasks.office import Office
from tests import life
from tests.store.invariants import check, rows
from tests.years import LAST_KNOWN_YEAR
from workflows import calendars, recounting
from workflows.deadlines import armed
from workflows.engine import Desk
from workflows.views import reviewing


@pytest.fixture
def office(database_url: str) -> Iterator[Office]:
    with life.office(database_url) as opened:
        yield opened


def this_year(office: Office) -> int:
    return shanghai_day(office.ledger.now()).year


def without_work(first: date, last: date) -> Year:
    """A notice by which nobody works from one day to the other."""
    days = [first + timedelta(days=n) for n in range((last - first).days + 1)]
    return Year(first.year, frozenset(days), frozenset())


def review_due(desk: Desk, binding_id: str) -> date:
    """The last day of the review, as this desk derives it."""
    return shanghai_day(armed(desk.look(binding_id)[0])["review_to_decision"].at - timedelta(seconds=1))


def test_another_process_counts_by_a_loaded_year_at_its_next_reading(office: Office) -> None:
    another = Desk(office.ledger, office.desk.book, office.desk.keys)
    binding_id = life.to_state(office, "agency_review")
    before = review_due(another, binding_id)
    calendars.load(office.ledger, without_work(before, before + timedelta(days=20)), "test")
    assert review_due(another, binding_id) > before + timedelta(days=20)
    # a new case is counted by it too, at submission as at entry
    assert review_due(another, life.to_state(office, "agency_review", seed=2)) > before + timedelta(days=20)


def test_the_reviewers_page_counts_by_a_loaded_year(office: Office, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(calendars, "seed_year", lambda _: None)
    binding_id = life.to_state(office, "agency_review")
    before = armed(life.look(office, binding_id))["review_to_decision"].at
    first = shanghai_day(before - timedelta(seconds=1))
    off = frozenset(first + timedelta(days=ahead) for ahead in range(10))
    calendars.load(office.ledger, Year(first.year, off, frozenset()), "test")
    page = reviewing.case_page(office.desk, binding_id, life.REVIEWER)
    assert page["review"]["due_at"] == page["waiting_on"]["until"] > before


def test_what_died_between_load_and_recount_is_made_good_by_the_hands(
    office: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(calendars, "seed_year", lambda _: None)
    cases = [life.to_state(office, "agency_review", seed=seed) for seed in range(1, 4)]
    cases.append(life.to_state(office, "returned", seed=5))
    before = {row["binding_id"]: row["due_at"] for row in rows(office, "select * from deadlines")}
    first = min(shanghai_day(at) for at in before.values()) - timedelta(days=1)
    calendars.load(office.ledger, without_work(first, first + timedelta(days=1)), "test")
    monkeypatch.setattr(recounting, "BATCH", 2)  # page by page
    assert keep_calendar(office) == len(cases)
    after = {row["binding_id"]: row["due_at"] for row in rows(office, "select * from deadlines")}
    assert all(after[one] > before[one] for one in cases)
    queue = {row["binding_id"]: row["due_at"] for row in rows(office, "select * from review_cases")}
    assert queue == {one: after[one] for one in cases[:3]}
    assert [len(life.events(office, one)) for one in cases] == [life.look(office, one).version for one in cases]
    # for a minute it is looked at again, since a step may have been on its way; then no more
    assert keep_calendar(office) == 0
    with office.ledger.connection() as conn:
        conn.execute("update working_days set loaded_at = loaded_at - interval '1 hour'")
        conn.execute("update deadlines set due_at = %s where binding_id = %s", (before[cases[0]], cases[0]))
    assert keep_calendar(office) == 0


def in_the_midst(monkeypatch: pytest.MonkeyPatch, happens: Callable[[], object]) -> None:
    """Let this happen while a count is on its way."""
    real = recounting._bring_in_line

    def bring(*asked: Any) -> int:
        happens()
        return real(*asked)

    monkeypatch.setattr(recounting, "_bring_in_line", bring)


def test_a_count_is_of_when_it_began(office: Office, monkeypatch: pytest.MonkeyPatch) -> None:
    """However long it takes: what was written behind it meanwhile is found by another, or by none."""
    noted: list[datetime] = []
    monkeypatch.setattr(calendars, "seed_year", lambda _: None)
    in_the_midst(monkeypatch, lambda: noted.append(rows(office, "select clock_timestamp() as at")[0]["at"]))
    year = this_year(office)
    calendars.load(office.ledger, without_work(date(year, 1, 1), date(year, 1, 2)), "test")
    keep_calendar(office)
    (row,) = rows(office, "select loaded_at, recounted_at from working_days")
    assert row["loaded_at"] < row["recounted_at"] < noted[0]


def test_a_year_that_is_loaded_again_while_it_is_counted_is_counted_again(
    office: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(calendars, "seed_year", lambda _: None)
    year = this_year(office)
    again = without_work(date(year, 1, 1), date(year, 1, 2))
    calendars.load(office.ledger, again, "test")
    with monkeypatch.context() as once:
        in_the_midst(once, lambda: calendars.load(office.ledger, again, "test"))
        keep_calendar(office)
    assert rows(office, "select recounted_at from working_days") == [{"recounted_at": None}]
    keep_calendar(office)
    assert rows(office, "select recounted_at from working_days") != [{"recounted_at": None}]


def test_only_what_is_counted_in_working_days_moves(office: Office, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(calendars, "seed_year", lambda _: None)
    for seed, state in enumerate(("submitted", "face_check", "offline_fallback", "suspended", "active"), 1):
        life.to_state(office, state, seed=seed)
    today = shanghai_day(office.ledger.now())
    calendars.load(office.ledger, without_work(today, today + timedelta(days=40)), "test")
    before = rows(office, "select binding_id, name, due_at from deadlines order by 1, 2")
    assert keep_calendar(office) == 0
    assert rows(office, "select binding_id, name, due_at from deadlines order by 1, 2") == before
    check(office)


def test_a_newer_package_is_learned_once_and_never_over_what_a_person_loaded(
    office: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    year = this_year(office)
    calendars.load(office.ledger, without_work(date(year, 1, 1), date(year, 1, 20)), "by hand")
    newer = {one: without_work(date(one, 1, 1), date(one, 1, 15)) for one in (year, year + 1)}
    monkeypatch.setattr(calendars, "seed_year", newer.get)
    keep_calendar(office)
    keep_calendar(office)
    told = [(row["year"], row["source"], row["version"]) for row in rows(office, "select * from working_days")]
    assert sorted(told) == [(year, "by hand", 1), (year + 1, "chinesecalendar", 2)]
    with office.ledger.connection() as conn:
        known = calendars.read(conn)
    assert known.working_day_due(end_of_day(date(year, 12, 31)), 1).provisional is False


def test_loads_at_once_have_versions_of_their_own(office: Office) -> None:
    years = [Year(year, frozenset(), frozenset()) for year in range(2040, 2048)]
    with ThreadPoolExecutor(len(years)) as pool:
        list(pool.map(lambda one: calendars.load(office.ledger, one, "test"), years))
    assert sorted(row["version"] for row in rows(office, "select version from working_days")) == list(range(1, 9))
    with office.ledger.connection() as conn:
        known = calendars.read(conn)
    assert [one.year for one in years if known.is_known(date(one.year, 1, 1))] == list(range(2040, 2048))


def a_file(off: int = 10, worked: int = 0) -> bytes:
    """A notice of 2031 with so many of its first weekdays off, and so many days of its weekends worked."""
    days = [date(2031, 1, 1) + timedelta(days=n) for n in range(365)]
    told = [{"date": day, "isOffDay": True} for day in [day for day in days if day.weekday() < 5][:off]]
    told += [{"date": day, "isOffDay": False} for day in [day for day in days if day.weekday() >= 5][:worked]]
    return msgspec.json.encode({"year": 2031, "days": told})


@pytest.mark.parametrize(
    ("body", "words"),
    [
        (a_file(off=261), "261 weekdays off: no year has more than 40"),
        (a_file(off=41), "41 weekdays off"),
        (a_file(worked=21), "21 days of weekends worked: no year has more than 20"),
    ],
)
def test_a_notice_unlike_any_year_is_refused(body: bytes, words: str) -> None:
    with pytest.raises(calendars.NoYear, match=words):
        calendars.parse(body, 2031)


def test_a_notice_at_the_bounds_is_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    found = calendars.parse(a_file(off=40, worked=20), 2031)
    assert (len(found.holidays), len(found.make_up)) == (40, 20)
    for year in range(2004, LAST_KNOWN_YEAR + 1):  # no year that there was is further out
        seed = seed_year(year)
        assert seed is not None
        days = [(day, True) for day in seed.holidays] + [(day, False) for day in seed.make_up]
        told = {"year": year, "days": [{"date": day, "isOffDay": off} for day, off in days]}
        monkeypatch.setattr(calendars, "FEWEST_HOLIDAYS", 0)
        assert calendars.parse(msgspec.json.encode(told), year) == seed
