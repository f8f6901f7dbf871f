"""Who must stand before the clerk at a counter, and who may stand there for a child or a ward."""

from __future__ import annotations

from typing import get_args

from policies.words import Subject
from workflows.case import ACTIVE, SUSPENDED, Cursor
from workflows.errors import Malformed, Refused
from workflows.facing import faces_open, too_young
from workflows.guards import guarded

SUBJECTS = get_args(Subject)


def named_present(cursor: Cursor) -> None:
    """Who stood before the clerk covers every face still open; nobody named means just those (API.md).

    For a child or a ward the guardian may stand: the holder, or the mother of a newborn (F15, 民法典 §27).
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
    """A clerk verifies what he has seen: of a binding reported on after its ticket was opened, he names the version.

    Where a report opened the ticket there was nothing to verify before, so that it is the one he saw. Else he may have
    seen the member still called as he expected. Raises `Refused` 412 `stale_version`.
    """
    ticket, reported = cursor.progress.offline, cursor.progress.reported_at
    if cursor.seen is None and ticket is not None and reported is not None and reported > ticket.since:
        raise Refused("stale_version", 412, version=cursor.case.version)


def _stood_for(cursor: Cursor, who: str, present: set[str]) -> bool:
    again = cursor.state in (ACTIVE, SUSPENDED)  # there the holder is asked only as a guardian
    return who in present or ((who == "member" or again) and not present.isdisjoint(guardians(cursor)))


def guardians(cursor: Cursor) -> list[str]:
    """Which of the parties may stand before a clerk for a child or a ward; nobody for others.

    Nor for whom is old enough for a face of his own: at a counter too he is to be seen himself (F16).
    """
    in_need = guarded(cursor) and (too_young(cursor) or cursor.case.application.relationship == "WARD")
    return [who for who in ("holder", "mother") if who in cursor.case.application.parties] if in_need else []
