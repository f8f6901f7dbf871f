"""What must be tidied now and then: partitions made ahead, answers, signs of life and documents past their time."""

from __future__ import annotations

from datetime import timedelta
from itertools import islice

import structlog

from tasks.office import Office
from workflows.case import FINAL

MONTHS_AHEAD = 3  # partitions of the history
BATCH = 500  # documents erased in one call; the rest is left to the next
DOCUMENTS_KEPT = timedelta(days=30)  # after the end of the case, or after being taken back (DOMAIN §C.10)
ORPHANED = timedelta(days=1)  # real time: a document gets its row within seconds of being written, or never
log = structlog.get_logger()

# Times are the service's clock; a sign of life ages in real time, because a moved clock makes no worker old.
_OUTDATED = (
    "delete from idempotency where created_at < kinbind_now() - interval '7 days'",
    "delete from password_failures where day < (kinbind_now() at time zone 'Asia/Shanghai')::date - 7",
    "delete from heartbeats where seen_at < clock_timestamp() - interval '1 day'",
    "delete from deliveries where state = 'delivered' and settled_at < kinbind_now() - interval '30 days'",
    "update review_cases set claimed_by = null, lease_until = null where lease_until < kinbind_now()",
    # of an endpoint that was disabled or forgotten while letters were being written
    """update deliveries d set state = 'parked', settled_at = kinbind_now(), last_error = 'endpoint_disabled'
       from webhook_endpoints e where e.id = d.endpoint_id and e.disabled_at is not null and d.state = 'pending'""",
    """delete from deliveries d where d.state = 'pending'
       and not exists (select from webhook_endpoints e where e.id = d.endpoint_id)""",
)
_DOCUMENTS = """
select m.id from materials m join bindings b on b.id = m.binding_id, (select kinbind_now() as now) as clock
where m.erased_at is null and (
  m.removed_at < now - %(kept)s or (b.state = any(%(final)s) and b.state_since < now - %(kept)s))
limit %(batch)s
"""
_ERASED = """
update materials set erased_at = kinbind_now(), removed_at = coalesce(removed_at, kinbind_now()) where id = any(%s)
"""
_NOBODYS = """
select o.id from unnest(%s::text[]) as o(id) where not exists (select from materials m where m.id = o.id)
"""


def keep_up(office: Office) -> int:
    """Do all of it; return how many documents were erased. Safe to run twice at once."""
    with office.ledger.desk() as conn:
        conn.execute("select history_partitions_v1(%s)", (MONTHS_AHEAD,))
        for statement in _OUTDATED:
            conn.execute(statement)
    return erase_documents(office) + erase_orphans(office)


def erase_documents(office: Office) -> int:
    """Erase documents past their time, the file first: whoever dies in between erases nothing twice."""
    asked = {"kept": DOCUMENTS_KEPT, "final": list(FINAL), "batch": BATCH}
    with office.ledger.desk() as conn:
        ids = [row[0] for row in conn.execute(_DOCUMENTS, asked)]
    for document_id in ids:
        office.windows.documents.delete(document_id)
    if ids:
        with office.ledger.desk() as conn:
            conn.execute(_ERASED, (ids,))
    return len(ids)


def erase_orphans(office: Office) -> int:
    """Erase documents that have no row: who wrote them died before he could note it, and no case will end for them."""
    documents, erased = office.windows.documents, 0
    old = documents.older_than(ORPHANED.total_seconds())
    while batch := list(islice(old, BATCH)):
        with office.ledger.desk() as conn:
            ids = [row[0] for row in conn.execute(_NOBODYS, (batch,))]
        for document_id in ids:
            documents.delete(document_id)
        erased += len(ids)
    if erased:
        log.warning("orphaned_documents_erased", documents=erased)
    return erased
