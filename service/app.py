"""The service as it runs, the console under `/console` of the API: `uvicorn service.app:create_app --factory`.

One office and one clerk for both: what a reviewer decides on a page shares its commit with whatever lies on the table.
"""

from __future__ import annotations

from fastapi import FastAPI

import api.app
from api.texts import text
from console.app import create_console
from tasks.office import sandbox


def create_app() -> FastAPI:
    """Both doors; the office opens when the service starts. Raises `SandboxInProductionError`."""
    service = api.app.create_app()
    service.mount("/console", create_console(lambda: service.state.office, text, sandbox=sandbox()))
    return service
