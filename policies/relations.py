"""What the member is to the holder, in the API's words and as a code of GB/T 4761-2008 (DOMAIN §C.6)."""

from __future__ import annotations

from typing import get_args

from policies.words import Relationship

RELATIONSHIPS: tuple[str, ...] = get_args(Relationship)

# The codes that we write; a ward has none, and for others there is one besides.
_CODES = {
    "SPOUSE": "10",
    "CHILD": "20",
    "PARENT": "50",
    "PARENT_IN_LAW": "53",
    "SIBLING": "70",
    "GRANDPARENT": "60",
    "GRANDCHILD": "40",
}


def to_gbt4761(relationship: str) -> str | None:
    """Return the two-digit code of a relationship; None for a ward, who has none; "97" for others."""
    if relationship == "WARD":
        return None
    return _CODES.get(relationship, "97")
