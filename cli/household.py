"""The processes of the service on one machine, as the supervisor runs them: API, worker and beat."""

from __future__ import annotations

import os
import socket
import ssl
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
BACKLOG = 1024  # callers who wait while the API starts
GLANCE = 0.1  # seconds between two looks
_PLAIN = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)  # plain HTTP: httpx need not read a file of authorities at each look


def family(door: socket.socket) -> list[Child]:
    """The children of a service whose API takes its callers from this listening socket."""
    port: int = door.getsockname()[1]
    env = {"PYTHONPATH": os.pathsep.join(filter(None, (str(ROOT), os.environ.get("PYTHONPATH"))))}
    uvicorn = [sys.executable, "-m", "uvicorn", "--factory", "service.app:create_app", "--fd", str(door.fileno())]
    uvicorn += ["--no-access-log", "--no-server-header", "--timeout-graceful-shutdown", "3"]
    celery = [sys.executable, "-m", "celery", "-A", "tasks.app"]
    worker = [*celery, "worker", "--pool", "threads", "--concurrency", "8", "--without-gossip", "--without-mingle"]
    beat = [*celery, "beat", "--pidfile", ""]
    quiet = ["--loglevel", "WARNING"]
    return [
        Child("api", uvicorn, env=env, fds=[door.fileno()], ready=lambda _pid: alive(port)),
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
        answer = httpx.get(f"http://{HOST}:{port}{path}", timeout=PATIENCE, trust_env=False, verify=_PLAIN)
        told: dict[str, Any] = answer.json()
        return told
    return None


def open_door(port: int) -> socket.socket:
    """A socket that listens on this port of 127.0.0.1, or for 0 on any that is free. Raises `Trouble` if it is taken.

    Held by the supervisor: nobody else gets the port, and who calls while the API starts again waits and is served.
    """
    door = socket.socket()
    door.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        door.bind((HOST, port))
        door.listen(BACKLOG)
    except OSError as no:
        door.close()
        raise Trouble(f"port {port} is taken; --port names another") from no
    return door
