"""The demo tells its stories, leaves nothing behind, and fails when one of them ends otherwise."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import psutil
import pytest

from embedded.binaries import ServerMissing, postgres_installation, valkey_server
from tests.evidence import cannot_run

ROOT = Path(__file__).parents[2]
# The same demo with another story in it, which expects what does not happen.
WITH_A_WRONG_STORY = """
from cli.demo import run, stories
from cli.demo.town import Ending
def a_wrong_story(town):
    "Nobody hands anything in, and it is in force all the same."
    app = town.anyone
    view = app.apply(town.adult("错一", 40, "440100"), town.adult("错二", 70, "440100"), "PARENT")
    return [Ending("wrong", app, view["id"], "active")]
run.TOGETHER, run.IN_TURN, run.AFTERWARDS = (stories.the_wrong_door, a_wrong_story), (), ()
from cli.main import app
app(["demo", "--exit"], prog_name="kinbind")
"""

pytestmark = pytest.mark.timeout(240)


@pytest.fixture(autouse=True)
def _servers():
    try:
        postgres_installation()
        valkey_server()
    except ServerMissing as missing:
        cannot_run(str(missing))


def start(folder: Path, *python: str) -> subprocess.Popen[str]:
    environment = {name: value for name, value in os.environ.items() if not name.startswith("KINBIND_")}
    return subprocess.Popen(
        [sys.executable, *python],
        cwd=folder,
        env=environment | {"PYTHONPATH": str(ROOT)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def left_behind(folder: Path) -> list[str]:
    """Processes of the demo's own folder."""
    named = []
    for process in psutil.process_iter(["cmdline", "environ"]):
        said = " ".join(process.info["cmdline"] or ()), (process.info["environ"] or {}).get("KINBIND_VAR", "")
        if any(str(folder) in one for one in said):
            named.append(str(process))
    return named


def test_all_stories_end_as_they_should(open_folder):
    process = start(open_folder, "-m", "cli.main", "demo", "--exit")
    out, err = process.communicate(timeout=180)
    assert process.returncode == 0, out + err
    assert "✗" not in out
    for way in (
        "submitted → materials_uploaded → face_check → active → unbinding → unbound",
        "agency_review → returned → materials_uploaded → agency_review → active",
        "face_check → offline_fallback → active\tface_no_match, face_liveness, first_attempt_to_pass",
        "agency_review → rejected\trelation_unproven",
        "submitted → expired\tsubmitted_to_materials",
        "409 member_binder_limit",
        "materials_uploaded → agency_review\twaits for review until ",
    ):
        assert way in out
    assert not left_behind(open_folder)


def test_a_story_that_ends_otherwise_fails_the_demo(open_folder):
    process = start(open_folder, "-c", WITH_A_WRONG_STORY)
    out, err = process.communicate(timeout=180)
    assert process.returncode == 1
    assert "wrong: bnd_" in out
    assert "is submitted, expected active" in out
    assert "0 stories and 1 applications ended otherwise" in err
    assert not left_behind(open_folder)


def test_who_stops_it_half_way_is_not_told_that_all_went_well(open_folder):
    process = start(open_folder, "-m", "cli.main", "demo")
    assert process.stdout is not None
    while "✓" not in process.stdout.readline():
        assert process.poll() is None
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=60)
    assert process.returncode == 1
    assert "✗" not in out
    assert err == "kinbind: stopped before the stories were over\n"
    assert not left_behind(open_folder)
