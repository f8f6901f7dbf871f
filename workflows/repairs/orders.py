"""Orders of repairs as rows: made, approved, withdrawn, paused, resumed, applied after a dry run, undone.

An order goes planning → planned (a dry run ends here) → awaiting_approval (risky verbs) → running → done; and from
done, where its verb can be undone, → undoing → undone; from planning, where that breaks again and again, → failed.
Before it runs it may be withdrawn, and a dry run that nobody applies is so in the end (`tasks.upkeep`).
The hands carry it on (`carrying`); here it is only told to.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, get_args

import orjson
from psycopg import Connection
from psycopg.rows import dict_row

from models.ids import new_id
from models.ledger import Ledger
from policies.regions import is_region
from policies.words import ChannelName, Product
from workflows.access import principals
from workflows.access.principals import Principal
from workflows.case import STATES, lies_in
from workflows.commands import Idempotency
from workflows.deadlines import DEADLINES_BY_NAME
from workflows.errors import Refused, not_found
from workflows.repairs.mending import TARGETS
from workflows.repairs.verbs import VERBS, Order, Verb
from workflows.repairs.versions import EVERY
from workflows.texts import is_blank, unfit
from workflows.views.stuck import CAUSES

WAITING = ("planning", "planned", "awaiting_approval")  # nothing has been done yet
CARRIED = ("planning", "running", "undoing")  # the hands have something to do
ENDED = ("done", "undone", "failed", "withdrawn")
PACE, FASTEST = 100, 1000  # bindings a second; the usual, and the most that may be asked for

_MAKE = """
insert into repairs (id, verb, args, filter, reason, dry_run, state, pace, regions, asked_by, asked_person,
  asked_under, created_at)
values (%(id)s, %(verb)s, %(args)s::jsonb, %(filter)s::jsonb, %(reason)s, %(dry_run)s, 'planning', %(pace)s,
  %(regions)s, %(by)s, %(person)s, %(under)s, kinbind_now())
on conflict (asked_under) do nothing
returning id
"""
_MADE = "select id from repairs where asked_under = %(under)s"
_LOCK = """
select state, verb, asked_by, asked_person, applied_by, applied_person, regions, filter, paused_at is not null as paused
from repairs where id = %s for update
"""
_APPROVE = """
update repairs set state = 'running', approved_by = %s, approved_person = %s, approved_at = kinbind_now() where id = %s
"""
_PAUSE = "update repairs set paused_at = kinbind_now() where id = %s and paused_at is null"
_RESUME = "update repairs set paused_at = null where id = %s"
_TO_DO = "select 1 from repair_items where repair_id = %s and state = 'planned' limit 1"
_APPLY = "update repairs set dry_run = false, state = %s, applied_by = %s, applied_person = %s where id = %s"
_WITHDRAW = """
update repairs set state = 'withdrawn', withdrawn_by = %s, withdrawn_because = %s, paused_at = null,
  finished_at = kinbind_now()
where id = %s
"""
_UNDO = """
update repairs set state = 'undoing', undone_by = %s, undone_person = %s, undone_because = %s, finished_at = null
where id = %s
"""
# What a filter may say where the words are a closed list.
_WORDS = {"cause": tuple(CAUSES), "states": STATES, "product": get_args(Product), "channel": get_args(ChannelName)}
_REGION = re.compile("[0-9]{6}")
LONGEST_REASON = 500  # characters


@dataclass(frozen=True, slots=True)
class Wish:
    """What somebody wants repaired: the verb, what it must be told, why, and of which bindings.

    `filter` is what `planning.FILTER` knows, a cause and a fingerprint; of one binding it is `{"binding_ids": [id]}`.
    `pace` is bindings a second.
    """

    verb: str
    reason: str
    filter: Mapping[str, Any]
    args: Mapping[str, Any]
    dry_run: bool = False
    pace: int = PACE


@dataclass(frozen=True, slots=True)
class Row:
    """An order's row under lock, as far as it decides what may be said to it."""

    id: str
    state: str
    verb: Verb
    ordered_by: tuple[tuple[str, str | None], ...]  # who asked and who applied: principal and person
    paused: bool


def made(ledger: Ledger, asked: Idempotency | None) -> str | None:
    """The id of the order that this request has made already, though nobody was told; None where it has not."""
    if asked is None:
        return None
    with ledger.connection() as conn:
        row = conn.execute(_MADE, {"under": _under(asked)}).fetchone()
    return row and row[0]


