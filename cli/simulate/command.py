"""`kinbind simulate`: a PostgreSQL of its own, a simulation on it, and what came of it."""

from __future__ import annotations

import logging
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Annotated

import structlog
import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

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
            with _days_going_by(days) as passed:
                result = simulate(server.url, Scale(days, bindings, seed, timedelta(minutes=tick)), passed)
    if report is not None:
        report.write_text(page(result), encoding="utf-8")
    _tell(result)
    if result.findings.faults:
        fail(f"{sum(result.findings.faults.values())} faults with seed {seed}")


@contextmanager
def _days_going_by(days: int) -> Iterator[Callable[[timedelta], None]]:
    """A bar on a terminal's stderr; told how much time has passed. That a camera is down belongs to the play."""
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.ERROR))
    shown = Console(stderr=True)
    with Progress(TextColumn("day"), MofNCompleteColumn(), BarColumn(), TimeRemainingColumn(),
                  console=shown, disable=not shown.is_terminal, transient=True) as bar:  # fmt: skip
        days_over, ticks = bar.add_task("", total=days), timedelta()

        def passed(time: timedelta) -> None:
            nonlocal ticks
            ticks += time
            bar.update(days_over, completed=ticks // timedelta(days=1))

        yield passed


def _tell(result: Result) -> None:
    figures, hours = result.figures, 3600
    waits = ((str(state), f"{n:,}", *(f"{s / hours:.1f}" for s in times)) for state, n, *times in figures.waits)
    table(("stage", "passed through", "median h", "nine in ten h", "longest h"), waits)
    offline = ([str(cell) for cell in row] for row in figures.offline)
    table(("went offline because", "applications", "in force", "rejected", "expired or withdrawn", "waiting"), offline)
    table(("breaches", "number", "of"), ((BREACHES[what][1], f"{n:,}", f"{of:,}") for what, n, of in figures.breaches))
    table(("refused: what was said, and why", "number"), ((why, f"{n:,}") for why, n in result.refused.most_common()))
    table(("what was done to it", "number"), ((what, f"{n:,}") for what, n in sorted(result.counted.items())))
    pace = f"{result.counted['lines'] / result.seconds:,.0f} steps a second"
    families = f"{result.scale.bindings * 60 / result.seconds:,.0f} families a minute"
    say(f"{pace} in {result.seconds:.0f} s; {families}")
    for line in result.findings.lines():
        say(line)
