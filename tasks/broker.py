"""The broker as whoever sends a hint finds it."""

from __future__ import annotations

from typing import Any

KEPT = 60  # seconds


def leave_a_word(client: Any) -> None:
    """Write something small for a minute: a full broker answers, and takes no hint.

    Raises `redis.exceptions.OutOfMemoryError` for one, and what the client raises for one that is away.
    """
    client.set("kinbind.trial", "", ex=KEPT)
