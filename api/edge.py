"""The edge: the only translator of errors into problem documents (RFC 9457), and the keeper of the access log."""

from __future__ import annotations

import secrets
import time
from collections.abc import Mapping, Sequence
from http import HTTPStatus
from typing import Any

import structlog
from fastapi import FastAPI
from fastapi.exceptions import RequestValidationError
from fastapi.routing import iter_route_contexts
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from api.clerk import ClerkGone
from api.meters import REFUSALS, REQUESTS, SECONDS
from api.reading import found_at
from api.texts import language_of, text
from gateways.documents import DocumentsAway
from models.ledger import AWAY
from policies.languages import Language
from policies.refusals import NotAllowed
from workflows.errors import Refused, by_law
from workflows.views.public import dumps

PROBLEM = "application/problem+json"
LONGEST_PATH = 1000  # characters; ours have a hundred, and what is noted of one is found by an index of 2,700 bytes
CLIENT_GONE = 499  # in log and figures: nobody is there to be answered
_AWAY = (*AWAY, ClerkGone, DocumentsAway)
_RESERVED = {"type", "title", "status", "detail", "instance", "code", "errors"}

log = structlog.get_logger()


def problem(request: Request, refused: Refused) -> Response:
    """The problem document of a refusal, in the caller's language."""
    extra = dict(refused.extra)
    headers: dict[str, str] = dict(extra.pop("headers", {}))
    if (wait := extra.get("retry_after")) is not None:
        headers["Retry-After"] = str(wait)
    if refused.status == HTTPStatus.UNAUTHORIZED:
        headers["WWW-Authenticate"] = 'Bearer realm="kinbind"'
    language = language_of(request.headers.get("accept-language", ""))
    errors = extra.pop("errors", None)
    if errors is None and refused.pointer is not None:
        errors = [{"pointer": refused.pointer, "code": refused.code}]
    said = text(refused.code, language)
    body: dict[str, Any] = {
        "type": f"urn:kinbind:problem:{refused.code}",
        "title": said,
        "status": refused.status,
        "detail": _detail(refused.code, text(extra.get("cause", refused.code), language), errors, language),
        "instance": request.url.path,
        "code": refused.code,
    }
    if errors is not None:
        body["errors"] = [one | {"message": text(one["code"], language)} for one in errors]
    body |= {name: value for name, value in extra.items() if name not in _RESERVED}
    headers["Content-Language"] = "zh-CN" if language == "zh" else "en"
    REFUSALS.labels(refused.code).inc()
    request.state.refused = refused.code
    return Response(dumps(body), refused.status, headers, PROBLEM)


def _detail(code: str, said: str, errors: Sequence[Mapping[str, Any]] | None, language: Language) -> str:
    """What is said, then where, unless it is of the whole; and what is wrong there, unless that has been said."""
    found = ((one["pointer"], text(one["code"], language) if one["code"] != code else "") for one in errors or ())
    places = [told for pointer, what in found if (told := f"{pointer} {what}".strip())]
    return f"{said}: {'; '.join(places[:5])}" if places else said


def translate(fault: Exception) -> Refused:
    """What a fault is to the caller: a refusal of the desk or the law, a bad request, or our own failure."""
    refused = Refused("internal_error", 500)
    match fault:
        case Refused():
            refused = fault
        case NotAllowed():
            refused = by_law(fault)
        case RequestValidationError():
            refused = Refused("request_invalid", 422, errors=_of_parameters(fault))
        case HTTPException():
            refused = _of_http(fault)
        case _ if isinstance(fault, _AWAY):
            refused = Refused("unavailable", 503, retry_after=5)
    return refused


def _of_parameters(fault: RequestValidationError) -> list[dict[str, Any]]:
    # where a parameter stands (query, path, header) is no part of its pointer
    return [found_at(one["loc"][1:], one) for one in fault.errors()]


def _of_http(fault: HTTPException) -> Refused:
    headers = dict(fault.headers or {})
    if fault.status_code == HTTPStatus.METHOD_NOT_ALLOWED:
        return Refused("http_method_not_allowed", 405)
    codes = {404: "not_found", 401: "key_required", 403: "role_required", 413: "request_too_large"}
    return Refused(codes.get(fault.status_code, "request_unreadable"), fault.status_code, headers=headers)


