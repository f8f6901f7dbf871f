"""Where a channel wants its events pushed: Standard Webhooks endpoints."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Annotated

from fastapi import APIRouter, Depends, Response
from pydantic import Field

from api import examples
from api.answered_uses import EndpointMade, EndpointPage, SecretRotated, TestSent
from api.call import Call, answer, asks
from api.shapes import Behind, Body, Limit, Nothing, OneOf, example, takes
from tasks.deliver import test_delivery
from tasks.webhooks import DEADLINE, UrlNotAllowed, allowed_url
from workflows import endpoints
from workflows.commands import Idempotency, Reply
from workflows.errors import Refused
from workflows.views.public import dumps

router = APIRouter(tags=["webhooks"])
Channel = Annotated[Call, Depends(asks("channel"))]


_NAMES = sorted(endpoints.EVENTS)
# Tests under way in this process, in all and of one channel: each holds one of the threads that all doors share.
TESTS, TESTS_OF_CHANNEL = 8, 2
_testing: Counter[str] = Counter()  # by channel; only the event loop's thread touches it

# with `binding.` or without
Event = Annotated[str, OneOf((*_NAMES, *(name.removeprefix("binding.") for name in _NAMES)))]


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
    with _place_for_test(channel):
        return await call.once(work, key, window=True)


@contextmanager
def _place_for_test(channel: str) -> Iterator[None]:
    """One of the places for tests. Raises `Refused` 429 `too_many_tests`."""
    if _testing.total() >= TESTS or _testing[channel] >= TESTS_OF_CHANNEL:
        raise Refused("too_many_tests", 429, retry_after=math.ceil(DEADLINE))
    _testing[channel] += 1
    try:
        yield
    finally:
        _testing[channel] -= 1


@router.post("/v1/webhook-endpoints/{endpoint_id}/rotate-secret", summary="A new secret",
             **takes(Nothing, **examples.tells(SecretRotated)))  # fmt: skip
async def rotate_secret(call: Channel, endpoint_id: str) -> Response:
    """Old and new both sign for 24 hours; the new one is shown this once only."""
    channel = call.actor().id
    await call.run(endpoints.known, call.office.desk, channel, endpoint_id)
    await call.body(Nothing)

    def work(_: Idempotency | None) -> Reply:
        return Reply(200, dumps(endpoints.rotate(call.office.desk, channel, endpoint_id)), secret=True)

    return await call.once(work, await call.key())
