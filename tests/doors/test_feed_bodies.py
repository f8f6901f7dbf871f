"""What webhooks bring has the shapes of the `webhooks` of the OpenAPI document, and what the feed gives its own."""

import json
from typing import Any

import httpx
import jsonschema  # type: ignore[import-untyped]

from tasks.deliver import tell
from tasks.feed import fan_out
from tasks.office import Office
from tasks.stuck import watch_stuck
from tests.doors.family import act, application, submitted
from tests.receiver import Letter, Receiver, receiving

OF_TYPE = {"binding.party_notice": "party_notice", "binding.stuck": "stuck", "binding.recovered": "stuck",
           "webhook.test": "test"}  # fmt: skip


def hook(client: httpx.Client, receiver: Receiver) -> str:
    """An endpoint for everything, and its address at the API."""
    made = client.post("/v1/webhook-endpoints", json={"url": receiver.url}).json()
    receiver.secrets.append(made["secret"])
    return f"/v1/webhook-endpoints/{made['id']}"


def parks(office: Office, how: str) -> None:
    with office.ledger.connection() as conn:
        conn.execute(f"update deadlines set parked = {how}")
    watch_stuck(office)


def is_as_said(made: dict[str, Any], letter: Letter) -> None:
    sent = made["webhooks"][OF_TYPE.get(letter.type, "binding_event")]["post"]
    schema = sent["requestBody"]["content"]["application/json"]["schema"]
    jsonschema.validate(json.loads(letter.body), schema | {"components": made["components"]})
    assert {one["name"] for one in sent["parameters"]} <= letter.headers.keys()


def test_letters_of_every_kind(alipay: httpx.Client, wechat: httpx.Client, office: Office) -> None:
    made = alipay.get("/openapi.json").json()
    body = application(seed=84)
    wechat.post("/v1/bindings/search", json={"acting_for": {"id_number": body["holder"]["id_number"]}})
    with receiving() as receiver:
        tried = hook(alipay, receiver)
        hook(wechat, receiver)
        binding = submitted(alipay, body)
        parks(office, "'x'")
        parks(office, "null")
        act(alipay, binding["id"], "withdraw")
        tell(office)
        assert alipay.post(f"{tried}/test").json()["delivered"]
        for letter in receiver.letters:
            is_as_said(made, letter)
    kinds = {letter.type for letter in receiver.letters}
    assert kinds == {"binding.submitted", "binding.withdrawn", *OF_TYPE}


def test_the_feed_lists_no_type_that_never_comes(alipay: httpx.Client, office: Office) -> None:
    schemas = alipay.get("/openapi.json").json()["components"]["schemas"]
    listed = set(schemas["FeedEvent"]["properties"]["type"]["enum"])
    assert not listed & {"binding.stuck", "binding.recovered", "webhook.test"}
    assert listed == {*schemas["BindingEvent"]["properties"]["type"]["enum"], "binding.party_notice"}
    submitted(alipay, seed=85)
    fan_out(office)
    assert {one["type"] for one in alipay.get("/v1/events").json()["items"]} <= listed
