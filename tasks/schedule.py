"""The one schedule: how often each errand is called for, in seconds, and how long the call stands.

A call is a hint: it carries nothing, is no ETA, and may be lost or doubled. One that nobody took in time is worth
nothing any more, since the next has been sent.
"""

from __future__ import annotations

from typing import Any

QUEUE = "kinbind"
MOST_WAITING = 200  # hints in the broker; while workers are away no more are sent
# errand: (every so many seconds, given up after so many)
EVERY: dict[str, tuple[float, float]] = {
    "sweep": (1, 10),
    "ask_registries": (1, 10),
    "poll_faces": (1, 10),
    "deliver": (1, 10),
    "watch_outages": (10, 30),
    "recheck_insurance": (10, 30),
    "heartbeat": (10, 30),
    "keep_up": (1800, 600),
}


def beat_schedule() -> dict[str, dict[str, Any]]:
    """The same in Celery's words."""
    return {
        name: {"task": f"kinbind.{name}", "schedule": every, "options": {"expires": given_up, "queue": QUEUE}}
        for name, (every, given_up) in EVERY.items()
    }
