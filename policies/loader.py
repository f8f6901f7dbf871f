"""Reading packs and joining each with what it inherits; errors name file, key path and what is wrong."""

from __future__ import annotations

import re
from collections.abc import Hashable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from itertools import accumulate
from pathlib import Path
from typing import Any

import yaml
from pydantic import ValidationError

from policies.pack import Pack

SHIPPED = Path(__file__).parent / "packs"
# About the file itself, not part of the law that it is merged into.
_OWN_KEYS = frozenset({"inherits", "replaces", "sources", "facts", "unconfirmed"})
_DEEPEST = 500  # at thirty thousand the parser runs out of stack
_REQUIRED = ("pack", "version", "effective_from", "region", "product")
# A member of these replaces the parent's as a whole: half of its term or channel would make no sense.
_WHOLE = frozenset({"deadlines", "channels.open", "papers", "notices", "agencies", "reasons", "help"})


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing wrong in a pack: `path` is the key path, "" for the file as a whole."""

    file: str
    path: str
    what: str

    def __str__(self) -> str:
        """File, key path and what is wrong, in one line."""
        return f"{self.file}: {self.path or '(file)'}: {self.what}"


class PackError(Exception):
    """The packs cannot be used; `problems` lists everything that was found."""

    def __init__(self, problems: Iterable[Problem]) -> None:
        """Keep the problems; the message has one line for each."""
        self.problems = tuple(problems)
        super().__init__("\n".join(map(str, self.problems)))


@dataclass(frozen=True, slots=True, eq=False)
class PackFile:
    """One file as it was read, before inheritance; two are equal only if they are the same."""

    file: str
    pack: str
    version: str
    effective_from: date
    region: str
    product: str
    inherits: str | None  # "CN-national/family_account"
    replaces: tuple[str, ...]
    sources: tuple[str, ...]
    facts: Mapping[str, tuple[str, ...]]
    unconfirmed: tuple[str, ...]
    body: Mapping[str, Any]

    @property
    def name(self) -> str:
        """What other packs inherit it by."""
        return f"{self.pack}/{self.product}"


@dataclass(frozen=True, slots=True)
class Law:
    """A resolved pack, the files that it came from (nearest first) and which of them set each key path.

    `nearest`: for those paths and all above them, the nearest file that set the path or something below it.
    """

    pack: Pack
    chain: tuple[PackFile, ...]
    origins: Mapping[str, PackFile]
    nearest: Mapping[str, PackFile]

    def origin(self, path: str) -> PackFile:
        """Return the nearest file that set the key path or something below it, else what is above it."""
        return _origin(self.origins, self.nearest, path) or self.chain[0]

    def facts(self, path: str) -> tuple[str, ...]:
        """Return the marks of DOMAIN.md on which the key path stands.

        They are those of the file that set it; a file that inherits the value unchanged may give its own.
        """
        witness = self._witness(path)
        return witness[1] if witness else ()

    def is_unconfirmed(self, path: str) -> bool:
        """Tell whether the file that set the key path, or one that took it over, says that no source confirms it.

        Another region's sources confirm nothing here: what is inherited from there counts as confirmed only if a pack
        of this region, or of one around it, cites a source of its own.
        """
        marks = {mark for file in self._speakers(path) for mark in file.unconfirmed}
        if any(above in marks for above in _upwards(path)):
            return True
        witness = self._witness(path)
        return self.is_borrowed(path) and (witness is None or self._elsewhere(witness[0]))

    def is_borrowed(self, path: str) -> bool:
        """Tell whether the key path is taken over from a pack of another region, not of one around this."""
        return self._elsewhere(self.origin(path))

    def _elsewhere(self, file: PackFile) -> bool:
        return not self.chain[0].region.startswith(file.region)

    def _witness(self, path: str) -> tuple[PackFile, tuple[str, ...]] | None:
        """The nearest file that may speak of the key path and cites something for it, and what it cites."""
        for file in self._speakers(path):
            cited = next((above for above in _upwards(path) if above in file.facts), None)
            if cited is not None and (file is self.origin(path) or not self._sets(file, cited)):
                return file, file.facts[cited]
        return None

    def _sets(self, file: PackFile, path: str) -> bool:
        """Whether the file set something at or below the key path."""
        return any(by is file and f"{set_}.".startswith(f"{path}.") for set_, by in self.origins.items())

    def _speakers(self, path: str) -> tuple[PackFile, ...]:
        """The file that set the key path, and those that inherit it: each may cite sources or doubts for it."""
        return self.chain[: self.chain.index(self.origin(path)) + 1]


class _Loader(yaml.CSafeLoader):
    """Plain YAML in which a doubled key is an error, not silently the last. In C, as every process reads all packs."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Hashable, Any]:  # noqa: FBT001, FBT002
        keys = [self.construct_object(key, deep=True) for key, _ in node.value]
        for key in keys:
            if keys.count(key) > 1:
                raise yaml.constructor.ConstructorError(None, None, f"key said twice: {key}", node.start_mark)
        return super().construct_mapping(node, deep)


