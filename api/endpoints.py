"""Where a channel wants its events pushed: Standard Webhooks endpoints."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends, Response
from pydantic import AfterValidator, Field
from pydantic_core import PydanticCustomError

from api.call import Call, answer, asks
from api.shapes import Body, Nothing, example, takes
from tasks.deliver import test_delivery
from tasks.webhooks import UrlNotAllowed, allowed_url
from workflows import endpoints
from workflows.commands import Idempotency, Reply
from workflows.errors import Refused
from workflows.views import dumps

router = APIRouter(tags=["webhooks"])
Channel = Annotated[Call, Depends(asks("channel"))]


def _event(value: str) -> str:
    if value not in endpoints.EVENTS and f"binding.{value}" not in endpoints.EVENTS:
        raise PydanticCustomError("literal_error", "no event of ours")
    return value


class Endpoint(Body):
    """An address, and which events go there; without `events`, all."""

    model_config = example(url="https://channel.example/hooks/kinbind", events=["binding.activated"])
    url: Annotated[str, Field(min_length=1, max_length=2000)]
    events: Annotated[list[Annotated[str, AfterValidator(_event)]], Field(min_length=1, max_length=100)] | None = None


@router.get("/v1/webhook-endpoints", summary="The channel's endpoints, without secrets")
async def endpoints_of_channel(call: Channel) -> Response:
    """Also those that were disabled because they answered 410."""
    found = await call.run(endpoints.of_channel, call.office.desk, call.actor().id)
    return answer({"items": found, "next_cursor": None})


@router.post("/v1/webhook-endpoints", summary="A new endpoint", status_code=201, **takes(Endpoint))
async def add(call: Channel) -> Response:
    """The secret is shown this once only. HTTPS and public addresses; in the sandbox plain HTTP and loopback too."""
    body, channel = await call.body(Endpoint), call.actor().id

    def work(_: Idempotency | None) -> Reply:
        try:
            allowed_url(body.url)
        except UrlNotAllowed:
            raise Refused("url_not_allowed", 422, "/url") from None
        return Reply(201, dumps(endpoints.add(call.office.desk, channel, body.url, body.events)), secret=True)

    return await call.once(work, await call.key())


@router.delete("/v1/webhook-endpoints/{endpoint_id}", summary="Forget an endpoint", status_code=204)
async def remove(call: Channel, endpoint_id: str) -> Response:
    """What was still to be sent there is not sent."""
    await call.run(endpoints.remove, call.office.desk, call.actor().id, endpoint_id)
    return Response(status_code=204)


@router.post("/v1/webhook-endpoints/{endpoint_id}/test", summary="Send a test now", **takes(Nothing))
async def test(call: Channel, endpoint_id: str) -> Response:
    """One signed `webhook.test`; what came of it is the answer, also when nobody answered there."""
    channel = call.actor().id
    await call.run(endpoints.known, call.office.desk, channel, endpoint_id)
    await call.body(Nothing)

    def work(_: Idempotency | None) -> Reply:
        trial = test_delivery(call.office, endpoint_id)
        told = {"id": trial.id, "delivered": trial.answer.delivered, "status": trial.answer.status,
                "error": trial.answer.error}  # fmt: skip
        return Reply(200, dumps(told))

    return await call.once(work, await call.key())


@router.post("/v1/webhook-endpoints/{endpoint_id}/rotate-secret", summary="A new secret", **takes(Nothing))
async def rotate_secret(call: Channel, endpoint_id: str) -> Response:
    """Old and new both sign for 24 hours; the new one is shown this once only."""
    channel = call.actor().id
    await call.run(endpoints.known, call.office.desk, channel, endpoint_id)
    await call.body(Nothing)

    def work(_: Idempotency | None) -> Reply:
        return Reply(200, dumps(endpoints.rotate(call.office.desk, channel, endpoint_id)), secret=True)

    return await call.once(work, await call.key())
