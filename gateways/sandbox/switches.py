"""Switches for drills: take an opening down, or make it slow, for all processes at once."""

from __future__ import annotations

import time
from typing import Literal

from gateways.sandbox import Pool

Opening = Literal["faces", "registries"]
Mode = Literal["up", "down", "slow"]

PATIENCE_SECONDS = 5.0  # what a real adapter would wait before it calls the other side down


def switch(pool: Pool, opening: Opening, mode: Mode, seconds: float = 0) -> None:
    """Set an opening `up`, `down`, or `slow` by real `seconds` a call (over 5 s is as good as down)."""
    with pool.connection() as connection:
        connection.execute(
            "insert into sandbox.switches (opening, mode, seconds) values (%s, %s, %s)"
            " on conflict (opening) do update set mode = excluded.mode, seconds = excluded.seconds",
            (opening, mode, seconds),
        )


def answers(pool: Pool, opening: Opening) -> bool:
    """Whether the opening answers, after as long as it takes; no connection is held meanwhile."""
    with pool.connection() as connection:
        row = connection.execute("select mode, seconds from sandbox.switches where opening = %s", (opening,)).fetchone()
    mode, seconds = row or ("up", 0.0)
    if mode == "slow":
        time.sleep(min(seconds, PATIENCE_SECONDS))
        return bool(seconds <= PATIENCE_SECONDS)
    return bool(mode == "up")
