"""Documents in a folder, sealed."""

import os
from pathlib import Path
from typing import cast

import pytest

from gateways.documents import DocumentMissing, DocumentsAway, FolderStore, open_documents
from gateways.sandbox import Pool
from gateways.windows import NotConfigured, open_windows
from models.keyring import Keyring, SealBrokenError

KEYS = Keyring({"k001": b"k" * 32}, "k001", b"i" * 32)
ONE = "mat_01JDABCDEFGHJKMNPQRSTVWXYZ"


@pytest.fixture
def store(tmp_path):
    return FolderStore(tmp_path / "documents", KEYS)


def files(tmp_path: Path) -> list[Path]:
    return [path for path in tmp_path.rglob("*") if path.is_file()]


def test_what_is_put_is_got_and_lies_sealed(store, tmp_path):
    store.put(ONE, b"a register page")
    assert store.get(ONE) == b"a register page"
    (path,) = files(tmp_path)
    assert b"register" not in path.read_bytes()
    assert path.stat().st_mode & 0o077 == 0
    assert path.parent.stat().st_mode & 0o077 == 0
    assert path.parent.parent.stat().st_mode & 0o077 == 0


def test_put_again_replaces_and_delete_forgets(store, tmp_path):
    store.put(ONE, b"one")
    store.put(ONE, b"two")
    assert store.get(ONE) == b"two"
    store.delete(ONE)
    store.delete(ONE)
    assert files(tmp_path) == []
    with pytest.raises(DocumentMissing):
        store.get(ONE)


def test_one_document_does_not_open_in_the_place_of_another(store, tmp_path):
    store.put(ONE, b"one")
    (path,) = files(tmp_path)
    path.rename(path.with_name("mat_other_YZ"))
    with pytest.raises(SealBrokenError):
        store.get("mat_other_YZ")


@pytest.mark.parametrize("given", ["", "../../etc/passwd", "a/b", "a" * 65, "户口簿.jpg", "a.jpg", ONE + "\n"])
def test_names_of_families_are_no_ids(store, given):
    with pytest.raises(ValueError, match="document ids"):
        store.put(given, b"x")


def test_a_write_that_fails_leaves_the_old_one_whole(store, tmp_path, monkeypatch):
    store.put(ONE, b"one")

    def full(_):
        raise OSError(28, "no space")

    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", full)
        with pytest.raises(OSError, match="no space"):
            store.put(ONE, b"two")
    assert store.get(ONE) == b"one"
    assert len(files(tmp_path)) == 1


def test_a_folder_that_is_gone_is_away_and_no_document_missing(store, tmp_path):
    store.put(ONE, b"one")
    (tmp_path / "documents").rename(tmp_path / "elsewhere")
    for asked in (lambda: store.put(ONE, b"two"), lambda: store.get(ONE)):
        with pytest.raises(DocumentsAway):
            asked()
    (tmp_path / "elsewhere").rename(tmp_path / "documents")
    assert store.get(ONE) == b"one"
    with pytest.raises(DocumentMissing):
        store.get(ONE[:-1] + "x")


def test_what_a_killed_process_left_is_dropped_after_an_hour(tmp_path):
    root = tmp_path / "documents"
    FolderStore(root, KEYS)
    old, fresh = root / ".incoming" / "old", root / ".incoming" / "fresh"
    old.write_bytes(b"half")
    fresh.write_bytes(b"half")
    os.utime(old, (0, 0))
    FolderStore(root, KEYS)
    assert files(tmp_path) == [fresh]


def test_the_folder_comes_from_the_environment(tmp_path, monkeypatch):
    monkeypatch.setenv("KINBIND_VAR", str(tmp_path / "var"))
    monkeypatch.delenv("KINBIND_DOCUMENTS", raising=False)
    monkeypatch.delenv("KINBIND_KEYS_FILE", raising=False)
    open_documents().put(ONE, b"x")
    assert (tmp_path / "var" / "documents").is_dir()
    monkeypatch.setenv("KINBIND_DOCUMENTS", str(tmp_path / "elsewhere"))
    open_documents()
    assert (tmp_path / "elsewhere").is_dir()


def test_without_the_sandbox_the_service_refuses_to_open_and_says_why(monkeypatch):
    monkeypatch.delenv("KINBIND_SANDBOX", raising=False)
    with pytest.raises(NotConfigured, match=r"face provider.*registries.*KINBIND_SANDBOX"):
        open_windows(cast("Pool", None))
