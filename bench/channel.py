"""A channel app with many connections, that leads families through their lives, and the worker beside it.

The client speaks just enough HTTP/1.1 to be cheap: it shares the machine with what it measures.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from itertools import count
from typing import Any

import orjson
import psycopg

from api.clerk import Clerk
from bench.lives import PAPERS, Lives
from bench.measure import Did
from models.ledger import Ledger
from workflows.case import SYSTEM
from workflows.commands import Command

_HEAD = (
    "POST {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Bearer sandbox-alipay\r\nIdempotency-Key: {key}\r\n"
    "Content-Type: application/json\r\nContent-Length: {length}\r\n\r\n"
)
_PAPERS = """
insert into materials (id, binding_id, kind, sha256, size, media_type, pages, added_by, added_at)
select 'mat_' || substr(id, 5) || kind, id, kind, repeat('0', 64), 81234, 'image/jpeg', 1, 'channel:alipay',
  clock_timestamp()
from unnest(%s::text[]) as id, unnest(%s::text[]) as kind
"""
Answer = dict[str, Any]


class Wire:
    """One kept-alive connection to one API process."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Speak on an open connection."""
        self._reader, self._writer = reader, writer

    @classmethod
    async def to(cls, port: int) -> Wire:
        """Connect to a port of the loopback."""
        return cls(*await asyncio.open_connection("127.0.0.1", port))

    async def post(self, path: str, key: str, body: bytes) -> Answer:
        """Send a JSON document under an idempotency key; the answer must be a success."""
        head = _HEAD.format(path=path, key=key, length=len(body))
        self._writer.write(head.encode() + body)
        told = (await self._reader.readuntil(b"\r\n\r\n")).lower()
        at = told.index(b"content-length:") + 15
        answer = await self._reader.readexactly(int(told[at : told.index(b"\r\n", at)]))
        assert told[9:10] == b"2", answer.decode()
        found: Answer = orjson.loads(answer)
        return found

    def close(self) -> None:
        """Hang up."""
        self._writer.close()


class Filing:
    """Lays the files of new cases: all that have come while the last were being laid, in one statement."""

    def __init__(self, conn: psycopg.AsyncConnection[Any]) -> None:
        """Use this connection, which commits by itself."""
        self._conn, self._lock = conn, asyncio.Lock()
        self._waiting: list[str] = []

    @classmethod
    async def on(cls, url: str) -> Filing:
        """Connect; uploads are no part of the figure, so this one connection does not wait for the disk."""
        options = "-c synchronous_commit=off"
        return cls(await psycopg.AsyncConnection.connect(url, autocommit=True, options=options, prepare_threshold=0))

    async def lay(self, binding_id: str) -> None:
        """Lay the files of one case; they are there on return."""
        self._waiting.append(binding_id)
        async with self._lock:
            if binding_id in self._waiting:
                batch, self._waiting = self._waiting, []
                await self._conn.execute(_PAPERS, (batch, list(PAPERS)))

    async def close(self) -> None:
        """Disconnect."""
        await self._conn.close()


class Channel:
    """Leads families through their lives, one on each connection, and counts the steps."""

    def __init__(self, ledger: Ledger, worker: Clerk, lives: Lives) -> None:
        """Use `worker` for what no door says."""
        self._ledger, self._worker, self._lives = ledger, worker, lives
        self._families = count()
        self._keys = count()
        self.done: list[Did] = []

    async def lead(self, ports: Sequence[int], connections: int, until: float) -> float:
        """Lead lives on so many connections until then; how busy this thread was, as a share of one core."""
        self.done = []
        began, used = time.perf_counter(), time.thread_time()
        filing = await Filing.on(self._ledger.url)
        wires = [await Wire.to(ports[n % len(ports)]) for n in range(connections)]
        await asyncio.gather(*(self._lives_on(wire, filing, until) for wire in wires))
        for wire in wires:
            wire.close()
        await filing.close()
        return (time.thread_time() - used) / (time.perf_counter() - began)

    async def _lives_on(self, wire: Wire, filing: Filing, until: float) -> None:
        while time.perf_counter() < until:
            await self._life(wire, filing)

    async def _life(self, wire: Wire, filing: Filing) -> None:
        request = asdict(self._lives.request(RUN, next(self._families)))
        binding_id = (await self._say(wire, "", _without_none(request)))["id"]
        await filing.lay(binding_id)
        here = f"/{binding_id}"
        await self._say(wire, f"{here}/actions/submit_materials", {})
        await self._happens("registries_answered", binding_id, {})
        for outcome in (NO_MATCH, {}):
            face = await self._say(wire, f"{here}/face-checks", {"subject": "member"})
            await self._happens("face_failed" if outcome else "face_passed", binding_id, _settled(face) | outcome)
        asked = {"initiator": "holder", "method": "pay_password"}
        await self._say(wire, f"{here}/actions/request_unbind", asked)
        ended = await self._say(wire, f"{here}/actions/confirm_unbind", {"pay_password": "123456"})
        assert ended["state"] == "unbound", ended["state"]

    async def _say(self, wire: Wire, path: str, body: dict[str, Any]) -> Answer:
        started = time.perf_counter()
        answer = await wire.post(f"/v1/bindings{path}", f"bench-{RUN}-{next(self._keys)}", orjson.dumps(body))
        ended = time.perf_counter()
        self.done.append(Did(ended, ended - started))
        return answer

    async def _happens(self, said: str, binding_id: str, facts: dict[str, Any]) -> None:
        started = time.perf_counter()
        (await self._worker.say(Command(said, binding_id, SYSTEM, facts))).unwrap()
        ended = time.perf_counter()
        self.done.append(Did(ended, ended - started))


RUN = 94  # whose families they are: nobody else's
NO_MATCH = {"reason": "face_no_match", "uses_attempt": True}


def _settled(face: Answer) -> dict[str, Any]:
    """The facts of a session that has ended; its row is there and is found by its id."""
    now = datetime.now(UTC)
    same = {"subject": "member", "purpose": "binding", "started_at": now}
    session = {"id": face["id"], "provider": face["provider"], "reference": face["id"],
               "expires_at": face["expires_at"]}  # fmt: skip
    return same | {"finished_at": now, "session": session | same}


def _without_none(body: dict[str, Any]) -> dict[str, Any]:
    return {
        name: _without_none(value) if isinstance(value, dict) else value
        for name, value in body.items()
        if value is not None
    }
