"""The whole API in this process, on a real uvicorn and a database of the test's own."""

import asyncio
import contextlib
import functools
import os
import socket
import threading
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import pytest
import structlog
import uvicorn
from fastapi import FastAPI
from typer.testing import CliRunner, Result

from cli.main import app as command
from console.app import templates
from gateways.inspection import inspect
from service.app import create_app
from tasks.office import Office, open_office
from tests.conftest import address_of, own_database
from tests.doors import hearing
from tests.doors.town import Town
from tests.doors.visitor import Visitor
from tests.wire import NO_AUTHORITIES
from workflows.access import principals
from workflows.views.pacing import Paced

Caller = Callable[..., httpx.Client]
Run = Callable[..., Result]
# FastAPI makes a route ready when it is first asked for, in every app anew: half of what a test would take. An app
# whose server has ended has closed its office, and serves another database as well as a new one.
_idle: dict[tuple[tuple[str, str], ...], list[FastAPI]] = defaultdict(list)
_OWN = ("KINBIND_DATABASE_URL", "KINBIND_VAR")  # of each test, and read at the start


@pytest.fixture(scope="session", autouse=True)
def _looked_at_once() -> Iterator[None]:
    """A document is decoded in a child of its own, a tenth of a second; once is enough for the same bytes."""
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr("tasks.documents.inspect", functools.cache(inspect))
        yield


@pytest.fixture(scope="session", autouse=True)
def _read_once() -> Iterator[None]:
    """The console's templates are made into Python once, not once for each service."""
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr("console.app.templates", functools.cache(templates))
        yield


@pytest.fixture(scope="session", autouse=True)
def _overheard() -> Iterator[None]:
    """Each answer is held against the OpenAPI document before it leaves."""
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr("api.edge.problem", hearing.problem)
        patched.setattr("api.edge._add_headers", hearing.add_headers)
        yield


@pytest.fixture(autouse=True)
def _nothing_unsaid(_overheard: None) -> Iterator[None]:
    """The OpenAPI document has said whatever was answered in a test."""
    yield
    heard, hearing.unsaid[:] = sorted(set(hearing.unsaid)), []
    assert heard == []


@pytest.fixture(autouse=True)
def _no_answer_stands(monkeypatch: pytest.MonkeyPatch) -> None:
    """On a machine with much else to do every look is slow, and its answer would stand: tests ask what is."""
    monkeypatch.setattr(Paced, "_keep", lambda *_: None)


@pytest.fixture(autouse=True)
def _repairs_are_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nor is what a repair came to left to how busy the machine is."""
    monkeypatch.setattr("api.repairs.PATIENCE", 60.0)
    monkeypatch.setattr("console.pages.repairing.PATIENCE", 60.0)


@pytest.fixture
def settings(database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    """The environment of a sandbox; a test may change it before it asks for `base_url`."""
    monkeypatch.setenv("KINBIND_DATABASE_URL", database_url)
    monkeypatch.setenv("KINBIND_SANDBOX", "1")
    monkeypatch.setenv("KINBIND_VAR", str(tmp_path))
    monkeypatch.delenv("KINBIND_RATE_LIMIT", raising=False)
    monkeypatch.delenv("KINBIND_ENV", raising=False)
    return monkeypatch


@pytest.fixture
def base_url(settings: pytest.MonkeyPatch) -> Iterator[str]:
    """The address of the API, served by uvicorn on a free port of the loopback."""
    with serving() as url:
        yield url


@contextlib.contextmanager
def serving() -> Iterator[str]:
    """One more API process, as a thread, on the environment's database."""
    kind = tuple(sorted(one for one in os.environ.items() if one[0].startswith("KINBIND_") and one[0] not in _OWN))
    app = _idle[kind].pop() if _idle[kind] else create_app()
    listening = socket.socket(proto=socket.IPPROTO_TCP)  # asyncio sends at once only where it knows that this is TCP
    listening.bind(("127.0.0.1", 0))
    config = uvicorn.Config(app, access_log=False, log_config=None, lifespan="on")
    server = uvicorn.Server(config)
    thread = threading.Thread(target=asyncio.run, args=(server.serve(sockets=[listening]),), daemon=True)
    thread.start()
    try:
        while not server.started:
            assert thread.is_alive(), "the API did not start"
            time.sleep(0.002)  # to ask without a pause would take the processor from what is to start
        yield f"http://127.0.0.1:{listening.getsockname()[1]}"
    finally:
        server.should_exit = True
        thread.join(20)
        listening.close()
        _idle[kind].append(app)


@pytest.fixture
def as_(base_url: str) -> Iterator[Caller]:
    """`as_("alipay")`: a client with that principal's sandbox key, answers in English."""
    with contextlib.ExitStack() as open_clients:

        def client(name: str, **headers: str) -> httpx.Client:
            told = {"Authorization": f"Bearer sandbox-{name}", "Accept-Language": "en", **headers}
            return open_clients.enter_context(
                httpx.Client(base_url=base_url, headers=told, timeout=30, verify=NO_AUTHORITIES)
            )

        yield client


@pytest.fixture
def comes(base_url: str) -> Iterator[Callable[[str], Visitor]]:
    """`comes("reviewer")`: that member of the sandbox's staff at the console; "" is somebody who has not signed in."""
    with contextlib.ExitStack() as open_clients:

        def visitor(name: str) -> Visitor:
            made = Visitor(base_url)
            open_clients.enter_context(made.http)
            return made.sign_in_as(name) if name else made

        yield visitor


@pytest.fixture
def reviewer(comes: Callable[[str], Visitor]) -> Visitor:
    """The sandbox's reviewer at the console."""
    return comes("reviewer")


@pytest.fixture
def alipay(as_: Caller) -> httpx.Client:
    return as_("alipay")


@pytest.fixture
def wechat(as_: Caller) -> httpx.Client:
    return as_("wechat")


@pytest.fixture
def office(base_url: str) -> Iterator[Office]:
    """An office on the same ledger, with the same keys: for what happens outside of HTTP."""
    with open_office() as opened:
        yield opened


@pytest.fixture
def kinbind(office: Office) -> Iterator[Run]:
    """Run a command on the same ledger as `office`, with a sandbox key where one is named, `typed` at its questions."""
    before = structlog.get_config()  # a command writes its log to a stderr that is closed behind it

    def run(*arguments: str, key: str | None = None, typed: str | None = None) -> Result:
        environment = {"KINBIND_KEY": f"sandbox-{key}"} if key else {}
        done = CliRunner().invoke(command, list(arguments), env=environment, input=typed)
        if done.exception is not None and not isinstance(done.exception, SystemExit):
            raise done.exception
        return done

    principals.seed_sandbox(office.ledger)
    yield run
    structlog.configure(**before)


@pytest.fixture(scope="module")
def town(server_url: str, template: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Town]:
    """One service for all tests of a module, on a database of the module's own."""
    with (
        own_database(server_url, "town", cloned_from=template) as name,
        pytest.MonkeyPatch.context() as environment,
        contextlib.ExitStack() as clients,
    ):
        environment.setenv("KINBIND_DATABASE_URL", address_of(server_url, name))
        environment.setenv("KINBIND_SANDBOX", "1")
        environment.setenv("KINBIND_VAR", str(tmp_path_factory.mktemp("town")))
        environment.delenv("KINBIND_RATE_LIMIT", raising=False)
        environment.delenv("KINBIND_ENV", raising=False)
        with serving() as url:
            yield Town(url, clients)
