"""`kinbind calendar`: which days are worked in a year, and telling the ledger once the State Council has said so."""

from __future__ import annotations

from datetime import UTC, date, timedelta
from pathlib import Path
from typing import Annotated

import typer

from cli import places
from cli.screen import Trouble, WronglyAsked, say, table
from policies.calendar import Calendar, Year, seed_year
from workflows import calendars, recounting

app = typer.Typer(no_args_is_help=True, help="Working days: holidays and make-up days, year by year.")

YearAsked = Annotated[int, typer.Argument(metavar="YEAR", min=2004, max=2100)]
MOST_BYTES = 1_000_000
WEEKDAYS = "一二三四五六日"


@app.command("load")
def load(
    year: YearAsked,
    file: Annotated[Path | None, typer.Argument(help='JSON: {"year", "days": [{"date", "isOffDay"}]}.')] = None,
    from_seed: Annotated[bool, typer.Option("--from-seed", help="What the package chinesecalendar knows.")] = False,
) -> None:
    """Let a year count from now on, and bring the deadlines in line that were counted without it."""
    if (file is None) != from_seed:
        raise WronglyAsked("name a file, or --from-seed; not both")
    found, source = _from_package(year) if file is None else _from_file(year, file)
    with places.desk() as desk:
        calendars.load(desk.ledger, found, source)
        moved = recounting.recount(desk, year)
    say(f"{year} is known now: {len(found.holidays)} days off, {len(found.make_up)} make-up days; "
        f"{moved} deadlines moved")  # fmt: skip


@app.command("show")
def show(year: YearAsked) -> None:
    """Show where a year is from, and each day on which it differs from Monday to Friday."""
    with places.ledger() as ledger, ledger.connection() as conn:
        calendar, origin = calendars.read(conn), calendars.origin(conn, year)
    if not calendar.is_known(date(year, 1, 1)):
        raise Trouble(f"{year} is not known: Monday to Friday are counted, but for the holidays that the law fixes, "
                      "and such deadlines are provisional")  # fmt: skip
    where = (
        f"{origin.source}, loaded {origin.loaded_at.astimezone(UTC):%Y-%m-%d %H:%M} UTC" if origin else "the package"
    )
    worked = sum(calendar.is_working_day(day) for day in _days(year))
    say(f"{year}: {worked} working days, from {where}")
    table(("day", "weekday", ""), _exceptions(calendar, year))


def _exceptions(calendar: Calendar, year: int) -> list[tuple[str, str, str]]:
    odd = [day for day in _days(year) if calendar.is_working_day(day) != (day.weekday() < 5)]
    said = {True: "班 worked", False: "休 off"}
    return [(f"{day}", f"周{WEEKDAYS[day.weekday()]} {day:%a}", said[calendar.is_working_day(day)]) for day in odd]


def _days(year: int) -> list[date]:
    first = date(year, 1, 1)
    return [first + timedelta(days=n) for n in range((date(year + 1, 1, 1) - first).days)]


def _from_package(year: int) -> tuple[Year, str]:
    found = seed_year(year)
    if found is None:
        raise Trouble(f"the package {calendars.FROM_SEED} does not know {year} yet; load it from a file")
    return found, calendars.FROM_SEED


def _from_file(year: int, file: Path) -> tuple[Year, str]:
    try:
        with file.open("rb") as opened:
            body = opened.read(MOST_BYTES + 1)
    except OSError as fault:
        raise Trouble(f"{file} cannot be read: {fault.strerror}") from fault
    if len(body) > MOST_BYTES:
        raise Trouble(f"{file} is too large for the days of a year")
    try:
        return calendars.parse(body, year), file.name
    except calendars.NoYear as wrong:
        raise Trouble(f"{file}: {wrong}") from wrong
