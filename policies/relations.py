"""What the member is to the holder, in the API's words and in GB/T 4761-2008 (DOMAIN §C.6)."""

from __future__ import annotations

RELATIONSHIPS = (
    "SPOUSE",
    "CHILD",
    "PARENT",
    "SIBLING",
    "GRANDPARENT",
    "GRANDCHILD",
    "PARENT_IN_LAW",
    "WARD",
    "OTHER",
)

# The first code of each is the one we write. 28 and 38 are in-laws, so they are not children.
_CODES: dict[str, tuple[str, ...]] = {
    "SPOUSE": ("10", "11", "12"),
    "CHILD": (*(str(n) for n in range(20, 28)), *(str(n) for n in range(30, 38))),
    "PARENT": ("50", "51", "52", "57", "58"),
    "PARENT_IN_LAW": ("53", "54", "55", "56"),
    "SIBLING": ("70", "71", "73", "75", "77"),
    "GRANDPARENT": ("60", "61", "62", "63", "64"),
    "GRANDCHILD": ("40", "41", "42", "43", "44"),
}
_BY_CODE = {code: name for name, codes in _CODES.items() for code in codes}
# A code of one digit is the head of its group; 1 spouse … 8 other.
_ONE_DIGIT = {
    "1": "SPOUSE",
    "2": "CHILD",
    "3": "CHILD",
    "4": "GRANDCHILD",
    "5": "PARENT",
    "6": "GRANDPARENT",
    "7": "SIBLING",
}
_MIRROR = {
    "CHILD": "PARENT",
    "PARENT": "CHILD",
    "GRANDPARENT": "GRANDCHILD",
    "GRANDCHILD": "GRANDPARENT",
    "SPOUSE": "SPOUSE",
    "SIBLING": "SIBLING",
}


def from_gbt4761(code: str) -> str:
    """Return the API's word for a code of one or two digits; "OTHER" for what has no word of its own.

    Raises `ValueError` for 0 and 01, the person himself: nobody is his own relative.
    """
    if code in {"0", "01"} or not code.isdigit():
        raise ValueError(f"no relationship: {code}")
    return _ONE_DIGIT.get(code) or _BY_CODE.get(code, "OTHER")


def to_gbt4761(relationship: str) -> str | None:
    """Return the two-digit code of a relationship; None for a ward, who has none; "97" for others."""
    if relationship == "WARD":
        return None
    return _CODES.get(relationship, ("97",))[0]


def mirror(relationship: str) -> str:
    """Return what the holder is to the member.

    Bindings are stored as "the member is the holder's X", and the contract knows no other direction, whoever applies.
    A channel whose own pages say it the other way round (F94) has it mirrored once, by its adapter. Parents-in-law
    and wards have no word in the other direction: "OTHER".
    """
    return _MIRROR.get(relationship, "OTHER")
