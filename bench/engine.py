"""Nine durable steps a life through the whole desk, beside pgbench writing the same rows.

Run as `python -m bench.engine [--quick]`. `one_a_batch`: a command a commit, 2 processes of 4 threads.
`batch_of_32`: 32 commands a commit, of families at different places of their lives, 2 processes of 2 threads.
"""

from __future__ import annotations

import multiprocessing
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import count
from multiprocessing.synchronize import Barrier

from bench.lives import STEPS, Lives, lay_papers
from bench.measure import WARM_UP, Did, Figure, figure, options, own_ledger, own_memory, rounds, tell
from bench.yardstick import Yardstick
from models.keyring import keyring
from models.ledger import Ledger, database_url
from policies.book import lawbook
from tasks.office import seldom_collected
from workflows.commands import Command
from workflows.engine import Desk

PROCESSES = 2
FASTEST = 1200  # lives a second that one process might reach: so many are made ready


@dataclass(frozen=True, slots=True)
class Job:
    """One round of one process."""

    run: int
    threads: int
    batch: int
    seconds: float

    @property
    def lives(self) -> int:
        """How many are made ready."""
        return round((self.seconds + WARM_UP) * FASTEST)


@contextmanager
def _awaited(barrier: threading.Barrier) -> Iterator[None]:
    """Who fails on the way to a barrier lets nobody wait for him there: the figure would never come."""
    try:
        yield
    except BaseException:
        barrier.abort()
        raise


class Bench:
    """What one process has open, and the barrier at which all of them begin."""

    def __init__(self, together: Barrier) -> None:
        """Open a desk."""
        self.together = together
        self.ledger = Ledger(database_url(), size=4)
        self.desk = Desk(self.ledger, lawbook(), keyring())
        self.lives = Lives(lawbook())

    def work(self, job: Job) -> Figure:
        """Serve lives until the time is over."""
        done, ready = list[Did](), threading.Barrier(job.threads, self._begin)
        with _awaited(self.together):
            lay_papers(self.ledger, job.run, job.lives)
            with seldom_collected(), ThreadPoolExecutor(job.threads) as pool:  # as in every process of the service
                serving = [pool.submit(self._serve, job, thread, done, ready) for thread in range(job.threads)]
            begin = max(one.result() for one in serving) + WARM_UP
        return figure(done, begin, job.seconds, own_memory())

    def _begin(self) -> None:
        self.together.wait()

    def _serve(self, job: Job, thread: int, done: list[Did], ready: threading.Barrier) -> float:
        """Return when it began, by this process's clock (s)."""
        with _awaited(ready):
            places = [self._commands(job, thread * job.batch + place) for place in range(job.batch)]
            for step in range(STEPS):  # bring the families to different places of their lives
                self._say([next(life) for n, life in enumerate(places) if n % STEPS > step])
            ready.wait()
        begun = ended = time.perf_counter()
        while ended < begun + WARM_UP + job.seconds:
            commands = [next(life) for life in places]
            started = time.perf_counter()
            self._say(commands)
            ended = time.perf_counter()
            done.append(Did(ended, ended - started, len(commands)))
        return begun

    def _say(self, commands: list[Command]) -> None:
        for outcome in self.desk.serve(commands):
            outcome.unwrap()

    def _commands(self, job: Job, place: int) -> Iterator[Command]:
        """What is said at one place, life after life, made beforehand: families and their apps are no desk."""
        families = range(place, job.lives, job.threads * job.batch)
        return iter([command for family in families for command in self.lives.commands(job.run, family)])


_bench: Bench


def _open(together: Barrier) -> None:
    global _bench  # noqa: PLW0603  a pool gives its processes nothing but globals
    _bench = Bench(together)


def _work(job: Job) -> Figure:
    return _bench.work(job)


def measured(pool: ProcessPoolExecutor, runs: count[int], *, threads: int, batch: int, seconds: float) -> Figure:
    """One round of all processes: rates and memory added up, the worse of the latencies."""
    found = list(pool.map(_work, [Job(next(runs), threads, batch, seconds) for _ in range(PROCESSES)]))
    return Figure(
        sum(one.rate for one in found),
        max(one.p50 for one in found),
        max(one.p99 for one in found),
        sum(one.memory for one in found),
    )


def main() -> None:
    """Measure and print."""
    quick = options(__doc__ or "")
    times, seconds = (1, 1.0) if quick else (5, 2.0)
    spawn = multiprocessing.get_context("spawn")
    runs = count()
    with own_ledger() as folder:
        yardstick = Yardstick(database_url(), folder)
        with ProcessPoolExecutor(PROCESSES, spawn, _open, (spawn.Barrier(PROCESSES),)) as pool:

            def desk(threads: int, batch: int, seconds: float = seconds) -> Callable[[], Figure]:
                return lambda: measured(pool, runs, threads=threads, batch=batch, seconds=seconds)

            desk(4, 1, 1.0)()  # the first round of a process reads plans and prepares statements
            ways = {
                yardstick.name: lambda: yardstick.run(seconds),
                "one_a_batch": desk(4, 1),
                "batch_of_32": desk(2, 32),
            }
            tell(rounds(ways, times), yardstick.name)


if __name__ == "__main__":
    main()
