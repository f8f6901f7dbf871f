"""What the demo shows: each story as it ends, then every application with the way it went and why."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from threading import Lock

from rich.markup import escape

from cli.demo.channel_app import View
from cli.demo.town import Ending
from cli.screen import console, say, table
from policies.calendar import shanghai_day


@dataclass
class Progress:
    """Tells each story once it has ended; stories may end in several threads."""

    of: int
    done: int = 0
    failed: int = 0
    begun: float = field(default_factory=time.monotonic)
    _lock: Lock = field(default_factory=Lock)

    @property
    def complete(self) -> bool:
        """Whether all have been told to their end."""
        return self.done == self.of

    def ended(self, title: str, otherwise: str | None) -> None:
        """One more story is over; `otherwise` says how it went wrong, None that it did not."""
        with self._lock:
            self.done += 1
            self.failed += otherwise is not None
            mark = "[red]✗[/red]" if otherwise else "[green]✓[/green]"
            place = f"{self.done:>2}/{self.of} {time.monotonic() - self.begun:4.0f} s"
            console().print(f"{mark} {place}  {escape(title)}")
            if otherwise:
                console().print(f"    [red]{escape(otherwise)}[/red]")


@dataclass(frozen=True, slots=True)
class Row:
    """One application as it stands when the day is over."""

    ending: Ending
    view: View | None
    way: str  # the states it went through
    why: str

    @property
    def otherwise(self) -> str | None:
        """How it differs from what its story says; None when it does not."""
        if self.view is None or self.view["state"] == self.ending.state:
            return None
        return f"{self.ending.who}: {self.view['id']} is {self.view['state']}, expected {self.ending.state}"


def look_back(endings: Sequence[Ending]) -> list[Row]:
    """Read every binding and its timeline as its own app sees them."""
    return [_row(ending) for ending in endings]


def _row(ending: Ending) -> Row:
    if ending.binding_id is None:
        return Row(ending, None, "", ending.refusal)
    view = ending.app.view(ending.binding_id)
    lines = ending.app.get(f"/v1/bindings/{ending.binding_id}/timeline")["items"]
    states = [line["to"] for n, line in enumerate(lines) if n == 0 or line["to"] != lines[n - 1]["to"]]
    reasons = dict.fromkeys(line["reason"] for line in lines if line["reason"])
    return Row(ending, view, " → ".join(states), ", ".join([*reasons, *_waits(view)]))


def _waits(view: View) -> list[str]:
    """For what a binding that is on its way waits, and until which day in China."""
    waiting = view["waiting_on"]
    if not waiting or not waiting["until"]:
        return []
    last = datetime.fromisoformat(waiting["until"]) - timedelta(microseconds=1)  # a working day ends at 24:00
    return [f"waits for {waiting['for']} until {shanghai_day(last)}"]


def outcome(rows: Sequence[Row]) -> None:
    """The table of what happened to each application and why, in the state words of the API."""
    say("")
    heads = ("application", "product, method", "channel, region", "states it went through", "why")
    table(heads, (_cells(row) for row in rows))


def _cells(row: Row) -> tuple[str, str, str, str, str]:
    if row.view is None:
        return row.ending.who, "", "", "refused at the door", row.why
    view = row.view
    kind, place = f"{view['product']}\n{view['method']}", f"{view['channel']}\n{view['region']}"
    return row.ending.who, kind, place, row.way, row.why


def address(base: str, binding_id: str) -> None:
    """How to go on by hand."""
    say("")
    say(f"The service is at {base} (documentation at {base}/docs) until Ctrl-C.")
    say(f"The console for staff is at {base}/console/; in this sandbox they come in by one click.")
    say("Keys: sandbox-<channel>, e.g. sandbox-alipay; sandbox-reviewer, sandbox-counter, sandbox-operator,")
    say("sandbox-supervisor, a second of each as sandbox-reviewer-2, and sandbox-reviewer-suzhou,")
    say("to whom only Suzhou is open. A first call:")
    say("")
    say(f"  curl -s -H 'Authorization: Bearer sandbox-alipay' {base}/v1/bindings/{binding_id}")
    say("")
