"""What drills have in common: how long they may be, the auditor's word at the end, and the figures they print."""

import os
import time
from collections.abc import Callable

from cli.checking.audit import examine
from cli.checking.findings import Findings

LONG = os.environ.get("KINBIND_DRILLS") == "long"  # `make drills`; the short forms run with every `make test`
PATIENCE = 60.0  # seconds for what takes one or two on a machine with nothing else to do


def size(short: int, long: int) -> int:
    """How many, or how long, in this run."""
    return long if LONG else short


def prove(url: str, *, settled: bool = True) -> Findings:
    """The auditor finds no fault in this ledger; what he counted is printed."""
    found = examine(url, settled=settled)
    assert not found.faults, found.lines()
    told = (f"{name} {number:,}" for name, number in sorted(found.counted.items()) if not name.startswith("state "))
    figures("audited", ", ".join(told))
    return found


def record(name: str, told: object) -> None:
    """Put by conftest.py in its place: the report of the test that is running.

    Outside a drill there is no report: a figure that would be lost is a fault.
    """
    raise NotImplementedError(name, told)


def figures(what: str, told: object) -> None:
    """A figure, shown at the end of the run."""
    shown = told if not isinstance(told, dict) else ", ".join(f"{name} {number:,}" for name, number in told.items())
    record("drill", f"{what}: {shown}")


def until(holds: Callable[[], object], what: str, seconds: float = PATIENCE) -> float:
    """Wait for something that real processes do; how long it took, in seconds."""
    begun = time.monotonic()
    while not holds():
        assert time.monotonic() - begun < seconds, f"not within {seconds:g} s: {what}"
        time.sleep(0.05)
    return time.monotonic() - begun
