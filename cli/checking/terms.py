"""Which deadlines must be armed, told a second time: from the design's table of deadlines, not from the desk's code.

What is given here is what a line of the history holds: the state, since when, the progress, and the pinned plan.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import chinese_calendar

SHANGHAI = ZoneInfo("Asia/Shanghai")
AT_REST = ("active", "unbound", "rejected", "withdrawn", "expired")
ENDED = AT_REST[1:]
_SATURDAY = 5
_BY_LAW = ("01-01", "05-01", "05-02", "10-01", "10-02", "10-03")  # off, whatever a year's notice will say
_ON_ITS_WAY = timedelta(minutes=1)  # a step may still have been counted by the calendar before
# What the clock's line says, where its event alone tells which deadline it was.
_BY_EVENT = {
    "unbind_cancelled": "unbind_to_confirmed",
    "review_escalated": "review_to_decision",
    "reverification_due": "member_to_age",
    "suspended": "reverification_to_done",
    "unbound": "suspended_to_ended",
}
_BY_REASON = {"registry_unanswered": "materials_to_offline", "term_over": "active_to_term"}

Json = dict[str, Any]
Armed = dict[str, datetime | None]  # by name; None: a watch, which the hands move on as they ask


class WorkingDays:
    """Which days are worked: as the package knows them, and as the ledger's own years say instead."""

    def __init__(self, years: Iterable[tuple[int, Iterable[date], Iterable[date]]] = ()) -> None:
        """Each of the ledger's years is (year, days off, days worked although a weekend)."""
        told = {year: (set(off), set(worked)) for year, off, worked in years}
        self._off = {day for day in chinese_calendar.holidays if day.year not in told}
        self._worked = {day for day in chinese_calendar.workdays if day.year not in told}
        self._published = {day.year for day in self._off} | told.keys()
        for off, worked in (told[year] for year in sorted(told)):
            self._off = (self._off - worked) | off
            self._worked = (self._worked - off) | worked
        self._found: dict[tuple[date, int], date] = {}

    def works(self, day: date) -> bool:
        """Monday to Friday in years whose holidays are not published, but for those that the law fixes."""
        fixed = day.year not in self._published and f"{day:%m-%d}" in _BY_LAW
        return day in self._worked or (day.weekday() < _SATURDAY and day not in self._off and not fixed)

    def after(self, day: date, count: int) -> date:
        """The `count`-th working day after `day`."""
        if (day, count) not in self._found:
            found, left = day, count
            while left:
                found += timedelta(days=1)
                left -= self.works(found)
            self._found[day, count] = found
        return self._found[day, count]

    def due(self, start: datetime, count: int) -> datetime:
        """24:00 Asia/Shanghai of the `count`-th working day after the day of `start`."""
        return midnight(self.after(start.astimezone(SHANGHAI).date(), count) + timedelta(days=1))


@dataclass(frozen=True, slots=True)
class LoadedYear:
    """A year of the ledger's own: what it says, since when, and since when all is counted by it (real time)."""

    year: int
    off: list[date]
    worked: list[date]
    loaded_at: datetime
    recounted_at: datetime | None

    def loaded_after(self, recorded_at: datetime) -> bool:
        """Whether a line written then may have been counted without it."""
        return self.loaded_at + _ON_ITS_WAY > recorded_at

    @property
    def pending(self) -> bool:
        """Whether there may be due times that are counted without it."""
        return self.recounted_at is None or self.recounted_at < self.loaded_at + _ON_ITS_WAY


class Calendars:
    """The working days as the ledger knows them now, and as it may have known them when a line was written."""

    def __init__(self, loaded: list[LoadedYear]) -> None:
        """By the ledger's own years; of the others the package tells."""
        self._loaded = loaded
        self._found: dict[frozenset[int], WorkingDays] = {}
        self.now = self._without(frozenset())
        self.pending = any(year.pending for year in loaded)

    def then(self, recorded_at: datetime) -> WorkingDays:
        """As they were known at this moment, at the earliest: what a year said before it was loaded is not kept.

        It had no holidays then, for all that can be said, and every day worked that anybody knows of.
        """
        return self._without(frozenset(one.year for one in self._loaded if one.loaded_after(recorded_at)))

    def _without(self, unknown: frozenset[int]) -> WorkingDays:
        if unknown not in self._found:
            self._found[unknown] = WorkingDays(
                (one.year, (), {*one.worked, *(day for day in chinese_calendar.workdays if day.year == one.year)})
                if one.year in unknown else (one.year, one.off, one.worked)
                for one in self._loaded)  # fmt: skip
        return self._found[unknown]


@dataclass(frozen=True, slots=True)
class Moment:
    """A binding as one line of its history leaves it."""

    state: str
    since: datetime
    progress: Json
    plan: Json
    face_age_day: date | None
    days: WorkingDays


