"""How things look on a page: moments and lengths of time in Beijing time, chips, numbers. No rule is decided here."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import NamedTuple
from urllib.parse import urlsplit

from policies.calendar import SHANGHAI
from policies.regions import names, place_name

_AMBER, _RED = 0.5, 0.1  # of the time there was: what is left of it


class Chip(NamedTuple):
    """A short status: how urgent it looks, and the words, as a key and the length of time that fills it."""

    tone: str  # good, soon, late, idle
    word: str
    span: list[tuple[str, int]]


def moment(at: datetime) -> str:
    """`2026-11-22 14:05`, in Shanghai; midnight is the 24:00 of the day before, as in the sentence."""
    local = at.astimezone(SHANGHAI)
    if (local.hour, local.minute, local.second, local.microsecond) == (0, 0, 0, 0):
        return f"{local - timedelta(days=1):%Y-%m-%d} 24:00"
    return f"{local:%Y-%m-%d %H:%M}"


def moment_of(text: str | None) -> str | None:
    """The same of a moment in JSON; None stays None."""
    return moment(datetime.fromisoformat(text)) if text else None


def clock(at: datetime) -> str:
    """`14:05`."""
    return f"{at.astimezone(SHANGHAI):%H:%M}"


def place(region: str) -> str:
    """The name of a region."""
    return place_name(region)


def places() -> Iterable[tuple[str, str]]:
    """Code and name of every province and city."""
    return names().items()


def sla(entered: datetime | None, due: datetime, now: datetime) -> Chip:
    """How much of the review's time is left: more than half, less, under a tenth, or none; always with text."""
    left = due - now
    if left <= timedelta(0):
        return Chip("late", "overdue_by", _span(-left))
    whole = (due - entered) if entered is not None else left
    share = left / whole if whole > timedelta(0) else 0.0
    tone = "good" if share > _AMBER else "soon" if share > _RED else "late"
    return Chip(tone, "left", _span(left))


def length(seconds: float) -> list[tuple[str, int]]:
    """A length of time that may be short: seconds under a minute, else as in a chip."""
    return _span(timedelta(seconds=seconds)) if seconds >= 60 else [("seconds", max(0, int(seconds)))]


def _span(length: timedelta) -> list[tuple[str, int]]:
    """Days and hours, or hours and minutes, or minutes: the two largest, as `(number, unit)` pairs."""
    minutes = int(length.total_seconds() // 60)
    days, hours, rest = minutes // 1440, minutes % 1440 // 60, minutes % 60
    parts = [("days", days), ("hours", hours)] if days else [("hours", hours), ("minutes", rest)]
    if not days and not hours:
        parts = [("minutes", max(1, rest))]
    return [(unit, number) for unit, number in parts if number]


def code(text: str) -> str:
    """A ticket's code as it is read out: `ABCD-EFGH`."""
    return f"{text[:4]}-{text[4:]}" if len(text) == 8 else text


def host(url: str) -> str:
    """Where an endpoint is, without what its address may tell besides."""
    return urlsplit(url).netloc.rpartition("@")[2]


def size(count: int) -> str:
    """Bytes for people."""
    return f"{count / 1_048_576:.1f} MB".replace(".0 ", " ") if count >= 1_048_576 else f"{max(1, count // 1024)} KB"
