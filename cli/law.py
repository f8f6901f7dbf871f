"""`kinbind policy`: which packs there are, whether they are fit, what one says, and which plan comes of it and why.

A draft that is not among the packs yet is named by its path, beside the packs that are served.
"""

from __future__ import annotations

from collections.abc import Collection
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Annotated, Any, NoReturn, get_args

import orjson
import typer

from cli import places as ours
from cli.screen import Trouble, WronglyAsked, fail, say, table
from policies.book import LawBook, lawbook, load, places
from policies.calendar import shanghai_day
from policies.check import check_book
from policies.explain import explain_plan
from policies.loader import Law, PackError, PackFile, read_place
from policies.planning import ApplicationFacts, PersonFacts
from policies.refusals import NotAllowed
from policies.regions import is_region
from policies.relations import RELATIONSHIPS
from policies.words import ChannelName, IdType, Initiator, Method, Product
from policies.worlds import NotComparable, worlds
from workflows import check as machine
from workflows.replanning import Group, Report, replanned, report

app = typer.Typer(
    no_args_is_help=True, help="Policy packs, the rules of regions: check them, read them, ask for a plan."
)

Day = Annotated[str | None, typer.Option("--day", metavar="YYYY-MM-DD", help="In Shanghai; today where not given.")]
Drafts = Annotated[
    list[Path] | None, typer.Option("--packs", metavar="PATH", help="A pack not served yet, or a folder of them.")
]


def _region(code: str | None) -> str | None:
    """An insured region as it was typed; the command ends with exit code 2 where it is none."""
    if code is not None and not is_region(code):
        raise typer.BadParameter(f"six digits of a province that there is, as 330100, not {code}")
    return code


@app.command("list")
def list_packs(drafts: Drafts = None) -> None:
    """List every pack in all its versions: from which day on, whether it is in force today, and what it is called."""
    book, today = _book(drafts), _day(None)
    ruling = book.in_force(today)
    rows = []
    for file in book.files:
        title = book.law(file.pack, file.product, file.version).pack.title
        now = "in force" if file in ruling else "to come" if file.effective_from > today else "replaced"
        rows.append((file.name, file.version, str(file.effective_from), now, f"{title.zh} / {title.en}", file.file))
    table(("pack", "version", "from", "", "title", "file"), rows)


@app.command("check")
def check(
    drafts: Annotated[list[Path] | None, typer.Argument(metavar="PATH", help="Drafts to check with the rest.")] = None,
) -> None:
    """Check every pack, and that no state of the machine is left without a deadline under any of them."""
    try:
        book = _book(drafts)
    except PackError as broken:
        _end_with([str(problem) for problem in broken.problems])
    days = sorted({file.effective_from for file in book.files})
    problems = list(dict.fromkeys(str(problem) for day in days for problem in check_book(book, day)))
    problems += [
        f"{wrong.pack} {wrong.version}: {wrong.plan}: {wrong.state or '(plan)'}: {wrong.what}"
        for wrong in machine.check_book(book)
    ]
    if problems:
        _end_with(problems)
    say(f"{len(book.files)} packs are in order; no plan of theirs leaves a state without a deadline or an end")


def _book(drafts: list[Path] | None) -> LawBook:
    """The packs that are served, and drafts beside them. Raises `PackError`, and `Trouble` for a served file."""
    if not drafts:
        return lawbook()
    served = {file.resolve() for place in places() for file in _files(place)}
    for file in (file for draft in drafts for file in _files(draft) if file.resolve() in served):
        raise Trouble(f"{file.name} is in the book already: leave the path away, as in kinbind policy check")
    return load(*places(), *drafts)


def _files(place: Path) -> list[Path]:
    return sorted(place.glob("*.yaml")) if place.is_dir() else [place]


def _end_with(problems: list[str]) -> NoReturn:
    for problem in problems:
        say(problem)
    fail(f"{len(problems)} faults found in the packs")


