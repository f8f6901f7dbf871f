"""Where the channels of the demo receive their webhooks: one loopback server that verifies every signature."""

from __future__ import annotations

import json
import threading
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from standardwebhooks import Webhook, WebhookVerificationError

from tasks.stuck import RECOVERED, STUCK
from workflows.views.feed import PARTY_NOTICE

# What stands at a line and is no event of the binding's own.
BESIDE = (PARTY_NOTICE, STUCK, RECOVERED)


class Receiver:
    """What came, by channel and binding; `forged` counts what did not verify."""

    def __init__(self, port: int) -> None:
        """Know the own address; secrets come later, one for each channel."""
        self.port = port
        self.secrets: dict[str, str] = {}
        self.forged = 0
        self._seen: set[str] = set()
        self._sequences: dict[tuple[str, str], list[int]] = defaultdict(list)
        self._lock = threading.Lock()

    def url(self, channel: str) -> str:
        """Where this channel is to be called."""
        return f"http://127.0.0.1:{self.port}/{channel}"

    @property
    def count(self) -> int:
        """Different events received and verified."""
        return len(self._seen)

    def sequences(self, channel: str, binding_id: str) -> list[int]:
        """The sequence numbers of a binding's own events, in the order in which they came."""
        with self._lock:
            return list(self._sequences[channel, binding_id])

    def take(self, channel: str, headers: dict[str, str], body: bytes) -> int:
        """Verify one delivery, keep it, and return the HTTP status to answer with."""
        try:
            Webhook(self.secrets[channel]).verify(body, headers)
        except (KeyError, WebhookVerificationError):
            with self._lock:
                self.forged += 1
            return 401
        event: dict[str, Any] = json.loads(body)
        with self._lock:
            if headers["webhook-id"] not in self._seen:  # at least once means sometimes twice
                self._seen.add(headers["webhook-id"])
                if event["type"] not in BESIDE and "binding" in event["data"]:
                    data = event["data"]
                    self._sequences[channel, data["binding"]["id"]].append(data["sequence"])
        return 204


@contextmanager
def receiving() -> Iterator[Receiver]:
    """A receiver on a free port of 127.0.0.1, for as long as the block runs."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers.get("content-length", 0)))
            headers = {name.lower(): value for name, value in self.headers.items()}
            self.send_response(receiver.take(self.path.strip("/"), headers, body))
            self.end_headers()

        def log_message(self, *_: Any) -> None:
            """Say nothing: the screen belongs to the stories."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    receiver = Receiver(server.server_port)
    threading.Thread(target=server.serve_forever, name="receiver", daemon=True).start()
    try:
        yield receiver
    finally:
        server.shutdown()
        server.server_close()
