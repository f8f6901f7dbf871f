"""Who is in each state: how many, the median of how long they have waited, and the list of them.

One look at everything serves every narrowing: it counts by state, place, product, channel and age, and answers are
added up from that. Counts are exact. Ages are known by class, each a tenth wide, with the oldest and latest in it.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from itertools import groupby
from operator import attrgetter
from typing import Any, NamedTuple

from sqlalchemy import text

from models.ledger import Ledger
from workflows.case import FINAL, STATES
from workflows.engine import Desk
from workflows.views import cursors, reviewing
from workflows.views.narrowing import Part, Place, asked_of, narrowed, within
from workflows.views.pacing import PAGE, Paced

# The borders of the classes of age: from a second to two hundred years, each a tenth longer, oldest first.
# Ended bindings wait for nobody: they are only counted.
_COUNTS = text("""
with clock as (select kinbind_now() as now),
ages as (select array(select now - make_interval(secs => power(1.1, n)) from generate_series(237, 0, -1) as n)
  as borders from clock)
select a.region, a.product, a.channel, b.state,
  case when b.state <> all(:final) then width_bucket(b.state_since, (select borders from ages)) else 0 end as age,
  count(*) as count, min(b.state_since) as oldest, max(b.state_since) as latest, (select now from clock) as now
from bindings b join applications a on a.binding_id = b.id
group by 1, 2, 3, 4, 5
""")
_LIST = """
select b.id as binding_id, b.state, b.state_since as since, b.version
from bindings b where b.state = :state and (cast(:after as text) is null or b.id > :after) {part}
order by b.id limit :limit
"""
_STAND = text("""
select b.id as binding_id, b.state, b.state_since as since, b.version, a.product, a.channel, a.region, a.relationship
from bindings b join applications a on a.binding_id = b.id where b.id = any(:ids)
""")


class Age(NamedTuple):
    """How many of one state and place have about the same age, and since when the oldest and the latest of them."""

    rank: int  # which class it is, counted from the oldest; the same in every place
    many: int
    oldest: datetime
    latest: datetime


class Population(NamedTuple):
    """Who is where in a part of the ledger, and of when that is."""

    at: datetime
    states: Mapping[str, Mapping[str, Any]]  # every state is there


@dataclass(frozen=True, slots=True)
class _Everywhere:
    """What one look found, and what has been added up from it for as long as it stands."""

    at: datetime
    places: Mapping[Place, Mapping[str, Sequence[Age]]]
    added: dict[Part, Population] = field(default_factory=dict)


def population(ledger: Ledger, part: Part) -> Population:
    """By state: `count`, `oldest_since`, `median_seconds` (None where nobody waits)."""
    everywhere = _everywhere(ledger, None)
    if part not in everywhere.added:
        everywhere.added[part] = _added_up(everywhere, part)
    return everywhere.added[part]


def _added_up(everywhere: _Everywhere, part: Part) -> Population:
    found: dict[str, list[Age]] = defaultdict(list)
    for place in filter(within(part), everywhere.places):
        for state, ages in everywhere.places[place].items():
            found[state] += ages
    return Population(everywhere.at, {state: _told(state, found[state], everywhere.at) for state in STATES})


def _told(state: str, ages: Sequence[Age], at: datetime) -> dict[str, Any]:
    middle = middle_of(ages) if ages and state not in FINAL else None
    return {"state": state, "count": sum(age.many for age in ages),
            "oldest_since": min((age.oldest for age in ages), default=None),
            "median_seconds": (at - middle).total_seconds() if middle else None}  # fmt: skip


def middle_of(ages: Iterable[Age]) -> datetime:
    """Since when the middle one waits (the older of two): estimated between the oldest and latest of its class."""
    classes = sorted(_joined(ages))
    place = (sum(age.many for age in classes) - 1) // 2
    for age in classes:
        if place < age.many:
            break
        place -= age.many
    return age.oldest + (age.latest - age.oldest) * (place / max(age.many - 1, 1))


def _joined(ages: Iterable[Age]) -> Iterator[Age]:
    """Join the classes of the same age in all places."""
    for rank, same in groupby(sorted(ages), attrgetter("rank")):
        there = list(same)
        yield Age(rank, sum(age.many for age in there), min(age.oldest for age in there),
                   max(age.latest for age in there))  # fmt: skip


def _look(ledger: Ledger, _asked: None) -> _Everywhere:
    places: dict[Place, dict[str, list[Age]]] = defaultdict(lambda: defaultdict(list))
    rows = ledger.read(_COUNTS, {"final": list(FINAL)})
    for row in rows:
        place = Place(row["region"], row["product"], row["channel"])
        places[place][row["state"]].append(Age(row["age"], row["count"], row["oldest"], row["latest"]))
    return _Everywhere(rows[0]["now"] if rows else ledger.now(), places)


_everywhere = Paced(_look, PAGE, behind=True)


def members(ledger: Ledger, part: Part, state: str, limit: int, cursor: str | None = None) -> dict[str, Any]:
    """A page of the bindings in a state, the oldest application first. Raises `Refused` 400 `cursor_invalid`."""
    after = cursors.decode(cursor, str)[0] if cursor else None
    query = text(_LIST.format(part=narrowed(part, "b.id")))
    rows = ledger.read(query, asked_of(part, query, state=state, after=after, limit=limit + 1))
    return cursors.page(rows, limit, "binding_id")


def with_briefs(desk: Desk, rows: Sequence[Any]) -> list[dict[str, Any]]:
    """These rows (each has a `binding_id`), each with its `brief`, masked; without it if the case cannot be read."""
    ids = list(dict.fromkeys(row["binding_id"] for row in rows))
    found = {case.id: reviewing.brief(case) for case, _ in desk.look_many(ids)}
    if unread := [one for one in ids if one not in found]:
        found |= {row["binding_id"]: dict(row) for row in desk.ledger.read(_STAND, {"ids": unread})}
    return [dict(row) | {"brief": found.get(row["binding_id"])} for row in rows]
