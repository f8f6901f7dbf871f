"""The events of a channel, in an order that never changes, for those who would rather pull than be called.

The order is that of the transactions, not of the serial number: a cursor over a serial number skips what commits
late. The page ends before the oldest transaction that is still running, so that nothing can come in behind it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import text

from models.ledger import Ledger
from workflows.case import Case
from workflows.engine import Desk
from workflows.views import cursors, public
from workflows.views.asof import cases_as_of

# What a channel is told of a line of another channel's binding: which event, and about which party it hears of it.
_NOTICED = """
  h.event, h.reason,
  array(select role from unnest(array['holder', 'member'], array[a.holder, a.member]) as party(role, person)
        where exists (select from person_channels c where c.person = party.person and c.channel = :channel)) as parties
"""
_NOTICE = f"""
select {_NOTICED} from history h join applications a on a.binding_id = h.binding_id
where h.binding_id = :binding and h.sequence = :sequence
"""  # noqa: S608  a text of ours
# Two streams in one order: the channel's own lines (kind 0), and what it is told of the persons it has acted for (1).
_AFTER = text(f"""
with page as (
  (select h.xid, 0 as kind, h.id, h.binding_id, h.sequence from history h
   where h.channel = :channel and (h.xid, h.id) > (cast(cast(:xid as text) as xid8), :own)
     and h.xid < pg_snapshot_xmin(pg_current_snapshot())
   order by h.xid, h.id limit :limit)
  union all
  (select n.xid, 1, n.id, n.binding_id, n.sequence from party_notices n
   where n.channel = :channel and (n.xid, n.id) > (cast(cast(:xid as text) as xid8), :told)
     and n.xid < pg_snapshot_xmin(pg_current_snapshot())
   order by n.xid, n.id limit :limit)
  order by 1, 2, 3 limit :limit)
select p.xid::text as xid, p.kind, p.id, p.binding_id, p.sequence, {_NOTICED}
from page p
join history h on h.binding_id = p.binding_id and h.sequence = p.sequence
join applications a on a.binding_id = p.binding_id
order by p.xid, p.kind, p.id
""")  # noqa: S608  a text of ours
# A cursor must name a line or notice that exists. After a restore a channel may hold the cursor of one that was lost:
# new lines may be placed before it, and a channel that read on from there would miss them.
_PLACE = "channel = :channel and xid = cast(cast(:xid as text) as xid8) and id = :last"
_THERE = [text(f"select 1 from {table} where {_PLACE}") for table in ("history", "party_notices")]  # noqa: S608
PARTY_NOTICE = "binding.party_notice"
BEGINNING = cursors.encode("0", 0, 0)
_ALL = 2**63 - 1


def events(desk: Desk, channel: str, after: str | None, limit: int) -> dict[str, Any]:
    """A page of the channel's events behind `after` (None: from the beginning), the oldest first.

    An empty page returns the cursor that it was asked with. Raises `Refused` with `cursor_invalid`.
    """
    asked = after or BEGINNING
    xid, kind, last = cursors.decode(asked, str, int, int)
    if not (xid.isascii() and xid.isdigit() and int(xid) < 2**64):
        raise cursors.invalid()
    place = {"channel": channel, "xid": xid, "last": last}
    if asked != BEGINNING and not (kind in (0, 1) and desk.ledger.read(_THERE[kind], place, fresh=True)):
        raise cursors.invalid()
    # within one transaction, all own lines come before all notices
    own, told = (last, -1) if kind == 0 else (_ALL, last)
    rows = desk.ledger.read(_AFTER, {"channel": channel, "xid": xid, "own": own, "told": told, "limit": limit})
    return {"items": _items(desk, rows), "next_cursor": _behind(rows[-1]) if rows else asked}


def _items(desk: Desk, rows: Sequence[Any]) -> list[dict[str, Any]]:
    """What a webhook would have said of each line, under the same id, so that receivers recognise it."""
    if not rows:
        return []
    with desk.ledger.connection() as conn:
        found = cases_as_of(conn, desk.reader, [(row["binding_id"], row["sequence"]) for row in rows])
    return [_event(row, case, at) for row, (case, at) in zip(rows, found, strict=True)]


def _event(row: Any, case: Case, at: datetime) -> dict[str, Any]:
    own = row["kind"] == 0
    return {
        "id": f"{case.id}:{row['sequence']}", "type": f"binding.{row['event']}" if own else PARTY_NOTICE,
        "timestamp": at, "data": said_of(case, at, None if own else row),
    }  # fmt: skip


def said_of(case: Case, at: datetime, notice: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """What letters and the feed say of a line; `case` is as the line left it: `{sequence, binding}`.

    A `notice`, to a channel that did not apply but has acted for a party, besides has `event`, `reason` and `parties`.
    """
    if notice is None:
        return {"sequence": case.version, "binding": public.public_view(case, at)}
    return {
        "sequence": case.version, "binding": public.view_elsewhere(case, at),
        **{name: notice[name] for name in ("event", "reason", "parties")},
    }  # fmt: skip


def notice_of(ledger: Ledger, channel: str, binding_id: str, sequence: int) -> Mapping[str, Any]:
    """The notice of this line to this channel, for `said_of`."""
    named = {"channel": channel, "binding": binding_id, "sequence": sequence}
    return dict(ledger.read(text(_NOTICE), named, fresh=True)[0])


def _behind(row: Any) -> str:
    return cursors.encode(row["xid"], row["kind"], row["id"])
