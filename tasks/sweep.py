"""Fire what is due: this errand catches up, however late it is called."""

from __future__ import annotations

from tasks import signs
from tasks.office import Office
from workflows import sweeping

BATCH = 500
ROUNDS = 40  # batches in one call: a backlog of days is worked off in several calls, each of them short


def sweep(office: Office, limit: int = BATCH) -> int:
    """Fire due deadlines in batches of `limit` until none is left; return how many were dealt with."""
    handled = 0
    for _ in range(ROUNDS):
        found = sweeping.sweep(office.desk, limit)
        handled += found
        if found == 0:
            break
    return handled


def sweep_and_sign(office: Office) -> int:
    """The same, and a sign that it was done: whoever sweeps is not to be missed."""
    handled = sweep(office)
    signs.give(office.ledger, "sweep")
    return handled
