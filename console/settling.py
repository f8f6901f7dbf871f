"""What takes long the first time in a process: done once, beside, while the first who comes still signs in.

The pages are read, and what the rooms ask of the whole ledger is asked. A process to which no browser comes does
nothing of it; who comes with a session from before finds his first page a little slower.
"""

from __future__ import annotations

from collections.abc import Callable
from threading import Lock, Thread

import structlog
from jinja2 import Environment

from console.rooms import ROOMS
from models.ledger import AWAY
from tasks.office import Office
from workflows.access.principals import EVERYWHERE, Principal

log = structlog.get_logger()
_WHOEVER = Principal("", "staff", "", regions=(EVERYWHERE,))


class Settling:
    """Done once in a process, whoever begins it."""

    def __init__(self, office: Callable[[], Office], pages: Environment) -> None:
        """Nothing is done yet."""
        self._office = office
        self._pages = pages
        self._begun = Lock()

    def begin(self) -> None:
        """Do it beside; nothing where it has begun already."""
        if self._begun.acquire(blocking=False):
            try:
                Thread(target=self._settle, daemon=True).start()
            except RuntimeError:  # no thread to be had: whoever comes next begins it
                log.exception("settling_not_begun")
                self._begun.release()

    def _settle(self) -> None:
        try:
            for room in ROOMS:
                if room.looks is not None:
                    room.looks(self._office(), _WHOEVER)
        except AWAY:  # whoever turns to a page then looks for himself
            pass
        except Exception:  # it is told of on the page that asks the same
            log.exception("settling_failed")
        for name in self._pages.list_templates():
            self._pages.get_template(name)
