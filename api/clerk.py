"""The clerk: one thread of the process that serves whatever lies on the table, many commands in one commit.

Endpoints lay a command down and wait; the clerk takes all there is (64 at most), lets the desk carry them out
together, and hands out the answers after the commit. A batch of one is the ordinary case.
"""

from __future__ import annotations

import asyncio
import queue
import threading
import time
from concurrent.futures import Future
from dataclasses import dataclass
from datetime import datetime, timedelta

import structlog

from models.ids import new_id
from workflows.commands import Command, Outcome
from workflows.engine import Desk

AT_ONCE = 64  # commands in a batch
_GOODBYE_SECONDS = 30

log = structlog.get_logger()


class ClerkGone(RuntimeError):
    """The process is ending: nothing was done."""


@dataclass(frozen=True, slots=True)
class _Paper:
    command: Command
    answer: asyncio.Future[Outcome] | Future[Outcome]
    loop: asyncio.AbstractEventLoop | None  # None: a thread waits for the answer


class Clerk:
    """Serves the table of one process."""

    def __init__(self, desk: Desk) -> None:
        """Take a seat; `start` begins the work."""
        self._desk = desk
        self._table: queue.SimpleQueue[_Paper | None] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._work, name="clerk", daemon=True)
        self._going = False
        # ids are ordered by when they were made; that needs no question to the database for each
        self._started, self._tick = desk.ledger.now(), time.monotonic()

    def start(self) -> None:
        """Begin to serve."""
        self._thread.start()

    def here(self) -> bool:
        """Whether somebody serves: a table without its clerk keeps all waiting for ever."""
        return self._thread.is_alive()

    def stop(self) -> None:
        """Finish what lies on the table, then stop; blocks for 30 s at most."""
        self._going = True
        self._table.put(None)
        self._thread.join(_GOODBYE_SECONDS)
        while not self._table.empty():  # laid down while the clerk was getting up
            if (paper := self._table.get()) is not None:
                _hand_out([(paper, Outcome(refused=ClerkGone()))])

    async def say(self, command: Command) -> Outcome:
        """Lay a command down; the outcome, once it has been committed or refused.

        Raises `ClerkGone`, and whatever made the whole batch fail (the database away).
        """
        loop = asyncio.get_running_loop()
        answer: asyncio.Future[Outcome] = loop.create_future()
        self._lay(_Paper(command, answer, loop))
        return await answer

    def wait(self, command: Command) -> Outcome:
        """The same for a thread that may block. Raises what `say` raises."""
        answer: Future[Outcome] = Future()
        self._lay(_Paper(command, answer, None))
        return answer.result()

    def _lay(self, paper: _Paper) -> None:
        if self._going:
            raise ClerkGone
        self._table.put(paper)

    def new_id(self, prefix: str) -> str:
        """Make an id, ordered by the time of this process."""
        now: datetime = self._started + timedelta(seconds=time.monotonic() - self._tick)
        return new_id(prefix, now)

    def _work(self) -> None:
        while (paper := self._table.get()) is not None:
            batch, ending = self._take(paper)
            self._serve(batch)
            if ending:
                return

    def _take(self, first: _Paper) -> tuple[list[_Paper], bool]:
        batch = [first]
        try:
            while len(batch) < AT_ONCE:
                paper = self._table.get_nowait()
                if paper is None:
                    return batch, True
                batch.append(paper)
        except queue.Empty:
            pass
        return batch, False

    def _serve(self, batch: list[_Paper]) -> None:
        try:
            outcomes = self._desk.serve([paper.command for paper in batch])
        except Exception as fault:
            log.exception("batch_failed", commands=len(batch))
            outcomes = [Outcome(refused=fault) for _ in batch]
        _hand_out(list(zip(batch, outcomes, strict=True)))


class SharedDesk(Desk):
    """The desk for those who stand at it in threads: what they say is served with whatever lies on the clerk's table.

    A step said beside an open window (a face begins, a password is right) shares its commit with all others so.
    """

    def __init__(self, desk: Desk, clerk: Clerk) -> None:
        """Stand before this desk, which the clerk serves."""
        super().__init__(desk.ledger, desk.book, desk.keys)
        self.reader = desk.reader  # the plans it knows
        self._clerk = clerk

    def say(self, command: Command) -> Outcome:
        """Carry out one command. Raises `Refused`, and what `Clerk.say` raises."""
        return self._clerk.wait(command).unwrap()


def _hand_out(answers: list[tuple[_Paper, Outcome]]) -> None:
    by_loop: dict[asyncio.AbstractEventLoop, list[tuple[_Paper, Outcome]]] = {}
    for paper, outcome in answers:
        if paper.loop is None:
            paper.answer.set_result(outcome)
        else:
            by_loop.setdefault(paper.loop, []).append((paper, outcome))
    for loop, theirs in by_loop.items():
        if not loop.is_closed():
            loop.call_soon_threadsafe(_answer, theirs)


def _answer(answers: list[tuple[_Paper, Outcome]]) -> None:
    for paper, outcome in answers:
        if not paper.answer.done():  # whoever has hung up finds his answer under his idempotency key
            paper.answer.set_result(outcome)