def make(ledger: Ledger, asker: Principal, wish: Wish, asked: Idempotency | None = None) -> str:
    """Write an order down; its id. Nothing is changed by it yet.

    A request under an idempotency key makes one order, also where whoever made it died before he could answer.

    Raises `Refused` 422: `argument_missing`, `argument_invalid` (also of the filter and the reason), `filter_empty`;
    409 `agency_unserved`.
    """
    _right_reason(wish.reason)
    args = _right_args(VERBS[wish.verb], wish.args)
    _somebody_there(ledger, args)
    if not wish.filter:
        raise Refused("filter_empty", 422, "/filter")
    _right_filter(wish.filter)
    if not covers(asker, reach(asker.regions, wish.filter)):  # else he could neither see it nor stop it
        raise Refused("argument_invalid", 422, "/filter/region")
    order = {
        "id": new_id("rep", ledger.now()), "verb": wish.verb, "args": _json(args), "filter": _json(wish.filter),
        "reason": wish.reason, "dry_run": wish.dry_run, "pace": wish.pace, "regions": list(asker.regions),
        "by": asker.id, "person": asker.person,
        "under": _under(asked) if asked else None,
    }  # fmt: skip
    with ledger.connection() as conn:
        row = conn.execute(_MAKE, order).fetchone() or conn.execute(_MADE, order).fetchone()
    assert row is not None  # noqa: S101  one of the two is there
    return str(row[0])


def _under(asked: Idempotency) -> str:
    return f"{asked.key} {asked.fingerprint}"


def _right_args(verb: Verb, given: Mapping[str, Any]) -> dict[str, Any]:
    """What this verb must and may be told, and nothing else."""
    args = {name: value for name, value in given.items() if value is not None}
    if missing := [name for name in verb.needs if name not in args]:
        raise Refused("argument_missing", 422, f"/{missing[0]}")
    wrong = {
        "deadline": "deadline" in args and args["deadline"] not in DEADLINES_BY_NAME,
        "recompute": any(name not in DEADLINES_BY_NAME and name != EVERY for name in args.get("recompute", [])),
        "to": "to" in args and args["to"] not in TARGETS,
        "agency": "agency" in args and not is_region(args["agency"]),
    }
    unknown = sorted(args.keys() - {*verb.needs, *verb.takes})
    if found := unknown + [name for name, is_wrong in wrong.items() if is_wrong]:
        raise Refused("argument_invalid", 422, f"/{found[0]}")
    return args


def _right_reason(reason: str) -> None:
    """Something that can be read, whichever door it came through: it stands in the history for ever."""
    if is_blank(reason) or len(reason) > LONGEST_REASON or unfit(reason):
        raise Refused("argument_invalid", 422, "/reason")


def _right_filter(wanted: Mapping[str, Any]) -> None:
    """Words that exist, whichever door they came through: what nobody knows could never be planned.

    A word left empty is no wish for everything: it is what a script says whose variable is not set.
    """
    for name, value in wanted.items():
        if value is not None and not value:
            raise Refused("argument_invalid", 422, f"/filter/{name}")
    for name, words in _WORDS.items():
        said = wanted.get(name) or ()
        if not {said} <= set(words) if isinstance(said, str) else not set(said) <= set(words):
            raise Refused("argument_invalid", 422, f"/filter/{name}")
    if wanted.get("region") and not _REGION.fullmatch(wanted["region"]):
        raise Refused("argument_invalid", 422, "/filter/region")


def _somebody_there(ledger: Ledger, args: Mapping[str, Any]) -> None:
    """Work goes only to where somebody will find it; whether it is his kind of work, each case tells (`verbs`)."""
    agency, staff = args.get("agency"), args.get("staff")
    if agency is None and staff is None:
        return
    everybody = principals.every(ledger)
    if staff is not None and not any(one.id == staff and "reviewer" in one.roles for one in everybody):
        raise Refused("argument_invalid", 422, "/staff")
    working = [one for one in everybody if {"reviewer", "counter"} & set(one.roles)]
    if agency is not None and not any(covers(one, [agency]) for one in working):
        raise Refused("agency_unserved")


def approve(ledger: Ledger, supervisor: Principal, order_id: str) -> None:
    """Let a risky order be carried out: another person than who asked and who applied, granted all that it may touch.

    Raises `Refused`: 404 `not_found`, 409 `repair_not_available`, `second_person_required`.
    """
    with ledger.transaction() as conn:
        row = _locked(conn, order_id, supervisor)
        if row.state != "awaiting_approval":
            raise _not_now(row)
        _another(supervisor, row.ordered_by)
        conn.execute(_APPROVE, (supervisor.id, supervisor.person, order_id))


def _another(caller: Principal, others: Iterable[tuple[str, str | None]]) -> None:
    """Somebody else than all of these, by key and by person. Raises `Refused` 409 `second_person_required`.

    Keys that name no person may be one man's: only those of the sandbox, which open nothing elsewhere, pass for two.
    """
    if any(who == caller.id or (person is not None and person == caller.person) for who, person in others):
        raise Refused("second_person_required")
    everybody = ((caller.id, caller.person), *others)
    if nameless := [who for who, person in everybody if person is None and not who.startswith(principals.SANDBOX)]:
        raise Refused("second_person_required", 409, without_person=sorted(set(nameless)))


