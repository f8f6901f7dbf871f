"""Which bindings have moved since the last look, for pages that stand open.

A look ends before the oldest transaction that is still running, and the next begins there: every line is seen once.
"""

from __future__ import annotations

from typing import NamedTuple

from sqlalchemy import text

from models.ledger import Ledger
from workflows.access.principals import CHANNELS

MOST = 200  # lines of each channel in one look; if there are more, every page is renewed anyhow

_HERE = text("select pg_snapshot_xmin(pg_current_snapshot())::text as here")
_SINCE = text("""
with look as (select pg_snapshot_xmin(pg_current_snapshot()) as here)
select look.here::text as here, line.binding_id, array[a.region,
  coalesce(b.progress ->> 'review_agency', p.body #>> '{review,agency}'),
  coalesce(b.progress #>> '{offline,agency}', p.body #>> '{counter,agency}')] as places
from look left join lateral (
  select h.binding_id from unnest(cast(:channels as text[])) as c(channel) cross join lateral (
    select binding_id from history
    where channel = c.channel and xid >= cast(cast(:behind as text) as xid8) and xid < look.here
    order by xid, id limit :most) h
  group by h.binding_id) line on true
left join applications a on a.binding_id = line.binding_id
left join bindings b on b.id = line.binding_id
left join plans p on p.hash = b.plan
""")


class Moved(NamedTuple):
    """A binding with at least one new line, and the regions by which staff see it (`scopes.in_region`)."""

    binding_id: str
    places: tuple[str, ...]


def since(ledger: Ledger, behind: str | None) -> tuple[list[Moved], str]:
    """What has moved since the look that ended at `behind` (None: this is the first), and where this one ends."""
    if behind is None:
        return [], str(ledger.read(_HERE)[0]["here"])
    rows = ledger.read(_SINCE, {"channels": [*CHANNELS, "counter"], "behind": behind, "most": MOST})
    found = [Moved(row["binding_id"], tuple(one for one in row["places"] if one)) for row in rows if row["binding_id"]]
    return found, str(rows[0]["here"])
