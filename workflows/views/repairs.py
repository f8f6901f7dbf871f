"""What became of a repair: the order, how its bindings stand, and what happens to them, in groups and one by one."""

from __future__ import annotations

from typing import Any

from sqlalchemy import RowMapping, text

from models.ledger import Ledger
from workflows.access.principals import Principal
from workflows.access.scopes import patterns
from workflows.errors import not_found
from workflows.repairs.orders import covers, reach
from workflows.repairs.verbs import VERBS
from workflows.views import cursors

_ORDER = text("select * from repairs where id = :id")
# As `orders.covers` of `orders.reach`: every region that the order may touch lies within the grants.
_COVERED = """not exists (
  select from unnest(case when filter ->> 'region' <> '' then array[filter ->> 'region'] else regions end) as place
  where place not like all(:granted))"""
_RECENT = text(f"""
select * from repairs where (cast(:after as text) is null or id < :after) and {_COVERED} order by id desc limit :limit
""")  # noqa: S608  a text of ours
_AWAITING = text(f"""
select count(*) as count from repairs where state = 'awaiting_approval' and {_COVERED}
""")  # noqa: S608  the same
_COUNTS = text("select state, count(*) as count from repair_items where repair_id = :id group by state")
_GROUPS = text("""
select state, code, summary, count(*) as count, min(binding_id) as example
from repair_items where repair_id = :id group by state, code, summary order by count(*) desc, summary limit 50
""")
_ITEMS = text("""
select binding_id, state, version, version_after, change, code, at from repair_items
where repair_id = :id and binding_id > :after and (cast(:state as text) is null or state = :state)
order by binding_id limit :limit
""")
_LETTERS = text("""
select l.binding_id, count(*) as letters from repair_items i
join deliveries l on l.binding_id = i.binding_id and l.state = 'parked' join webhook_endpoints e on e.id = l.endpoint_id
where i.repair_id = :id and i.state = 'planned' and e.disabled_at is null group by l.binding_id
""")
_SHOWN = ("id", "filter", "args", "reason", "dry_run", "state", "pace", "asked_by", "applied_by", "approved_by",
          "undone_by", "undone_because", "withdrawn_by", "withdrawn_because", "created_at", "approved_at", "paused_at",
          "finished_at", "fault")  # fmt: skip


def known(ledger: Ledger, caller: Principal, order_id: str) -> RowMapping:
    """The row of an order that the caller may see. Raises `Refused` 404."""
    found = ledger.read(_ORDER, {"id": order_id}, fresh=True)
    if not found or not covers(caller, reach(found[0]["regions"], found[0]["filter"])):
        raise not_found()
    return found[0]


def repair(
    ledger: Ledger, caller: Principal, order_id: str, limit: int = 50, cursor: str | None = None,
    state: str | None = None,
) -> dict[str, Any]:  # fmt: skip
    """An order with counts, groups and a page of its bindings. Raises `Refused` 404, 400 `cursor_invalid`."""
    order = known(ledger, caller, order_id)
    after = cursors.decode(cursor, str)[0] if cursor else ""
    asked = {"id": order_id, "after": after, "limit": limit + 1, "state": state}
    items = ledger.read(_ITEMS, asked, fresh=True)
    counted = {row["state"]: row["count"] for row in ledger.read(_COUNTS, {"id": order_id}, fresh=True)}
    return {
        **_shown(order),
        "counts": counted,
        "groups": [dict(row) for row in ledger.read(_GROUPS, {"id": order_id}, fresh=True)],
        **cursors.page(items, limit, "binding_id"),
    }


def letters(ledger: Ledger, order_id: str) -> dict[str, int]:
    """By binding that is still to be dealt with, how many letters put aside go out again where letters are resent."""
    return {row["binding_id"]: row["letters"] for row in ledger.read(_LETTERS, {"id": order_id}, fresh=True)}


def recent(ledger: Ledger, caller: Principal, limit: int = 50, cursor: str | None = None) -> dict[str, Any]:
    """A page of orders, the newest first, without their bindings; those that the caller is granted."""
    after = cursors.decode(cursor, str)[0] if cursor else None
    asked = {"after": after, "limit": limit + 1, "granted": patterns(caller.regions)}
    page = cursors.page(ledger.read(_RECENT, asked), limit, "id")
    return page | {"items": [_shown(row) for row in page["items"]]}


def awaiting(ledger: Ledger, supervisor: Principal) -> int:
    """How many repairs await a second person, of those that the supervisor is granted."""
    return int(ledger.read(_AWAITING, {"granted": patterns(supervisor.regions)})[0]["count"])


def _shown(row: Any) -> dict[str, Any]:
    verb = VERBS[row["verb"]]
    shown = {name: row[name] for name in _SHOWN}
    return {"repair": verb.name, "risky": verb.risky, "undoable": verb.undoable, **shown}
