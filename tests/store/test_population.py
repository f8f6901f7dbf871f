"""How many are in each state, and how long half of them have waited at least, of every part of the ledger."""

import random
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime, timedelta
from itertools import groupby

import pytest

from tasks.office import Office
from tests import life
from workflows.views.narrowing import EVERYTHING, Part
from workflows.views.population import Age, middle_of, population


@pytest.fixture
def office(database_url: str) -> Iterator[Office]:
    with life.office(database_url) as opened:
        yield opened


def test_half_have_waited_longer(office: Office) -> None:
    """Of two in the middle the longer wait is told; the region of one is not counted with the other's."""
    for seed, (region, hours) in enumerate([("440100", 30), ("440100", 5), ("320500", 2), ("440300", 1)]):
        life.to_state(office, "submitted", seed=seed, region=region)
        life.skip(office, hours=hours)
    for part, hours in {EVERYTHING: 8, Part(("000000",), region="440000"): 8, Part(("320000",)): 3}.items():
        waiting = population(office.ledger, part).states["submitted"]
        assert waiting["median_seconds"] / 3600 == pytest.approx(hours, abs=0.05)


def test_nobody_waits_where_nobody_is_or_all_has_ended(office: Office) -> None:
    life.say(office, "withdraw", life.to_state(office, "submitted"))
    states = population(office.ledger, EVERYTHING).states
    assert states["submitted"]["median_seconds"] is None
    ended = states["withdrawn"]
    assert (ended["count"], ended["median_seconds"]) == (1, None)
    assert ended["oldest_since"] is not None


@pytest.mark.parametrize("places", [1, 2, 7])
def test_of_many_the_middle_is_about_right(places: int) -> None:
    """However many places they are in, and however many of them are of one age."""
    now, dice = datetime(2026, 11, 1, tzinfo=UTC), random.Random(1)
    for spread in ((60, 86400, 864000), (3600,)):
        waits = sorted(dice.choice(spread) * 1.05 ** dice.random() for _ in range(999))
        ages = [_age(now, same) for place in range(places) for _, same in groupby(waits[place::places], _class)]
        assert (now - middle_of(ages)).total_seconds() == pytest.approx(waits[499], rel=0.01)


def _age(now: datetime, waits: Iterable[float]) -> Age:
    since = [now - timedelta(seconds=one) for one in waits]
    return Age(-_class((now - since[0]).total_seconds()), len(since), min(since), max(since))


def _class(seconds: float) -> int:
    """A tenth wide, as the statement has it."""
    borders = [1.1**n for n in range(238)]
    return sum(border <= seconds for border in borders)
