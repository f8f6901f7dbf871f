"""What answers about events look like, in the feed and in webhooks."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Literal

from pydantic import BaseModel
from pydantic.json_schema import SkipJsonSchema

from api.answered import EVENTS, Answer, Event, EventView, Reason
from api.answered_staff import Cause
from api.shapes import OneOf, State
from workflows.views.feed import PARTY_NOTICE

_LINES = tuple(f"binding.{event}" for event in EVENTS)
Party = Literal["holder", "member"]
BindingEventType = Annotated[str, OneOf(_LINES)]
FeedEventType = Annotated[str, OneOf((*_LINES, PARTY_NOTICE))]


class LineData(Answer):
    """Which line, and the binding as of it."""

    sequence: int
    binding: EventView


class NoticeData(LineData):
    """The same, with what the line was, and the parties for whom this channel hears of it."""

    event: Event
    reason: Reason | None
    parties: list[Party]


class EventData(LineData):
    """The same; a party notice says what the line was, and for whom this channel hears of it."""

    event: Event | SkipJsonSchema[None] = None
    reason: Reason | None = None
    parties: list[Party] | SkipJsonSchema[None] = None


class FeedEvent(Answer):
    """What a webhook would say of the line; `id` is the same in every page."""

    id: str
    type: FeedEventType
    timestamp: datetime
    data: EventData


class EventPage(Answer):
    """Events in order; an empty page returns the cursor that it was asked with."""

    items: list[FeedEvent]
    next_cursor: str


class BindingEvent(Answer):
    """Something has happened to a binding of this channel."""

    type: BindingEventType
    timestamp: datetime
    data: LineData


class PartyNotice(Answer):
    """Something has happened to a binding of a person for whom this channel has acted, in whatever channel."""

    type: Literal["binding.party_notice"]
    timestamp: datetime
    data: NoticeData


class BindingOutline(Answer):
    """Where a binding stands that cannot be shown."""

    id: str
    state: State
    version: int


class StuckData(Answer):
    """For which cause, since when; `sequence` repeats the newest line's."""

    sequence: int
    cause: Cause
    since: datetime
    binding: EventView | BindingOutline


class StuckEvent(Answer):
    """A binding does not move though it should, or this cause is over; no line of a history, and never in the feed."""

    type: Literal["binding.stuck", "binding.recovered"]
    timestamp: datetime
    data: StuckData


class TestData(Answer):
    """Which endpoint is tried."""

    endpoint_id: str


class TestEvent(Answer):
    """What `POST …/test` sends."""

    type: Literal["webhook.test"]
    timestamp: datetime
    data: TestData


# -- as webhooks of the document -------------------------------------------------------------------------------------

_BROUGHT: tuple[tuple[str, type[BaseModel]], ...] = (
    ("binding_event", BindingEvent), ("party_notice", PartyNotice), ("stuck", StuckEvent), ("test", TestEvent),
)  # fmt: skip
_SIGNED = {
    "webhook-id": "The same at every retry.",
    "webhook-timestamp": "The real time of the attempt, in Unix seconds.",
    "webhook-signature": "One `v1,…` for each secret that signs, with spaces between them.",
}
_HEARD = {
    "2XX": {"description": "Taken, within 15 seconds."},
    "410": {"description": "Nobody is there any more: the endpoint is switched off."},
    "default": {"description": "Not taken: sent again with growing pauses for 3 days."},
}


def webhooks() -> dict[str, Any]:
    """What is sent to the endpoints of channels, as Standard Webhooks."""
    return {name: {"post": _letter(name, shape)} for name, shape in _BROUGHT}


def _letter(name: str, shape: type[BaseModel]) -> dict[str, Any]:
    schema = {"$ref": f"#/components/schemas/{shape.__name__}"}
    parameters = [
        {"name": header, "in": "header", "required": True, "description": told, "schema": {"type": "string"}}
        for header, told in _SIGNED.items()
    ]
    return {
        "tags": ["webhooks"], "operationId": f"webhook_{name}", "description": shape.__doc__, "parameters": parameters,
        "requestBody": {"required": True, "content": {"application/json": {"schema": schema}}}, "responses": _HEARD,
    }  # fmt: skip
