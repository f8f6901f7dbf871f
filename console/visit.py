"""One visit: who has come, in which role, which language, what he sent, and the ways in which a page answers.

`asks` is the only way in. It finds the session, the role and, for everything that changes something, the token that
shows that the form is one of ours; a page is a plain function that gets the visit.
"""

from __future__ import annotations

import hmac
from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager, suppress
from dataclasses import dataclass, field, replace
from typing import Any
from urllib.parse import quote, urlsplit

from jinja2 import Environment
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response
from starlette.routing import Match

from console import forms, noted, rooms, shown, words
from console.forms import Form
from console.rooms import Shown
from console.settling import Settling
from policies.languages import Language
from policies.refusals import NotAllowed
from tasks.office import Office
from workflows.access import sessions
from workflows.access.principals import Principal
from workflows.access.sessions import Session
from workflows.case import Actor
from workflows.errors import Refused

ROOT = "/console"
COOKIE = "kinbind_session"
LANGUAGE = "kinbind_language"
LONGEST_ADDRESS = 500  # characters of a page of ours that are looked at
_LASTS = 365 * 86_400  # seconds for which a language is remembered

Say = Callable[[str, Language], str]  # what a code means to people
Turn = Callable[[], AbstractAsyncContextManager[None]]  # a place to sign in; refused where too many want one
Take = Callable[[str], object]  # counts a request of this principal; raises `Refused` 429 `rate_limited`


@dataclass(frozen=True, slots=True)
class House:
    """What all visits have in common."""

    office: Callable[[], Office]  # opened when the service starts
    say: Say
    turn: Turn
    take: Take
    pages: Environment
    settling: Settling
    sandbox: bool


@dataclass(slots=True)
class Visit:
    """A request whose visitor is known, or who is about to sign in."""

    request: Request
    house: House
    token: str
    session: Session | None = None
    roles: tuple[str, ...] = ()  # of the visitor, those to which this page is open
    form: Form = field(default_factory=Form)
    spoken: Language | None = None  # the language, if this visit has just chosen it

    # -- who -------------------------------------------------------------------------------------------------

    @property
    def office(self) -> Office:
        """The desk, the ledger and the windows."""
        return self.house.office()

    @property
    def principal(self) -> Principal:
        """Who has signed in. Raises `Refused` 401 where nobody has."""
        if self.session is None:
            raise Refused("sign_in_required", 401)
        return self.session.principal

    def actor(self, role: str | None = None) -> Actor:
        """The visitor as the desk knows him, in this role, else in the first to which this page is open."""
        who = self.principal
        return Actor(role or self.roles[0], who.id, regions=who.regions, person=who.person)

    @property
    def language(self) -> Language:
        """In which language the page is: Chinese, unless English was chosen."""
        return self.spoken or ("en" if self.request.cookies.get(LANGUAGE) == "en" else "zh")

    @property
    def by_itself(self) -> bool:
        """Whether a page asks this by itself, without anybody having done anything."""
        return self.request.headers.get("x-live") == "1" or self.request.scope["path"].endswith(("/live", "/beat"))

    def worked(self) -> None:
        """Keep the visitor signed in: the page asked by itself, but tells that somebody works on it."""
        sessions.find(self.office.ledger, self.token)

    @property
    def here(self) -> str:
        """The path of this page, for links that come back to it."""
        path: str = self.request.scope["path"]
        return ROOT + path.removeprefix(ROOT)

    @property
    def address(self) -> str:
        """The path and query that lead back to this page."""
        return _address(self.request)

    # -- answers ---------------------------------------------------------------------------------------------

    def page(
        self, name: str, status: int = 200, *, refused: Refused | NotAllowed | None = None, **facts: Any
    ) -> Response:
        """A page, or a part of one that htmx asked for; a refusal that it shows gives the answer its status."""
        tongue = words.Tongue(self.language, self.house.say)
        around = {
            "visit": self, "at": ROOT, "csrf": sessions.csrf_of(self.token), "t": tongue, "shown": shown,
            "noted": noted, "rooms": self.rooms() if not name.startswith("parts/") else [],
            "sandbox": self.house.sandbox, "refused": refused,
        }  # fmt: skip
        if refused:
            self.request.state.refused = refused.code  # for the log of the edge
        content = self.house.pages.get_template(name).render(around | facts)
        return HTMLResponse(content, refused.status if refused else status)

    def rooms(self) -> list[Shown]:
        """The rooms of the visitor's roles, for the navigation, with how much waits in each."""
        if self.session is None or self.session.setup is not None:
            return []
        return rooms.open_to(self.office, self.principal)

    def go(self, path: str) -> Response:
        """To another page of the console, after something was done."""
        return RedirectResponse(ROOT + path, 303)

    def remember(self, response: Response, token: str) -> Response:
        """Let the browser keep this token: for this site alone, out of reach of scripts, until it is closed."""
        response.set_cookie(COOKIE, token, path=ROOT, httponly=True, samesite="strict", secure=not self.house.sandbox)
        return response

    def speak(self, response: Response, language: str) -> Response:
        """Let the browser keep the language."""
        response.set_cookie(LANGUAGE, language, max_age=_LASTS, path=ROOT, httponly=True, samesite="strict",
                            secure=not self.house.sandbox)  # fmt: skip
        return response


