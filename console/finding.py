"""What a search by number has found, kept in an address for a quarter of an hour: sealed, for who searched only.

Numbers must not stand in addresses, so search boxes are posted; but what they find is a page that one can return to.
"""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

import orjson

from console.visit import Visit
from models.keyring import KeyUnknownError, SealBrokenError
from workflows.views import reviewing

LASTS = timedelta(minutes=15)
MOST = 2000  # characters of an address


def at(visit: Visit, room: str, facts: Mapping[str, Any]) -> Mapping[str, str]:
    """The part of an address that holds these facts of a search (never a number); `room` is where it was made."""
    body = orjson.dumps({"until": visit.office.ledger.now() + LASTS, "facts": dict(facts)})
    sealed = visit.office.desk.keys.seal(body, _context(visit, room))
    return {"found": base64.urlsafe_b64encode(sealed).decode().rstrip("=")}


def told(visit: Visit, room: str, found: str) -> dict[str, Any] | None:
    """The facts of a search; None if it is over, another person's, or not ours at all."""
    try:
        sealed = base64.b64decode(found + "=" * (-len(found) % 4), b"-_", validate=True)
        body = orjson.loads(visit.office.desk.keys.open(sealed, _context(visit, room)))
    except (KeyUnknownError, SealBrokenError, ValueError):
        return None
    facts: dict[str, Any] = body["facts"]
    return facts if visit.office.ledger.now() < datetime.fromisoformat(body["until"]) else None


def of_persons(visit: Visit, told: Mapping[str, Any] | None) -> list[dict[str, Any]]:
    """The bindings of those whom a number has led to, as far as this member of staff may see them."""
    persons = told["persons"] if told else ()
    return reviewing.of_persons(visit.office.desk, visit.actor(), persons) if persons else []


def status(told: Mapping[str, Any] | None, items: Sequence[Any]) -> int:
    """The status of a list: found (200), nothing found (404), or over (410)."""
    return 410 if told is None else 200 if items else 404


def _context(visit: Visit, room: str) -> str:
    return f"search:{room}:{visit.principal.id}"
