"""The same nine steps through the API, beside pgbench writing the same rows.

Run as `python -m bench.http [--quick]`: uvicorn with 2 workers, a client of one process with 32 connections, each
leading families through their lives, one request after the other. The client's time is part of the figure.
"""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import count
from pathlib import Path
from typing import Any, cast

import httpx
import orjson
import psutil
import psycopg
import uvloop

from bench.lives import PAPERS, STORY, Lives
from bench.measure import WARM_UP, Did, Figure, figure, options, own_ledger, rounds, tell
from bench.yardstick import Yardstick
from embedded.children import free_port
from models.ledger import ROOT, database_url
from policies.book import lawbook
from workflows.submission import Person

WORKERS, CONNECTIONS = 2, 32
# Uploads are no part of the figure: the papers come with the case (the yardstick's own ids begin otherwise).
_PAPERS = """
create function papers() returns trigger language plpgsql as $$
begin
  insert into materials (id, binding_id, kind, sha256, size, media_type, pages, added_by, added_at)
  select 'mat_' || new.id || k.place, new.id, k.kind, repeat('0', 64), 81234, 'image/jpeg', 1, 'channel:alipay', now()
  from unnest(%s::text[]) with ordinality as k(kind, place);
  return null;
end $$;
create trigger papers after insert on bindings for each row when (new.id like 'bnd%%') execute function papers()
"""


class Connection(asyncio.Protocol):
    """One connection of the client: HTTP/1.1, kept open, one request at a time."""

    def __init__(self) -> None:
        """Wait for the first request."""
        self._transport: asyncio.WriteTransport | None = None
        self._answer: asyncio.Future[bytes] | None = None
        self._received = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Remember where to write."""
        self._transport = cast("asyncio.WriteTransport", transport)

    def data_received(self, data: bytes) -> None:
        """Gather an answer until it is whole."""
        self._received += data
        head, found, body = self._received.partition(b"\r\n\r\n")
        if not found:
            return
        _, has_length, rest = head.lower().partition(b"content-length: ")
        if len(body) >= (int(rest.partition(b"\r\n")[0]) if has_length else 0):
            assert self._answer is not None
            self._answer.set_result(self._received)
            self._received = b""

    def connection_lost(self, exc: Exception | None) -> None:
        """Say so to whoever waits."""
        if self._answer is not None and not self._answer.done():
            self._answer.set_exception(exc or ConnectionResetError())

    async def post(self, path: str, key: str, body: bytes) -> bytes:
        """Send one request and give the whole answer. Raises `AssertionError` unless it is a 2xx."""
        assert self._transport is not None
        self._answer = asyncio.get_running_loop().create_future()
        head = (f"POST {path} HTTP/1.1\r\nHost: bench\r\nAuthorization: Bearer sandbox-alipay\r\nIdempotency-Key: {key}"
                f"\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n")  # fmt: skip
        self._transport.write(head.encode() + body)
        answer = await self._answer
        assert answer[9:10] == b"2", answer.decode()
        return answer


class Client:
    """Leads families through their lives."""

    def __init__(self, port: int) -> None:
        """Talk to the service on this port."""
        self._port = port
        self._lives = Lives(lawbook())
        self._families = count()
        asked = orjson.dumps({"initiator": "holder", "method": "pay_password"})
        self._doors = {1: ("actions/submit_materials", b"{}"), 7: ("actions/request_unbind", asked)}

    def round(self, seconds: float) -> tuple[list[Did], float]:
        """Let all connections work for so long; what was done, and from when it counts."""
        return uvloop.run(self._round(seconds))

    async def _round(self, seconds: float) -> tuple[list[Did], float]:
        done: list[Did] = []
        begin = time.perf_counter() + WARM_UP
        await asyncio.gather(*(self._connection(done, begin + seconds) for _ in range(CONNECTIONS)))
        return done, begin

    async def _connection(self, done: list[Did], until: float) -> None:
        transport, connection = await asyncio.get_running_loop().create_connection(Connection, "127.0.0.1", self._port)
        while time.perf_counter() < until:
            await self._life(connection, next(self._families), done)
        transport.close()

    async def _life(self, connection: Connection, n: int, done: list[Did]) -> None:
        path, body, binding = "/v1/bindings", self._application(n), ""
        for place in range(len(STORY)):
            started = time.perf_counter()
            answer = await connection.post(path, f"{n}-{place}", body)
            ended = time.perf_counter()
            done.append(Did(ended, ended - started))
            if place == 0:
                binding = "/v1/bindings/" + orjson.loads(answer.partition(b"\r\n\r\n")[2])["id"]
            door, body = self._doors.get(place + 1, (f"story/{place + 1}", b"{}"))
            path = f"{binding}/{door}"

    def _application(self, n: int) -> bytes:
        request = self._lives.request(1, n)
        return orjson.dumps({
            "product": request.product, "method": request.method, "holder": _party(request.holder),
            "member": _party(request.member), "relationship": request.relationship, "initiator": request.initiator,
            "consents": request.consents,
        })  # fmt: skip


def _party(person: Person) -> dict[str, Any]:
    return {"name": person.name, "id_type": person.id_type, "id_number": person.id_number,
            "insured_region": person.insured_region}  # fmt: skip


@contextmanager
def service(folder: Path) -> Iterator[tuple[int, psutil.Process]]:
    """The API on a free port of the loopback; its first process, whose children the workers are."""
    port = free_port()
    argv = [sys.executable, "-m", "uvicorn", "--factory", "bench.service:create_app", "--host", "127.0.0.1",
            "--port", str(port), "--workers", str(WORKERS), "--no-access-log", "--no-server-header"]  # fmt: skip
    with (folder / "api.log").open("wb") as log:
        process = subprocess.Popen(argv, cwd=ROOT, env=os.environ, stdout=log, stderr=log)
    try:
        _wait(port, process, folder)
        yield port, psutil.Process(process.pid)
    finally:
        process.terminate()
        process.wait(timeout=30)


def _wait(port: int, process: subprocess.Popen[bytes], folder: Path) -> None:
    until = time.monotonic() + 60
    while time.monotonic() < until:
        assert process.poll() is None, (folder / "api.log").read_text()
        try:
            if httpx.get(f"http://127.0.0.1:{port}/healthz").is_success:
                return
        except httpx.TransportError:
            time.sleep(0.1)
    raise TimeoutError("the API does not answer; its log is above")


def main() -> None:
    """Measure and print."""
    quick = options(__doc__ or "")
    times, seconds = (1, 1.0) if quick else (5, 2.0)
    with own_ledger() as folder:
        with psycopg.connect(database_url(), cursor_factory=psycopg.ClientCursor) as conn:
            conn.execute(_PAPERS, [list(PAPERS)])
        yardstick = Yardstick(database_url(), folder)
        with service(folder) as (port, api):
            client = Client(port)

            def http() -> Figure:
                done, begin = client.round(seconds)
                memory = sum(one.memory_info().rss for one in api.children(recursive=True))
                return figure(done, begin, seconds, memory)

            client.round(1.0)  # plans are read and statements prepared
            tell(rounds({yardstick.name: lambda: yardstick.run(seconds), "http": http}, times), yardstick.name)


if __name__ == "__main__":
    main()
