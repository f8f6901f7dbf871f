"""The second way to run, by hand: servers by URL, two of each process, started by the words of docker-compose.yml."""

import contextlib
import io
import os
import re
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from typing import Any

import httpx
import psycopg
import pytest
import yaml
from PIL import Image

from embedded.children import free_port
from policies.people import make_id_number
from tests.wire import NO_AUTHORITIES

ROOT = Path(__file__).parents[2]
SERVICES: dict[str, Any] = yaml.safe_load((ROOT / "docker-compose.yml").read_text())["services"]
PATIENCE = 60.0  # seconds for what takes one or two on a machine with nothing else to do
# A whole life, each line once, however many workers and beats there were.
LIFE = ["submitted", "materials_submitted", "registry_answered", "face_check_started", "face_check_passed", "activated"]


@dataclass
class Household:
    """What compose would keep running; `var` stands for its volume."""

    var: Path
    database_url: str
    broker_url: str
    processes: list[subprocess.Popen[bytes]] = field(default_factory=list)

    def start(self, service: str, port: int = 0) -> subprocess.Popen[bytes]:
        """Run the service's own command with its own variables, and no others of ours."""
        given = {"KINBIND_DATABASE_URL": self.database_url, "KINBIND_BROKER_URL": self.broker_url,
                 "KINBIND_SANDBOX": "1", "KINBIND_VAR": str(self.var),
                 "UVICORN_HOST": "127.0.0.1", "UVICORN_PORT": str(port)}  # fmt: skip
        path = os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", "")])
        ours = {name: given[name] for name in SERVICES[service]["environment"]}
        others = {name: value for name, value in os.environ.items() if not name.startswith("KINBIND_")}
        with (self.var / f"{service}.{len(self.processes)}.log").open("wb") as log:
            process = subprocess.Popen(
                SERVICES[service]["command"], cwd=ROOT, env=others | ours | {"PATH": path}, stdout=log, stderr=log
            )
        self.processes.append(process)
        return process

    def end(self) -> None:
        """Ask all to stop, as compose does; what has not gone after its ten seconds is killed."""
        for process in self.processes:
            process.terminate()
        for process in self.processes:
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(10)
            process.kill()
            process.wait()


@pytest.fixture
def household(open_folder: Path, empty_database_url: str, broker_url: str) -> Iterator[Household]:
    made = Household(open_folder, empty_database_url, broker_url)
    yield made
    made.end()
    for log in sorted(open_folder.glob("*.log")):  # shown by pytest where the test failed
        said = log.read_text(errors="replace")[-3000:]
        sys.stdout.write(f"--- {log.name}\n{said}\n")


@dataclass
class ChannelApp:
    """A channel's app that speaks to one API process."""

    http: httpx.Client
    tried: int = 0

    def post(self, path: str, expect: int = 200, **request: Any) -> Any:
        self.tried += 1
        answer = self.http.post(path, **request)
        assert answer.status_code == expect, answer.text
        return answer.json()

    def state(self, binding_id: str) -> str:
        return str(self.http.get(f"/v1/bindings/{binding_id}").json()["state"])


@contextlib.contextmanager
def channel_app(port: int) -> Iterator[ChannelApp]:
    headers = {"Authorization": "Bearer sandbox-alipay"}
    with httpx.Client(base_url=f"http://127.0.0.1:{port}", headers=headers, timeout=30, trust_env=False) as http:
        yield ChannelApp(http)


def wait_for(what: Callable[[], object]) -> None:
    until = time.monotonic() + PATIENCE
    while not what():
        assert time.monotonic() < until, "waited in vain"
        time.sleep(0.1)


def ready(port: int) -> bool:
    with contextlib.suppress(httpx.TransportError):
        return (
            httpx.get(f"http://127.0.0.1:{port}/readyz", timeout=5, trust_env=False, verify=NO_AUTHORITIES).status_code
            == 200
        )
    return False


