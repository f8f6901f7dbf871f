"""What takes long the first time in a process: done once, in the background, while the first visitor signs in.

Templates are loaded, and the rooms' questions to the whole ledger are asked. A process to which no browser comes does
none of it; for a visitor with an older session the first page is a little slower.
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
    """Runs once in a process, whoever begins it."""

    def __init__(self, office: Callable[[], Office], pages: Environment) -> None:
        """Nothing is done yet."""
        self._office = office
        self._pages = pages
        self._begun = Lock()

    def begin(self) -> None:
        """Begin it in a thread, unless it has begun already."""
        if self._begun.acquire(blocking=False):
            try:
                Thread(target=self._settle, daemon=True).start()
            except RuntimeError:  # no thread can be started: the next visitor tries again
                log.exception("settling_not_begun")
                self._begun.release()

    def _settle(self) -> None:
        try:
            for room in ROOMS:
                if room.looks is not None:
                    room.looks(self._office(), _WHOEVER)
        except AWAY:  # the pages then ask themselves
            pass
        except Exception:  # the page that asks the same will show it
            log.exception("settling_failed")
        for name in self._pages.list_templates():
            self._pages.get_template(name)
