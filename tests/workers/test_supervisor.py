"""The supervisor starts again what dies, ends without a trace, and takes over what another left."""

import errno
import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psutil
import psycopg
import pytest

from embedded import addresses
from embedded.children import StartFailed
from embedded.lock import AlreadyRunning, lock

ROOT = Path(__file__).parents[2]
# What cli/ will do, with a child that does nothing but tell that it was started, and with which addresses.
HOUSEHOLD = """
import sys, time
from pathlib import Path
from typing import Any
from embedded.children import Child
from embedded.supervisor import run
tell = "echo $$ $KINBIND_DATABASE_URL >> started; exec sleep 600"
def on_ready(addresses):
    while not Path("started").exists():
        time.sleep(0.01)
    Path("ready").write_text("yes")
    return "--exit" in sys.argv
run([Child("idler", ["sh", "-c", tell])], prepare=lambda a: Path("prepared").touch(), on_ready=on_ready)
"""


@dataclass
class Household:
    folder: Path
    processes: list[subprocess.Popen[str]] = field(default_factory=list)

    @property
    def var(self) -> Path:
        return self.folder / "var"

    @property
    def database_url(self) -> str:
        found = addresses.running(self.var)
        assert found is not None
        return found.database_url

    def start(self, *arguments: str) -> subprocess.Popen[str]:
        (self.folder / "ready").unlink(missing_ok=True)
        environment = {k: v for k, v in os.environ.items() if not k.startswith("KINBIND_")}
        process = subprocess.Popen(
            [sys.executable, "-c", HOUSEHOLD, *arguments],
            cwd=self.folder,
            env=environment | {"PYTHONPATH": str(ROOT), "KINBIND_VAR": "var"},
            stderr=subprocess.PIPE,
            text=True,
        )
        self.processes.append(process)
        return process

    def start_and_wait(self) -> subprocess.Popen[str]:
        process = self.start()
        wait_for(lambda: (self.folder / "ready").exists() or process.poll() is not None)
        assert process.poll() is None, process.communicate()[1]
        return process

    def idlers(self) -> list[int]:
        return [int(line.split()[0]) for line in (self.folder / "started").read_text().splitlines()]

    def family(self, process: subprocess.Popen[str]) -> list[psutil.Process]:
        return psutil.Process(process.pid).children(recursive=True)


@pytest.fixture
def household(open_folder: Path) -> Iterator[Household]:
    made = Household(open_folder)
    yield made
    for process in made.processes:
        if process.poll() is None:
            process.send_signal(signal.SIGTERM)
        process.communicate(timeout=20)


def wait_for(what: Callable[[], object], seconds: float = 20) -> None:
    begun = time.monotonic()
    while not what():
        assert time.monotonic() - begun < seconds, "waited in vain"
        time.sleep(0.02)


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_stop_signal_leaves_no_process_behind(household, how):
    process = household.start_and_wait()
    family = household.family(process)
    assert {one.name() for one in family} >= {"postgres", "valkey-server", "sleep"}
    process.send_signal(how)
    assert process.wait(20) == 0
    assert not [one for one in family if one.is_running()]
    assert addresses.running(household.var) is None


def test_a_killed_child_comes_back(household):
    household.start_and_wait()
    (first,) = household.idlers()
    os.kill(first, signal.SIGKILL)
    wait_for(lambda: len(household.idlers()) == 2)


def test_a_killed_database_comes_back_at_the_same_address(household):
    process = household.start_and_wait()
    url = household.database_url
    (server,) = [one for one in household.family(process) if one.name() == "postgres" and one.ppid() == process.pid]
    server.kill()
    wait_for(lambda: not server.is_running() and _answers(url))


def test_a_second_supervisor_is_refused_and_the_first_goes_on(household):
    first = household.start_and_wait()
    second = household.start()
    _, said = second.communicate(timeout=20)
    assert second.returncode != 0
    assert f"already runs on {household.var} (process {first.pid})" in said
    assert _answers(household.database_url)


def test_what_a_killed_supervisor_left_is_taken_over_with_its_rows(household):
    killed = household.start_and_wait()
    family = household.family(killed)
    with psycopg.connect(household.database_url) as connection:
        connection.execute("CREATE TABLE kept AS SELECT 42 AS n")
    killed.kill()
    household.start_and_wait()
    assert not [one for one in family if one.is_running() and one.status() != psutil.STATUS_ZOMBIE]
    with psycopg.connect(household.database_url) as connection:
        assert connection.execute("SELECT n FROM kept").fetchone() == (42,)


