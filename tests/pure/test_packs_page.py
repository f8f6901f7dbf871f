"""docs/packs.md is true: it names every key and every word that a pack may have, and its examples are fit for use."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, get_args, get_origin

import pytest
from pydantic import BaseModel

from policies.book import LawBook
from policies.check import check_book, plans_of
from policies.loader import SHIPPED, read_folder, read_pack
from policies.pack import Pack
from policies.relations import RELATIONSHIPS
from policies.words import DEADLINES
from tests.pure.policy_cases import DAY
from workflows.check import impossible

PAGE = (Path(__file__).parents[2] / "docs" / "packs.md").read_text("utf-8")
HEAD = {"pack", "version", "effective_from", "region", "product", "inherits", "replaces", "sources", "facts"}
SHORT = ("title", "entry", "text", "service", "care_warning", "help", "reasons")  # {zh, en}, told once
TOLD_ONCE = ("eligibility.holder", "eligibility.member", "methods.*.member_insured", "deadlines.*")
EXAMPLES = [text for text in re.findall(r"```yaml\n(.*?)```", PAGE, re.DOTALL) if "title:" in text]


def parts(annotation: Any) -> Iterator[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    for inner in get_args(annotation):
        yield from parts(inner)


def keys(model: type[BaseModel], above: str = "") -> Iterator[str]:
    """Every key path that a pack may have, members of a mapping as `*`."""
    for name, field in model.model_fields.items():
        path = above + name
        inner = list(parts(field.annotation))
        if not inner or name in SHORT or get_origin(field.annotation) is dict:
            yield path
        if name not in SHORT:
            for one in inner:
                yield from keys(one, f"{path}.*." if get_origin(field.annotation) is dict else f"{path}.")


def test_every_key_is_on_the_page() -> None:
    wanted = {key for key in keys(Pack) if not key.startswith(tuple(f"{told}." for told in TOLD_ONCE))} - HEAD
    told = set(re.findall(r"`([\w.*]+)`", PAGE))
    assert sorted(wanted - told) == []


def test_every_word_of_the_closed_lists_is_on_the_page() -> None:
    def words(annotation: Any) -> Iterator[str]:
        for inner in get_args(annotation):
            yield from (inner,) if isinstance(inner, str) else words(inner)

    def listed(model: type[BaseModel]) -> Iterator[str]:
        for field in model.model_fields.values():
            yield from words(field.annotation)
            for inner in parts(field.annotation):
                yield from listed(inner)

    told = set(re.findall(r"\w+", PAGE))
    assert {*listed(Pack), *DEADLINES, *RELATIONSHIPS} - told == set()


def test_there_are_examples_of_both_products() -> None:
    assert [re.findall(r"^product: (\w+)", text, re.MULTILINE) for text in EXAMPLES] == [
        ["family_account"], ["account_sharing"],
    ]  # fmt: skip


@pytest.mark.parametrize("text", EXAMPLES, ids=["family_account", "account_sharing"])
def test_the_examples_are_fit_for_use(text: str) -> None:
    draft = read_pack("example.yaml", text)
    book = LawBook([*read_folder(SHIPPED), draft])
    assert check_book(book, DAY) == []
    law = next(law for law in book.laws_on(DAY) if law.chain[0] is draft)
    plans = list(plans_of(book, law, DAY))
    assert {plan.pack for plan in plans} == {draft.pack}
    assert [why for plan in plans[:2] for why in impossible(plan)] == []
