"""Where this command's ledger, broker and keys are: by the environment, else as a running kinbind noted in var/.

And where it may put a file of its own.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from cli.screen import Trouble
from embedded import addresses as known
from embedded.addresses import running, var_folder
from models.keyring import keyring, keys_file
from models.ledger import Ledger
from policies.book import lawbook
from workflows.engine import Desk


def database_url() -> str:
    """The ledger's address. Raises `Trouble` when nothing says where it is."""
    noted = running()
    url = known.given(known.DATABASE) or (noted and noted.database_url)  # migrations and looks need no broker
    if not url:
        nowhere = f"no kinbind runs on {var_folder()}, and {known.DATABASE} is not set"
        raise Trouble(f"{nowhere}; `kinbind up --sandbox` starts one")
    return url


@contextmanager
def ledger() -> Iterator[Ledger]:
    """The ledger of the service found. Raises `Trouble`."""
    opened = Ledger(database_url(), size=1)
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
        yield Desk(opened, lawbook(), keyring())


def new_file(target: Path) -> BinaryIO:
    """A new file, for its owner alone. Raises `Trouble` where there is one already, or none can be made."""
    try:
        return os.fdopen(os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb")
    except FileExistsError:
        raise Trouble(f"{target} exists, and nothing is overwritten") from None
    except OSError as fault:
        raise Trouble(f"{target} cannot be written: {fault.strerror}") from fault
