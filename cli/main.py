"""`kinbind`: every command, by the file that holds it. Exit codes: 0 done, 1 no or cannot, 2 wrongly asked."""

from __future__ import annotations

import errno
import logging
import os
import sys
from typing import Any, NoReturn

import structlog
import typer
from typer.core import TyperGroup

from cli import audit, backup, calendar, deliveries, keys, law, looking, person, repair, serving, staff
from cli.checking.command import check
from cli.doctor import doctor
from cli.screen import UNFIT, Trouble, complain, fail, take_as_they_are
from cli.simulate.command import command as simulate
from embedded.accounts import NoAccount
from embedded.backup import BackupFailed
from embedded.binaries import ServerMissing
from embedded.children import StartFailed
from embedded.lock import AlreadyRunning
from embedded.postgres import FolderInUse
from models import logs
from policies.refusals import NotAllowed
from tasks.starting import why
from workflows.errors import Refused

# What may happen to a command besides, and says in its own words what to do about it.
SPEAKS_FOR_ITSELF = (AlreadyRunning, BackupFailed, FolderInUse, NoAccount, ServerMissing, StartFailed)

NO_ROOM = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO}
NOBODY_READS = 141  # as a shell shows whoever ended by SIGPIPE


class OneLine(TyperGroup):
    """Turns what can be expected into one clear line; the rest is a defect and keeps its traceback."""

    def main(self, *args: Any, **settings: Any) -> Any:
        """Run the command, and end without a word where nobody reads on, as in `… | head`."""
        take_as_they_are()
        try:
            try:
                return super().main(*args, **settings)
            finally:
                sys.stdout.flush()
        except BrokenPipeError:
            _go(NOBODY_READS)
        except OSError as fault:
            if fault.errno not in NO_ROOM:
                raise
            complain(f"what was to be written could not be: {fault.strerror}")
            _go(1)

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Read the command line; what is not UTF-8 in it is nobody's id, and no database would take it."""
        if any("\ud800" <= sign <= "\udfff" for arg in args for sign in arg):
            fail("what was typed is not all UTF-8", code=2)
        return super().parse_args(ctx, args)

    def invoke(self, ctx: Any) -> Any:
        """Run the command."""
        try:
            return super().invoke(ctx)
        except BrokenPipeError:  # which typer would take for a fault
            raise SystemExit(NOBODY_READS) from None
        except Trouble as trouble:
            fail(str(trouble), code=trouble.code)
        except SPEAKS_FOR_ITSELF as known:
            fail(str(known))
        except (Refused, NotAllowed) as no:
            fail(_refusal(no), code=2 if no.status == UNFIT else 1)
        except Exception as fault:
            if (words := why(fault)) is None:
                raise
            fail(words)


def _go(code: int) -> NoReturn:
    """End, and let what is still to be written go nowhere: Python itself would try it once more, and is loud."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    raise SystemExit(code) from None


def _refusal(no: Refused | NotAllowed) -> str:
    return f"{no.code} at {no.pointer}" if no.pointer else no.code


app = typer.Typer(
    cls=OneLine,
    no_args_is_help=True,
    pretty_exceptions_enable=False,  # its tracebacks show local variables, and those may be people
    add_completion=False,
    help="kinbind, the orchestrator behind 医保亲情账户. Exit codes: 0 done, 1 no or cannot, 2 wrongly asked.",
)
app.command()(serving.up)
app.command()(serving.demo)
app.command()(serving.sweep)
app.command()(serving.migrate)
app.command()(looking.explain)
app.command()(looking.show)
app.command()(looking.diagram)
app.command()(doctor)
app.command()(check)
app.command("simulate")(simulate)
app.add_typer(law.app, name="policy")
app.add_typer(keys.app, name="keys")
app.add_typer(calendar.app, name="calendar")
app.add_typer(staff.app, name="staff")
app.add_typer(person.app, name="person")
app.add_typer(deliveries.app, name="deliveries")
app.add_typer(repair.app, name="repair")
app.add_typer(audit.app, name="audit")
app.add_typer(backup.app, name="backup")
app.command()(backup.restore)


@app.callback()
def begin() -> None:
    """Log warnings to stderr, as plain lines: stdout is for the answer."""
    logging.basicConfig(level=logging.WARNING, stream=sys.stderr, format="%(message)s")
    logging.getLogger("psycopg.pool").setLevel(logging.ERROR)  # each try that failed, before the command says it once
    structlog.configure(
        # of a fault its places: the usual renderer shows local variables, and those may be people
        processors=[structlog.processors.add_log_level, logs.fault, structlog.dev.ConsoleRenderer(colors=False)],
        wrapper_class=structlog.make_filtering_bound_logger(logging.WARNING),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
    )


if __name__ == "__main__":
    app(prog_name="kinbind")