def application(app: ChannelApp, seed: int) -> dict[str, Any]:
    """What a family sends: made-up people, and every notice of the plan accepted."""
    holder = {"name": "张伟", "id_type": "resident_id", "insured_region": "440100",
              "id_number": make_id_number("440106", date(1985, 6, 1), seed)}  # fmt: skip
    member = {"name": "李秀英", "id_type": "resident_id", "insured_region": "440100",
              "id_number": make_id_number("440106", date(1958, 3, 7), seed)}  # fmt: skip
    asked = {"product": "family_account", "method": "id_number", "relationship": "PARENT",
             "holder": {"insured_region": "440100"},
             "member": {name: member[name] for name in ("insured_region", "id_number", "id_type")}}  # fmt: skip
    notices = app.post("/v1/requirements", json=asked)["notices"]
    consents = [
        {"notice": one["notice"], "version": one["version"], "accepted_at": "2026-11-21T08:00:00Z"} for one in notices
    ]
    return asked | {"holder": holder, "member": member, "initiator": "holder", "consents": consents}


def submit(app: ChannelApp, seed: int) -> httpx.Response:
    key = {"Idempotency-Key": f"application-{seed}"}
    return app.http.post("/v1/bindings", json=application(app, seed), headers=key)


def hand_in(app: ChannelApp, binding: dict[str, Any]) -> None:
    page = io.BytesIO()
    Image.new("RGB", (320, 240), "white").save(page, "JPEG")
    for group in binding["plan"]["materials"]:
        for kind in group["any_of"][0]:
            files = {"file": ("page.jpg", page.getvalue(), "image/jpeg")}
            app.post(f"/v1/bindings/{binding['id']}/materials", 201, data={"kind": kind}, files=files)
    app.post(f"/v1/bindings/{binding['id']}/actions/submit_materials")


def pass_face(app: ChannelApp, binding_id: str) -> None:
    session = app.post(f"/v1/bindings/{binding_id}/face-checks", 201, json={"subject": "member"})
    app.post(f"/v1/sandbox/face-checks/{session['id']}/complete", json={"outcome": "passed"})


def events(app: ChannelApp, binding_id: str) -> list[str]:
    items = app.http.get(f"/v1/bindings/{binding_id}/timeline").json()["items"]
    return [line["event"] for line in items]


@pytest.mark.timeout(240)
def test_one_application_goes_through_while_processes_are_killed(household: Household):
    assert household.start("migrate").wait(PATIENCE) == 0
    first_port, second_port = free_port(), free_port()
    first_api, _ = household.start("api", first_port), household.start("api", second_port)
    first_worker, _ = household.start("worker"), household.start("worker")
    first_beat, _ = household.start("beat"), household.start("beat")
    wait_for(lambda: ready(first_port) and ready(second_port))

    with channel_app(first_port) as first, channel_app(second_port) as second:
        submitted = submit(first, 1)
        assert submitted.status_code == 201, submitted.text
        again = submit(second, 1)
        assert (again.content, again.headers.get("Idempotency-Replayed")) == (submitted.content, "true")
        binding = submitted.json()
        hand_in(second, binding)  # the other process knows it too, and finds the same keys and documents
        wait_for(lambda: first.state(binding["id"]) == "face_check")

        for process in (first_api, first_worker, first_beat):
            process.kill()
            process.wait()
        pass_face(second, binding["id"])
        wait_for(lambda: second.state(binding["id"]) == "active")
        assert events(second, binding["id"]) == LIFE

        after = submit(second, 2).json()  # and who comes now is served by those who are left
        hand_in(second, after)
        wait_for(lambda: second.state(after["id"]) == "face_check")
        left_alone = submit(second, 3).json()
        move_clock(household.database_url, "8 days")
        wait_for(lambda: second.state(left_alone["id"]) == "expired")
        assert events(second, left_alone["id"]) == ["submitted", "expired"]
        assert figures_asked_for() <= figures_given(second)
        wait_for(lambda: ready(second_port))


def figures_asked_for() -> set[str]:
    """What the dashboard and the alerts of deploy/ look at."""
    told = (ROOT / "deploy" / "grafana.json").read_text() + (ROOT / "deploy" / "alerts.yml").read_text()
    return {name.removesuffix("_bucket") for name in re.findall(r"\bkinbind_[a-z_]+", told)}


def figures_given(app: ChannelApp) -> set[str]:
    return set(re.findall(r"^# TYPE (\w+)", app.http.get("/metrics").text, re.MULTILINE))


def move_clock(database_url: str, by: str) -> None:
    """Only the clock: what is due then is found by the hands that still live."""
    with psycopg.connect(database_url, autocommit=True) as connection:
        connection.execute("update service_clock set ahead = ahead + %s::interval", (by,))
