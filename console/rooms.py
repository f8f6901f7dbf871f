"""The rooms of the console: to whom each is open, where it is, and what its number in the navigation counts.

To add a room: a file in `pages/`, its router in `app.py`, and a row here.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from tasks.office import Office
from workflows.access.principals import Principal
from workflows.case import Actor
from workflows.views import repairs, reviewing

Tallies = Callable[[Office, Principal], Mapping[str, int]]


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

    def shown(self, office: Office, principal: Principal) -> Shown:
        """The same with its numbers, by one statement."""
        numbers = self.tallies(office, principal)
        return Shown(
            self.role, [(path, word, numbers.get(tally) if tally else None) for path, word, tally in self.links]
        )


def _reviews(office: Office, principal: Principal) -> Mapping[str, int]:
    return reviewing.tallies(office.desk, Actor("reviewer", principal.id, regions=principal.regions))


def _nothing(_office: Office, _principal: Principal) -> Mapping[str, int]:
    return {}


def _supervised(office: Office, principal: Principal) -> Mapping[str, int]:
    return {"awaiting": repairs.awaiting(office.ledger, principal)}


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
    ),
    Room(
        "supervisor",
        (
            ("/supervision", "sup_workload", None),
            ("/supervision/sampling", "sup_sampling", None),
            ("/supervision/suspended", "sup_suspended", None),
            ("/ops/repairs", "ops_repairs", "awaiting"),
            ("/supervision/staff", "sup_staff", None),
            ("/supervision/channels", "sup_channels", None),
            ("/supervision/packs", "sup_packs", None),
        ),
        _supervised,
    ),
)
