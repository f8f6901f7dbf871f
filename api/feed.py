"""The channel's events in order, for those who would rather pull than be called."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query, Response

from api import examples
from api.answered_events import EventPage
from api.call import Channel, answer
from workflows.views.cursors import MOST
from workflows.views.feed import events

router = APIRouter(tags=["feed"])


@router.get("/v1/events", summary="The channel's events in order", **examples.tells(EventPage))
async def feed(
    call: Channel,
    after: Annotated[str | None, Query(max_length=MOST, description="the `next_cursor` of the page before")] = None,
    limit: Annotated[int, Query(ge=1, le=500)] = 100,
) -> Response:
    """Each as a webhook would tell it, without gaps; an empty page returns the cursor that it was asked with."""
    return answer(await call.run(events, call.office.desk, call.actor().id, after, limit))
