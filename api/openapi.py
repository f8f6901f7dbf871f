"""The one OpenAPI 3.1 document."""

from __future__ import annotations

from functools import cache
from typing import Any

from fastapi import APIRouter, FastAPI
from fastapi.openapi.utils import get_openapi
from fastapi.routing import iter_route_contexts
from pydantic import BaseModel
from pydantic.json_schema import models_json_schema
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response

from api import headers, pages, refusing
from api.answered import OF_WORDS, every_answer, words
from api.answered_events import webhooks
from api.answered_problems import Problem
from api.call import answer
from api.shapes import every_shape

router = APIRouter()

_ABOUT = """医保亲情账户 · the family account of China's medical insurance.

`Authorization: Bearer <key>`. A POST may carry an `Idempotency-Key`, an application must; an action may carry an
`If-Match`, with the version that a view has as its `ETag`. Errors are `application/problem+json` with a stable `code`;
texts follow `Accept-Language` (zh-CN, en). A text that is sent has something to be seen in it (`blank`) and no control
characters (`bad_characters`). ID numbers travel in bodies only and come back masked."""
_TAGS = {
    "bindings": "Applications, and what is seen of them: for channels.",
    "materials": "The documents of an application.",
    "actions": "What a family does with its application or binding: those that `available_actions` of the view lists.",
    "face checks": "A person before the camera.",
    "callbacks": "For the providers of face checks, not for channels; by signature, without a key.",
    "entitlements": "The uses of a binding in force.",
    "feed": "What has happened, in order: for whoever cannot take webhooks, or has missed some.",
    "webhooks": "Where a channel is told what has happened.",
    "reviews": "For reviewers of the agency.",
    "counter": "For the people at the agency's windows.",
    "supervision": "For those who may look in clear, or stop a binding.",
    "operations": "For operators: what does not move, and repairs.",
    "health": "For whoever keeps the service running; without a key.",
    "sandbox": "In the sandbox only: its clock, its people, its cameras.",
}
_ELSEWHERE = {  # what a parameter says that its route does not describe
    "binding_id": "the `id` of a binding",
    "material_id": "the `id` of a material",
    "face_check_id": "the `id` of a face check",
    "endpoint_id": "the `id` of an endpoint",
    "repair_id": "the `id` of a repair",
    "provider": "the provider's name",
    "limit": "how many at most",
    "cursor": "the `next_cursor` of the page before",
    "region": "the six digits of a place; all that are granted where not given",
    "status": "which part of the queue",
    "overdue": "only what is past its time, or only what is not",
    "product": "only of this product",
    "channel": "only of this channel",
    "cause": "only what is stuck for this cause",
    "fingerprint": "only what is stuck in this same way, as the groups name it",
    "state": "only items in this state",
}
_PROBLEM = {
    "type": "urn:kinbind:problem:holder_limit",
    "title": "该账户绑定或授权的人数已达上限",
    "status": 409,
    "detail": "该账户绑定或授权的人数已达上限",
    "instance": "/v1/bindings",
    "code": "holder_limit",
}
_KEY_NEEDED = {"/v1/bindings", "/v1/counter/tickets"}  # where an application is made


def document(app: FastAPI) -> dict[str, Any]:
    """The document of this app; made once."""
    if app.openapi_schema is None:
        made = get_openapi(
            title="kinbind", version=app.version, openapi_version="3.1.0", description=_ABOUT, routes=app.routes,
            tags=[{"name": name, "description": told} for name, told in _TAGS.items()],
        )  # fmt: skip
        components = made.setdefault("components", {})
        components["schemas"] = _schemas()  # FastAPI's own are of faults that never leave us in its form
        needed = headers.SENT["IdempotencyKey"] | {"required": True}
        components["parameters"] = headers.SENT | {"IdempotencyKeyNeeded": needed}
        components["headers"] = headers.ANSWERED
        components["responses"] = refusing.shared()
        components["securitySchemes"] = {"key": {"type": "http", "scheme": "bearer"}}
        for path, operations in made["paths"].items():
            for method, operation in operations.items():
                _complete(path, method, operation)
        lists = {tuple(one["enum"]): name for name, one in words().items() if "enum" in one}
        made["webhooks"] = webhooks()
        made["paths"] = _by_name(made["paths"], lists)
        components["schemas"] = _by_name(components["schemas"], lists) | words()
        _examples_whole(app, made["paths"])
        app.openapi_schema = made
    return app.openapi_schema


