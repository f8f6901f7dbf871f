"""The console's own app, mounted beside the API: pages, files, and the only place where a refusal becomes a page."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from functools import cache
from pathlib import Path

import structlog
from fastapi import FastAPI
from fastapi.exceptions import RequestValidationError
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.staticfiles import StaticFiles
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from console.live import Feed
from console.pages import (
    applying,
    binding,
    counter,
    deciding,
    documents,
    living,
    operations,
    repairing,
    reviews,
    signing,
    supervision,
)
from console.rooms import nearest
from console.settling import Settling
from console.visit import COOKIE, ROOT, House, Say, Take, Turn, Visit, sign_in_path
from gateways.documents import DocumentsAway
from models.ledger import AWAY
from policies.refusals import NotAllowed
from tasks.office import Office
from workflows.errors import Refused, by_law

HERE = Path(__file__).parent
_DOORS = (
    signing.router,
    reviews.router,
    deciding.router,
    applying.router,
    counter.router,
    documents.router,
    operations.router,
    binding.router,
    repairing.router,
    supervision.router,
    living.router,
)
# Nothing from other hosts, nothing inline, no eval, and no page of ours in another's frame.
_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; "
    "form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)
_HEADERS = {
    "Content-Security-Policy": _POLICY,
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cache-Control": "no-store",
}
_KEPT = {"Cache-Control": "public, max-age=31536000, immutable"}  # by browsers, for a year
_FOUND = (200, 304)

log = structlog.get_logger()


def create_console(office: Callable[[], Office], say: Say, turn: Turn, take: Take, *, sandbox: bool) -> FastAPI:
    """The app to be mounted at `/console`.

    `office` is asked at each visit, `say` puts codes into words, a `turn` is waited for by whoever signs in, `take`
    counts a visit of a principal against his limit.
    """
    app = FastAPI(title="kinbind console", openapi_url=None, docs_url=None, redoc_url=None, redirect_slashes=False)
    pages = templates()
    app.state.house = House(office, say, turn, take, pages, Settling(office, pages), sandbox)
    app.state.feed = Feed(office)
    for door in _DOORS:  # where two paths could be one, the first has it
        app.include_router(door)
    app.mount("/static", StaticFiles(directory=HERE / "static"))
    for kind in (Refused, NotAllowed, RequestValidationError, HTTPException, *AWAY, Exception):
        app.add_exception_handler(kind, _refuse)
    app.add_middleware(Headers)
    return app


def templates() -> Environment:
    """The pages: everything escaped, and a name that is not there is a fault instead of a gap."""
    pages = Environment(
        loader=FileSystemLoader(HERE / "templates"), autoescape=True, undefined=StrictUndefined, trim_blocks=True,
        lstrip_blocks=True,
    )  # fmt: skip
    pages.globals["static"] = _addresses().__getitem__
    pages.globals["nearest"] = nearest
    return pages


@cache
def _addresses() -> dict[str, str]:
    """The address of each file of ours by its name; another one whenever it changes, so that browsers may keep it."""
    files = {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in (HERE / "static").iterdir()}
    return {name: f"{ROOT}/static/{name}?v={digest[:12]}" for name, digest in files.items()}


class Headers:
    """What every answer of the console carries, unless its page has said otherwise."""

    def __init__(self, app: ASGIApp) -> None:
        """Stand before this app."""
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""

        async def sending(message: Message) -> None:
            if message["type"] == "http.response.start":
                named = _HEADERS | (_KEPT if message["status"] in _FOUND and _is_file(scope) else {})
                there = {name.lower() for name, _ in message["headers"]}
                added = [(name.lower().encode(), value.encode()) for name, value in named.items()]
                message["headers"] = [*message["headers"], *(one for one in added if one[0] not in there)]
            await send(message)

        await self._app(scope, receive, sending)


def _is_file(scope: Scope) -> bool:
    """Whether this is the address of a file as it is now: in a rolling upgrade a page of another release asks too."""
    return f"{scope['path']}?{scope['query_string'].decode('latin-1')}" in _addresses().values()


def _refuse(request: Request, fault: Exception) -> Response:
    """A refusal as a page; who is not signed in is told where to, or brought there."""
    refused = _translated(fault)
    request.state.refused = refused.code
    if refused.code == "sign_in_required":
        return _signed_out(request)
    if refused.code == "set_up_required":
        return _brought(request, refused.status, f"{ROOT}/set-up")
    if refused.status >= 500 and not isinstance(fault, Refused):
        log.error("page_failed", exc_info=fault)
    visit: Visit | None = getattr(request.state, "visit", None)
    if visit is None or refused.status >= 500:  # if the database is away, there is no navigation either
        visit = Visit(request, request.app.state.house, request.cookies.get(COOKIE, ""))
    name = "parts/refused.html" if request.headers.get("hx-request") else "error.html"
    return visit.page(name, refused=refused)


def _signed_out(request: Request) -> Response:
    """To the sign-in; but a page that asks by itself stays, for what is typed in it, and a sent form is kept."""
    if request.headers.get("hx-request"):
        return Response(status_code=401)  # session.js tells the visitor
    path = sign_in_path(request)
    visit: Visit = request.state.visit
    return RedirectResponse(path, 303) if request.method == "GET" else visit.page("signed_out.html", 401, path=path)


def _brought(request: Request, status: int, path: str) -> Response:
    if request.headers.get("hx-request"):
        return Response(status_code=status, headers={"HX-Redirect": path})
    return RedirectResponse(path, 303)


def _translated(fault: Exception) -> Refused:
    if isinstance(fault, Refused):
        return fault
    if isinstance(fault, NotAllowed):
        return by_law(fault)
    if isinstance(fault, RequestValidationError):
        return Refused("request_invalid", 422)
    if isinstance(fault, HTTPException):
        codes = {404: "not_found", 405: "http_method_not_allowed"}
        return Refused(codes.get(fault.status_code, "request_unreadable"), fault.status_code)
    return Refused("unavailable", 503) if isinstance(fault, (*AWAY, DocumentsAway)) else Refused("internal_error", 500)
