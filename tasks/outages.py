"""Outages of face providers: noted as they are met, and made good to the families whose windows they ate.

An outage lasts from the first to the last time that a provider was found down, and counts over five minutes. It is
over when the provider compares a face again, or when it has not been found down for a quarter of an hour. While it
is open the sweep lets no window close that it eats into; once it is over each of these moves by what it lost, as one
step. That goes page by page: how far it has come is written in the commit of the steps, so that no window moves twice
or not at all, and one case that is broken keeps no other waiting. A window whose pass is to be judged meanwhile is
moved ahead of its page.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from datetime import datetime, timedelta
from typing import Any, NamedTuple

import structlog
from psycopg import Connection

from models.ledger import AWAY
from tasks.office import Office
from workflows.case import SYSTEM, Case
from workflows.commands import Command
from workflows.errors import Refused, undecided
from workflows.sweeping import COUNTS, TOUCHED, TRIED

SILENCE = timedelta(minutes=15)  # since it was last found down: nobody has tried, or nobody failed
PAGE = 500  # windows moved in one commit
ROUNDS = 200  # pages in one call; what is left is gone on with by the next
ANY = {"provider": None, "first_at": None, "window": None}

# An index lets only one outage of a provider be open: if several find it down together, one begins it.
_WAS_OVER = """
update provider_outages set made_good_to = ''
where provider = %(provider)s and ended_at is null and made_good_to is null
  and last_at < %(at)s::timestamptz - %(silence)s
"""
_BEGINS = """
insert into provider_outages (provider, first_at, last_at) values (%(provider)s, %(at)s, %(at)s)
on conflict do nothing
"""
_GOES_ON = """
update provider_outages set last_at = greatest(last_at, %(at)s)
where provider = %(provider)s and ended_at is null and made_good_to is null
"""
# This fixes its length: if the provider is found down again, that is another outage.
_OVER = """
update provider_outages set made_good_to = ''
where ended_at is null and made_good_to is null
  and (provider = %(answered)s or last_at < (select kinbind_now()) - %(silence)s)
"""
# Rows locked by another are skipped: he is making that one good. With `window`: unless that one was dealt with.
_CLAIM = f"""
select o.provider, o.first_at, o.last_at, o.made_good_to, coalesce(o.ahead, '{{}}') as ahead, {COUNTS}
from provider_outages o
where ended_at is null and made_good_to is not null
  and (%(window)s::text is null
       or (provider = %(provider)s and first_at = %(first_at)s and made_good_to < %(window)s))
order by provider, first_at limit 1 for update skip locked
"""  # noqa: S608  a text of ours
# The same for a window that cannot wait for its page: who has the row is waited for, he may be at that page.
_AT_ONCE = f"""
select o.provider, o.first_at, o.last_at, o.made_good_to, coalesce(o.ahead, '{{}}') as ahead, {COUNTS}
from provider_outages o
where provider = %(provider)s and ended_at is null and made_good_to < %(window)s
order by first_at for update
"""  # noqa: S608  the same
_AHEAD = """
update provider_outages set ahead = array_append(ahead, %(window)s)
where provider = %(provider)s and first_at = %(first_at)s
"""
_ANY_OVER = "select from provider_outages where provider = %s and ended_at is null and made_good_to is not null"
_PLACE = """
update provider_outages set made_good_to = %(window)s
where provider = %(provider)s and first_at = %(first_at)s and made_good_to < %(window)s
"""
_END = """
update provider_outages set ended_at = (select kinbind_now()) where provider = %(provider)s and first_at = %(first_at)s
"""
# Also windows of those who are at the counter meanwhile: they may come back.
_WINDOWS = f"""
select d.binding_id from deadlines d, (select %(provider)s::text as provider, %(first_at)s::timestamptz as first_at) o
where d.binding_id > %(made_good_to)s and d.binding_id <> all(%(ahead)s)
  and d.name in ('first_attempt_to_pass', 'offline_to_counter')
  and ({TOUCHED} or d.name = 'offline_to_counter' and {TRIED})