def fired_by(event: str, from_state: str | None, reason: str | None) -> str:
    """Which deadline a line of the clock's stands for."""
    if (event, from_state) == ("suspended", "suspended"):
        return "suspended_to_warned"
    return _BY_REASON.get(reason or "") or _BY_EVENT.get(event) or reason or event


def expected(at: Moment) -> Armed:
    """Every deadline that must be armed at this moment, with its due time (UTC)."""
    rules: dict[str, Callable[[Moment], Iterator[tuple[str, datetime | None]]]] = {
        "submitted": lambda m: iter([_span(m, "submitted_to_materials", m.since)]),
        "materials_uploaded": _materials,
        "face_check": _face,
        "offline_fallback": lambda m: iter([_span(m, "offline_to_counter", _time(m.progress["offline"]["since"]))]),
        "agency_review": lambda m: iter([("review_to_decision", _decision(m))]),
        "returned": lambda m: iter([_span(m, "returned_to_corrected", m.since)]),
        "active": _in_force,
        "suspended": _resting,
        "unbinding": _unbinding,
    }
    return dict(rules[at.state](at)) if at.state in rules else {}


def _materials(at: Moment) -> Iterator[tuple[str, datetime | None]]:
    if at.plan["registry"]["birth_certificate"] and at.progress.get("registry_answered"):
        yield _while_ticket(at, "record_to_confirmed", _turn(at))
    else:
        yield "materials_to_checked", None
        yield _while_ticket(at, "materials_to_offline", at.since)


def _face(at: Moment) -> Iterator[tuple[str, datetime | None]]:
    asked = list(at.plan["face"]["subjects"])
    if at.progress.get("grown") and "member" not in asked:
        asked.append("member")
    left = [subject for subject in asked if subject not in at.progress.get("passed", ())]
    windows = at.progress.get("windows", {})
    if not left:
        yield _while_ticket(at, "passed_to_authorised", _turn(at))
    elif left[0] in windows:
        yield "first_attempt_to_pass", _time(windows[left[0]]["closes"])
    else:
        yield _while_ticket(at, "face_to_first_attempt", _turn(at))


def _term(at: Moment) -> Iterator[tuple[str, datetime | None]]:
    """A binding that is made for so many days lapses at 24:00 of the last, whether it rests or not."""
    days, since = at.plan.get("term_days"), at.progress.get("active_since")
    if days is not None and since:
        yield "active_to_term", midnight(_time(since).astimezone(SHANGHAI).date() + timedelta(days=days + 1))


def _in_force(at: Moment) -> Iterator[tuple[str, datetime | None]]:
    yield from _term(at)
    yield "insurance_to_rechecked", None
    if asked := at.progress.get("reverify_since"):
        yield _span(at, "reverification_to_done", _time(asked))
    elif at.face_age_day is not None and "member" not in at.progress.get("passed", ()):
        yield "member_to_age", midnight(at.face_age_day)


def _resting(at: Moment) -> Iterator[tuple[str, datetime | None]]:
    yield from _term(at)
    if at.progress.get("suspended_for") == "insurance":
        yield "insurance_to_rechecked", None
    told = at.progress.get("resting_since")
    since = _time(told) if told else at.since
    name, end = _span(at, "suspended_to_ended", since)
    yield name, end
    if warned := at.progress.get("warned_at"):
        since = max(since, _time(warned))
    ahead = sorted(at.plan.get("warning_days", ()), reverse=True)
    if (warning := next((w for days in ahead if (w := end - timedelta(days=days)) > since), None)) is not None:
        yield "suspended_to_warned", warning


def _decision(at: Moment) -> datetime:
    review = at.progress["review"]
    counted = review.get("counted_from")
    return at.days.due(_time(counted), review["counted_days"]) if counted else _time(review["due"])


def _unbinding(at: Moment) -> Iterator[tuple[str, datetime | None]]:
    yield _span(at, "unbind_to_confirmed", at.since)
    yield from _resting(at) if at.progress.get("suspended_for") else _in_force(at)


# -- time ----------------------------------------------------------------------------------------------------------


def _time(text: str) -> datetime:
    return datetime.fromisoformat(text)


def _turn(at: Moment) -> datetime:
    told = at.progress.get("turn_since")
    return _time(told) if told else at.since


def _span(at: Moment, name: str, start: datetime) -> tuple[str, datetime]:
    length = at.plan["deadlines"][name]
    if length.get("working_days"):
        return name, at.days.due(start, length["working_days"])
    return name, start + timedelta(hours=length["hours"])


def _while_ticket(at: Moment, name: str, start: datetime) -> tuple[str, datetime]:
    """What began anew after a detour to the counter ends with the counter's days at the latest."""
    name, end = _span(at, name, start)
    since = at.progress.get("offline_since")
    return name, min(end, _span(at, "offline_to_counter", _time(since))[1]) if since else end


def midnight(day: date) -> datetime:
    """00:00 Asia/Shanghai of a day, in UTC."""
    return datetime(day.year, day.month, day.day, tzinfo=SHANGHAI).astimezone(UTC)
