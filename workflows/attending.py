"""Who must stand before the clerk at a counter, and who may stand there for a child or a ward."""

from __future__ import annotations

from typing import get_args

from policies.words import Subject
from workflows.case import ACTIVE, SUSPENDED, Case, Cursor, has_vouched
from workflows.errors import Malformed, Refused
from workflows.facing import faces_open, too_young
from workflows.guards import guarded

SUBJECTS = get_args(Subject)


def named_present(cursor: Cursor) -> None:
    """Whoever stood before the clerk must cover every face still open; if nobody is named, just those did (API.md).

    A guardian may stand for a child or a ward: the holder, or the mother of a newborn (F15, 民法典 §27).
    """
    named = cursor.facts.get("subjects")
    if named is None:
        return
    known = [who for who in SUBJECTS if who in cursor.case.application.parties]
    if not set(named) <= set(known):
        raise Malformed([{"pointer": "/subjects", "code": "not_one_of", "allowed": known}])
    absent = [who for who in faces_open(cursor) if not _stood_for(cursor, who, set(named))]
    if absent:
        raise Refused("subject_not_present", 422, "/subjects", subjects=absent)


def as_seen(cursor: Cursor) -> None:
    """A clerk must name the version that he has seen, if something was reported after his ticket was opened.

    Without it, he may have seen the case as it was before the report. A ticket that the report itself opened shows
    nothing older. Raises `Refused` 412 `stale_version`.
    """
    ticket, reported = cursor.progress.offline, cursor.progress.reported_at
    if cursor.seen is None and ticket is not None and reported is not None and reported > ticket.since:
        raise Refused("stale_version", 412, version=cursor.case.version)


def needs_second(cursor: Cursor) -> bool:
    """A guardian alone stands for a member whose own face is asked, and no other clerk has seen him (§B.7, 0029)."""
    named, ticket = cursor.facts.get("subjects"), cursor.progress.offline
    absent = named is not None and "member" in faces_open(cursor) and "member" not in named
    return absent and ticket is not None and (not ticket.vouched or has_vouched(ticket, cursor.actor))


def second_awaited(case: Case) -> bool:
    """Whether one clerk has seen a guardian alone, and another has yet to."""
    return case.progress.offline is not None and bool(case.progress.offline.vouched)


def not_twice(cursor: Cursor) -> None:
    """The second clerk is another person than the first."""
    if second_awaited(cursor.case):
        raise Refused("second_clerk_required")


def _stood_for(cursor: Cursor, who: str, present: set[str]) -> bool:
    again = cursor.state in (ACTIVE, SUSPENDED)  # re-verified is the member; the holder is asked only as his guardian
    # who brings a newborn in the mother's stead shows the guardianship by paper: she may be dead, or not to be found
    instead = who == "mother" and cursor.case.application.relationship == "WARD"
    return who in present or ((who == "member" or again or instead) and not present.isdisjoint(guardians(cursor)))


def guardians(cursor: Cursor) -> list[str]:
    """Which of the parties may stand before a clerk for a child or a ward; nobody for others.

    Not for a member who has reached the face age: he must come to the counter himself (F16).
    """
    in_need = guarded(cursor) and (too_young(cursor) or cursor.case.application.relationship == "WARD")
    return [who for who in ("holder", "mother") if who in cursor.case.application.parties] if in_need else []
