"""Looks at everything are rationed by what they cost, and nothing else is."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from threading import Event
from typing import Any, ClassVar, cast

import pytest

from models.ledger import Ledger
from workflows.views import pacing
from workflows.views.pacing import AFTER, COOLS, LONGEST, OLDEST, PAGE, REMEMBERED, STANDS_FOR, WARM, Paced, keep_warm


class Clock:
    """A clock that is moved by hand."""

    def __init__(self) -> None:
        self.now = 100.0

    def monotonic(self) -> float:
        return self.now


class Somewhere:
    """Stands for a ledger: only which one it is matters."""


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    made = Clock()
    monkeypatch.setattr(pacing, "time", made)
    return made


def counting(clock: Clock, seconds: float, **options: Any) -> tuple[list[Any], Paced[str, int]]:
    """A question that takes so long; its answer is how often it was asked."""
    asked: list[Any] = []

    def look(ledger: Ledger, part: str) -> int:
        asked.append((ledger, part))
        clock.now += seconds
        return len(asked)

    return asked, Paced(look, **options)


def a_ledger() -> Ledger:
    return cast("Ledger", Somewhere())


def test_what_is_quick_is_asked_each_time(clock: Clock) -> None:
    ledger = a_ledger()
    _, paced = counting(clock, 0.2)
    assert [paced(ledger, "all") for _ in range(3)] == [1, 2, 3]


def test_what_is_slow_stands_for_many_times_what_it_took(clock: Clock) -> None:
    ledger = a_ledger()
    _, paced = counting(clock, 2)
    assert paced(ledger, "all") == 1
    clock.now += STANDS_FOR * 2 - 1
    assert paced(ledger, "all") == 1
    clock.now += 1
    assert paced(ledger, "all") == 2


def test_what_a_server_that_stood_still_has_answered_stands_no_longer_than_a_minute(clock: Clock) -> None:
    ledger = a_ledger()
    _, paced = counting(clock, 180)
    assert paced(ledger, "all") == 1
    clock.now += LONGEST - 1
    assert paced(ledger, "all") == 1
    clock.now += 1
    assert paced(ledger, "all") == 2


def test_parts_and_ledgers_are_kept_apart(clock: Clock) -> None:
    one, two = a_ledger(), a_ledger()
    asked, paced = counting(clock, 2)
    assert [paced(one, "all"), paced(one, "Suzhou"), paced(two, "all"), paced(one, "all")] == [1, 2, 3, 1]
    assert [part for _, part in asked] == ["all", "Suzhou", "all"]


def test_a_look_that_fails_is_not_kept(clock: Clock) -> None:
    ledger, answers = a_ledger(), iter([None, 7])

    def look(_ledger: Ledger, _part: str) -> int:
        clock.now += 2
        if (found := next(answers)) is None:
            raise TimeoutError
        return found

    paced = Paced(look)
    with pytest.raises(TimeoutError):
        paced(ledger, "all")
    assert paced(ledger, "all") == 7


def test_a_slow_question_keeps_nobody_from_others(clock: Clock) -> None:
    """Whoever asks the same waits for its answer; other questions, and what is kept, are answered meanwhile."""
    ledger, begun, answered = a_ledger(), Event(), Event()
    asked: list[str] = []

    def look(_: Ledger, part: str) -> str:
        asked.append(part)
        if part == "slow":
            begun.set()
            assert answered.wait(10)
        clock.now += 1
        return f"{part} {len(asked)}"

    paced = Paced(look)
    assert paced(ledger, "kept") == "kept 1"
    with ThreadPoolExecutor(4) as others:
        try:
            first = others.submit(paced, ledger, "slow")
            assert begun.wait(5)
            same = others.submit(paced, ledger, "slow")
            assert others.submit(paced, ledger, "kept").result(5) == "kept 1"
            assert others.submit(paced, ledger, "other").result(5) == "other 3"
            assert not first.done()
            assert not same.done()
        finally:
            answered.set()
        assert first.result(5) == same.result(5) == "slow 3"
    assert asked == ["kept", "slow", "other"]
    assert not paced._looking


class Later:
    """A timer that goes off when the test says so."""

    set: ClassVar[list[Callable[[], None]]] = []

    def __init__(self, seconds: float, call: Callable[..., None], told: tuple[Any, ...]) -> None:
        assert seconds == AFTER
        self.call = partial(call, *told)

    def start(self) -> None:
        self.set.append(self.call)


@pytest.fixture
def _later(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Later, "set", [])
    monkeypatch.setattr(pacing, "Timer", Later)


@pytest.mark.usefixtures("_later")
def test_who_must_not_wait_gets_the_old_answer_and_it_is_renewed_once_the_page_is_made(clock: Clock) -> None:
    ledger, asked = a_ledger(), list[str]()

    def look(_: Ledger, part: str) -> int:
        asked.append(part)
        clock.now += 0.1
        return len(asked)

    paced = Paced(look, PAGE, behind=True)
    assert paced(ledger, "all") == 1
    clock.now += STANDS_FOR * 0.1 + 0.1  # it no longer stands, and is not too old to be shown
    assert [paced(ledger, "all") for _ in range(2)] == [1, 1]
    assert asked == ["all"]
    (renewal,) = Later.set  # one, however many come
    renewal()
    assert paced(ledger, "all") == 2
    assert asked == ["all", "all"]
    clock.now += OLDEST
    assert paced(ledger, "all") == 3  # too old: looked for at once


@pytest.mark.usefixtures("_later")
def test_a_renewal_that_ends_late_does_not_bring_an_older_answer_back(clock: Clock) -> None:
    ledger, asked = a_ledger(), list[str]()

    def look(_: Ledger, part: str) -> int:
        asked.append(part)
        mine = len(asked)
        clock.now += 0.1
        if mine == 2:  # while it is renewed the kept answer gets too old, and somebody looks himself
            clock.now += OLDEST
            assert paced(ledger, part) == 3
        return mine

    paced = Paced(look, PAGE, behind=True)
    paced(ledger, "all")
    clock.now += STANDS_FOR * 0.1 + 0.1
    paced(ledger, "all")
    Later.set.pop()()
    assert paced(ledger, "all") == 3


@pytest.mark.usefixtures("_later")
def test_where_no_thread_is_to_be_had_the_old_answer_is_given_and_the_next_renews_it(
    clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(_: Later) -> None:
        raise RuntimeError

    ledger = a_ledger()
    _, paced = counting(clock, 0.1, quick=PAGE, behind=True)
    paced(ledger, "all")
    clock.now += STANDS_FOR * 0.1 + 0.1
    with monkeypatch.context() as patched:
        patched.setattr(Later, "start", refuse)
        assert paced(ledger, "all") == 1
    assert paced(ledger, "all") == 1
    Later.set.pop()()
    assert paced(ledger, "all") == 2


def test_what_was_asked_lately_is_kept_warm(clock: Clock) -> None:
    ledger, asked = a_ledger(), list[str]()

    def look(_: Ledger, part: str) -> int:
        asked.append(part)
        clock.now += 0.1 if part == "all" else 0.001
        return len(asked)

    paced = Paced(look, PAGE, behind=True)
    assert (paced(ledger, "all"), paced(ledger, "quick")) == (1, 2)
    keep_warm(ledger)
    assert len(asked) == 2  # nothing cools yet
    for number in (3, 4):
        clock.now += COOLS
        keep_warm(ledger)
        assert asked[2:] == ["all"] * (number - 2)  # what is quick is kept by nobody
    clock.now += OLDEST - 1
    assert paced(ledger, "all") == 4  # after a pause longer than an answer lasts, and nobody has waited


def test_what_nobody_asks_any_more_grows_cold(clock: Clock) -> None:
    ledger, asked = a_ledger(), list[int]()

    def look(_: Ledger, part: int) -> int:
        asked.append(part)
        clock.now += 0.1
        return part

    paced = Paced(look, PAGE, behind=True)
    for part in range(WARM + 1):
        paced(ledger, part)
    del asked[:]
    clock.now += COOLS
    keep_warm(ledger)
    assert asked == [*range(1, WARM + 1)]  # of very many those that were asked last
    clock.now += REMEMBERED
    keep_warm(ledger)
    assert len(asked) == WARM
