"""Whatever is sent, the answer is a problem document with a pointer, and never a 500."""

import copy
import json
from typing import Any

import httpx
import pytest

from tests.doors.family import act, application, key, submitted, uploaded, view

BROKEN = {
    "no JSON": b"{",
    "not UTF-8": b'{"product": "\xff"}',
    "NaN": b'{"product": NaN}',
    "a field twice": b'{"product": "a", "product": "b"}',
    "half a pair": b'{"product": "a",}',
    "very deep": b"[" * 30_000,
    "deep": b"[" * 990 + b"]" * 990,
    "deep enough": b'{"a":' * 40 + b"1" + b"}" * 40,
    "a number too long to read": b'{"product": ' + b"9" * 5_000 + b"}",
}


def posted(client: httpx.Client, raw: bytes, **headers: str) -> httpx.Response:
    return client.post("/v1/bindings", content=raw, headers=key() | {"Content-Type": "application/json", **headers})


def refused(answer: httpx.Response, status: int, code: str) -> dict[str, Any]:
    assert (answer.status_code, view(answer)["code"]) == (status, code), answer.text
    body = view(answer)
    assert answer.headers["content-type"] == "application/problem+json"
    assert {"type", "title", "status", "detail", "instance", "code"} <= set(body)
    assert body["status"] == status
    return body


def pointers(answer: httpx.Response) -> dict[str, str]:
    body = refused(answer, 422, "request_invalid")
    assert all(one["message"] for one in body["errors"])
    return {one["pointer"]: one["code"] for one in body["errors"]}


@pytest.mark.parametrize("name", BROKEN)
def test_what_is_no_json_is_400(alipay: httpx.Client, name: str) -> None:
    refused(posted(alipay, BROKEN[name]), 400, "request_unreadable")


def test_a_doubled_field_is_pointed_at(alipay: httpx.Client) -> None:
    body = refused(posted(alipay, b'{"holder": {"name": "a", "name": "b"}}'), 400, "request_unreadable")
    assert body["errors"][0]["pointer"] == "/holder/name"


def test_other_content_types_and_too_much(alipay: httpx.Client) -> None:
    refused(posted(alipay, b"{}", **{"Content-Type": "text/plain"}), 415, "content_type_unsupported")
    refused(posted(alipay, b'{"product": "' + b"a" * 70_000 + b'"}'), 413, "request_too_large")


@pytest.mark.parametrize("raw", [b"[]", b'"text"', b"null", b"3"])
def test_what_is_no_object_is_422(alipay: httpx.Client, raw: bytes) -> None:
    assert pointers(posted(alipay, raw)) == {"": "wrong_type"}


SPOILT: dict[str, tuple[str, Any, str]] = {
    "zero": ("/holder/name", "张\0伟", "bad_characters"),
    "half a character": ("/holder/name", "\ud800", "bad_characters"),
    "escape": ("/channel_reference", "a\x1b[2J", "bad_characters"),
    "escape of eight bits": ("/channel_reference", "a\x9b2J", "bad_characters"),
    "blank": ("/holder/name", " \u3000\u200b", "blank"),
    "empty": ("/holder/name", "", "too_short"),
    "long": ("/holder/name", "张" * 101, "too_long"),
    "a number as text": ("/holder/id_number", 440106198503072316, "wrong_type"),
    "no word of ours": ("/product", "family", "not_one_of"),
    "kind of document": ("/member/id_type", "driving_licence", "not_one_of"),
    "relationship": ("/relationship", "parent", "not_one_of"),
    "region": ("/holder/insured_region", "44010", "wrong_form"),
    "region with newline": ("/holder/insured_region", "440100\n", "wrong_form"),
    "region in other digits": ("/holder/insured_region", "４４０１００", "wrong_form"),
    "date": ("/member/birth_date", "1958-02-30", "not_a_date"),
    "date as number": ("/member/birth_date", 0, "not_a_date"),
    "consents": ("/consents", {}, "wrong_type"),
    "accepted without zone": ("/consents/0/accepted_at", "2026-11-21T08:00:00", "not_a_time"),
    "accepted without a point": ("/consents/0/accepted_at", "2026-11-21T08:00:00123Z", "not_a_time"),
    "accepted in no zone": ("/consents/0/accepted_at", "2026-11-21T08:00:00+08:60", "not_a_time"),
    "accepted nonsense": ("/consents/0/accepted_at", "2026-99-21T08:00:00Z", "not_a_time"),
    "unknown": ("/holder/nickname", "x", "unknown_field"),
    "unknown with a slash": ("/a~1b", "x", "unknown_field"),
    "infinite": ("/channel_reference", 1e999, "out_of_range"),
    "true for text": ("/channel_reference", True, "wrong_type"),
}