def apply(ledger: Ledger, caller: Principal, order_id: str) -> None:
    """Carry out what a dry run has shown, at the versions that it has seen; a risky one awaits approval first.

    Raises `Refused`: 404 `not_found`, 409 `repair_not_available`.
    """
    with ledger.transaction() as conn:
        row = _locked(conn, order_id, caller)
        if row.state != "planned":
            raise _not_now(row)
        risky = row.verb.risky and conn.execute(_TO_DO, (order_id,)).fetchone()
        conn.execute(_APPLY, ("awaiting_approval" if risky else "running", caller.id, caller.person, order_id))


def withdraw(ledger: Ledger, caller: Principal, order_id: str, reason: str) -> None:
    """Let an order be, before anything of it is done: any operator or supervisor of its regions, as with undoing.

    Raises `Refused`: 404 `not_found`, 409 `repair_not_available`, 422 `argument_invalid`.
    """
    _right_reason(reason)
    with ledger.transaction() as conn:
        row = _locked(conn, order_id, caller)
        if row.state not in WAITING:
            raise _not_now(row)
        conn.execute(_WITHDRAW, (caller.id, reason, order_id))


def pause(ledger: Ledger, caller: Principal, order_id: str) -> None:
    """Stop after the batch under way; paused already is no error. Raises as `apply`."""
    with ledger.transaction() as conn:
        row = _locked(conn, order_id, caller)
        if row.state not in CARRIED:
            raise _not_now(row)
        conn.execute(_PAUSE, (order_id,))


def resume(ledger: Ledger, caller: Principal, order_id: str) -> None:
    """Go on. Raises as `apply`."""
    with ledger.transaction() as conn:
        row = _locked(conn, order_id, caller)
        if not row.paused:
            raise _not_now(row)
        conn.execute(_RESUME, (order_id,))


def undo(ledger: Ledger, caller: Principal, order_id: str, reason: str) -> None:
    """Take back what was done, wherever nothing has happened since. A suspension is lifted by a supervisor only.

    Raises `Refused`: 404 `not_found`, 403 `role_required`, 409 `not_undoable`, `repair_not_available`, 422
    `argument_invalid`.
    """
    _right_reason(reason)
    with ledger.transaction() as conn:
        row = _locked(conn, order_id, caller)
        if not row.verb.undoable:
            raise Refused("not_undoable")
        if row.verb.name == "suspend" and "supervisor" not in caller.roles:
            raise Refused("role_required", 403)
        under_way = row.state == "running" and row.paused
        if row.state != "done" and not under_way:
            raise _not_now(row)
        conn.execute(_UNDO, (caller.id, caller.person, reason, order_id))
        conn.execute(_RESUME, (order_id,))


def order_of(row: Mapping[str, Any]) -> Order:
    """The order of a row of `repairs`."""
    return Order(
        id=row["id"], verb=row["verb"], args=row["args"], reason=row["reason"], regions=tuple(row["regions"]),
        asked_by=row["asked_by"], asked_person=row["asked_person"],
        approved_by=row["approved_by"], approved_person=row["approved_person"],
        applied_by=row["applied_by"], applied_person=row["applied_person"], undone_person=row["undone_person"],
        staff_regions=tuple(row["staff_regions"] or ()), staff_person=row["staff_person"],
        agency_roles=tuple(row["agency_roles"] or ()),
    )  # fmt: skip


def covers(caller: Principal, regions: Sequence[str]) -> bool:
    """Whether the caller is granted all of these regions."""
    return all(lies_in(one, caller.regions) for one in regions)


def reach(regions: Sequence[str], wanted: Mapping[str, Any]) -> list[str]:
    """The regions that an order may touch: the one that its filter names, else the grants of who asked."""
    return [wanted["region"]] if wanted.get("region") else list(regions)


def _locked(conn: Connection[Any], order_id: str, caller: Principal) -> Row:
    with conn.cursor(row_factory=dict_row) as cursor:
        found = cursor.execute(_LOCK, (order_id,)).fetchone()
    if found is None or not covers(caller, reach(found["regions"], found["filter"] or {})):
        raise not_found()
    both = (found["asked_by"], found["asked_person"]), (found["applied_by"], found["applied_person"])
    ordered_by = tuple((who, person) for who, person in both if who is not None)
    return Row(order_id, found["state"], VERBS[found["verb"]], ordered_by, found["paused"])


def _not_now(row: Row) -> Refused:
    return Refused("repair_not_available", 409, state=row.state)


def _json(value: Mapping[str, Any]) -> str:
    return orjson.dumps(dict(value)).decode()
