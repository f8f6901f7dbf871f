"""The front door: signing in, setting up an account, signing out, the language, and who goes where from here."""

from __future__ import annotations

from typing import Annotated

import segno
from fastapi import APIRouter, Depends, Response
from starlette.concurrency import run_in_threadpool

from console.forms import wrong
from console.visit import Visit, anybody, asks
from workflows.access import accounts, principals, sessions
from workflows.errors import Malformed, Refused

router = APIRouter()
Anybody = Annotated[Visit, Depends(anybody)]
Staff = Annotated[Visit, Depends(asks())]
# where each role begins its day
_FIRST = {"reviewer": "/reviews/mine", "counter": "/counter", "operator": "/ops", "supervisor": "/supervision"}


@router.get("/")
def home(visit: Staff) -> Response:
    """To the visitor's first room, if he has one."""
    first = next((_FIRST[role] for role in visit.principal.roles if role in _FIRST), None)
    return visit.go(first) if first else visit.page("home.html")


@router.get("/sign-in")
def sign_in_page(visit: Anybody) -> Response:
    """The form; a cookie without a session comes with it, so that this form too can be recognised as ours."""
    if visit.session is not None:
        return visit.go(_wanted(visit.request.query_params.get("next", "")))
    visit.house.settling.begin()
    if visit.token:
        return _form(visit)
    visit.token = sessions.new_token()
    return visit.remember(_form(visit), visit.token)


@router.post("/sign-in")
async def sign_in(visit: Anybody) -> Response:
    """A session for the right name, password and code; for anything else one and the same answer.

    A few wait for their turn, without a thread: whoever guesses must not hold those of the channels.
    """
    try:
        async with visit.house.turn():
            return await run_in_threadpool(_sign_in, visit)
    except Refused as no:
        return await run_in_threadpool(_form, visit, no)


def _sign_in(visit: Visit) -> Response:
    form, office = visit.form, visit.office
    token = accounts.sign_in(office.ledger, office.desk.keys, form.raw("login"), form.raw("password"),
                             form.raw("code"))  # fmt: skip
    return _let_in(visit, token)


@router.post("/sandbox-sign-in")
def sandbox_sign_in(visit: Anybody) -> Response:
    """In the sandbox, sign in without a password as one of its staff, whose keys everybody knows."""
    asked = visit.form.raw("as")
    if not visit.house.sandbox or asked not in principals.sandbox_keys()[1]:
        raise Refused("not_found", 404)
    with visit.office.ledger.connection() as conn:
        token = sessions.begin(conn, asked)
    return _let_in(visit, token)


def _let_in(visit: Visit, token: str) -> Response:
    """Go where the visitor wanted, with the new session; the browser's earlier one ends."""
    sessions.end(visit.office.ledger, visit.token)
    return visit.remember(visit.go(_wanted(visit.form.raw("next"))), token)


@router.get("/set-up")
def set_up_page(visit: Anybody) -> Response:
    """At the first sign-in: choose a password and pair an authenticator."""
    return _set_up(visit)


@router.post("/set-up")
def set_up(visit: Anybody) -> Response:
    """Keep both, and begin a full session."""
    form, session = visit.form, visit.session
    if session is None:
        raise Refused("sign_in_required", 401)
    try:
        if form.raw("password") != form.raw("again"):
            raise wrong("/again", "passwords_differ")
        token = accounts.set_up(visit.office.ledger, visit.office.desk.keys, session, form.raw("password"),
                                form.raw("code"))  # fmt: skip
    except Malformed as fault:
        return _set_up(visit, fault)
    return visit.remember(visit.go("/"), token)


@router.post("/sign-out")
def sign_out(visit: Anybody) -> Response:
    """End the session, and keep the cookie as where one ran out: what another tab still sends is known as ours."""
    sessions.end(visit.office.ledger, visit.token)
    return visit.go("/sign-in")


@router.post("/language")
def language(visit: Anybody) -> Response:
    """Chinese or English, and back to where it was asked."""
    return visit.speak(visit.go(_wanted(visit.form.raw("back"))), visit.form.one_of("to", ("zh", "en")))


def _form(visit: Visit, refused: Refused | None = None) -> Response:
    wanted = visit.form.raw("next") or visit.request.query_params.get("next", "")
    staff = principals.sandbox_keys()[1] if visit.house.sandbox else []
    return visit.page("sign_in.html", refused=refused, wanted=wanted,
                      login=visit.form.raw("login"), staff=staff)  # fmt: skip


def _set_up(visit: Visit, fault: Malformed | None = None) -> Response:
    if visit.session is None:
        raise Refused("sign_in_required", 401)
    secret, address = accounts.pairing(visit.office.desk.keys, visit.session)
    picture = segno.make_qr(address, error="m").svg_inline(
        scale=5, border=2, svgclass="qr", lineclass=None, omitsize=True
    )
    return visit.page("set_up.html", refused=fault, secret=secret, picture=picture, shortest=accounts.SHORTEST,
                      errors=fault.extra["errors"] if fault else [])  # fmt: skip


def _wanted(path: str) -> str:
    """The path if it is ours, else the first page: nobody is sent to another site."""
    ours = path.startswith("/") and not path.startswith("//") and "\\" not in path and path.isprintable()
    return path if ours else "/"
