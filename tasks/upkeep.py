"""What must be tidied now and then: partitions made ahead, answers, signs of life and documents past their time."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from datetime import timedelta
from functools import partial
from itertools import islice
from typing import Any, LiteralString

import structlog
from psycopg import Connection

from gateways.documents import DocumentStore
from models.ledger import make_partitions
from tasks import forgetting, signs
from tasks.calendars import keep_calendar
from tasks.office import Office
from workflows import beside, holding
from workflows.access import sessions
from workflows.case import FINAL
from workflows.erasing import DOCUMENTS_KEPT, LOCK

BATCH = 500  # endings, or documents taken back, that are dealt with at a time
ROUNDS = 40  # such batches in one call: ten thousands a day are kept up with, and no call is long
ORPHANED = timedelta(days=1)  # real time: a document gets its row within seconds of being written, or never
PARTS = 24  # of all documents one is gone through by each call for orphans: every half hour, all in half a day
Failed = dict[str, Exception]  # documents that could not be erased in this call, and why
log = structlog.get_logger()

# Times are the service's clock; a sign of life ages in real time, because a moved clock makes no worker old.
_OUTDATED = {
    "answers": """delete from idempotency
       where created_at < kinbind_now() - interval '7 days'
         and (status is not null or reserved_at < clock_timestamp() - interval '1 day')""",
    "orders": """update repairs set asked_under = null
       where asked_under is not null and created_at < kinbind_now() - interval '7 days'""",
    # what a dry run has found is old by then: who still wants the repair makes a new one
    "unapplied": """update repairs
       set state = 'withdrawn', withdrawn_because = 'not_applied', paused_at = null, finished_at = kinbind_now()
       where state = 'planned' and created_at < kinbind_now() - interval '7 days'""",
    "failures": "delete from password_failures where day < (kinbind_now() at time zone 'Asia/Shanghai')::date - 7",
    "rests": "delete from face_rests where until < kinbind_now()",
    # a worker that ends deletes its own; those that died leave theirs
    "signs": "delete from heartbeats where name like 'worker%' and seen_at < clock_timestamp() - interval '1 hour'",
    "delivered": "delete from deliveries where state = 'delivered' and settled_at < kinbind_now() - interval '30 days'",
    # put aside, and its people erased: a letter sent again is written anew from its line, but a notice has none
    "untold": """delete from deliveries d using applications a
       where a.binding_id = d.binding_id and d.state = 'parked' and d.notice <> '' and a.erased <> '{}'""",
    "parked": """update deliveries d set body = null from applications a
       where a.binding_id = d.binding_id and d.state = 'parked' and d.body is not null and a.erased <> '{}'""",
    "leases": "update review_cases set claimed_by = null, lease_until = null where lease_until < kinbind_now()",
    # written just when their endpoint was disabled or removed
    "disabled": """update deliveries d
       set state = 'parked', settled_at = kinbind_now(), last_error = 'endpoint_disabled'
       from webhook_endpoints e where e.id = d.endpoint_id and e.disabled_at is not null and d.state = 'pending'""",
    "forgotten": """delete from deliveries d where d.state = 'pending'
       and not exists (select from webhook_endpoints e where e.id = d.endpoint_id)""",
}
_TAKEN_BACK = """
select id from materials
where removed_at is not null and erased_at is null and removed_at < (select kinbind_now()) - %(kept)s
  and id <> all(%(failed)s) and not exists (select from legal_holds l where l.binding_id = materials.binding_id)
order by removed_at limit %(batch)s
"""
# When a person is erased, his documents do not wait for thirty days.
_OF_ERASED = """
select m.id from materials m join applications a on a.binding_id = m.binding_id
where m.removed_at is not null and m.erased_at is null and a.erased <> '{}' and m.id <> all(%(failed)s)
  and not exists (select from legal_holds l where l.binding_id = m.binding_id)