async def _handle(request: Request, fault: Exception) -> Response:
    refused = translate(fault)
    if refused.status == HTTPStatus.METHOD_NOT_ALLOWED:
        refused.extra["headers"] = {"Allow": ", ".join(_taken(request))}
    if refused.status >= HTTPStatus.INTERNAL_SERVER_ERROR and not isinstance(fault, Refused):
        log.error("request_failed", exc_info=fault)
    return problem(request, refused)


def _taken(request: Request) -> list[str]:
    """The methods of this address (RFC 9110 §15.5.6): of all its routes, and HEAD where there is GET."""
    path = request.scope["path"]
    found = [
        (len(one.param_convertors), one.methods)
        for one in iter_route_contexts(request.app.routes)
        if one.methods and one.path_regex.match(path)
    ]
    least = min((blanks for blanks, _ in found), default=0)  # `/search` is no `/{binding_id}`
    methods = {method for blanks, some in found if blanks == least for method in some}
    return sorted(methods | ({"HEAD"} if "GET" in methods else set()))


def keep(app: FastAPI) -> None:
    """Let all errors of an app leave through here, and every request be logged."""
    for kind in (Refused, NotAllowed, RequestValidationError, HTTPException, *_AWAY):
        app.add_exception_handler(kind, _handle)
    app.add_middleware(Heads)
    app.add_middleware(Edge)


class Edge:
    """Outermost of all: request ids, headers of every answer, the access log, and whatever nobody has caught."""

    def __init__(self, app: ASGIApp) -> None:
        """Stand before this app."""
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        begun = time.perf_counter()
        state = scope.setdefault("state", {})
        state["request_id"] = secrets.token_hex(8)
        status = 0

        async def sending(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                _add_headers(message, scope)
            await send(message)

        structlog.contextvars.clear_contextvars()
        structlog.contextvars.bind_contextvars(request=state["request_id"])
        request = Request(scope, receive)
        try:
            if unfit := _unfit(scope):
                await problem(request, unfit)(scope, receive, sending)
            else:
                await self._app(scope, receive, sending)
        except ClientDisconnect:
            status = CLIENT_GONE
        except Exception as fault:
            log.exception("request_failed")
            if status == 0:
                await problem(request, translate(fault))(scope, receive, sending)
        finally:
            _account(scope, status, time.perf_counter() - begun)


class Heads:
    """HEAD is GET without the body (RFC 9110 §9.3.2), and how some load balancers ask; our routes know GET only."""

    def __init__(self, app: ASGIApp) -> None:
        """Stand before this app."""
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] != "http" or scope["method"] != "HEAD":
            await self._app(scope, receive, send)
            return
        asked = {**scope, "method": "GET"}

        async def sending(message: Message) -> None:
            await send({**message, "body": b""} if message["type"] == "http.response.body" else message)

        await self._app(asked, receive, sending)
        if "route" in asked:
            scope["route"] = asked["route"]  # for the access log


def _unfit(scope: Scope) -> Refused | None:
    """A zero character in a path or a query: nothing of ours has one, and PostgreSQL takes none."""
    if "\0" in scope["path"] or len(scope["path"]) > LONGEST_PATH:
        return Refused("not_found", 404)
    query: bytes = scope["query_string"]
    return Refused("request_unreadable", 400) if b"%00" in query or b"\0" in query else None


def _add_headers(message: Message, scope: Scope) -> None:
    state = scope["state"]
    headers = {"X-Request-Id": state["request_id"], "X-Content-Type-Options": "nosniff"}
    headers |= state.get("headers", {})
    present = {name.lower() for name, _ in message["headers"]}
    if b"cache-control" not in present:
        headers["Cache-Control"] = "no-store"
    added = [(name.encode(), value.encode()) for name, value in headers.items() if name.lower().encode() not in present]
    message["headers"] = [*message["headers"], *added]


def _account(scope: Scope, status: int, seconds: float) -> None:
    # the template of the route, never the path: a path may hold what somebody typed
    route = str(getattr(scope.get("route"), "path", "none"))
    method = scope["method"] if scope["method"] in {"GET", "POST", "PUT", "DELETE", "HEAD", "OPTIONS"} else "other"
    REQUESTS.labels(method, route, str(status)).inc()
    SECONDS.labels(method, route).observe(seconds)
    state = scope["state"]
    log.info("request", method=method, route=route, status=status, ms=round(seconds * 1000, 1),
             principal=state.get("principal"), code=state.get("refused"))  # fmt: skip
