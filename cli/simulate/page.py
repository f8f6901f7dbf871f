"""The report of a simulation as one HTML file: tables and inline SVG, no script, nothing fetched."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from html import escape

from cli.simulate.run import Result

_WIDTH, _HEIGHT, _LEFT = 860, 220, 48
_COLOURS = {"submitted": "#1f5fa8", "activated": "#2a7d46", "routed_offline": "#b3541e", "review_begun": "#6b4fa0",
            "unbound": "#555555"}  # fmt: skip
_STYLE = """
body { font: 16px/1.5 "PingFang SC", "Microsoft YaHei", "Noto Sans CJK SC", system-ui, sans-serif; color: #1b1b1b;
  max-width: 900px; margin: 2rem auto; padding: 0 1rem; }
table { border-collapse: collapse; margin: .5rem 0 1.5rem; } th, td { padding: .25rem .8rem; text-align: right;
  border-bottom: 1px solid #ddd; } th:first-child, td:first-child { text-align: left; } h2 { margin-top: 2rem; }
figure { margin: 0 } .key span { margin-right: 1.2rem } .fault { color: #a3141c; font-weight: 600 }
"""


def page(result: Result) -> str:
    """The whole report."""
    scale, found, figures = result.scale, result.findings, result.figures
    faults = sum(found.faults.values())
    title = f"kinbind: {scale.bindings:,} applications in {scale.days} days, seed {scale.seed}"
    verdict = f'<p class="fault">{faults} faults</p>' if faults else "<p>The auditor found no fault.</p>"
    parts = [
        f"<h1>{escape(title)}</h1>", verdict,
        f"<p>Digest of all histories: <code>{found.digest}</code></p>",
        "<h2>每日办理量 · Each day</h2>", _chart(figures.by_day),
        "<h2>各环节用时 · How long a stage takes</h2>",
        _table(("stage", "passed through", "median", "nine in ten within", "longest"),
               ((state, f"{number:,}", *map(_span, times)) for state, number, *times in figures.waits)),
        "<h2>转线下的原因与结果 · Who went offline, and what became of it</h2>",
        _table(("why", "applications", "in force or once so", "rejected", "expired", "still waiting"), figures.offline),
        "<h2>逾期 · Breaches</h2>", _table(("what", "number"), figures.breaches),
        "<h2>现状 · Where everybody is</h2>", _table(("product", "state", "number"), figures.states),
        "<h2>结束原因 · Why</h2>", _table(("state", "reason", "number"), figures.reasons),
        "<h2>被拒的请求 · Refused at the door</h2>", _table(("said: code", "number"), result.refused.most_common()),
        "<h2>注入的故障 · What was done to it</h2>", _table(("what", "number"), sorted(result.counted.items())),
        "<h2>核对 · What the auditor counted</h2>", _table(("what", "number"), sorted(found.counted.items())),
    ]  # fmt: skip
    head = f'<meta charset="utf-8"><title>{escape(title)}</title><style>{_STYLE}</style>'
    return f'<!doctype html><html lang="zh-CN"><head>{head}</head><body>{"".join(parts)}</body></html>\n'


def _table(heads: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    top = "".join(f'<th scope="col">{escape(head)}</th>' for head in heads)
    body = "".join(f"<tr>{''.join(f'<td>{escape(_plain(cell))}</td>' for cell in row)}</tr>" for row in rows)
    return f"<table><thead><tr>{top}</tr></thead><tbody>{body}</tbody></table>"


def _plain(cell: object) -> str:
    return f"{cell:,}" if isinstance(cell, int) else str(cell)


def _span(seconds: float) -> str:
    """A length of time in the largest fitting unit."""
    units = (("d", 86400.0), ("h", 3600.0), ("min", 60.0))
    return next((f"{seconds / size:.1f} {unit}" for unit, size in units if seconds >= size), f"{seconds:.0f} s")


def _chart(by_day: Sequence[Sequence[object]]) -> str:
    """Lines over the days, one for each event."""
    days = sorted({str(day) for day, *_ in by_day})
    lines: dict[str, dict[str, int]] = defaultdict(dict)
    for day, event, number in by_day:
        lines[str(event)][str(day)] = int(str(number))
    top = max((number for line in lines.values() for number in line.values()), default=1)
    drawn = [_grid(top), *(_line(days, line, top, _COLOURS[event]) for event, line in sorted(lines.items()))]
    labels = "".join(
        f'<text x="{_x(days, day):.0f}" y="{_HEIGHT + 18}" font-size="12" text-anchor="middle">{day}</text>'
        for day in days[:: max(1, len(days) // 10)]
    )
    key = "".join(f'<span style="color:{_COLOURS[event]}">■ {event}</span>' for event in sorted(lines))
    box = f'viewBox="0 0 {_WIDTH} {_HEIGHT + 26}" width="100%" role="img" aria-label="events of each day"'
    return f'<figure><svg {box}>{"".join(drawn)}{labels}</svg><figcaption class="key">{key}</figcaption></figure>'


def _x(days: Sequence[str], day: str) -> float:
    return _LEFT + days.index(day) * (_WIDTH - _LEFT - 24) / max(1, len(days) - 1)


def _grid(top: int) -> str:
    marks = []
    for part in (0, 0.5, 1):
        y = _HEIGHT - part * (_HEIGHT - 10)
        marks.append(f'<line x1="{_LEFT}" x2="{_WIDTH}" y1="{y}" y2="{y}" stroke="#ddd"/>')
        marks.append(f'<text x="{_LEFT - 6}" y="{y + 4}" font-size="12" text-anchor="end">{round(top * part):,}</text>')
    return "".join(marks)


def _line(days: Sequence[str], line: dict[str, int], top: int, colour: str) -> str:
    points = " ".join(f"{_x(days, day):.1f},{_HEIGHT - line.get(day, 0) / top * (_HEIGHT - 10):.1f}" for day in days)
    return f'<polyline points="{points}" fill="none" stroke="{colour}" stroke-width="2"/>'
