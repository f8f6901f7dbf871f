"""`kinbind policy`: whether the packs are fit, what one says, and which plan an application would get and why."""

from __future__ import annotations

from datetime import UTC, date, datetime
from typing import Annotated, NoReturn

import typer

from cli.screen import Trouble, fail, say, table
from policies.book import LawBook, lawbook
from policies.calendar import shanghai_day
from policies.check import check_book
from policies.explain import explain_plan
from policies.loader import Law, PackError
from policies.planning import ApplicationFacts, PersonFacts
from policies.refusals import NotAllowed
from workflows import check as machine

app = typer.Typer(no_args_is_help=True, help="The law book: check it, read it, ask it for a plan.")

Day = Annotated[str | None, typer.Option("--day", metavar="YYYY-MM-DD", help="In Shanghai; today where not given.")]


@app.command("check")
def check() -> None:
    """Check every pack, and that no state of the machine is left without a deadline under any of them."""
    try:
        book = lawbook()
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


def _end_with(problems: list[str]) -> NoReturn:
    for problem in problems:
        say(problem)
    fail(f"{len(problems)} faults found in the packs")


@app.command("show")
def show(
    pack: Annotated[str, typer.Argument(help="As CN-national/family_account; several products without the product.")],
    day: Day = None,
) -> None:
    """Show a pack with all that it inherits: each key, which file sets it, on which facts, and what is unconfirmed."""
    book, pack = lawbook(), pack.replace(".", "/")  # as the files are named, too
    laws = [law for law in book.laws_on(_day(day)) if pack in (law.chain[0].name, law.pack.pack)]
    if not laws:
        raise Trouble(f"no such pack; there are {', '.join(sorted({file.name for file in book.files}))}")
    for law in laws:
        say(f"{law.pack.title.zh} / {law.pack.title.en}: {law.chain[0].name} {law.pack.version}")
        say(f"from {' < '.join(file.file for file in law.chain)}, in force since {law.pack.effective_from}")
        table(("key", "value", "file", "facts", ""), _keys(law))


@app.command("plan")
def plan(
    product: Annotated[str, typer.Option()] = "family_account",
    method: Annotated[str, typer.Option()] = "id_number",
    relationship: Annotated[str, typer.Option(help="What the member is to the holder.")] = "PARENT",
    holder_region: Annotated[str, typer.Option(help="Where the holder is insured, six digits.")] = "440100",
    member_region: Annotated[str | None, typer.Option(help="The holder's where not given.")] = None,
    member_birth: Annotated[str, typer.Option(metavar="YYYY-MM-DD")] = "1958-03-07",
    member_document: Annotated[str, typer.Option(help="The id_type of the member.")] = "resident_id",
    channel: Annotated[str | None, typer.Option(help="Ask whether this channel is open to them, too.")] = None,
    initiator: Annotated[str | None, typer.Option()] = None,
    day: Day = None,
) -> None:
    """Show the plan that an application would get, each part with the key, file and facts that it comes from."""
    holder = PersonFacts("resident_id", holder_region)
    member = PersonFacts(member_document, member_region or holder_region, _date(member_birth))
    facts = ApplicationFacts(product, method, relationship, channel, initiator, holder, member)
    book, on = lawbook(), _day(day)
    try:
        made, parts = explain_plan(book, facts, on)
    except NotAllowed as no:
        raise Trouble(f"no plan: {no.code} at {no.pointer or '/'}: {_words(book, facts, no.code, on)}") from no
    say(f"{made.pack} {made.version}: {made.age_group}, steps: {', '.join(made.steps) or 'none'}")
    rows = ((p.part, p.value, p.key, p.file, " ".join(p.facts), "unconfirmed" if p.unconfirmed else "") for p in parts)
    table(("part", "value", "key of the pack", "file", "facts", ""), rows)


def _words(book: LawBook, facts: ApplicationFacts, code: str, on: date) -> str:
    try:
        pack = book.pack_for(facts.holder.insured_region, facts.product, on)
    except NotAllowed:
        return "nobody offers it there"
    words = pack.reasons.get(code)
    return f"{words.zh} / {words.en}" if words else "the pack has no words for it"


def _keys(law: Law) -> list[tuple[str, str, str, str, str]]:
    rows = []
    for key, value in law.pack.model_dump(mode="json").items():
        parts = value.items() if isinstance(value, dict) else [("", value)]
        for name, part in parts:
            path = f"{key}.{name}" if name else key
            unconfirmed = "unconfirmed" if law.is_unconfirmed(path) else ""
            rows.append((path, str(part), law.origin(path).file, " ".join(law.facts(path)), unconfirmed))
    return rows


def _day(text: str | None) -> date:
    return _date(text) if text else shanghai_day(datetime.now(UTC))


def _date(text: str) -> date:
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise Trouble(f"not a day as YYYY-MM-DD: {text}") from None
