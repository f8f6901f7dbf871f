"""What stands on the pages: Chinese first, English beside it. Codes keep the words of the desk and of the packs."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from console import words_of_codes, words_of_operations, words_of_pages, words_of_running
from console.shown import Chip
from policies.languages import Language, Words
from policies.parties import called

PAGES = {**words_of_pages.PAGES, **words_of_operations.OPERATIONS}
_REFUSALS = {**words_of_codes.CODES["refusal"], **words_of_running.REFUSALS}
CODES = {**words_of_codes.CODES, **words_of_running.RUNNING, "refusal": _REFUSALS}


class Tongue:
    """The words of one language: `t("queue")`, `t.of("kind", "commitment_letter")`, `t.beside("queue")`."""

    def __init__(self, language: Language, say: Callable[[str, Language], str], product: str | None = None) -> None:
        """Speak this language, of this product; `say` has the words of codes that the desk answers with."""
        self.language: Language = language
        self._say = say
        self._product = product

    def about(self, product: str | None) -> Tongue:
        """The same tongue speaking of a product: its own words for the two parties fill the gaps of every text."""
        return Tongue(self.language, self._say, product)

    def __call__(self, key: str, **facts: Any) -> str:
        """A text of the pages. Raises `KeyError` for one that nobody has written."""
        return self._filled(PAGES[key][0 if self.language == "zh" else 1], facts)

    def beside(self, key: str) -> str:
        """The same in the other language, shown small beside it."""
        return Tongue(self.other(), self._say, self._product)(key)

    def other(self) -> Language:
        """The language that is not spoken."""
        return "en" if self.language == "zh" else "zh"

    def of(self, group: str, code: str | None, **facts: Any) -> str:
        """What a code of a group means; the code itself where nobody has words for it."""
        found = CODES[group].get(code or "")
        return self._filled(found[0 if self.language == "zh" else 1], facts) if found else code or ""

    def codes(self, group: str) -> list[tuple[str, str]]:
        """All codes of a group with what they mean, for a field to choose from."""
        return [(code, self.of(group, code)) for code in CODES[group]]

    def refused(self, code: str) -> str:
        """What a refusal means."""
        found = CODES["refusal"].get(code)
        return found[0 if self.language == "zh" else 1] if found else self._say(code, self.language)

    def field(self, pointer: str) -> str:
        """The form's own name of the field that a fault is about: `/tick` is 材料, `/items/0/reason` is 原因."""
        names = [name for name in pointer.split("/") if name and not name.isdigit()]
        return self.of("field", names[-1]) if names else ""

    def because(self, code: str, words: Mapping[str, Words]) -> str:
        """Why something happened: a reason in the words given, a deadline or repair by name, else as the desk says."""
        meant = words.get(code, (code, code))
        if meant[0] != code:
            return self.pair(meant)
        if code in CODES["deadline"]:
            return self("deadline_over", what=self.of("deadline", code))
        if code in CODES["verb"]:  # a line that a repair has written
            return self.of("verb", code)
        if code == "undo":
            return self("order_undo")
        return self.reason(code)

    def undelivered(self, error: str) -> str:
        """Why a letter was not taken: `http_503` is a status that the other side has answered with."""
        kind, _, status = error.partition("_")
        return self.of("undelivered", kind, status=status) if kind == "http" else self.of("undelivered", error)

    def reason(self, code: str | None) -> str:
        """What a reason means, in the desk's words."""
        return self._say(code, self.language) if code else ""

    def actor(self, actor: str, names: Mapping[str, str]) -> str:
        """Who is named in a line of the history: a channel by its name, staff by their role and theirs."""
        kind, _, name = actor.partition(":")
        if kind == "channel":
            return self.of("channel", name)
        return " ".join(filter(None, (self.of("actor", kind), names.get(name, name))))

    def papers(self, label: str, any_of: Iterable[Iterable[str]]) -> str:
        """A group of a plan's materials: in Chinese as its pack calls it, in English the documents that it takes."""
        if self.language == "zh":
            return label
        return self("plan_or").join(" + ".join(self.of("kind", kind) for kind in some) for some in any_of)

    def lacking(self, group: Mapping[str, Any]) -> str:
        """The same of a group that is not met, and which pages of it are missing, where its name does not tell."""
        if self.language != "zh":
            return self.papers(group["label"], group["lacking"])
        pages = [kind for some in group["any_of"] for kind in some]
        if len(pages) == 1 or len(group["lacking"]) > 1:  # its name is the page's, or lists what it may be made of
            return str(group["label"])
        return self("papers_lacking", label=group["label"],
                    kinds=self("listed").join(self.of("kind", kind) for kind in group["lacking"][0]))  # fmt: skip

    def brought(self, what: str, groups: Iterable[Mapping[str, Any]]) -> str:
        """Something to bring: one of the plan's groups of materials, or something else that the pack asks for."""
        found = next((group["any_of"] for group in groups if group["label"] == what), None)
        return self.papers(what, found) if found is not None else self.of("bring", what)

    def pair(self, texts: Words) -> str:
        """The text in this language, with its gaps unfilled: it may hold somebody's own words."""
        return texts[0 if self.language == "zh" else 1]

    def said(self, texts: Words) -> str:
        """The same for a text of our own, with its gaps filled."""
        return self._filled(self.pair(texts), {})

    def span(self, parts: list[tuple[str, int]]) -> str:
        """A length of time: `1 天 3 小时`."""
        return " ".join(f"{number} {self(unit)}" for unit, number in parts)

    def chip(self, chip: Chip) -> str:
        """The words of a chip."""
        return self(chip.word, span=self.span(chip.span))

    def _filled(self, text: str, facts: dict[str, Any]) -> str:
        return text.format(**called(self._product, 0 if self.language == "zh" else 1) | facts) if "{" in text else text
