"""Carrying repairs out: planning page by page, doing and undoing in batches; safe to run in many places at once.

One round is one transaction: the order's row is locked (whoever else comes passes it over), a page of bindings is
tried or a batch of items is said to the desk, and what came of each is written with the steps themselves. Whoever
dies in the middle has done nothing; the next goes on there.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import structlog
from psycopg import Connection
from psycopg.rows import dict_row

from models.ledger import AWAY
from policies.plan import plan_from_json
from policies.refusals import NotAllowed
from workflows.case import Actor
from workflows.commands import Command, Outcome
from workflows.engine import Desk
from workflows.errors import Refused
from workflows.repairs import verbs
from workflows.repairs.orders import order_of
from workflows.repairs.planning import look, only_beside, plan_page
from workflows.repairs.verbs import Order
from workflows.views.asof import case_as_of

BATCH = 200  # items done in one round, at most
TRIES = 10  # how often a page is planned that breaks
AGAIN = 30  # seconds until the next, or until what a passing fault kept back is tried again
GLANCE = 0.02  # seconds between two looks at what another is carrying on
log = structlog.get_logger()
Row = Mapping[str, Any]

_CLAIM = """
select r.*, named.regions as staff_regions, named.person as staff_person,
  (select array_agg(distinct held.role) from principals p cross join unnest(p.roles) as held(role)
   where p.revoked_at is null and exists (
     select from unnest(p.regions) as granted(region)
     where r.args ->> 'agency' like regexp_replace(granted.region, '(00)+$', '') || '%%')) as agency_roles
from repairs r
left join principals named
  on named.id = r.args ->> 'staff' and named.revoked_at is null and 'reviewer' = any(named.roles)
where r.state in ('planning', 'running', 'undoing') and r.paused_at is null and r.next_at <= clock_timestamp()
  and (%(only)s::text is null or r.id = %(only)s)
order by r.next_at limit 1 for update of r skip locked
"""
_ITEMS = """
select binding_id, version, version_after, plan from repair_items
where repair_id = %s and state = %s order by binding_id limit %s
"""
_RESULT = """
update repair_items set state = %s, code = %s, version_after = coalesce(%s, version_after), at = kinbind_now()
where repair_id = %s and binding_id = %s
"""
_OPEN = """
select from repairs where id = %s and state in ('planning', 'running', 'undoing') and paused_at is null
"""
_LATER = "update repairs set next_at = clock_timestamp() + %s * interval '1 second' where id = %s"
_STATE = """
update repairs set state = %s, finished_at = case when %s in ('done', 'undone') then kinbind_now() end where id = %s
"""
_BROKEN = """
update repairs set attempts = attempts + 1, fault = %(fault)s,
  next_at = clock_timestamp() + %(again)s * interval '1 second',
  state = case when attempts + 1 < %(tries)s then state else 'failed' end,
  finished_at = case when attempts + 1 < %(tries)s then finished_at else kinbind_now() end
where id = %(id)s
"""
_PLAN = "select body::text from plans where hash = %s"
_NAMED = "select plan from bindings where id = %s"


class Item(NamedTuple):
    """A binding of an order, as `_ITEMS` reads it."""

    binding_id: str
    version: int  # at which it was planned, and only at which it is done
    version_after: int | None
    plan: str  # the hash of the one that the binding named before


def round_of(desk: Desk, only: str | None = None) -> int:
    """One batch of one order; how many bindings were dealt with, plus one for an order carried on; 0: nothing to do."""
    with desk.ledger.connection() as conn, conn.cursor(row_factory=dict_row) as cursor:
        found = cursor.execute(_CLAIM, {"only": only}).fetchone()
    if found is None:
        return 0
    try:
        with desk.ledger.transaction() as conn:
            row = _claimed(conn, found["id"])
            return 1 + _ROUNDS[row["state"]](desk, conn, row) if row else 0
    except Exception as fault:  # noqa: BLE001  one broken binding must not keep the others waiting
        log.warning("repair_batch_failed", repair_id=found["id"], fault=type(fault).__name__)
        return 1 + _one_by_one(desk, found["id"], fault)


def to_its_end(desk: Desk, order_id: str, patience: float) -> None:
    """Carry one order on until it waits for somebody or is through; gives up after `patience` seconds, real time."""
    until = time.monotonic() + patience
    while round_of(desk, order_id) or _under_way(desk, order_id):
        if time.monotonic() > until:
            return


def _under_way(desk: Desk, order_id: str) -> bool:
    """Whether another has it in hand, or it waits for its pace; after a moment's wait."""
    with desk.ledger.connection() as conn:
        there = conn.execute(_OPEN, (order_id,)).fetchone() is not None
    if there:
        time.sleep(GLANCE)
    return there


