"""The OpenAPI document as whoever makes a client from it needs it."""

import json
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from api import refusing
from api.answered import every_answer, words
from api.shapes import every_shape
from api.texts import TEXTS
from tests.doors.family import view


@pytest.fixture
def made(alipay: httpx.Client) -> dict[str, Any]:
    return view(alipay.get("/openapi.json"))


def test_every_code_is_said_of_some_call_and_has_its_text(made: dict[str, Any]) -> None:
    said = {code for path in made["paths"] for method, operation in made["paths"][path].items()
            for some in refusing.codes(path, method, operation).values() for code in some}  # fmt: skip
    assert said <= TEXTS.keys()
    assert {f"{method} {path}" for path in made["paths"] for method in made["paths"][path]} >= refusing._OWN.keys()
    assert refusing.NEVER_KEPT in made["paths"]


def test_each_list_of_words_is_said_once(made: dict[str, Any]) -> None:
    named = {tuple(one["enum"]) for one in words().values() if "enum" in one}
    schemas = {name: one for name, one in made["components"]["schemas"].items() if name not in words()}
    assert [one for one in lists_in([made["paths"], made["webhooks"], schemas]) if tuple(one) in named] == []
    text = json.dumps(made)
    assert [name for name in words() if f'"#/components/schemas/{name}"' not in text] == []


def lists_in(value: Any) -> Iterator[list[str]]:
    """Every list of words in a document."""
    if isinstance(value, dict) and isinstance(value.get("enum"), list):
        yield value["enum"]
    for one in value.values() if isinstance(value, dict) else value if isinstance(value, list) else ():
        yield from lists_in(one)


def test_what_is_sent_is_bounded_and_what_is_answered_may_grow(made: dict[str, Any]) -> None:
    """A client that is made from the document must not break at a new field."""
    schemas = made["components"]["schemas"]
    assert all(schemas[shape.__name__]["additionalProperties"] is False for shape in every_shape())
    assert [shape.__name__ for shape in every_answer() if "additionalProperties" in schemas[shape.__name__]] == []
