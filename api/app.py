"""The API process: one office, one clerk, all doors. Started as `uvicorn api.app:create_app --factory`."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import ExitStack, asynccontextmanager
from dataclasses import replace

from fastapi import FastAPI
from starlette.concurrency import run_in_threadpool

from api import (
    actions,
    bindings,
    consents,
    counter,
    edge,
    endpoints,
    entitlements,
    faces,
    feed,
    health,
    materials,
    openapi,
    ops,
    repairs,
    reviews,
    supervise,
)
from api import sandbox as playing
from api.auth import Keys
from api.clerk import Clerk, SharedDesk
from api.limits import limits_from_environment
from api.slow import sign_ins, windows
from models import logs
from models.settings import sandbox
from tasks.office import Office, open_office, seldom_collected
from tasks.starting import starting
from workflows.access import principals

# Where two paths could be one, the first has it: `/search` before `/{binding_id}`.
_DOORS = (openapi, bindings, consents, actions, materials, faces, entitlements, feed, endpoints, reviews, counter,
          supervise, ops, repairs, health)  # fmt: skip


def create_app() -> FastAPI:
    """The app, its doors by name; the office opens when it starts.

    Raises `SettingWrong`.
    """
    logs.set_up()
    app = FastAPI(
        title="kinbind", version="0.1.0", lifespan=_lifespan, openapi_url=None, docs_url=None, redoc_url=None,
        redirect_slashes=False,
    )  # fmt: skip
    edge.keep(app)
    for door in (*_DOORS, *((playing,) if sandbox() else ())):
        app.include_router(door.router)
    return app


@asynccontextmanager
async def _lifespan(app: FastAPI) -> AsyncIterator[None]:
    with ExitStack() as opened:
        with starting():
            clerk = await _furnish(app, opened.enter_context(open_office(size=8)))
        with seldom_collected():
            try:
                yield
            finally:
                await run_in_threadpool(clerk.stop)


async def _furnish(app: FastAPI, office: Office) -> Clerk:
    """Give the doors all that they need, and set the clerk to work."""
    in_sandbox = sandbox()
    if in_sandbox:
        await run_in_threadpool(principals.seed_sandbox, office.ledger)
    clerk = Clerk(office.desk)
    app.state.office, app.state.clerk = replace(office, desk=SharedDesk(office.desk, clerk)), clerk
    app.state.keys = Keys(office.ledger, sandbox=in_sandbox)
    app.state.figures = health.Figures(office.ledger)
    app.state.limits = limits_from_environment(sandbox=in_sandbox)
    app.state.uploads, app.state.uploads_of_case = materials.places(), materials.places_of_case()
    app.state.uploads_in_memory = materials.places_in_memory()
    app.state.additions = endpoints.places()
    app.state.sign_ins = sign_ins()
    app.state.asking, app.state.readings = windows(), faces.readings()
    clerk.start()
    return clerk
