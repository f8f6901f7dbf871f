"""Charts as inline SVG: lines over days, bars beside each other, bars made of parts."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from html import escape

WIDTH, HEIGHT, LEFT = 860, 220, 48
_ROW, _LABEL, _NUMBER = 34, 230, 150  # of a bar's row: its height, the place for its name, and for what it comes to


def lines(days: Sequence[str], drawn: Sequence[tuple[str, str, Sequence[int]]]) -> str:
    """One line for each `(name, colour, a number for each day)`."""
    top = max((number for _, _, numbers in drawn for number in numbers), default=1) or 1
    shapes = [_grid(top)]
    for _, colour, numbers in drawn:
        points = " ".join(f"{_x(place, days):.1f},{_y(number / top):.1f}" for place, number in enumerate(numbers))
        shapes.append(f'<polyline points="{points}" fill="none" stroke="{colour}" stroke-width="2"/>')
    told = range(0, len(days), max(1, len(days) // 10))
    shapes += [_text(_x(place, days), HEIGHT + 18, days[place], "middle") for place in told]
    key = _key([(name, colour) for name, colour, _ in drawn])
    return _figure(HEIGHT + 26, shapes, "events of each day", key)


def bars(
    rows: Sequence[tuple[str, Sequence[float]]], key: Sequence[tuple[str, str]], told: Callable[[float], str]
) -> str:
    """Of each row thin bars one under another, in the key's colours, all on one scale."""
    top = max((number for _, numbers in rows for number in numbers), default=1) or 1
    shapes = []
    for place, (name, numbers) in enumerate(rows):
        y, thick = place * _ROW, (_ROW - 10) / len(key)
        shapes.append(_text(_LABEL - 8, y + _ROW / 2, name, "end"))
        for below, (number, (_, colour)) in enumerate(zip(numbers, key, strict=True)):
            shapes.append(_bar(_LABEL, y + below * thick, number / top, thick - 1, colour))
        shapes.append(_text(_LABEL + 8 + _full() * max(numbers) / top, y + _ROW / 2, " · ".join(map(told, numbers))))
    return _figure(len(rows) * _ROW, shapes, ", ".join(name for name, _ in key), _key(key))


def stacks(rows: Sequence[tuple[str, Sequence[int]]], key: Sequence[tuple[str, str]]) -> str:
    """Of each row one bar whose parts follow each other in the key's colours."""
    top = max((sum(numbers) for _, numbers in rows), default=1) or 1
    shapes = []
    for place, (name, numbers) in enumerate(rows):
        y, begin = place * _ROW, float(_LABEL)
        shapes.append(_text(_LABEL - 8, y + _ROW / 2, name, "end"))
        for number, (_, colour) in zip(numbers, key, strict=True):
            shapes.append(_bar(begin, y, number / top, _ROW - 12, colour))
            begin += _full() * number / top
        shapes.append(_text(begin + 8, y + _ROW / 2, f"{sum(numbers):,}"))
    return _figure(len(rows) * _ROW, shapes, ", ".join(name for name, _ in key), _key(key))


def _figure(height: float, shapes: Sequence[str], what: str, key: str) -> str:
    box = f'viewBox="0 0 {WIDTH} {height}" width="100%" role="img" aria-label="{escape(what)}"'
    return f'<figure><svg {box}>{"".join(shapes)}</svg><figcaption class="key">{key}</figcaption></figure>'


def _key(names: Sequence[tuple[str, str]]) -> str:
    return "".join(f'<span><i style="background:{colour}"></i>{escape(name)}</span>' for name, colour in names)


def _full() -> int:
    return WIDTH - _LABEL - _NUMBER


def _bar(x: float, y: float, share: float, thick: float, colour: str) -> str:
    width = max(_full() * share, 0.0)
    return f'<rect x="{x:.1f}" y="{y:.1f}" width="{width:.1f}" height="{thick:.1f}" fill="{colour}"/>'


def _text(x: float, y: float, said: str, anchor: str = "start") -> str:
    return f'<text x="{x:.0f}" y="{y:.0f}" font-size="13" text-anchor="{anchor}">{escape(said)}</text>'


def _grid(top: int) -> str:
    marks = []
    for part in (0.0, 0.5, 1.0):
        marks.append(f'<line x1="{LEFT}" x2="{WIDTH}" y1="{_y(part)}" y2="{_y(part)}" stroke="#ddd"/>')
        marks.append(_text(LEFT - 6, _y(part) + 4, f"{round(top * part):,}", "end"))
    return "".join(marks)


def _x(place: int, days: Sequence[str]) -> float:
    return LEFT + place * (WIDTH - LEFT - 24) / max(1, len(days) - 1)


def _y(share: float) -> float:
    return HEIGHT - share * (HEIGHT - 14)
