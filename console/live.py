"""Live pages: one look a second for a whole process at what has moved, and one stream to each browser.

Nobody looks while nobody listens; while somebody does, the answers that cost a look at the whole ledger are kept warm
for whoever turns to their page next. A stream says that something in the listener's regions has moved, and which
bindings; what has changed the browser then asks for, as the page that it is. To miss a word costs nothing: a tick
comes every few seconds, and each page is right when it is loaded.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from typing import NamedTuple

import orjson
import structlog
from starlette.concurrency import run_in_threadpool

from tasks.office import Office
from workflows.access import sessions
from workflows.access.principals import Principal
from workflows.case import region_prefix
from workflows.views import moved, pacing
from workflows.views.moved import Moved

LOOK = 1.0  # seconds between two looks
WARMING = 3.0  # seconds after which kept answers are checked again for being too old soon
REST = 4.0  # pause after renewing, in times of what it took: with very many answers the oldest go cold
TICK = 10.0  # seconds after which a page is renewed though nothing has moved: leases, heartbeats, letters
MOST = 10  # streams of one principal; one more ends his oldest
LASTS = 600.0  # seconds of a stream; the browser then opens the next, and its session is checked again
log = structlog.get_logger()


class _Listener(NamedTuple):
    principal: str
    token: str  # of his session
    told: asyncio.Queue[Sequence[Moved]]
    granted: tuple[str, ...]  # beginnings of region codes


class Feed:
    """What a process tells its browsers; all of it runs on the event loop that serves them."""

    def __init__(self, office: Callable[[], Office]) -> None:
        """Look through the office of this process, once somebody listens."""
        self._office = office
        self._listeners: list[_Listener] = []  # the oldest first
        self._looking: asyncio.Task[None] | None = None
        self._warming: asyncio.Task[None] | None = None

    async def stream(self, who: Principal, token: str) -> AsyncIterator[bytes]:
        """Server-sent events: `moved` with `{"ids": […]}` of his regions, and `tick`; ends after `LASTS` seconds.

        `token` is that of his session: once it has ended nothing that moved is told, and within `TICK` the stream
        ends.
        """
        beginnings = tuple(map(region_prefix, who.regions))
        mine = _Listener(who.id, token, asyncio.Queue(100), beginnings)
        self._make_room(who.id)
        self._listeners.append(mine)
        if self._looking is None or self._looking.done():
            self._looking = asyncio.create_task(self._look())
        if self._warming is None or self._warming.done():
            self._warming = asyncio.create_task(self._keep_warm())
        try:
            yield b"retry: 3000\n\n"
            loop = asyncio.get_running_loop()
            ends = loop.time() + LASTS
            while loop.time() < ends:
                word = await _next(mine)
                if mine not in self._listeners:
                    return
                yield word
        finally:
            if mine in self._listeners:
                self._listeners.remove(mine)

    def _make_room(self, principal: str) -> None:
        """End the oldest streams of somebody who has as many as he may."""
        his = [one for one in self._listeners if one.principal == principal]
        for one in his[: max(len(his) - MOST + 1, 0)]:
            self._end(one)

    def _end(self, listener: _Listener) -> None:
        """End a stream; an empty message wakes it."""
        self._listeners.remove(listener)
        if not listener.told.full():
            listener.told.put_nowait(())

    async def _look(self) -> None:
        """Look again and again while somebody listens; after a fault, from where the last good look ended."""
        loop = asyncio.get_running_loop()
        behind, ask = None, 0.0  # when sessions are checked though nothing has moved
        while self._listeners:
            try:
                found, here = await run_in_threadpool(moved.since, self._office().ledger, behind)
                if found or loop.time() >= ask:
                    await self._let_go()
                    ask = loop.time() + TICK - LOOK
                behind = here
            except Exception:  # whatever it is, the pages stay open
                log.exception("live_look_failed")
                found = []
            for one in list(self._listeners) if found else ():
                theirs = [move for move in found if any(place.startswith(one.granted) for place in move.places)]
                if theirs and not one.told.full():
                    one.told.put_nowait(theirs)
            await asyncio.sleep(LOOK)

    async def _keep_warm(self) -> None:
        loop = asyncio.get_running_loop()
        while self._listeners:
            begun = loop.time()
            await run_in_threadpool(pacing.keep_warm, self._office().ledger)
            await asyncio.sleep(max(WARMING, REST * (loop.time() - begun)))

    async def _let_go(self) -> None:
        """End the streams whose sessions have ended."""
        listening = list(self._listeners)
        there = await run_in_threadpool(sessions.going_on, self._office().ledger, {one.token for one in listening})
        for one in listening:
            if one.token not in there and one in self._listeners:
                self._end(one)


async def _next(listener: _Listener) -> bytes:
    """The next message to a browser: at most one for each look, with all that has moved."""
    try:
        found = list(await asyncio.wait_for(listener.told.get(), TICK))
    except TimeoutError:
        return b"event: tick\ndata: {}\n\n"
    while not listener.told.empty():
        found += listener.told.get_nowait()
    ids = list(dict.fromkeys(move.binding_id for move in found))
    return b"event: moved\ndata: " + orjson.dumps({"ids": ids}) + b"\n\n"
