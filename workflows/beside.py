"""What happens around a review and is no step: who has the case open, and what colleagues note for each other."""

from __future__ import annotations

from typing import Any

from models.ids import new_id
from workflows import leases
from workflows.access import scopes
from workflows.case import Actor
from workflows.engine import Desk
from workflows.errors import Refused
from workflows.views import listing, supervising

LOOKING_SECONDS = 45  # real time: a page says every fifteen seconds that it is open

_SEEN = """
insert into case_viewers (binding_id, staff, seen_at) values (%s, %s, clock_timestamp())
on conflict (binding_id, staff) do update set seen_at = excluded.seen_at
"""
_LEFT = "delete from case_viewers where binding_id = %s and staff = %s"
_OTHERS = """
select p.name from case_viewers v join principals p on p.id = v.staff
where v.binding_id = %s and v.staff <> %s and v.seen_at > clock_timestamp() - make_interval(secs => %s)
order by v.seen_at desc limit 8
"""
_FORGET = "delete from case_viewers where seen_at < clock_timestamp() - interval '1 hour'"
_NOTE = "insert into case_notes (id, binding_id, staff, body, at) values (%s, %s, %s, %s, %s)"


def looking(desk: Desk, binding_id: str, actor: Actor) -> list[str]:
    """Note that somebody has the case open; the names of the others who have."""
    with desk.ledger.connection() as conn:
        conn.execute(_SEEN, (binding_id, actor.id))
        rows = conn.execute(_OTHERS, (binding_id, actor.id, LOOKING_SECONDS)).fetchall()
    return [row[0] for row in rows]


def left(desk: Desk, binding_id: str, actor: Actor) -> None:
    """He has closed the case, or opened another."""
    with desk.ledger.connection() as conn:
        conn.execute(_LEFT, (binding_id, actor.id))


def note(desk: Desk, binding_id: str, actor: Actor, body: str) -> str:
    """Keep a note for colleagues; its id.

    Raises `Refused`: 404 `not_found` outside his agencies or regions, 409 `own_case`. By what is noted others decide.
    """
    case, now = desk.seen(binding_id, actor, scopes.staff)
    if case.is_party(actor.person):
        raise Refused("own_case")
    note_id = new_id("not", now)
    with desk.ledger.connection() as conn:
        conn.execute(_NOTE, (note_id, binding_id, actor.id, body, now))
    leases.keep_alive(desk, binding_id, actor)
    return note_id


def look_again(desk: Desk, binding_id: str, actor: Actor, body: str) -> None:
    """Keep a supervisor's note on a decision that he has looked at again. Nobody looks again at his own decisions.

    Raises `Refused` as `note`, and 409 `own_decision`.
    """
    desk.seen(binding_id, actor, scopes.staff)
    if supervising.his_own(desk.ledger, listing.timeline(desk.ledger, binding_id, actor), actor):
        raise Refused("own_decision")
    note(desk, binding_id, actor, body)


def forget(conn: Any) -> None:
    """Drop the notes of who had a case open long ago."""
    conn.execute(_FORGET)
