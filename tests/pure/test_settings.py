"""The environment: a Secret made with `echo` brings a line feed along, and what is misspelt is no setting."""

from collections.abc import Callable
from pathlib import Path

import pytest
from typer.testing import CliRunner

from api.limits import limits_from_environment
from cli.main import app
from embedded import addresses
from gateways.documents import documents_folder
from gateways.inspection import at_once
from models.keyring import KeyringMissingError, keyring, keys_file
from models.ledger import LedgerNotSetError, database_url
from models.settings import SettingWrong, sandbox
from policies import book

WRITTEN: list[tuple[str, Callable[[], object], str, object]] = [
    ("KINBIND_DATABASE_URL", database_url, "postgresql://u@h/x", "postgresql://u@h/x"),
    ("KINBIND_KEYS_FILE", keys_file, "/etc/kinbind/keys.json", Path("/etc/kinbind/keys.json")),
    ("KINBIND_VAR", keys_file, "/srv/kinbind", Path("/srv/kinbind/keys.json")),
    ("KINBIND_VAR", documents_folder, "/srv/kinbind", Path("/srv/kinbind/documents")),
    ("KINBIND_VAR", addresses.var_folder, "/srv/kinbind", Path("/srv/kinbind")),
    ("KINBIND_DOCUMENTS", documents_folder, "/srv/documents", Path("/srv/documents")),
    ("KINBIND_BROKER_URL", lambda: addresses.given(addresses.BROKER), "redis://h/0", "redis://h/0"),
    ("KINBIND_PACKS", lambda: book.places()[-1], "/srv/packs", Path("/srv/packs")),
    ("KINBIND_INSPECTIONS", at_once, "4", 4),
    ("KINBIND_RATE_LIMIT", lambda: limits_from_environment(sandbox=False), "off", None),
]


@pytest.fixture(autouse=True)
def _nothing_set(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in {"KINBIND_ENV", "KINBIND_SANDBOX", *(name for name, *_ in WRITTEN)}:
        monkeypatch.delenv(name, raising=False)


@pytest.mark.parametrize(("name", "read", "written", "meant"), WRITTEN)
def test_white_space_around_a_setting_is_none_of_it(
    monkeypatch: pytest.MonkeyPatch, name: str, read: Callable[[], object], written: str, meant: object
) -> None:
    monkeypatch.setenv(name, f" {written}\n")
    assert read() == meant


def test_an_empty_setting_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in {name for name, *_ in WRITTEN}:
        monkeypatch.setenv(name, "\n")
    assert keys_file() == Path("var/keys.json")
    assert documents_folder() == Path("var/documents")
    assert len(book.places()) == 1
    with pytest.raises(LedgerNotSetError):
        database_url()


@pytest.mark.parametrize("word", ["Production", "prod", "1", "staging"])
def test_an_environment_that_is_misspelt_is_none_for_the_sandbox(monkeypatch: pytest.MonkeyPatch, word: str) -> None:
    """It would have switched the safeguard off without a word."""
    monkeypatch.setenv("KINBIND_ENV", word)
    for on in ("1", "0"):
        monkeypatch.setenv("KINBIND_SANDBOX", on)
        with pytest.raises(SettingWrong, match="KINBIND_ENV is production, or is not set"):
            sandbox()


def test_production_is_production_however_it_ends(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("KINBIND_SANDBOX", "1")
    for word in ("production", " production\n"):
        monkeypatch.setenv("KINBIND_ENV", word)
        with pytest.raises(SettingWrong, match="never for production"):
            sandbox()
        monkeypatch.setenv("KINBIND_KEYS_FILE", str(tmp_path / "keys.json"))
        with pytest.raises(KeyringMissingError):
            keyring()
    monkeypatch.setenv("KINBIND_ENV", "\n")
    assert sandbox()


@pytest.mark.parametrize(("word", "on"), [("1", True), (" 1\n", True), ("0", False), ("", False), ("\n", False)])
def test_the_sandbox_is_on_or_off(monkeypatch: pytest.MonkeyPatch, word: str, on: bool) -> None:
    monkeypatch.setenv("KINBIND_SANDBOX", word)
    assert sandbox() is on


@pytest.mark.parametrize("word", ["true", "yes", "on", "01"])
def test_what_says_neither_is_refused(monkeypatch: pytest.MonkeyPatch, word: str) -> None:
    monkeypatch.setenv("KINBIND_SANDBOX", word)
    with pytest.raises(SettingWrong, match="KINBIND_SANDBOX is 0 or 1, or is not set"):
        sandbox()
    assert "KINBIND_SANDBOX is 0 or 1" in CliRunner().invoke(app, ["doctor"]).stdout
