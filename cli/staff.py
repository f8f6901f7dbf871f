"""`kinbind staff`: who signs in to the console."""

from __future__ import annotations

from typing import Annotated

import typer

from cli import places
from cli.keys import OwnNumber, Regions, Roles, named_right, own_person
from cli.screen import Trouble, say, table
from workflows.access import accounts

app = typer.Typer(no_args_is_help=True, help="Accounts for the console: who signs in, as what, for which regions.")


@app.command("add")
def add(
    login: Annotated[str, typer.Argument(help="What he types to sign in.")],
    name: Annotated[str, typer.Argument(help="Who it is, as colleagues know him.")],
    role: Roles,
    region: Regions,
    own_number: OwnNumber = False,
) -> None:
    """Make an account. Its one-time password is shown this once; the first sign-in asks for one's own and a phone."""
    number = typer.prompt("ID number", hide_input=True) if own_number else None
    with places.desk() as desk, named_right():
        person = own_person(desk.keys, number) if number else None
        made, password = accounts.add(desk.ledger, login, name, role, region, person)
    say(f"{accounts.plain(login)} is {made.id} ({made.name}); the one-time password, which is not shown again:")
    say(password)


@app.command("reset")
def reset(login: Annotated[str, typer.Argument(help="As `staff list` shows it.")]) -> None:
    """Begin an account anew: another one-time password, no authenticator, no session, not locked."""
    with places.ledger() as ledger:
        password = accounts.reset(ledger, login)
    if password is None:
        raise Trouble("nobody has this login")
    say(f"the one-time password of {accounts.plain(login)}, which is not shown again:")
    say(password)


@app.command("list")
def list_() -> None:
    """Show the accounts. `kinbind keys revoke ID` takes one away, its sessions with it."""
    with places.ledger() as ledger:
        everybody = accounts.every(ledger)
    heads = ("login", "id", "name", "roles", "regions", "status")
    table(heads, ((one.login, one.principal, one.name, " ".join(one.roles), " ".join(one.regions), _status(one))
                  for one in everybody))  # fmt: skip


def _status(one: accounts.Account) -> str:
    if one.revoked:
        return "revoked"
    if one.locked:
        return "locked"
    return "ready" if one.set_up else "not set up"
