"""Where a channel wants its events pushed: Standard Webhooks endpoints."""

from __future__ import annotations

import math
from typing import Annotated, cast

from fastapi import APIRouter, Response
from pydantic import Field

from api import examples
from api.answered_uses import EndpointMade, EndpointPage, SecretRotated, TestSent
from api.call import Channel, answer
from api.shapes import Behind, Body, Limit, Nothing, OneOf, example, takes
from api.slow import Places
from tasks.deliver import test_delivery
from tasks.webhooks import DEADLINE, UrlNotAllowed, allowed_url
from workflows import endpoints
from workflows.commands import Idempotency, Reply
from workflows.errors import Refused
from workflows.views.public import dumps

router = APIRouter(tags=["webhooks"])

_NAMES = sorted(endpoints.EVENTS)
# Each holds a thread for as long as the receiver takes, or whoever is asked for the address of its name.
TESTS = Places(8, 2, math.ceil(DEADLINE), code="too_many_tests")
QUEUE = 8  # new endpoints of one channel that wait their turn; copies of one request come together

# with `binding.` or without
Event = Annotated[str, OneOf((*_NAMES, *(name.removeprefix("binding.") for name in _NAMES)))]


def places() -> Places:
    """The places for new endpoints of a process."""
    return Places(8, 2, math.ceil(DEADLINE), queue=QUEUE, patience=DEADLINE)


class Endpoint(Body):
    """An address, and which events go there; without `events`, all."""

    model_config = example(url="https://channel.example/hooks/kinbind", events=["binding.activated"])
    url: Annotated[str, Field(min_length=1, max_length=2000)]
    events: Annotated[list[Event], Field(min_length=1, max_length=100)] | None = None


@router.get("/v1/webhook-endpoints", summary="The channel's endpoints, without secrets", **examples.tells(EndpointPage))
async def endpoints_of_channel(call: Channel, limit: Limit = 20, cursor: Behind = None) -> Response:
    """Also those that were disabled because they answered 410."""
    return answer(await call.run(endpoints.page, call.office.desk, call.actor().id, limit, cursor))


@router.post("/v1/webhook-endpoints", summary="A new endpoint", status_code=201,
             **takes(Endpoint, **examples.tells(EndpointMade, 201, "Made")))  # fmt: skip
async def add(call: Channel) -> Response:
    """The secret is shown this once only. HTTPS and public addresses; in the sandbox plain HTTP and loopback too.

    Two at a time for each channel: more wait a little, and are then refused with 429 `rate_limited`.
    """
    body, channel = await call.body(Endpoint), call.actor().id

    def work(asked: Idempotency | None) -> Reply:
        try:
            allowed_url(body.url)
        except UrlNotAllowed:
            raise Refused("url_not_allowed", 422, "/url") from None
        return endpoints.add(call.office.desk, channel, body.url, body.events, asked)

    key, additions = await call.key(), cast("Places", call.request.app.state.additions)
    async with additions.one(channel):
        return await call.once(work, key)


@router.delete("/v1/webhook-endpoints/{endpoint_id}", summary="Forget an endpoint", status_code=204)
async def remove(call: Channel, endpoint_id: str) -> Response:
    """What was still to be sent there is not sent."""
    await call.run(endpoints.remove, call.office.desk, call.actor().id, endpoint_id)
    return Response(status_code=204)


@router.post("/v1/webhook-endpoints/{endpoint_id}/test", summary="Send a test now",
             **takes(Nothing, **examples.tells(TestSent)))  # fmt: skip
async def test(call: Channel, endpoint_id: str) -> Response:
    """One signed `webhook.test`; what came of it is the answer, also when nobody answered there.

    Two at a time for each channel; more are refused with 429 `too_many_tests`.
    """
    channel = call.actor().id
    await call.run(endpoints.known, call.office.desk, channel, endpoint_id)
    await call.body(Nothing)

    def work(_: Idempotency | None) -> Reply:
        trial = test_delivery(call.office, endpoint_id)
        told = {"id": trial.id, "delivered": trial.answer.delivered, "status": trial.answer.status,
                "error": trial.answer.error}  # fmt: skip
        return Reply(200, dumps(told))

    key = await call.key()
    async with TESTS.one(channel):
        return await call.once(work, key, window=True)


@router.post("/v1/webhook-endpoints/{endpoint_id}/rotate-secret", summary="A new secret",
             **takes(Nothing, **examples.tells(SecretRotated)))  # fmt: skip
async def rotate_secret(call: Channel, endpoint_id: str) -> Response:
    """Old and new both sign for 24 hours; the new one is shown this once only."""
    channel = call.actor().id
    await call.run(endpoints.known, call.office.desk, channel, endpoint_id)
    await call.body(Nothing)

    def work(asked: Idempotency | None) -> Reply:
        return endpoints.rotate(call.office.desk, channel, endpoint_id, asked)

    return await call.once(work, await call.key())
