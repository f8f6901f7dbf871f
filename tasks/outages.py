"""Outages of face providers: noted as they are met, and made good to the families whose windows they ate.

An outage lasts from the first to the last time that a provider was found down, and counts over five minutes. It is
over when the provider compares a face again, or when it has not been found down for a quarter of an hour. While it
is open the sweep lets no window close; at its end each window moves by what it lost, as one step.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import structlog
from psycopg import Connection

from tasks.office import Office
from workflows.case import SYSTEM, Case
from workflows.commands import Command

COUNTS_OVER = timedelta(minutes=5)
SILENCE = timedelta(minutes=15)  # without being found down: nobody tried, or nobody failed

_GOES_ON = """
update provider_outages set last_at = greatest(last_at, %(at)s)
where provider = %(provider)s and ended_at is null and last_at >= %(at)s::timestamptz - %(silence)s
"""
_BEGINS = """
insert into provider_outages (provider, first_at, last_at) values (%(provider)s, %(at)s, %(at)s)
on conflict do nothing
"""
_OVER = """
select provider, first_at, last_at from provider_outages
where ended_at is null and (provider = %(answered)s or last_at < (select kinbind_now()) - %(silence)s)
for update skip locked
"""
_END = """
update provider_outages set ended_at = (select kinbind_now()) where provider = %s and first_at = %s
"""
# Windows that were still open when the outage began: of those that run, the deadline's due time is their end.
_WINDOWS = """
select d.binding_id from deadlines d
where d.name = 'first_attempt_to_pass' and d.due_at > %(first_at)s
  and exists (select from face_sessions s where s.binding_id = d.binding_id and s.provider = %(provider)s)
order by d.binding_id
"""
log = structlog.get_logger()


def found_down(office: Office, provider: str, at: datetime) -> None:
    """Note that `provider` was down at this moment: the outage goes on, or one begins."""
    noted = {"provider": provider, "at": at, "silence": SILENCE}
    with office.ledger.desk() as conn:
        if conn.execute(_GOES_ON, noted).rowcount == 0:
            conn.execute(_BEGINS, noted)
    log.warning("face_provider_down", provider=provider)


def answered(office: Office, provider: str) -> None:
    """Note that `provider` has compared a face: its outage is over, if there was one."""
    _end_those_over(office, provider)


def watch_outages(office: Office) -> int:
    """End the outages of which nothing has been heard for long; return how many."""
    return _end_those_over(office, None)


def next_end(conn: Connection[Any]) -> datetime | None:
    """When the first of the open outages will be over if nothing more is heard of it."""
    row = conn.execute("select min(last_at) from provider_outages where ended_at is null").fetchone()
    return row[0] + SILENCE + timedelta(microseconds=1) if row and row[0] else None


def _end_those_over(office: Office, provider: str | None) -> int:
    """End outages and move the windows in one commit, so that no window moves twice or not at all."""
    with office.ledger.transaction() as conn:
        found = conn.execute(_OVER, {"answered": provider, "silence": SILENCE}).fetchall()
        for name, first_at, last_at in found:
            if last_at - first_at > COUNTS_OVER:
                _make_good(office, conn, name, first_at, last_at)
            conn.execute(_END, (name, first_at))
    return len(found)


def _make_good(office: Office, conn: Connection[Any], provider: str, first_at: datetime, last_at: datetime) -> None:
    asked = {"provider": provider, "first_at": first_at}
    ids = [row[0] for row in conn.execute(_WINDOWS, asked)]
    commands = []
    for read in office.desk.reader.read(conn, [(one, None, None) for one in ids]) if ids else []:
        lost = _lost(read.case, read.now, first_at, last_at) if read.case else None
        if read.case and lost:
            facts = {"subject": read.case.next_subject, "by": lost, "reason": "face_provider_down"}
            commands.append(Command("extend_window", read.case.id, SYSTEM, facts))
    office.desk.serve_on(conn, commands)  # a case that has gone on meanwhile is refused, and needs no more time
    log.info("face_outage_ended", provider=provider, windows=len(commands))


def _lost(case: Case, now: datetime, first_at: datetime, last_at: datetime) -> timedelta | None:
    """How long the window's clock stood still: from the first moment to the last, or since it was opened.

    Of a window that was held open beyond its end, to this moment: it has as much left as when the outage began.
    """
    window = case.progress.windows.get(case.next_subject or "")
    if window is None:
        return None
    until = now if window.closes <= now else last_at
    return max(until - max(first_at, window.opened), timedelta(0)) or None
