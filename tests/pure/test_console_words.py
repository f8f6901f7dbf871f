"""The texts of the console: each that a page asks for is there, in both languages, with the same gaps to fill."""

import hashlib
import re
from pathlib import Path
from string import Formatter

import pytest

from console.words import PAGES
from console.words_of_codes import CODES
from policies.book import lawbook
from policies.relations import RELATIONSHIPS
from policies.words import Kind, Method, Product
from tests.pure.policy_cases import DAY
from workflows.case import STATES

CONSOLE = Path(__file__).parents[2] / "console"
TEMPLATES = sorted(CONSOLE.rglob("*.html"))
ASKED = re.compile(r"""(?:\bt\(|say_both\(t, |t\.beside\()\s*["'](\w+)["'] *[,)]""")


def gaps(text: str) -> set[str]:
    return {name for _, name, _, _ in Formatter().parse(text) if name}


@pytest.mark.parametrize("template", TEMPLATES, ids=lambda path: path.name)
def test_every_text_that_a_page_asks_for_is_there(template: Path):
    assert set(ASKED.findall(template.read_text())) - PAGES.keys() == set()


def test_both_languages_say_the_same():
    every = {f"page {key}": words for key, words in PAGES.items()}
    every |= {f"{group} {code}": words for group, codes in CODES.items() for code, words in codes.items()}
    assert [key for key, (zh, en) in every.items() if not (zh.strip() and en.strip())] == []
    assert [key for key, (zh, en) in every.items() if gaps(zh) != gaps(en)] == []


@pytest.mark.parametrize(
    ("group", "codes"),
    [("state", STATES), ("kind", Kind.__args__), ("product", Product.__args__), ("method", Method.__args__),  # type: ignore[attr-defined]
     ("relationship", RELATIONSHIPS)],
)  # fmt: skip
def test_every_code_of_the_api_has_words(group: str, codes: tuple[str, ...]):
    assert set(codes) - CODES[group].keys() == set()


def test_what_guangdong_calls_it_stands_in_guangdongs_packs_only():
    """亲情账号 (号, not 户) is Guangdong's word for a sharing (§E, C16): Jiangsu, Beijing and Zhejiang share too."""
    assert CODES["product"]["account_sharing"][0] == "个人账户家庭共济"
    said = [*PAGES.values(), *(words for codes in CODES.values() for words in codes.values())]
    assert [zh for zh, _ in said if "亲情账号" in zh] == []
    titles = {
        law.pack.pack: law.pack.title.zh for law in lawbook().laws_on(DAY) if law.pack.product == "account_sharing"
    }
    assert {pack for pack, title in titles.items() if "亲情账号" in title} == {"CN-44-guangdong"}
    assert all("家庭共济" in title for title in titles.values())


def test_what_is_not_ours_is_what_its_table_says():
    table = (CONSOLE / "static" / "THIRD-PARTY.md").read_text()
    named = dict(re.findall(r"^\| `([\w.]+)` \|.*`([0-9a-f]{64})` \|$", table, re.MULTILINE))
    assert "htmx.min.js" in named
    for name, digest in named.items():
        assert hashlib.sha256((CONSOLE / "static" / name).read_bytes()).hexdigest() == digest, name


def test_nothing_is_inline():
    """What the pages' own policy would refuse: style and event attributes, scripts and styles in the page."""
    found = {
        path.name: re.findall(r"<[^>]*\s(?:style|on\w+)=|<style|<script(?![^>]* src=)", path.read_text())
        for path in TEMPLATES
    }
    assert {name: what for name, what in found.items() if what} == {}
