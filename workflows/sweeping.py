"""What the clock says: deadlines that are due become commands, in batches, each decided again under its lock.

Safe to run from several places at once: what one sweep has locked, another passes over. A deadline that lost its
race is taken off the table without a step; a step that breaks gets a later due time, so that it leaves the head of
the queue, and is parked after ten attempts.
"""

from __future__ import annotations

from typing import Any

import structlog
from psycopg import Connection

from workflows.case import CLOCK
from workflows.commands import Command, Outcome
from workflows.deadlines import DEADLINES_BY_NAME, UNBIND_TO_CONFIRMED, armed, waits_for_unbinding
from workflows.engine import Desk
from workflows.errors import Refused

ATTEMPTS = 10  # of a deadline whose step breaks, before a person must look at it
log = structlog.get_logger()

# Of an outage `o`: whether it is long enough to be made good, from the first to the last time that it was met.
COUNTS = "o.last_at - o.first_at > interval '5 minutes'"
# Of a deadline `d`: whether an attempt was begun with that provider. With `offset 0` each binding's sessions are looked
# up, and never all sessions of a provider.
TRIED = "exists (select from face_sessions s where s.binding_id = d.binding_id and s.provider = o.provider offset 0)"
# Whether it is a window that the outage eats into, open when it began.
TOUCHED = f"d.name = 'first_attempt_to_pass' and d.due_at > o.first_at and {TRIED}"
_OPEN = f"select from provider_outages o where o.ended_at is null and {COUNTS}"
# Whether a window must not close yet: it will be made good. Whether there is an outage at all is asked once.
HELD_OPEN = f"(d.name = 'first_attempt_to_pass' and (select exists ({_OPEN})) and exists ({_OPEN} and {TOUCHED}))"
# Binding and deadline are locked together: with the binding alone, a deadline that another sweep has just fired is
# handed out once more; with the deadline first, the sweep and every other step wait for each other.
_CLAIM = f"""
select d.binding_id, d.name
from deadlines d join bindings b on b.id = d.binding_id
where d.parked is null and not d.watch and d.due_at <= (select kinbind_now())
  and (%(only)s::text is null or (d.binding_id = %(only)s and d.name = %(name)s))
  and not {HELD_OPEN}
order by d.due_at
limit %(limit)s
for no key update of b, d skip locked
"""  # noqa: S608  a text of ours
_REALIGN = "update deadlines set due_at = %s where binding_id = %s and name = %s"
_DROP = "delete from deadlines where binding_id = %s and name = %s"
_LATER = """
update deadlines
set attempts = attempts + 1,
    due_at = (select kinbind_now()) + least(power(2, attempts), 60) * interval '1 minute',
    parked = case when attempts + 1 >= %s then 'step_poisoned' end
where binding_id = %s and name = %s
"""
Due = tuple[str, str]  # binding id, name of the deadline


def sweep(desk: Desk, limit: int = 500) -> int:
    """Fire at most `limit` due deadlines in one commit; return how many were dealt with, 0 when none is due.

    Raises what the database says where not even a claim succeeds: that is no sweep with nothing to do.
    """
    claimed: list[Due] = []
    try:
        with desk.ledger.transaction() as conn:
            claimed = _claim(conn, limit)
            _fire(desk, conn, claimed)
    except Exception as fault:  # whatever it is, it must not stop the others
        if not claimed:
            raise
        log.warning("sweep_batch_failed", deadlines=len(claimed), fault=type(fault).__name__)
        for due in claimed:
            _fire_alone(desk, due)
    return len(claimed)


def _claim(conn: Connection[Any], limit: int, only: Due = ("", "")) -> list[Due]:
    asked = {"limit": limit, "only": only[0] or None, "name": only[1]}
    # by id, whatever the plan: what a batch comes to does not hang on the order of rows on a disk
    claimed = ((row[0], row[1]) for row in conn.execute(_CLAIM, asked, prepare=True))
    return sorted(claimed, key=lambda due: (due[0], due[1] != UNBIND_TO_CONFIRMED, due[1]))


def _fire(desk: Desk, conn: Connection[Any], claimed: list[Due]) -> None:
    commands = []
    for binding_id, name in claimed:
        deadline = DEADLINES_BY_NAME[name]
        assert deadline.move is not None  # noqa: S101  watches are not claimed
        commands.append(Command(deadline.move, binding_id, CLOCK, deadline.facts))
    for due, outcome in zip(claimed, desk.serve_on(conn, commands), strict=True):
        if outcome.refused is not None:
            _put_aside(conn, due, outcome)


def _put_aside(conn: Connection[Any], due: Due, outcome: Outcome) -> None:
    """Bring a row that fired in vain in line with its case, or let it wait if the step itself is broken."""
    lost = isinstance(outcome.refused, Refused) and outcome.refused.code in ("deadline_gone", "action_not_available")
    if not lost or outcome.case is None or outcome.now is None:
        _later(conn, due)
        return
    runs = armed(outcome.case)
    right = runs.get(due[1])
    if right is not None and waits_for_unbinding(outcome.case, due[1]):
        right = max(right, runs[UNBIND_TO_CONFIRMED], key=lambda one: one.at)
    if right is None:
        conn.execute(_DROP, due)
    elif right.at > outcome.now:
        conn.execute(_REALIGN, (right.at, *due))
    else:
        _later(conn, due)


def _later(conn: Connection[Any], due: Due) -> None:
    log.error("deadline_not_fired", binding_id=due[0], deadline=due[1])
    conn.execute(_LATER, (ATTEMPTS, *due))


def _fire_alone(desk: Desk, due: Due) -> None:
    try:
        with desk.ledger.transaction() as conn:
            _fire(desk, conn, _claim(conn, 1, due))
    except Exception as fault:  # noqa: BLE001  the row is put aside, and a person told
        log.error("deadline_poisoned", binding_id=due[0], deadline=due[1], fault=type(fault).__name__)  # noqa: TRY400
        with desk.ledger.connection() as conn:
            conn.execute(_LATER, (ATTEMPTS, *due))