def _claimed(conn: Connection[Any], order_id: str) -> Row | None:
    """The order again, under lock; None when another is at it, or it was paused meanwhile."""
    with conn.cursor(row_factory=dict_row) as cursor:
        return cursor.execute(_CLAIM, {"only": order_id}).fetchone()


def _plan(desk: Desk, conn: Connection[Any], row: Row) -> int:
    """The next page of the dry run; after the last, on to what the order waits for."""
    found, last = plan_page(desk, conn, row)
    conn.execute(_LATER, (0, row["id"]))  # other orders' turn
    if last:
        # a second person is asked only for what can be done
        risky = verbs.VERBS[row["verb"]].risky and conn.execute(_ITEMS, (row["id"], "planned", 1)).fetchone()
        then = "planned" if row["dry_run"] else "awaiting_approval" if risky else "running"
        conn.execute(_STATE, (then, then, row["id"]))
    return found


# -- doing and undoing -------------------------------------------------------------------------------------------


def _run(desk: Desk, conn: Connection[Any], row: Row) -> int:
    return _batch(desk, conn, row, "planned", "done")


def _undo(desk: Desk, conn: Connection[Any], row: Row) -> int:
    return _batch(desk, conn, row, "done", "undone")


def _batch(desk: Desk, conn: Connection[Any], row: Row, take: str, end: str) -> int:
    """Deal with the next items; the order ends where there are none."""
    size = min(BATCH, row["pace"])
    items = _items(conn, row["id"], take, size)
    _carry(desk, conn, row, items)
    if len(items) == size:
        conn.execute(_LATER, (size / row["pace"], row["id"]))
    if not items:
        conn.execute(_STATE, (end, end, row["id"]))
    return len(items)


def _items(conn: Connection[Any], order_id: str, take: str, size: int) -> list[Item]:
    return [Item(*row) for row in conn.execute(_ITEMS, (order_id, take, size))]


def _carry(desk: Desk, conn: Connection[Any], row: Row, waiting: Sequence[Item]) -> None:
    """Say the commands of these items together, and write what came of each."""
    order, undoing = order_of(row), row["state"] == "undoing"
    items = {item.binding_id: item for item in waiting}
    commands: list[Command] = []
    found = {looked.case.id: looked for looked in look(desk, conn, list(items))}
    for binding_id in items.keys() - found.keys():  # a result too: else the order would come back to it for ever
        conn.execute(_RESULT, ("kept" if undoing else "failed", "unreadable", None, order.id, binding_id))
    for looked in found.values():
        item = items[looked.case.id]
        try:
            verbs.own_case(order, looked.case)
            if undoing:
                verbs.still_as_done(order, looked)
                commands.append(_undoing(desk, conn, row, item))
            elif only_beside(order, looked):
                verbs.resend(conn, looked.case.id)
                conn.execute(_RESULT, ("done", None, looked.case.version, order.id, looked.case.id))
            else:
                command = verbs.command(order, looked, desk.book, item.version)
                verbs.pin_new_plan(conn, command)
                commands.append(command)
        except (Refused, NotAllowed) as no:
            _refused(conn, row, looked.case.id, no)
    for command, outcome in zip(commands, desk.serve_on(conn, commands), strict=True):
        _settle(conn, row, order, command.binding_id, items[command.binding_id].plan, outcome)


