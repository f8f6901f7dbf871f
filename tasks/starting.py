"""What may keep any process of ours from starting, or a command from being done, and is no defect: each in one line."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import psycopg
import structlog

from gateways.windows import NotConfigured
from models.keyring import (
    AnotherKeyringError,
    KeyringBrokenError,
    KeyringMissingError,
    KeyringUnreadableError,
    KeyUnknownError,
    SealBrokenError,
)
from models.ledger import AWAY, LedgerNotSetError
from models.settings import SettingWrong
from policies.loader import PackError

# What says in its own words what to do about it.
SPEAKS_FOR_ITSELF = (AnotherKeyringError, KeyringBrokenError, KeyringUnreadableError, NotConfigured, SettingWrong)
# What is said in ours.
SAID_SO: dict[type[Exception], str] = {
    KeyUnknownError: "the ledger was sealed with a key that this keyring does not hold; restore the backup of its keys",
    SealBrokenError: "the ledger was sealed with other keys than this keyring's; is KINBIND_VAR the service's own?",
    KeyringMissingError: "production has no keyring here: one is made once, kept, and copied to every host",
    LedgerNotSetError: "KINBIND_DATABASE_URL is not set",
    psycopg.errors.UndefinedTable: "the database has no schema of ours yet; `kinbind migrate` makes it",
    **dict.fromkeys(AWAY, "the database does not answer; `kinbind doctor` tells more"),
    psycopg.errors.ReadOnlySqlTransaction: "the database only reads; `kinbind doctor` tells more",
}
log = structlog.get_logger()


def why(fault: BaseException) -> str | None:
    """The line for it, the reading side's faults unwrapped; None for a defect."""
    if isinstance(fault, SPEAKS_FOR_ITSELF):
        return str(fault)
    if isinstance(fault, PackError):
        return f"the packs cannot be used: {fault.problems[0]}; `kinbind policy check` lists all"
    for one in (fault, getattr(fault, "orig", None)):
        for kind, words in SAID_SO.items():
            if isinstance(one, kind):
                return words
    return None


@contextmanager
def starting() -> Iterator[None]:
    """End the process over whatever keeps it from starting, with one line in its log: why, or of a defect where.

    Raises `SystemExit`.
    """
    try:
        yield
    except Exception as fault:  # noqa: BLE001  whatever it is, the process ends over it
        told = {"why": words} if (words := why(fault)) else {"exc_info": fault}
        log.critical("cannot_start", **told)
        raise SystemExit(1) from None
