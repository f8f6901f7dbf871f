"""A plan explained for people: the name of each line and its value in words, from what `policies.explain` has found."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import orjson

from console import shown
from console.words import Tongue
from console.words_of_plans import CODES, GROUPS, NOTHING, PARTS, PER_RELATION, UNITS, VALUES
from policies.explain import Because
from policies.pack import Pack

_OWN_NAMES = ("review.agency", "counter.agency", "counter.agency_name", "counter.address")


def by_group(lines: Sequence[Because]) -> list[tuple[str, list[Because]]]:
    """The lines by what they belong to; those that stand alone come first, under no name."""
    found: dict[str, list[Because]] = {"": []}
    for line in lines:
        above, dot, _ = line.part.partition(".")
        found.setdefault(above if dot else "", []).append(line)
    return list(found.items())


def group(t: Tongue, name: str) -> str:
    """What a group of lines is about; its own name where nobody has words for it."""
    return t.pair(GROUPS[name]) if name in GROUPS else name


def part(t: Tongue, pack: Pack, name: str) -> str:
    """What a line is about; its own name where nobody has words for it."""
    if name in PARTS:
        return t.about(pack.product).said(PARTS[name])
    above, _, last = name.partition(".")
    if above == "deadlines":
        return t.of("deadline", last)
    if above == "notices" and last in pack.notices:
        return t.pair(pack.notices[last].title.words)
    if above == "materials" and last in pack.papers:
        return t.about(pack.product).papers(pack.papers[last].label, pack.papers[last].any_of)
    if name.startswith("limits.per_relation."):
        return f"{t.pair(PER_RELATION)} · {t.of('relationship', name.rpartition('.')[2])}"
    return name


def value(t: Tongue, pack: Pack, line: Because) -> str:
    """What a line says: codes, lengths of time and numbers as people read them."""
    return _said(t.about(pack.product), pack, line.part, orjson.loads(line.value))


def _said(t: Tongue, pack: Pack, name: str, held: Any) -> str:
    if held is None or held in ("", []):
        return t.pair(NOTHING[name]) if name in NOTHING else t("plan_none")
    if isinstance(held, bool):
        return t("plan_yes" if held else "plan_no")
    if isinstance(held, dict):
        return _span(t, held)
    if isinstance(held, list):
        return _listed(t, pack, name, held)
    return _word(t, pack, name, held) if isinstance(held, str) else _number(t, name, held)


def _span(t: Tongue, length: dict[str, Any]) -> str:
    """A length as packs write it: working days, or hours of the clock."""
    if length["working_days"] is not None:
        return t("plan_working_days", n=length["working_days"])
    return t.span(shown.length(length["hours"] * 3600)) if length["hours"] else t("plan_at_once")


def _listed(t: Tongue, pack: Pack, name: str, held: list[Any]) -> str:
    """A list; of documents the alternatives, each of which may be several."""
    if name.startswith("materials."):
        return t("plan_or").join(" + ".join(t.of("kind", kind) for kind in some) for some in held)
    return t("plan_and").join(_said(t, pack, name, one) for one in held)


def only_chinese(name: str) -> bool:
    """Whether the value of this line is a name of the country's own, for which nobody has English words."""
    return name in _OWN_NAMES


def _word(t: Tongue, pack: Pack, name: str, code: str) -> str:
    if name in CODES:
        return t.of(CODES[name], code)
    if name in ("review.agency", "counter.agency"):
        return shown.place(code)
    if name == "counter.service":
        return t.pair(pack.counter.service.words)
    if name == "counter.bring":
        return t.brought(code, ({"label": paper.label, "any_of": paper.any_of} for paper in pack.papers.values()))
    if name.endswith("_reasons"):
        text = pack.reasons.get(code)
        return t.pair(text.words) if text else t.reason(code)
    return t.said(VALUES[code]) if code in VALUES else code


def _number(t: Tongue, name: str, held: float) -> str:
    if name == "max_file_bytes":
        return shown.size(int(held))
    if name == "review.sample_share":
        return f"{held:.1%}"
    return f"{held:g} {t.pair(UNITS[name]) if name in UNITS else ''}".rstrip()
