"""A ledger belongs to one keyring: under another the same two people would be bound twice."""

import threading
from contextlib import suppress
from pathlib import Path

import pytest

from models import keyring
from models.ledger import Ledger
from tasks.office import open_office
from workflows.keyed import keyring_of


@pytest.fixture
def settings(database_url: str, monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    monkeypatch.setenv("KINBIND_DATABASE_URL", database_url)
    monkeypatch.setenv("KINBIND_SANDBOX", "1")
    monkeypatch.delenv("KINBIND_KEYS_FILE", raising=False)
    return monkeypatch


def test_the_first_keyring_has_the_ledger_and_another_is_refused(settings: pytest.MonkeyPatch, tmp_path: Path) -> None:
    settings.setenv("KINBIND_VAR", str(tmp_path / "ours"))
    with open_office():
        pass
    settings.setenv("KINBIND_VAR", str(tmp_path / "its own"))  # as a pod has that was given none
    with pytest.raises(keyring.AnotherKeyringError, match="is not the keyring of this ledger"), open_office():
        pass


def test_another_sealing_key_makes_no_other_keyring(settings: pytest.MonkeyPatch, tmp_path: Path) -> None:
    settings.setenv("KINBIND_VAR", str(tmp_path))
    with open_office():
        pass
    path = keyring.keys_file()
    keyring.use(path, keyring.add(path))
    keyring._read_cached.cache_clear()
    with open_office() as office:
        assert office.desk.keys.current == "k002"


def test_of_keyrings_that_come_together_one_has_the_ledger(
    database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rings: list[keyring.Keyring] = []
    for name in ("one", "two", "three"):
        keyring.make(tmp_path / name)
        rings.append(keyring.read(tmp_path / name))
    ours = threading.local()
    monkeypatch.setattr("workflows.keyed.keyring", lambda: ours.keys)
    had: list[keyring.Keyring] = []
    together = threading.Barrier(len(rings))

    def come(ring: keyring.Keyring) -> None:
        ours.keys = ring
        together.wait(10)
        with suppress(keyring.AnotherKeyringError):
            had.append(keyring_of(ledger))

    ledger = Ledger(database_url, size=len(rings))
    threads = [threading.Thread(target=come, args=(ring,)) for ring in rings]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(10)
    ledger.close()
    assert len(had) == 1
