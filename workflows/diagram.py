"""The table of moves as a picture: a Mermaid state diagram for `docs/life.md`, and the table of deadlines beside it."""

from __future__ import annotations

from collections.abc import Iterator

from workflows.binding import MOVES, NOWHERE, REPAIRS, SAME, Move
from workflows.case import FINAL
from workflows.deadlines import DEADLINES

BEGIN, END = "<!-- generated from workflows: begin -->", "<!-- generated from workflows: end -->"


def arrows() -> list[tuple[str, str, str]]:
    """Every `(from, to, said)` of the law that changes the state, in the order of the table; repairs left out."""
    found: dict[tuple[str, str], list[str]] = {}
    # repairs lead from nearly all states to nearly all: they would hide the rest
    for move in (one for one in MOVES if one.said not in REPAIRS):
        for came_from in move.while_:
            for to in _becomes(move):
                said = found.setdefault((came_from, to), [])
                if to not in (SAME, came_from) and move.said not in said:
                    said.append(move.said)
    return [(came_from, to, ", ".join(said)) for (came_from, to), said in found.items() if said]


def _becomes(move: Move) -> list[str]:
    return [move.becomes] if isinstance(move.becomes, str) else [state for state, _ in move.becomes]


def mermaid() -> str:
    """The diagram; `[*]` stands before the submission and after each end."""
    lines = ["stateDiagram-v2"]
    for came_from, to, said in arrows():
        lines.append(f"    {'[*]' if came_from == NOWHERE else came_from} --> {to}: {said}")
    lines += [f"    {state} --> [*]" for state in FINAL]
    return "\n".join(lines)


def _rows() -> Iterator[str]:
    yield "| said | while | becomes | by |"
    yield "|---|---|---|---|"
    for move in MOVES:
        to = ", ".join("the same" if state == SAME else f"`{state}`" for state in _told_once(move))
        while_ = ", ".join("–" if state == NOWHERE else f"`{state}`" for state in move.while_)
        yield f"| {move.said} | {while_} | {to} | {', '.join(sorted(move.by))} |"


def _told_once(move: Move) -> list[str]:
    """What it becomes; where it is said in one state only, that state and the same are one."""
    becomes = list(dict.fromkeys(_becomes(move)))
    both = len(move.while_) == 1 and {SAME, move.while_[0]} <= set(becomes)
    return [state for state in becomes if not (both and state == SAME)]


def _deadlines() -> Iterator[str]:
    yield "| deadline | then the clock says |"
    yield "|---|---|"
    for deadline in DEADLINES:
        yield f"| {deadline.name} | {deadline.move or 'nothing: the hands ask again'} |"


def page() -> str:
    """What stands between the two marks of `docs/life.md`."""
    picture = f"```mermaid\n{mermaid()}\n```"
    return "\n".join([BEGIN, "", picture, "", *_rows(), "", *_deadlines(), "", END])


def renewed(text: str) -> str:
    """The page `text` with its generated part made anew. Raises `ValueError` where a mark is missing."""
    head, _, rest = text.partition(BEGIN)
    _, found, tail = rest.partition(END)
    if not found:
        raise ValueError("the page has lost its marks")
    return head + page() + tail


if __name__ == "__main__":
    from pathlib import Path

    life = Path(__file__).parent.parent / "docs" / "life.md"
    life.write_text(renewed(life.read_text(encoding="utf-8")), encoding="utf-8")
