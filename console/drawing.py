"""The pictures of the pages: where each state of the life stands, how its arrows run, and small charts.

States and arrows come from the table of moves; only their places are set by hand. A new state of the table stands in
the margin, with straight arrows, until somebody gives it a place.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import log1p
from typing import Any

from workflows.binding import NOWHERE
from workflows.case import EXPIRED, NOT_YET_IN_FORCE, REJECTED, STATES, UNBOUND, WITHDRAWN
from workflows.diagram import arrows

WIDE, HIGH = 1260, 700  # of the whole picture, in its own units
BOX = (164, 96)  # of a state

PLACES: Mapping[str, tuple[int, int]] = {
    "returned": (656, 44),
    "submitted": (36, 214), "materials_uploaded": (246, 214), "face_check": (452, 214), "agency_review": (656, 214),
    "offline_fallback": (452, 398),
    "active": (876, 214), "unbinding": (1080, 214), "suspended": (876, 398),
    "rejected": (130, 582), "withdrawn": (340, 582), "expired": (550, 582), "unbound": (978, 582),
}  # fmt: skip
# Endings that are drawn as one arrow out of a frame, for all states inside that may end so.
FRAMES: Mapping[str, tuple[int, int, int, int]] = {"open": (16, 24, 824, 504), "in_force": (856, 146, 396, 382)}
_ENDINGS = {REJECTED: "open", WITHDRAWN: "open", EXPIRED: "open", UNBOUND: "in_force"}

# The paths of arrows that are no straight line between two neighbours.
_RUNS: Mapping[tuple[str, str], str] = {
    (NOWHERE, "submitted"): "M4 262H34",
    ("submitted", "materials_uploaded"): "M200 262H244",
    ("materials_uploaded", "face_check"): "M410 262H450",
    ("face_check", "agency_review"): "M616 252H654",
    ("agency_review", "face_check"): "M656 280H618",
    ("agency_review", "active"): "M820 262H874",
    ("agency_review", "returned"): "M752 214V142",
    ("returned", "materials_uploaded"): "M656 84H284Q274 84 274 94V212",
    ("materials_uploaded", "agency_review"): "M360 214V188Q360 178 370 178H666Q676 178 676 188V212",
    ("materials_uploaded", "active"): "M322 214V170Q322 160 332 160H956Q966 160 966 170V212",
    ("face_check", "active"): "M560 214V205Q560 195 570 195H924Q934 195 934 205V212",
    ("face_check", "offline_fallback"): "M516 310V396",
    ("offline_fallback", "face_check"): "M552 398V312",
    ("materials_uploaded", "offline_fallback"): "M310 310V436Q310 446 320 446H450",
    ("offline_fallback", "materials_uploaded"): "M452 476H292Q282 476 282 466V312",
    ("offline_fallback", "agency_review"): "M616 430H716Q726 430 726 420V312",
    ("offline_fallback", "active"): "M616 462H836Q846 462 846 452V304Q846 294 856 294H874",
    ("active", "unbinding"): "M1040 246H1078",
    ("unbinding", "active"): "M1080 278H1042",
    ("active", "suspended"): "M940 310V396",
    ("suspended", "active"): "M976 398V312",
    ("suspended", "unbinding"): "M1040 430H1134Q1144 430 1144 420V312",
    ("unbinding", "suspended"): "M1180 310V452Q1180 462 1170 462H1042",
}


@dataclass(frozen=True, slots=True)
class Run:
    """An arrow: its path, the moves that go along it, and from where to where, for those who cannot see it."""

    path: str
    said: str
    came_from: str
    to: str


@dataclass(frozen=True, slots=True)
class Frame:
    """A frame around states: its name, its rectangle, and the arrows out of it."""

    name: str
    rect: tuple[int, int, int, int]
    out: tuple[Run, ...]


def place(state: str) -> tuple[int, int]:
    """The upper left corner of a state; states without a place stand in the margin, one below the other."""
    if state in PLACES:
        return PLACES[state]
    strangers = [one for one in STATES if one not in PLACES]
    return WIDE - BOX[0], 40 + 110 * strangers.index(state)


def runs() -> list[Run]:
    """Every arrow of the machine that is no part of a frame."""
    return [Run(_path(came_from, to), said, came_from, to) for came_from, to, said in arrows()
            if not _framed(came_from, to)]  # fmt: skip


def frames() -> list[Frame]:
    """The frames, with what leads out of them: for each ending, from where and by which moves."""
    found = []
    for name, rect in FRAMES.items():
        leading: dict[str, list[str]] = {}
        for came_from, to, said in arrows():
            if _framed(came_from, to) and _ENDINGS[to] == name:
                leading.setdefault(to, []).append(f"{came_from}: {said}")
        bottom = rect[1] + rect[3]
        out = tuple(Run(_down(to, bottom), "; ".join(said), name, to) for to, said in leading.items())
        found.append(Frame(name, rect, out))
    return found


def _framed(came_from: str, to: str) -> bool:
    """Whether an arrow is drawn as part of a frame: it goes from a state inside to an ending."""
    if to not in _ENDINGS:
        return False
    return (came_from in NOT_YET_IN_FORCE) if _ENDINGS[to] == "open" else came_from not in NOT_YET_IN_FORCE


def _down(to: str, bottom: int) -> str:
    x, y = place(to)
    return f"M{x + BOX[0] // 2} {bottom}V{y - 2}"


def _path(came_from: str, to: str) -> str:
    if (came_from, to) in _RUNS:
        return _RUNS[came_from, to]
    (x, y), (to_x, to_y) = place(came_from), place(to)
    return f"M{x + BOX[0] // 2} {y + BOX[1]}L{to_x + BOX[0] // 2} {to_y}"


# -- charts ------------------------------------------------------------------------------------------------------

CHART = (240, 64)  # of a small chart: wide, high; who came stands above the line, who left below it


@dataclass(frozen=True, slots=True)
class Bar:
    """A bar of a chart, in the chart's own units."""

    x: float
    y: float
    wide: float
    high: float


