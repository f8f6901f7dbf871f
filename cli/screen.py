"""What the command says and how: rich on a terminal, plain lines anywhere else, faults in one line."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable, Sequence
from contextlib import suppress
from io import TextIOWrapper
from pathlib import Path
from typing import NoReturn

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table

# What is shown may have been written by anybody: nothing in it is obeyed by the terminal, turned around or unprintable.
_COMMANDS = (*range(0x20), *range(0x7F, 0xA0), *range(0x2028, 0x202F), *range(0x2066, 0x206A), *range(0xD800, 0xE000))
_IN_LINES = {code: f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}" for code in _COMMANDS if code != ord("\n")}
_IN_ONE_LINE = {**_IN_LINES, ord("\t"): " ", ord("\n"): " · "}


class Trouble(Exception):
    """The command cannot do what was asked; the message is the one line that is shown, and the exit code is 1."""

    code = 1


UNFIT = 422  # the desk's status of what can never be granted as it stands


class WronglyAsked(Trouble):
    """What was asked can never be done as it stands: a word that is none, options that exclude each other."""

    code = 2


def take_as_they_are() -> None:
    """Read and write nowhere where a stream is closed; what the terminal has no sign for is shown by its number."""
    for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
        if getattr(sys, name) is None:
            setattr(sys, name, Path(os.devnull).open(mode))  # noqa: SIM115  for as long as the process lives
    if isinstance(sys.stdout, TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")


class _Screen(Console):
    def on_broken_pipe(self) -> None:
        """Say that nobody reads on, as any file does: rich itself would end the command, as if it had failed."""
        raise BrokenPipeError


def console() -> Console:
    """The screen: markup becomes colour on a terminal and nothing in a file; a pipe is never wrapped at 80."""
    terminal = sys.stdout.isatty()
    return _Screen(highlight=False, soft_wrap=not terminal, no_color=not terminal)


def say(text: str) -> None:
    """Print one line, in which nothing is markup."""
    console().print(escape(text.translate(_IN_ONE_LINE)))


def table(heads: Sequence[str], rows: Iterable[Sequence[str]], nothing: str | None = None) -> None:
    """Print a table; where nobody looks at it, the same as lines of tabs, which other programs can cut.

    Without rows it says `nothing`, where that is given: heads alone are no answer.
    """
    rows = list(rows)
    if not rows and nothing is not None:
        say(nothing)
        return
    if not sys.stdout.isatty():
        for row in (heads, *rows):
            print("\t".join(cell.translate(_IN_ONE_LINE) for cell in row))
        return
    made = Table(show_edge=False, pad_edge=False)
    for head in heads:
        made.add_column(head, overflow="fold")  # rather two lines than half a word
    for row in rows:
        made.add_row(*(escape(cell.translate(_IN_LINES)) for cell in row))
    console().print(made)


def fail(text: str, code: int = 1) -> NoReturn:
    """End the command: one line on stderr; exit code 1 for "no or cannot", 2 for "wrongly asked"."""
    complain(text)
    raise typer.Exit(code)


def complain(text: str) -> None:
    """Write one line on stderr, if it can be written there: the exit code says the rest."""
    said = escape(text.translate(_IN_LINES))
    with suppress(OSError):
        _Screen(stderr=True, highlight=False, soft_wrap=True).print(f"[red]kinbind:[/red] {said}")
