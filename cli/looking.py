"""Commands that only look: where a binding is, what happened to it, and how every binding may go."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Annotated, Any

import typer

from cli import places
from cli.screen import say, table
from policies.calendar import SHANGHAI
from workflows import diagram as machine
from workflows.case import SYSTEM
from workflows.views import listing, public
from workflows.views.explaining import explain as explain_case

BindingId = Annotated[str, typer.Argument(metavar="ID", help="The binding's id, bnd_….")]


def explain(binding_id: BindingId) -> None:
    """Where a binding is, whom it is waiting on, until when, and what happens then."""
    with places.desk() as desk:
        case, now = places.look(desk, binding_id)
        zh, en = explain_case(case, now, desk.book)
    say(zh)
    say(en)


def show(binding_id: BindingId) -> None:
    """The binding as its channel sees it, masked, and every line of its history."""
    with places.desk() as desk:
        case, now = places.look(desk, binding_id)
        lines = listing.timeline(desk.ledger, binding_id, SYSTEM)
    for name, value in public.public_view(case, now).items():
        for line in _nested(name, value):
            say(line)
    say("")
    heads = ("at", "event", "from", "to", "actor", "reason")
    table(heads, ([plain(line[head]) for head in heads] for line in lines))


def diagram() -> None:
    """The machine as a Mermaid state diagram, made from the table of moves."""
    print(machine.mermaid())


def _nested(name: str, value: Any, depth: int = 0) -> Iterator[str]:
    """A field as lines: what it holds is indented below it, what is several is numbered; single words on one line."""
    head = "  " * depth + name
    inside: dict[str, Any] = {}
    if isinstance(value, Mapping):
        inside = dict(value)
    elif isinstance(value, list | tuple) and any(isinstance(one, Mapping | list | tuple) for one in value):
        inside = {str(number): one for number, one in enumerate(value, 1)}
    elif isinstance(value, list | tuple):
        value = ", ".join(plain(one) for one in value)
    yield head if inside else f"{head:<18} {'-' if value in ('', {}) else plain(value)}"
    for one, held in inside.items():
        yield from _nested(one, held, depth + 1)


def plain(value: Any) -> str:
    """A value as a person reads it: times in Shanghai, nothing as a dash."""
    if value is None:
        return "-"
    if hasattr(value, "astimezone"):
        return f"{value.astimezone(SHANGHAI):%Y-%m-%d %H:%M:%S %z}"
    return value if isinstance(value, str) else public.dumps(value).decode()
