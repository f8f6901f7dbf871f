"""The rooms of the console: who may enter, where each is, and what its number in the navigation counts.

To add a room: a file in `pages/`, its router in `app.py`, and a row here.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import get_args

from tasks.office import Office
from workflows.access.principals import Principal
from workflows.case import Actor
from workflows.views import flow, population, repairs, reviewing, stuck, supervising, watching
from workflows.views.narrowing import Part

Tallies = Callable[[Office, Principal], Mapping[str, int]]
Looks = Callable[[Office, Principal], None]


@dataclass(frozen=True, slots=True)
class Shown:
    """A group of the navigation: the word of the role, and links as `(path, word, number or None)`."""

    role: str
    links: list[tuple[str, str, int | None]]


@dataclass(frozen=True, slots=True)
class Room:
    """What one role finds in the navigation: `links` are `(path, word, name of its tally or None)`."""

    role: str
    links: tuple[tuple[str, str, str | None], ...]
    tallies: Tallies
    looks: Looks | None = None  # asks beforehand what its pages ask of the whole ledger, so that the answers are ready

    def shown(self, office: Office, principal: Principal) -> Shown:
        """The same with the numbers filled in."""
        numbers = self.tallies(office, principal)
        return Shown(
            self.role, [(path, word, numbers.get(tally) if tally else None) for path, word, tally in self.links]
        )


def nearest(rooms: Iterable[Shown], path: str) -> str:
    """The link of the navigation to which a page belongs: the longest that its path begins with; "" if none."""
    links = [link for room in rooms for link, _, _ in room.links]
    return max((one for one in links if f"{path}/".startswith(f"{one}/")), key=len, default="")


def _reviews(office: Office, principal: Principal) -> Mapping[str, int]:
    return reviewing.tallies(office.desk, Actor("reviewer", principal.id, regions=principal.regions))


def _nothing(_office: Office, _principal: Principal) -> Mapping[str, int]:
    return {}


def _supervised(office: Office, principal: Principal) -> Mapping[str, int]:
    ledger = office.ledger
    return {"awaiting": repairs.awaiting(ledger, principal),
            "escalated": watching.escalated(ledger, Part(principal.regions))["reviews"]}  # fmt: skip


def _look_at_work(office: Office, principal: Principal) -> None:
    now = office.ledger.now()
    supervising.workload(office.ledger, principal, now)
    supervising.sampling(office.desk, principal, now)


def _look_at_everything(office: Office, principal: Principal) -> None:
    ledger, part, now = office.ledger, Part(principal.regions), office.ledger.now()
    stuck.causes(ledger, part.granted)
    population.population(ledger, part)
    for span in get_args(flow.Span):
        flow.flow(ledger, part, span, now)


ROOMS: tuple[Room, ...] = (
    Room(
        "reviewer",
        (
            ("/reviews/mine", "my_work", "mine"),
            ("/reviews", "queue", "open"),
            ("/reviews/waiting", "waiting_applicant", "returned"),
            ("/reviews/done", "done_today", "done"),
        ),
        _reviews,
    ),
    Room("counter", (("/counter", "tickets", None), ("/counter/new", "new_application", None)), _nothing),
    Room(
        "operator",
        (("/ops", "ops_now", None), ("/ops/life", "ops_life", None), ("/ops/repairs", "ops_repairs", None)),
        _nothing,
        _look_at_everything,
    ),
    Room(
        "supervisor",
        (
            ("/supervision", "sup_workload", None),
            ("/supervision/escalated", "sup_escalated", "escalated"),
            ("/supervision/sampling", "sup_sampling", None),
            ("/supervision/suspended", "sup_suspended", None),
            ("/ops/repairs", "ops_repairs", "awaiting"),
            ("/supervision/staff", "sup_staff", None),
            ("/supervision/channels", "sup_channels", None),
            ("/supervision/packs", "sup_packs", None),
        ),
        _supervised,
        _look_at_work,
    ),
)


def open_to(office: Office, principal: Principal) -> list[Shown]:
    """The rooms of somebody's roles; a link that two roles share stands in the later one, where its number is."""
    shown: list[Shown] = []
    for room in (one.shown(office, principal) for one in ROOMS if one.role in principal.roles):
        paths = {path for path, _, _ in room.links}
        shown = [Shown(one.role, [link for link in one.links if link[0] not in paths]) for one in shown]
        shown.append(room)
    return shown