@app.command("show")
def show(
    pack: Annotated[str, typer.Argument(help="As CN-national/family_account; several products without the product.")],
    day: Day = None,
    drafts: Drafts = None,
) -> None:
    """Show a pack with all that it inherits: each key, which file sets it, on which facts, and what is unconfirmed."""
    book, pack = _book(drafts), pack.replace(".", "/")  # as the files are named, too
    laws = [law for law in book.laws_on(_day(day)) if pack in (law.chain[0].name, law.pack.pack)]
    if not laws:
        raise WronglyAsked(f"no such pack; there are {', '.join(sorted({file.name for file in book.files}))}")
    for law in laws:
        say(f"{law.pack.title.zh} / {law.pack.title.en}: {law.chain[0].name} {law.pack.version}")
        say(f"from {' < '.join(file.file for file in law.chain)}, in force since {law.pack.effective_from}")
        table(("key", "value", "file", "facts", ""), _keys(law))


@app.command("plan")
def plan(
    ctx: typer.Context,
    product: Annotated[str, typer.Option()] = "family_account",
    method: Annotated[str, typer.Option()] = "id_number",
    relationship: Annotated[str, typer.Option(help="What the member is to the holder.")] = "PARENT",
    holder_region: Annotated[
        str, typer.Option(callback=_region, help="Where the holder is insured, six digits.")
    ] = "440100",
    holder_birth: Annotated[str | None, typer.Option(metavar="YYYY-MM-DD", help="Not judged where not given.")] = None,
    member_region: Annotated[
        str | None, typer.Option(callback=_region, help="The same of the member; the holder's where not given.")
    ] = None,
    member_birth: Annotated[str, typer.Option(metavar="YYYY-MM-DD")] = "1958-03-07",
    member_document: Annotated[str, typer.Option(help="The id_type of the member.")] = "resident_id",
    channel: Annotated[str | None, typer.Option(help="Ask whether this channel is open to them, too.")] = None,
    initiator: Annotated[str | None, typer.Option()] = None,
    day: Day = None,
    drafts: Drafts = None,
) -> None:
    """Show the plan that an application would get: each line, why, and the key, file and facts that it comes from."""
    _known("--product", product, get_args(Product))
    _known("--method", method, get_args(Method))
    _known("--relationship", relationship, RELATIONSHIPS)
    _known("--member-document", member_document, get_args(IdType))
    _known("--channel", channel, get_args(ChannelName))
    _known("--initiator", initiator, get_args(Initiator))
    holder = PersonFacts("resident_id", holder_region, _date(holder_birth) if holder_birth else None)
    member = PersonFacts(member_document, member_region or holder_region, _date(member_birth))
    facts = ApplicationFacts(product, method, relationship, channel, initiator, holder, member)
    book, on = _book(drafts), _day(day)
    try:
        made, parts = explain_plan(book, facts, on)
    except NotAllowed as no:
        raise Trouble(f"no plan: {no.code} at {no.pointer or '/'}: {_words(book, facts, no, on)}") from no
    say(f"{made.pack} {made.version}: {made.age_group}, steps: {', '.join(made.steps) or 'none'}")
    if assumed := _assumed(ctx):
        say(f"assumed, as it was not said: {' '.join(assumed)}")
    rows = (
        (one.part, one.value, one.why, one.key, one.file, " ".join(one.facts), "unconfirmed" if one.unconfirmed else "")
        for one in parts
    )
    table(("part", "value", "why", "key of the pack", "file", "facts", ""), rows)


def _known(option: str, word: str | None, words: Collection[str]) -> None:
    """Whether an option names one of these. Raises `WronglyAsked`."""
    if word is not None and word not in words:
        raise WronglyAsked(f"{option} is one of {', '.join(words)}")


def _assumed(ctx: typer.Context) -> list[str]:
    """The options of a family that nobody has described: those with a value of ours, as they would be typed."""
    said = {one.name: ctx.get_parameter_source(one.name) for one in ctx.command.params if one.name}
    ours = [one for one in ctx.command.params if (source := said.get(one.name)) and source.name == "DEFAULT"]
    return [f"{one.opts[0]} {value}" for one in ours if (value := ctx.params[one.name or ""])]