def bars(comings: Sequence[int], goings: Sequence[int], most: int) -> tuple[list[Bar], list[Bar]]:
    """Those who came upwards, those who left downwards, from the middle; `most` fills half the chart."""
    wide, half = CHART[0] / max(1, len(comings)), CHART[1] / 2
    up = [_bar(n, count / max(1, most) * (half - 1), wide, half, -1) for n, count in enumerate(comings)]
    down = [_bar(n, count / max(1, most) * (half - 1), wide, half, 1) for n, count in enumerate(goings)]
    return [bar for bar in up if bar.high], [bar for bar in down if bar.high]


def _bar(n: int, high: float, wide: float, half: float, way: int) -> Bar:
    high = max(high, 2.0) if high else 0.0  # even one in a thousand can be seen
    return Bar(round(n * wide + 1, 1), round(half - high if way < 0 else half, 1), round(wide - 2, 1), round(high, 1))


LIFE = (1200, 92)  # of a life drawn: wide, high
LEAST = 92  # the narrowest piece that holds its words
LETTER = 9  # how wide one Latin letter of the words is


def pieces(stretches: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """A life from left to right: each stay in a state with `x` and `wide`, by the logarithm of how long it was.

    A life cannot be drawn to scale: it has stays of seconds beside stays of months.
    """
    if not stretches:
        return []
    least = min(LEAST, LIFE[0] / len(stretches))
    weights = [log1p(one["seconds"]) for one in stretches]
    whole, rest = sum(weights) or 1.0, LIFE[0] - least * len(stretches)
    found, x = [], 0.0
    for one, weight in zip(stretches, weights, strict=True):
        wide = least + rest * weight / whole
        found.append(dict(one) | {"x": round(x, 1), "wide": round(wide, 1)})
        x += wide
    return found


def lines(words: str, wide: float) -> tuple[str, ...]:
    """The words of a piece, on two lines if one would be too long."""
    first, _, last = words.rpartition(" ")
    return (first, last) if first and len(words) * LETTER > wide else (words,)
