"""Texts that the desk has written into rows for good, said in the language of the page; and who is named in them.

A repair's note in the history, and the one line of its difference, are written once, in the words that auditors read.
Here they are only shown in other words.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any

from console import shown
from console.words import CODES, Tongue
from models.ledger import Ledger
from workflows.repairs.trial import NOTHING
from workflows.views import reviewing

Names = Mapping[str, str]
# As `verbs.Order.note` and `carrying` write it.
_REPAIR = re.compile(
    r"(?P<id>rep_\w+) (?P<verb>\w+)(?: to plan \w+)?, asked by (?P<asked>[^\s,:]+)"
    r"(?:, applied by (?P<applied>[^\s,:]+))?(?:, approved by (?P<approved>[^\s,:]+))?: (?P<why>.*)",
    re.DOTALL,
)
_DONE = ("asked", "applied", "approved")


def names(ledger: Ledger, lines: Iterable[Mapping[str, Any]]) -> Names:
    """The names of the staff who appear in these lines of histories, by id."""
    told = list(lines)
    ids = {(line["actor"] or "").partition(":")[2] for line in told}
    for line in told:
        if said := _repair(line):
            ids |= {said[done] for done in _DONE if said[done]}
    return reviewing.staff_names(ledger, ids - {""})


def note(t: Tongue, line: Mapping[str, Any], named: Names) -> str:
    """The note of a line: a repair's in our words, all others as people wrote them."""
    said = _repair(line)
    if said is None:
        return str(line["note"])
    what = t("order_undo") if said["verb"] == "undone" else t.of("verb", said["verb"])
    people = [t(f"{done}_by", who=named.get(said[done], said[done])) for done in _DONE if said[done]]
    return t("note_repair", id=said["id"], what=what, who=t("comma").join(people), why=said["why"])


def _repair(line: Mapping[str, Any]) -> re.Match[str] | None:
    """What a repair's note says, where the repair itself speaks: anybody may write one that looks alike."""
    said = _REPAIR.fullmatch(line.get("note") or "")
    if said is None:
        return None
    voices = (f"operator:{said['asked']}", f"supervisor:{said['approved']}", f"clock:{said['id']}",
              f"system:{said['id']}")  # fmt: skip
    return said if line["actor"] in voices else None


def summary(t: Tongue, text: str, verb: str) -> str:
    """The difference that a repair makes, in one line, as `trial.summary` has it; or what it does beside the case."""
    if text == NOTHING:
        return t.of("beside", verb) if verb in CODES["beside"] else t("only_line")
    return t("semicolon").join(_part(t, one) for one in text.split("; "))


def _part(t: Tongue, text: str) -> str:
    name, _, change = text.partition(" ")
    old, arrow, new = change.partition(" → ")
    if not arrow:
        return f"{t.of('deadline', name)}{t('colon')}{t.of('deadline_change', change)}"
    ends = [
        {"state": lambda code: t.of("state", code), "agency": shown.place}.get(name, str)(one) for one in (old, new)
    ]
    return f"{t(name)}{t('colon')}{ends[0]} → {ends[1]}"
