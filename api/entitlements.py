"""Asked at the moment of use: does a binding allow this, now; and what has it been used for."""

from __future__ import annotations

from typing import Literal

from fastapi import APIRouter, Response

from api import examples
from api.answered_uses import Entitlement, UsePage
from api.call import Anyone, Channel, answer
from api.shapes import Behind, Body, Limit, Number, Region, example, takes
from policies.calendar import shanghai_day
from policies.words import Purpose
from workflows.access import acting
from workflows.commands import Idempotency, Reply
from workflows.entitlements import Use, check, uses

router = APIRouter(tags=["entitlements"])


class Check(Body):
    """Whose phone, whose account, and what for; `patient` is who is treated, `region` where."""

    model_config = example(
        holder_id_number="440106198503072316",
        member_id_number="440106195706124215",
        purpose="show_code",
        patient="member",
        region="440100",
    )
    holder_id_number: Number
    member_id_number: Number
    purpose: Purpose
    patient: Literal["holder", "member"] | None = None
    region: Region | None = None


@router.post("/v1/entitlements/check", summary="May it be used so, now", **takes(Check, **examples.tells(Entitlement)))
async def entitlement(call: Channel) -> Response:
    """`{allowed, reason, binding_id}`; each allowed use is recorded. Nothing is said of anybody else's bindings.

    The reason of a refusal is told to channels that have acted for one of the two, by `acting_for` or by his
    application; others hear `not_active`, and that they asked is noted.
    """
    asked, channel = await call.body(Check), call.actor().id

    def work(key: Idempotency | None) -> Reply:
        desk, now = call.office.desk, call.office.ledger.now()
        holder = acting.persons(desk.keys, asked.holder_id_number, "/holder_id_number", shanghai_day(now))
        member = acting.persons(desk.keys, asked.member_id_number, "/member_id_number", shanghai_day(now))
        use = Use(holder, member, asked.purpose, channel, call.caller.id, asked.patient, asked.region)
        return check(desk, use, now, key)

    return await call.once(work, await call.key())


@router.get("/v1/bindings/{binding_id}/usage", summary="The recorded uses", **examples.tells(UsePage))
async def usage(call: Anyone, binding_id: str, limit: Limit = 50, cursor: Behind = None) -> Response:
    """What the binding has been used for, the newest first."""
    await call.look(binding_id)
    return answer(await call.run(uses, call.office.desk, binding_id, limit, cursor))
