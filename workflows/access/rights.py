"""A person's rights over what is held of him: to have a copy, and to be erased; and what must be kept all the same.

PIPL §44–§47 (DOMAIN §C.10). The house that runs kinbind has made sure who asks. A supervisor of the whole country does
it, for what is held lies in all regions; it is noted who, about whom and why, in the commit that does it.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from datetime import datetime
from typing import Any

from psycopg import Connection

from workflows import erasing, limits
from workflows.access import noting
from workflows.access.keeping import may_keep
from workflows.access.principals import SANDBOX, Principal
from workflows.case import FINAL, Actor, Case
from workflows.engine import Desk
from workflows.errors import Refused
from workflows.views import consents, listing, public

_BINDINGS = """
select binding_id from applications where holder = any(%(persons)s)
union select binding_id from applications where member = any(%(persons)s) order by 1
"""
_PLACES = "select binding_id, taken_at from month_seats where binding_id = any(%s) and taken_at is not null"
_UNDER_HOLD = "select binding_id, reason, placed_at from legal_holds where binding_id = any(%s)"
_HOLD = """
insert into legal_holds (binding_id, person, reason, placed_by, placed_at)
select a.binding_id, p.key, %(reason)s, %(by)s, kinbind_now()
from applications a join unnest(%(persons)s::text[]) as p(key) on p.key in (a.holder, a.member)
where a.binding_id = any(%(ids)s) on conflict do nothing
"""
_HOLDS_OF = "select distinct binding_id from legal_holds where person = any(%s) order by 1"
# Found by person: a member may have had another number when the hold was placed. What is held for the other party
# stays; so do `own`, the bindings in which the supervisor himself is that other party.
_RELEASE = """
delete from legal_holds
where (person = any(%(persons)s) or (person = '' and binding_id = any(%(ids)s))) and binding_id <> all(%(own)s)
returning binding_id
"""
# The hands go through the endings once and pass over what is under a hold (tasks/forgetting.py). So what is past its
# time by now is erased here, and its documents are marked as taken back long ago, so that the hands erase them.
_OVERDUE = """
select id from bindings
where id = any(%s) and state = any(%s) and state_since < kinbind_now() - make_interval(years => %s)
"""
_TAKEN_BACK = """
update materials m set removed_at = coalesce(m.removed_at, kinbind_now() - %s)
from bindings b where b.id = m.binding_id and b.id = any(%s) and b.state = any(%s) and m.erased_at is null
  and b.state_since < kinbind_now() - %s
