"""The answers of a whole life have the shapes of the OpenAPI document: these fields, and no others."""

import json
from typing import Any

import httpx
import jsonschema  # type: ignore[import-untyped]
import pytest

from tests.doors.conftest import Caller
from tests.doors.family import act, application, key, submitted, view, with_materials
from workflows.binding import MOVES
from workflows.case import STATES


@pytest.fixture
def document(alipay: httpx.Client) -> dict[str, Any]:
    """As it is published, but that a shape may have no other fields: what is answered today has been said."""
    made = view(alipay.get("/openapi.json"))
    for name, shape in made["components"]["schemas"].items():
        if "properties" in shape and name != "Problem":
            shape["additionalProperties"] = False
    return made


def told(document: dict[str, Any], answer: httpx.Response, path: str) -> Any:
    """The JSON of an answer, after a look whether it is what the document says of this path."""
    assert answer.is_success, answer.text
    operation = document["paths"][path][answer.request.method.lower()]
    schema = operation["responses"][str(answer.status_code)]["content"]["application/json"]["schema"]
    jsonschema.validate(answer.json(), schema | {"components": document["components"]})
    return answer.json()


def test_every_json_answer_has_a_shape(document: dict[str, Any]) -> None:
    bare = [
        f"{method} {path}"
        for path, operations in document["paths"].items()
        for method, operation in operations.items()
        for status, answer in operation["responses"].items()
        if status.startswith("2") and status != "204"
        and "$ref" not in answer["content"].get("application/json", {}).get("schema", {})
    ]  # fmt: skip
    assert bare == ["get /v1/bindings/{binding_id}/materials/{material_id}/content", "get /metrics"]


def test_the_table_of_words(document: dict[str, Any], alipay: httpx.Client) -> None:
    schemas = document["components"]["schemas"]
    assert schemas["State"]["enum"] == list(STATES)
    assert {move.event for move in MOVES} <= set(schemas["Event"]["enum"])
    assert {"Channel", "Relationship", "MaterialKind", "Reason"} <= set(schemas)
    assert "household_register_holder_page" in alipay.get("/docs").text


def test_an_application_needs_its_key(document: dict[str, Any]) -> None:
    parameters = document["components"]["parameters"]
    for path in ("/v1/bindings", "/v1/counter/tickets"):
        named = [one["$ref"].rsplit("/", 1)[-1] for one in document["paths"][path]["post"]["parameters"]]
        assert [name for name in named if parameters[name].get("required")] == ["IdempotencyKeyNeeded"]


def test_a_life_with_a_camera(document: dict[str, Any], alipay: httpx.Client, as_: Caller) -> None:
    body = application(seed=71)
    outline = {name: body[name] for name in ("product", "method", "relationship")} | {
        "holder": {"insured_region": body["holder"]["insured_region"]},
        "member": {name: body["member"][name] for name in ("insured_region", "id_number", "id_type")},
    }
    told(document, alipay.post("/v1/requirements", json=outline), "/v1/requirements")
    endpoints = "/v1/webhook-endpoints"
    made = told(document, alipay.post(endpoints, json={"url": "http://127.0.0.1:9/"}), endpoints)
    told(document, alipay.get(endpoints), endpoints)
    one = f"{endpoints}/{{endpoint_id}}"
    told(document, alipay.post(f"{endpoints}/{made['id']}/test"), f"{one}/test")
    told(document, alipay.post(f"{endpoints}/{made['id']}/rotate-secret"), f"{one}/rotate-secret")
    binding = told(document, alipay.post("/v1/bindings", json=body, headers=key()), "/v1/bindings")["id"]
    with_materials(alipay, view(alipay.get(f"/v1/bindings/{binding}")))
    act(alipay, binding, "submit_materials")
    told(document, alipay.post("/v1/sandbox/clock/advance", json={"seconds": 60}), "/v1/sandbox/clock/advance")
    for outcome in ("no_match", "passed"):
        started = alipay.post(f"/v1/bindings/{binding}/face-checks", json={"subject": "member"})
        face = told(document, started, "/v1/bindings/{binding_id}/face-checks")["id"]
        ended = alipay.post(f"/v1/sandbox/face-checks/{face}/complete", json={"outcome": outcome})
        told(document, ended, "/v1/sandbox/face-checks/{face_check_id}/complete")
    pair = {"holder_id_number": body["holder"]["id_number"], "member_id_number": body["member"]["id_number"]}
    use = alipay.post("/v1/entitlements/check", json=pair | {"purpose": "show_code", "patient": "member"})
    assert told(document, use, "/v1/entitlements/check")["allowed"]
    for name in ("", "/timeline", "/materials", "/face-checks", "/usage"):
        told(document, alipay.get(f"/v1/bindings/{binding}{name}"), f"/v1/bindings/{{binding_id}}{name}")
    told(document, alipay.post("/v1/bindings/search", json={}), "/v1/bindings/search")
    assert told(document, alipay.get("/v1/events"), "/v1/events")["items"]
    operator = as_("operator")
    told(document, operator.get("/v1/ops/overview"), "/v1/ops/overview")
    told(document, operator.get("/v1/ops/stuck"), "/v1/ops/stuck")


