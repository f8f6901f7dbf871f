"""`kinbind audit`: the chain of every history walked, here or offline, and exports that are signed."""

from __future__ import annotations

import base64
import binascii
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer

from cli import places
from cli.screen import Trouble, WronglyAsked, fail, say, table
from models.keyring import keyring
from policies.calendar import SHANGHAI
from workflows import audit

app = typer.Typer(no_args_is_help=True, help="The history under audit: verify it, export it, signed.")
Moment = Annotated[str | None, typer.Option(metavar="TIME", help="RFC 3339, or a day in Shanghai.")]
BindingId = Annotated[str | None, typer.Option("--binding", metavar="ID", help="Of this binding alone.")]
KEY_BYTES = 32  # of a public key of Ed25519


@app.command("verify")
def verify(
    export: Annotated[Path | None, typer.Argument(help="An export; the ledger where not given.")] = None,
    binding: BindingId = None,
    public_key: Annotated[str | None, typer.Option(help="As `audit key` tells it: whose export it must be.")] = None,
) -> None:
    """Walk the hash chains and say what is wrong; exit code 1 when something is. An export needs no service."""
    if export is not None:
        if binding is not None:
            raise WronglyAsked("--binding is for the ledger; an export is checked as a whole")
        found = _offline(export, public_key)
    elif public_key is not None:
        raise WronglyAsked("--public-key is for an export, and none is named")
    else:
        found = _here(binding)
    if found.faults:
        rows = ((one.binding_id, str(one.sequence or "-"), one.what) for one in found.faults)
        table(("binding", "line", "what is wrong"), rows)
        fail(f"{len(found.faults)} faults in {found.lines} lines of {found.bindings} bindings")
    say(f"{found.lines} lines of {found.bindings} bindings are whole, each chained to the one before")


def _here(binding: str | None) -> audit.Verdict:
    with places.ledger() as ledger:
        found = audit.verify(ledger, binding)
    if binding is not None and not found.bindings:
        raise places.no_such(binding)
    return found


def _offline(export: Path, public_key: str | None) -> audit.Verdict:
    key = None if public_key is None else _read_key(public_key)
    try:
        with export.open("rb") as file:
            found = audit.check_export(file, key)
    except OSError as fault:
        raise Trouble(f"{export} cannot be read: {fault.strerror}") from fault
    except (binascii.Error, ValueError) as wrong:
        raise Trouble(f"{export} cannot be checked: {wrong}") from wrong
    if key is None:
        say("checked with the key in the file itself; give --public-key to know whose that is")
    return found


def _read_key(told: str) -> bytes:
    """The key as it was typed. Raises `WronglyAsked`: an empty variable of a script is not the wish to do without."""
    try:
        key = base64.b64decode(told, validate=True)
    except ValueError:
        key = b""
    if len(key) != KEY_BYTES:
        raise WronglyAsked("--public-key is no key as `kinbind audit key` tells it")
    return key


@app.command("export")
def export(
    target: Annotated[Path, typer.Argument(help="A file that does not exist yet.")],
    binding: BindingId = None,
    since: Moment = None,
    until: Moment = None,
) -> None:
    """Write the history of one binding, or all lines of a period, to a signed file that can be checked offline."""
    if binding is not None and (since is not None or until is not None):
        raise WronglyAsked("either one binding or a period")
    begin, end = moment(since), moment(until)
    if begin is not None and end is not None and end <= begin:
        raise WronglyAsked("nothing lies before --until and after --since: are they swapped?")
    with places.desk() as desk:
        if binding is not None:
            places.look(desk, binding)
        lines = audit.export(desk.ledger, desk.keys, only=binding, since=begin, until=end)
        with places.new_file(target) as file:
            file.writelines(lines)
    say(f"{target} is signed; `kinbind audit verify {target} --public-key {_key()}` checks it anywhere")


@app.command("key")
def key() -> None:
    """Show the public key that checks our exports."""
    with places.desk():
        say(_key())


def _key() -> str:
    return base64.b64encode(keyring().public_key).decode()


def moment(told: str | None) -> datetime | None:
    """A time as people write it, in UTC; a day or a time without a zone is Shanghai's. Raises `WronglyAsked`."""
    if told is None:
        return None
    try:
        at = datetime.fromisoformat(told)
        return (at if at.tzinfo else at.replace(tzinfo=SHANGHAI)).astimezone(UTC)
    except (ValueError, OverflowError):  # the first day of Shanghai's year 1 began in a year that UTC has not
        raise WronglyAsked(f"not a time as 2026-11-21T08:00:00Z or 2026-11-21: {told}") from None
