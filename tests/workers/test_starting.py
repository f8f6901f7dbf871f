"""What keeps a process from starting is one line in its log, and an exit code."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from embedded.children import free_port

ROOT = Path(__file__).parents[2]
API = ("uvicorn", "service.app:create_app", "--factory", "--no-access-log")
WORKER = ("celery", "--app=tasks.app", "worker", "--pool=threads", "--without-gossip", "--without-mingle", "-lWARNING")
WRONG = [  # one is read when the app is made, the other when it starts to serve
    ("KINBIND_SANDBOX", "true", "KINBIND_SANDBOX is 0 or 1"),
    ("KINBIND_PACKS", "{tmp}/nowhere", "the packs cannot be used: "),
]


def ends(command: tuple[str, ...], settings: dict[str, str]) -> tuple[int, list[dict[str, Any]]]:
    """Start a process that cannot; its exit code, and the lines of its log."""
    others = {name: value for name, value in os.environ.items() if not name.startswith("KINBIND_")}
    given = others | {"UVICORN_PORT": str(free_port())} | settings
    done = subprocess.run(
        [sys.executable, "-m", *command], cwd=ROOT, env=given, capture_output=True, text=True, check=False, timeout=60
    )
    assert "Traceback" not in done.stdout + done.stderr
    log = [line for line in done.stderr.splitlines() if line.startswith("{")]  # Celery warns root in words of its own
    return done.returncode, [json.loads(line) for line in log]


@pytest.fixture
def sandbox(database_url: str, broker_url: str, tmp_path: Path) -> dict[str, str]:
    return {"KINBIND_DATABASE_URL": database_url, "KINBIND_BROKER_URL": broker_url, "KINBIND_SANDBOX": "1",
            "KINBIND_VAR": str(tmp_path)}  # fmt: skip


@pytest.mark.parametrize(("name", "value", "why"), WRONG)
def test_an_api_process_says_once_why_it_cannot_start(
    sandbox: dict[str, str], tmp_path: Path, name: str, value: str, why: str
) -> None:
    code, log = ends(API, sandbox | {name: value.format(tmp=tmp_path)})
    assert code != 0
    (told,) = [line["why"] for line in log if line["event"] == "cannot_start"]
    assert why in told
    assert [line for line in log if "fault" in line] == []


def test_a_worker_that_could_do_nothing_ends_and_takes_no_hints(sandbox: dict[str, str], tmp_path: Path) -> None:
    code, log = ends(WORKER, sandbox | {"KINBIND_KEYS_FILE": str(tmp_path)})
    assert code == 1
    assert [line.get("why") for line in log] == [f"{tmp_path} cannot be read: Is a directory"]


def test_of_a_defect_it_says_where(sandbox: dict[str, str], tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    code, log = ends(API, sandbox | {"KINBIND_DOCUMENTS": str(tmp_path / "file" / "documents")})
    assert code != 0
    (told,) = [line for line in log if "fault" in line]
    assert (told["event"], told["fault"], told["errno"]) == ("cannot_start", "NotADirectoryError", "ENOTDIR")
    assert str(tmp_path) not in str(log)