def test_a_life_at_the_counter_and_before_a_reviewer(document: dict[str, Any], as_: Caller) -> None:
    channel, counter, reviewer = as_("yueyibao_alipay"), as_("counter"), as_("reviewer")
    at_home = submitted(channel, seed=72, product="account_sharing")
    with_materials(channel, at_home)
    act(channel, at_home["id"], "submit_materials")
    channel.post("/v1/sandbox/clock/advance", json={"seconds": 60})
    assert told(document, reviewer.get("/v1/reviews"), "/v1/reviews")["items"]
    one = "/v1/reviews/{binding_id}"
    told(document, reviewer.post(f"/v1/reviews/{at_home['id']}/claim"), f"{one}/claim")
    told(document, reviewer.get(f"/v1/reviews/{at_home['id']}"), one)
    alipay = as_("alipay")
    offline = submitted(alipay, seed=73)
    with_materials(alipay, offline)
    act(alipay, offline["id"], "submit_materials")
    alipay.post("/v1/sandbox/clock/advance", json={"seconds": 60})
    chosen = act(alipay, offline["id"], "choose_offline", reason="other")
    told(document, chosen, "/v1/bindings/{binding_id}/actions/choose_offline")
    assert told(document, counter.get("/v1/counter/tickets"), "/v1/counter/tickets")["items"]
    asked = {"field": "member.id_number", "purpose": "与窗口原件核对"}
    revealed = counter.post(f"/v1/bindings/{offline['id']}/reveal", json=asked)
    told(document, revealed, "/v1/bindings/{binding_id}/reveal")


# -- what a refusal says -------------------------------------------------------------------------------------------


def problem(document: dict[str, Any], answer: httpx.Response) -> dict[str, Any]:
    schema = {"$ref": "#/components/schemas/Problem", "components": document["components"]}
    jsonschema.validate(answer.json(), schema)
    return view(answer)


def test_a_refusal_says_what_is_missing(document: dict[str, Any], alipay: httpx.Client) -> None:
    made = submitted(alipay, seed=74)
    kinds = made["plan"]["materials"]
    refused = problem(document, act(alipay, made["id"], "submit_materials"))
    assert (refused["code"], refused["missing"]) == ("material_incomplete", kinds)
    body = application(seed=75)
    left = body["consents"].pop()
    refused = problem(document, alipay.post("/v1/bindings", json=body, headers=key()))
    assert (refused["code"], refused["missing"]) == ("consent_missing", [left["notice"]])


def test_a_word_that_is_missing_comes_with_those_to_choose_from(document: dict[str, Any], alipay: httpx.Client) -> None:
    missing = problem(document, act(alipay, submitted(alipay, seed=77)["id"], "choose_offline"))["errors"][0]
    assert (missing["pointer"], missing["code"]) == ("/reason", "required")
    assert missing["allowed"] == ["declines_face", "member_elsewhere", "cannot_pass", "other"]
    body = application(seed=76)
    del body["holder"]["id_type"]
    (missing,) = problem(document, alipay.post("/v1/bindings", json=body, headers=key()))["errors"]
    assert (missing["pointer"], "resident_id" in missing["allowed"]) == ("/holder/id_type", True)


