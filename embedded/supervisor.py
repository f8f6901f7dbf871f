"""Keeps database, broker and kinbind's own processes running, and ends them in order."""

import signal
import subprocess
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from types import FrameType

import structlog

from embedded import addresses as known
from embedded import children as kids
from embedded.addresses import Addresses, var_folder
from embedded.broker import Broker
from embedded.children import Child, StartFailed
from embedded.lock import Lock, lock
from embedded.postgres import Postgres
from embedded.server import ATTEMPTS

GLANCE = 0.1  # seconds between two looks at the children
FIRST_PAUSE, LONGEST_PAUSE = 0.1, 15.0  # seconds before a child that ended is started again; doubles
HEALTHY_AFTER = 10.0  # seconds of life after which an ending counts as the first one

log = structlog.get_logger()


def run(
    children: Sequence[Child],
    *,
    var: Path | None = None,
    prepare: Callable[[Addresses], None] | None = None,
    on_ready: Callable[[Addresses], bool | None] | None = None,
    log_to_files: bool = True,
) -> None:
    """Runs until SIGINT, SIGTERM or SIGHUP, or until `on_ready` answers True; in the main thread only.

    First the servers for which no URL is set; then `prepare` (migrations); then `children`, all at once,
    with the addresses in their environment; then, in a thread beside, `on_ready`. A child that ends is
    started again. At the end the children are stopped, then the servers; each has its `grace`.
    Output goes to var/log/<name>.log, or to ours without `log_to_files`.

    Raises AlreadyRunning, StartFailed, what a server's class raises, and what `prepare` or `on_ready` raise.
    """
    var = (var or var_folder()).resolve()
    with lock(var) as held, _signals() as asked_to_stop:
        supervisor = Supervisor(var / "log" if log_to_files else None, held, asked_to_stop)
        try:
            addresses = _bring_servers(supervisor, var)
            known.note(var, addresses)
            if prepare is not None and not asked_to_stop.is_set():
                prepare(addresses)
            supervisor.bring_up([_with(child, addresses, var) for child in children])
            supervisor.watch(on_ready and (lambda: on_ready(addresses)))
        finally:
            supervisor.stop()
            known.forget(var)


def _bring_servers(supervisor: "Supervisor", var: Path) -> Addresses:
    database_url, broker_url = known.given(known.DATABASE), known.given(known.BROKER)
    postgres, broker = _servers(supervisor, None if database_url else var, None if broker_url else var)
    if postgres is not None and not supervisor.stopping:
        postgres.ensure_database()
    return Addresses(
        database_url=database_url or (postgres.url if postgres else ""),
        broker_url=broker_url or (broker.url if broker else ""),
        reader_url=known.given(known.READER),
    )


def _servers(
    supervisor: "Supervisor", database: Path | None, queue: Path | None, attempts: int = ATTEMPTS
) -> tuple[Postgres | None, Broker | None]:
    """Our own servers, in folders of theirs; tried again, as somebody else may have taken a port that was free."""
    postgres = Postgres(database / "postgres") if database else None
    broker = Broker(queue / "broker") if queue else None
    try:
        supervisor.bring_up([server.prepare() for server in (postgres, broker) if server])
    except StartFailed:
        if attempts == 1:
            raise
        supervisor.stop()
        return _servers(supervisor, database, queue, attempts - 1)
    return postgres, broker


def _with(child: Child, addresses: Addresses, var: Path) -> Child:
    return replace(child, env={known.VAR: str(var), **addresses.environment(), **child.env})


@contextmanager
def _signals() -> Iterator[threading.Event]:
    """An event that the stop signals set, in place of what they do to others."""
    asked = threading.Event()

    def ask(_number: int, _frame: FrameType | None) -> None:
        asked.set()

    before = {number: signal.signal(number, ask) for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)}
    try:
        yield asked
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


@dataclass
class _Kept:
    child: Child
    process: subprocess.Popen[bytes]
    started: float  # monotonic seconds, like `again_at`
    pause: float = FIRST_PAUSE
    again_at: float | None = None


class Supervisor:
    """Stages of children: each stage is started after, and stopped before, the stage that it stands on."""

    def __init__(self, logs: Path | None, held: Lock, asked_to_stop: threading.Event) -> None:
        self._logs = logs
        self._lock = held
        self._asked_to_stop = asked_to_stop
        self._stages: list[list[_Kept]] = []

    @property
    def stopping(self) -> bool:
        return self._asked_to_stop.is_set()

    def bring_up(self, children: Sequence[Child]) -> None:
        """Starts a stage and returns when all of it is ready, or we are to stop. Raises StartFailed."""
        stage: list[_Kept] = []
        self._stages.append(stage)
        for child in children:
            if not self.stopping:  # one by one, so that a failure leaves none unnoted
                stage.append(_Kept(child, self._spawn(child), time.monotonic()))  # noqa: PERF401
        self._record()
        for kept in stage:
            kids.wait_ready(kept.child, kept.process, self._log_of(kept.child), lambda: self.stopping)

    def watch(self, on_ready: Callable[[], bool | None] | None) -> None:
        """Starts again what ends, until we are to stop. Raises what `on_ready` raised."""
        if self.stopping:
            return
        errors: list[BaseException] = []

        def tell() -> None:
            try:
                if on_ready is not None and on_ready():
                    self._asked_to_stop.set()
            except BaseException as error:  # noqa: BLE001  raised again below, in the thread that can stop
                errors.append(error)
                self._asked_to_stop.set()

        threading.Thread(target=tell, name="on_ready", daemon=True).start()
        while not self._asked_to_stop.wait(GLANCE):
            for stage in self._stages:
                for kept in stage:
                    self._look_after(kept)
        if errors:
            raise errors[0]

    def stop(self) -> None:
        """Ends the stages, the last first."""
        while self._stages:
            kids.stop_all([(kept.child, kept.process) for kept in self._stages.pop()])

    def _look_after(self, kept: _Kept) -> None:
        now = time.monotonic()
        if kept.again_at is not None:
            if now >= kept.again_at:
                self._start_again(kept, now)
        elif kept.process.poll() is not None:
            kids.end_group(kept.process)
            healthy = now - kept.started > HEALTHY_AFTER
            kept.pause = FIRST_PAUSE if healthy else min(kept.pause * 2, LONGEST_PAUSE)
            kept.again_at = now + kept.pause
            log.warning("child_ended", child=kept.child.name, code=kept.process.returncode, again_in=kept.pause)

    def _start_again(self, kept: _Kept, now: float) -> None:
        try:
            kept.process, kept.started, kept.again_at = self._spawn(kept.child), now, None
            self._record()
        except (OSError, subprocess.SubprocessError) as fault:  # no memory, no process: the others go on meanwhile
            log.warning("child_not_started", child=kept.child.name, fault=type(fault).__name__)
            if kept.again_at is not None:
                kept.pause = min(kept.pause * 2, LONGEST_PAUSE)
                kept.again_at = now + kept.pause

    def _spawn(self, child: Child) -> subprocess.Popen[bytes]:
        return kids.spawn(child, self._log_of(child), keep_fds=[self._lock.fd])

    def _log_of(self, child: Child) -> Path | None:
        return self._logs / f"{child.name}.log" if self._logs else None

    def _record(self) -> None:
        self._lock.record([kept.process.pid for stage in self._stages for kept in stage])
