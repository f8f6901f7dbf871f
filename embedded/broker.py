"""A Valkey of our own: run in the foreground as our child, on 127.0.0.1 and behind a password."""

import contextlib
import secrets
import socket
import subprocess
from pathlib import Path
from types import TracebackType
from typing import Self

from embedded import children
from embedded.binaries import valkey_server
from embedded.children import Child, StartFailed

ATTEMPTS = 3  # at a free port, which somebody else may take first
PATIENCE = 1.0  # seconds for one PING


class Broker:
    """One server. `port` None means a free one; `durable` keeps what was sent across a kill of the server.

    Raises ServerMissing when made, StartFailed when started.
    """

    def __init__(self, home: Path, *, port: int | None = None, durable: bool = True) -> None:
        self._program = valkey_server()
        self.home = home.resolve()
        self.log = self.home / "valkey.log"
        self._durable = durable
        self._given_port = port
        self.port = port or children.free_port()
        self.password = secrets.token_urlsafe(24)
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        return f"redis://:{self.password}@127.0.0.1:{self.port}/0"

    @property
    def pid(self) -> int:
        """Of the running server. Raises RuntimeError when there is none."""
        if self._process is None or self._process.poll() is not None:
            message = "Valkey is not running"
            raise RuntimeError(message)
        return self._process.pid

    def prepare(self) -> Child:
        """Writes the settings; what to run then."""
        self.home.mkdir(mode=0o700, parents=True, exist_ok=True)
        settings = self.home / "valkey.conf"
        settings.touch(mode=0o600)  # the password stands in it; on the command line all could read it
        settings.write_text(
            f"bind 127.0.0.1\nport {self.port}\nrequirepass {self.password}\n"
            "daemonize no\nmaxmemory-policy noeviction\n"  # an evicted key is a lost queue
            f'save ""\nappendonly {"yes" if self._durable else "no"}\nappendfsync everysec\n'
        )
        return Child(
            name="broker",
            argv=[str(self._program), str(settings)],
            cwd=self.home,
            ready=self._answers,
        )

    def start(self) -> None:
        """Runs the server and returns when it serves."""
        for attempt in range(1, ATTEMPTS + 1):
            child = self.prepare()
            self._process = children.spawn(child, self.log)
            try:
                children.wait_ready(child, self._process, self.log)
            except StartFailed:
                self.stop()
                if self._given_port or attempt == ATTEMPTS:
                    raise
                self.port = children.free_port()
            else:
                return

    def stop(self) -> None:
        """Ends the server; harmless when it does not run."""
        if self._process is not None:
            children.stop_all([(Child(name="broker", argv=()), self._process)])
            self._process = None

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def _answers(self, _pid: int) -> bool:
        with (
            contextlib.suppress(OSError),
            socket.create_connection(("127.0.0.1", self.port), timeout=PATIENCE) as line,
        ):
            line.sendall(f"AUTH {self.password}\r\nPING\r\n".encode())
            answer = b""
            while answer.count(b"\r\n") < 2:  # one line for each command
                if not (part := line.recv(256)):
                    return False
                answer += part
            return answer == b"+OK\r\n+PONG\r\n"
        return False