order by m.removed_at limit %(batch)s
"""
# Each binding has one line that ends it. These are gone through in order, from where the last call stopped, so that
# neither bindings in force nor those erased long ago are looked at.
_ENDINGS = """
select h.at, h.binding_id from history h
where h.to_state in ('unbound', 'rejected', 'withdrawn', 'expired') and h.at < (select kinbind_now()) - %(kept)s
  and (h.at, h.binding_id) > (
    coalesce((select at from upkeep_places where name = 'erased'), '-infinity'),
    coalesce((select binding_id from upkeep_places where name = 'erased'), ''))
order by h.at, h.binding_id limit %(batch)s
"""
_OF_ENDED = """
select m.id from materials m join bindings b on b.id = m.binding_id
where m.binding_id = any(%s) and m.erased_at is null and b.state = any(%s)
  and not exists (select from legal_holds l where l.binding_id = b.id)
"""
_PLACE = """
insert into upkeep_places (name, at, binding_id) values ('erased', %s, %s)
on conflict (name) do update set at = excluded.at, binding_id = excluded.binding_id
where (upkeep_places.at, upkeep_places.binding_id) < (excluded.at, excluded.binding_id)
"""
_WHOSE = "select distinct binding_id from materials where id = any(%s)"
# Whether somebody holds them is asked once more, by whoever has the lock under which holds are placed.
_ERASED = """
update materials m set erased_at = clock.now, removed_at = coalesce(removed_at, clock.now)
from (select kinbind_now() as now) as clock
where m.id = any(%s) and m.erased_at is null
  and not exists (select from legal_holds l where l.binding_id = m.binding_id)
