"""The environment: a Secret made with `echo` brings a line feed along, and what is misspelt is no setting."""

from collections.abc import Callable
from pathlib import Path

import pytest

from api.limits import limits_from_environment
from embedded import addresses
from gateways.documents import documents_folder
from gateways.inspection import at_once
from models.keyring import keys_file
from models.ledger import LedgerNotSetError, database_url
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
    for name in {name for name, *_ in WRITTEN}:
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
    assert book.places() == (book.SHIPPED,)
    with pytest.raises(LedgerNotSetError):
        database_url()
