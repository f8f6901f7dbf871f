"""What a search by number has found, at an address for a quarter of an hour: sealed, and for whoever has searched.

A number stands in no address, so the boxes are posted; what they find is a page like any other, to be come back to.
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
    """How an address asks for these facts of a search, of which no number is one; `room` is where it was made."""
    body = orjson.dumps({"until": visit.office.ledger.now() + LASTS, "facts": dict(facts)})
    sealed = visit.office.desk.keys.seal(body, _context(visit, room))
    return {"found": base64.urlsafe_b64encode(sealed).decode().rstrip("=")}


def told(visit: Visit, room: str, found: str) -> dict[str, Any] | None:
    """The facts of a search; None where it is over, another's, or none of ours."""
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
    """How a list is answered: found, nothing found, or over."""
    return 410 if told is None else 200 if items else 404


def _context(visit: Visit, room: str) -> str:
    return f"search:{room}:{visit.principal.id}"
