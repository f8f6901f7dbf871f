"""Lists read of bindings: searches, histories, face checks, materials. Read-only, masked."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import text

from models.ledger import Ledger
from workflows.case import ACTIVE, FINAL, REVERIFICATION, Actor, Case, Cursor, Window
from workflows.deadlines import DEADLINES_BY_NAME, OPEN, due
from workflows.engine import Desk
from workflows.facing import face_asked, rests_until, window_key
from workflows.views import cursors, public
from workflows.views.narrowing import asked_by

# A state is looked for among those that the other conditions leave; `cast … is null` is a condition not asked.
_SEARCH = text("""
select a.binding_id from applications a join bindings b on b.id = a.binding_id
where (cast(:channel as text) is null or a.channel = :channel)
  and (cast(:persons as text[]) is null or a.holder = any(:persons) or a.member = any(:persons))
  and (cast(:holders as text[]) is null or a.holder = any(:holders))
  and (cast(:members as text[]) is null or a.member = any(:members))
  and (cast(:reference as text) is null or a.channel_reference = :reference)
  and (cast(:states as text[]) is null or b.state = any(:states))
  and (cast(:after as text) is null or a.binding_id < :after)
order by a.binding_id desc
limit :limit
""")
# What a channel has open is little among all that it ever submitted, and rare states are rarest: those are looked for
# among the deadlines.
_SEARCH_OPEN = text(f"""
select d.binding_id
from (select distinct d.binding_id from deadlines d
      where d.name in ({", ".join(map(repr, OPEN))}) and d.name = any(:names)
        and (cast(:after as text) is null or d.binding_id < :after)
      order by d.binding_id desc) d
