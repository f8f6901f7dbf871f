"""Whose key it is: the Bearer key becomes a principal, remembered for a few seconds."""

from __future__ import annotations

import time

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request

from models.ledger import Ledger
from workflows.access import principals
from workflows.access.principals import Principal
from workflows.errors import Refused

REMEMBERED = 5.0  # seconds for which a revoked key may still open a door of this process
_MANY = 10_000


class Keys:
    """The keys known to this process."""

    def __init__(self, ledger: Ledger, *, sandbox: bool) -> None:
        """Look keys up in this ledger; those of the sandbox open nothing unless it is on."""
        self._ledger = ledger
        self._sandbox = sandbox
        self._known: dict[str, tuple[float, Principal]] = {}

    async def who(self, request: Request) -> Principal:
        """The principal of a request. Raises `Refused` 401 `key_required` or `key_invalid`."""
        scheme, _, key = request.headers.get("authorization", "").partition(" ")
        key = key.strip(" ")
        if scheme.lower() != "bearer" or not key:
            raise Refused("key_required", 401)
        now = time.monotonic()
        seen, principal = self._known.get(key, (0.0, None))
        if principal is None or now - seen > REMEMBERED:
            principal = await self._find(key)
            if len(self._known) >= _MANY:
                self._known.clear()
            self._known[key] = (now, principal)
        return principal

    async def _find(self, key: str) -> Principal:
        found = await run_in_threadpool(principals.find, self._ledger, key, sandbox=self._sandbox)
        if found is None:
            self._known.pop(key, None)
            raise Refused("key_invalid", 401)
        return found
