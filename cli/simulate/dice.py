"""Chance that is drawn by name: what becomes of a family does not depend on who was asked first."""

from __future__ import annotations

import hashlib
import math
import random
from collections.abc import Sequence
from typing import TypeVar

T = TypeVar("T")


class Dice:
    """All chance of one simulation; equal seeds and equal names give equal throws, in any order."""

    def __init__(self, seed: int) -> None:
        """Use this seed for everything."""
        self._seed = seed
        self._ids = random.Random(f"{seed}/ids")  # noqa: S311  repeatable is what it must be

    def bits(self, count: int) -> int:
        """The next so many bits for an id, in place of the system's."""
        return self._ids.getrandbits(count)

    def throw(self, *name: object) -> random.Random:
        """A generator of its own for whatever has this name."""
        return random.Random("/".join(map(str, (self._seed, *name))))  # noqa: S311

    def share(self, *name: object) -> float:
        """A number in [0, 1): of a hash, which is made in a tenth of a generator's time."""
        named = hashlib.blake2b("/".join(map(str, (self._seed, *name))).encode(), digest_size=8).digest()
        return (int.from_bytes(named) >> 11) / 2**53

    def after(self, mean: float, *name: object) -> float:
        """Seconds until something that takes `mean` hours on average; never nothing."""
        return 60.0 - math.log(1 - self.share(*name)) * mean * 3600

    def pick(self, from_: Sequence[tuple[float, T]], *name: object) -> T:
        """One of these, by weight."""
        left = self.share(*name) * sum(weight for weight, _ in from_)
        for weight, one in from_:
            left -= weight
            if left < 0:
                return one
        return from_[-1][1]
