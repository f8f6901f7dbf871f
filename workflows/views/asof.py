"""A binding as it stood at one line of its history: the case as it is now, with what that line has kept put back."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

import msgspec
import orjson
from msgspec.structs import replace
from psycopg import Connection

from policies.plan import Plan
from workflows.case import Case, Progress
from workflows.errors import not_found
from workflows.reading import Reader

_LINES = """
select h.binding_id, h.sequence, h.to_state, h.at, h.after::text,
  (select o.after ->> 'plan_was' from history o
   where o.binding_id = h.binding_id and o.sequence > h.sequence and o.after ? 'plan_was'
   order by o.sequence limit 1),
  (select jsonb_agg(jsonb_build_object('id', m.id, 'kind', m.kind, 'sha256', m.sha256, 'size', m.size,
                                       'media_type', m.media_type) order by m.id)
   from materials m
   where m.binding_id = h.binding_id and m.added_at <= h.at and (m.removed_at is null or m.removed_at > h.at))::text
from unnest(%s::text[], %s::int[]) with ordinality as wanted(binding_id, sequence, place)
join history h on h.binding_id = wanted.binding_id and h.sequence = wanted.sequence
order by wanted.place
"""


def case_as_of(conn: Connection[Any], reader: Reader, binding_id: str, sequence: int) -> tuple[Case, datetime]:
    """Return the case right after the line `sequence`, and when that was. Raises `Refused` with `not_found`."""
    found = cases_as_of(conn, reader, [(binding_id, sequence)])
    if not found:
        raise not_found()
    return found[0]


def cases_as_of(
    conn: Connection[Any], reader: Reader, wanted: Sequence[tuple[str, int]]
) -> list[tuple[Case, datetime]]:
    """The same for many lines at once, in their order; lines that are not there are left out.

    Raises whatever broke the reading of one: who reads on by these lines must skip none.
    """
    ids, sequences = [line[0] for line in wanted], [line[1] for line in wanted]
    rows = conn.execute(_LINES, (ids, sequences)).fetchall()
    reads = reader.read(conn, [(row[0], None, None) for row in rows])
    plans = reader.plans(conn, {row[5] for row in rows if row[5] is not None})  # of lines before a change of plan
    return [(_as_of(reader, read.found()[0], row, plans), row[3]) for read, row in zip(reads, rows, strict=True)]


def _as_of(reader: Reader, case: Case, row: Any, plans: Mapping[str, Plan]) -> Case:
    _, sequence, state, _, body, plan, materials = row
    after = orjson.loads(body)
    progress, application = msgspec.convert(after["progress"], Progress), case.application
    if case.progress.changed != progress.changed:  # the member had another name or number then
        parties = reader.parties(case.id, application.sealed, progress)
        application = replace(application, parties=parties)
    return replace(
        case,
        application=application,
        state=state,
        version=sequence,
        since=datetime.fromisoformat(after["since"]),
        progress=progress,
        plan=plans.get(plan, case.plan),
        materials=orjson.loads(materials) if materials else [],
        lease=None,
    )
