"""What open pages ask for by themselves: the stream of what has moved, and the navigation with its numbers."""

from __future__ import annotations

import re
from typing import Annotated

from fastapi import APIRouter, Depends, Response
from starlette.responses import StreamingResponse

from console.live import Feed
from console.visit import Visit, asks

router = APIRouter()
Staff = Annotated[Visit, Depends(asks())]


@router.get("/live")
async def live(visit: Staff) -> StreamingResponse:
    """Server-sent events; listening is no work, so it keeps no session alive."""
    feed: Feed = visit.request.app.state.feed
    headers = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}
    return StreamingResponse(feed.stream(visit.principal, visit.token), media_type="text/event-stream", headers=headers)


@router.get("/rooms")
def rooms(visit: Staff) -> Response:
    """The navigation alone, for pages that are not renewed while somebody types."""
    found = re.match("[a-z]+://[^/]*([^?#]*)", visit.request.headers.get("hx-current-url", ""))
    return visit.page("parts/rooms.html", rooms=visit.rooms(), here=found[1] if found else "")
