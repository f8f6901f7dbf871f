"""A server of our own, run in the foreground as our child: how it is started, and ended."""

import subprocess
from abc import ABC, abstractmethod
from pathlib import Path
from types import TracebackType
from typing import ClassVar, Self

from embedded import children
from embedded.children import Child, StartFailed

ATTEMPTS = 3  # at a free port, which somebody else may take first


class Server(ABC):
    """One server on 127.0.0.1. `port` None means a free one, another where that was taken. Is a context: it runs in it.

    Raises StartFailed when started.
    """

    title: ClassVar[str]

    def __init__(self, log: Path, port: int | None) -> None:
        self.log = log
        self._given_port = port
        self.port = port or children.free_port()
        self._running: tuple[Child, subprocess.Popen[bytes]] | None = None

    @abstractmethod
    def prepare(self) -> Child:
        """What to run, once its folder is made ready for it."""

    @property
    def pid(self) -> int:
        """Of the running server. Raises RuntimeError when there is none."""
        if self._running is None or self._running[1].poll() is not None:
            raise RuntimeError(f"{self.title} is not running")
        return self._running[1].pid

    def start(self) -> None:
        """Runs the server and returns when it serves."""
        for attempt in range(1, ATTEMPTS + 1):
            child = self.prepare()
            process = children.spawn(child, self.log)
            self._running = child, process
            try:
                children.wait_ready(child, process, self.log)
            except StartFailed:
                self.stop()
                if self._given_port or attempt == ATTEMPTS:
                    raise
                self.port = children.free_port()
            else:
                return

    def stop(self) -> None:
        """Ends the server; harmless when it does not run."""
        if self._running is not None:
            children.stop_all([self._running])
            self._running = None

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()