"""
_DOCUMENTS = """
select kind, media_type, size, sha256, added_at, removed_at, erased_at from materials where binding_id = %s order by id
"""
_USES = "select purpose, patient, channel, region, at from usage_records where binding_id = %s order by at, id"
# A document is of both parties: that it was opened is noted of the binding.
_LOOKS = """
select at, split_part(act, ':', 1) as act, binding_id, purpose from access_log
where person = any(%(persons)s) or (binding_id = any(%(ids)s) and act like 'open:%%') order by id
"""
_CHANNELS = "select channel, min(since) as since from person_channels where person = any(%s) group by 1 order by 1"
_FIELDS = ("name", "id_type", "id_number", "insured_region", "birth_date")
_AS_THE_FAMILY = Actor("channel", "")  # staff are persons, too: the family learns which desk it was, not who sat there


def copy_of(desk: Desk, by: Principal, persons: Sequence[str], purpose: str) -> dict[str, Any]:
    """All that is held of whoever these blind indexes mean: `{bindings, channels, looks}`, times in UTC.

    His own part of each binding in clear, the other party masked as he sees it anyway; no document's content. `looks`:
    when, for what and in which binding somebody looked for him or opened a document.

    Raises `Refused` 403 `role_required`, `own_number_required`, 409 `own_case`.
    """
    _ask(by, persons)
    with desk.ledger.transaction() as conn:
        noting.note(conn, by.id, "person_told", persons=persons, purpose=purpose)
        ids = _bindings(conn, persons)
    cases = desk.look_many(ids)
    own = _own(cases, by)
    with desk.ledger.connection() as conn:
        his = [_binding(desk, conn, case, now, persons) for case, now in cases if case.id not in own]
        return {
            "bindings": his,
            "channels": _rows(conn, _CHANNELS, (list(persons),)),
            "looks": _rows(conn, _LOOKS, {"persons": list(persons), "ids": [one["id"] for one in his]}),
        }


def erase(desk: Desk, by: Principal, persons: Sequence[str], purpose: str) -> dict[str, str]:
    """Erase him from every binding that is over; what became of each, by its id.

    `erased`, or why not: `not_ended` (it is withdrawn or unbound first), `under_hold`, `still_counts` (a window of
    somebody's limits reaches back to it), `own_case` (who asks is the other party). Raises `Refused` 403
    `role_required`, `own_number_required`, 409 `own_case`.
    """
    _ask(by, persons)
    with desk.ledger.connection() as conn:
        ids = _bindings(conn, persons)
    cases = desk.look_many(ids)
    with desk.ledger.transaction() as conn:
        noting.note(conn, by.id, "person_erased", persons=persons, purpose=purpose)
        conn.execute(erasing.LOCK, (ids,))  # whoever comes second sees what the first has done
        erasing.reach(conn)
        under_hold = {row[0] for row in conn.execute(_UNDER_HOLD, (ids,))}
        places = conn.execute(_PLACES, (ids,)).fetchall()
        counting = {case.id for case, now in cases for one, taken_at in places
                    if one == case.id and limits.still_counts(case, desk.book, taken_at, now)}  # fmt: skip
        own = _own(cases, by)
        said = {case.id: "own_case" if case.id in own else _why_not(case, under_hold, counting) or "erased"
                for case, _ in cases}  # fmt: skip
        roles = {case.id: _roles(case, persons) for case, _ in cases if said[case.id] == "erased"}
        erasing.erase(conn, desk.keys, roles)
    return said


def hold(desk: Desk, by: Principal, persons: Sequence[str], reason: str) -> list[str]:
    """Let nothing of his bindings be erased until the hold is lifted, nor of those to come; return their ids.

    Raises `Refused` 403 `role_required`, `own_number_required`, 409 `own_case`.
    """
    _ask(by, persons)
    with desk.ledger.transaction() as conn:
        noting.note(conn, by.id, "hold_placed", persons=persons, purpose=reason)
        ids = _bindings(conn, persons)
        conn.execute(erasing.LOCK, (ids,))  # whoever comes second sees what the first has done
        conn.execute(_HOLD, {"ids": ids, "persons": list(persons), "reason": reason, "by": by.id})
        # what was erased just before is not among them
        return [row[0] for row in conn.execute(_HOLDS_OF, (list(persons),))]


def release(desk: Desk, by: Principal, persons: Sequence[str], reason: str) -> list[str]:
    """Lift the holds that are his; return the ids of the bindings that nobody holds now.

    What is past its time is erased, documents within the hour.

    Raises `Refused` 403 `role_required`, `own_number_required`, 409 `own_case`.
    """
    _ask(by, persons)
    with desk.ledger.connection() as conn:
        ids = _bindings(conn, persons)
    own = _own(desk.look_many(ids), by)
    with desk.ledger.transaction() as conn:
        noting.note(conn, by.id, "hold_lifted", persons=persons, purpose=reason)
        told = {"persons": list(persons), "ids": ids, "own": list(own)}
        freed = {row[0] for row in conn.execute(_RELEASE, told)}
        lifted = sorted(freed - {row[0] for row in conn.execute(_UNDER_HOLD, (list(freed),))})
        overdue = conn.execute(_OVERDUE, (lifted, list(FINAL), erasing.YEARS_KEPT)).fetchall()
        erasing.erase(conn, desk.keys, {row[0]: erasing.ROLES for row in overdue})
        conn.execute(_TAKEN_BACK, (erasing.DOCUMENTS_KEPT, lifted, list(FINAL), erasing.DOCUMENTS_KEPT))
    return lifted


def _ask(by: Principal, persons: Sequence[str]) -> None:
    if not may_keep(by):
        raise Refused("role_required", 403)
    if by.person is None and not by.id.startswith(SANDBOX):  # nobody could tell whether he does it for himself
        raise Refused("own_number_required", 403)
    if by.person in persons:
        raise Refused("own_case")


def _own(cases: Iterable[tuple[Case, datetime]], by: Principal) -> set[str]:
    """The bindings in which the supervisor himself is the other party; another supervisor must do those.

    He may do the rest, or any family could block him by naming him.
    """
    return {case.id for case, _ in cases if case.is_party(by.person)}


def _bindings(conn: Connection[Any], persons: Sequence[str]) -> list[str]:
    return [row[0] for row in conn.execute(_BINDINGS, {"persons": list(persons)})]


def _roles(case: Case, persons: Sequence[str]) -> list[str]:
    named = {"holder": case.application.holder, "member": case.application.member}
    return [role for role, person in named.items() if person in persons]


def _why_not(case: Case, under_hold: Collection[str], counting: Collection[str]) -> str | None:
    if case.state not in FINAL:
        return "not_ended"
    if case.id in under_hold:
        return "under_hold"
    return "still_counts" if case.id in counting else None


def _binding(desk: Desk, conn: Connection[Any], case: Case, now: datetime, persons: Sequence[str]) -> dict[str, Any]:
    roles = _roles(case, persons)
    return {
        **public.view_elsewhere(case, now),
        **{role: {name: case.application.parties[role][name] for name in _FIELDS} for role in roles},
        "consents": consents.recorded(desk, case, "zh")["items"],
        "history": listing.timeline(desk.ledger, case.id, _AS_THE_FAMILY),
        "documents": _rows(conn, _DOCUMENTS, (case.id,)),
        "face_checks": [one for one in listing.face_checks(desk.ledger, case, now)["items"] if one["subject"] in roles],
        "uses": _rows(conn, _USES, (case.id,)),
    }


def _rows(conn: Connection[Any], statement: str, named: tuple[object] | dict[str, object]) -> list[dict[str, Any]]:
    cursor = conn.execute(statement, named)
    names = [column.name for column in cursor.description or ()]
    return [dict(zip(names, row, strict=True)) for row in cursor]