def test_a_list_is_named_and_nothing_is_said_twice(document: dict[str, Any], alipay: httpx.Client) -> None:
    body = application(seed=76)
    refused = problem(document, alipay.post("/v1/bindings", json=body | {"initiator": "aunt"}, headers=key()))
    assert refused["errors"][0]["allowed"] == ["holder", "member", "guardian"]
    refused = problem(document, alipay.post("/v1/bindings/search", json={"states": ["dead"]}))
    assert refused["errors"][0]["allowed"] == list(STATES)
    hook = {"url": "http://127.0.0.1:9/", "events": ["binding.exploded"]}
    refused = problem(document, alipay.post("/v1/webhook-endpoints", json=hook))
    assert "binding.activated" in refused["errors"][0]["allowed"]
    refused = problem(document, alipay.get("/v1/ops/stuck"))
    assert refused["code"] == "role_required"
    wrong = json.loads(json.dumps(body)) | {"relationship": "OTHER"}
    refused = problem(document, alipay.post("/v1/bindings", json=wrong, headers=key()))
    assert refused["detail"] == "This relationship may not be bound: /relationship"


def test_what_is_wrong_with_the_whole_has_no_place(document: dict[str, Any], as_: Caller) -> None:
    body = application(seed=76)
    refused = problem(document, as_("jiangsu_yibaoyun").post("/v1/bindings", json=body, headers=key()))
    assert (refused["code"], refused["errors"][0]["pointer"]) == ("channel_not_open", "")
    assert refused["detail"] == "This channel is not open at the insured place"


def test_a_product_that_nobody_offers_there_is_told_apart(document: dict[str, Any], as_: Caller) -> None:
    outline = {
        "product": "account_sharing", "method": "id_number", "relationship": "PARENT",
        "holder": {"insured_region": "420100"},
        "member": {"insured_region": "420100", "birth_date": "1957-06-12", "id_type": "resident_id"},
    }  # fmt: skip
    refused = problem(document, as_("yueyibao_alipay").post("/v1/requirements", json=outline))
    assert (refused["code"], refused["cause"]) == ("region_not_allowed", "product_not_offered")
    assert "not offered" in refused["detail"]


def test_a_reference_stays_with_its_channel(alipay: httpx.Client, wechat: httpx.Client) -> None:
    body = application(seed=77) | {"channel_reference": "A-1"}
    made = submitted(alipay, body)
    acting = {"acting_for": {"id_number": body["member"]["id_number"]}}
    found = view(wechat.post("/v1/bindings/search", json=acting))["items"]
    assert [(one["id"], one["channel_reference"]) for one in found] == [(made["id"], None)]
    act(alipay, made["id"], "withdraw")
    alipay.post("/v1/sandbox/clock/advance", json={"seconds": 5})
    heard = view(wechat.get("/v1/events"))["items"]
    assert heard
    assert {one["data"]["binding"]["channel_reference"] for one in heard} == {None}
    assert all(one["data"]["parties"] == ["member"] for one in heard)
    own = view(alipay.get("/v1/events"))["items"]
    assert {one["data"]["binding"]["channel_reference"] for one in own} == {"A-1"}


def test_a_provider_s_limit_is_told_in_utc(document: dict[str, Any], alipay: httpx.Client) -> None:
    made = submitted(alipay, seed=78)
    with_materials(alipay, made)
    act(alipay, made["id"], "submit_materials")
    alipay.post("/v1/sandbox/clock/advance", json={"seconds": 60})
    path = f"/v1/bindings/{made['id']}/face-checks"
    face = view(alipay.post(path, json={"subject": "member"}))["id"]
    alipay.post(f"/v1/sandbox/face-checks/{face}/complete", json={"outcome": "rate_limited"})
    assert told(document, alipay.get(path), "/v1/bindings/{binding_id}/face-checks")["next_retry_at"].endswith("Z")
    refused = problem(document, alipay.post(path, json={"subject": "member"}))
    assert refused["code"] == "face_rate_limited"
    assert refused["next_retry_at"].endswith("Z")
