"""A child process: how it is started, and how it and all its offspring are ended."""

import contextlib
import os
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO

from embedded.accounts import Account, die_with

LOG_LIMIT = 10_000_000  # bytes; a longer log is put aside as *.1 at the next start
GLANCE = 0.02  # seconds between two looks at something that is about to happen


class StartFailed(RuntimeError):
    """A child ended, or was not ready in time; the message has the last lines of its log."""


@dataclass(frozen=True)
class Child:
    """What to run. `env` comes on top of our own environment; `grace` and `start_limit` are seconds; it inherits `fds`.

    `ready` is asked, with the process id, until it says True; a child without one is ready at once.
    """

    name: str
    argv: Sequence[str]
    env: Mapping[str, str] = field(default_factory=dict)
    cwd: Path | None = None
    stop_signal: signal.Signals = signal.SIGTERM
    grace: float = 5.0
    ready: Callable[[int], bool] | None = None
    start_limit: float = 60.0
    account: Account = field(default_factory=Account)
    fds: Sequence[int] = ()


def free_port() -> int:
    """A TCP port of 127.0.0.1 on which nobody listens at the moment."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def spawn(child: Child, log: Path | None, keep_fds: Sequence[int] = ()) -> subprocess.Popen[bytes]:
    """Starts the child in a session of its own, to die with this thread; `log` None means our own output."""
    parent = os.getpid()

    def before_exec() -> None:
        child.account.enter()
        die_with(parent, child.stop_signal)

    with contextlib.ExitStack() as files:
        output = files.enter_context(_open_log(log)) if log else None
        return subprocess.Popen(
            list(child.argv),
            env={**os.environ, **child.env},
            cwd=child.cwd,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT if output else None,
            start_new_session=True,
            preexec_fn=before_exec,
            pass_fds=[*keep_fds, *child.fds],
            **child.account.popen_arguments(),
        )


def _open_log(log: Path) -> BinaryIO:
    log.parent.mkdir(parents=True, exist_ok=True)
    with contextlib.suppress(FileNotFoundError):
        if log.stat().st_size > LOG_LIMIT:
            log.replace(log.with_name(log.name + ".1"))
    log.touch(mode=0o600)
    return log.open("ab")


def wait_ready(
    child: Child,
    process: subprocess.Popen[bytes],
    log: Path | None,
    give_up: Callable[[], bool] = lambda: False,
) -> None:
    """Returns when the child is ready, or nobody wants it any more (`give_up`). Raises StartFailed."""
    until = time.monotonic() + child.start_limit
    while child.ready is not None and not give_up() and not child.ready(process.pid):
        if process.poll() is not None:
            raise StartFailed(_failure(f"{child.name} ended with {process.returncode} at its start", log))
        if time.monotonic() > until:
            raise StartFailed(_failure(f"{child.name} was not ready within {child.start_limit:g} s", log))
        time.sleep(GLANCE)


def _failure(what: str, log: Path | None) -> str:
    if log is None or not log.exists():
        return what
    last = log.read_text(errors="replace").splitlines()[-8:]
    return "\n".join([f"{what}; the end of {log}:", *(f"    {line}" for line in last)])


def stop_all(family: Sequence[tuple[Child, subprocess.Popen[bytes]]]) -> None:
    """Asks all to stop at once, waits for each one's grace, then kills what is left of every group."""
    begun = time.monotonic()
    for child, process in family:
        if process.poll() is None:
            with contextlib.suppress(ProcessLookupError):
                process.send_signal(child.stop_signal)
    for child, process in family:
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(max(0.0, begun + child.grace - time.monotonic()))
        end_group(process)


def end_group(process: subprocess.Popen[bytes]) -> None:
    """Kills the child, if it still lives, and whatever it left behind in its process group."""
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()
