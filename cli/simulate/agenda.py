"""What is going to happen, in the order of its times; of two at one time, what was noted first."""

from __future__ import annotations

import heapq
from datetime import datetime
from itertools import count
from typing import Generic, TypeVar

T = TypeVar("T")


class Agenda(Generic[T]):
    """Things to come, each at its time."""

    def __init__(self) -> None:
        """Nothing is planned."""
        self._heap: list[tuple[datetime, int, T]] = []
        self._order = count()

    def note(self, at: datetime, what: T) -> None:
        """Let `what` come at this moment."""
        heapq.heappush(self._heap, (at, next(self._order), what))

    def due(self, now: datetime) -> list[T]:
        """Take off what has come by `now`."""
        taken = []
        while self._heap and self._heap[0][0] <= now:
            taken.append(heapq.heappop(self._heap)[2])
        return taken
