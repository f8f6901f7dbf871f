"""One supervisor for each var/.

The lock is inherited by every child. So it is free again only when the last of a family is gone, also
after the supervisor was killed with `kill -9`, and who gets it finds no port, folder or queue still in use.
"""

import contextlib
import fcntl
import json
import os
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import psutil

ORPHANS_END_WITHIN = 10.0  # seconds that the children of a dead supervisor get, before they are killed


class AlreadyRunning(RuntimeError):
    """A living supervisor has this var/; or something that will not die still holds it."""


class Lock:
    """`fd` is for the children to inherit."""

    def __init__(self, fd: int) -> None:
        self.fd = fd

    def record(self, pids: list[int]) -> None:
        """Writes down who belongs to the family: ourselves first, with birth times, as numbers come again."""
        family = [(pid, _born(pid)) for pid in [os.getpid(), *pids]]
        os.ftruncate(self.fd, 0)
        os.pwrite(self.fd, json.dumps(family).encode(), 0)


@contextlib.contextmanager
def lock(var: Path) -> Iterator[Lock]:
    """Holds var/ for this process, after waiting for a dead supervisor's orphans. Raises AlreadyRunning."""
    var.mkdir(parents=True, exist_ok=True)
    fd = os.open(var / "lock", os.O_RDWR | os.O_CREAT, 0o600)
    try:
        _acquire(fd, var)
        held = Lock(fd)
        held.record([])
        yield held
    finally:
        os.close(fd)


def _acquire(fd: int, var: Path) -> None:
    begun, killed = time.monotonic(), False
    while not _try(fd):
        supervisor, *orphans = _family(fd) or [None]
        if supervisor is not None:
            raise AlreadyRunning(f"kinbind already runs on {var} (process {supervisor.pid})")
        waited = time.monotonic() - begun
        if waited > ORPHANS_END_WITHIN and not killed:
            for orphan in orphans:
                _kill_group(orphan)
            killed = True
        if waited > 2 * ORPHANS_END_WITHIN:
            raise AlreadyRunning(f"{var} is held by a process that a dead supervisor left behind")
        time.sleep(0.1)


def _try(fd: int) -> bool:
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _family(fd: int) -> list[psutil.Process | None]:
    """As recorded, None for each who is gone."""
    try:
        recorded = json.loads(os.pread(fd, 65536, 0))
    except ValueError:  # just being written
        return []
    return [psutil.Process(pid) if born and _born(pid) == born else None for pid, born in recorded]


def _born(pid: int) -> float | None:
    with contextlib.suppress(psutil.Error):
        process = psutil.Process(pid)
        if process.status() != psutil.STATUS_ZOMBIE:
            return process.create_time()
    return None


def _kill_group(orphan: psutil.Process | None) -> None:
    if orphan is not None:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(orphan.pid, signal.SIGKILL)  # each child leads a group of its own
