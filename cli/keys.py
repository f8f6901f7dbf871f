"""`kinbind keys`: who may call, and the keys that seal what is stored."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer

from cli import places
from cli.screen import Trouble, WronglyAsked, say, table
from models import keyring
from policies.calendar import shanghai_day
from policies.people import parse_identity
from workflows.access import principals
from workflows.access.principals import Principal

Roles = Annotated[list[str], typer.Option(help=f"One of {', '.join(principals.ROLES)}; may be repeated.")]
Regions = Annotated[list[str], typer.Option(help="Six digits; a province's covers its cities; may be repeated.")]
OwnNumber = Annotated[bool, typer.Option(help="Ask for his own ID number, so that he decides no own case.")]

app = typer.Typer(no_args_is_help=True, help="Keys of those who call, and the keyring that seals what is stored.")


@app.command("create-channel")
def create_channel(
    channel: Annotated[str, typer.Argument(help="As the API names it, e.g. alipay.")],
    name: Annotated[str | None, typer.Option(help="To tell several keys of one channel apart.")] = None,
) -> None:
    """Give a channel a key. It is shown this once."""
    with places.ledger() as ledger, named_right():
        _made(*principals.create_channel(ledger, channel, name))


@app.command("create-staff")
def create_staff(
    name: Annotated[str, typer.Argument(help="Who it is, as colleagues know him.")],
    role: Roles,
    region: Regions,
    own_number: OwnNumber = False,
) -> None:
    """Give a member of staff a key. It is shown this once."""
    # asked for, not an option: a command line stands in the shell's history and in the list of processes
    number = typer.prompt("ID number", hide_input=True) if own_number else None
    with places.desk() as desk, named_right():
        person = own_person(desk.keys, number) if number else None
        _made(*principals.create_staff(desk.ledger, name, role, region, person))


@app.command("list")
def list_() -> None:
    """Show whose keys are valid, without the keys: only their hashes are kept."""
    with places.ledger() as ledger:
        everybody = principals.every(ledger)
    heads = ("id", "kind", "name", "channel", "roles", "regions")
    table(heads, ((p.id, p.kind, p.name, p.channel or "-", " ".join(p.roles), " ".join(p.regions)) for p in everybody))


@app.command("revoke")
def revoke(principal_id: Annotated[str, typer.Argument(metavar="ID", help="As `keys list` shows it.")]) -> None:
    """Take a key back; within seconds no door opens to it."""
    with places.ledger() as ledger:
        if not principals.revoke(ledger, principal_id):
            raise Trouble("nobody of that id has a valid key")
    say(f"{principal_id} is revoked")


@app.command("make")
def make() -> None:
    """Make the keyring, where a first start has not: before keys of staff, or a Secret, are made from it."""
    path = keyring.keys_file()
    if path.exists():
        raise Trouble(f"{path} is there; it is never made anew, for nothing that was sealed would open")
    keyring.make(path)
    say(f"{path} is made; `kinbind keys backup` copies it, and every process needs the same")


@app.command("add")
def add() -> None:
    """Add a sealing key. It opens and does not seal yet: `use` it once every process has the new file."""
    with _there() as path:
        fresh = keyring.add(path)
        say(f"{fresh} is in {path}; copy it to every process, restart them, then `kinbind keys use {fresh}`")


@app.command("use")
def use(key_id: Annotated[str, typer.Argument(metavar="ID", help="As `keys add` named it.")]) -> None:
    """Seal with this key from now on. The older ones stay: what they have sealed is opened with them."""
    with _there() as path:
        try:
            keyring.use(path, key_id)
        except keyring.KeyUnknownError:
            raise Trouble(f"{path} has no key {key_id}; it has {', '.join(keyring.read(path).key_ids)}") from None
        say(f"{key_id} seals once a process has read {path} anew; copy it to every process, and restart them")


@app.command("backup")
def backup(
    target: Annotated[Path, typer.Argument(help="A file that does not exist yet, away from the database.")],
) -> None:
    """Copy the keyring, without which a backup of the database cannot be read, to a file for its owner alone."""
    with _there() as source:
        ids = keyring.read(source).key_ids  # read first: a broken file is not worth a backup
    with places.new_file(target) as file:
        file.write(source.read_bytes())
        file.flush()
        os.fsync(file.fileno())
    say(f"{target} holds the sealing keys {', '.join(ids)} and the key of the blind index; keep it apart from the data")


@contextmanager
def _there() -> Iterator[Path]:
    """The keyring's file. Raises `Trouble` where there is none, or the system refuses."""
    path = keyring.keys_file()
    if not path.exists():
        raise Trouble(f"there is no keyring at {path}; set KINBIND_VAR or KINBIND_KEYS_FILE")
    try:
        yield path
    except OSError as fault:
        raise Trouble(f"{path}: {fault.strerror}") from fault


def own_person(keys: keyring.Keyring, number: str) -> str:
    """The blind index of a member of staff's own ID number. Raises `NotAllowed`."""
    who = parse_identity("resident_id", number, None, shanghai_day(datetime.now(UTC)))
    return keys.person(who.family, who.number)


def _made(principal: Principal, key: str) -> None:
    say(f"{principal.id} ({principal.name}) may call with this key, which is not shown again:")
    say(key)


@contextmanager
def named_right() -> Iterator[None]:
    """What the desk calls a wrong value is wrongly asked here."""
    try:
        yield
    except ValueError as wrong:
        raise WronglyAsked(str(wrong)) from wrong
