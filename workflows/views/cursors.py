"""Where a page ended, as an opaque word: a list goes on after that row, whatever was added or removed meanwhile."""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

import orjson

from workflows.errors import Refused

MOST = 400  # characters of a cursor


def page(rows: Sequence[Mapping[Any, Any]], limit: int, *place: str) -> dict[str, Any]:
    """One page of a list, `{items, next_cursor}`. The query asked for `limit + 1` rows: one too many means more follow.

    `place` names the columns by which the list is sorted.
    """
    last = rows[limit - 1] if len(rows) > limit else None
    return {"items": [dict(row) for row in rows[:limit]],
            "next_cursor": encode(*(last[name] for name in place)) if last else None}  # fmt: skip


def encode(*place: str | int | datetime) -> str:
    """The cursor behind the row with these sorting values."""
    return base64.urlsafe_b64encode(orjson.dumps(place)).decode().rstrip("=")


def decode(cursor: str, *kinds: type) -> tuple[Any, ...]:
    """The sorting values of a cursor that `encode` made, of these kinds. Raises `Refused` with `cursor_invalid`."""
    try:
        return tuple(_one(value, kind) for value, kind in zip(_values(cursor), kinds, strict=True))
    except (ValueError, TypeError):
        raise invalid() from None


def invalid() -> Refused:
    """The refusal of what is no cursor of ours, or of another list."""
    return Refused("cursor_invalid", 400)


def _values(cursor: str) -> list[Any]:
    values = orjson.loads(base64.b64decode(cursor + "=" * (-len(cursor) % 4), b"-_", validate=True))
    if len(cursor) > MOST or not isinstance(values, list):
        raise ValueError
    return values


def _one(value: Any, kind: type) -> Any:
    if kind is datetime:
        moment = datetime.fromisoformat(value)
        if moment.tzinfo is None:
            raise ValueError
        return moment
    if type(value) is not kind:
        raise TypeError
    if isinstance(value, str) and "\0" in value:
        raise ValueError
    if isinstance(value, int) and not 0 <= value < 2**63:
        raise ValueError
    return value
