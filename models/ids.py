"""Public ids: a prefix that says what it is, then a ULID (48 bits of milliseconds, 80 random bits)."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime

_ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"  # Crockford's base 32: no I, L, O, U

_bits: Callable[[int], int] = secrets.randbits


@contextmanager
def drawn_from(bits: Callable[[int], int]) -> Iterator[None]:
    """Let `bits` (a count in, a number out) make all ids of this process: for simulations that must be repeatable."""
    global _bits  # noqa: PLW0603  one process has one source
    before, _bits = _bits, bits
    try:
        yield
    finally:
        _bits = before


def _base32(number: int, length: int) -> str:
    return "".join(_ALPHABET[(number >> shift) & 31] for shift in range(5 * (length - 1), -1, -5))


def new_id(prefix: str, now: datetime) -> str:
    """Make an id such as `bnd_01JD…` (prefix, underscore, 26 characters), ordered by `now` in milliseconds."""
    stamp = int(now.timestamp() * 1000)
    return f"{prefix}_{_base32((stamp << 80) | _bits(80), 26)}"


def first_id(prefix: str, at: datetime) -> str:
    """The least id of this kind that can be made at `at`: where to begin in an order by id, to look by time."""
    return f"{prefix}_{_base32(int(at.timestamp() * 1000) << 80, 26)}"


def short_code() -> str:
    """Make a code of eight signs that a person can read out at a window."""
    return _base32(_bits(40), 8)
