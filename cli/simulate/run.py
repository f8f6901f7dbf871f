"""One simulation from nothing to its end, on a ledger of its own whose clock stands still until it is moved."""

from __future__ import annotations

import hashlib
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta

import psycopg

from cli.checking.audit import examine
from cli.checking.findings import Findings
from cli.checking.terms import SHANGHAI
from cli.simulate.dice import Dice
from cli.simulate.families import Families
from cli.simulate.figures import Figures, measure
from cli.simulate.hands import Hands
from cli.simulate.town import Town
from cli.simulate.windows import BEGIN, Bureaus, Cameras, NoDocuments, Outages, World
from gateways.windows import Windows
from models.ids import drawn_from
from models.keyring import Keyring
from models.ledger import Ledger
from policies.book import lawbook
from tasks.office import Office, seldom_collected
from workflows.engine import Desk

# Time is what the town says, to the microsecond: nothing of this machine's gets into a history.
_STANDING_CLOCK = """
create or replace function kinbind_now() returns timestamptz language sql volatile as $$
  select timestamptz 'epoch' + ahead from service_clock
$$
"""


@dataclass(frozen=True, slots=True)
class Scale:
    """How much is simulated."""

    days: int
    bindings: int
    seed: int
    tick: timedelta = timedelta(minutes=15)


@dataclass(frozen=True, slots=True)
class Result:
    """What came of it."""

    scale: Scale
    findings: Findings
    figures: Figures
    refused: Counter[str]
    counted: Counter[str]
    seconds: float  # real time of the simulation alone


def simulate(url: str, scale: Scale, passed: Callable[[timedelta], object] = lambda _: None) -> Result:
    """Simulate on the ledger at `url`, which has our schema and nothing in it, and audit it at the end.

    `passed` is told how much simulated time has just passed, tick by tick.
    """
    began = time.perf_counter()
    with psycopg.connect(url, autocommit=True) as conn:
        conn.execute(_STANDING_CLOCK)
    dice = Dice(scale.seed)
    end = BEGIN + timedelta(days=scale.days)
    ledger = Ledger(url)
    try:
        with drawn_from(dice.bits), seldom_collected():
            town = _town(ledger, dice)
            town.run(BEGIN, end, scale.tick, scale.bindings, passed)
            town.hands.finish()
        seconds = time.perf_counter() - began
        return Result(scale, examine(url, settled=True), measure(url), town.refused, town.counted + town.hands.counted,
                      seconds)  # fmt: skip
    finally:
        ledger.close()


def _town(ledger: Ledger, dice: Dice) -> Town:
    book, world = lawbook(), World(dice, BEGIN)
    cameras = Cameras(world, Outages(dice, BEGIN, "cameras", 0.3, (0.3, 5)))
    bureaus = Bureaus(world, Outages(dice, BEGIN, "registries", 0.25, (0.5, 20)))
    windows = Windows({cameras.name: cameras}, bureaus, NoDocuments())
    office = Office(ledger, Desk(ledger, book, _keys(dice)), windows)
    hands = Hands(office, world, Outages(dice, BEGIN, "hands", 0.3, (0.5, 4)), BEGIN)
    families = Families(dice, book, BEGIN.astimezone(SHANGHAI).date())
    return Town(office, world, families, cameras, hands)


def _keys(dice: Dice) -> Keyring:
    """Keys of the seed: who is who in the seats and places is the same every time, too."""
    first, second = (hashlib.sha256(f"{name}/{dice.share('keys')}".encode()).digest() for name in ("seal", "index"))
    return Keyring({"k001": first}, "k001", second)
