"""The list of facts is whole, true of the repository, and docs/facts.md is made from it."""

import re
import subprocess
import sys
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.facts import HOW, KINDS, PAGE, ROOT, Row, page, read

FACTS = read()
PACKS = sorted((ROOT / "policies" / "packs").glob("*.yaml"))
UNSEEDED = {"CN-33-zhejiang.account_sharing"}  # no article speaks of it: it stands on other sources
DONE = ("code", "pack", "text")
# Named here as well, so that a fact is neither given up nor taken up in silence.
OUT_OF_SCOPE = {"F3", "F66"}
OPEN: set[str] = set()


def rows(*how: str) -> dict[str, Row]:
    return {number: row for number, row in FACTS.rows.items() if row.how in how}


@cache
def body_of(pack: Path) -> dict[str, Any]:
    body: dict[str, Any] = yaml.safe_load(pack.read_text("utf-8"))
    return body


def test_every_fact_has_its_row_and_every_row_is_whole() -> None:
    assert list(FACTS.rows) == [*(f"F{n}" for n in range(1, 171)), *(f"C{n}" for n in range(1, 18))]
    for number, row in FACTS.rows.items():
        assert set(row.source.split()) <= FACTS.sources.keys(), number
        assert row.how in HOW, number
        assert (row.kind == "contradiction") == (number[0] == "C"), number
        assert row.kind in KINDS, number
        assert row.meaning.isascii(), f"{number} is told in our own words, in English"
        assert "|" not in row.meaning + (row.reason or ""), number


def test_what_is_out_of_scope_says_why() -> None:
    assert rows("out_of_scope").keys() == OUT_OF_SCOPE
    assert all(row.reason for row in rows("out_of_scope").values())


def test_what_is_open_is_known() -> None:
    assert rows("open").keys() == OPEN
    assert all(row.reason for row in rows("open").values())


def test_what_is_done_is_proven_at_the_door() -> None:
    assert [number for number, row in rows(*DONE).items() if not row.test.startswith("tests/doors/")] == []


def test_every_test_exists(request: pytest.FixtureRequest) -> None:
    """Asked of pytest itself, so that a node id with its parameters is right to the letter."""
    named = {row.test for row in FACTS.rows.values()}
    here = {item.nodeid for item in request.session.items}
    if elsewhere := _not_among(here, named):  # where not all tests are run
        assert _not_among(_collected({test.partition("::")[0] for test in elsewhere}), elsewhere) == set()


def _not_among(nodes: set[str], named: set[str]) -> set[str]:
    return named - nodes - {one.partition("[")[0] for one in nodes}


def _collected(files: set[str]) -> set[str]:
    """What pytest finds in these files."""
    ask = [sys.executable, "-m", "pytest", "--collect-only", "-q", "-p", "no:cacheprovider", *sorted(files)]
    told = subprocess.run(ask, cwd=ROOT, capture_output=True, text=True, check=True).stdout
    return {line for line in told.splitlines() if "::" in line}


def test_every_place_exists() -> None:
    for number, row in rows(*DONE).items():
        assert row.where is not None
        place = re.fullmatch(r"([^#:]+)(?:#([\w.]+)|:(\w+))?", row.where)
        assert place is not None, number
        file, key, name = place.groups()
        assert (ROOT / file).is_file(), number
        if key is not None:
            assert _has(body_of(ROOT / file), key), f"{number}: {row.where}"
        if name is not None:
            assert re.search(rf"\b{name}\b", (ROOT / file).read_text("utf-8")), f"{number}: {row.where}"
        assert (row.how == "code") == file.endswith(".py"), number


def _has(body: Any, path: str) -> bool:
    for part in path.split("."):
        if not isinstance(body, dict) or part not in body:
            return False
        body = body[part]
    return True


@pytest.mark.parametrize("pack", PACKS, ids=lambda pack: pack.stem)
def test_a_pack_cites_the_facts_that_it_holds(pack: Path) -> None:
    """At the key that the row names, or above or below it; `pack` speaks for the whole."""
    file, cited = pack.relative_to(ROOT).as_posix(), body_of(pack)["facts"]
    places = {number: (row.where or "").partition("#") for number, row in rows("pack", "text").items()}
    held = {number: key for number, (where, _, key) in places.items() if where == file}
    assert bool(held) is (pack.stem not in UNSEEDED)
    assert {n: key for n, key in held.items() if not any(n in cited[path] and _near(path, key) for path in cited)} == {}


def _near(path: str, key: str) -> bool:
    return path == "pack" or f"{key}.".startswith(f"{path}.") or f"{path}.".startswith(f"{key}.")


def test_the_page_is_made_from_the_list() -> None:
    assert PAGE.read_text("utf-8") == page(FACTS), "run `python -m tests.facts`"