def _schemas() -> dict[str, Any]:
    """What is sent, and what is answered."""
    template = "#/components/schemas/{model}"
    answers: list[type[BaseModel]] = [*every_answer(), Problem]
    _, sent = models_json_schema([(shape, "validation") for shape in every_shape()], ref_template=template)
    _, told = models_json_schema([(shape, "validation") for shape in answers], ref_template=template)
    told["$defs"]["Problem"]["examples"] = [_PROBLEM]
    return {**sent["$defs"], **told["$defs"]}


def _by_name(value: Any, lists: dict[tuple[str, ...], str]) -> Any:
    """The same with each list of words that has a name as a reference to it."""
    if isinstance(value, list):
        return [_by_name(one, lists) for one in value]
    if not isinstance(value, dict):
        return value
    listed = value.get("enum")
    name = lists.get(tuple(listed)) if isinstance(listed, list) else value.get(OF_WORDS)
    if name is None:
        return {key: _by_name(one, lists) for key, one in value.items()}
    rest = {key: one for key, one in value.items() if key not in {"enum", "type", "title", OF_WORDS}}
    return {"$ref": f"#/components/schemas/{name}", **rest}


def _complete(path: str, method: str, operation: dict[str, Any]) -> None:
    """Add what every operation has: its key, its headers, its problems."""
    operation["responses"].pop("422", None)
    for one in operation.get("parameters", []):
        one.setdefault("description", _ELSEWHERE.get(one["name"], ""))
    with_key, kept = refusing.with_key(path), refusing.kept(path, method)
    for status, told in operation["responses"].items():
        schema = told.get("content", {}).get("application/json", {}).get("schema", {})
        shape = schema.get("$ref", "").rpartition("/")[2]
        if found := headers.of_success(status, shape, with_key=with_key, kept=kept):
            told["headers"] = found
    operation["responses"] = refusing.responses(path, method, operation) | operation["responses"]
    if not with_key:
        return
    operation["security"] = [{"key": []}]
    named = ["AcceptLanguage"]
    named += ["IdempotencyKeyNeeded" if path in _KEY_NEEDED else "IdempotencyKey"] if kept else []
    named += ["IfMatch"] if refusing.at_version(path, method) else []
    refs = [{"$ref": f"#/components/parameters/{name}"} for name in named]
    operation["parameters"] = operation.get("parameters", []) + refs


def _examples_whole(app: FastAPI, paths: dict[str, Any]) -> None:
    """Put the examples in as they were written: FastAPI leaves out each null, and answers have them."""
    for route in iter_route_contexts(app.routes):
        for method in getattr(route, "methods", None) or ():  # what is mounted, as a folder of files, has none
            answers = paths.get(route.path_format or "", {}).get(method.lower(), {}).get("responses", {})
            for status, told in (getattr(route, "responses", None) or {}).items():
                for media, content in told.get("content", {}).items():
                    answers[str(status)]["content"][media].update(content)


@router.get("/openapi.json", include_in_schema=False)
def openapi_json(request: Request) -> Response:
    """The document."""
    return answer(document(request.app))


@router.get("/docs", include_in_schema=False)
def docs(request: Request) -> HTMLResponse:
    """The document as a page."""
    return HTMLResponse(_page(request.app))


@cache
def _page(app: FastAPI) -> str:
    """The page of this app; made once."""
    return pages.page(document(app))
