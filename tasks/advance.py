"""The sandbox's hand on the clock: from due moment to due moment, everything in the order in which it fell due.

Workers may run the same errands meanwhile; each errand is safe to run twice at once. What a worker is doing just then
is waited for, so that this returns after it.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, LiteralString, NamedTuple

import psycopg
from psycopg import Connection

from tasks import outages
from tasks.decisions import send_decisions
from tasks.deliver import deliver
from tasks.faces import poll_faces
from tasks.feed import fan_out, with_news
from tasks.office import Office
from tasks.registries import ask_registries, recheck_insurance
from tasks.sweep import sweep
from tasks.upkeep import keep_up
from workflows import holding
from workflows.errors import Refused
from workflows.sweeping import HELD_OPEN

PATIENCE = 10.0  # real seconds for which one call waits for deliveries; after that they hold up nothing
LAST = 2.0  # real seconds for deliveries at the end, if those are used up
GLANCE = 0.02  # real seconds between two looks at what another process has in its hands
TRIES = 25  # such looks
LONG_AGO = datetime(1, 1, 2, tzinfo=UTC)
NO_SLACK = timedelta(0)
FIRST_DAYS = timedelta(days=3)

_ALONE = "select pg_try_advisory_lock(hashtext('service_clock'))"
_NO_LONGER = "select pg_advisory_unlock(hashtext('service_clock'))"
_SWEEP = f"""
select min(d.due_at) from deadlines d where d.parked is null and not d.watch and d.due_at > %s and not {HELD_OPEN}
"""  # noqa: S608  a text of ours
_WATCH = """
select min(due_at) from deadlines where parked is null and watch and due_at > %s and name = %s
"""
_POLL = "select min(poll_at) from face_sessions where poll_at > %s"
_DELIVERY = """
select min(greatest(d.next_at, e.rests_until)) from deliveries d join webhook_endpoints e on e.id = d.endpoint_id
where d.state = 'pending' and greatest(d.next_at, e.rests_until) > %s and e.disabled_at is null
  and (d.leased_until is null or d.leased_until < clock_timestamp())
