"""What is no longer kept (§C.10): who the people were, three years after the end; faces at providers, two days."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

import structlog
from psycopg import Connection

from gateways.faces import FaceProvider, ProviderDown
from models.ids import first_id
from tasks.office import Office
from workflows import erasing

BATCH = 500
ROUNDS = 20  # such batches in one call: ten thousand, as of documents
FACE_ROUNDS = 4  # of each provider, and a question each: two thousand every half hour, the hands have other work
FACES_KEPT = timedelta(days=2)  # longer than a window, its grace and a callback that is late: nothing is asked by then
FACES_GONE = timedelta(days=180)  # no provider is known to keep them longer by itself (§D.3)
log = structlog.get_logger()

# Each binding has one line that ends it. These are gone through in order, from a place before which only people under a
# hold are left: lifting the hold erases them (`workflows/access/rights.py`).
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
# By id, which is by time, the newest first: sessions that an adapter always stumbles over grow old behind the others.
# Open sessions are left out: their provider is still asked about them.
_FACES = """
select f.id, f.reference from face_sessions f
where f.provider = %(provider)s and f.forgotten_at is null and f.id > %(after)s and f.id < %(before)s
  and f.status in ('passed', 'failed', 'expired')
  and not exists (select from legal_holds l where l.binding_id = f.binding_id)
order by f.id desc limit %(batch)s
"""
_FORGOTTEN = "update face_sessions set forgotten_at = kinbind_now() where id = any(%s)"
_LOOKS = """
update access_log set person = null
where person is not null and at < (select kinbind_now()) - make_interval(years => %s)
"""


def forget_looks(conn: Connection[object]) -> None:
    """Forget, after as long, whom somebody looked for; that he looked, when and why, is kept for good."""
    conn.execute(_LOOKS, (erasing.YEARS_KEPT,))


def forget_people(office: Office) -> None:
    """Erase the people of what ended three years ago, unless it is under a legal hold.

    At most `ROUNDS` times `BATCH`; the rest is left to the next call. So is whoever cannot be read: he keeps no other,
    is logged, and the first fault raised in the end.
    """
    heed_holds(office)
    unread: dict[str, Exception] = {}
    place: datetime | None = None
    for _ in range(ROUNDS):
        with office.ledger.connection() as conn:
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
        with office.ledger.connection() as conn:
            conn.execute(_PLACE, (place,))
    for fault in unread.values():
        raise fault


def heed_holds(office: Office) -> None:
    """Let legal holds reach what their people have begun since: before anything is erased."""
    with office.ledger.connection() as conn:
        erasing.reach(conn)


def _forget(office: Office, binding_id: str) -> Exception | None:
    try:
        with office.ledger.transaction() as conn:
            erasing.erase(conn, office.desk.keys, {binding_id: erasing.ROLES})
    except Exception as fault:  # one that cannot be read keeps nobody else
        log.exception("person_not_erased", binding_id=binding_id)
        return fault
    return None


def forget_faces(office: Office) -> None:
    """Let face providers erase what they keep of attempts that were settled days ago (DOMAIN §C.10, §D.3).

    At most `FACE_ROUNDS` times `BATCH` of each provider; the rest is left to the next call, and so is what could not be
    erased. One that is down keeps no other from its turn.
    """
    heed_holds(office)
    now = office.ledger.now()
    for name, provider in office.windows.faces.items():
        asked = {"provider": name, "after": first_id("fac", now - FACES_GONE),
                 "before": first_id("fac", now - FACES_KEPT), "batch": BATCH}  # fmt: skip
        for _ in range(FACE_ROUNDS):
            with office.ledger.connection() as conn:
                due = conn.execute(_FACES, asked).fetchall()
            forgotten, up = _forgotten(provider, due)
            with office.ledger.connection() as conn:
                conn.execute(_FORGOTTEN, (forgotten,))
            if not up or len(due) < BATCH:
                break
            asked["before"] = due[-1][0]


def _forgotten(provider: FaceProvider, due: Sequence[tuple[str, str]]) -> tuple[list[str], bool]:
    """Which of these sessions the provider has forgotten, and whether it can be asked about more."""
    forgotten: list[str] = []
    for session_id, reference in due:
        try:
            provider.forget(reference)
        except ProviderDown:
            log.warning("faces_not_forgotten", provider=provider.name)
            return forgotten, False
        except Exception:  # one that an adapter stumbles over keeps no other
            log.exception("face_not_forgotten", provider=provider.name, session_id=session_id)
        else:
            forgotten.append(session_id)
    return forgotten, True