def tellable(no: Refused) -> Refused:
    """The refusal, to be shown on the page that it came from. Raises it if the visitor may not see that page."""
    if no.code == "not_found":
        raise no
    return no


Asked = Callable[[Request], Awaitable[Visit]]


def asks(*roles: str) -> Asked:
    """The dependency of a page that is open to these roles; without any, to everybody who has signed in.

    Raises `Refused`: 401 `sign_in_required`, 403 `set_up_required`, `role_required` or `form_not_ours`, 429
    `rate_limited`.
    """

    async def dependency(request: Request) -> Visit:
        visit = await _known(request)
        if visit.session is None:
            await _left(visit)
            raise Refused("sign_in_required", 401)
        visit.house.take(visit.principal.id)
        if visit.session.setup is not None:
            raise Refused("set_up_required", 403)
        visit.roles = tuple(role for role in roles if role in visit.principal.roles)
        if roles and not visit.roles:
            raise Refused("role_required", 403)
        return await _told(visit)

    return dependency


async def anybody(request: Request) -> Visit:
    """The dependency of the pages before one is signed in: signing in, setting up, the language."""
    return await _told(await _known(request))


async def _known(request: Request) -> Visit:
    """The visitor, found before anything of what he sends is read."""
    house: House = request.app.state.house
    token = request.cookies.get(COOKIE, "")
    visit = request.state.visit = Visit(request, house, token)
    if token:
        # what a page asks by itself does not keep its visitor signed in
        seen = not visit.by_itself
        visit.session = await run_in_threadpool(sessions.find, visit.office.ledger, token, seen=seen)
    if visit.session is not None:
        request.state.principal = visit.session.principal.id  # for the log of the edge
    return visit


async def _told(visit: Visit) -> Visit:
    """The same visit with the form that was sent. Only signed-in staff may send files; other forms must be small."""
    if visit.request.method != "GET":
        works_here = visit.session is not None and visit.session.setup is None
        visit.form = await forms.read(visit.request, files=works_here)
        _ours(visit.request, visit)
    return visit


async def _left(visit: Visit) -> None:
    """Keep what was sent after a session had ended, for the page that tells so, if the form is one of ours.

    Otherwise a visitor who signs in, as he is told to, would send another site's form. Files are too large to keep.
    """
    if not visit.token or visit.request.headers.get("content-type", "").startswith("multipart/"):
        return
    with suppress(Refused):
        sent = await _told(replace(visit))
        visit.form = sent.form


def _ours(request: Request, visit: Visit) -> None:
    """Refuse a form that is not ours: ours hold a digest of the cookie, which no other site can read."""
    sent = request.headers.get("x-csrf") or visit.form.raw("csrf")
    if not visit.token or not hmac.compare_digest(sent.encode(), sessions.csrf_of(visit.token).encode()):
        raise Refused("form_not_ours", 403)


def sign_in_path(request: Request) -> str:
    """The sign-in that leads back here: to the page that was wanted, or from which a form was sent."""
    wanted = _address(request) if request.method == "GET" else _page_of_form(request)
    return f"{ROOT}/sign-in?next={quote(wanted)}" if wanted not in ("", "/") else f"{ROOT}/sign-in"


def _page_of_form(request: Request) -> str:
    """The page from which a form was sent; if that was itself the answer to a form, the page above it."""
    path = ""
    with suppress(ValueError):
        path = urlsplit(request.headers.get("referer", "")[:LONGEST_ADDRESS]).path
    while path.startswith(f"{ROOT}/") and not _read(request, path):
        path = path.rpartition("/")[0]
    return path.removeprefix(ROOT) if path.startswith(f"{ROOT}/") else ""


def _read(request: Request, path: str) -> bool:
    """Whether this path can be read as a page (GET)."""
    asked = {**request.scope, "method": "GET", "path": path}
    return any(route.matches(asked)[0] is Match.FULL for route in request.app.routes)


def _address(request: Request) -> str:
    """The path within the console, and what was asked along."""
    path: str = request.scope["path"].removeprefix(ROOT)
    return f"{path}?{request.url.query}" if request.url.query else path
