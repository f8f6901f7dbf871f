"""A Valkey of our own: run in the foreground as our child, on 127.0.0.1 and behind a password."""

import contextlib
import secrets
import socket
from pathlib import Path

from embedded.binaries import valkey_server
from embedded.children import Child
from embedded.server import Server

PATIENCE = 1.0  # seconds for one PING


class Broker(Server):
    """A Valkey; `durable` keeps what was sent across a kill of it. Raises ServerMissing when made."""

    title = "Valkey"

    def __init__(self, home: Path, *, port: int | None = None, durable: bool = True) -> None:
        self._program = valkey_server()
        self.home = home.resolve()
        super().__init__(self.home / "valkey.log", port)
        self._durable = durable
        self.password = secrets.token_urlsafe(24)

    @property
    def url(self) -> str:
        return f"redis://:{self.password}@127.0.0.1:{self.port}/0"

    def prepare(self) -> Child:
        """What to run, once its settings are written."""
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
