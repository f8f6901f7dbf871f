"""Whether a case can get lost: before anybody is served, the machine is walked with every plan that the packs give.

A made-up case hears everything that anyone could say, from its submission on. Each different situation that it comes
to is judged: somebody or the clock must be able to carry it on, the clock must be armed wherever the case does not
rest, and from everywhere there must be a way to an end.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta

from policies.book import LawBook
from policies.calendar import Due
from policies.check import plans_of
from policies.plan import Plan
from workflows import binding
from workflows.case import (
    ACTIVE,
    AGENCY_REVIEW,
    FACE_CHECK,
    FINAL,
    MATERIALS_UPLOADED,
    OFFLINE_FALLBACK,
    RETURNED,
    SUBMITTED,
    SUSPENDED,
    UNBINDING,
    Case,
)
from workflows.deadlines import DEADLINES, DEADLINES_BY_NAME, WITHOUT_LENGTH, armed, waits_for_unbinding
from workflows.engine import tried
from workflows.errors import Refused
from workflows.probes import BEGIN, Saying, cases, sayings, situation

ALWAYS_USED = (SUBMITTED, MATERIALS_UPLOADED, OFFLINE_FALLBACK, ACTIVE, SUSPENDED, UNBINDING, *FINAL)
A_MINUTE = timedelta(minutes=1)  # between one saying and the next
Situation = tuple[object, ...]
Wrong = tuple[str, str]  # the state, "" for the plan as a whole, and what is wrong there


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that is wrong with a plan: of which pack, for whom, in which state, and what."""

    pack: str
    version: str
    plan: str  # product, method and age group
    state: str  # "" where it is about the plan as a whole
    what: str


def check_book(book: LawBook) -> list[Finding]:
    """Return all that is wrong with machine and packs together, on every day on which a pack comes into force."""
    plans: dict[str, Plan] = {}
    for day in sorted({file.effective_from for file in book.files}):
        for law in book.laws_on(day):
            plans |= {plan.hash: plan for plan in plans_of(book, law, day)}
    wrong: dict[str, list[Wrong]] = {}  # plans that differ in words only are walked once
    for plan in plans.values():
        shape = _shape(plan)
        if shape not in wrong:
            wrong[shape] = _wrong(plan)
    return [finding for plan in plans.values() for finding in _findings(plan, wrong[_shape(plan)])]


def impossible(plan: Plan) -> list[str]:
    """Why a case under this plan can get lost, in words; empty if it cannot. Each shape of plan is walked once."""
    shape = _shape(plan)
    if shape not in _JUDGED:
        _JUDGED[shape] = [f"{state or 'plan'}: {what}" for state, what in _wrong(plan)]
    return _JUDGED[shape]


_JUDGED: dict[str, list[str]] = {}  # by shape; there are a few dozen of them


def _wrong(plan: Plan) -> list[Wrong]:
    return list(_lengths(plan)) or list(dict.fromkeys(Walk(plan).judge()))


def _findings(plan: Plan, wrong: list[Wrong]) -> list[Finding]:
    name = f"{plan.product} {plan.method} {plan.age_group}"
    return [Finding(plan.pack, plan.version, name, state, what) for state, what in wrong]


def _shape(plan: Plan) -> str:
    """What of a plan matters to the machine: plans that differ in nothing else are walked once."""
    review, counter = plan.review, plan.counter
    return repr((
        plan.steps, plan.face, plan.face_at_age, plan.registry.birth_certificate, bool(plan.materials), plan.unbind,
        review.mode, review.sample_share, review.reject_reasons, review.return_reasons, counter.refuse_reasons,
        sorted(plan.deadlines.items()), plan.warning_days, plan.term_days,
    ))  # fmt: skip


