"""How a letter is signed, where it may go, and one attempt to bring it: Standard Webhooks 1.0.0."""

from __future__ import annotations

import base64
import hashlib
import hmac
import ipaddress
import socket
import ssl
import threading
from collections.abc import Sequence
from contextlib import closing, suppress
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from functools import cache
from types import TracebackType
from typing import Any, Self

import httpx

from models.settings import sandbox

TIMEOUT = 15.0  # seconds without a byte, while connecting, sending or waiting for the status line
DEADLINE = 20.0  # seconds for all of an attempt; below the lease of a delivery, also when a handshake overruns it
PREFIX = "whsec_"  # then the key in base64
# `ipaddress` calls these global, but they are refused: those that carry another address (NAT64, 6to4, IPv4-compatible),
# through which a private network might be reached, and those of protocols. Only unicast addresses have listeners.
_UNICAST = ipaddress.ip_network("2000::/3")
_NOT_PLAIN = tuple(map(ipaddress.ip_network, ("2002::/16", "2001::/23", "192.0.0.0/24", "192.88.99.0/24")))


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
    """The addresses (IP) to connect to for `url`: HTTPS and public only; in the sandbox this machine too, also by HTTP.

    Asks the name service. Raises `UrlNotAllowed`.
    """
    try:
        parsed = httpx.URL(url)
        host = parsed.host
    except (httpx.InvalidURL, UnicodeError) as broken:  # `UnicodeError`: the `xn--` of a name decodes to nothing
        raise UrlNotAllowed("url") from broken
    schemes = {"https", "http"} if sandbox() else {"https"}
    if parsed.scheme not in schemes or not host or parsed.userinfo:
        raise UrlNotAllowed("scheme")
    if parsed.port is not None and not 0 < parsed.port < 65536:
        raise UrlNotAllowed("port")
    found = _addresses(host)
    # one private address among public ones is enough to refuse: the name may be made to change its answer
    if not found or not all(_may_reach(address, parsed.scheme) for address in found):
        raise UrlNotAllowed("address")
    return found


def _addresses(host: str) -> list[str]:
    try:
        found = socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)
        return list(dict.fromkeys(str(info[4][0]) for info in found))
    except (OSError, UnicodeError):
        return []


def _may_reach(address: str, scheme: str) -> bool:
    found = ipaddress.ip_address(address.partition("%")[0])
    mapped = getattr(found, "ipv4_mapped", None) or found
    if mapped.is_loopback:
        return sandbox()
    if any(mapped in network for network in _NOT_PLAIN) or (mapped.version == 6 and mapped not in _UNICAST):
        return False
    # no private network, not even in the sandbox, which may stand beside other systems; and what leaves this
    # machine leaves it encrypted
    return scheme == "https" and mapped.is_global and not mapped.is_multicast


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
    """Bring a letter once, within `DEADLINE`; never raises for what the other side does."""
    with _Watch(DEADLINE) as watch:
        try:
            return _bring(letter, watch)
        except UrlNotAllowed:
            return Answer(error="url_not_allowed")
        except httpx.TimeoutException:
            return Answer(error="timeout")
        except httpx.HTTPError:
            return Answer(error="timeout" if watch.over else "connection_failed")


class _Watch:
    """Shuts the socket of one attempt when its time is over: a timeout of each read never ends one that drips bytes."""

    def __init__(self, seconds: float) -> None:
        self.over = False
        self._socket: socket.socket | None = None
        self._lock = threading.Lock()
        self._timer = threading.Timer(seconds, self._end)
        self._timer.daemon = True

    def __enter__(self) -> Self:
        self._timer.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, fault: BaseException | None, at: TracebackType | None) -> None:
        self._timer.cancel()

    def trace(self, event: str, info: dict[str, Any]) -> None:
        """Take hold of each socket as httpx opens it, and again when TLS has put its own around it."""
        if event in {"connection.connect_tcp.complete", "connection.start_tls.complete"}:
            with self._lock:
                self._socket = info["return_value"].get_extra_info("socket")
                self._shut_if_over()

    def _end(self) -> None:
        with self._lock:
            self.over = True
            self._shut_if_over()

    def _shut_if_over(self) -> None:
        if self.over and self._socket is not None:
            # shutdown, not close: it wakes the reader; below TLS, which would wait for the other side
            with suppress(OSError):
                socket.socket.shutdown(self._socket, socket.SHUT_RDWR)


def _bring(letter: Letter, watch: _Watch) -> Answer:
    """Try the addresses in turn. Raises `UrlNotAllowed` and `httpx.HTTPError`."""
    addresses = allowed_url(letter.url)
    url = httpx.URL(letter.url)
    headers = {
        "host": url.netloc.decode("ascii"),
        "content-type": "application/json",
        "user-agent": "kinbind",
        "webhook-id": letter.id,
        "webhook-timestamp": str(letter.timestamp),
        "webhook-signature": signature(letter.secrets, letter.id, letter.timestamp, letter.body),
    }
    for address in addresses:
        if watch.over:
            return Answer(error="timeout")
        # to the address that was judged, not to what the name resolves to a moment later
        request = httpx.Request(
            "POST", url.copy_with(host=address), content=letter.body, headers=headers,
            extensions={"sni_hostname": url.host, "trace": watch.trace, "timeout": httpx.Timeout(TIMEOUT).as_dict()},
        )  # fmt: skip
        if answer := _try(request, letter.timestamp):
            return answer
    return Answer(error="connection_failed")


def _try(request: httpx.Request, timestamp: int) -> Answer | None:
    """One address; None where nobody listens, so that the next may be tried."""
    # A client for each attempt, so that nobody waits for a connection that a slow receiver holds.
    with httpx.Client(verify=_trusted(), trust_env=False) as client:
        try:
            answer = client.send(request, stream=True, follow_redirects=False)
        except httpx.ConnectError:
            return None
        with closing(answer):
            return _read(answer, timestamp)  # the body of an answer says nothing that we need


def _read(answer: httpx.Response, timestamp: int) -> Answer:
    after = answer.headers.get("retry-after", "").strip()
    seconds: float | None = None
    if after.isdecimal():
        seconds = float(after)
    elif after:
        with suppress(ValueError, OverflowError):
            seconds = parsedate_to_datetime(after).timestamp() - timestamp
    error = None if answer.is_success else f"http_{answer.status_code}"
    return Answer(answer.status_code, error, seconds)


@cache
def _trusted() -> ssl.SSLContext:
    # read once: the list of authorities is long
    return httpx.create_ssl_context(trust_env=False)
