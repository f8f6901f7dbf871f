"""The same nine steps through the doors as they are, windows and all, beside pgbench writing the same rows.

Run as `python -m bench.doors [--quick]`: two API processes, a channel with 32 connections. Six steps of a life are
requests with an idempotency key: `submit`, `submit_materials`, `face-checks` twice, `request_unbind`, `confirm_unbind`;
the stand-ins for face provider and registries are asked, and write, on the same server. What no door says (the
registries' answer, a face that fails, one that passes) is said to a desk in this process, in the place of a worker.
Files are laid where the cases look for them. Only the nine steps are counted, each when its answer is here.
"""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from urllib.error import URLError
from urllib.request import urlopen

import psutil

from api.clerk import Clerk
from bench.channel import Channel
from bench.lives import Lives
from bench.measure import WARM_UP, Figure, figure, options, own_ledger, rounds, tell
from bench.yardstick import Yardstick
from embedded.children import free_port
from models.keyring import keyring
from models.ledger import ROOT, Ledger, database_url
from policies.book import lawbook
from workflows.engine import Desk

WORKERS = 2
CONNECTIONS = 32
READY_WITHIN = 60.0  # seconds


@contextmanager
def api_process(folder: Path) -> Iterator[tuple[int, psutil.Process]]:
    """One API process as the service starts it, on a free port of the loopback; its log goes to a file."""
    port = free_port()
    argv = [sys.executable, "-m", "uvicorn", "--factory", "api.app:create_app", "--host", "127.0.0.1"]
    argv += ["--port", str(port), "--no-access-log", "--no-server-header"]
    with (folder / f"api{port}.log").open("wb") as said:
        process = subprocess.Popen(argv, cwd=ROOT, stdout=said, stderr=said)
        try:
            _wait(process, port)
            yield port, psutil.Process(process.pid)
        finally:
            process.terminate()
            process.wait(30)


def _wait(process: subprocess.Popen[bytes], port: int) -> None:
    until = time.monotonic() + READY_WITHIN
    while True:
        try:
            urlopen(f"http://127.0.0.1:{port}/healthz", timeout=5).close()
        except URLError:
            assert process.poll() is None, "the API process has ended"
            assert time.monotonic() < until, "the API process does not answer"
            time.sleep(0.1)
        else:
            return


class Bench:
    """The client, the worker beside it, and the API processes that they are measured with."""

    def __init__(self, ledger: Ledger, apis: list[tuple[int, psutil.Process]]) -> None:
        """Open a desk for what no door says."""
        self._ports = [port for port, _ in apis]
        self._processes = [process for _, process in apis]
        self._worker = Clerk(Desk(ledger, lawbook(), keyring()))
        self._worker.start()
        self._channel = Channel(ledger, self._worker, Lives(lawbook()))
        self.busy: list[float] = []  # the client's thread in each turn, as a share of one core

    def turn(self, seconds: float) -> Figure:
        """One turn, after the warm-up."""
        begin = time.perf_counter() + WARM_UP
        self.busy.append(asyncio.run(self._channel.lead(self._ports, CONNECTIONS, begin + seconds)))
        memory = sum(process.memory_info().rss for process in self._processes)
        return figure(self._channel.done, begin, seconds, memory)

    def close(self) -> None:
        """Let the worker end."""
        self._worker.stop()


def main() -> None:
    """Measure and print."""
    quick = options(__doc__ or "")
    times, seconds = (1, 1.0) if quick else (5, 2.0)
    with own_ledger() as folder, ExitStack() as held:
        os.environ["KINBIND_RATE_LIMIT"] = "off"
        yardstick = Yardstick(database_url(), folder)
        apis = [held.enter_context(api_process(folder)) for _ in range(WORKERS)]
        ledger = Ledger(database_url(), size=2)
        held.callback(ledger.close)
        bench = Bench(ledger, apis)
        held.callback(bench.close)
        bench.turn(1.0)  # the first round of a process reads plans and prepares statements
        found = rounds({yardstick.name: lambda: yardstick.run(seconds), "doors": lambda: bench.turn(seconds)}, times)
        print(f"the client's own thread: {max(bench.busy):.0%} of a core at most")
        tell(found, yardstick.name)


if __name__ == "__main__":
    main()
