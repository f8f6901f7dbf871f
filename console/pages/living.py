"""The stream of what has moved, to every browser that has a page open."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends
from starlette.responses import StreamingResponse

from console.live import Feed
from console.visit import Visit, asks

router = APIRouter()
Staff = Annotated[Visit, Depends(asks())]


@router.get("/live")
async def live(visit: Staff) -> StreamingResponse:
    """Server-sent events; to listen is no work: it keeps no session alive."""
    feed: Feed = visit.request.app.state.feed
    headers = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}
    return StreamingResponse(feed.stream(visit.principal, visit.token), media_type="text/event-stream", headers=headers)
