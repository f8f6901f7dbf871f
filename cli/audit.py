"""`kinbind audit`: the chain of every history walked, here or offline, and exports that are signed."""

from __future__ import annotations

import base64
import binascii
from datetime import datetime
from pathlib import Path
from typing import Annotated

import typer

from cli import places
from cli.screen import Trouble, fail, say, table
from models.keyring import keyring
from policies.calendar import SHANGHAI
from workflows import audit

app = typer.Typer(no_args_is_help=True, help="The history under audit: verify it, export it, signed.")
Moment = Annotated[str | None, typer.Option(metavar="TIME", help="RFC 3339, or a day in Shanghai.")]
BindingId = Annotated[str | None, typer.Option("--binding", metavar="ID", help="Of this binding alone.")]


@app.command("verify")
def verify(
    export: Annotated[Path | None, typer.Argument(help="An export; the ledger where not given.")] = None,
    binding: BindingId = None,
    public_key: Annotated[str | None, typer.Option(help="As `audit key` tells it: whose export it must be.")] = None,
) -> None:
    """Walk the hash chains and say what is wrong; exit code 1 when something is. An export needs no service."""
    if export is not None:
        found = _offline(export, public_key)
    else:
        with places.ledger() as ledger:
            found = audit.verify(ledger, binding)
        if binding and not found.bindings:
            raise Trouble(f"this ledger has no binding {binding!r}")
    if found.faults:
        rows = ((one.binding_id, str(one.sequence or "-"), one.what) for one in found.faults)
        table(("binding", "line", "what is wrong"), rows)
        fail(f"{len(found.faults)} faults in {found.lines} lines of {found.bindings} bindings")
    say(f"{found.lines} lines of {found.bindings} bindings are whole, each chained to the one before")
    if export is not None and public_key is None:
        say("signed by the key in the file itself; give --public-key to know whose that is")


def _offline(export: Path, public_key: str | None) -> audit.Verdict:
    try:
        key = base64.b64decode(public_key, validate=True) if public_key else None
        with export.open("rb") as file:
            return audit.check_export(file, key)
    except OSError as fault:
        raise Trouble(f"{export} cannot be read: {fault.strerror}") from fault
    except (binascii.Error, ValueError) as wrong:
        raise Trouble(f"{export} cannot be checked: {wrong}") from wrong


@app.command("export")
def export(
    target: Annotated[Path, typer.Argument(help="A file that does not exist yet.")],
    binding: BindingId = None,
    since: Moment = None,
    until: Moment = None,
) -> None:
    """Write the history of one binding, or all lines of a period, to a signed file that can be checked offline."""
    if binding and (since or until):
        raise Trouble("either one binding or a period")
    with places.desk() as desk:
        if binding:
            desk.look(binding)
        lines = audit.export(desk.ledger, desk.keys, only=binding, since=moment(since), until=moment(until))
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
    """A time as people write it; a day or a time without a zone is Shanghai's. Raises `Trouble`."""
    if told is None:
        return None
    try:
        at = datetime.fromisoformat(told)
    except ValueError:
        raise Trouble(f"not a time as 2026-11-21T08:00:00Z or 2026-11-21: {told}") from None
    return at if at.tzinfo else at.replace(tzinfo=SHANGHAI)
