"""The keyring's file: what is none of ours, and who may read it."""

import base64
import json
import os
from pathlib import Path

import pytest
from typer.testing import CliRunner

from cli import doctor
from cli.main import app
from models import keyring


@pytest.mark.parametrize(
    "change",
    [
        lambda body: body.pop("index_key"),
        lambda body: body.update(current="k002"),
        lambda body: body.update(keys=["k001"]),
        lambda body: body["keys"].update(k001="c2hvcnQ="),
        lambda body: body["keys"].update(k001=base64.b64encode(bytes(16)).decode()),  # AES would take it
        lambda body: body["keys"].update(k1000=base64.b64encode(bytes(32)).decode()),  # what it seals, nothing opens
        lambda body: body.update(index_key="c2hvcnQ="),
        lambda body: body.update(index_key=7),
    ],
    ids=[
        "no index key",
        "no current key",
        "a list",
        "a short key",
        "a key of half the size",
        "a long name",
        "a short index key",
        "a number",
    ],
)
def test_a_keyring_that_lacks_something_is_none(tmp_path, change):
    path = tmp_path / "keys.json"
    keyring.make(path)
    change(body := json.loads(path.read_text()))
    path.write_text(json.dumps(body))
    with pytest.raises(keyring.KeyringBrokenError):
        keyring.read(path)


def test_a_keyring_that_cannot_be_read_says_why(tmp_path):
    (tmp_path / "keys.json").mkdir()
    with pytest.raises(keyring.KeyringUnreadableError, match=r"keys.json cannot be read: Is a directory"):
        keyring.read(tmp_path / "keys.json")


@pytest.fixture
def found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """What the doctor says of a keyring of this mode."""
    path = tmp_path / "keys.json"
    monkeypatch.setenv("KINBIND_KEYS_FILE", str(path))
    keyring.make(path)

    def look(mode: int) -> str:
        path.chmod(mode)
        (said,) = doctor._keyring()
        return said.level

    return look


@pytest.mark.parametrize("mode", [0o600, 0o400, 0o440, 0o640])
def test_a_keyring_as_kubernetes_mounts_it_is_well(found, mode):
    assert found(mode) == "ok"


@pytest.mark.parametrize("mode", [0o604, 0o644, 0o601, 0o602, 0o660, 0o460, 0o444])
def test_a_keyring_that_others_read_or_a_group_writes_is_not(found, mode):
    assert found(mode) == "bad"


def test_a_keyring_is_made_once_by_hand(tmp_path, monkeypatch):
    monkeypatch.setenv("KINBIND_KEYS_FILE", str(tmp_path / "keys.json"))
    assert CliRunner().invoke(app, ["keys", "make"]).exit_code == 0
    made = (tmp_path / "keys.json").read_bytes()
    again = CliRunner().invoke(app, ["keys", "make"])
    assert (again.exit_code, "never made anew" in again.stderr) == (1, True)
    assert (tmp_path / "keys.json").read_bytes() == made
    assert (tmp_path / "keys.json").stat().st_mode & 0o777 == 0o600


def test_a_key_is_added_before_it_seals_and_the_older_ones_still_open(tmp_path, monkeypatch):
    path = tmp_path / "keys.json"
    monkeypatch.setenv("KINBIND_KEYS_FILE", str(path))
    keyring.make(path)
    path.chmod(0o640)  # as a Secret is mounted for a group
    first = keyring.read(path)
    sealed = first.seal(b"a name", "here")
    assert "k002 is in" in CliRunner().invoke(app, ["keys", "add"]).stdout
    added = keyring.read(path)
    assert (added.key_ids, added.current) == (["k001", "k002"], "k001")
    assert CliRunner().invoke(app, ["keys", "use", "k002"]).exit_code == 0
    rotated = keyring.read(path)
    assert (rotated.current, rotated.open(sealed, "here")) == ("k002", b"a name")
    assert added.open(rotated.seal(b"another", "here"), "here") == b"another"  # a process that has not begun to use it
    with pytest.raises(keyring.KeyUnknownError):
        first.open(rotated.seal(b"another", "here"), "here")
    assert rotated.person("citizen18", "x") == first.person("citizen18", "x")
    refused = CliRunner().invoke(app, ["keys", "use", "k009"])
    assert (refused.exit_code, "it has k001, k002" in refused.stderr) == (1, True)
    assert path.stat().st_mode & 0o777 == 0o640
    assert [one.name for one in tmp_path.iterdir()] == ["keys.json"]


def test_whoever_adds_a_key_leaves_the_file_where_it_lies_and_whose_it_is(tmp_path):
    real, link = tmp_path / "real.json", tmp_path / "keys.json"
    keyring.make(real)
    link.symlink_to(real)
    if os.geteuid() == 0:
        os.chown(real, 65534, 65534)
    owner = real.stat().st_uid
    keyring.add(link)
    assert link.is_symlink()
    assert (keyring.read(real).key_ids, real.stat().st_uid, real.stat().st_mode & 0o777) == (
        ["k001", "k002"],
        owner,
        0o600,
    )


def test_a_key_of_another_name_is_added_to(tmp_path):
    path = tmp_path / "keys.json"
    keyring.make(path)
    body = json.loads(path.read_bytes())
    path.write_text(json.dumps(body | {"current": "prod", "keys": {"prod": body["keys"]["k001"]}}))
    assert (keyring.add(path), keyring.read(path).current) == ("k001", "prod")
