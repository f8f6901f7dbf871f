"""The search box: what reviewers type, turned into a question to the work list."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import cast, get_args

from policies.calendar import shanghai_day
from policies.refusals import NotAllowed
from policies.words import Product
from workflows.access import acting
from workflows.engine import Desk
from workflows.errors import Refused
from workflows.views.worklists import Status, Wanted

TOKENS = ("is:overdue", "is:escalated", "is:unclaimed", "is:mine")
_BINDING = re.compile(r"bnd_[0-9A-Z]{26}")
_NUMBER = re.compile(r"[0-9A-Za-zＸｘ]{5,20}")
_CITIZEN = re.compile(r"[0-9]{17}[0-9XxＸｘ]")
LONGEST = 200


@dataclass(slots=True)
class Sought:
    """What was asked for: one case (`binding_id`), a number (`persons`, blind indexes), or a part of the list."""

    status: Status = "open"
    overdue: bool | None = None
    region: str | None = None
    product: str | None = None
    persons: Sequence[str] | None = None
    binding_id: str | None = None
    unknown: list[str] = field(default_factory=list)
    mistyped: bool = False  # 18 characters that are no valid number: not even shown again to be corrected

    @property
    def understood(self) -> bool:
        """Whether every word was understood; if not, nothing is listed."""
        return not self.unknown and not self.mistyped

    def wanted(self, cursor: str | None = None) -> Wanted:
        """The same as a question to the work list."""
        return Wanted(self.region, self.overdue, 50, cursor, self.product, self.persons)


def has_number(text: str) -> bool:
    """Whether something in it may be the number of a document: such words are sent in bodies only."""
    return any(_NUMBER.fullmatch(word) and any(sign.isdigit() for sign in word) for word in text.split())


def sought(desk: Desk, text: str) -> Sought:
    """Read a search; words that were not understood are in `unknown`."""
    found = Sought()
    for word in text[:LONGEST].split():
        name, colon, value = word.partition(":")
        read = _TOKENS.get(name) if colon else None
        if read(found, value) if read else _word(desk, found, word):
            continue
        if _CITIZEN.fullmatch(word):
            found.mistyped = True
        else:
            found.unknown.append(word)
    return found


def _is(found: Sought, value: str) -> bool:
    if value == "overdue":
        found.overdue = True
    elif value in get_args(Status):
        found.status = cast("Status", value)
    return value == "overdue" or value in get_args(Status)


def _region(found: Sought, value: str) -> bool:
    if re.fullmatch(r"(?:[0-9]{2}){1,3}", value):
        found.region = value.ljust(6, "0")
    return found.region is not None


def _product(found: Sought, value: str) -> bool:
    found.product = value if value in get_args(Product) else None
    return found.product is not None


def _word(desk: Desk, found: Sought, word: str) -> bool:
    binding_id = word[:4].lower() + word[4:].upper()
    if _BINDING.fullmatch(binding_id):
        found.binding_id = binding_id
        return True
    if not has_number(word):
        return False
    try:
        found.persons = acting.persons(desk.keys, word, "/q", shanghai_day(desk.ledger.now()))
    except (NotAllowed, Refused):
        return False
    return True


_TOKENS = {"is": _is, "region": _region, "product": _product}