@app.command("diff")
def diff(
    old: Annotated[str, typer.Argument(help="As CN-national/family_account@2026-11-01, or the one in force.")],
    new: Annotated[str, typer.Argument(help="The same; a path for a pack that is not served yet.")],
    as_json: Annotated[bool, typer.Option("--json", help="For programs.")] = False,
) -> None:
    """Say which open bindings one version of a pack would have treated differently than another, and how."""
    book = lawbook()
    first, second = _version(book, old), _version(book, new)
    try:
        both = worlds(book, first, second)
    except NotComparable as no:
        raise Trouble(str(no)) from no
    with ours.desk() as desk:
        found = report(replanned(desk, both))
    names = tuple(f"{file.name} {file.version}" for file in (first, second))
    if as_json:
        print(orjson.dumps({"old": names[0], "new": names[1], **_as_data(found)}).decode())
        return
    say(f"{names[0]} → {names[1]}")
    different = sum(group.count for group in found.groups)
    say(f"{found.looked_at} open bindings looked at: {different} treated differently, {found.alike} alike")
    for group in found.groups:
        _say_group(group)


def _version(book: LawBook, text: str) -> PackFile:
    """The version of a pack that was named, or the draft at a path. Raises `Trouble` and `PackError`."""
    if Path(text).is_file():
        return read_place(Path(text))[0]
    said, _, version = text.partition("@")
    name = said.replace(".", "/")  # as the files are named, too
    known = book.files if version else book.in_force(_day(None))
    found = [file for file in known if file.name == name and version in ("", file.version)]
    if not found:
        there = ", ".join(f"{file.name}@{file.version}" for file in book.files)
        raise WronglyAsked(f"no such file and no such version: {text}; there are {there}")
    return found[0]


def _as_data(found: Report) -> dict[str, Any]:
    return {
        "looked_at": found.looked_at,
        "alike": found.alike,
        "groups": [
            {"old": group.old, "new": group.new, "count": group.count, "states": dict(group.states),
             "differences": [{"part": line.part, "old": _value(line.old), "new": _value(line.new)}
                             for line in group.differences],
             "examples": group.examples}
            for group in found.groups
        ],
    }  # fmt: skip


def _value(written: str | None) -> Any:
    return None if written is None else orjson.loads(written)


def _say_group(group: Group) -> None:
    states = ", ".join(f"{state} {count}" for state, count in group.states.most_common())
    say("")
    say(f"{group.count} ({states}), {group.old} → {group.new}")
    for line in group.differences:
        say(f"  {line}")
    say(f"  such as {' '.join(group.examples)}")


def _words(book: LawBook, facts: ApplicationFacts, no: NotAllowed, on: date) -> str:
    try:
        pack = book.pack_for(facts.holder.insured_region, facts.product, on)
    except NotAllowed:
        return "nobody offers it there"
    words = pack.reasons.get(no.code)
    said = f"{words.zh} / {words.en}" if words else "the pack has no words for it"
    if (fit := no.extra.get("methods")) is None:
        return said
    return f"{said}; methods that take such a member: {', '.join(fit) or 'none'}"


def _keys(law: Law) -> list[tuple[str, str, str, str, str]]:
    rows = []
    for key, value in law.pack.model_dump(mode="json").items():
        parts = value.items() if isinstance(value, dict) else [("", value)]
        for name, part in parts:
            path = f"{key}.{name}" if name else key
            unconfirmed = "unconfirmed" if law.is_unconfirmed(path) else ""
            rows.append((path, _yaml(part), law.origin(path).file, " ".join(law.facts(path)), unconfirmed))
    return rows


def _yaml(value: Any) -> str:
    """A value as a pack would write it on one line."""
    if isinstance(value, dict):
        return "{" + ", ".join(f"{name}: {_yaml(inner)}" for name, inner in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(_yaml(inner) for inner in value) + "]"
    if value is None or isinstance(value, bool):
        return {None: "null", True: "true", False: "false"}[value]
    return str(value)


def _day(text: str | None) -> date:
    return _date(text) if text else shanghai_day(datetime.now(UTC))


def _date(text: str) -> date:
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise WronglyAsked(f"not a day as YYYY-MM-DD: {text}") from None
