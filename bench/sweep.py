"""A million armed deadlines: how fast two sweepers fire 50,000 that are due, and how late they are at 500 a second.

Run as `python -m bench.sweep [--quick]`. A step of the sweep is claimed, read, decided under its lock and written, in
batches of 500; the yardstick beside it is pgbench, a commit a step. The service's clock is moved, so that each round's
deadlines fall due at once; for the lateness they fall due one after the other, and the sweepers come once a second.
"""

from __future__ import annotations

import multiprocessing
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from datetime import datetime, timedelta
from multiprocessing.synchronize import Barrier

from bench.armed import APART, Plan, fill
from bench.measure import Did, Figure, options, own_ledger, own_memory, rounds, tell
from bench.yardstick import Yardstick
from models.keyring import keyring
from models.ledger import Ledger, database_url
from policies.book import lawbook
from tasks.office import seldom_collected
from workflows.engine import Desk
from workflows.sweeping import sweep

SWEEPERS = 2
EVERY = 1.0  # seconds between two visits of a sweeper, as the schedule has it
FULL = Plan(1_000_000, 50_000, 5, 10_000, timedelta(seconds=1 / 500))
QUICK = Plan(100_000, 5_000, 1, 2_500, timedelta(seconds=1 / 500))
_LATENESS = """
select percentile_cont(array[0.5, 0.99]) within group (order by extract(epoch from h.recorded_at + c.ahead - w.due_at)),
  count(*)
from waiting w join history h on h.binding_id = w.id cross join service_clock c
where w.place >= %s and h.event in ('routed_offline', 'expired')
"""


class Sweeper:
    """What one process has open."""

    def __init__(self, together: Barrier) -> None:
        """Open a desk."""
        self.together = together
        self.desk = Desk(Ledger(database_url(), size=2), lawbook(), keyring())

    def fire(self) -> tuple[list[Did], float, int]:
        """Fire until nothing is due: what was done when, when it began (this machine's time), memory in bytes."""
        done = []
        self.together.wait()
        begin = started = time.time()
        with seldom_collected():  # as in every process of the service
            while fired := sweep(self.desk):
                ended = time.time()
                done.append(Did(ended, ended - started, fired))
                started = ended
        return done, begin, own_memory()

    def watch(self, seconds: float) -> int:
        """Come by every second, as the schedule does, until `seconds` are over; return how many were fired."""
        self.together.wait()
        fired, until = 0, time.monotonic() + seconds
        while (started := time.monotonic()) < until:
            while found := sweep(self.desk):
                fired += found
            time.sleep(max(0.0, started + EVERY - time.monotonic()))
        return fired


_sweeper: Sweeper


def _open(together: Barrier) -> None:
    global _sweeper  # noqa: PLW0603  a pool gives its processes nothing but globals
    _sweeper = Sweeper(together)


def _fire(_: int) -> tuple[list[Did], float, int]:
    return _sweeper.fire()


def _watch(seconds: float) -> int:
    return _sweeper.watch(seconds)


def move_clock(ledger: Ledger, to: datetime) -> None:
    """Let the service's clock say `to`."""
    with ledger.connection() as conn:
        conn.execute("update service_clock set ahead = %s - clock_timestamp()", (to,))


def fired(pool: ProcessPoolExecutor, a_round: int) -> Figure:
    """Two sweepers at all that is due: steps a second from the beginning to the last commit."""
    found = list(pool.map(_fire, range(SWEEPERS)))
    done = [did for part, _, _ in found for did in part]
    steps = sum(did.steps for did in done)
    assert steps == a_round, f"{steps} fired of {a_round}"
    took = sorted(did.took for did in done)
    seconds = max(did.at for did in done) - min(begin for _, begin, _ in found)
    p50, p99 = (1000 * took[int(share * (len(took) - 1))] for share in (0.5, 0.99))
    return Figure(steps / seconds, p50, p99, sum(memory for *_, memory in found) / 2**20)


def lateness(pool: ProcessPoolExecutor, ledger: Ledger, plan: Plan, start: datetime) -> tuple[float, float]:
    """Median and 99th percentile, in seconds, from falling due to the line in the history."""
    move_clock(ledger, start + plan.late_at - timedelta(seconds=1))
    seconds = plan.late * plan.late_every.total_seconds() + 4
    found = sum(pool.map(_watch, [seconds] * SWEEPERS))
    assert found == plan.late, f"{found} fired of {plan.late}"
    with ledger.connection() as conn:
        row = conn.execute(_LATENESS, (plan.rounds * plan.a_round,)).fetchone()
    assert row is not None
    assert row[1] == plan.late
    p50, p99 = row[0]
    return p50, p99


def main() -> None:
    """Measure and print."""
    quick = options(__doc__ or "")
    plan, seconds = (QUICK, 2.0) if quick else (FULL, 6.0)
    spawn = multiprocessing.get_context("spawn")
    with own_ledger() as folder:
        desk = Desk(Ledger(database_url(), size=2), lawbook(), keyring())
        yardstick = Yardstick(database_url(), folder)
        start = fill(desk, plan)
        with ProcessPoolExecutor(SWEEPERS, spawn, _open, (spawn.Barrier(SWEEPERS),)) as pool:
            moments = iter(range(1, plan.rounds + 1))

            def due() -> Figure:
                move_clock(desk.ledger, start + next(moments) * APART)
                return fired(pool, plan.a_round)

            ways: dict[str, Callable[[], Figure]] = {yardstick.name: lambda: yardstick.run(seconds), "sweep": due}
            found = rounds(ways, plan.rounds, turns=1)
            p50, p99 = lateness(pool, desk.ledger, plan, start)
        desk.ledger.close()
    print(f"lateness at 500 due a second: p50 {p50:.2f} s, p99 {p99:.2f} s")
    tell(found, yardstick.name)


if __name__ == "__main__":
    main()