@pytest.mark.parametrize("fraction", ["", ".1", ".123456", ".1234567", ".123456789"])
def test_a_second_may_have_any_fraction(alipay: httpx.Client, fraction: str) -> None:
    body = application()
    body["consents"][0]["accepted_at"] = f"2026-11-21T08:00:00{fraction}Z"
    assert alipay.post("/v1/bindings", json=body, headers=key()).status_code == 201


@pytest.mark.parametrize("name", SPOILT)
def test_each_fault_has_its_pointer(alipay: httpx.Client, name: str) -> None:
    pointer, value, code = SPOILT[name]
    body = copy.deepcopy(application())
    *way, last = [part.replace("~1", "/") for part in pointer.split("/")[1:]]
    place: Any = body
    for part in way:
        place = place[int(part) if part.isdigit() else part]
    place[last] = value
    raw = json.dumps(body).replace("Infinity", "1e999").encode()
    assert pointers(posted(alipay, raw)) == {pointer: code}


def test_all_faults_are_told_at_once(alipay: httpx.Client) -> None:
    found = pointers(posted(alipay, b'{"product": 1, "extra": 2}'))
    assert found["/product"] == "not_one_of" or found["/product"] == "wrong_type"
    assert found["/extra"] == "unknown_field"
    assert found["/holder"] == "required"


RULES: dict[str, tuple[dict[str, Any], int, str, str]] = {
    "check digit": ({"holder.id_number": "440106198506010019"}, 422, "id_number_invalid", "/holder/id_number"),
    "self": ({}, 422, "self_binding", "/member/id_number"),
    "stranger": ({"relationship": "OTHER"}, 422, "relation_not_allowed", "/relationship"),
    "no consent": ({"consents": []}, 422, "consent_missing", "/consents"),
    "no certificate": ({"method": "birth_certificate"}, 422, "birth_certificate_required", "/birth_certificate"),
    "nowhere": ({"holder.insured_region": "990000"}, 422, "region_not_allowed", "/holder/insured_region"),
}


@pytest.mark.parametrize("name", RULES)
def test_what_can_never_be_granted_is_422(alipay: httpx.Client, name: str) -> None:
    changes, status, code, pointer = RULES[name]
    body = application()
    if name == "self":
        body["member"] = dict(body["holder"])
    for way, value in changes.items():
        place, _, last = way.rpartition(".")
        (body[place] if place else body)[last] = value
    told = refused(alipay.post("/v1/bindings", json=body, headers=key()), status, code)
    assert told["errors"][0]["pointer"] == pointer
    assert all(
        str(body[who][what]) not in json.dumps(told) for who in ("holder", "member") for what in ("name", "id_number")
    )


def test_a_channel_that_is_not_open(as_: Any) -> None:
    body = application()
    refused(as_("yueyibao_alipay").post("/v1/bindings", json=body, headers=key()), 422, "wrong_product")
    refused(as_("jiangsu_yibaoyun").post("/v1/bindings", json=body, headers=key()), 422, "channel_not_open")


