"""Numbers in clear and documents, for staff who must compare them; each look is logged before it is answered."""

from __future__ import annotations

import re
from typing import Any

from workflows import leases
from workflows.access import noting, scopes
from workflows.case import Actor, Case
from workflows.engine import Desk
from workflows.errors import Refused, not_found

FIELDS = re.compile(r"(holder|member|mother|reported)[./_](name|id_number)")  # `member.id_number`, or as in a search
_MATERIAL = """
select id, kind, media_type, sha256 from materials where id = %s and binding_id = %s and removed_at is null
"""


def reveal(desk: Desk, binding_id: str, actor: Actor, field: str, purpose: str) -> dict[str, Any]:
    """One name or number of one party in clear: `{field, value}`; value None where there is none.

    Raises `Refused`: `not_found`, `own_case`, or 422 `field_unknown` for what this binding does not have.
    """
    case = _seen(desk, binding_id, actor)
    asked = FIELDS.fullmatch(field)
    party = case.application.parties.get(asked[1]) if asked else None
    if asked is None or party is None:
        raise Refused("field_unknown", 422, "/field")
    person = {
        "holder": case.application.holder, "member": case.application.member,
        "reported": case.application.member, "mother": case.application.parties.get("mother", {}).get("person"),
    }[asked[1]]  # fmt: skip
    with desk.ledger.connection() as conn:
        act = f"reveal:{asked[1]}.{asked[2]}"
        noting.note(conn, actor.id, act, persons=[person], binding=binding_id, purpose=purpose)
    leases.keep_alive(desk, binding_id, actor)
    return {"field": field, "value": party[asked[2]]}


def open_material(desk: Desk, binding_id: str, material_id: str, actor: Actor) -> dict[str, Any]:
    """The row of a document that this member of staff may open: `{id, kind, media_type, sha256}`.

    Raises `Refused` with `not_found` or `own_case`.
    """
    _seen(desk, binding_id, actor)
    with desk.ledger.connection() as conn:
        row = conn.execute(_MATERIAL, (material_id, binding_id)).fetchone()
        if row is None:
            raise not_found()
        noting.note(conn, actor.id, f"open:{row[0]}", binding=binding_id)
    leases.keep_alive(desk, binding_id, actor)
    return dict(zip(("id", "kind", "media_type", "sha256"), row, strict=True))


def _seen(desk: Desk, binding_id: str, actor: Actor) -> Case:
    case, _ = desk.seen(binding_id, actor, scopes.staff)
    if case.is_party(actor.person):
        raise Refused("own_case")  # a clerk who is a party sees his own case masked, like any family
    return case
