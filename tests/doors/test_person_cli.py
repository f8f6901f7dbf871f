"""What a person may ask for, from the command line: his number is typed, never an option, and never shown."""

import json
from datetime import date
from pathlib import Path

from tasks.office import Office
from tests import life
from tests.doors.conftest import Run

WHY = ("--purpose", "申请 2026-18")


def number(office: Office, binding_id: str, role: str = "member") -> str:
    """As it is typed at the question, with the end of its line."""
    return f"{life.look(office, binding_id).application.parties[role]['id_number']}\n"


def test_somebody_is_told_kept_and_erased(kinbind: Run, office: Office, tmp_path: Path) -> None:
    over = life.to_state(office, "withdrawn", seed=1)
    living = life.to_state(office, "active", seed=2, member_seed=1)
    typed, target = number(office, over), tmp_path / "told.json"
    told = kinbind("person", "export", str(target), *WHY, key="supervisor", typed=typed)
    assert (told.exit_code, "2 bindings" in told.stdout) == (0, True), told.output
    assert typed.strip() not in told.output
    assert target.stat().st_mode & 0o777 == 0o600
    held = json.loads(target.read_bytes())
    assert {one["id"]: one["member"]["id_number"] for one in held["bindings"]} == dict.fromkeys(
        (over, living), typed.strip()
    )
    kept = kinbind("person", "hold", *WHY, key="supervisor", typed=typed)
    assert f"{over}\tkept until the hold is lifted" in kept.stdout
    refused = kinbind("person", "erase", "--yes", *WHY, key="supervisor", typed=typed)
    assert f"{over}\tkept: it is under a legal hold" in refused.stdout
    assert f"{over}\tunder no hold" in kinbind("person", "release", *WHY, key="supervisor", typed=typed).stdout
    asked = kinbind("person", "erase", *WHY, key="supervisor", typed=f"{typed}n\n")
    assert asked.exit_code == 1
    assert life.look(office, over).application.parties["member"]["name"] == "李秀英"
    erased = kinbind("person", "erase", *WHY, key="supervisor", typed=f"{typed}y\n")
    assert f"{over}\tname, number and documents are erased" in erased.stdout
    assert f"{living}\tkept: it has not ended" in erased.stdout
    assert life.look(office, over).application.parties["member"]["name"] == "***"
    assert "***" in kinbind("show", over).stdout
    assert kinbind("explain", over).exit_code == 0


def test_it_is_a_supervisors_and_about_somebody(kinbind: Run, office: Office, tmp_path: Path) -> None:
    typed = number(office, life.to_state(office, "withdrawn", seed=3))
    refused = kinbind("person", "erase", "--yes", *WHY, key="operator", typed=typed)
    assert (refused.exit_code, refused.stderr) == (1, "kinbind: this key has not the role for it\n")
    wrong = kinbind("person", "export", str(tmp_path / "a.json"), *WHY, key="supervisor", typed="12\n")
    assert (wrong.exit_code, "no number of any document" in wrong.stderr) == (2, True)
    assert not (tmp_path / "a.json").exists()
    nobody = f"{life.number(date(1970, 1, 1), 4)}\n"
    assert "no binding here is his" in kinbind("person", "hold", *WHY, key="supervisor", typed=nobody).stdout
    assert kinbind("person", "hold", key="supervisor", typed=typed).exit_code == 2