order by d.binding_id limit %(limit)s
"""  # noqa: S608  the same
log = structlog.get_logger()


class Outage(NamedTuple):
    """An outage that is over; if it `counts`, windows up to the binding `made_good_to` have been dealt with.

    So have those of the bindings `ahead`.
    """

    provider: str
    first_at: datetime
    last_at: datetime
    made_good_to: str
    ahead: list[str]
    counts: bool


def found_down(office: Office, provider: str, at: datetime) -> None:
    """Note that `provider` was down at this moment: the outage goes on, or one begins."""
    noted = {"provider": provider, "at": at, "silence": SILENCE}
    with office.ledger.connection() as conn:
        for statement in (_WAS_OVER, _BEGINS, _GOES_ON):
            conn.execute(statement, noted)
    log.warning("face_provider_down", provider=provider)


def answered(office: Office, provider: str, passed: Collection[str] = ()) -> None:
    """Note that `provider` has compared a face: its outage is over, if there was one.

    The windows of these bindings, whose passes are to be judged, are made good now; `watch_outages` does the others.
    """
    _note_over(office, provider)
    with office.ledger.connection() as conn:
        over = conn.execute(_ANY_OVER, (provider,)).fetchone() is not None
    for window in passed if over else ():
        _ahead(office, provider, window)


def watch_outages(office: Office) -> int:
    """End the outages of which nothing has been heard for long, and make good those that are over.

    Returns how many pages of windows there were. Safe to run twice at once.
    """
    _note_over(office, None)
    rounds = 0
    while rounds < ROUNDS and _round(office):
        rounds += 1
    return rounds


def next_end(conn: Connection[Any]) -> datetime | None:
    """When the first open outage will be over, or was, if nothing more is heard of it."""
    row = conn.execute(
        "select min(case when made_good_to is null then last_at + %s else last_at end) from provider_outages"
        " where ended_at is null",
        (SILENCE + timedelta(microseconds=1),),
    ).fetchone()
    return row[0] if row else None


def _note_over(office: Office, provider: str | None) -> int:
    with office.ledger.connection() as conn:
        return conn.execute(_OVER, {"answered": provider, "silence": SILENCE}).rowcount


def _round(office: Office) -> bool:
    """Deal with a page of windows in one commit; whether there was an outage to be made good."""
    page: list[str] = []
    outage: Outage | None = None
    try:
        with office.ledger.transaction() as conn:
            outage = _claim(conn)
            if outage is None:
                return False
            asked = outage._asdict() | {"limit": PAGE}
            page = [row[0] for row in conn.execute(_WINDOWS, asked)] if outage.counts else []
            _make_good(office, conn, outage, page)
            if len(page) < PAGE:
                conn.execute(_END, asked)
                log.info("face_outage_ended", provider=outage.provider)
    except Exception as fault:
        if outage is None or not page:
            raise
        log.warning("outage_page_failed", windows=len(page), fault=type(fault).__name__)
        for window in page:
            _alone(office, outage, window)
    return True


def _claim(conn: Connection[Any], only: Mapping[str, Any] = ANY) -> Outage | None:
    """An outage that is over, under lock; None where there is none, or somebody else has it."""
    row = conn.execute(_CLAIM, only).fetchone()
    return Outage(*row) if row else None


def _alone(office: Office, outage: Outage, window: str) -> None:
    """A window in a commit of its own; one that breaks is passed over, or the outage would never end."""
    only = outage._asdict() | {"window": window}
    try:
        with office.ledger.transaction() as conn:
            found = _claim(conn, only)
            if found and window not in found.ahead:
                _make_good(office, conn, found, [window])
    except Exception as fault:
        if isinstance(fault, AWAY) or undecided(fault):  # not the window's fault: the next call goes on
            raise
        log.exception("window_not_made_good", binding_id=window, provider=outage.provider)
        with office.ledger.connection() as conn:
            conn.execute(_PLACE, only)


def _ahead(office: Office, provider: str, window: str) -> None:
    """Move one window by what each outage of this provider has taken, unless that has been done already."""
    with office.ledger.transaction() as conn:
        for outage in [Outage(*row) for row in conn.execute(_AT_ONCE, {"provider": provider, "window": window})]:
            if outage.counts and window not in outage.ahead:
                _move(office, conn, outage, [window])
                conn.execute(_AHEAD, outage._asdict() | {"window": window})


def _make_good(office: Office, conn: Connection[Any], outage: Outage, windows: list[str]) -> None:
    """Move these windows by what each has lost, and write down how far the outage is dealt with."""
    if windows:
        _move(office, conn, outage, windows)
        conn.execute(_PLACE, outage._asdict() | {"window": windows[-1]})


def _move(office: Office, conn: Connection[Any], outage: Outage, windows: list[str]) -> None:
    """Move these windows by what each has lost."""
    cases = office.desk.reader.cases(conn, windows)
    for unreadable in set(windows).difference(case.id for case, _ in cases):
        log.error("window_not_made_good", binding_id=unreadable, provider=outage.provider)
    commands = [
        Command("extend_window", case.id, SYSTEM,
                {"subject": case.next_subject, "by": lost, "reason": "face_provider_down"})
        for case, now in cases if (lost := _lost(case, now, outage))
    ]  # fmt: skip
    for command, outcome in zip(commands, office.desk.serve_on(conn, commands), strict=True):
        _heed(command, outcome.refused)


def _heed(command: Command, refused: Exception | None) -> None:
    """Log a refusal, which costs a family its time; but a case that has moved on meanwhile needs none.

    Raises one that decides nothing: the window is tried again.
    """
    if refused is not None and undecided(refused):
        raise refused
    why = refused.code if isinstance(refused, Refused) else type(refused).__name__
    if refused is not None and why != "action_not_available":
        log.error("window_not_made_good", binding_id=command.binding_id, fault=why)


def _lost(case: Case, now: datetime, outage: Outage) -> timedelta | None:
    """How much of the window the outage took: from its first moment, or the window's opening, to its last.

    If the window was held open beyond its end, to this moment: so it has as much left as when the outage began.
    """
    window = case.progress.windows.get(case.next_subject or "")
    if window is None or window.closes <= outage.first_at:
        return None
    until = now if window.closes <= now else outage.last_at
    return max(until - max(outage.first_at, window.opened), timedelta(0)) or None