def read_place(place: Path) -> list[PackFile]:
    """Read one pack, or every pack of a folder. Raises `PackError` with all that is wrong in them."""
    return read_folder(place) if place.is_dir() else [_read_file(place)]


def read_folder(folder: Path) -> list[PackFile]:
    """Read every `*.yaml` of a folder, sorted by name. Raises `PackError` with all that is wrong in them."""
    found: list[PackFile] = []
    problems: list[Problem] = []
    for path in sorted(folder.glob("*.yaml")):
        try:
            found.append(_read_file(path))
        except PackError as error:
            problems += error.problems
    if problems:
        raise PackError(problems)
    return found


def _read_file(path: Path) -> PackFile:
    try:
        text = path.read_text("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise PackError([Problem(path.name, "", f"cannot be read: {error}")]) from error
    return read_pack(path.name, text)


def read_pack(file: str, text: str) -> PackFile:
    """Read one pack; `file` is the name for errors. Raises `PackError`."""
    if _depth(text) > _DEEPEST:
        raise PackError([Problem(file, "", f"nested deeper than {_DEEPEST}")])
    try:
        body = yaml.load(text, _Loader)  # noqa: S506 - a SafeLoader
    except yaml.YAMLError as error:
        raise PackError([Problem(file, "", " ".join(str(error).split()))]) from error
    except Exception as error:  # a value that is not of the type that its form or its tag says: 2026-13-45
        raise PackError([Problem(file, "", f"a value is not what it looks like: {error}")]) from error
    if not isinstance(body, dict):
        raise PackError([Problem(file, "", "not a mapping")])
    problems = [Problem(file, key, "missing") for key in _REQUIRED if key not in body]
    problems += _wrong_heads(file, body)
    if problems:
        raise PackError(problems)
    made = PackFile(
        file=file,
        **{key: body[key] for key in _REQUIRED},
        inherits=body.get("inherits"),
        replaces=tuple(body.get("replaces") or ()),
        sources=tuple(body.get("sources") or ()),
        facts={path: tuple(marks) for path, marks in (body.get("facts") or {}).items()},
        unconfirmed=tuple(body.get("unconfirmed") or ()),
        body={key: value for key, value in body.items() if key not in _OWN_KEYS},
    )
    missing = [path for path in made.replaces if not _has(made.body, path)]
    if missing:
        raise PackError([Problem(file, "replaces", f"not in this file: {path}") for path in missing])
    return made


def join(chain: tuple[PackFile, ...]) -> Law:
    """Join a pack (first) with its ancestors into the law that it makes. Raises `PackError`.

    Mappings are merged, everything else is replaced; a path under `replaces` is replaced with all below it.
    """
    body: dict[str, Any] = {}
    origins: dict[str, PackFile] = {}
    for file in reversed(chain):
        body = _merged(body, file.body, file, "", origins)
    nearest = _nearest(origins, chain)
    try:
        pack = Pack.model_validate(body)
    except ValidationError as error:
        raise PackError(_problems(error, origins, nearest, chain[0])) from error
    law = Law(pack, chain, origins, nearest)
    problems = _unknown_paths(chain[0], body)
    if problems:
        raise PackError(problems)
    return law


def _depth(text: str) -> int:
    """An upper bound of how deep it is nested, by indents and brackets: too deep would crash the parser."""
    leads = max((len(line) - len(line.lstrip(" \t-?:")) for line in text.splitlines()), default=0)
    steps = (1 if mark in "[{" else -1 for mark in re.findall(r"[\[\]{}]", text))
    return leads + max(accumulate(steps), default=0)


def _wrong_heads(file: str, body: dict[str, Any]) -> list[Problem]:
    kinds = {
        **dict.fromkeys(("pack", "version", "region", "product"), str),
        **dict.fromkeys(("replaces", "sources", "unconfirmed"), list),
        "effective_from": date,
        "facts": dict,
    }
    found = [
        Problem(file, key, f"must be a {kind.__name__} ({'no quotes' if kind is date else 'quote it?'})")
        for key, kind in kinds.items()
        if body.get(key) is not None and not isinstance(body[key], kind)
    ]
    found += [
        Problem(file, key, "must be a list of words")
        for key, words in [*((key, body.get(key)) for key in ("replaces", "sources", "unconfirmed")), *_facts(body)]
        if isinstance(words, list) and not all(isinstance(word, str) for word in words)
    ]
    found += [Problem(file, key, "must be a list") for key, marks in _facts(body) if not isinstance(marks, list)]
    if body.get("inherits") is not None and "/" not in str(body["inherits"]):
        found.append(Problem(file, "inherits", "write it as <pack>/<product>"))
    return found


def _facts(body: dict[str, Any]) -> list[tuple[str, Any]]:
    facts = body.get("facts")
    return [(f"facts.{path}", marks) for path, marks in facts.items()] if isinstance(facts, dict) else []


def _merged(
    old: Mapping[str, Any], new: Mapping[str, Any], file: PackFile, above: str, origins: dict[str, PackFile]
) -> dict[str, Any]:
    """Return `old` overlaid with `new`, noting in `origins` which file set what."""
    result = dict(old)
    for key, value in new.items():
        path = f"{above}.{key}" if above else str(key)
        before = result.get(key)
        whole = above in _WHOLE or path in file.replaces
        if isinstance(value, dict) and isinstance(before, dict) and not whole:
            result[key] = _merged(before, value, file, path, origins)
            continue
        for stale in [known for known in origins if known.startswith(path + ".")]:
            del origins[stale]
        origins[path] = file
        result[key] = value
        if value is None and above in _WHOLE:
            del result[key]  # null takes an inherited member away
    return result


def _upwards(path: str) -> Iterator[str]:
    """The key path, then what is above it."""
    while path:
        yield path
        path = path.rpartition(".")[0]


def _nearest(origins: Mapping[str, PackFile], chain: tuple[PackFile, ...]) -> dict[str, PackFile]:
    """Return, by each key path that was set and all above it, the nearest file that set it or something below it."""
    found: dict[str, PackFile] = {}
    for path, file in origins.items():
        for above in _upwards(path):
            found[above] = min(file, found.get(above, file), key=chain.index)
    return found


def _origin(origins: Mapping[str, PackFile], nearest: Mapping[str, PackFile], path: str) -> PackFile | None:
    return nearest.get(path) or next((origins[above] for above in _upwards(path) if above in origins), None)


def _problems(
    error: ValidationError, origins: Mapping[str, PackFile], nearest: Mapping[str, PackFile], asked: PackFile
) -> list[Problem]:
    found = []
    for one in error.errors():
        path = ".".join(str(part) for part in one["loc"])
        what = "unknown key" if one["type"] == "extra_forbidden" else one["msg"].removeprefix("Value error, ")
        found.append(Problem((_origin(origins, nearest, path) or asked).file, path, what))
    return found


def _unknown_paths(file: PackFile, body: Mapping[str, Any]) -> list[Problem]:
    """Facts and doubts about keys that do not exist: they would say nothing, and nobody would notice."""
    return [
        Problem(file.file, f"{key}.{path}", "speaks of a key that the pack does not have")
        for key, paths in (("facts", file.facts), ("unconfirmed", file.unconfirmed))
        for path in paths
        if not _has(body, path)
    ]


def _has(body: Mapping[str, Any], path: str) -> bool:
    here: Any = body
    for part in path.split("."):
        if not isinstance(here, Mapping) or part not in here:
            return False
        here = here[part]
    return True
