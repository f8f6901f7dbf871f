"""The calendar kept: what a newer package knows is learned, and what a loaded year moves is counted again."""

from __future__ import annotations

import structlog

from policies.calendar import shanghai_day
from tasks.office import Office
from workflows import calendars, recounting

log = structlog.get_logger()


def keep_calendar(office: Office) -> int:
    """Learn the years that a newer package brings, and recount what is pending; how many deadlines moved."""
    if learned := calendars.learn_seed(office.ledger, shanghai_day(office.ledger.now())):
        log.info("calendar_years_learned", years=learned)
    moved = recounting.recount_pending(office.desk)
    if moved:
        log.info("deadlines_recounted", deadlines=moved)
    return moved
