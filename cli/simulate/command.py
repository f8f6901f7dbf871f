"""`kinbind simulate`: a PostgreSQL of its own, a simulation on it, and what came of it."""

from __future__ import annotations

import tempfile
from datetime import timedelta
from pathlib import Path
from typing import Annotated

import typer

from cli.screen import fail, say, table
from cli.simulate.page import BREACHES, page
from cli.simulate.run import Result, Scale, simulate
from embedded.postgres import Postgres
from models.ledger import migrate

# Nothing here outlives the command: no commit has to survive anything.
_SETTINGS = {"fsync": "off", "synchronous_commit": "off", "full_page_writes": "off", "max_wal_size": "8GB",
             "shared_buffers": "512MB", "autovacuum_naptime": "5s"}  # fmt: skip


def command(
    days: Annotated[int, typer.Option(min=1, max=365, help="Days to simulate, from 1 December 2026 on.")] = 5,
    bindings: Annotated[int, typer.Option(min=1, max=2_000_000, help="Applications, spread over these days.")] = 500,
    seed: Annotated[int, typer.Option(help="Equal seeds give equal ends, bit for bit.")] = 1,
    tick: Annotated[int, typer.Option(min=1, max=1440, help="Minutes by which the clock moves.")] = 15,
    report: Annotated[Path | None, typer.Option(dir_okay=False, help="Write what came of it as an HTML page.")] = None,
) -> None:
    """Let a region's families live for months on the real desk, with outages and faults, and audit the end.

    Exit code 1 when the auditor finds a fault: its seed is a test case.
    """
    with tempfile.TemporaryDirectory(prefix="kinbind-simulate-") as folder:
        Path(folder).chmod(0o755)  # an unprivileged server must come in
        with Postgres(Path(folder) / "postgres", settings=_SETTINGS) as server:
            migrate(server.url)
            result = simulate(server.url, Scale(days, bindings, seed, timedelta(minutes=tick)))
    if report is not None:
        report.write_text(page(result), encoding="utf-8")
    _tell(result)
    if result.findings.faults:
        fail(f"{sum(result.findings.faults.values())} faults with seed {seed}")


def _tell(result: Result) -> None:
    figures, hours = result.figures, 3600
    waits = ((str(state), f"{n:,}", *(f"{s / hours:.1f}" for s in times)) for state, n, *times in figures.waits)
    table(("stage", "passed through", "median h", "nine in ten h", "longest h"), waits)
    offline = ([str(cell) for cell in row] for row in figures.offline)
    table(("went offline because", "applications", "in force", "rejected", "expired or withdrawn", "waiting"), offline)
    table(("breaches", "number", "of"), ((BREACHES[what][1], f"{n:,}", f"{of:,}") for what, n, of in figures.breaches))
    table(("what was done to it", "number"), ((what, f"{n:,}") for what, n in sorted(result.counted.items())))
    pace = f"{result.counted['lines'] / result.seconds:,.0f} steps a second"
    families = f"{result.scale.bindings * 60 / result.seconds:,.0f} families a minute"
    say(f"{pace} in {result.seconds:.0f} s; {families}")
    for line in result.findings.lines():
        say(line)
