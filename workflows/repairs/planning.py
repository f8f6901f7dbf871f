"""The dry run of an order: the bindings that its filter finds, each tried, and what would come of it written down."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

import orjson
import structlog
from psycopg import Connection
from sqlalchemy import RowMapping, text

from models.ledger import run
from policies.refusals import NotAllowed
from workflows.access.scopes import patterns
from workflows.case import FINAL
from workflows.engine import Desk
from workflows.errors import Refused
from workflows.repairs import verbs
from workflows.repairs.orders import order_of
from workflows.repairs.trial import change, summary, tried
from workflows.repairs.verbs import Looked, Order
from workflows.views.narrowing import asked_by
from workflows.views.stuck import found_in, parameters

PAGE = 500  # bindings looked at in one round
log = structlog.get_logger()

# What a filter may ask, besides `cause` and `fingerprint`; what it does not name is not asked.
FILTER = {
    "binding_ids": "b.id = any(:binding_ids)",
    "states": "b.state = any(:states)",
    "pack": "p.body ->> 'pack' = :pack",
    "version": "p.body ->> 'version' = :version",
    "product": "a.product = :product",
    "channel": "a.channel = :channel",
    "region": "a.region like :region_pattern",
    "deadline": "exists (select from deadlines d where d.binding_id = b.id and d.name = :deadline)",
}
# The page is cut before unwanted bindings are left out: no statement runs long, however few are wanted.
_PAGE = """
with page as (select id, state, plan from bindings where id > :after order by id limit :limit)
select b.id, b.wanted, page.id as seen from page left join lateral (
  select b.id, true as wanted from bindings b join applications a on a.binding_id = b.id join plans p on p.hash = b.plan
  where b.id = page.id and {wanted}) b on true
order by page.id
"""
_NAMED = """
select b.id, true as wanted, b.id as seen
from bindings b join applications a on a.binding_id = b.id join plans p on p.hash = b.plan
where b.id > :after and {wanted} order by b.id limit :limit
"""
# Whatever touches the regions of who asked, as `scopes.in_region` has it.
_ALWAYS = """
(b.state <> all(:final) or :ended) and (a.region like any(:granted)
  or coalesce(b.progress ->> 'review_agency', p.body #>> '{{review,agency}}') like any(:granted)
  or coalesce(b.progress #>> '{{offline,agency}}', p.body #>> '{{counter,agency}}') like any(:granted))
"""
_BESIDE = """
select c.id,
  (select jsonb_object_agg(d.name, jsonb_build_array(d.due_at, d.parked)) from deadlines d where d.binding_id = c.id),
  (select count(*) from face_sessions f where f.binding_id = c.id and f.status = 'pending'),
  (select count(*) from deliveries l join webhook_endpoints e on e.id = l.endpoint_id
   where l.binding_id = c.id and l.state = 'parked' and e.disabled_at is null)
from jsonb_to_recordset($1::jsonb) as c(id text)
"""
_PLANNED = """
insert into repair_items (repair_id, binding_id, state, version, plan, change, summary, code, at)
select r.repair_id, r.binding_id, r.state, r.version, r.plan, r.change, r.summary, r.code, kinbind_now()
from jsonb_to_recordset(%s::jsonb) as r(repair_id text, binding_id text, state text, version int, plan text,
  change jsonb, summary text, code text)
on conflict do nothing
"""
_AFTER = "update repairs set after = %s, attempts = 0, fault = null where id = %s"


def plan_page(desk: Desk, conn: Connection[Any], row: Mapping[str, Any]) -> tuple[int, bool]:
    """Try the next page of what the filter finds; how many there were, and whether it was the last page."""
    page = _page(desk, row)
    order, ids = order_of(row), [one["id"] for one in page if one["wanted"]]
    looked = look(desk, conn, ids)
    items = [_item(desk, conn, order, one) for one in looked]
    unreadable = sorted(set(ids) - {one.case.id for one in looked})
    items += [_written(order, one, "failed", 0, "", {"events": []}, "unreadable") for one in unreadable]
    if items:
        conn.execute(_PLANNED, (orjson.dumps(items).decode(),))
    if page:
        conn.execute(_AFTER, (page[-1]["seen"], order.id))
    return len(ids), len(page) < PAGE


def _page(desk: Desk, row: Mapping[str, Any]) -> Sequence[RowMapping]:
    """The next bindings by id, the wanted ones marked; if they are named or stuck, only wanted ones are read."""
    wanted = {name: value for name, value in row["filter"].items() if value is not None}
    asked = [_ALWAYS, *(FILTER[name] for name in FILTER if name in wanted)]
    named = wanted.keys() & {"binding_ids", "cause", "fingerprint"}
    if wanted.keys() & {"cause", "fingerprint"}:
        asked.append(f"b.id in ({found_in(wanted.get('cause'))})")
    query = text((_NAMED if named else _PAGE).format(wanted=" and ".join(asked)))
    told = {
        "fingerprint": None, **wanted, **parameters(desk.ledger), "after": row["after"], "limit": PAGE,
        "ended": row["verb"] == "resend", "granted": patterns(row["regions"]),
        "region_pattern": patterns([wanted["region"]])[0] if "region" in wanted else None,
    }  # fmt: skip
    return desk.ledger.read(query, asked_by(query, told), fresh=True)


def look(desk: Desk, conn: Connection[Any], ids: list[str]) -> list[Looked]:
    """The cases and what lies beside them, in the order of the ids; left out: what is gone or cannot be read."""
    cases = desk.reader.cases(conn, ids)
    beside = {row[0]: row[1:] for row in run(conn, _BESIDE, [{"id": one} for one in ids])} if cases else {}
    found = []
    for case, now in cases:
        rows, pending, letters = beside[case.id]
        ends = {name: (datetime.fromisoformat(due), parked) for name, (due, parked) in (rows or {}).items()}
        found.append(Looked(case, now, ends, pending, letters))
    return found


def _item(desk: Desk, conn: Connection[Any], order: Order, looked: Looked) -> dict[str, Any]:
    case, code, state = looked.case, None, "planned"
    found: dict[str, Any] = {"events": []}
    try:
        if not only_beside(order, looked):
            command = verbs.command(order, looked, desk.book)
            found = change(looked, tried(looked, command), aligned=order.verb in verbs.ALIGNS)
            if plan := command.facts.get("plan"):
                verbs.store(conn, plan)
    except (Refused, NotAllowed) as no:
        state, code = "refused", no.code
    except Exception as fault:
        log.exception("repair_not_tried", repair_id=order.id, binding_id=case.id)
        state, code = "failed", type(fault).__name__
    return _written(order, case.id, state, case.version, case.plan.hash, found, code)


def _written(
    order: Order, binding_id: str, state: str, version: int, plan: str, found: dict[str, Any], code: str | None
) -> dict[str, Any]:
    return {"repair_id": order.id, "binding_id": binding_id, "state": state, "version": version, "plan": plan,
            "change": found, "summary": summary(found), "code": code}  # fmt: skip


def only_beside(order: Order, looked: Looked) -> bool:
    """Whether only letters of an ended binding are sent again, without a line. Raises `Refused` if none waits."""
    if order.verb != "resend" or looked.case.state not in FINAL:
        return False
    if not looked.letters:
        raise Refused("nothing_to_repair")
    return True
