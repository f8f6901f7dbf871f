"""Names and numbers of what ended years ago, erased by the hands (DOMAIN §C.10: three years after the end)."""

from __future__ import annotations

from datetime import datetime

import structlog
from psycopg import Connection

from tasks.office import Office
from workflows import erasing

BATCH = 500
ROUNDS = 20  # such batches in one call: ten thousand, as of documents
log = structlog.get_logger()

# Each binding has one line that ends it. They are gone through in their order, from a place before which nobody is left
# but who is under a hold: whoever lifts it sees to them (`workflows/access/rights.py`).
_DUE = """
select h.at, h.binding_id from history h join applications a on a.binding_id = h.binding_id
where h.to_state in ('unbound', 'rejected', 'withdrawn', 'expired')
  and h.at < (select kinbind_now()) - make_interval(years => %(years)s)
  and h.at >= coalesce((select at from upkeep_places where name = 'forgotten'), '-infinity')
  and not a.erased @> '{holder,member}' and h.binding_id <> all(%(unread)s)
  and not exists (select from legal_holds l where l.binding_id = h.binding_id)
order by h.at, h.binding_id limit %(batch)s
"""
_PLACE = """
insert into upkeep_places (name, at, binding_id) values ('forgotten', %s, '')
on conflict (name) do update set at = excluded.at where upkeep_places.at < excluded.at
"""
_LOOKS = """
update access_log set person = null
where person is not null and at < (select kinbind_now()) - make_interval(years => %s)
"""


def forget_looks(conn: Connection[object]) -> None:
    """Whom somebody looked for is kept as long; that he looked, when and why, for good."""
    conn.execute(_LOOKS, (erasing.YEARS_KEPT,))


def forget_people(office: Office) -> None:
    """Erase the people of what ended three years ago, unless it is under a legal hold.

    At most `ROUNDS` times `BATCH`; the rest is left to the next call. So is whoever cannot be read: he keeps no other,
    is logged, and the first fault raised in the end.
    """
    unread: dict[str, Exception] = {}
    place: datetime | None = None
    for _ in range(ROUNDS):
        with office.ledger.desk() as conn:
            asked = {"years": erasing.YEARS_KEPT, "unread": list(unread), "batch": BATCH}
            due = conn.execute(_DUE, asked).fetchall()
        for ended_at, binding_id in due:
            if fault := _forget(office, binding_id):
                unread[binding_id] = fault
            elif not unread:
                place = ended_at
        if len(due) < BATCH:
            break
    if place is not None:
        with office.ledger.desk() as conn:
            conn.execute(_PLACE, (place,))
    for fault in unread.values():
        raise fault


def _forget(office: Office, binding_id: str) -> Exception | None:
    try:
        with office.ledger.transaction() as conn:
            erasing.erase(conn, office.desk.keys, {binding_id: erasing.ROLES})
    except Exception as fault:  # one that cannot be read keeps nobody else
        log.exception("person_not_erased", binding_id=binding_id)
        return fault
    return None
