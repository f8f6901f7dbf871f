"""Places for slow work: all doors share the forty threads of a process, and nobody may hold them all."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from workflows.errors import Refused

QUEUE, PATIENCE = 48, 10.0  # at the windows


@dataclass(slots=True)
class Places:
    """So many at a time in this process, and so many of one caller; only the event loop's thread touches them.

    Of each caller `queue` more may wait for `patience` seconds, which holds no thread; without a queue none may.
    Where a place is a byte of memory, one takes many.
    """

    in_all: int
    of_one: int
    retry_after: int  # seconds, told to whoever is refused
    code: str = "rate_limited"
    queue: int = 0
    patience: float = 0.0
    _held: Counter[str] = field(default_factory=Counter)
    _waiting: Counter[str] = field(default_factory=Counter)
    _given_back: asyncio.Event = field(default_factory=asyncio.Event)

    @asynccontextmanager
    async def one(self, caller: str, takes: int = 1) -> AsyncIterator[None]:
        """What `takes` so many places, for as long as the block runs. Raises `Refused` 429 with their code."""
        if not self._is_free(caller, takes):
            await self._wait(caller, takes)
        self._held[caller] += takes  # nothing is awaited since it was seen free
        try:
            yield
        finally:
            _less(self._held, caller, takes)
            self._given_back.set()  # all who wait look whether it is for them

    def _is_free(self, caller: str, takes: int) -> bool:
        return self._held.total() + takes <= self.in_all and self._held[caller] + takes <= self.of_one

    async def _wait(self, caller: str, takes: int) -> None:
        if self._waiting[caller] >= self.queue:
            raise self._refused()
        self._waiting[caller] += 1
        try:
            async with asyncio.timeout(self.patience):
                while not self._is_free(caller, takes):
                    self._given_back.clear()
                    await self._given_back.wait()
        except TimeoutError:
            raise self._refused() from None
        finally:
            _less(self._waiting, caller)

    def _refused(self) -> Refused:
        return Refused(self.code, 429, retry_after=self.retry_after)


def windows() -> Places:
    """The places of a process for questions to outside services: face providers, registries, passwords."""
    return Places(24, 12, 5, queue=QUEUE, patience=PATIENCE)


def sign_ins() -> Places:
    """The places of a process for signing in at the console, where anybody may try: a hash is costly on purpose."""
    return Places(2, 2, 2, code="too_many_sign_ins", queue=16, patience=2.0)


def _less(counted: Counter[str], caller: str, fewer: int = 1) -> None:
    """So many fewer of a caller, who is forgotten with his last."""
    counted[caller] -= fewer
    if not counted[caller]:
        del counted[caller]