returning m.id
"""
# What could not be erased is marked as taken back so long ago that the next call finds it, however far the endings have
# been gone through. The mark lies after the line that ended the case: the view as of that line still has the document.
_LEFT = """
update materials
set removed_at = case when removed_at = erased_at then erased_at - %s else removed_at end, erased_at = null
where id = any(%s)
"""
# The part of the documents whose turn it is, in the place of a binding. The next call has the next, whatever becomes of
# this one.
_NEXT_PART = """
insert into upkeep_places (name, at, binding_id) values ('orphans', kinbind_now(), '0')
on conflict (name) do update
set at = excluded.at, binding_id = ((upkeep_places.binding_id::int + 1) %% %(parts)s)::text
returning binding_id::int
"""
_NOBODYS = """
select o.id from unnest(%s::text[]) as o(id)
where not exists (select from materials m where m.id = o.id and m.erased_at is null)
"""


def keep_up(office: Office) -> int:
    """Do all of it; return how many documents were erased. Safe to run twice at once.

    A chore that fails keeps no other from its turn; its fault is logged, and the first one raised in the end.
    """
    erased, faults = 0, []
    for name, chore in _chores().items():
        try:
            erased += chore(office) or 0
        except Exception as fault:  # what must be erased is erased, though something else broke
            log.exception("chore_failed", chore=name)
            faults.append(fault)
    if faults:
        raise faults[0]
    return erased


def keep_up_and_sign(office: Office) -> None:
    """The same, and a sign that all of it was done: a chore that fails each time is missed, too."""
    keep_up(office)
    signs.give(office.ledger, "keep_up")


def _chores() -> dict[str, Callable[[Office], int | None]]:
    """All there is to do, by name, in its order; how many documents each erased."""
    return {
        "partitions": _on_the_desk(make_partitions),
        **{name: _on_the_desk(partial(_execute, statement)) for name, statement in _OUTDATED.items()},
        "decisions": _on_the_desk(holding.forget),
        "beside": _on_the_desk(beside.forget),
        "sessions": _on_the_desk(sessions.forget),
        "looks": _on_the_desk(forgetting.forget_looks),
        "people": forgetting.forget_people,
        "documents": erase_documents,
        "calendar": _keep_calendar,
        "faces": forgetting.forget_faces,  # others' servers may be slow
        "orphans": erase_orphans,  # the last: it has the most to look at, and finds next to nothing
    }


def _on_the_desk(chore: Callable[[Connection[Any]], object]) -> Callable[[Office], None]:
    def do(office: Office) -> None:
        with office.ledger.connection() as conn:
            chore(conn)

    return do


def _execute(statement: LiteralString, conn: Connection[Any]) -> None:
    conn.execute(statement)


def _keep_calendar(office: Office) -> None:
    keep_calendar(office)


def erase_documents(office: Office) -> int:
    """Erase documents past their time: of what ended, what was taken back, and of people erased; return how many.

    At most `ROUNDS` times `BATCH` of each; the rest is left to the next call. So is what cannot be erased: it keeps
    no other, is logged, and the first fault raised in the end.
    """
    forgetting.heed_holds(office)
    failed: Failed = {}
    ways = (partial(_erase_found, _TAKEN_BACK), partial(_erase_found, _OF_ERASED), _erase_ended)
    erased = sum(_rounds(office, way, failed) for way in ways)
    _raise_first(failed)
    return erased


def _rounds(office: Office, erase: Callable[[Office, Failed], int | None], failed: Failed) -> int:
    erased = 0
    for _ in range(ROUNDS):
        found = erase(office, failed)
        if found is None:
            break
        erased += found
    return erased


def _erase_found(statement: LiteralString, office: Office, failed: Failed) -> int | None:
    asked = {"kept": DOCUMENTS_KEPT, "batch": BATCH, "failed": list(failed)}
    with office.ledger.connection() as conn:
        ids = [row[0] for row in conn.execute(statement, asked)]
    return _erase(office, ids, failed) if ids else None


def _erase_ended(office: Office, failed: Failed) -> int | None:
    with office.ledger.connection() as conn:
        endings = conn.execute(_ENDINGS, {"kept": DOCUMENTS_KEPT, "batch": BATCH}).fetchall()
        bindings = [row[1] for row in endings]
        ids = [row[0] for row in conn.execute(_OF_ENDED, (bindings, list(FINAL)))]
    if not endings:
        return None
    erased = _erase(office, ids, failed)
    with office.ledger.connection() as conn:
        conn.execute(_PLACE, endings[-1])
    return erased


def _erase(office: Office, ids: list[str], failed: Failed) -> int:
    """Mark them as erased, then delete the files: a hold comes before both or after both.

    If we are killed in between, the files are orphans, which the sweep takes.
    """
    with office.ledger.transaction() as conn:
        bindings = [row[0] for row in conn.execute(_WHOSE, (ids,))]
        conn.execute(LOCK, (bindings,))
        left = {row[0] for row in conn.execute(_ERASED, (ids,))}
    erased = 0
    try:
        for document_id in _delete(office.windows.documents, sorted(left), failed):
            left.remove(document_id)
            erased += 1
    finally:
        with office.ledger.connection() as conn:
            conn.execute(_LEFT, (DOCUMENTS_KEPT, list(left)))
    return erased


def _delete(documents: DocumentStore, ids: Iterable[str], failed: Failed) -> Iterator[str]:
    """Delete each of them and tell which are gone; what could not be deleted goes into `failed`."""
    for document_id in ids:
        try:
            documents.delete(document_id)
        except Exception as fault:  # one that cannot be erased keeps nobody else's
            log.exception("document_not_erased", document_id=document_id)
            failed[document_id] = fault
        else:
            yield document_id


def _raise_first(failed: Failed) -> None:
    for fault in failed.values():
        raise fault


def erase_orphans(office: Office) -> int:
    """Erase documents that have no row, or one that says that they are erased, in the part whose turn it is.

    Who wrote them died before he could note it, and no case will end for them; or who was to erase them died over it.
    What cannot be erased keeps no other, is logged, and the first fault raised in the end.
    """
    documents, erased = office.windows.documents, 0
    failed: Failed = {}
    with office.ledger.connection() as conn:
        ((part,),) = conn.execute(_NEXT_PART, {"parts": PARTS}).fetchall()
    old = documents.older_than(ORPHANED.total_seconds(), part, PARTS)
    while batch := list(islice(old, BATCH)):
        with office.ledger.connection() as conn:
            ids = [row[0] for row in conn.execute(_NOBODYS, (batch,))]
        erased += len(list(_delete(documents, ids, failed)))
    if erased:
        log.warning("orphaned_documents_erased", documents=erased)
    _raise_first(failed)
    return erased
