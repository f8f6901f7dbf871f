"""An outage is made good page by page: each window once, whoever dies on the way, and whatever case is broken."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from threading import Barrier
from typing import Any

import psycopg
import pytest

from cli.simulate import hands
from tasks import advance, outages
from tasks.office import Office
from tests import life
from tests.life import events, look, start_face, to_state
from tests.logs import logged
from tests.store.invariants import check
from workflows.sweeping import sweep
from workflows.views import overview, stuck, watching
from workflows.views.narrowing import EVERYTHING

LENGTH = timedelta(minutes=6)


@pytest.fixture
def office(database_url: str) -> Iterator[Office]:
    with life.office(database_url) as opened:
        yield opened
        check(opened)


def windows(office: Office, families: int) -> dict[str, datetime]:
    """So many bindings, a window running for each, by id; and when it closes."""
    made = sorted(to_state(office, "face_check", seed=seed) for seed in range(families))
    for binding_id in made:
        start_face(office, binding_id)
    return {binding_id: closes(office, binding_id) for binding_id in made}


def closes(office: Office, binding_id: str) -> datetime:
    return look(office, binding_id).progress.windows["member"].closes


def an_outage(office: Office) -> None:
    """Of six minutes, beginning now, and nobody has tried for twenty since."""
    begun = office.ledger.now()
    for at in (begun, begun + LENGTH):
        outages.found_down(office, "sandbox", at)
    life.skip(office, minutes=26)


def known(office: Office) -> list[Any]:
    """Every outage: whether it has ended."""
    with office.ledger.connection() as conn:
        return [row[0] for row in conn.execute("select ended_at is not null from provider_outages order by first_at")]


def moved(office: Office, before: dict[str, datetime]) -> dict[str, timedelta]:
    """By binding, how much longer its window has become."""
    return {one: closes(office, one) - then for one, then in before.items()}


def once(office: Office, before: dict[str, datetime]) -> bool:
    """Whether every window has moved by the whole outage, as one step."""
    told = {events(office, one).count("window_extended") for one in before}
    return told == {1} and set(moved(office, before).values()) == {LENGTH}


def test_a_case_that_is_broken_keeps_no_other_waiting(office: Office) -> None:
    before = windows(office, 5)
    poisoned, unreadable, *others = before
    an_outage(office)
    with office.ledger.connection() as conn:
        conn.execute(f"alter table history add constraint poison check (binding_id <> '{poisoned}') not valid")
    with life.unreadable(office, unreadable), logged(outages) as said:
        assert outages.watch_outages(office) > 0
    assert {one["binding_id"] for one in said if one["event"] == "window_not_made_good"} == {poisoned, unreadable}
    assert known(office) == [True]
    assert once(office, {one: before[one] for one in others})
    with office.ledger.connection() as conn:
        conn.execute("alter table history drop constraint poison")
    assert moved(office, before)[poisoned] == moved(office, before)[unreadable] == timedelta(0)
    life.skip(office, hours=24)
    while sweep(office.desk):  # its end lets windows close again, these two on their own time
        pass
    assert {look(office, one).state for one in before} == {"offline_fallback"}


def test_whoever_dies_on_the_way_is_gone_on_with(office: Office, monkeypatch: pytest.MonkeyPatch) -> None:
    before = windows(office, 5)
    an_outage(office)
    monkeypatch.setattr(outages, "PAGE", 2)
    real, pages = outages._make_good, iter(range(9))

    def dies(*arguments: Any) -> None:
        real(*arguments)
        if next(pages) == 1:
            raise KeyboardInterrupt  # in the second page, with all its steps made

    with monkeypatch.context() as here:
        here.setattr(outages, "_make_good", dies)
        with pytest.raises(KeyboardInterrupt):
            outages.watch_outages(office)
    assert [events(office, one).count("window_extended") for one in before] == [1, 1, 0, 0, 0]
    assert known(office) == [False], "the sweep lets none of the others close"
    # it is over: found down once more, the provider has another outage, and this one keeps its length
    outages.found_down(office, "sandbox", office.ledger.now())
    with ThreadPoolExecutor(3) as hands:
        list(hands.map(outages.watch_outages, [office] * 3))
    assert outages.watch_outages(office) == 0
    assert known(office) == [True, False]
    assert once(office, before)


def test_a_window_whose_pass_is_to_be_judged_does_not_wait_for_its_page_and_moves_once(
    office: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = windows(office, 4)
    *others, last = before
    monkeypatch.setattr(outages, "PAGE", 1)
    an_outage(office)
    for _ in range(2):
        outages.answered(office, "sandbox", [last])
        assert moved(office, before) == dict.fromkeys(others, timedelta(0)) | {last: LENGTH}
    outages.watch_outages(office)
    assert known(office) == [True]
    assert once(office, before)
    outages.answered(office, "sandbox", [last])
    assert once(office, before)


def test_a_fault_that_passes_passes_no_window_over(office: Office, monkeypatch: pytest.MonkeyPatch) -> None:
    before = windows(office, 2)
    an_outage(office)

    def lost(*_: Any) -> None:
        raise psycopg.InterfaceError("the connection is closed")

    with monkeypatch.context() as here:
        here.setattr(outages, "_make_good", lost)
        with pytest.raises(psycopg.InterfaceError):
            outages.watch_outages(office)
    outages.watch_outages(office)
    assert known(office) == [True]
    assert once(office, before)


def test_the_windows_are_found_without_a_walk_over_all_deadlines(office: Office) -> None:
    asked = {"provider": "sandbox", "first_at": office.ledger.now(), "made_good_to": "", "ahead": [], "limit": 500}
    with office.ledger.connection() as conn:
        conn.execute(
            "insert into deadlines (binding_id, name, due_at, watch)"
            " select 'bnd_' || n, 'insurance_to_rechecked', now(), true from generate_series(1, 3000) n"
        )
        conn.execute("analyze deadlines")
        plan = "\n".join(row[0] for row in conn.execute(f"explain {outages._WINDOWS}", asked))
        conn.execute("delete from deadlines")
    assert "deadlines_open_idx" in plan


def test_hands_that_find_a_provider_down_together_begin_one_outage(office: Office) -> None:
    together, begun = Barrier(4), office.ledger.now()

    def finds_down(hand: int) -> None:
        for provider in range(10):
            together.wait(30)
            outages.found_down(office, f"provider-{provider}", begun + timedelta(milliseconds=hand))

    with ThreadPoolExecutor(4) as hands:
        list(hands.map(finds_down, range(4)))
    with office.ledger.connection() as conn:
        noted = conn.execute("select provider, last_at from provider_outages order by first_at").fetchall()
    assert sorted(noted) == [(f"provider-{one}", begun + timedelta(milliseconds=3)) for one in range(10)]


def test_found_down_after_a_silence_it_has_another_outage_though_nobody_noted_the_end(office: Office) -> None:
    begun = office.ledger.now()
    for minutes in (0, 6, 22, 30):
        outages.found_down(office, "sandbox", begun + timedelta(minutes=minutes))
    with office.ledger.connection() as conn:
        noted = conn.execute("select first_at, last_at, made_good_to from provider_outages order by 1").fetchall()
    assert [((first - begun) / LENGTH, (last - begun) / LENGTH, to) for first, last, to in noted] == [
        (0, 1, ""), (22 / 6, 5, None)]  # fmt: skip


def test_the_outage_of_one_provider_is_not_anothers(office: Office) -> None:
    """Else a camera that fails now and then would hold the windows of another open for ever."""
    begun = office.ledger.now()
    for provider, minutes in (("sandbox", 0), ("sandbox", 6), ("other", 8), ("other", 24)):
        outages.found_down(office, provider, begun + timedelta(minutes=minutes))
    with office.ledger.connection() as conn:
        noted = conn.execute(
            "select provider, last_at, made_good_to from provider_outages order by first_at, last_at"
        ).fetchall()
    told = [(provider, (last - begun) / timedelta(minutes=1), to) for provider, last, to in noted]
    assert told == [("sandbox", 6, None), ("other", 8, ""), ("other", 24, None)]


@pytest.mark.parametrize(
    ("provider", "first", "last", "held"),
    [("sandbox", -6, 0, True), ("sandbox", -4, 0, False), ("other", -6, 0, False), ("sandbox", 0, 6, False)],
)
def test_the_windows_that_will_be_made_good_are_held_open_and_everybody_knows(
    office: Office, provider: str, first: float, last: float, held: bool
) -> None:
    """Those of that provider that were open when it began: a window of one who is well closes on its own time."""
    (binding_id,) = before = windows(office, 1)
    due = before[binding_id]
    with office.ledger.connection() as conn:
        conn.execute(
            "insert into provider_outages (provider, first_at, last_at) values (%s, %s, %s)",
            (provider, due + timedelta(minutes=first), due + timedelta(minutes=last)),
        )
    life.skip(office, hours=24, minutes=8)
    with office.ledger.connection() as conn:
        sweep_at = advance.ERRANDS[0].next_due(conn, advance.LONG_AGO)
        simulated, *_ = conn.execute(hands._DUE).fetchone() or (None,)
    late = stuck.stuck(office.ledger, ["000000"], "deadline_overdue", 10, None)["items"]
    assert (sweep_at is None, not simulated, not late) == (held, held, held)
    assert [one["overdue"] for one in watching.due(office.ledger, EVERYTHING)] == ([] if held else [1])
    listed = watching.due_list(office.ledger, EVERYTHING, "first_attempt_to_pass", "overdue", 10)["items"]
    assert len(listed) == (0 if held else 1)
    (window,) = overview._look(office.ledger, EVERYTHING)["deadlines"]
    assert window["overdue"] == (0 if held else 1)
    assert sweep(office.desk) == (0 if held else 1)
    life.skip(office, minutes=20)
    outages.watch_outages(office)
    assert known(office) == [True]
    assert events(office, binding_id).count("window_extended") == int(held)
