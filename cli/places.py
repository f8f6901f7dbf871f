"""Where this command's ledger, broker and keys are: by the environment, else as a running kinbind noted in var/.

And where it may put a file of its own.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import BinaryIO

import psycopg
import sqlalchemy.exc
from psycopg.conninfo import conninfo_to_dict
from sqlalchemy.engine import make_url

from cli.screen import Trouble
from embedded import addresses as known
from embedded.addresses import running, var_folder
from models.keyring import keys_file
from models.ledger import Ledger
from policies.book import lawbook
from workflows.case import Case
from workflows.engine import Desk
from workflows.errors import Refused
from workflows.keyed import keyring_of

_PORTS = range(1, 65_536)
_NO_URL = (
    "is no URL as postgresql://user:password@host:5432/database;"
    " in a password, signs as @ / # % are written as %40 %2F %23 %25"
)


def database_url() -> str:
    """The ledger's address. Raises `Trouble` when nothing says where it is, or nobody could go there."""
    noted = running()
    url = known.given(known.DATABASE) or (noted and noted.database_url)  # migrations and looks need no broker
    if not url:
        nowhere = f"no kinbind runs on {var_folder()}, and {known.DATABASE} is not set"
        raise Trouble(f"{nowhere}; `kinbind up --sandbox` starts one")
    return readable(known.DATABASE, url)


def given_urls() -> None:
    """Look at the ledger's addresses in the environment, if there are any. Raises `Trouble`."""
    for name in (known.DATABASE, known.READER):
        if url := known.given(name):
            readable(name, url)


def readable(name: str, url: str) -> str:
    """Return the URL, if it is a PostgreSQL's. Raises `Trouble`, which does not quote it: there is a password in it.

    psycopg and SQLAlchemy each read it in their own way, and name in their faults what they take for a host or a port:
    part of a password, where it has a bare @, / or # in it. So both must find the same password, and no @ in a host.
    """
    try:
        told, read = conninfo_to_dict(url), make_url(url)
        ports = [int(port or 5432) for port in str(told.get("port") or "").split(",")]
    except (psycopg.Error, sqlalchemy.exc.ArgumentError, ValueError):
        raise Trouble(f"{name} {_NO_URL}") from None
    alike = (told.get("password") or "") == (read.query.get("password", read.password) or "")
    if not alike or "@" in str(told.get("host")) or any(port not in _PORTS for port in ports):
        raise Trouble(f"{name} {_NO_URL}")
    return url


@contextmanager
def ledger() -> Iterator[Ledger]:
    """The ledger of the service found. Raises `Trouble`."""
    url = database_url()
    given_urls()
    opened = Ledger(url, size=1)
    try:
        yield opened
    finally:
        opened.close()


@contextmanager
def desk() -> Iterator[Desk]:
    """A place at the desk of the service found. Raises `Trouble`.

    The keyring must be there already: one made on the spot would open nothing, and look like the real one later.
    """
    database_url()  # first things first: without a service, the keys are no matter
    if not keys_file().exists():
        where = "set KINBIND_VAR or KINBIND_KEYS_FILE to the service's own"
        raise Trouble(f"there is no keyring at {keys_file()}: {where}")
    with ledger() as opened:
        yield Desk(opened, lawbook(), keyring_of(opened))


def look(desk: Desk, binding_id: str) -> tuple[Case, datetime]:
    """A case as it is, and the time. Raises `Trouble` where the ledger does not know it."""
    try:
        return desk.look(binding_id)
    except Refused as no:
        raise no_such(binding_id) from no


def no_such(binding_id: str) -> Trouble:
    """What is said where the ledger does not know a binding: also that it may be another ledger's."""
    return Trouble(f"this ledger ({var_folder()}) has no binding {binding_id!r}; ids look like bnd_01JD…")


@contextmanager
def new_file(target: Path) -> Iterator[BinaryIO]:
    """A new file, for its owner alone; gone again where it was not written to its end.

    Raises `Trouble` where there is one already, or none can be made.
    """
    try:
        file = os.fdopen(os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb")
    except FileExistsError:
        raise Trouble(f"{target} exists, and nothing is overwritten") from None
    except OSError as fault:
        raise Trouble(f"{target} cannot be written: {fault.strerror}") from fault
    try:
        with file:
            yield file
    except BaseException as fault:  # Ctrl-C, too: half a file would be taken for a whole one, and forbid the next try
        target.unlink(missing_ok=True)
        if isinstance(fault, OSError):
            raise Trouble(f"{target} cannot be written: {fault.strerror}") from fault
        raise
