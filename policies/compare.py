"""The difference between two plans of the same application, line by line."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, fields, is_dataclass
from typing import Any

import orjson

from policies.plan import Plan, Span

_NAMES = frozenset({"pack", "version"})  # names of the law: they treat nobody differently


@dataclass(frozen=True, slots=True)
class Difference:
    """One line of a plan that two laws write differently; None where a law does not have the line."""

    part: str  # of the plan: "face.window_hours", "deadlines.review_to_decision"
    old: str | None  # as canonical JSON, as `Because.value`
    new: str | None

    def __str__(self) -> str:
        """The line in words: part, what it was, what it would be."""
        return f"{self.part}: {self.old or 'none'} → {self.new or 'none'}"


def differences(old: Plan, new: Plan) -> tuple[Difference, ...]:
    """Return the lines in which two plans differ, in the order of the plan; () where they treat a case alike.

    The names of pack and version are no difference: a new version that says the same changes nothing for anybody.
    """
    before, after = lines_of(old), lines_of(new)
    parts = dict.fromkeys((*before, *after))
    return tuple(
        Difference(part, before.get(part), after.get(part)) for part in parts if before.get(part) != after.get(part)
    )


def lines_of(plan: Plan) -> dict[str, str]:
    """Return every line of a plan as canonical JSON by its dotted name; a list or a length of time is one line."""
    return {part: as_json(value) for part, value in _lines("", plan) if part not in _NAMES}


def as_json(value: object) -> str:
    """A value of a plan as canonical JSON."""
    return orjson.dumps(value, option=orjson.OPT_SORT_KEYS).decode()


def _lines(above: str, value: Any) -> Iterator[tuple[str, Any]]:
    for name, inner in _members(value):
        part = f"{above}.{name}" if above else name
        if isinstance(inner, Mapping) or (is_dataclass(inner) and not isinstance(inner, Span)):
            yield from _lines(part, inner)
        else:
            yield part, inner


def _members(value: Any) -> Iterator[tuple[str, Any]]:
    if isinstance(value, Mapping):
        yield from sorted(value.items())
        return
    named = (field.name for field in fields(value) if not field.name.startswith("_"))  # what is kept beside is no line
    yield from ((name, getattr(value, name)) for name in named)
