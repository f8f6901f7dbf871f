"""The reviewers of a simulation: they take what is due first, each under a lease of its own."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from cli.simulate.dice import Dice
from tasks.office import Office
from workflows import leases
from workflows.case import Actor
from workflows.commands import Command, Reply

COUNTRY = ("000000",)
DECISION = timedelta(minutes=6)  # a reviewer's time for a case
CASES_A_DAY = 60  # of one reviewer: enough for what comes, and not for much more
REVIEWED = 0.3  # the share of applications that come before a reviewer


def told(_case: Any, _actor: Actor, _now: datetime) -> Reply:
    """Answer with nothing: nobody in a simulation reads views."""
    return Reply(200, b"{}")


class Reviewers:
    """All of them; `applications_a_day` says how many there are."""

    def __init__(self, office: Office, dice: Dice, applications_a_day: float) -> None:
        """Nobody has worked yet."""
        self._desk, self._dice = office.desk, dice
        self._number = max(1, round(applications_a_day * REVIEWED / CASES_A_DAY))
        self._time = 0.0  # left from the tick before, in decisions

    def decisions(self, whose: Mapping[str, int], now: datetime, tick: timedelta) -> list[Command]:
        """What they decide in this tick, as many as there is time for; `whose` application a binding is."""
        self._time += self._number * (tick / DECISION)
        room, self._time = int(self._time), self._time % 1
        said = []
        for place in range(room):
            reviewer = Actor("reviewer", f"stf_reviewer_{place % self._number}", regions=COUNTRY)
            binding_id = leases.take_next(self._desk, reviewer)
            if binding_id is None:
                break
            said.append(self._decision(binding_id, whose[binding_id], now, reviewer))
        return said

    def _decision(self, binding_id: str, n: int, now: datetime, reviewer: Actor) -> Command:
        drawn = self._dice.share("decision", n, now)
        if drawn < 0.06:
            return Command("reject", binding_id, reviewer, {"reason": "relation_unproven"}, answering=told)
        if drawn < 0.18:
            items = [{"kind": "commitment_letter", "reason": "letter_unsigned"}]
            facts = {"reason": "letter_unsigned", "items": items}
            return Command("return_for_correction", binding_id, reviewer, facts, answering=told)
        return Command("approve", binding_id, reviewer, answering=told)
