"""What operators look at: the whole at one glance, and everything that is stuck."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query, Response

from api import examples
from api.answered_staff import Cause, Overview, StuckGroups, StuckPage
from api.call import Operator, answer
from api.shapes import Behind
from policies.words import ChannelName, Product
from workflows.views import stuck as stuck_bindings
from workflows.views.narrowing import Part
from workflows.views.overview import overview as overview_of

router = APIRouter(tags=["operations"])


@router.get("/v1/ops/overview", summary="Counts and ages, deadlines, backlog, workers", **examples.tells(Overview))
async def overview(
    call: Operator,
    region: Annotated[str | None, Query(pattern=r"^[0-9]{6}$")] = None,
    product: Product | None = None,
    channel: ChannelName | None = None,
) -> Response:
    """How everything stands, as of one moment, within the operator's regions."""
    part = Part(call.caller.regions, region, product, channel)
    return answer(await call.run(overview_of, call.office.ledger, part))


@router.get("/v1/ops/stuck", summary="What does not move though it should", **examples.tells(StuckPage))
async def stuck(
    call: Operator,
    cause: Cause | None = None,
    fingerprint: Annotated[str | None, Query(max_length=200)] = None,
    limit: Annotated[int, Query(ge=1, le=200)] = 50,
    cursor: Behind = None,
) -> Response:
    """Every stuck binding with its cause, the evidence, since when, and the repairs that fit; the longest first."""
    ledger, regions = call.office.ledger, call.caller.regions
    return answer(await call.run(stuck_bindings.stuck, ledger, regions, cause, limit, cursor, fingerprint))


@router.get("/v1/ops/stuck/groups", summary="The same by fingerprint", **examples.tells(StuckGroups))
async def stuck_groups(call: Operator, cause: Cause | None = None) -> Response:
    """What is stuck in the same way, the most first: a filter for repairs."""
    found = await call.run(stuck_bindings.groups, call.office.ledger, call.caller.regions, cause)
    return answer({"items": found, "next_cursor": None})
