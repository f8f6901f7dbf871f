"""`kinbind backup` and `kinbind restore`: the database at a moment, its log since, the documents; never the keys."""

from __future__ import annotations

import json
import shutil
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Annotated

import msgspec
import typer

from cli import places
from cli.audit import moment
from cli.looking import plain
from cli.screen import Trouble, say
from embedded import addresses, backup, lock
from gateways.documents import documents_folder
from models import keyring

LOOK_AGAIN = 1.0  # seconds between two looks whether the database is back

app = typer.Typer(no_args_is_help=True, help="Copies of database and documents; the keyring is `kinbind keys backup`.")


class _Needs(msgspec.Struct):
    """What `needs.json` of a backup says."""

    keys: list[str]


@app.command("base")
def base(
    target: Annotated[Path, typer.Argument(help="A folder that does not exist yet, away from the database.")],
) -> None:
    """Copy the whole database while it runs, then the documents, and say which keys they are sealed with."""
    url = places.database_url()
    with _files(), _new_folder(target):
        ids = _copy(url, target)
    say(f"{target} holds the database and the documents, sealed with the keys {', '.join(ids) or 'of no keyring here'}")
    say("the keyring is not in it: `kinbind keys backup`, and keep the two apart")


@contextmanager
def _new_folder(target: Path) -> Iterator[None]:
    """A new folder, for its owner alone; gone again where it was not filled to its end. Raises `Trouble`."""
    try:
        target.mkdir(mode=0o700, parents=True)
    except FileExistsError:
        raise Trouble(f"{target} exists, and nothing is overwritten") from None
    try:
        yield
    except BaseException:  # Ctrl-C, too: half a copy would be taken for a whole one, and forbid the next try
        shutil.rmtree(target, ignore_errors=True)
        raise


def _copy(url: str, target: Path) -> list[str]:
    """Fill the folder; the ids of the keys that the copy needs."""
    backup.base(url, target / "base")
    password = addresses.var_folder() / "postgres" / "password"
    (target / "password").touch(mode=0o600)
    (target / "password").write_text(password.read_text() if password.exists() else "")
    documents = documents_folder()
    if documents.is_dir():  # after the database: a file is written once, and whatever a row names is there by then
        aside = shutil.ignore_patterns(".incoming")  # half written: of no row yet
        shutil.copytree(documents, target / "documents", ignore=aside, copy_function=_copied)
    ids = keyring.read(keyring.keys_file()).key_ids if keyring.keys_file().exists() else []
    (target / "needs.json").write_text(json.dumps({"keys": ids}, indent=2) + "\n")
    return ids


def _copied(source: str, target: str) -> None:
    """Copy one document, unless its time has come since the folder was read."""
    with suppress(FileNotFoundError):
        shutil.copy2(source, target)


@app.command("wal")
def wal(
    target: Annotated[Path, typer.Argument(help="A folder; what is there already is gone on with.")],
) -> None:
    """Write the database's log away as it is written, until Ctrl-C: with a base, any moment since can be restored.

    When the database goes it waits, and goes on wherever it comes back, at another port, too.
    """
    url = places.database_url()
    with _term_as_ctrl_c():
        while True:
            with _files():
                process = backup.receive_wal(url, target)
            try:
                code = process.wait()
            except KeyboardInterrupt:
                process.send_signal(signal.SIGINT)
                if code := process.wait():
                    raise Trouble(f"pg_receivewal ended with {code}") from None
                return
            if backup.answers(url):  # waiting would mend nothing; whoever keeps us running hears of it
                raise Trouble(f"pg_receivewal ended with {code}, though the database is there")
            url = _come_back()


@contextmanager
def _term_as_ctrl_c() -> Iterator[None]:
    """Within, SIGTERM is what Ctrl-C is."""
    before = signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def _come_back() -> str:
    """Wait until the database answers, wherever it is then; its address. Raises `Trouble` where we are ended first."""
    try:
        say("the database has gone; its log is gone on with when it is back")
        while not (url := _there()):
            time.sleep(LOOK_AGAIN)
    except KeyboardInterrupt:
        raise Trouble("ended while the database was away; what it writes from now on is not in the log") from None
    say("the database is back")
    return url


def _there() -> str | None:
    """The address of the database, if it answers: the one by URL in its old place, ours as it is noted now."""
    try:
        url = places.database_url()
    except Trouble:
        return None
    return url if backup.answers(url) else None


def restore(
    source: Annotated[Path, typer.Argument(help="A folder that `backup base` has made.")],
    log: Annotated[Path | None, typer.Option("--wal", help="The folder that `backup wal` writes.")] = None,
    to: Annotated[
        str | None, typer.Option(metavar="TIME", help="By real clocks, not a sandbox's; the latest where not given.")
    ] = None,
) -> None:
    """Make the database and the documents of KINBIND_VAR anew, as they were at a moment; the keyring must be there."""
    with _files():
        password, needed = _read(source)
    if to is not None and log is None:
        raise Trouble("to go to a moment takes the log: --wal")
    if not password:
        raise Trouble("this is the copy of a server by URL: docs/running.md says how to start another from it")
    var, until = addresses.var_folder(), moment(to)
    _keys_fit(needed)
    with _files(), lock.lock(var):
        try:
            with backup.restored(source / "base", log, var, until) as last:
                if (source / "documents").is_dir():
                    shutil.copytree(source / "documents", documents_folder(), dirs_exist_ok=True)
        except backup.DatabaseThere:
            raise Trouble(f"{var} has a database already; nothing is overwritten") from None
    say(f"{var} stands as of {plain(last) if last else 'the backup'}")
    say("`kinbind up` starts it and fires what fell due since, once; `kinbind audit verify` walks its histories")


def _read(source: Path) -> tuple[bytes, list[str]]:
    """The password of the server that was copied, empty for one by URL, and the ids of the keys that the copy needs."""
    if not (source / "base" / "PG_VERSION").is_file():
        raise Trouble(f"{source} is no backup of ours")
    try:
        needs = msgspec.json.decode((source / "needs.json").read_bytes(), type=_Needs)
        return (source / "password").read_bytes(), needs.keys
    except FileNotFoundError as lacking:
        raise Trouble(f"{source} is no whole backup: it lacks {Path(lacking.filename).name}") from lacking
    except (msgspec.MsgspecError, ValueError) as wrong:
        raise Trouble(f"{source} is no whole backup: its needs.json is not as we write it") from wrong


@contextmanager
def _files() -> Iterator[None]:
    """What the system refuses of a file is no defect of ours. Raises `Trouble`."""
    try:
        yield
    except OSError as fault:
        raise Trouble(f"{fault.filename}: {fault.strerror}" if fault.filename else str(fault)) from fault


def _keys_fit(needed: list[str]) -> None:
    """Data that nobody can open is no data: the keys that it was sealed with must be here."""
    path = keyring.keys_file()
    held = keyring.read(path).key_ids if path.exists() else []
    if missing := sorted(set(needed) - set(held)):
        raise Trouble(f"{path} does not hold the keys {', '.join(missing)}: put the backup of the keyring there first")
