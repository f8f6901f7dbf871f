"""`kinbind up --sandbox` as real processes: it comes up, serves, and leaves nothing behind."""

import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import httpx
import psutil
import pytest

from embedded.binaries import ServerMissing, postgres_installation, valkey_server
from embedded.children import free_port
from tests.evidence import cannot_run
from tests.wire import NO_AUTHORITIES

ROOT = Path(__file__).parents[2]
UP_WITHIN = 90  # seconds, on a machine with much else to do

pytestmark = pytest.mark.timeout(240)


@dataclass
class Service:
    folder: Path
    port: int = field(default_factory=free_port)
    processes: list[subprocess.Popen[str]] = field(default_factory=list)

    def kinbind(self, *arguments: str) -> subprocess.Popen[str]:
        environment = {name: value for name, value in os.environ.items() if not name.startswith("KINBIND_")}
        process = subprocess.Popen(
            [sys.executable, "-m", "cli.main", *arguments],
            cwd=self.folder,
            env=environment | {"PYTHONPATH": str(ROOT), "COLUMNS": "200"},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        self.processes.append(process)
        return process

    def say(self, *arguments: str) -> tuple[int, str, str]:
        process = self.kinbind(*arguments)
        out, err = process.communicate(timeout=60)
        return process.returncode, out, err

    def up(self) -> subprocess.Popen[str]:
        process = self.kinbind("up", "--sandbox", "--port", str(self.port))
        wait_for(lambda: self.ready() or process.poll() is not None)
        assert process.poll() is None, process.communicate()
        return process

    def ready(self) -> bool:
        try:
            return (
                httpx.get(f"http://127.0.0.1:{self.port}/readyz", timeout=5, verify=NO_AUTHORITIES).status_code == 200
            )
        except httpx.HTTPError:
            return False


@pytest.fixture
def service(open_folder: Path) -> Iterator[Service]:
    try:
        postgres_installation()
        valkey_server()
    except ServerMissing as missing:
        cannot_run(str(missing))
    made = Service(open_folder)
    yield made
    for process in made.processes:
        if process.poll() is None:
            process.send_signal(signal.SIGTERM)
        process.communicate(timeout=30)


def wait_for(what: Callable[[], object], seconds: float = UP_WITHIN) -> None:
    begun = time.monotonic()
    while not what():
        assert time.monotonic() - begun < seconds, "waited in vain"
        time.sleep(0.1)


def test_it_comes_up_serves_is_well_and_leaves_no_process(service):
    process = service.up()
    family = psutil.Process(process.pid).children(recursive=True)
    assert {one.name() for one in family} >= {"postgres", "valkey-server"}
    called = " ".join(" ".join(one.cmdline()) for one in family)
    assert all(part in called for part in ("service.app:create_app", "tasks.app worker", "tasks.app beat"))

    code, out, err = service.say("doctor")
    assert code == 0, out + err
    assert "bad" not in out
    assert "sandbox (what runs on" in out
    for what in ("python", "database", "schema", "broker", "worker", "clock", "disk", "keyring", "packs"):
        assert f"ok   {what}" in out

    base = f"http://127.0.0.1:{service.port}"
    bearer = {"Authorization": "Bearer sandbox-alipay"}
    assert httpx.get(f"{base}/v1/sandbox/clock", headers=bearer).status_code == 200
    _, out, _ = service.say("keys", "list")
    assert "sandbox-alipay\tchannel\talipay" in out

    code, _, err = service.say("up", "--sandbox", "--port", str(service.port))
    assert code == 1
    assert f"port {service.port} is taken" in err
    code, _, err = service.say("up", "--sandbox", "--port", str(free_port()))
    assert code == 1
    assert "already runs" in err

    process.send_signal(signal.SIGINT)
    out, _ = process.communicate(timeout=30)
    assert process.returncode == 0
    assert f"kinbind is ready on {base} (sandbox)" in out
    assert "sandbox-alipay" in out
    assert "sandbox-supervisor-2" in out
    assert not [one for one in family if one.is_running() and one.status() != psutil.STATUS_ZOMBIE]
    code, out, err = service.say("doctor")
    assert code == 1
    assert "bad  database" in out
    assert "nothing runs on" in out
    assert err.count("\n") == 1


def test_every_command_of_the_readme_works(service):
    if not (shutil.which("bash") and shutil.which("curl")):
        cannot_run("the README's walk without bash or curl")
    chapters = {"README.md": "## One application, by hand", "README.zh-CN.md": "## 亲手办一件"}
    scripts = [_commands(ROOT / name, chapter) for name, chapter in chapters.items()]
    assert scripts[0] == scripts[1]
    service.up()
    script = (
        scripts[0].replace("127.0.0.1:8000", f"127.0.0.1:{service.port}").replace(".venv/bin/python", sys.executable)
    )
    script = script.replace("/tmp/page.jpg", f"{service.folder}/page.jpg")
    here = os.environ | {"KINBIND_VAR": f"{service.folder}/var"}  # the reader's is ./var
    for _ in range(2):  # as often as one likes, on one running service
        done = subprocess.run(
            ["bash", "-eu", "-o", "pipefail", "-c", script],
            cwd=ROOT, env=here, capture_output=True, text=True, check=False, timeout=120,
        )  # fmt: skip
        _walked(done)


def _walked(done: "subprocess.CompletedProcess[str]") -> None:
    assert done.returncode == 0, done.stdout + done.stderr
    assert "/problem" not in done.stdout
    order = ("bnd_", '"materials_uploaded"', '"for":"face_check"', "face_no_match", '"active"', "It is in force",
             '"state":"unbinding"', '"state":"unbound"', '{"now":')  # fmt: skip
    places = [done.stdout.index(word) for word in order]
    assert places == sorted(places), done.stdout


def _commands(page: Path, chapter: str) -> str:
    text = page.read_text().partition(f"{chapter}\n")[2].partition("\n## ")[0]
    return "\n".join(re.findall(r"```sh\n(.*?)```", text, re.DOTALL))


def test_without_the_sandbox_it_says_what_is_missing(service):
    code, _, err = service.say("up", "--port", str(service.port))
    assert code == 1
    assert "no face provider" in err
    assert "KINBIND_SANDBOX=1" in err
    assert not (service.folder / "var" / "addresses.json").exists()