def test_the_world_as_it_is_is_409(alipay: httpx.Client, wechat: httpx.Client) -> None:
    body = application()
    submitted(alipay, body)
    refused(wechat.post("/v1/bindings", json=body, headers=key()), 409, "duplicate_binding")


def test_texts_follow_the_language(alipay: httpx.Client) -> None:
    def title(language: str) -> tuple[str, str]:
        answer = alipay.get("/v1/bindings/bnd_none", headers={"Accept-Language": language})
        return view(answer)["title"], answer.headers["content-language"]

    assert title("en-GB,zh;q=0.5")[1] == "en"
    assert title("zh-CN") == ("未找到", "zh-CN")
    assert title("fr")[1] == "zh-CN"
    assert title("en;q=0.1, zh;q=0.2")[1] == "zh-CN"
    assert title(";;q=x,,")[1] == "zh-CN"


def test_keys_and_roles(as_: Any, base_url: str) -> None:
    nobody = httpx.get(f"{base_url}/v1/bindings/x")
    assert refused(nobody, 401, "key_required")
    assert nobody.headers["www-authenticate"].startswith("Bearer")
    for sent in (b"Bearer nonsense", b"Basic abc", b"Bearer", b"Bearer " + b"x" * 5000, b"Bearer \xa0sandbox-alipay"):
        assert httpx.get(f"{base_url}/v1/bindings/x", headers={b"Authorization": sent}).status_code == 401, sent[:30]
    refused(as_("reviewer").post("/v1/bindings", content=b"{"), 403, "role_required")


def test_ids_that_cannot_be(alipay: httpx.Client) -> None:
    for odd in ("%00", "x" * 3000, "..", "%2e%2e%2fetc", "%ff", "bnd_1'--"):
        answer = alipay.get(f"/v1/bindings/{odd}")
        assert answer.status_code == 404, odd
    assert alipay.get("/v1/nothing").headers["content-type"] == "application/problem+json"


@pytest.mark.parametrize(
    ("where", "methods"),
    [
        ("/v1/bindings/x", "GET, HEAD"),
        ("/v1/bindings/search", "POST"),
        ("/v1/bindings/x/materials", "GET, HEAD, POST"),
        ("/v1/webhook-endpoints", "GET, HEAD, POST"),
    ],
)
def test_what_an_address_takes_is_told(alipay: httpx.Client, where: str, methods: str) -> None:
    wrong = alipay.put(where)
    assert refused(wrong, 405, "http_method_not_allowed")
    assert wrong.headers["allow"] == methods


@pytest.mark.parametrize("limit", ["1_0", "5.0", "+5", " 5", "0x5"])
def test_a_number_in_a_query_is_digits(as_: Any, limit: str) -> None:
    where = f"/v1/bindings/{submitted(as_('alipay'))['id']}/timeline"
    assert "/limit" in pointers(as_("alipay").get(where, params={"limit": limit}))


def test_a_parameter_that_is_there_twice_is_pointed_at(as_: Any) -> None:
    """Only the last would count: an overview of one place would look like one of two."""
    twice = as_("operator").get("/v1/ops/overview", params=[("region", "440100"), ("region", "110000")])
    assert refused(twice, 400, "request_unreadable")["errors"][0]["pointer"] == "/region"


@pytest.mark.parametrize(
    "sent",
    [{"limit": 0}, {"limit": 101}, {"limit": "5"}, {"states": ["gone"]}, {"states": "active"}, {"acting_for": "x"}],
)
def test_searches_that_cannot_be(alipay: httpx.Client, sent: dict[str, Any]) -> None:
    pointers(alipay.post("/v1/bindings/search", json=sent))


def test_cursors_of_our_own_only(alipay: httpx.Client) -> None:
    for cursor in ("x", "eyJhIjoxfQ", "WyJhIiwiYiJd", "WyJcdTAwMDAiXQ", "é", "WzFd"):
        answer = alipay.post("/v1/bindings/search", json={"cursor": cursor})
        assert (answer.status_code, view(answer)["code"]) == (400, "cursor_invalid"), cursor


