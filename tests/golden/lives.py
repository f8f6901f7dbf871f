"""The lives that earlier releases recorded, read again: their commands, their documents, and copies of them."""

import json
import re
from collections.abc import Iterator
from datetime import datetime
from functools import cache
from pathlib import Path
from typing import Any

import msgspec
import psycopg

from cli.checking.walk import Line, link
from workflows.case import Actor
from workflows.commands import Command
from workflows.submission import Request

HERE = Path(__file__).parent
RELEASES = sorted(path.stem.removeprefix("lives-") for path in HERE.glob("lives-*.json"))
Step = dict[str, Any]

_IDS = re.compile(r"\b(?:bnd|mat|fac)_[0-9A-Z]{26}\b")
_KEYS = re.compile(r"(?<![0-9a-f])[0-9a-f]{32}(?![0-9a-f])")  # of persons, and the providers' references
_ZERO = bytes(32)


@cache
def recorded(release: str) -> dict[str, Any]:
    """What a release recorded: `schema`, `function` and `write` (how it wrote), `lives` by name, lists of steps."""
    told: dict[str, Any] = json.loads((HERE / f"lives-{release}.json").read_text())
    return told


def command(step: Step) -> Command:
    """What was said, as the desk of today takes it."""
    facts = _revived(step["facts"])
    if "request" in facts:
        facts["request"] = msgspec.convert(step["facts"]["request"], Request)
    return Command(step["said"], step["binding_id"], msgspec.convert(step["actor"], Actor), facts)


def _revived(told: dict[str, Any]) -> dict[str, Any]:
    """Times are times again: whatever is called `…_at`."""
    facts: dict[str, Any] = {}
    for name, value in told.items():
        if isinstance(value, dict) and name != "request":
            facts[name] = _revived(value)
        else:
            facts[name] = datetime.fromisoformat(value) if name.endswith("_at") and value else value
    return facts


def lay(conn: psycopg.Connection[Any], step: Step) -> None:
    """Put beside the case what lay there when the step was made: documents, and the reviewer's lease."""
    for row in step["materials"]:
        conn.execute(
            "insert into materials select * from jsonb_populate_record(null::materials, %s::jsonb)"
            " on conflict (id) do nothing", (json.dumps(row),),
        )  # fmt: skip
    if step["lease"]:
        conn.execute(
            "update review_cases set claimed_by = %s, lease_until = %s, epoch = %s where binding_id = %s",
            (*step["lease"], step["binding_id"]),
        )


def written(conn: psycopg.Connection[Any], write: str, step: Step) -> dict[str, str]:
    """Write the step as its release wrote it; the verdicts by binding."""
    lay(conn, step)
    statement = write.replace("$1", "%s")
    return dict(conn.execute(statement, (json.dumps(step["document"]),)).fetchall())


# -- copies: the same life of other people ---------------------------------------------------------------------------


def copy(steps: list[Step], number: int) -> Iterator[Step]:
    """The life once more with other ids and other people, its chain computed anew."""
    mark = f"{number:05X}".translate(str.maketrans("ILOU", "WXYZ"))
    head = _ZERO
    for step in steps:
        text = json.dumps(step, ensure_ascii=False)
        text = _IDS.sub(lambda found: found[0][:-5] + mark, text)
        text = _KEYS.sub(lambda found: found[0][:-5] + mark.lower(), text)
        text = re.sub(r'"code": "(\w{8})"', lambda found: f'"code": "{found[1][:3]}{mark}"', text)
        fresh: Step = json.loads(text)
        head = _chained(fresh["document"], head)
        yield fresh


def _chained(document: dict[str, Any], head: bytes) -> bytes:
    for row in document["lines"]:
        told: dict[str, Any] = {**dict.fromkeys(Line._fields), **row, "at": datetime.fromisoformat(row["at"])}
        head = link(head, Line(*(told[name] for name in Line._fields)))
        row["hash"] = head.hex()
    document["steps"][0]["head"] = head.hex()
    return head
