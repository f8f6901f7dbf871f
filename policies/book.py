"""The law book: all packs, and which of them is in force where and when."""

from __future__ import annotations

import os
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date
from functools import cache
from pathlib import Path

from policies.loader import SHIPPED, Law, PackError, PackFile, Problem, join, read_place
from policies.pack import Notice, Pack
from policies.plan import Limits, NoticeRef, Plan
from policies.refusals import NotAllowed


@dataclass(frozen=True, slots=True)
class ShownNotice:
    """A notice as applicants see it."""

    notice: str
    version: str
    title: str
    text: str


class LawBook:
    """Every version of every pack. Pure and immutable: the same question has the same answer for ever."""

    def __init__(self, files: Iterable[PackFile]) -> None:
        """Check that all packs resolve on every day on which one changes. Raises `PackError`."""
        self.files = tuple(sorted(files, key=lambda f: (f.name, f.effective_from)))
        self._days: dict[date, list[PackFile]] = {}
        self._laws: dict[tuple[PackFile, ...], Law] = {}
        self.plans: dict[tuple[object, ...], Plan] = {}  # made so far: the same facts have the same plan
        self._notices: dict[tuple[str, str], Notice] = {}
        _refuse(_doubles(self.files))
        problems = [problem for law_or_problems in self._every() for problem in self._learn(law_or_problems)]
        _refuse(list(dict.fromkeys(problems)))

    def pack_for(self, region: str, product: str, day: date) -> Pack:
        """Return the pack of the longest prefix of `region` that offers `product` on `day` (Asia/Shanghai).

        `region` is the holder's insured region, 6 digits. Raises `NotAllowed("region_not_allowed")` where
        nobody offers it.
        """
        return self.law_for(region, product, day).pack

    def law_for(self, region: str, product: str, day: date) -> Law:
        """As `pack_for`, with the files and facts behind the pack."""
        offers = [f for f in self.in_force(day) if f.product == product and region.startswith(f.region)]
        if not offers:
            raise NotAllowed("region_not_allowed", "/holder/insured_region", extra={"cause": "product_not_offered"})
        return self._law(max(offers, key=lambda f: len(f.region)), day)

    def law(self, pack: str, product: str, version: str) -> Law:
        """Return the law of a pack's version as it was on its first day: the one that a running case names.

        Raises `KeyError` when no file has it any more.
        """
        file = self.file(f"{pack}/{product}", version)
        return self._law(file, file.effective_from)

    def file(self, name: str, version: str) -> PackFile:
        """Return a version of the pack called `name` ("CN-national/family_account"). Raises `KeyError`."""
        for file in self.files:
            if (file.name, file.version) == (name, version):
                return file
        raise KeyError(f"{name} {version}")

    def notices(self, refs: Iterable[NoticeRef], language: str = "zh") -> list[ShownNotice]:
        """Return the texts of notices in "zh" or "en", in order. Raises `KeyError` for unknown ones."""
        found = []
        for ref in refs:
            notice = self._notices[ref.notice, ref.version]
            title, text = (notice.title.en, notice.text.en) if language == "en" else (notice.title.zh, notice.text.zh)
            found.append(ShownNotice(ref.notice, ref.version, title, text))
        return found

    def knows_notice(self, notice: str, version: str) -> bool:
        """Tell whether such a notice was ever published."""
        return (notice, version) in self._notices

    def limits_of(self, product: str) -> list[Limits]:
        """Return the limits of every pack of this product, past and future versions too."""
        return [law.pack.limits.limits for law in self._laws.values() if law.pack.product == product]

    def laws_on(self, day: date) -> list[Law]:
        """Return every law in force on `day`, by name."""
        return [self._law(file, day) for file in self.in_force(day)]

    def in_force(self, day: date) -> list[PackFile]:
        """For each pack, the version in force on `day` (the files are sorted by their first day)."""
        if day not in self._days:
            self._days[day] = list({file.name: file for file in self.files if file.effective_from <= day}.values())
        return self._days[day]

    def _law(self, file: PackFile, day: date) -> Law:
        chain = self._chain(file, day)
        if chain not in self._laws:
            self._laws[chain] = join(chain)
        return self._laws[chain]

    def _chain(self, file: PackFile, day: date) -> tuple[PackFile, ...]:
        """Return the file and its ancestors in force on `day`: a national change reaches regions that day."""
        by_name = {f.name: f for f in self.in_force(day)}
        chain = [file]
        while (parent := chain[-1].inherits) is not None:
            if parent not in by_name:
                raise PackError([self._orphan(chain[-1], parent)])
            if by_name[parent] in chain:
                raise PackError([Problem(chain[-1].file, "inherits", f"inherits itself through {parent}")])
            chain.append(by_name[parent])
        return tuple(chain)

    def _orphan(self, file: PackFile, parent: str) -> Problem:
        """What is wrong with a pack that is in force on a day on which its parent is not."""
        days = [one.effective_from for one in self.files if one.name == parent]
        if not days:
            return Problem(file.file, "inherits", f"there is no pack called {parent}")
        what = f"{parent}, which it inherits, begins on {min(days)}: take that day or a later one"
        return Problem(file.file, "effective_from", what)

    def _every(self) -> Iterable[Law | tuple[Problem, ...]]:
        for file in self.files:
            for day in sorted({f.effective_from for f in self.files}):
                if file not in self.in_force(day):
                    continue
                try:
                    yield self._law(file, day)
                except PackError as error:
                    yield error.problems

    def _learn(self, found: Law | tuple[Problem, ...]) -> tuple[Problem, ...]:
        """Remember a law's notices; one name and version must be one text, or nobody knows what was consented to."""
        if not isinstance(found, Law):
            return found
        problems = []
        for name, notice in found.pack.notices.items():
            if self._notices.setdefault((name, notice.version), notice) != notice:
                path = f"notices.{name}"
                problems.append(Problem(found.origin(path).file, path, f"another text has version {notice.version}"))
        return tuple(problems)


@cache
def lawbook() -> LawBook:
    """Return the packs that are served: those of `places`; read once."""
    return load(*places())


def places() -> tuple[Path, ...]:
    """Return where packs lie: the shipped folder, and the one that `KINBIND_PACKS` names."""
    extra = os.environ.get("KINBIND_PACKS", "").strip()
    return (SHIPPED, Path(extra)) if extra else (SHIPPED,)


def load(*places: Path) -> LawBook:
    """Return the book of all packs in the folders and files. Raises `PackError`."""
    return LawBook(file for place in places for file in read_place(place))


def _doubles(files: tuple[PackFile, ...]) -> list[Problem]:
    first: dict[tuple[str, object], PackFile] = {}
    found = []
    for file in files:
        for key in ((file.name, file.version), (file.name, file.effective_from)):
            other = first.setdefault(key, file)
            if other is not file:
                what = f"{file.name} {key[1]} is in {other.file} too: a change needs its own version and effective_from"
                found.append(Problem(file.file, "", what))
    return found


def _refuse(problems: list[Problem]) -> None:
    if problems:
        raise PackError(problems)
