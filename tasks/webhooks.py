"""How a letter is sealed, where it may go, and one attempt to bring it: Standard Webhooks 1.0.0."""

from __future__ import annotations

import base64
import hashlib
import hmac
import ipaddress
import socket
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from email.utils import parsedate_to_datetime
from functools import cache

import httpx

from tasks.office import sandbox

TIMEOUT = 15.0  # seconds, for each of connecting, sending and waiting for the status line
PREFIX = "whsec_"  # then the key in base64


def signature(shown: Sequence[str], letter_id: str, timestamp: int, body: bytes) -> str:
    """The `webhook-signature` header: one `v1,…` for each secret, so that a rotated one is still accepted."""
    signed = f"{letter_id}.{timestamp}.".encode() + body
    return " ".join(
        "v1," + base64.b64encode(hmac.digest(_key(secret), signed, hashlib.sha256)).decode() for secret in shown
    )


def _key(shown: str) -> bytes:
    return base64.b64decode(shown.removeprefix(PREFIX))


# -- where letters may go ------------------------------------------------------------------------------------------


class UrlNotAllowed(ValueError):
    """A target to which no letter is brought: not HTTPS, or not a public address."""


def allowed_url(url: str) -> list[str]:
    """The addresses (IP) to connect to for `url`: HTTPS and public only; in the sandbox HTTP and loopback too.

    Asks the name service. Raises `UrlNotAllowed`.
    """
    try:
        parsed = httpx.URL(url)
    except httpx.InvalidURL as broken:
        raise UrlNotAllowed("url") from broken
    schemes = {"https", "http"} if sandbox() else {"https"}
    if parsed.scheme not in schemes or not parsed.host or parsed.userinfo:
        raise UrlNotAllowed("scheme")
    found = _addresses(parsed.host)
    # one private address among public ones is enough for a name that is made to change its answer
    if not found or not all(_may_reach(address) for address in found):
        raise UrlNotAllowed("address")
    return found


def _addresses(host: str) -> list[str]:
    try:
        found = socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)
        return list(dict.fromkeys(str(info[4][0]) for info in found))
    except (OSError, UnicodeError):
        return []


def _may_reach(address: str) -> bool:
    found = ipaddress.ip_address(address.partition("%")[0])
    mapped = getattr(found, "ipv4_mapped", None) or found
    if mapped.is_link_local or mapped.is_multicast or mapped.is_unspecified:
        return False  # also in the sandbox: cloud metadata lies there
    return mapped.is_global or (sandbox() and mapped.is_private)


# -- one attempt ---------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Letter:
    """What is brought, and where: `timestamp` is the real time of the attempt, Unix seconds."""

    id: str
    url: str
    secrets: Sequence[str]
    timestamp: int
    body: bytes


@dataclass(frozen=True, slots=True)
class Answer:
    """What became of an attempt: a status, or why there is none; `retry_after` is seconds."""

    status: int | None = None
    error: str | None = None
    retry_after: float | None = None

    @property
    def delivered(self) -> bool:
        """2xx and nothing else: a redirect is a failure."""
        return self.status is not None and 200 <= self.status < 300


def post(letter: Letter) -> Answer:
    """Bring a letter once; never raises for what the other side does."""
    url = httpx.URL(letter.url)
    headers = {
        "host": url.netloc.decode("ascii"),
        "content-type": "application/json",
        "user-agent": "kinbind",
        "webhook-id": letter.id,
        "webhook-timestamp": str(letter.timestamp),
        "webhook-signature": signature(letter.secrets, letter.id, letter.timestamp, letter.body),
    }
    try:
        for address in allowed_url(letter.url):
            # to the address that was judged, not to what the name means a moment later
            if answer := _try(url.copy_with(host=address), url.host, letter, headers):
                return answer
    except UrlNotAllowed:
        return Answer(error="url_not_allowed")
    except httpx.TimeoutException:
        return Answer(error="timeout")
    except httpx.HTTPError:
        return Answer(error="connection_failed")
    return Answer(error="connection_failed")


def _try(there: httpx.URL, host: str, letter: Letter, headers: dict[str, str]) -> Answer | None:
    """One address; None where nobody listens, so that the next may be tried."""
    extensions = {"sni_hostname": host}
    try:
        with _client().stream("POST", there, content=letter.body, headers=headers, extensions=extensions) as answer:
            return _read(answer, letter.timestamp)  # the body of an answer says nothing that we need
    except httpx.ConnectError:
        return None


def _read(answer: httpx.Response, timestamp: int) -> Answer:
    after = answer.headers.get("retry-after", "").strip()
    seconds: float | None = None
    if after.isdecimal():
        seconds = float(after)
    elif after:
        try:
            seconds = _stamp(parsedate_to_datetime(after)) - timestamp
        except ValueError:
            seconds = None
    error = None if answer.is_success else f"http_{answer.status_code}"
    return Answer(answer.status_code, error, seconds)


def _stamp(moment: datetime) -> float:
    return moment.timestamp()


@cache
def _client() -> httpx.Client:
    # No connection is kept: attempts to one target are rare, and a kept one may have died meanwhile.
    limits = httpx.Limits(max_connections=64, max_keepalive_connections=0)
    return httpx.Client(timeout=TIMEOUT, follow_redirects=False, trust_env=False, limits=limits)
