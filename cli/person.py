"""`kinbind person`: what somebody may ask of whoever holds his data, and what must be kept all the same."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer

from cli import places
from cli.caller import Key, at_the_desk
from cli.screen import say, table
from policies.calendar import shanghai_day
from workflows.access import acting, rights
from workflows.access.principals import Principal
from workflows.engine import Desk
from workflows.views import public

app = typer.Typer(
    no_args_is_help=True, help="What is held of a person: told, erased, or kept. For supervisors of the whole country."
)
Purpose = Annotated[str, typer.Option("--purpose", help="Why: the number of his request; it stands in the access log.")]
_SAID = {
    "id_number_invalid": "that is no number of any document known here",
    "role_required": "what is held of a person lies in all regions: a supervisor of the whole country must ask for it",
    "own_case": "nobody does this for himself: another supervisor must",
    "own_number_required": "this key does not say who you are, and nobody does this for himself: use one that was made"
    " with --own-number",
}
_NOTHING = "no binding here is his"
_NOT_HELD = "no binding here is under a hold of his"
_BECAME = {
    "erased": "name, number and documents are erased; what happened, and when, is kept",
    "not_ended": "kept: it has not ended; it is withdrawn or unbound first",
    "under_hold": "kept: it is under a legal hold",
    "own_case": "kept: you are its other party, so that it is another's to erase",
    "still_counts": "kept: it still counts for the limits of one of the two; ask again when their window is over",
}


@app.command("export")
def export(
    target: Annotated[Path, typer.Argument(help="A file that does not exist yet; JSON, for its owner alone.")],
    purpose: Purpose,
    key: Key,
) -> None:
    """Write down all that is held of one person, whose number is asked for."""
    with _about_somebody(key) as (desk, caller, persons), places.new_file(target) as file:
        told = rights.copy_of(desk, caller, persons, purpose)
        file.write(public.dumps(told))
    say(f"{target} holds what is kept of him in {len(told['bindings'])} bindings")


@app.command("erase")
def erase(
    purpose: Purpose,
    key: Key,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask once more.")] = False,
) -> None:
    """Erase his name, number and documents from all bindings that are over. It cannot be taken back."""
    with _about_somebody(key) as (desk, caller, persons):
        if not yes:
            typer.confirm("Erase him from every binding that is over? It cannot be taken back", abort=True)
        became = rights.erase(desk, caller, persons, purpose)
    table(("binding", "what became of it"), ([one, _BECAME[what]] for one, what in became.items()), _NOTHING)


@app.command("hold")
def hold(purpose: Purpose, key: Key) -> None:
    """Keep all of his bindings, documents too, until `release`: for a dispute, or because a court says so."""
    with _about_somebody(key) as (desk, caller, persons):
        _bindings("kept until the hold is lifted", rights.hold(desk, caller, persons, purpose), _NOTHING)


@app.command("release")
def release(purpose: Purpose, key: Key) -> None:
    """Lift the hold; what is past its time is erased."""
    with _about_somebody(key) as (desk, caller, persons):
        _bindings("under no hold any more", rights.release(desk, caller, persons, purpose), _NOT_HELD)


def _bindings(now: str, ids: list[str], none: str) -> None:
    table(("binding", "is now"), ([one, now] for one in ids), none)


@contextmanager
def _about_somebody(key: str) -> Iterator[tuple[Desk, Principal, list[str]]]:
    """The desk, whose key it is, and all whom the number that is asked for may name."""
    with at_the_desk(key, _SAID, "supervisor") as (desk, caller):
        # asked for, not an option: a command line stands in the shell's history and in the list of processes
        number = typer.prompt("ID number", hide_input=True)
        yield desk, caller, acting.persons(desk.keys, number, "/id_number", shanghai_day(desk.ledger.now()))
