"""The service as it runs, the console under `/console` of the API: `uvicorn service.app:create_app --factory`.

One office and one clerk for both: what a reviewer decides on a page shares its commit with whatever lies on the table.
"""

from __future__ import annotations

from fastapi import FastAPI
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

import api.app
from api.texts import text
from console.app import create_console
from models.settings import sandbox
from tasks.starting import starting


@starting()
def create_app() -> FastAPI:
    """Both doors, and one limit for whoever comes through either; the office opens when the service starts.

    Raises `SystemExit` where it cannot.
    """
    service = api.app.create_app()
    service.add_route("/", _front, include_in_schema=False)
    service.add_route("/console", _console, include_in_schema=False)

    def take(principal: str) -> None:
        if service.state.limits is not None:
            service.state.limits.take(principal)

    console = create_console(lambda: service.state.office, text, lambda: service.state.sign_ins.one("anybody"), take,
                             sandbox=sandbox())  # fmt: skip
    service.mount("/console", console)
    return service


async def _front(request: Request) -> Response:
    """A person with a browser is brought to the console. Raises `HTTPException` 404 for everybody else."""
    if "text/html" not in request.headers.get("accept", ""):
        raise HTTPException(404)
    return await _console(request)


async def _console(_request: Request) -> Response:
    """To the address with its slash, which is the one that is mounted."""
    return RedirectResponse("/console/", 303)
