"""The console's pages over a ledger with 100,000 open bindings: how long each takes at the server.

Run as `python -m bench.console [--quick]`. Every page is asked for over HTTP on the loopback, by somebody of its role,
one after the other. Two answers stand apart: the first of the process, to somebody who came to the sign-in page a few
seconds before, and one after a pause longer than anything is kept, while a browser listens as it does wherever somebody
has signed in.
"""

from __future__ import annotations

import asyncio
import socket
import statistics
import threading
import time
from collections import deque
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress

import httpx
import uvicorn

from bench.measure import options, own_ledger
from bench.town import fill
from service.app import create_app
from tasks.office import open_office
from workflows.access import principals, sessions
from workflows.views.pacing import OLDEST

FULL, QUICK = 100_000, 5_000  # open bindings
TIMES = 20  # that each page is asked for
PAUSE = 1.5 * OLDEST  # seconds
SIGNS_IN = 3  # seconds that a name and a password take to type
PAGES = {
    "reviewer": ("/reviews/mine", "/reviews", "/reviews?q=is:overdue", "/reviews/{agency_review}", "/reviews/done"),
    "counter": ("/counter", "/counter/{offline_fallback}"),
    "operator": (
        "/ops", "/ops?span=fortnight", "/ops/stuck", "/ops/stuck?cause=delivery_parked",
        "/ops/due?name=submitted_to_materials&when=soon", "/ops/letters?channel=alipay", "/ops/faces?provider=sandbox",
        "/ops/moves?state=active", "/ops/life", "/ops/life?region=44&product=family_account", "/ops/life/active",
        "/ops/bindings/{active}", "/ops/repairs",
    ),
    "supervisor": (
        "/supervision", "/supervision/sampling", "/supervision/suspended", "/supervision/staff",
        "/supervision/channels", "/supervision/packs/CN-national/family_account",
    ),
}  # fmt: skip


@contextmanager
def serving() -> Iterator[str]:
    """The service on a free port of the loopback, in a thread of this process."""
    listening = socket.socket(proto=socket.IPPROTO_TCP)  # asyncio sends at once where it knows that this is TCP
    listening.bind(("127.0.0.1", 0))
    server = uvicorn.Server(uvicorn.Config(create_app(), access_log=False, log_config=None, log_level="critical"))
    thread = threading.Thread(target=asyncio.run, args=(server.serve(sockets=[listening]),), daemon=True)
    thread.start()
    while not server.started:
        time.sleep(0.05)
    try:
        yield f"http://127.0.0.1:{listening.getsockname()[1]}/console"
    finally:
        server.should_exit = True
        thread.join()
        listening.close()


def took(client: httpx.Client, path: str) -> float:
    """Milliseconds until the whole page is there."""
    begun = time.perf_counter()
    answer = client.get(path)
    assert answer.status_code == 200, (path, answer.status_code)
    return (time.perf_counter() - begun) * 1000


@contextmanager
def listening(client: httpx.Client) -> Iterator[None]:
    """A browser with a page open: its stream is read by a thread until the end of the block."""
    with client.stream("GET", "/live") as stream:

        def read() -> None:
            with suppress(httpx.HTTPError):  # its end is ours
                deque(stream.iter_raw(), 0)

        threading.Thread(target=read, daemon=True).start()
        yield


def main() -> None:
    """Fill, ask, and print the table."""
    count = QUICK if options(__doc__ or "") else FULL
    with own_ledger(), open_office() as office:
        principals.seed_sandbox(office.ledger)
        ids = fill(office.desk, count)
        with serving() as base, ExitStack() as open_clients:
            clients: dict[str, httpx.Client] = {}
            for role in PAGES:
                with office.ledger.connection() as conn:
                    cookies = {"kinbind_session": sessions.begin(conn, f"sandbox-{role}")}
                clients[role] = open_clients.enter_context(httpx.Client(base_url=base, cookies=cookies, timeout=60))
                clients[role].get("/nowhere")
            httpx.get(f"{base}/sign-in")
            time.sleep(SIGNS_IN)
            asked = [(clients[role], path.format(**ids), path) for role, paths in PAGES.items() for path in paths]
            with listening(clients["operator"]):
                first = [took(client, path) for client, path, _ in asked]
                time.sleep(PAUSE)
                paused = [took(client, path) for client, path, _ in asked]
            print(f"{count:,} open bindings, {TIMES} times each; ms")
            print(f"{'page':58}{'first':>8}{'paused':>8}{'p50':>8}{'p95':>8}")
            for at_first, after, (client, path, name) in zip(first, paused, asked, strict=True):
                rest = sorted(took(client, path) for _ in range(TIMES))
                p95 = rest[int(0.95 * (len(rest) - 1))]
                print(f"{name:58}{at_first:8.0f}{after:8.0f}{statistics.median(rest):8.0f}{p95:8.0f}", flush=True)


if __name__ == "__main__":
    main()