cross join lateral (select channel from applications where binding_id = d.binding_id limit 1) a
cross join lateral (select state from bindings where id = d.binding_id limit 1) b
where a.channel = :channel and b.state = any(:states)
order by d.binding_id desc
limit :limit
""")  # noqa: S608  a list of ours
_TIMELINE = text("""
select sequence, event, from_state, to_state, at, actor, reason, note,
  case when (event = 'routed_offline' and from_state = to_state) or reason = 'reassign' then
    coalesce(after #>> '{progress,offline,agency}', after #>> '{progress,review_agency}') end as agency
from history
where binding_id = :binding and sequence > :after order by sequence limit :limit
""")
_FACES = text("""
select id, subject, status, reason, started_at, finished_at, uses_attempt, expires_at,
  lead(id) over (partition by subject, purpose order by started_at, id) is not null as replaced
from face_sessions where binding_id = :binding order by started_at, id
""")
# Staff are people: a channel learns which desk it was, not who sat there.
_SHOWN = {"reviewer": "agency", "supervisor": "agency", "operator": "agency", "counter": "counter"}


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which bindings to look for; None is no condition. Persons are blind indexes."""

    persons: Sequence[str] | None = None  # acted for: parties of the binding, through whichever channel
    holders: Sequence[str] | None = None
    members: Sequence[str] | None = None
    states: Sequence[str] | None = None
    reference: str | None = None
    limit: int = 20
    cursor: str | None = None


def search(desk: Desk, actor: Actor, wanted: Wanted) -> dict[str, Any]:
    """A page of views, newest first: of the persons acted for in every channel, else of the channel's own.

    What the view of another channel's binding hides finds none either. Raises `Refused` 400 `cursor_invalid`.
    """
    after = cursors.decode(wanted.cursor, str)[0] if wanted.cursor else None
    asked = {
        "channel": None if _in_every_channel(wanted) else actor.id, "after": after, "limit": wanted.limit + 1,
        "persons": _list(wanted.persons), "holders": _list(wanted.holders), "members": _list(wanted.members),
        "states": _list(wanted.states), "reference": wanted.reference,
        "names": [one for one in OPEN if not set(wanted.states or ()).isdisjoint(DEADLINES_BY_NAME[one].while_)],
    }  # fmt: skip
    query = _SEARCH_OPEN if _only_open(wanted) else _SEARCH
    page = cursors.page(desk.ledger.read(query, asked_by(query, asked)), wanted.limit, "binding_id")
    speaking = actor if wanted.persons is None else None
    items = [
        public.binding_view(case, speaking or _as_party(actor, case, wanted.persons or ()), now)
        for case, now in desk.look_many([row["binding_id"] for row in page["items"]])
    ]
    return page | {"items": items}


def _in_every_channel(wanted: Wanted) -> bool:
    """Whether it is asked for the persons acted for, and by no number of somebody else's nor a channel's own."""
    numbers = {*(wanted.holders or ()), *(wanted.members or ())}
    return wanted.persons is not None and wanted.reference is None and numbers.issubset(wanted.persons)


def _only_open(wanted: Wanted) -> bool:
    """Whether nothing but states is asked for, and none in which a binding is in force or has ended."""
    others = (wanted.persons, wanted.holders, wanted.members, wanted.reference)
    return bool(wanted.states) and not any(others) and {ACTIVE, *FINAL}.isdisjoint(wanted.states or ())


def _as_party(actor: Actor, case: Case, persons: Sequence[str]) -> Actor:
    """The channel, speaking for that one of the persons who is a party of this case."""
    application = case.application
    party = application.holder if application.holder in persons else application.member
    return Actor(actor.kind, actor.id, party)


def _list(values: Sequence[str] | None) -> list[str] | None:
    return None if values is None else list(values)


def timeline(
    ledger: Ledger, binding_id: str, actor: Actor, after: int = 0, limit: int | None = None, *, party: bool = False
) -> list[dict[str, Any]]:
    """The lines of the history behind sequence `after`; channels see only which desk.

    Staff see who, the notes, and to which agency it was handed over; one who is a `party` sees what his family sees.
    """
    staff = actor.kind != "channel"
    told = staff and not party
    rows = ledger.read(_TIMELINE, {"binding": binding_id, "after": after, "limit": limit}, fresh=True)
    return [
        {"sequence": row["sequence"], "event": row["event"], "from": row["from_state"], "to": row["to_state"],
         "at": row["at"], "actor": row["actor"] if told else _shown(row["actor"]), "reason": row["reason"],
         **({"note": row["note"] if told else None, "agency": row["agency"]} if staff else {})}
        for row in rows
    ]  # fmt: skip


def _shown(actor: str) -> str:
    kind = actor.partition(":")[0]
    return _SHOWN.get(kind, actor)


def timeline_page(ledger: Ledger, case: Case, actor: Actor, limit: int, cursor: str | None) -> dict[str, Any]:
    """A page of the history, oldest first. Raises `Refused` 400 `cursor_invalid`."""
    after, party = cursors.decode(cursor, int)[0] if cursor else 0, case.is_party(actor.person)
    return cursors.page(timeline(ledger, case.id, actor, after, limit + 1, party=party), limit, "sequence")


def materials_page(case: Case, limit: int, cursor: str | None) -> dict[str, Any]:
    """A page of a case's documents, oldest first. Raises `Refused` 400 `cursor_invalid`."""
    after = cursors.decode(cursor, str)[0] if cursor else ""
    return cursors.page([one for one in case.materials if one["id"] > after], limit, "id")


def face_checks(ledger: Ledger, case: Case, now: datetime) -> dict[str, Any]:
    """The attempts of a binding, and how many are left to whose turn it is (null if no face is asked)."""
    rows = ledger.read(_FACES, {"binding": case.id}, fresh=True)
    return {"items": [_attempt(row, now) for row in rows], **_left(Cursor(case, now))}


def _left(cursor: Cursor) -> dict[str, Any]:
    if not face_asked(cursor):
        return {"attempts_left": None, "next_retry_at": None, "window_closes_at": None}
    key, most = window_key(cursor), cursor.case.plan.face.max_attempts
    window = cursor.progress.windows.get(key)
    return {
        "attempts_left": max(0, most - (window.used if window else 0)) if most else None,
        "next_retry_at": rests_until(cursor),
        "window_closes_at": _closes_at(cursor, key, window),
    }


def _closes_at(cursor: Cursor, key: str, window: Window | None) -> datetime | None:
    """When the window closes; of a new verification when its grace ends, which nothing else of the view tells."""
    if key == REVERIFICATION:
        grace = due(cursor.case, "reverification_to_done")
        return grace.at if grace is not None else None
    return window.closes if window is not None and key in cursor.case.subjects else None


def _attempt(row: Any, now: datetime) -> dict[str, Any]:
    # expired at `expires_at` itself, as providers have it, though the poll that writes it down may come a minute later.
    # A new attempt replaces an unanswered one, which is still polled to its end: its answer counts (0023)
    over = row["status"] == "pending" and (row["replaced"] or row["expires_at"] <= now)
    return {"id": row["id"], "subject": row["subject"], "status": "expired" if over else row["status"],
            "reason": row["reason"], "started_at": row["started_at"], "finished_at": row["finished_at"],
            "uses_attempt": row["uses_attempt"]}  # fmt: skip
