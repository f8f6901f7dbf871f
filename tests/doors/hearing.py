"""Every answer of the doors, held against the OpenAPI document: it must have said that this may come."""

import functools
import json
from collections.abc import Iterator
from typing import Any

from fastapi import FastAPI
from jsonschema import Draft202012Validator  # type: ignore[import-untyped]
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Message, Scope

from api import edge, headers
from api.openapi import document
from workflows.errors import Refused

_PROBLEM, _add_headers = edge.problem, edge._add_headers
_NAMES = {name.lower(): name for name in headers.ANSWERED}
_EVERYWHERE = {"RateLimit", "RateLimit-Policy"}  # told of answers that are no refusals, and of the limit itself

unsaid: list[str] = []  # what has come and was not said


def problem(request: Request, refused: Refused) -> Response:
    """`edge.problem`, overheard."""
    answer = _PROBLEM(request, refused)
    unsaid.extend(_of_problem(request.scope, json.loads(bytes(answer.body))))
    return answer


def add_headers(message: Message, scope: Scope) -> None:
    """`edge._add_headers`, overheard."""
    _add_headers(message, scope)
    unsaid.extend(_of_answer(scope, message["status"], {name.decode().lower() for name, _ in message["headers"]}))


def _of_problem(scope: Scope, told: dict[str, Any]) -> Iterator[str]:
    call, said = _said(scope, told["status"])
    if said is None:
        return
    what = f"{call} {told['status']} {told['code']}"
    schema = said.get("content", {}).get("application/problem+json", {}).get("schema")
    if schema is None:
        yield f"{what}: such a problem is not said"
        return
    yield from (f"{what}: {fault}" for fault in _faults(scope["app"], schema, told))
    members = document(scope["app"])["components"]["schemas"]["Problem"]["properties"]
    yield from (f"{what}: {name} is no member" for name in sorted(told.keys() - members))


def _of_answer(scope: Scope, status: int, sent: set[str]) -> Iterator[str]:
    call, said = _said(scope, status)
    if said is None:
        return
    if not said:
        yield f"{call} {status}: such an answer is not said"
    told = said.get("headers", {})
    found = {_NAMES[name] for name in sent & _NAMES.keys()}
    quiet = _EVERYWHERE if status >= 400 else set()
    yield from (f"{call} {status}: {name} is sent and not said" for name in found - told.keys() - quiet)
    needed = {name for name in told if headers.ANSWERED[name].get("required")}
    yield from (f"{call} {status}: {name} is said and not sent" for name in needed - found)


def _said(scope: Scope, status: int) -> tuple[str, dict[str, Any] | None]:
    """The call, and what the document has of this status of it: nothing may be said, None is where there is no call."""
    route, method = getattr(scope.get("route"), "path", ""), scope["method"].lower()
    made = document(scope["app"]) if route.startswith("/v1") else {"paths": {}}
    operation = made["paths"].get(route, {}).get(method)
    if operation is None:
        return route, None
    told: dict[str, Any] = operation["responses"].get(str(status), {})
    if "$ref" in told:
        told = made["components"]["responses"][told["$ref"].rpartition("/")[2]]
    return f"{method} {route}", told


@functools.cache
def _validator(app: FastAPI, told: str) -> Draft202012Validator:
    return Draft202012Validator(json.loads(told) | {"components": document(app)["components"]})


def _faults(app: FastAPI, schema: dict[str, Any], told: dict[str, Any]) -> Iterator[str]:
    for fault in _validator(app, json.dumps(schema)).iter_errors(told):
        yield f"{fault.json_path}: {fault.message}"
