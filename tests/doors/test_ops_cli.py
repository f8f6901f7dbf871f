"""Repairs and audit from the command line: the same orders, the same refusals, under the caller's own key."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
import structlog

from cli.main import begin
from tasks.office import Office
from tests import life
from tests.doors.conftest import Run


def test_a_repair_is_tried_applied_approved_and_undone(kinbind: Run, office: Office):
    binding_id = life.to_state(office, "offline_fallback")
    asked = ("repair", "run", "move", "--binding", binding_id, "--to", "face_check", "--reason", "供应商故障")
    tried = kinbind(*asked, "--dry-run", key="operator")
    assert (tried.exit_code, life.look(office, binding_id).state) == (0, "offline_fallback")
    assert "state offline_fallback → face_check" in tried.stdout
    repair_id = tried.stdout.split()[0]
    assert f"kinbind repair approve {repair_id}" in kinbind("repair", "apply", repair_id, key="operator").stdout
    refused = kinbind("repair", "approve", repair_id, key="operator-2")
    assert (refused.exit_code, refused.stderr) == (1, "kinbind: this key has not the role for it\n")
    assert "done; 1 done" in kinbind("repair", "approve", repair_id, key="supervisor").stdout
    assert life.look(office, binding_id).state == "face_check"
    undone = kinbind("repair", "undo", repair_id, "--reason", "误操作", key="operator")
    assert "undone; 1 undone" in undone.stdout
    assert life.look(office, binding_id).state == "offline_fallback"
    assert repair_id in kinbind("repair", "list", key="operator").stdout
    assert "1\tundone" in kinbind("repair", "show", repair_id, key="operator").stdout


def test_a_repair_is_withdrawn_by_who_asked_for_it(kinbind: Run, office: Office):
    binding_id = life.to_state(office, "active")
    asked = ("repair", "run", "suspend", "--binding", binding_id, "--reason", "误报")
    repair_id = kinbind(*asked, key="operator").stdout.split()[0]
    assert "withdrawn" in kinbind("repair", "withdraw", repair_id, "--reason", "误报", key="operator").stdout
    assert kinbind("repair", "approve", repair_id, key="supervisor").exit_code == 1
    assert life.look(office, binding_id).state == "active"


@pytest.mark.parametrize(("verb", "more"), [("replan", ("--to-version", "2027-01-01")), ("ask_again", ())])
def test_what_can_not_be_done_waits_for_nobody_and_is_no_success(
    kinbind: Run, office: Office, verb: str, more: tuple[str, ...]
):
    """A version that is not there; a question that nobody has asked."""
    binding_id = life.to_state(office, "submitted")
    tried = kinbind("repair", "run", verb, "--binding", binding_id, *more, "--reason", "演练", key="operator")
    assert "done; 1 refused" in tried.stdout
    assert (tried.exit_code, tried.stderr) == (1, "kinbind: nothing has been repaired\n")
    dry = kinbind(
        "repair", "run", verb, "--binding", binding_id, *more, "--reason", "演练", "--dry-run", key="operator"
    )
    applied = kinbind("repair", "apply", dry.stdout.split()[0], key="operator")
    assert ("done; 1 refused" in applied.stdout, applied.exit_code) == (True, 1)


def test_what_is_stuck_is_repaired_by_its_fingerprint(kinbind: Run, office: Office):
    made = [life.to_state(office, "submitted", seed=seed) for seed in (1, 2)]
    with office.ledger.connection() as conn:
        conn.execute("update deadlines set parked = 'step_poisoned'")
    fingerprint = "step_poisoned:submitted_to_materials"
    assert f"2\t{fingerprint}" in kinbind("repair", "stuck", key="operator").stdout
    done = kinbind("repair", "run", "rearm", "--fingerprint", fingerprint, "--reason", "已修复", key="operator")
    assert "done; 2 done" in done.stdout
    assert [life.events(office, one) for one in made] == [["submitted", "repaired"]] * 2
    assert fingerprint not in kinbind("repair", "stuck", key="operator").stdout


def test_nothing_found_is_said(kinbind: Run, office: Office):
    assert kinbind("repair", "stuck", key="operator").stdout == "nothing is stuck\n"
    assert kinbind("repair", "list", key="operator").stdout == "no repair has been ordered\n"
    asked = ("repair", "run", "rearm", "--state", "active", "--reason", "演练", "--dry-run")
    told = kinbind(*asked, key="operator").stdout
    assert "nothing matched" in told
    assert "repair apply" not in told


def test_without_a_key_and_a_terminal_it_is_wrongly_asked(kinbind: Run, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.delenv("KINBIND_KEY", raising=False)
    done = kinbind("repair", "list")
    assert (done.exit_code, done.stdout) == (2, "")
    assert done.stderr == "kinbind: whose key? set KINBIND_KEY\n"
    assert kinbind("repair", "list", "--help").exit_code == 0


def test_a_move_is_explained_by_the_reason_that_was_given(kinbind: Run, office: Office):
    binding_id = life.to_state(office, "face_check")
    asked = ("repair", "run", "move", "--binding", binding_id, "--to", "offline_fallback", "--reason", "供应商停机")
    repair_id = kinbind(*asked, key="operator").stdout.split()[0]
    kinbind("repair", "approve", repair_id, key="supervisor")
    zh, en = kinbind("explain", binding_id).stdout.splitlines()
    assert zh.startswith("该绑定已转线下办理，原因：供应商停机（自")
    assert "because: 供应商停机 (since" in en


def test_what_breaks_shows_places_and_nobodys_name(capsys: pytest.CaptureFixture[str]):
    before = structlog.get_config()
    try:
        begin()
        try:
            int("张伟")
        except ValueError:
            structlog.get_logger().exception("broken")
    finally:
        structlog.configure(**before)
    told = capsys.readouterr().err
    assert "broken" in told
    assert "test_ops_cli.py" in told
    assert "ValueError" in told
    assert "张伟" not in told


@pytest.mark.parametrize(
    ("arguments", "code", "told"),
    [
        (("run", "dance", "--reason", "x"), 2, "no such repair; there are rearm"),
        (("run", "rearm", "--cause", "bad_luck", "--reason", "x"), 2, "no such cause"),
        (("stuck", "--cause", "bad_luck"), 2, "no such cause"),
        (("run", "rearm", "--reason", "x"), 2, "a filter that asks nothing"),
        (("run", "move", "--state", "active", "--reason", "x"), 2, "argument_missing at /to"),
        (("show", "rep_nobody"), 1, "no such repair"),
    ],
)
def test_what_is_wrongly_asked_is_one_line(kinbind: Run, arguments: tuple[str, ...], code: int, told: str):
    done = kinbind("repair", *arguments, key="operator")
    assert (done.exit_code, told in done.stderr, done.stderr.count("\n")) == (code, True, 1), done.stderr


def test_an_export_is_verified_without_a_service(
    kinbind: Run, office: Office, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    binding_id = life.to_state(office, "active")
    assert "6 lines of 1 bindings are whole" in kinbind("audit", "verify").stdout
    public, target = kinbind("audit", "key").stdout.strip(), tmp_path / "export.jsonl"
    assert kinbind("audit", "export", str(target), "--binding", binding_id).exit_code == 0
    assert target.stat().st_mode & 0o777 == 0o600
    assert "nothing is overwritten" in kinbind("audit", "export", str(target)).stderr
    for name in [name for name in os.environ if name.startswith("KINBIND_") and "TEST" not in name]:
        monkeypatch.delenv(name)
    whole = kinbind("audit", "verify", str(target), "--public-key", public)
    assert (whole.exit_code, whole.stdout) == (0, "6 lines of 1 bindings are whole, each chained to the one before\n")
    target.write_bytes(target.read_bytes().replace(b"activated", b"suspended"))
    broken = kinbind("audit", "verify", str(target), "--public-key", public)
    assert broken.exit_code == 1
    assert "its hash does not fit" in broken.stdout
    assert "cannot be checked" in kinbind("audit", "verify", str(Path(__file__))).stderr


def test_whose_export_it_is_is_asked_in_earnest(kinbind: Run, office: Office, tmp_path: Path):
    binding_id, target = life.to_state(office, "submitted"), tmp_path / "export.jsonl"
    assert kinbind("audit", "export", str(target)).exit_code == 0
    verify = ("audit", "verify", str(target))
    assert "give --public-key" in kinbind(*verify).stdout
    for key in ("", "x", "é", "AAAA"):
        done = kinbind(*verify, "--public-key", key)
        assert (done.exit_code, done.stdout) == (2, "")
        assert done.stderr == "kinbind: --public-key is no key as `kinbind audit key` tells it\n"
    for wrong, code, words in (
        ((*verify, "--binding", binding_id), 2, "checked as a whole"),
        (("audit", "verify", "--public-key", "AAAA"), 2, "is for an export"),
        (("audit", "verify", "--binding", ""), 1, "no binding ''"),
        (("audit", "export", str(tmp_path / "all"), "--binding", ""), 1, "no binding ''"),  # which is not all of them
        (("audit", "export", str(tmp_path / "all"), "--since", "2026-12-03", "--until", "2026-11-01"), 2, "before"),
    ):
        done = kinbind(*wrong)
        assert (done.exit_code, words in done.stderr, done.stderr.count("\n")) == (code, True, 1), done.stderr
    target.write_bytes(target.read_bytes().replace(b"submitted", b"withdrawn"))
    done = kinbind(*verify)
    assert (done.exit_code, "give --public-key" in done.stdout) == (1, True)


def test_an_export_that_cannot_be_made_leaves_no_file(
    kinbind: Run, office: Office, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    target = tmp_path / "export.jsonl"
    for day in ("0001-01-01", "9999-12-31T23:00:00-05:00"):
        done = kinbind("audit", "export", str(target), "--since", day)
        assert (done.exit_code, done.stderr.startswith("kinbind: not a time"), done.stderr.count("\n")) == (2, True, 1)
        assert not target.exists()

    def torn(*_: object, **__: object) -> Iterator[bytes]:
        yield b"{}\n"
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr("workflows.audit.export", torn)
        done = kinbind("audit", "export", str(target))
    assert (done.exit_code, done.stderr) == (1, f"kinbind: {target} cannot be written: No space left on device\n")
    assert kinbind("audit", "export", str(target)).exit_code == 0


def test_a_broken_ledger_is_told(kinbind: Run, office: Office):
    binding_id = life.to_state(office, "submitted")
    with office.ledger.connection() as conn:
        conn.execute("update history set note = 'x'")
    done = kinbind("audit", "verify", "--binding", binding_id)
    assert done.exit_code == 1
    assert f"{binding_id}\t1\tis not what was written" in done.stdout


def test_keys_that_everybody_knows_open_nothing_outside_the_sandbox(
    kinbind: Run, office: Office, monkeypatch: pytest.MonkeyPatch
):
    binding_id = life.to_state(office, "submitted")
    asked = ("repair", "run", "rearm", "--binding", binding_id, "--reason", "x")
    assert kinbind(*asked, key="operator").exit_code == 0
    monkeypatch.delenv("KINBIND_SANDBOX")
    refused = kinbind(*asked, key="operator")
    assert (refused.exit_code, refused.stderr.count("\n")) == (1, 1)
    assert "outside the sandbox" in refused.stderr