def test_orphans_that_will_not_end_are_killed(tmp_path, monkeypatch):
    monkeypatch.setattr("embedded.lock.ORPHANS_END_WITHIN", 0.3)
    dead_family = """
import os, subprocess, sys
from pathlib import Path
from typing import Any
from embedded.lock import lock
with lock(Path("var")) as held:
    orphan = subprocess.Popen(["sleep", "600"], pass_fds=[held.fd], start_new_session=True)
    held.record([orphan.pid])
    print(orphan.pid, flush=True)
    os._exit(9)
"""
    with (tmp_path / "said").open("w") as said:  # a pipe would stay open as long as the orphan
        environment = os.environ | {"PYTHONPATH": str(ROOT)}
        gone = subprocess.run(
            [sys.executable, "-c", dead_family], cwd=tmp_path, env=environment, stdout=said, check=False
        )
    assert gone.returncode == 9
    with lock(tmp_path / "var"):
        orphan = int((tmp_path / "said").read_text())
        assert not psutil.pid_exists(orphan) or psutil.Process(orphan).status() == psutil.STATUS_ZOMBIE


def test_the_demo_ends_by_itself(household):
    process = household.start("--exit")
    assert process.wait(20) == 0
    assert (household.folder / "prepared").exists()
    assert household.idlers()


def test_children_are_told_the_addresses_and_others_may_read_them(household):
    household.start_and_wait()
    url = household.database_url
    assert url in (household.folder / "started").read_text()
    noted = household.var / "addresses.json"
    assert json.loads(noted.read_text())["database_url"] == url
    assert noted.stat().st_mode & 0o077 == 0


def test_given_addresses_start_no_server(tmp_path, monkeypatch):
    from embedded.supervisor import run

    monkeypatch.setenv("KINBIND_DATABASE_URL", "postgresql://given")
    monkeypatch.setenv("KINBIND_BROKER_URL", "redis://given")
    seen: list[addresses.Addresses] = []

    def on_ready(told: addresses.Addresses) -> bool:
        seen.append(told)
        return True

    run([], var=tmp_path, on_ready=on_ready)
    assert seen == [addresses.Addresses("postgresql://given", "redis://given")]
    assert not (tmp_path / "postgres").exists()


def test_what_goes_wrong_in_on_ready_is_raised_after_the_stop(tmp_path, monkeypatch):
    from embedded.children import Child
    from embedded.supervisor import run

    monkeypatch.setenv("KINBIND_DATABASE_URL", "postgresql://given")
    monkeypatch.setenv("KINBIND_BROKER_URL", "redis://given")

    def on_ready(_told: addresses.Addresses) -> bool:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        run([Child("idler", ["sleep", "600"])], var=tmp_path, on_ready=on_ready)
    assert not [one for one in psutil.Process().children() if one.name() == "sleep"]
    with pytest.raises(StartFailed, match="no such option"):
        run(
            [Child("wrong", ["sh", "-c", "echo no such option; exit 2"], ready=lambda _pid: False)],
            var=tmp_path,
        )


def test_a_child_that_cannot_be_started_again_at_once_takes_nobody_along(tmp_path, monkeypatch):
    """No memory for a moment: the others go on, and it is tried again."""
    from embedded import children, supervisor
    from embedded.children import Child

    starts, asked = [], threading.Event()
    spawn = children.spawn

    def seldom(child: Child, *arguments: Any, **more: Any) -> subprocess.Popen[bytes]:
        starts.append(child.name)
        if starts.count("short") == 2:
            raise OSError(errno.ENOMEM, "Cannot allocate memory")
        if starts.count("short") == 3:
            asked.set()
        return spawn(child, *arguments, **more)

    monkeypatch.setattr(children, "spawn", seldom)
    with lock(tmp_path) as held:
        watching = supervisor.Supervisor(tmp_path / "log", held, asked)
        try:
            watching.bring_up([Child("long", ["sleep", "600"]), Child("short", ["sh", "-c", "exit 1"])])
            watching.watch(None)
        finally:
            watching.stop()
    assert (starts.count("long"), starts.count("short")) == (1, 3)


def test_a_port_that_somebody_took_meanwhile_is_given_up_for_another(tmp_path, monkeypatch):
    from embedded import children
    from embedded.supervisor import run

    monkeypatch.setenv("KINBIND_DATABASE_URL", "postgresql://given")
    found: list[addresses.Addresses] = []

    def on_ready(told: addresses.Addresses) -> bool:
        found.append(told)
        return True

    with socket.create_server(("127.0.0.1", 0)) as taken:
        free, asked = children.free_port, iter([taken.getsockname()[1]])
        monkeypatch.setattr(children, "free_port", lambda: next(asked, None) or free())
        run([], var=tmp_path, on_ready=on_ready)
    assert found[0].broker_url
    assert next(asked, None) is None, "the port that was taken was tried"


def test_a_lock_is_free_again_after_its_holder(tmp_path):
    with lock(tmp_path):
        script = "import sys; from pathlib import Path; from embedded.lock import lock\nwith lock(Path('.')): pass"
        other = subprocess.run(
            [sys.executable, "-c", script],
            cwd=tmp_path,
            env=os.environ | {"PYTHONPATH": str(ROOT)},
            capture_output=True,
            text=True,
            check=False,
        )
        assert AlreadyRunning.__name__ in other.stderr
    with lock(tmp_path):
        pass


def _answers(url: str) -> bool:
    try:
        psycopg.connect(url, connect_timeout=2).close()
    except psycopg.OperationalError:
        return False
    return True