"""
_ASKING = "select 1 from deadlines where watch and leased_until > clock_timestamp() limit 1"
_BRINGING = "select 1 from deliveries where state = 'pending' and leased_until > clock_timestamp() limit 1"
_SET = "update service_clock set ahead = greatest(ahead, %s::timestamptz - clock_timestamp())"
NextDue = Callable[[Connection[Any], datetime], datetime | None]


def _first(statement: str, *more: object) -> NextDue:
    def look(conn: Connection[Any], after: datetime) -> datetime | None:
        row = conn.execute(statement, (after, *more), prepare=True).fetchone()
        return row[0] if row else None

    return look


class Errand(NamedTuple):
    """What runs when something of its kind is due, and how the first due moment after another is found."""

    run: Callable[[Office], int]
    next_due: NextDue
    slack: timedelta = NO_SLACK  # how late it may run, so that what is due all over the day is done in batches
    long_slack: timedelta = NO_SLACK  # the same after the first days of one call


ERRANDS = (
    Errand(sweep, _first(_SWEEP)),
    Errand(send_decisions, holding.next_due),
    Errand(ask_registries, _first(_WATCH, "materials_to_checked")),
    Errand(poll_faces, _first(_POLL)),
    Errand(outages.watch_outages, lambda conn, after: _later(outages.next_end(conn), after)),
    # What the sandbox's registries know does not change while the clock is moved: after the first days one look a week
    # is enough, and the developer need not wait.
    Errand(recheck_insurance, _first(_WATCH, "insurance_to_rechecked"), timedelta(hours=1), timedelta(days=7)),
)


def _later(at: datetime | None, after: datetime) -> datetime | None:
    return at if at is not None and at > after else None


def advance(office: Office, seconds: float) -> datetime:
    """Move the service's clock on by `seconds`, run all that falls due on the way, and return the new time.

    Raises `Refused` 409 `busy` while somebody else moves it: two who begin together would both arrive at the same time.
    """
    # on a connection of its own: the lock goes with it, however this ends
    with psycopg.connect(office.ledger.url, autocommit=True, connect_timeout=5) as alone:
        if alone.execute(_ALONE).fetchone() != (True,):
            raise Refused("busy")
        try:
            return _advance(office, seconds)
        finally:
            with suppress(psycopg.Error):  # if this fails, the lock goes when the connection does, only later
                alone.execute(_NO_LONGER)


def _advance(office: Office, seconds: float) -> datetime:
    begun = office.ledger.now()
    run = _Run(office, begun, time.monotonic() + PATIENCE)
    target = begun + timedelta(seconds=seconds)
    run.post()
    run.until(target, slack=True)
    run.set_clock(target)
    run.until(target, slack=False)
    run.post_last()
    keep_up(office)
    return office.ledger.now()


@dataclass(slots=True)
class _Run:
    """One call's way through time."""

    office: Office
    begun: datetime
    deadline: float  # monotonic: deliveries are not waited for any longer
    seen: dict[int, datetime] = field(default_factory=dict)  # by errand that found nothing to do: up to which moment

    def until(self, target: datetime, *, slack: bool) -> None:
        """Run errand after errand, setting the clock to each moment, until nothing is due before `target`."""
        while found := self._earliest(slack=slack):
            at, place, due = found
            if at > target:
                return
            self.set_clock(at)
            if self._run(place, due):
                self.seen.clear()
            else:  # nothing came of it: looking again would not help
                self.seen[place] = due

    def _run(self, place: int, due: datetime) -> bool:
        """Run the errand whose first due moment is `due`; whether anything came of it, here or elsewhere."""
        if place == len(ERRANDS):
            return self.post() > 0
        errand = ERRANDS[place]
        for _ in range(TRIES):
            if errand.run(self.office):
                self.post()
                return True
            with self.office.ledger.connection() as conn:
                if errand.next_due(conn, self.seen.get(place, LONG_AGO)) != due:
                    return True
            time.sleep(GLANCE)
        return False

    def _earliest(self, *, slack: bool) -> tuple[datetime, int, datetime] | None:
        """What is due first: when to run it, the number of its errand, and when it was due; deliveries come last."""
        found = []
        with self.office.ledger.connection() as conn:
            for place, errand in enumerate(ERRANDS):
                due = errand.next_due(conn, self.seen.get(place, LONG_AGO))
                if due is not None:
                    found.append((due + (self._slack(errand, due) if slack else NO_SLACK), place, due))
            # A thousand letters to a dead endpoint are due at ten thousand moments: not all are waited for.
            if self._time_left():
                due = _first(_DELIVERY)(conn, self.seen.get(len(ERRANDS), LONG_AGO))
                if due is not None:
                    found.append((due, len(ERRANDS), due))
        return min(found, default=None)

    def _slack(self, errand: Errand, at: datetime) -> timedelta:
        return errand.slack if at < self.begun + FIRST_DAYS else errand.long_slack

    def post(self) -> int:
        """Write and bring the letters for new lines, and wait for them, while there is time left for it."""
        self._wait_for(_ASKING)
        brought = 0
        while left := self._time_left():
            fan_out(self.office)
            begun = deliver(self.office, patience=left)
            brought += begun
            if not begun:
                if not (self._is(_BRINGING) or with_news(self.office)):
                    break
                time.sleep(GLANCE)
        return brought

    def post_last(self) -> int:
        """The same with at least a little time: what is due is tried once, however long was waited before."""
        self.deadline = max(self.deadline, time.monotonic() + LAST)
        return self.post()

    def _time_left(self) -> float:
        return max(0.0, self.deadline - time.monotonic())

    def _wait_for(self, somebody: LiteralString) -> None:
        """Wait, for a while, until other processes have finished this."""
        for _ in range(TRIES):
            if not self._is(somebody):
                return
            time.sleep(GLANCE)

    def _is(self, somebody: LiteralString) -> bool:
        with self.office.ledger.connection() as conn:
            return conn.execute(somebody).fetchone() is not None

    def set_clock(self, at: datetime) -> None:
        """Let it be `at`; the clock never goes back."""
        with self.office.ledger.connection() as conn:
            conn.execute(_SET, (at,))
