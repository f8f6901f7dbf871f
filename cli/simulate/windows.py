"""The outside world of a simulation: cameras, registries and outages, all of it drawn by name and kept in memory."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import date, datetime, timedelta
from typing import NamedTuple

from cli.simulate.dice import Dice
from gateways import face_outcomes as outcomes
from gateways.faces import FaceAnswer, FaceStart, ProviderDown, Subject
from gateways.registries import BirthRecord, PersonAnswer, Unanswered
from policies.eligibility import Insurance

SESSION = timedelta(minutes=30)
# How a session ends; None: the person walks away.
ENDS: tuple[tuple[float, FaceAnswer | None], ...] = (
    (72, outcomes.PASSED),
    (9, outcomes.NO_MATCH),
    (4, outcomes.LIVENESS),
    (4, outcomes.QUALITY),
    (3, outcomes.CANCELLED),
    (2, outcomes.PHOTO),
    (1, outcomes.ID_NOT_FOUND),
    (5, None),
)
STOPS_A_DAY = 0.0004  # the share of people whose insurance stops on a day; it comes back after some weeks
AWAY_FOR = 40  # days at most
TEN_YEARS = 3650.0  # days: whoever stops later never does here
REFUSED = 0.03  # the share of people to whom the registries say no at once


@dataclass
class Outages:
    """When something is away: on some days, for an hour or more."""

    dice: Dice
    begin: datetime
    name: str
    share: float  # of days
    hours: tuple[float, float]
    _days: dict[int, tuple[datetime, datetime] | None] = field(default_factory=dict)

    def on(self, day: int) -> tuple[datetime, datetime] | None:
        """From when to when it is away on this day of the simulation; None: never."""
        if day not in self._days:
            drawn = self.dice.throw("outage", self.name, day)
            away = None
            if drawn.random() < self.share:
                first = self.begin + timedelta(days=day, hours=drawn.uniform(0, 18))
                away = first, first + timedelta(hours=drawn.uniform(*self.hours))
            self._days[day] = away
        return self._days[day]

    def now(self, at: datetime) -> bool:
        """Whether it is away at this moment."""
        day = (at - self.begin).days
        return any(away is not None and away[0] <= at < away[1] for away in (self.on(day), self.on(day - 1)))


@dataclass
class World:
    """The simulation's own moment; moved by the town alone."""

    dice: Dice
    now: datetime


class Cameras:
    """A face provider; as in `FaceProvider`."""

    name = "simulated"

    def __init__(self, world: World, away: Outages) -> None:
        """Nobody has begun yet."""
        self._world, self._away = world, away
        self._sessions: dict[str, tuple[datetime, datetime, FaceAnswer | None]] = {}
        self.begun: str = ""  # the newest session

    def begin(self, session_id: str, subject: Subject) -> FaceStart:
        """Open a session; the person is done some minutes later, or never."""
        if self._away.now(self._world.now):
            raise ProviderDown
        self.begun = reference = hashlib.sha256(session_id.encode()).hexdigest()[:32]
        now, dice = self._world.now, self._world.dice
        ends = dice.pick(ENDS, "face", subject.id_number, now)
        done = now + timedelta(minutes=dice.throw("minutes", session_id).uniform(1, 20))
        self._sessions[reference] = (done, now + SESSION, ends)
        return FaceStart(reference, None, reference, now + SESSION)

    def ask(self, reference: str, expect: Subject) -> FaceAnswer:
        """The truth of a session."""
        del expect  # it is always the one for whom the session was begun
        if self._away.now(self._world.now):
            raise ProviderDown
        done, expires, ends = self._sessions[reference]
        if ends is None:
            expired = self._world.now >= expires
            return replace(outcomes.SESSION_EXPIRED, finished_at=expires) if expired else outcomes.PENDING
        return replace(ends, finished_at=done) if self._world.now >= done else outcomes.PENDING

    def read_callback(self, headers: Mapping[str, str], body: bytes, query: Mapping[str, str]) -> str:
        """The reference is all there is."""
        del headers, query
        return body.decode()

    def forget(self, reference: str) -> None:
        """Nothing of a session is kept; as in `FaceProvider`."""
        if self._away.now(self._world.now):
            raise ProviderDown
        self._sessions.pop(reference, None)

    def called_at(self, reference: str) -> datetime:
        """When the provider calls about a session."""
        done, expires, ends = self._sessions[reference]
        return expires if ends is None else done


class _Insured(NamedTuple):
    """What becomes of a person's insurance: whether it is there at all, and when it rests."""

    said: float
    stops: date
    back: date


class Bureaus:
    """The registries; as in `Registries`. An answer depends on who is asked about, and on the day."""

    def __init__(self, world: World, away: Outages) -> None:
        """They know everybody."""
        self._world, self._away = world, away
        self._drawn: dict[str, _Insured] = {}  # what chance has said of a person: asked for every day

    def person(self, name: str, id_type: str, number: str, region: str) -> PersonAnswer:
        """Insured where he says, save where chance has it otherwise."""
        del name, id_type
        self._be_up()
        one = self._drawn.get(number)
        if one is None:
            one = self._drawn[number] = self._draw(number)
        if one.said < REFUSED / 3:
            return PersonAnswer(known=True, name_matches=False, insured=None, credential_active=True)
        stopped = one.stops <= self._world.now.date() < one.back
        insured = Insurance("employee", "suspended" if stopped else "normal", region)
        found = None if one.said < REFUSED * 2 / 3 else insured
        return PersonAnswer(known=True, name_matches=True, insured=found, credential_active=one.said >= REFUSED)

    def birth_certificate(self, number: str, mother_name: str, mother_number: str) -> BirthRecord:
        """Found, and hers."""
        del number, mother_name, mother_number
        self._be_up()
        return BirthRecord(found=True, mother_matches=True)

    def pay_password_right(self, number: str, password: str) -> bool:
        """Everybody knows his own."""
        del number, password
        self._be_up()
        return True

    def prior_filing(self, holder_number: str, member_number: str) -> bool:
        """All have been filed."""
        del holder_number, member_number
        self._be_up()
        return True

    def _draw(self, number: str) -> _Insured:
        dice = self._world.dice
        days = dice.throw("stop", number).expovariate(STOPS_A_DAY)
        stops = (BEGIN + timedelta(days=min(days, TEN_YEARS))).date()
        back = stops + timedelta(days=dice.throw("rest", number).randint(3, AWAY_FOR))
        return _Insured(dice.share("registry", number), stops, back)

    def _be_up(self) -> None:
        if self._away.now(self._world.now):
            raise Unanswered


class NoDocuments:
    """Papers have rows and no content here; as in `DocumentStore`."""

    def put(self, document_id: str, content: bytes) -> None:
        """Forget it."""

    def get(self, document_id: str) -> bytes:
        """Nothing was kept."""
        raise LookupError(document_id)

    def delete(self, document_id: str) -> None:
        """Nothing to delete."""

    def older_than(self, seconds: float, part: int = 0, parts: int = 1) -> Iterator[str]:
        """None."""
        del seconds, part, parts
        return iter(())


BEGIN = datetime.fromisoformat("2026-11-30T16:00:00+00:00")  # midnight in Shanghai, before a year of known holidays
