"""A channel's server for the tests: takes webhooks on loopback, verifies each, and answers as it is told."""

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from standardwebhooks import Webhook, WebhookVerificationError

BESIDE = ("binding.stuck", "binding.recovered")
Answering = Callable[["Letter"], tuple[int, dict[str, str]] | int]


@dataclass(frozen=True)
class Letter:
    """What came: `body` as bytes, `data` read from it."""

    id: str
    timestamp: int
    type: str
    body: bytes
    headers: dict[str, str]
    path: str

    @property
    def data(self) -> dict[str, Any]:
        return json.loads(self.body)["data"]

    @property
    def place(self) -> tuple[str, int]:
        """Of which binding, and its sequence."""
        return self.data["binding"]["id"], self.data["sequence"]


@dataclass
class Receiver:
    """Everything that came, in order; `answer` decides what is answered (a status, or one with headers)."""

    url: str = ""
    letters: list[Letter] = field(default_factory=list)
    secrets: list[str] = field(default_factory=list)  # any of them may verify
    answer: Answering = lambda _: 204
    faults: list[str] = field(default_factory=list)

    @property
    def lines(self) -> list[Letter]:
        """The letters that tell of a line of the history: to be stuck is none."""
        return [one for one in self.letters if one.type not in BESIDE]

    def sequences(self, binding_id: str) -> list[int]:
        """The sequence numbers of a binding's lines, as they came."""
        return [one.data["sequence"] for one in self.lines if one.place[0] == binding_id]

    def take(self, path: str, headers: dict[str, str], body: bytes) -> tuple[int, dict[str, str]]:
        """Verify and keep; a letter that does not verify is a fault of the test's subject."""
        for secret in self.secrets:
            try:
                Webhook(secret).verify(body.decode(), headers)
                break
            except WebhookVerificationError:
                continue
        else:
            self.faults.append(headers.get("webhook-id", ""))
            return 401, {}
        kind = json.loads(body)["type"]
        stamp = int(headers["webhook-timestamp"])
        letter = Letter(headers["webhook-id"], stamp, kind, body, headers, path)
        self.letters.append(letter)
        answer = self.answer(letter)
        return answer if isinstance(answer, tuple) else (answer, {})


@contextmanager
def receiving() -> Iterator[Receiver]:
    """A receiver on a free port of 127.0.0.1."""
    receiver = Receiver()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            length = int(self.headers["content-length"])
            body = self.rfile.read(length)
            if len(body) < length:  # broken off while it was sent: no letter, and nobody waits for an answer
                self.close_connection = True
                return
            headers = {name.lower(): value for name, value in self.headers.items()}
            status, more = receiver.take(self.path, headers, body)
            self.send_response(status)
            for name, value in more.items():
                self.send_header(name, value)
            self.send_header("content-length", "0")
            self.end_headers()

        def log_message(self, format: str, *args: Any) -> None:  # noqa: A002
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    receiver.url = f"http://127.0.0.1:{server.server_port}/hook"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield receiver
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
