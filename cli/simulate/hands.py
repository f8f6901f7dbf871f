"""The hands of a simulation: the service's own errands, sometimes away for hours, sometimes all of them twice."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from datetime import datetime, timedelta
from functools import partial

from cli.simulate.windows import Outages, World
from tasks.faces import poll_faces
from tasks.feed import fan_out
from tasks.office import Office
from tasks.outages import watch_outages
from tasks.registries import ask_registries, recheck_insurance
from tasks.sweep import sweep
from tasks.upkeep import keep_up
from workflows.sweeping import HELD_OPEN

ALL = 1_000_000  # in one call: who is among the first thousand must not depend on the order of rows
DOUBLED = 0.05  # the share of ticks in which every hint comes twice
# The registries of a simulation answer at once: a thread for each question would only cost its making.
_LOOK = partial(recheck_insurance, limit=ALL, at_once=1)
EVERY_TICK: tuple[Callable[[Office], int], ...] = (
    partial(sweep, limit=ALL),
    partial(ask_registries, limit=ALL, at_once=1),
    partial(poll_faces, limit=ALL),
    watch_outages,
)
ERRANDS: tuple[Callable[[Office], int], ...] = (*EVERY_TICK, _LOOK, fan_out)
# One question for all of these in their order: an errand that would find nothing is not sent out.
_DUE = f"""
select
  exists (select from deadlines d where d.parked is null and not d.watch and d.due_at <= now and not {HELD_OPEN}),
  exists (select from deadlines
          where parked is null and watch and name = 'materials_to_checked' and due_at <= now),
  exists (select from face_sessions where poll_at <= now),
  exists (select from provider_outages where ended_at is null)
from (select kinbind_now() as now) as clock
"""  # noqa: S608  a text of ours


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
        with self._office.ledger.connection() as conn:
            asked = conn.execute(_DUE, prepare=True).fetchone() or ()
        due = [errand for errand, is_due in zip(EVERY_TICK, asked, strict=True) if is_due]
        for _ in range(1 + doubled):
            for errand in due:
                errand(self._office)
            if now >= self._hour:
                self.counted["daily looks at an insurance"] += _LOOK(self._office)
                fan_out(self._office)
        if now >= self._hour:
            self._hour = now + timedelta(hours=1)
        if now >= self._day:
            keep_up(self._office)
            self._day = now + timedelta(days=1)

    def finish(self) -> None:
        """Whatever was away is back: work until nothing is due."""
        while sum(errand(self._office) for errand in ERRANDS):
            pass
