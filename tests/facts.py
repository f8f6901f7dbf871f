"""The collected facts: read from docs/facts.yaml, and docs/facts.md made from them (`python -m tests.facts`)."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Literal, NamedTuple

import yaml
from pydantic import BaseModel, ConfigDict, model_validator

ROOT = Path(__file__).parents[1]
LIST = ROOT / "docs" / "facts.yaml"
PAGE = ROOT / "docs" / "facts.md"

How = Literal["code", "pack", "text", "out_of_scope", "open"]
KINDS = {
    "D": "definition", "A": "actor", "R": "rule", "S": "step", "M": "material", "L": "limit", "C": "channel",
    "X": "exception", "U": "unbinding", "V": "view", "P": "border between products", "I": "text for people",
    "contradiction": "contradiction",
}  # fmt: skip
HOW = {
    "code": "honoured by code",
    "pack": "held in a policy pack, where a region may say otherwise",
    "text": "said to people: notice, warning, help, way in",
    "out_of_scope": "out of scope, with the reason",
    "open": "not done yet",
}
_HEAD = """# Facts

<!-- Made from facts.yaml by `python -m tests.facts`; change that file, not this page. -->

What five articles say of the medical-insurance family account, in our own words: a number for each fact (F) and for
each point on which they contradict each other (C). Policy packs cite these numbers under `facts:`. Each row says how
the fact is honoured, where, and which test proves it; whatever is behaviour is proven through the HTTP door.
"""


class Row(BaseModel):
    """One fact."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    kind: str
    source: str  # of SOURCES, parted by spaces
    how: How
    meaning: str
    where: str | None = None  # a file, `file:name` of its code, or `pack#key.path`
    test: str  # pytest's node id
    reason: str | None = None  # why it is out of scope, or what is missing

    @model_validator(mode="after")
    def _whole(self) -> Row:
        done = self.how in ("code", "pack", "text")
        if done != (self.where is not None) or done == (self.reason is not None):
            raise ValueError("where for what is done, a reason for what is not")
        return self


class Facts(NamedTuple):
    """The whole list: sources in a line each, and the rows by number, in order."""

    sources: dict[str, str]
    rows: dict[str, Row]


def read() -> Facts:
    """Read docs/facts.yaml. Raises `pydantic.ValidationError` for a row that is not whole."""
    found = yaml.safe_load(LIST.read_text("utf-8"))
    return Facts(found["sources"], {number: Row(**row) for number, row in found["facts"].items()})


def page(facts: Facts) -> str:
    """Return docs/facts.md."""
    counts: Counter[str] = Counter(row.how for row in facts.rows.values())
    lines = [_HEAD, "| source | |", "|---|---|", *(f"| {name} | {what} |" for name, what in facts.sources.items())]
    lines += ["", "| how | | rows |", "|---|---|---|"]
    lines += [f"| `{how}` | {what} | {counts[how]} |" for how, what in HOW.items() if counts[how]]
    for title, letter in (("Facts", "F"), ("Contradictions", "C")):
        lines += ["", f"## {title}", "", "| | kind | source | meaning | how | where, or why not | test |"]
        lines += ["|---|---|---|---|---|---|---|"]
        lines += [_line(number, row) for number, row in facts.rows.items() if number[0] == letter]
    return "\n".join(lines) + "\n"


def _line(number: str, row: Row) -> str:
    where = f"`{row.where.removeprefix('policies/packs/')}`" if row.where else row.reason
    test = row.test.removeprefix("tests/")
    return f"| {number} | {KINDS[row.kind]} | {row.source} | {row.meaning} | {row.how} | {where} | `{test}` |"


if __name__ == "__main__":
    PAGE.write_text(page(read()), "utf-8")
