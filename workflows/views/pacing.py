"""Answers that cost a look at every binding: when they get slow they are asked for less often, whoever asks.

An answer that took longer than a glance stands for many times what it took, in this process: however large the ledger
and however many look, the looks take a bounded share of one processor's time. What is quick is asked anew each time.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Hashable
from threading import Lock
from typing import Generic, NamedTuple, TypeVar
from weakref import WeakKeyDictionary

from models.ledger import Ledger

QUICK = 0.25  # seconds
STANDS_FOR = 20  # times what it took: a twentieth of the time is spent on looking

_Asked = TypeVar("_Asked", bound=Hashable)
_Answer = TypeVar("_Answer")


class _Kept(NamedTuple, Generic[_Answer]):
    answer: _Answer
    until: float  # monotonic


class Paced(Generic[_Asked, _Answer]):
    """A question to the ledger whose answers are kept for as long as their cost justifies."""

    def __init__(self, look: Callable[[Ledger, _Asked], _Answer]) -> None:
        """`look` reads the ledger; nobody changes what it answers."""
        self._look = look
        self._kept: WeakKeyDictionary[Ledger, dict[_Asked, _Kept[_Answer]]] = WeakKeyDictionary()
        self._lock = Lock()

    def __call__(self, ledger: Ledger, asked: _Asked) -> _Answer:
        """Return the answer that stands, or look; who comes during a look waits for its answer."""
        with self._lock:
            kept = self._kept.setdefault(ledger, {})
            begun = time.monotonic()
            if asked in kept and begun < kept[asked].until:
                return kept[asked].answer
            answer = self._look(ledger, asked)
            now = time.monotonic()
            for old in [one for one in kept if kept[one].until <= now]:
                del kept[old]
            if now - begun > QUICK:
                kept[asked] = _Kept(answer, now + STANDS_FOR * (now - begun))
            return answer
