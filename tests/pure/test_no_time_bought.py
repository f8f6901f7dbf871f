"""No sequence of a channel's moves keeps an application open beyond what its plan's lengths come to (decision 0021).

The family here does its worst: it waits until the very moment at which a clock runs out, moves before any sweep has
come by, goes to the counter and back at once, and does so again and again.
"""

from dataclasses import replace
from datetime import datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from policies.plan import Plan, Span
from tests.pure.test_machine import plans
from workflows.case import NOT_YET_IN_FORCE, Actor, Case
from workflows.check import Walk
from workflows.deadlines import DEADLINES_BY_NAME, armed
from workflows.errors import Refused
from workflows.probes import BEGIN, Saying, cases, told_with

HOUR, DAY = timedelta(hours=1), timedelta(days=1)
A_SWEEP = timedelta(seconds=1)  # a deadline that is due is fired so late
ADULT, DISPLAY, NEWBORN = 0, 4, 5
CHANNEL = Actor("channel", "check", "holder")
SAID = {
    "submit": ("submit",), "hand in": ("submit_materials",), "registries answer": ("registries_answered",),
    "confirm": ("confirm_registry_record",), "begin": ("face_started",), "fail": ("face_failed",),
    "pass": ("face_passed",), "authorise": ("confirm_authorisation",), "offline": ("route_offline",),
    "online": ("resume_online",), "there and back": ("route_offline", "resume_online"),
}  # fmt: skip
LIKELY = [*SAID, *["there and back"] * len(SAID)]
ANSWERED: list[tuple[timedelta | None, str]] = [(timedelta(0), "hand in"), (timedelta(0), "registries answer")]
BY_SYSTEM = ("registries_answered", "face_failed", "face_passed")
WAITS = (timedelta(0), 6 * HOUR, 6.5 * DAY, 29 * DAY, None)  # None: until the next clock runs out, to the instant


def a_plan_in_hours(number: int) -> Plan:
    """The plan of that number, with the three working days for the registries said in hours."""
    plan = plans()[number]
    return replace(plan, deadlines={**plan.deadlines, "materials_to_offline": Span(hours=72)})


def comes_to(plan: Plan, answered: bool) -> timedelta:
    """The plan's lengths: each wait once, and one ticket for each thing that somebody must settle.

    `answered`: from the registries' answer on.
    """
    length = {name: timedelta(hours=one.hours or 0) for name, one in plan.deadlines.items()}
    window, ticket = timedelta(hours=plan.face.window_hours), length["offline_to_counter"]
    waits = [] if answered else [length["submitted_to_materials"], length["materials_to_offline"] + ticket]
    waits += [length["face_to_first_attempt"] + window + ticket for _ in plan.face.subjects]
    if plan.registry.birth_certificate:
        waits.append(length["record_to_confirmed"] + ticket)
    if "authorisation" in plan.steps:
        waits.append(length["passed_to_authorised"])
    return sum(waits, timedelta(0))


class Family:
    """One application, by whoever would rather not be done with it."""

    def __init__(self, plan: Plan) -> None:
        self.walk, self.now = Walk(plan), BEGIN
        (self.case, *_) = cases(plan)
        self.hear("submit")

    def hear(self, *words: str) -> None:
        """Say these one after the other at this moment; what is refused changes nothing."""
        for said in words:
            actor = Actor("system") if said in BY_SYSTEM else CHANNEL
            for facts in told_with(self.case, said, self.now)[:1]:
                self._say(Saying(said, actor, facts, self.now))

    def wait(self, how_long: timedelta | None) -> None:
        """Let time go by; what falls due on the way is fired, what falls due at the end not yet."""
        ends = min(self._due(), default=(self.now, ""))[0]
        to = max(self.now, ends) if how_long is None else self.now + how_long
        self.sweep(to)
        if self.open:
            self.now = max(self.now, to)

    def sweep(self, before: datetime) -> None:
        """Fire what falls due before then."""
        while self.open and (due := min(self._due()))[0] < before:
            self.now = max(self.now, due[0] + A_SWEEP)
            self._say(Saying.by_clock(due[1], self.now))

    @property
    def open(self) -> bool:
        """Whether it still waits for somebody."""
        return self.case.state in NOT_YET_IN_FORCE

    def _due(self) -> list[tuple[datetime, str]]:
        return [(due.at, name) for name, due in armed(self.case).items() if DEADLINES_BY_NAME[name].move is not None]

    def _say(self, saying: Saying) -> None:
        try:
            self.case = self.walk.hear(self.case, saying)
        except Refused:
            assert saying.actor.kind != "clock"


def lived(plan: Plan, moves: list[tuple[timedelta | None, str]]) -> tuple[Case, timedelta]:
    """What became of it, and how long that took."""
    family = Family(plan)
    for how_long, said in moves:
        family.wait(how_long)
        if not family.open:
            break
        family.hear(*SAID[said])
    family.sweep(datetime.max.replace(tzinfo=BEGIN.tzinfo))
    return family.case, family.now - BEGIN


@pytest.mark.parametrize("answered", [True, False])
@pytest.mark.parametrize("number", [ADULT, DISPLAY, NEWBORN])
def test_whatever_a_family_does_it_comes_to_an_end_in_time(number: int, answered: bool) -> None:
    plan, start = a_plan_in_hours(number), ANSWERED if answered else ANSWERED[:1]
    most = comes_to(plan, answered) + HOUR  # the sweeps' own seconds

    @settings(max_examples=150, deadline=None)
    @given(st.lists(st.tuples(st.sampled_from(WAITS), st.sampled_from(LIKELY)), max_size=40))
    def tries(moves: list[tuple[timedelta | None, str]]) -> None:
        case, took = lived(plan, start + moves)
        assert took <= most, (case.state, took, most)

    tries()


@pytest.mark.parametrize(
    ("moves", "took"),
    [
        ([(None, "there and back")] * 40, timedelta(days=7 + 30)),
        ([(6.5 * DAY, "there and back")] * 40, timedelta(days=6.5 + 30)),
        # a window that is begun at the very end of the ticket is let run out, and no further
        ([(None, "there and back")] * 5 + [(None, "begin")] + [(None, "there and back")] * 40,
         timedelta(days=7 + 30 + 1)),
    ],
)  # fmt: skip
def test_going_there_and_back_for_a_face_buys_nothing(
    moves: list[tuple[timedelta | None, str]], took: timedelta
) -> None:
    """The attack was: 130 days at the camera, and no end of it (face window, days to begin, one ticket)."""
    case, lasted = lived(a_plan_in_hours(ADULT), ANSWERED + moves)
    assert case.state == "expired"
    assert took <= lasted <= took + HOUR