def _settle(conn: Connection[Any], row: Row, order: Order, binding_id: str, plan: str, outcome: Outcome) -> None:
    """Write what came of one item; `plan` is the hash that its binding named before."""
    undoing = row["state"] == "undoing"
    if outcome.refused is not None:
        if order.verb == "replan" and not undoing:
            verbs.pin(conn, binding_id, plan)
        _refused(conn, row, binding_id, outcome.refused)
        return
    assert outcome.case is not None  # noqa: S101  what was not refused has a case
    if undoing:
        verbs.write_back(conn, order, outcome.case, plan)
    else:
        verbs.write_beside(conn, order, outcome.case)
    state = "undone" if undoing else "done"
    conn.execute(_RESULT, (state, None, None if undoing else outcome.case.version, order.id, binding_id))


def _refused(conn: Connection[Any], row: Row, binding_id: str, no: Exception) -> None:
    """A refusal is a result: of an undoing, that what was done stays."""
    kept = row["state"] == "undoing"
    known = isinstance(no, (Refused, NotAllowed))
    code = no.code if isinstance(no, (Refused, NotAllowed)) else type(no).__name__
    conn.execute(_RESULT, ("kept" if kept else "refused" if known else "failed", code, None, row["id"], binding_id))


def _undoing(desk: Desk, conn: Connection[Any], row: Row, item: Item) -> Command:
    """Put a case back as it stood at the line before, unless something has been said since."""
    binding_id, version, version_after, plan = item
    case, _ = case_as_of(conn, desk.reader, binding_id, version)
    body = conn.execute(_PLAN, (plan,)).fetchone()
    assert body is not None  # noqa: S101  plans are never deleted
    restore = {"state": case.state, "progress": case.progress, "plan": plan_from_json(body[0])}
    to = f" to plan {plan}" if row["verb"] == "replan" else ""
    note = f"{row['id']} undone{to}, asked by {row['undone_by']}: {row['undone_because']}"
    facts = {"reason": "undo", "note": note, "restore": restore, "since": case.since}
    (named,) = conn.execute(_NAMED, (binding_id,)).fetchone() or (plan,)
    if named != plan:
        facts["plan_was"] = named
    return Command("undo_repair", binding_id, Actor("system", row["id"]), facts, if_match=version_after)


def _one_by_one(desk: Desk, order_id: str, fault: Exception) -> int:
    """The same batch, each item in a transaction of its own, so that the broken one fails alone.

    What only a passing fault kept back is left as it is, and the order comes back to it. A page that cannot be
    planned is tried again later, and in the end the order has failed: no binding is to blame.
    """
    with desk.ledger.connection() as conn:
        row = _claimed(conn, order_id)
        if row is None or row["state"] == "planning":
            if row is not None:
                conn.execute(_BROKEN, {"fault": type(fault).__name__, "again": AGAIN, "tries": TRIES, "id": order_id})
            return 0
        take = "planned" if row["state"] == "running" else "done"
        items = _items(conn, order_id, take, min(BATCH, row["pace"]))
    done = sum(_alone(desk, order_id, item) for item in items)
    if done < len(items):
        with desk.ledger.connection() as conn:
            conn.execute(_LATER, (AGAIN, order_id))
    return done


def _alone(desk: Desk, order_id: str, item: Item) -> bool:
    """One item; False where it waits still, as no fault of its own kept it back."""
    try:
        with desk.ledger.transaction() as conn:
            row = _claimed(conn, order_id)
            if row is not None and _still(conn, order_id, row, item.binding_id):
                _carry(desk, conn, row, [item])
    except AWAY as fault:
        log.warning("repair_waits", repair_id=order_id, binding_id=item.binding_id, fault=type(fault).__name__)
        return False
    except Exception as fault:
        log.exception("repair_failed", repair_id=order_id, binding_id=item.binding_id)
        with desk.ledger.transaction() as conn:
            row = _claimed(conn, order_id)
            if row is not None and _still(conn, order_id, row, item.binding_id):
                _refused(conn, row, item.binding_id, fault)
    return True


def _still(conn: Connection[Any], order_id: str, row: Row, binding_id: str) -> bool:
    """Whether the item still waits: another may have had the order in between."""
    take = "planned" if row["state"] == "running" else "done"
    asked = "select from repair_items where repair_id = %s and binding_id = %s and state = %s"
    return conn.execute(asked, (order_id, binding_id, take)).rowcount > 0


_ROUNDS = {"planning": _plan, "running": _run, "undoing": _undo}
