"""The report of a simulation as one HTML file: tables and inline SVG, no script, nothing fetched."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from html import escape

from cli.simulate import charts
from cli.simulate.figures import Figures, Rows
from cli.simulate.run import Result
from workflows.case import ACTIVE, FINAL
from workflows.views.explaining import STATES

_EVENTS = (
    ("submitted", "申请 applied", "#1f5fa8"),
    ("activated", "生效 in force", "#2a7d46"),
    ("review_begun", "转经办审核 to a reviewer", "#6b4fa0"),
    ("routed_offline", "转线下 to a counter", "#b3541e"),
    ("unbound", "解绑 ended", "#555555"),
)
_ENDS = (
    ("已生效（含其后） in force, or once so", "#2a7d46"),
    ("不予通过 rejected", "#a3141c"),
    ("过期或撤回 expired or withdrawn", "#8a8a8a"),
    ("尚在等待 still waiting", "#d8a13a"),
)
_WAITS = (("中位数 median", "#1f5fa8"), ("九成不超过 nine in ten within", "#a9c4e4"))
BREACHES = {
    "late_reviews": ("审核逾期", "reviews not decided in two working days"),
    "closed_windows": ("24小时人脸窗口关闭", "face windows of 24 hours that closed without a pass"),
    "silent_registries": ("登记机构三个工作日未答复", "registries silent for three working days"),
    "expired": ("申请过期", "applications that expired"),
    "held_windows": ("因服务中断顺延的人脸窗口", "face windows made longer for an outage"),
}
_PRODUCTS = {"family_account": "亲情账户 family account", "account_sharing": "共济账户 account sharing"}
_STYLE = """
body { font: 16px/1.5 "PingFang SC", "Microsoft YaHei", "Noto Sans CJK SC", system-ui, sans-serif; color: #1b1b1b;
  max-width: 960px; margin: 2rem auto; padding: 0 1rem; } h2 { margin-top: 2.5rem; } h3 { font-size: 1rem; }
