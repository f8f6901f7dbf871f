"""The one OpenAPI 3.1 document, and a page that shows it without anything from elsewhere."""

from __future__ import annotations

import json
from html import escape
from typing import Any

from fastapi import APIRouter, FastAPI
from fastapi.openapi.utils import get_openapi
from fastapi.routing import iter_route_contexts
from pydantic.json_schema import models_json_schema
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response

from api.answered import every_answer, words
from api.shapes import every_shape
from workflows.views.public import dumps

router = APIRouter()

_ABOUT = """医保亲情账户 · the family account of China's medical insurance.

`Authorization: Bearer <key>`. Every POST takes an `Idempotency-Key`, every action an `If-Match`. Errors are
`application/problem+json` with a stable `code`; texts follow `Accept-Language` (zh-CN, en). ID numbers travel in
bodies only and come back masked."""
_PROBLEM = {
    "type": "urn:kinbind:problem:holder_limit",
    "title": "您绑定的家庭成员已达上限",
    "status": 409,
    "detail": "您绑定的家庭成员已达上限",
    "instance": "/v1/bindings",
    "code": "holder_limit",
}
_KEY_NEEDED = {"/v1/bindings", "/v1/counter/tickets"}  # where an application is made
_HEADERS = {
    "IdempotencyKey": {
        "name": "Idempotency-Key",
        "in": "header",
        "description": "The same key and the same request give the first answer again, for 7 days.",
        "schema": {"type": "string", "minLength": 1, "maxLength": 255},
        "example": '"8e03978e-40d5-43e8-bc93-6894a57f9324"',
    },
    "IfMatch": {
        "name": "If-Match",
        "in": "header",
        "description": "The version in mind, from `ETag`; 412 `stale_version` when it has moved.",
        "schema": {"type": "string"},
        "example": '"5"',
    },
    "AcceptLanguage": {
        "name": "Accept-Language",
        "in": "header",
        "schema": {"type": "string", "default": "zh-CN"},
        "example": "en",
    },
}


def document(app: FastAPI) -> dict[str, Any]:
    """The document of this app; made once."""
    if app.openapi_schema is None:
        made = get_openapi(
            title="kinbind", version=app.version, openapi_version="3.1.0", description=_ABOUT, routes=app.routes
        )
        components = made.setdefault("components", {})
        components["schemas"] = components.get("schemas", {}) | _schemas()
        components["parameters"] = _HEADERS | {"IdempotencyKeyNeeded": _HEADERS["IdempotencyKey"] | {"required": True}}
        components["securitySchemes"] = {"key": {"type": "http", "scheme": "bearer"}}
        for path, operations in made["paths"].items():
            for method, operation in operations.items():
                _complete(path, method, operation)
        _examples_whole(app, made["paths"])
        app.openapi_schema = made
    return app.openapi_schema


def _schemas() -> dict[str, Any]:
    """What is sent, what is answered, and the table of words."""
    template = "#/components/schemas/{model}"
    _, sent = models_json_schema([(shape, "validation") for shape in every_shape()], ref_template=template)
    _, told = models_json_schema([(shape, "validation") for shape in every_answer()], ref_template=template)
    told["$defs"]["Problem"]["examples"] = [_PROBLEM]
    return {**sent["$defs"], **told["$defs"], **words()}


def _complete(path: str, method: str, operation: dict[str, Any]) -> None:
    """Add what every operation has: its key, its headers, its problems."""
    operation["responses"].pop("422", None)
    problem = {"application/problem+json": {"schema": {"$ref": "#/components/schemas/Problem"}}}
    operation["responses"]["default"] = {"description": "A problem", "content": problem}
    if not path.startswith("/v1/") or path.startswith("/v1/callbacks"):
        return
    operation["security"] = [{"key": []}]
    named = ["AcceptLanguage"]
    if method == "post":
        named.append("IdempotencyKeyNeeded" if path in _KEY_NEEDED else "IdempotencyKey")
        named += ["IfMatch"] if "{binding_id}" in path else []
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
async def openapi_json(request: Request) -> Response:
    """The document."""
    return Response(dumps(document(request.app)), media_type="application/json")


@router.get("/docs", include_in_schema=False)
async def docs(request: Request) -> HTMLResponse:
    """The document as a page."""
    return HTMLResponse(page(document(request.app)))


_STYLE = """
body{font:15px/1.5 "Noto Sans SC","PingFang SC","Microsoft YaHei","WenQuanYi Micro Hei",sans-serif;max-width:60rem;
margin:2rem auto;padding:0 1rem;color:#222;background:#fff}
details{border:1px solid #ddd;border-radius:4px;margin:.4rem 0}summary{padding:.4rem .6rem;cursor:pointer}
summary b{display:inline-block;width:4.5rem}code,pre{font:13px ui-monospace,monospace}
pre{background:#f6f6f6;padding:.6rem;overflow:auto;margin:.4rem}p{margin:.4rem .6rem}
"""


def page(made: dict[str, Any]) -> str:
    """One self-contained HTML page: every operation with its description, parameters, body and answers."""
    shapes = made["components"]["schemas"]
    sections = [
        _operation(path, method, operation, shapes)
        for path, operations in made["paths"].items()
        for method, operation in operations.items()
    ]
    about = escape(made["info"]["description"]).replace("\n", "<br>")
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width">'
        f"<title>kinbind · API</title><style>{_STYLE}</style></head><body><h1>kinbind · API</h1><p>{about}</p>"
        f'<p><a href="openapi.json">openapi.json</a></p>{"".join(sections)}{_words()}</body></html>'
    )


def _words() -> str:
    """The table of words: of each list its name, then what it holds."""
    rows = "".join(
        f"<p><b>{name}</b> {escape(listed.get('description', ''))}<br>"
        f"{' '.join(f'<code>{escape(word)}</code>' for word in listed.get('enum') or listed['examples'])}</p>"
        for name, listed in words().items()
    )
    return f"<h2>Words</h2>{rows}"


def _operation(path: str, method: str, operation: dict[str, Any], shapes: dict[str, Any]) -> str:
    parts = [f"<p>{escape(operation.get('description', ''))}</p>"]
    queries = [one for one in operation.get("parameters", []) if one.get("in") == "query"]
    if queries:
        parts.append(f"<p>Query: <code>{escape(', '.join(one['name'] for one in queries))}</code></p>")
    for media, content in operation.get("requestBody", {}).get("content", {}).items():
        shape = content.get("schema", {})
        shape = shapes.get(shape.get("$ref", "").rsplit("/", 1)[-1], shape)
        parts += [_block(f"Body, {media}", shown) for shown in shape.get("examples", [])[:1]]
        parts.append(_block("Schema", shape))
    for status, told in operation["responses"].items():
        for content in told.get("content", {}).values():
            name = content.get("schema", {}).get("$ref", "").rsplit("/", 1)[-1]
            if "example" in content:
                parts.append(_block(f"{status} {name}", content["example"]))
            elif name in shapes and status != "default":
                parts.append(_block(f"{status} {name}", shapes[name]))
    title = escape(operation.get("summary", ""))
    head = f"<b>{method.upper()}</b> <code>{escape(path)}</code> {title}"
    return f"<details><summary>{head}</summary>{''.join(parts)}</details>"


def _block(title: str, value: Any) -> str:
    return f"<p>{escape(title)}</p><pre>{escape(json.dumps(value, ensure_ascii=False, indent=2))}</pre>"
