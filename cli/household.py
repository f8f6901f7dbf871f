"""The processes of the service on one machine, as the supervisor runs them: API, worker and beat."""

from __future__ import annotations

import os
import socket
import sys
import time
from contextlib import suppress
from typing import Any

import httpx

from cli.screen import Trouble
from embedded.addresses import Addresses, var_folder
from embedded.children import Child
from models.ledger import ROOT, migrate
from tasks.office import open_office

HOST = "127.0.0.1"
READY_WITHIN = 60.0  # seconds from the start of the children to the first heartbeat of a worker
PATIENCE = 5.0  # seconds for one answer
GLANCE = 0.1  # seconds between two looks


def family(port: int) -> list[Child]:
    """The children of a service whose API listens on `port` of 127.0.0.1."""
    env = {"PYTHONPATH": os.pathsep.join(filter(None, (str(ROOT), os.environ.get("PYTHONPATH"))))}
    uvicorn = [sys.executable, "-m", "uvicorn", "--factory", "api.app:create_app", "--host", HOST, "--port", str(port)]
    uvicorn += ["--no-access-log", "--no-server-header", "--timeout-graceful-shutdown", "3"]
    celery = [sys.executable, "-m", "celery", "-A", "tasks.app"]
    worker = [*celery, "worker", "--pool", "threads", "--concurrency", "4", "--without-gossip", "--without-mingle"]
    beat = [*celery, "beat", "--pidfile", ""]
    quiet = ["--loglevel", "WARNING"]
    return [
        Child("api", uvicorn, env=env, ready=lambda _pid: alive(port)),
        Child("worker", [*worker, *quiet], env=env, grace=10.0),
        Child("beat", [*beat, *quiet], env=env),
    ]


def prepare(addresses: Addresses) -> None:
    """Bring the schema up, then open and close what every child will open: what it trips over is told here, once."""
    migrate(addresses.database_url)
    with open_office(addresses.database_url, size=1):
        pass


def alive(port: int) -> bool:
    """Whether the API answers at all."""
    return _ask(port, "/healthz") is not None


def wait_until_ready(port: int) -> None:
    """Return when database, broker, API and a worker work together. Raises `Trouble` after `READY_WITHIN`."""
    until = time.monotonic() + READY_WITHIN
    while not (told := _ask(port, "/readyz") or {}).get("ready"):
        if time.monotonic() > until:
            lacking = ", ".join(name for name, well in told.get("checks", {"api": False}).items() if not well)
            raise Trouble(f"not ready within {READY_WITHIN:g} s, for want of: {lacking}; see {var_folder() / 'log'}")
        time.sleep(GLANCE)


def _ask(port: int, path: str) -> dict[str, Any] | None:
    """What the API says of itself; None where it does not answer."""
    with suppress(httpx.HTTPError, ValueError):
        # `trust_env`: a proxy of the environment is not on the way to ourselves
        answer = httpx.get(f"http://{HOST}:{port}{path}", timeout=PATIENCE, trust_env=False)
        told: dict[str, Any] = answer.json()
        return told
    return None


def is_free(port: int) -> bool:
    """Whether nobody listens on this port of 127.0.0.1."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
        except OSError:
            return False
    return True
