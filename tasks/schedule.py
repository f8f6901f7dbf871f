"""The one schedule: how often each errand is called for, in seconds.

A call is a hint: it carries no data and no time, and may be lost or doubled. It does not expire either: the time would
be by beat's clock, and a worker whose clock is ahead would throw every hint away (`tests/drills/test_clocks.py`).
"""

from __future__ import annotations

from typing import Any

QUEUE = "kinbind"
MOST_WAITING = 200  # hints in the broker; while workers are away no more are sent
# errand: every so many seconds
EVERY: dict[str, float] = {
    "sweep": 1,
    "send_decisions": 1,
    "ask_registries": 1,
    "poll_faces": 1,
    "deliver": 1,
    "carry_repairs": 1,
    "watch_outages": 10,
    "watch_stuck": 10,
    "recheck_insurance": 10,
    "heartbeat": 10,
    "keep_up": 1800,
}


def beat_schedule() -> dict[str, dict[str, Any]]:
    """The same in Celery's words."""
    return {
        name: {"task": f"kinbind.{name}", "schedule": every, "options": {"queue": QUEUE}}
        for name, every in EVERY.items()
    }