def _lengths(plan: Plan) -> Iterator[Wrong]:
    """Lengths that are missing, zero, or in a unit that the machine does not count."""
    for deadline in DEADLINES:
        if deadline.name in WITHOUT_LENGTH:
            continue
        length = plan.deadlines.get(deadline.name)
        if length is None:
            yield "", f"deadline {deadline.name} has no length"
        elif not math.isfinite(given := length.hours or length.working_days or 0):
            yield "", f"deadline {deadline.name} has no end"
        elif given <= 0:
            yield "", f"deadline {deadline.name} leaves no time"
    review = plan.deadlines.get("review_to_decision")
    if review is not None and review.working_days is None:
        yield "", "deadline review_to_decision is counted in working days"


class Walk:
    """Every situation that a case of one plan can come to, and the ways between them."""

    def __init__(self, plan: Plan) -> None:
        self.plan = plan
        self.seen: dict[Situation, tuple[Case, datetime]] = {}
        self.ways: dict[Situation, set[Situation]] = {}
        self.passed: set[str] = set()  # states, those too that are left again in the same commit

    def judge(self) -> Iterator[Wrong]:
        """Walk, and yield `(state, what is wrong there)`."""
        waiting = [(case, BEGIN) for case in cases(self.plan)]
        while waiting:
            case, now = waiting.pop()
            key = situation(case)
            if key in self.seen:
                continue
            self.seen[key] = case, now
            self.ways[key] = set()
            yield from self._clock(case)
            for saying in sayings(case, now + A_MINUTE):
                if saying.said in binding.REPAIRS:  # a plan that needs an operator to come to an end is no plan
                    continue
                try:
                    after = self.hear(case, saying)
                except Refused:
                    continue
                except Exception as fault:  # noqa: BLE001 - whatever breaks is the finding
                    yield case.state, f"{saying.said} breaks: {type(fault).__name__} {fault}"
                else:
                    self.ways[key].add(situation(after))
                    waiting.append((after, saying.at))
        yield from self._unreached()
        yield from self._dead_ends()

    def hear(self, case: Case, saying: Saying) -> Case:
        """Say one thing of a copy of the case, let the system say what follows, and return the copy."""
        cursor = tried(case, saying.at, saying.said, saying.actor, saying.facts)
        self.passed |= {line.to_state for line in cursor.lines}
        return cursor.case

    def _clock(self, case: Case) -> Iterator[Wrong]:
        """What is wrong with the clock: a state that waits without a deadline, or a due one that changes nothing."""
        if case.state in (binding.NOWHERE, *FINAL):
            return
        ends = armed(case)
        if not ends and case.state != ACTIVE:
            yield case.state, "no deadline is armed"
        for name, due in ends.items():
            if DEADLINES_BY_NAME[name].move is not None and not waits_for_unbinding(case, name):
                yield from self._fires(case, name, due)

    def _fires(self, case: Case, name: str, due: Due) -> Iterator[Wrong]:
        saying = Saying.by_clock(name, due.at)
        try:
            after = self.hear(case, saying)
        except Refused as no:
            yield case.state, f"{name} is due, but the clock may not say {saying.said}: {no.code}"
            return
        left = armed(after).get(name)
        if left is not None and left.at <= due.at:
            yield case.state, f"{name} is still due after {saying.said}"

    def _unreached(self) -> Iterator[Wrong]:
        """States that the plan needs and that no way leads to."""
        wanted = set(ALWAYS_USED)
        if {"face_check", "authorisation"} & set(self.plan.steps):
            wanted.add(FACE_CHECK)
        if "agency_review" in self.plan.steps:
            wanted |= {AGENCY_REVIEW, RETURNED}
        for state in sorted(wanted - self.passed):
            yield state, "cannot be reached"

    def _dead_ends(self) -> Iterator[Wrong]:
        """Situations from which no way leads to an end."""
        ended = {key for key, (case, _) in self.seen.items() if case.state in FINAL}
        while found := {key for key, to in self.ways.items() if key not in ended and to & ended}:
            ended |= found
        for key in self.seen.keys() - ended:
            yield self.seen[key][0].state, "no way leads to an end"
