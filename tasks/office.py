"""What one process has open: the desk on its ledger, and the windows to the outside."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from psycopg_pool import ConnectionPool

from gateways.windows import Windows, open_windows
from models.ledger import PATIENCE, Ledger, database_url, not_hung_up
from models.settings import sandbox
from policies.book import lawbook
from workflows.engine import Desk
from workflows.keyed import keyring_of


@dataclass(frozen=True, slots=True)
class Office:
    """Everything that an errand or a door needs."""

    ledger: Ledger
    desk: Desk
    windows: Windows


@contextmanager
def open_office(url: str | None = None, size: int = 4) -> Iterator[Office]:
    """Open an office on `url` (else `KINBIND_DATABASE_URL`) with at most `size` connections for the desk.

    Raises `AnotherKeyringError`, and what the driver raises.
    """
    sandbox()
    url = url or database_url()
    ledger = Ledger(url, size=size)
    # the windows have connections of their own: they are never used inside a transaction of the desk
    asks = {"autocommit": True, **PATIENCE}
    pool = ConnectionPool(url, min_size=1, max_size=size, open=True, check=not_hung_up, kwargs=asks)
    try:
        yield Office(ledger, Desk(ledger, lawbook(), keyring_of(ledger)), open_windows(pool))
    finally:
        pool.close()
        ledger.close()


@contextmanager
def seldom_collected() -> Iterator[None]:
    """For processes that serve for long: what is in memory now stays, so the garbage collector need not walk it again.

    Nor need it run after every few steps: cases and their answers make no reference cycles.
    """
    usual = gc.get_threshold()
    gc.freeze()
    gc.set_threshold(50_000, 20, 20)
    try:
        yield
    finally:
        gc.set_threshold(*usual)
        gc.unfreeze()
