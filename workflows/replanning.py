"""What another version of a pack would have made of the open bindings: planned again, read-only, page by page."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import date
from typing import Any

from sqlalchemy import text

from policies.book import LawBook
from policies.calendar import shanghai_day
from policies.compare import Difference, as_json, differences
from policies.plan import Plan
from policies.planning import ApplicationFacts, PersonFacts, plan_for
from policies.refusals import NotAllowed
from policies.worlds import Worlds
from workflows.case import FINAL, Application, Case
from workflows.engine import Desk

EXAMPLES = 5  # ids shown of each group
PAGE = 500  # bindings looked at by one statement, open or not: no statement runs long

# The page is cut before unwanted bindings are left out, so that no statement runs long, however few are wanted.
_PAGE = text("""
with page as (select id, state from bindings where id > :after order by id limit :size)
select page.id, page.state <> all(:final) and a.product = any(:products) and a.region like any(:places) as wanted
from page join applications a on a.binding_id = page.id order by page.id
""")


@dataclass(frozen=True, slots=True)
class Replanned:
    """One open binding under two laws; no differences where both treat it alike."""

    binding_id: str
    state: str
    old: str  # "CN-national/family_account 2026-11-01", or the code with which it refuses the application
    new: str
    differences: tuple[Difference, ...]


@dataclass(slots=True)
class Group:
    """The bindings in which the same lines differ in the same way."""

    old: str
    new: str
    differences: tuple[Difference, ...]
    count: int = 0
    states: Counter[str] = field(default_factory=Counter)
    examples: list[str] = field(default_factory=list)


@dataclass(slots=True)
class Report:
    """How many open bindings were looked at, how many are treated alike, and the others in groups, largest first."""

    looked_at: int
    alike: int
    groups: list[Group]


def replan(book: LawBook, application: Application) -> Plan | NotAllowed:
    """The plan that the application would have had under `book` on the day it was made, or the refusal."""
    try:
        return plan_for(book, facts_of(application), shanghai_day(application.created_at))
    except NotAllowed as no:
        return no


def facts_of(application: Application) -> ApplicationFacts:
    """What the law needs to know of an application, out of what was kept of it."""
    return ApplicationFacts(
        application.product, application.method, application.relationship, application.channel,
        application.initiator, _person(application, "holder"), _person(application, "member"),
    )  # fmt: skip


def open_bindings(desk: Desk, reach: Iterable[tuple[str, str]], size: int = PAGE) -> Iterator[Case]:
    """Every open binding whose product and region fit one of `(product, region's first digits)`, by id."""
    wanted = sorted(set(reach))
    asked: dict[str, Any] = {
        "final": list(FINAL), "products": [product for product, _ in wanted],
        "places": [f"{region}%" for _, region in wanted], "size": size, "after": "",
    }  # fmt: skip
    while rows := desk.ledger.read(_PAGE, asked):
        for case, _ in desk.look_many([row["id"] for row in rows if row["wanted"]]):
            yield case
        asked["after"] = rows[-1]["id"]


def replanned(desk: Desk, worlds: Worlds, size: int = PAGE) -> Iterator[Replanned]:
    """Each open binding that the two laws can be about, planned under both as of the day it was applied for."""
    for case in open_bindings(desk, worlds.reach, size):
        old, new = replan(worlds.old, case.application), replan(worlds.new, case.application)
        yield Replanned(case.id, case.state, _name(old), _name(new), _differences(old, new))


def report(found: Iterable[Replanned]) -> Report:
    """Count and group; what is kept in memory is the ways to differ, not the bindings."""
    looked_at = alike = 0
    groups: dict[tuple[str, str, tuple[Difference, ...]], Group] = {}
    for one in found:
        looked_at += 1
        if not one.differences:
            alike += 1
            continue
        group = groups.setdefault((one.old, one.new, one.differences), Group(one.old, one.new, one.differences))
        group.count += 1
        group.states[one.state] += 1
        if len(group.examples) < EXAMPLES:
            group.examples.append(one.binding_id)
    return Report(looked_at, alike, sorted(groups.values(), key=lambda group: -group.count))


def _person(application: Application, role: str) -> PersonFacts:
    party = application.parties[role]
    born = party["birth_date"]
    return PersonFacts(party["id_type"], party["insured_region"], date.fromisoformat(born) if born else None)


def _name(found: Plan | NotAllowed) -> str:
    return found.code if isinstance(found, NotAllowed) else f"{found.pack}/{found.product} {found.version}"


def _differences(old: Plan | NotAllowed, new: Plan | NotAllowed) -> tuple[Difference, ...]:
    """A refusal is one line: the application would not have been taken, or would have been."""
    if isinstance(old, NotAllowed) or isinstance(new, NotAllowed):
        said = tuple(as_json(found.code if isinstance(found, NotAllowed) else "accepted") for found in (old, new))
        return () if said[0] == said[1] else (Difference("application", *said),)
    return differences(old, new)