def test_uploads_that_cannot_be(alipay: httpx.Client) -> None:
    made = submitted(alipay)
    where = f"/v1/bindings/{made['id']}/materials"
    assert pointers(uploaded(alipay, made["id"], "selfie")) == {"/kind": "not_one_of"}
    refused(alipay.post(where, json={"kind": "other"}), 415, "content_type_unsupported")
    broken = {"Content-Type": "multipart/form-data; boundary=x"}
    refused(alipay.post(where, content=b"--y\r\nnothing", headers=broken), 400, "request_unreadable")
    nameless = {"Content-Type": "multipart/form-data"}
    refused(alipay.post(where, content=b"--y", headers=nameless), 400, "request_unreadable")
    assert pointers(alipay.post(where, files={"photo": b"x"}, data={"kind": "other"}))["/file"] == "required"
    two = [("file", ("a", b"x")), ("file", ("b", b"y"))]
    refused(alipay.post(where, files=two, data={"kind": "other"}), 400, "request_unreadable")
    assert view(alipay.get(where))["items"] == []


def test_actions_that_cannot_be(alipay: httpx.Client) -> None:
    made = submitted(alipay)
    assert act(alipay, made["id"], "fly").status_code == 404
    assert pointers(act(alipay, made["id"], "choose_offline", reason="tired")) == {"/reason": "not_one_of"}
    assert pointers(act(alipay, made["id"], "withdraw", why="x")) == {"/why": "unknown_field"}
    assert pointers(act(alipay, made["id"], "confirm_unbind")) == {"/pay_password": "required"}
    where = f"/v1/bindings/{made['id']}/actions/withdraw"
    for sent in ('"x"', '"1", "2"', "-1", '""'):
        refused(alipay.post(where, headers={"If-Match": sent}), 400, "if_match_invalid")
    twice = alipay.post(where, headers=[("If-Match", '"1"'), ("If-Match", '"9"')])
    refused(twice, 400, "if_match_invalid")
    assert view(alipay.get(f"/v1/bindings/{made['id']}"))["state"] == "submitted"
    nobody = {"acting_for": {"id_number": "123"}}
    refused(act(alipay, made["id"], "withdraw", **nobody), 422, "id_number_invalid")
    refused(act(alipay, "bnd_00000000000000000000000000", "withdraw", **nobody), 404, "not_found")


@pytest.mark.parametrize("accepted_at", ["2999-01-01T00:00:00Z", "2020-01-02T00:00:00Z"])
def test_a_consent_of_tomorrow_or_to_a_text_of_tomorrow(alipay: httpx.Client, accepted_at: str) -> None:
    body = application()
    body["consents"][0]["accepted_at"] = accepted_at
    said = refused(alipay.post("/v1/bindings", json=body, headers=key()), 422, "consent_time_invalid")
    assert said["errors"][0]["pointer"] == "/consents/0/accepted_at"


def test_a_parameter_that_the_call_does_not_have(alipay: httpx.Client) -> None:
    """To let it be would begin the feed anew, and answer the first page of a list again and again."""
    refused = alipay.get("/v1/events", params={"cursor": "x", "limit": 1})
    (fault,) = refused.json()["errors"]
    assert (refused.status_code, fault["pointer"], fault["code"]) == (422, "/cursor", "unknown_field")
    refused = alipay.get("/v1/bindings/bnd_none", params={"a/b": "1", "z": "2"})
    assert [one["pointer"] for one in refused.json()["errors"]] == ["/a~1b", "/z"]
    assert alipay.get("/v1/webhook-endpoints", params={"limit": 1}).status_code == 200
    assert [alipay.get(path, params={"x": "1"}).status_code for path in ("/docs", "/openapi.json", "/healthz")] == [
        200
    ] * 3
