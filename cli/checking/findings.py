"""What an audit counted, and what it found wrong."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from datetime import datetime

MOST_TOLD = 50  # faults of one kind that are told with their place; all are counted


@dataclass
class Findings:
    """Counts by name, faults by kind; `settled`: nobody is at work, so that nothing may be under way."""

    now: datetime
    settled: bool
    counted: Counter[str] = field(default_factory=Counter)
    longest: dict[str, float] = field(default_factory=dict)  # seconds
    faults: Counter[str] = field(default_factory=Counter)
    told: list[str] = field(default_factory=list)
    digest: str = ""  # of all histories, hex

    def count(self, name: str, more: int = 1) -> None:
        """One more of this kind."""
        self.counted[name] += more

    def latest(self, name: str, seconds: float) -> None:
        """Keep the longest."""
        self.longest[name] = max(self.longest.get(name, 0.0), seconds)

    def fault(self, kind: str, binding_id: str, where: object = "") -> None:
        """Something that must never be."""
        self.faults[kind] += 1
        if self.faults[kind] <= MOST_TOLD:
            self.told.append(f"{kind} {binding_id} {where}".rstrip())

    def unsettled(self, kind: str, binding_id: str, where: object = "") -> None:
        """A fault only where nobody is at work any more."""
        if self.settled:
            self.fault(kind, binding_id, where)

    def lines(self) -> list[str]:
        """All of it, to be printed."""
        counted = [f"{name}: {number:,}" for name, number in sorted(self.counted.items())]
        longest = [f"{name}: {seconds:.1f} s at most" for name, seconds in sorted(self.longest.items())]
        verdict = f"{sum(self.faults.values())} faults" if self.faults else "no fault"
        return [*counted, *longest, f"digest of all histories: {self.digest}", verdict, *self.told]
