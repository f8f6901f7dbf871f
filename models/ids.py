"""Public ids: a prefix that says what it is, then a ULID (48 bits of milliseconds, 80 random bits)."""

from __future__ import annotations

import secrets
from datetime import datetime

_ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"  # Crockford's base 32: no I, L, O, U


def _base32(number: int, length: int) -> str:
    return "".join(_ALPHABET[(number >> shift) & 31] for shift in range(5 * (length - 1), -1, -5))


def new_id(prefix: str, now: datetime) -> str:
    """Make an id such as `bnd_01JD…` (prefix, underscore, 26 characters), ordered by `now` in milliseconds."""
    stamp = int(now.timestamp() * 1000)
    return f"{prefix}_{_base32((stamp << 80) | secrets.randbits(80), 26)}"


def short_code(length: int = 8) -> str:
    """Make a code that a person can read out at a window."""
    return _base32(secrets.randbits(5 * length), length)
