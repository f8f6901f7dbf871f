"""Rate limits: one bucket per principal in each API process; none unless asked for in the sandbox.

`KINBIND_RATE_LIMIT=100/60` allows 100 requests in 60 seconds per process and principal, refilled evenly; `off`
allows all. Staff have one bucket for both doors, the console and this one. A province that must be exact sets its
limit at the balancer; this one keeps a runaway client away.
"""

from __future__ import annotations

import math
import re
import time
from dataclasses import dataclass

from models.settings import SettingWrong, given
from workflows.errors import Refused

_DEFAULT = "3000/60"  # outside the sandbox
_MANY = 10_000  # buckets kept; full ones are forgotten beyond that


@dataclass(slots=True)
class _Bucket:
    left: float
    at: float


class Limits:
    """Buckets of `quota` requests that refill within `window` seconds."""

    def __init__(self, quota: int, window: int) -> None:
        """Start with every bucket full."""
        self.quota = quota
        self.window = window
        self._buckets: dict[str, _Bucket] = {}

    def take(self, principal: str) -> dict[str, str]:
        """Take one request from the bucket and return the headers that say what is left.

        Raises `Refused` 429 `rate_limited`, with the headers in `extra["headers"]`.
        """
        now = time.monotonic()
        bucket = self._buckets.get(principal)
        if bucket is None:
            self._make_room(now)
            bucket = self._buckets[principal] = _Bucket(self.quota, now)
        bucket.left = min(self.quota, bucket.left + (now - bucket.at) * self.quota / self.window)
        bucket.at = now
        if bucket.left < 1:
            wait = math.ceil((1 - bucket.left) * self.window / self.quota)
            raise Refused("rate_limited", 429, headers=self._headers(0, wait), retry_after=wait)
        bucket.left -= 1
        full_in = math.ceil((self.quota - bucket.left) * self.window / self.quota)
        return self._headers(int(bucket.left), full_in)

    def _headers(self, left: int, seconds: int) -> dict[str, str]:
        # IETF draft-ietf-httpapi-ratelimit-headers: quota, window, what is left, seconds until it is full again
        return {
            "RateLimit-Policy": f'"default";q={self.quota};w={self.window}',
            "RateLimit": f'"default";r={left};t={seconds}',
        }

    def _make_room(self, now: float) -> None:
        if len(self._buckets) >= _MANY:
            fresh = {name: one for name, one in self._buckets.items() if now - one.at < self.window}
            self._buckets = fresh


def limits_from_environment(*, sandbox: bool) -> Limits | None:
    """The limits that `KINBIND_RATE_LIMIT` asks for. Raises `SettingWrong` when it is not like `100/60` or `off`."""
    asked = given("KINBIND_RATE_LIMIT") or ("off" if sandbox else _DEFAULT)
    if asked == "off":
        return None
    found = re.fullmatch(r"([1-9][0-9]{0,6})/([1-9][0-9]{0,4})", asked)
    if found is None:
        raise SettingWrong("KINBIND_RATE_LIMIT is requests/seconds, such as 100/60, or off")
    return Limits(int(found[1]), int(found[2]))
