"""Answers that cost a look at every binding: when they get slow they are asked for less often, whoever asks.

A slow answer is given again, in this process, for many times as long as it took to find: however large the ledger and
however many ask, looking takes a bounded share of one processor's time. What is quick is asked anew each time. Where a
page must not wait, it gets the old answer while the next is being looked for; and what was asked lately is kept warm
(`keep_warm`) as long as somebody has a page open.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Hashable
from threading import Lock, Timer
from typing import Any, Generic, NamedTuple, TypeVar
from weakref import WeakKeyDictionary, WeakSet, WeakValueDictionary

import structlog

from models.ledger import Ledger, LedgerClosedError

QUICK = 0.25  # seconds
STANDS_FOR = 20  # times what it took: a twentieth of the time is spent on looking
LONGEST = 60.0  # seconds for which an answer is kept at most: a look may be slow only because the server stood still
PAGE = 0.05  # seconds: what counts as quick if a page waits for it
OLDEST = 15.0  # seconds: an answer that is renewed in the background is never given when older
AFTER = 0.3  # seconds before a renewal begins, so that the page with the old answer is made first
COOLS = 10.0  # seconds after which an answer that is kept warm is renewed, well before it is too old
REMEMBERED = 3600.0  # seconds for which a question is kept warm after it was last asked
WARM = 16  # questions of a kind that are kept warm, those asked last; `console.live` bounds what that costs

_Asked = TypeVar("_Asked", bound=Hashable)
_Answer = TypeVar("_Answer")
log = structlog.get_logger()


class _Kept(NamedTuple, Generic[_Answer]):
    answer: _Answer
    begun: float  # monotonic
    until: float  # monotonic
    oldest: float  # monotonic; the same as `until` where nothing is renewed behind


class Paced(Generic[_Asked, _Answer]):
    """A question to the ledger whose answers are kept for as long as their cost justifies."""

    def __init__(
        self, look: Callable[[Ledger, _Asked], _Answer], quick: float = QUICK, *, behind: bool = False
    ) -> None:
        """`look` reads the ledger; nobody changes what it returns. `behind`: renew old answers in the background."""
        self._look = look
        self._quick = quick
        self._behind = behind
        self._kept: WeakKeyDictionary[Ledger, dict[_Asked, _Kept[_Answer]]] = WeakKeyDictionary()
        self._renewing: set[tuple[Ledger, _Asked]] = set()
        # When each question with a kept answer was last asked, the latest last.
        self._remembered: WeakKeyDictionary[Ledger, dict[_Asked, float]] = WeakKeyDictionary()
        # One lock for each question while somebody looks for its answer, so that a slow one keeps nobody from others.
        self._looking: WeakValueDictionary[tuple[Ledger, _Asked], Lock] = WeakValueDictionary()
        self._lock = Lock()  # for the three tables above; it is never held during a look
        if behind:
            _BEHIND.add(self)

    def __call__(self, ledger: Ledger, asked: _Asked) -> _Answer:
        """Return the kept answer, or look; whoever asks during a look waits for its answer."""
        self._remember(ledger, asked)
        if (kept := self._standing(ledger, asked)) is not None:
            return kept.answer
        with self._lock:
            looking = self._looking.setdefault((ledger, asked), Lock())
        with looking:
            if (kept := self._standing(ledger, asked)) is not None:
                return kept.answer
            begun = time.monotonic()
            answer = self._look(ledger, asked)
            with self._lock:
                self._keep(ledger, asked, answer, begun)
            return answer

    def renew_cooling(self, ledger: Ledger) -> None:
        """Look again, one by one, for questions asked lately whose kept answer will soon be too old."""
        with self._lock:
            kept, now = self._kept.get(ledger, {}), time.monotonic()
            remembered = self._remembered.get(ledger, {})
            for asked in [one for one, at in remembered.items() if now - at > REMEMBERED]:
                del remembered[asked]
            cooling = [one for one in remembered if one in kept and now >= max(kept[one].until, kept[one].begun + COOLS)
                       and (ledger, one) not in self._renewing]  # fmt: skip
            self._renewing |= {(ledger, one) for one in cooling}
        for asked in cooling:
            self._look_again(ledger, asked)

    def _remember(self, ledger: Ledger, asked: _Asked) -> None:
        with self._lock:
            remembered = self._remembered.setdefault(ledger, {})
            remembered.pop(asked, None)
            remembered[asked] = time.monotonic()
            for oldest in list(remembered)[:-WARM]:
                del remembered[oldest]

    def _standing(self, ledger: Ledger, asked: _Asked) -> _Kept[_Answer] | None:
        """The kept answer that may still be given; if it is past its time, it is renewed in the background."""
        with self._lock:
            kept, now = self._kept.setdefault(ledger, {}).get(asked), time.monotonic()
            if kept is None or now >= kept.oldest:
                return None
            if now >= kept.until:
                self._renew(ledger, asked)
            return kept

    def _renew(self, ledger: Ledger, asked: _Asked) -> None:
        """Look in a thread, once the page is made, unless one is looking already."""
        if (ledger, asked) not in self._renewing:
            self._renewing.add((ledger, asked))
            beside = Timer(AFTER, self._look_again, (ledger, asked))
            beside.daemon = True
            try:
                beside.start()
            except RuntimeError:  # no thread can be started: the next one who asks gets the old answer, and tries again
                log.exception("renewal_not_begun")
                self._renewing.discard((ledger, asked))

    def _look_again(self, ledger: Ledger, asked: _Asked) -> None:
        begun = time.monotonic()
        try:
            answer = self._look(ledger, asked)
            with self._lock:
                self._keep(ledger, asked, answer, begun)
        except LedgerClosedError:  # the process ends
            pass
        except Exception:  # once the old answer is too old, the next one who asks looks for himself
            log.exception("renewal_failed")
        finally:
            with self._lock:
                self._renewing.discard((ledger, asked))

    def _keep(self, ledger: Ledger, asked: _Asked, answer: _Answer, begun: float) -> None:
        kept = self._kept.setdefault(ledger, {})
        now = time.monotonic()
        # another look began later and was done sooner: its answer is newer
        if asked in kept and kept[asked].begun > begun:
            return
        for old in [one for one in kept if kept[one].oldest <= now]:
            del kept[old]
        kept.pop(asked, None)
        if now - begun > self._quick:
            until = now + min(LONGEST, STANDS_FOR * (now - begun))
            kept[asked] = _Kept(answer, begun, until, max(until, begun + OLDEST) if self._behind else until)


_BEHIND: WeakSet[Paced[Any, Any]] = WeakSet()


def keep_warm(ledger: Ledger) -> None:
    """Renew what pages have asked this ledger for lately, before it is too old to be given at once."""
    for paced in list(_BEHIND):
        paced.renew_cooling(ledger)