table { border-collapse: collapse; margin: .5rem 0 1.5rem; } th, td { padding: .25rem .8rem; text-align: right;
  border-bottom: 1px solid #ddd; } th:first-child, td:first-child { text-align: left; } figure { margin: 1rem 0; }
.key span { margin-right: 1.2rem; } .key i { display: inline-block; width: .8em; height: .8em; margin-right: .4em; }
.fault { color: #a3141c; font-weight: 600; } dl { display: flex; flex-wrap: wrap; gap: 1rem; margin: 1.5rem 0; }
dl div { border: 1px solid #ddd; border-radius: 6px; padding: .6rem 1rem; min-width: 7.5rem; }
dt { font-size: .85rem; color: #555; } dd { margin: 0; font-size: 1.5rem; } code { overflow-wrap: anywhere; }
"""


def page(result: Result) -> str:
    """The whole report."""
    scale, found, figures = result.scale, result.findings, result.figures
    faults = sum(found.faults.values())
    title = f"{scale.days} 天 {scale.bindings:,} 件申请的模拟 · {scale.bindings:,} applications in {scale.days} days"
    verdict = f'<p class="fault">核对发现 {faults} 处错误 · {faults} faults</p>' if faults else (
        "<p>核对未发现错误 · The auditor found no fault.</p>")  # fmt: skip
    parts = [
        f"<h1>{escape(title)}</h1>", verdict, _headline(figures),
        "<h2>办理量 · Throughput by stage</h2>", _by_day(figures), _stages(figures, scale.days),
        "<h2>等待 · How long a stage takes</h2>", _waits(figures), _journeys(figures),
        "<h2>转线下的原因与结果 · Who went to a counter, why, and what became of it</h2>", _offline(figures),
        "<h2>逾期与中断 · Breaches</h2>", _breaches(figures),
        "<h2>结束与暂停的原因 · Why it ended or rests</h2>",
        _table(("状态 state", "原因 reason", "件数 number"),
               ((_state(state), _reason(figures, code), n) for state, code, n in figures.reasons)),
        "<h2>现状 · Where everybody is</h2>",
        _table(("产品 product", "状态 state", "件数 number"),
               ((_PRODUCTS.get(product, product), _state(state), n) for product, state, n in figures.states)),
        "<h2>这次模拟 · About this run</h2>",
        f"<p>种子 seed {scale.seed}；所有历史的摘要 digest of all histories <code>{found.digest}</code></p>",
        "<h3>注入的故障 · What was done to it</h3>", _table(("what", "number"), sorted(result.counted.items())),
        "<h3>被拒的请求 · Refused at the door</h3>", _table(("said: code", "number"), result.refused.most_common()),
        "<h3>核对 · What the auditor counted</h3>", _table(("what", "number"), sorted(found.counted.items())),
    ]  # fmt: skip
    head = f'<meta charset="utf-8"><title>{escape(title)}</title><style>{_STYLE}</style>'
    return f'<!doctype html><html lang="zh-CN"><head>{head}</head><body>{"".join(parts)}</body></html>\n'


def _headline(figures: Figures) -> str:
    """What is read aloud: how many came through, how fast, how many needed a counter."""
    events: dict[str, int] = {}
    for _, event, number in figures.by_day:
        events[event] = events.get(event, 0) + number
    applied, offline = events.get("submitted", 0), sum(row[1] for row in figures.offline)
    ended = {state: sum(row[2] for row in figures.states if row[1] == state) for state in FINAL}
    tiles = [
        ("申请 applied", f"{applied:,}"),
        ("已生效 came into force", f"{events.get('activated', 0):,} · {_share(events.get('activated', 0), applied)}"),
        ("转线下 went to a counter", f"{offline:,} · {_share(offline, applied)}"),
        *((f"{STATES[state][0]} {state}", f"{n:,} · {_share(n, applied)}") for state, n in ended.items()),
    ]
    return f"<dl>{''.join(f'<div><dt>{escape(name)}</dt><dd>{escape(told)}</dd></div>' for name, told in tiles)}</dl>"


def _by_day(figures: Figures) -> str:
    days = sorted({day for day, *_ in figures.by_day})
    counted = {(day, event): number for day, event, number in figures.by_day}
    drawn = [(name, colour, [counted.get((day, event), 0) for day in days]) for event, name, colour in _EVENTS]
    return charts.lines(days, drawn)


def _stages(figures: Figures, days: int) -> str:
    heads = (
        "环节 stage",
        "进入 came in",
        "每日平均 a day",
        "单日最多 most in a day",
        "离开 went on",
        "尚在 still there",
    )
    rows = ((_state(state), n, f"{n / days:,.1f}", most, gone, left)
            for state, n, gone, left, most in _in_order(figures.stages))  # fmt: skip
    return _table(heads, rows)


def _waits(figures: Figures) -> str:
    """A chart of what is waited for, and the table of all; rest in force is no wait."""
    rows = _in_order(figures.waits)
    shown = [(_state(state), (median, ninth)) for state, _, median, ninth, _ in rows if state != ACTIVE]
    heads = ("环节 stage", "件数 passed through", "中位数 median", "九成不超过 nine in ten within", "最长 longest")
    return charts.bars(shown, _WAITS, span) + _table(
        heads, ((_state(state), number, *map(span, times)) for state, number, *times in rows)
    )


def _journeys(figures: Figures) -> str:
    ways = {False: "线上 online", True: "经线下 over a counter"}
    heads = (
        "从申请到生效 from application to force",
        "途径 way",
        "件数 number",
        "中位数 median",
        "九成不超过 nine in ten within",
    )
    rows = ((_PRODUCTS.get(product, product), ways[offline], number, *map(span, times))
            for product, offline, number, *times in figures.journeys)  # fmt: skip
    return _table(heads, rows)


def _offline(figures: Figures) -> str:
    rows = [(_reason(figures, code, short=True), ends) for code, _, *ends in figures.offline]
    heads = ("原因 why", "件数 number", *(name for name, _ in _ENDS))
    return charts.stacks(rows, _ENDS) + _table(
        heads, ((_reason(figures, code), *numbers) for code, *numbers in figures.offline)
    )


def _breaches(figures: Figures) -> str:
    heads = ("事项 what", "件数 number", "涉及 of", "占比 share")
    rows = ((" ".join(BREACHES[what]), number, of, _share(number, of)) for what, number, of in figures.breaches)
    return _table(heads, rows)


def _in_order(rows: Rows) -> Rows:
    """By the way of a life, not by the alphabet; endings are no stages."""
    order = [state for state in STATES if state not in FINAL]
    return sorted((row for row in rows if row[0] in order), key=lambda row: order.index(row[0]))


def _state(state: object) -> str:
    zh, en = STATES.get(str(state), (str(state), ""))
    return f"{zh} {en}"


def _reason(figures: Figures, code: str, *, short: bool = False) -> str:
    zh, en = figures.words.get(code, (code, ""))
    return zh if short else f"{zh} {en}"


def _share(part: int, whole: int) -> str:
    return f"{100 * part / whole:.1f} %" if whole else "–"


def _table(heads: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    top = "".join(f'<th scope="col">{escape(head)}</th>' for head in heads)
    body = "".join(f"<tr>{''.join(f'<td>{escape(_plain(cell))}</td>' for cell in row)}</tr>" for row in rows)
    return f"<table><thead><tr>{top}</tr></thead><tbody>{body}</tbody></table>"


def _plain(cell: object) -> str:
    return f"{cell:,}" if isinstance(cell, int) else str(cell)


def span(seconds: float) -> str:
    """A length of time in the largest fitting unit."""
    units = (("天 d", 86400.0), ("小时 h", 3600.0), ("分 min", 60.0))
    return next((f"{seconds / size:.1f} {unit}" for unit, size in units if seconds >= size), f"{seconds:.0f} 秒 s")
