"""`kill -9` of API, worker, beat, broker and PostgreSQL at random moments, while apps bring families through.

The whole service as `kinbind up` runs it, on a real disk. Apps repeat what was not answered, under the same
idempotency key; whatever was answered once must be in the history for ever.
"""

import random
import signal
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import suppress

import psutil
import psycopg
import pytest

from embedded.addresses import running
from tests.drills import parts
from tests.drills.load import App, Told
from tests.workers.test_cli_up import Service, service  # noqa: F401  the fixture

APPS = 4
KILLS = parts.size(6, 120)
BETWEEN = (0.3, 1.5) if not parts.LONG else (2.0, 8.0)  # seconds: a child that always dies young is started later
A_QUARTER = 60.0  # seconds in which a quarter of an hour goes by: so long an unanswered question waits
KINDS = ("api", "worker", "beat", "postgres", "broker")

pytestmark = pytest.mark.timeout(parts.size(420, 1800))


def child(supervisor: psutil.Process, kind: str) -> psutil.Process | None:
    """The supervisor's own child of this kind, if it lives at the moment."""
    words = {
        "api": "uvicorn",
        "worker": "worker",
        "beat": "beat",
        "postgres": "postgres",
        "broker": "valkey",
    }
    for one in supervisor.children():
        try:
            if words.get(kind, kind) in " ".join(one.cmdline()) and one.status() != psutil.STATUS_ZOMBIE:
                return one
        except psutil.Error:
            continue
    return None


def kills(supervisor: psutil.Process, rng: random.Random) -> Iterator[str]:
    """Kill at random moments, each kind once before any comes again; the kinds killed."""
    order: list[str] = []
    while True:
        time.sleep(rng.uniform(*BETWEEN))
        order = order or rng.sample(KINDS, len(KINDS))
        kind = order.pop()
        found = child(supervisor, kind)
        if found is not None:
            found.send_signal(signal.SIGKILL)
            yield kind


def test_kill_9_at_random_moments_under_load(service: Service) -> None:  # noqa: F811
    supervisor = psutil.Process(service.up().pid)
    told, killed = Told(), Counter[str]()
    apps = [App(f"http://127.0.0.1:{service.port}", told, range(n * 250, n * 250 + 250)) for n in range(APPS)]
    begun = asked = time.monotonic()
    for app in apps:
        app.start()
    for kind in kills(supervisor, random.Random(9)):
        killed[kind] += 1
        if time.monotonic() - asked > A_QUARTER:
            with suppress(psycopg.Error):  # it may just have been killed
                ask_again(service)
            asked = time.monotonic()
        if killed.total() >= KILLS:
            break
    for app in apps:
        app.stop.set()
    parts.until(service.ready, "the service is whole again")
    ask_again(service)
    for app in apps:
        app.join(parts.PATIENCE * 6)
        assert app.failed is None, app.failed
        assert not app.is_alive()
    took = time.monotonic() - begun
    addresses = running(service.folder / "var")
    assert addresses is not None
    kept(addresses.database_url, told)
    parts.prove(addresses.database_url, settled=False)
    parts.figures("kill -9 under load", {"seconds": round(took)} | {f"killed {kind}": n for kind, n in killed.items()})
    parts.figures("the apps", {"families": told.finished, "bindings": len(told.versions)} | dict(told.counted))
    parts.figures("the longest wait for an answer", f"{told.longest:.1f} s")


def ask_again(service: Service) -> None:  # noqa: F811
    """The sandbox's registries died with PostgreSQL: to the desk they did not answer, and are asked in 15 minutes."""
    addresses = running(service.folder / "var")
    assert addresses is not None
    with psycopg.connect(addresses.database_url, autocommit=True) as conn:
        conn.execute("update service_clock set ahead = ahead + interval '16 minutes'")


def kept(url: str, told: Told) -> None:
    """Every answered version is in the history, with the state that was told."""
    assert told.finished >= APPS
    with psycopg.connect(url) as conn:
        rows = conn.execute("select binding_id, sequence, to_state from history").fetchall()
    history = {(binding_id, sequence): state for binding_id, sequence, state in rows}
    lost = {one: said for one, said in told.versions.items() if history.get((one, said[0])) != said[1]}
    assert not lost
