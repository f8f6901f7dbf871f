"""The law book twice, with one version of a pack and with another, whatever their dates: to ask "what if"."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import date

from policies.book import LawBook
from policies.loader import PackFile


class NotComparable(Exception):
    """Two packs that cannot be compared, as neither can replace the other; the message says why."""


@dataclass(frozen=True, slots=True)
class Worlds:
    """Two books, each with one law for all days, and whom the difference between them can concern."""

    old: LawBook
    new: LawBook
    reach: frozenset[tuple[str, str]]  # (product, the digits that the holder's insured region begins with)


def worlds(book: LawBook, old: PackFile, new: PackFile) -> Worlds:
    """Return the law with `old` in force and with `new` in its place, beside what else is in force on their later day.

    Packs that inherit from the two differ with them, and so are reached too. `new` may be a pack that takes its region
    over from `old`, whether `book` has it already or not; before it there was nothing that inherits from it either.
    Raises `NotComparable` where it is neither a version of the same pack nor such a new one, and `PackError` where
    `new` does not fit among the others.
    """
    _comparable(book, old, new)
    day = max(old.effective_from, new.effective_from)
    # one copy of each file in both worlds, so that laws made of the same files are seen to be the same
    standing = {file.name: _timeless(file) for file in book.in_force(day) if file.name not in (old.name, new.name)}
    standing[old.name] = _timeless(old)
    before = standing if old.name == new.name else _without(standing, new.name)
    after = standing | {new.name: _timeless(new)}
    first, second = LawBook(before.values()), LawBook(after.values())
    return Worlds(first, second, _reach(first, second))


def _comparable(book: LawBook, old: PackFile, new: PackFile) -> None:
    known = {file.name for file in book.files if file.version != new.version}
    if old.product != new.product:
        raise NotComparable(f"{old.name} and {new.name} are about different products")
    if old.name != new.name and (new.name in known or not new.region.startswith(old.region)):
        raise NotComparable(f"{new.name} is no version of {old.name}, nor a new pack for a part of its region")


def _without(files: Mapping[str, PackFile], name: str) -> dict[str, PackFile]:
    """The files that do not inherit from the pack called `name`, directly or through others."""
    gone = {name}
    while more := {file.name for file in files.values() if file.inherits in gone} - gone:
        gone |= more
    return {one: file for one, file in files.items() if one not in gone}


def _timeless(file: PackFile) -> PackFile:
    return replace(file, effective_from=date.min)


def _reach(first: LawBook, second: LawBook) -> frozenset[tuple[str, str]]:
    chains = [{law.chain[0].name: law for law in book.laws_on(date.max)} for book in (first, second)]
    return frozenset(
        (law.chain[0].product, law.chain[0].region)
        for one, other in (chains, chains[::-1])
        for name, law in one.items()
        if name not in other or law.chain != other[name].chain
    )
