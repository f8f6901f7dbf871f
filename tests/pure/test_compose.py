"""docker-compose.yml, the image and the manifests say the same, and what their formats allow."""

import copy
import hashlib
import json
import re
import shlex
import tomllib
from pathlib import Path
from typing import Any

import jsonschema  # type: ignore[import-untyped]
import pytest
import yaml

from workflows.readiness import MISSED_AFTER, UPKEEP_MISSED_AFTER

ROOT = Path(__file__).parents[2]
SCHEMA = ROOT / "tests" / "schemas" / "compose-spec.json"
MANIFESTS = ROOT / "deploy" / "kubernetes"
OURS = ("migrate", "api", "worker", "beat")


@pytest.fixture(scope="module")
def compose() -> dict[str, Any]:
    return yaml.safe_load((ROOT / "docker-compose.yml").read_text())


def faults(document: object) -> list[str]:
    validator = jsonschema.Draft202012Validator(json.loads(SCHEMA.read_text()))
    return [error.message for error in validator.iter_errors(document)]


def test_the_schema_is_the_one_that_its_note_names():
    assert hashlib.sha256(SCHEMA.read_bytes()).hexdigest() in (SCHEMA.parent / "README.md").read_text()


def test_the_file_is_valid_by_the_compose_specification(compose):
    assert not faults(compose)


@pytest.mark.parametrize(
    ("service", "key", "value"),
    [("api", "comand", ["true"]), ("api", "ports", 8000), ("broker", "depends_on", {"api": {}})],
)
def test_the_schema_finds_what_is_wrong(compose, service, key, value):
    broken = copy.deepcopy(compose)
    broken["services"][service][key] = value
    assert faults(broken)


def test_everything_waits_for_the_migration_and_the_migration_for_the_database(compose):
    services = compose["services"]
    assert services["migrate"]["depends_on"] == {"database": {"condition": "service_healthy"}}
    assert services["migrate"]["restart"] == "no"
    for name in ("api", "worker", "beat"):
        after = services[name]["depends_on"]
        assert after["migrate"]["condition"] == "service_completed_successfully", name


def test_there_are_two_of_everything_that_may_be_doubled(compose):
    replicas = {name: compose["services"][name].get("deploy", {}).get("replicas", 1) for name in OURS}
    assert replicas == {"migrate": 1, "api": 2, "worker": 2, "beat": 2}


def test_what_is_mounted_and_published_is_as_we_mean_it(compose):
    services = compose["services"]
    named = {mount.split(":")[0] for service in services.values() for mount in service.get("volumes", [])}
    assert named == set(compose["volumes"])
    published = [port for service in services.values() for port in service.get("ports", [])]
    assert published, "the API can be reached"
    assert all(port.startswith("127.0.0.1:") for port in published), "and from this machine only"


def test_all_of_ours_share_image_keys_and_addresses(compose):
    ours = [compose["services"][name] for name in OURS]
    assert len({service["image"] for service in ours}) == 1
    shared = [{k: v for k, v in one["environment"].items() if k.startswith("KINBIND_")} for one in ours]
    assert all(one == shared[0] for one in shared)
    assert all(one["volumes"] == ours[0]["volumes"] for one in ours)


def test_the_image_carries_every_package_and_nothing_private():
    listed = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["setuptools"]["packages"]["find"]["include"]
    packages = {name for name in listed if not name.endswith(".*")}
    copied = set(re.findall(r"^COPY (\w+) \1$", (ROOT / "deploy" / "Dockerfile").read_text(), re.MULTILINE))
    assert copied == packages
    ignore = (ROOT / "deploy" / "Dockerfile.dockerignore").read_text().splitlines()
    allowed = {line.removeprefix("!") for line in ignore if line.startswith("!")}
    assert "*" in ignore
    assert allowed == packages | {"requirements.lock", "LICENSE", "pyproject.toml"}


def test_the_manifests_run_the_same_commands(compose):
    documents = [one for path in sorted(MANIFESTS.glob("*.yaml")) for one in yaml.safe_load_all(path.read_text())]
    workloads = [one for one in documents if one["kind"] in ("Deployment", "Job")]
    commands = {one["metadata"]["name"]: one["spec"]["template"]["spec"]["containers"][0]["args"] for one in workloads}
    assert commands == {name: compose["services"][name]["command"] for name in OURS}


def test_the_image_starts_the_api_as_compose_does(compose):
    (given,) = re.findall(r"^CMD (\[.*\])$", (ROOT / "deploy" / "Dockerfile").read_text(), re.MULTILINE)
    assert json.loads(given) == compose["services"]["api"]["command"]
    assert not any("$" in word for name in OURS for word in compose["services"][name]["command"])
    assert shlex.join(compose["services"]["migrate"]["command"]) == "python -m cli.main migrate"


def test_by_hand_they_are_started_as_compose_starts_them(compose):
    """Without its time limit an API process waits for each open console page: ten minutes."""
    page = (ROOT / "docs" / "running.md").read_text()
    (told,) = re.findall(r"^By hand,.*?```\n(.*?)```", page, re.DOTALL | re.MULTILINE)
    commands = [shlex.split(line, comments=True) for line in told.splitlines()]
    assert [one for one in OURS if compose["services"][one]["command"] not in commands] == []


@pytest.mark.parametrize(
    ("alert", "worker", "seconds"),
    [("KinbindNoWorker", '=~"worker.*"', MISSED_AFTER), ("KinbindNoUpkeep", '="keep_up"', UPKEEP_MISSED_AFTER)],
)
def test_where_there_is_no_worker_and_no_upkeep_somebody_hears_of_it(alert, worker, seconds):
    """Without one there is no heartbeat, and what compares with nothing never fires."""
    told = yaml.safe_load((ROOT / "deploy" / "alerts.yml").read_text())
    (rule,) = [rule for group in told["groups"] for rule in group["rules"] if rule["alert"] == alert]
    ways = [way.strip() for way in rule["expr"].split(" or ")]
    heartbeat = f"kinbind_worker_heartbeat_timestamp_seconds{{worker{worker}}}"
    assert ways == [f"time() - max({heartbeat}) > {seconds}", f"absent({heartbeat})"]
