"""The hands of a simulation: the service's own errands, sometimes away for hours, sometimes all of them twice."""

from __future__ import annotations

from collections import Counter
from datetime import datetime, timedelta

from cli.simulate.windows import Outages, World
from tasks.faces import poll_faces
from tasks.feed import fan_out
from tasks.office import Office
from tasks.outages import watch_outages
from tasks.registries import ask_registries, recheck_insurance
from tasks.sweep import sweep
from tasks.upkeep import keep_up

ALL = 1_000_000  # in one call: who is among the first thousand must not depend on the order of rows
DOUBLED = 0.05  # the share of ticks in which every hint comes twice
EVERY_TICK = (sweep, ask_registries, poll_faces)


class Hands:
    """Beat, worker and broker in one, with their faults."""

    def __init__(self, office: Office, world: World, away: Outages, began: datetime) -> None:
        """At rest."""
        self._office, self._world, self._away = office, world, away
        self._hour, self._day = began, began
        self.counted: Counter[str] = Counter()

    def work(self, now: datetime) -> None:
        """Run what a second of beat would run; now and then twice, and now and then not at all."""
        if self._away.now(now):
            self.counted["ticks without any hand"] += 1
            return
        doubled = self._world.dice.share("doubled", now) < DOUBLED
        self.counted["ticks with every hint doubled"] += doubled
        for _ in range(1 + doubled):
            for errand in EVERY_TICK:
                while errand(self._office, ALL):
                    pass
            watch_outages(self._office)
            if now >= self._hour:
                self.counted["daily looks at an insurance"] += recheck_insurance(self._office, ALL)
                fan_out(self._office)
        if now >= self._hour:
            self._hour = now + timedelta(hours=1)
        if now >= self._day:
            keep_up(self._office)
            self._day = now + timedelta(days=1)
