"""People who do not exist, with numbers that would pass every check."""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from datetime import date, timedelta
from threading import Lock
from typing import Any

from policies.people import make_id_number

_numbers = itertools.count(101, 2)
_one_at_a_time = Lock()


@dataclass(frozen=True, slots=True)
class Somebody:
    """One person: `born` and `region` (insured place) as the registries would have them."""

    name: str
    id_number: str | None
    born: date
    region: str
    id_type: str = "resident_id"

    def party(self) -> dict[str, Any]:
        """As an application names him."""
        named = {"name": self.name, "id_type": self.id_type, "insured_region": self.region}
        if self.id_number is None or self.id_type == "passport":
            named["birth_date"] = self.born.isoformat()
        return named | ({"id_number": self.id_number} if self.id_number else {})

    def outline(self) -> dict[str, Any]:
        """As much of him as the plan depends on."""
        return {"insured_region": self.region, "birth_date": self.born.isoformat(), "id_type": self.id_type}


def somebody(name: str, born: date, region: str) -> Somebody:
    """A citizen nobody else is: every call gives another number."""
    with _one_at_a_time:
        sequence = next(_numbers) % 1000
    return Somebody(name, make_id_number(f"{region[:4]}06", born, sequence), born, region)


def foreigner(name: str, born: date, region: str) -> Somebody:
    """A traveller, whose passport no camera of ours can compare."""
    with _one_at_a_time:
        return Somebody(name, f"E{next(_numbers):08d}", born, region, "passport")


def newborn(name: str, today: date, region: str) -> Somebody:
    """A baby of three weeks without a number of its own yet."""
    return Somebody(name, None, today - timedelta(days=21), region)


def years_old(age: int, today: date) -> date:
    """The birth date of somebody who turned `age` half a year ago."""
    return date(today.year - age, today.month, min(today.day, 28)) - timedelta(days=180)
