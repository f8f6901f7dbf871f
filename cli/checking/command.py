"""`kinbind check`: proves from the tables alone that nothing was lost, doubled or left without a deadline."""

from __future__ import annotations

from typing import Annotated

import typer

from cli import places
from cli.checking.audit import examine
from cli.screen import fail, say


def check(
    settled: Annotated[
        bool, typer.Option("--settled", help="Nobody is at work: nothing may be due or under way.")
    ] = False,
) -> None:
    """Audit the ledger by SQL alone: histories, hash chains, deadlines, seats, deliveries; 1 when a fault is found."""
    found = examine(places.database_url(), settled=settled)
    for line in found.lines():
        say(line)
    if found.faults:
        fail(f"{sum(found.faults.values())} faults")
