"""From the steps of a batch to the one document that `desk_write_v1` writes in one commit."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any

import msgspec
import orjson
from psycopg import Connection

from models.ledger import run
from policies.calendar import Due
from workflows.case import AGENCY_REVIEW, FINAL, UNBINDING, Case, Cursor, Line
from workflows.deadlines import DEADLINES_BY_NAME, armed, due

_WRITE = "select binding_id, verdict from desk_write_v1($1::jsonb)"
NO_HEAD = bytes(32)  # what the first line of a history is chained to
# What the hash of a line is computed over, beside the binding's id and the sequence: in this order, for ever.
HASHED = ("event", "from_state", "to_state", "at", "actor", "reason", "note", "after")
_TICKETS_END = ("offline_to_counter", "suspended_to_ended", "reverification_to_done")  # a ticket ends with one of these


class Before(msgspec.Struct):
    """How a case stood when it was read: what the step is a difference to."""

    version: int
    armed: dict[str, Due]
    review: dict[str, Any] | None
    ticket: dict[str, Any] | None

    @classmethod
    def of(cls, case: Case) -> Before:
        """Look at a case before anything is said of it."""
        if case.version == 0:
            return cls(0, {}, None, None)
        return cls(case.version, armed(case), review_row(case), ticket_row(case))


class Step(msgspec.Struct):
    """One decided step: the cursor at its end, how it stood before, and the answer to keep."""

    cursor: Cursor
    before: Before
    epoch: int | None = None  # the lease under which it was decided
    answer: dict[str, Any] | None = None  # the row of `answers.kept_row`, its bytes built when the step was decided
    head: bytes = b""  # the chain's hash before this step: a write that is repeated begins there again
    persons: set[str] = set()  # whose keys are taken or given back: they are locked in the write

    def __post_init__(self) -> None:
        """Look at the step as it was decided."""
        case, changes = self.cursor.case, self.cursor.changes
        self.head = case.head
        rekeyed = {row["member"] for row in changes.get("rekeyed", ())}
        touches = "seats" in changes or "month_seats" in changes or rekeyed or case.state in FINAL
        self.persons = {case.application.holder, case.application.member, *rekeyed} if touches else set()


@lru_cache(256)  # the steps of a batch have their time in common
def instant(at: datetime) -> str:
    """RFC 3339 in UTC, always with six decimals: the form that the hash chain is computed over."""
    return at.astimezone(UTC).isoformat(timespec="microseconds").removesuffix("+00:00") + "Z"


def chain(head: bytes, binding_id: str, sequence: int, line: dict[str, Any]) -> bytes:
    """The hash of a line: SHA-256 over the hash before it and the line's canonical JSON."""
    body = orjson.dumps([binding_id, sequence, *(line[name] for name in HASHED)], option=orjson.OPT_SORT_KEYS)
    return hashlib.sha256(head + body).digest()


def review_row(case: Case) -> dict[str, Any] | None:
    """The reviewer's work item of a case, while there is one; what was not decided in time stays due when it was."""
    review = case.progress.review
    if case.state != AGENCY_REVIEW or review is None:
        return None
    ends = due(case, "review_to_decision")
    return {"agency": case.review_agency, "entered_at": review.entered,
            "due_at": review.missed or (ends.at if ends else review.due),
            "escalations": review.escalations}  # fmt: skip


def ticket_row(case: Case) -> dict[str, Any] | None:
    """The counter's work item of a case, while there is one."""
    offline = case.progress.offline
    if offline is None or case.state == UNBINDING:  # it waits for the end of the unbinding, as the deadlines do
        return None
    ends = next((end for name in _TICKETS_END if (end := due(case, name)) is not None), None)
    return {"code": offline.code, "agency": offline.agency, "opened_at": offline.since,
            "due_at": ends.at if ends else offline.since}  # fmt: skip


def write(conn: Connection[Any], steps: Iterable[Step], plans: dict[str, bytes]) -> dict[str, str]:
    """Write all steps in one commit and return the verdict of each by binding id; `plans` are new ones by hash."""
    batch: dict[str, Any] = {"steps": [], "lines": []}
    for step in steps:
        _add(batch, step)
    if plans:
        batch["plans"] = [{"hash": name, "body": orjson.Fragment(body)} for name, body in plans.items()]
    return dict(run(conn, _WRITE, batch))


def _add(batch: dict[str, Any], step: Step) -> None:
    cursor, case, before = step.cursor, step.cursor.case, step.before
    case.head = _add_lines(batch, step)
    row = {"id": case.id, "expected": before.version, "state": case.state, "version": case.version,
           "since": case.since, "head": case.head.hex(), "progress": orjson.Fragment(cursor.lines[-1].progress),
           "epoch": step.epoch}  # fmt: skip
    if before.version == 0:
        row["plan"] = case.plan.hash
    batch["steps"].append(row)
    for table, rows in cursor.changes.items():
        batch.setdefault(table, []).extend(rows)
    _add_deadlines(batch, case, before.armed)
    _add_work(batch, case.id, "reviews", before.review, review_row(case))
    _add_work(batch, case.id, "tickets", before.ticket, ticket_row(case))
    if case.state in FINAL:
        freed = {"binding_id": case.id, "months": not case.plan.limits.keeps_ended}
        batch.setdefault("freed", []).append(freed)
    if persons := step.persons:
        batch.setdefault("persons", []).extend(persons)
    if answer := step.answer:
        batch.setdefault("answers", []).append({"binding_id": case.id, **answer, "created_at": cursor.now})


def _add_lines(batch: dict[str, Any], step: Step) -> bytes:
    head, case = step.head, step.cursor.case
    for sequence, line in enumerate(step.cursor.lines, step.before.version + 1):
        row = line_row(line)
        head = chain(head, case.id, sequence, row)
        row |= {
            "binding_id": case.id,
            "sequence": sequence,
            "hash": head.hex(),
            "channel": case.application.channel,
        }
        batch["lines"].append(row)
    return head


def line_row(line: Line) -> dict[str, Any]:
    """A line as it is hashed and stored."""
    after: dict[str, Any] = {"progress": orjson.Fragment(line.progress), "since": instant(line.since)}
    if line.plan_was is not None:
        after["plan_was"] = line.plan_was
    return {"event": line.event, "from_state": line.from_state, "to_state": line.to_state, "at": instant(line.at),
            "actor": line.actor, "reason": line.reason, "note": line.note, "after": after}  # fmt: skip


def _add_deadlines(batch: dict[str, Any], case: Case, before: dict[str, Due]) -> None:
    after = armed(case)
    for name, end in after.items():
        if before.get(name) != end:
            row = {"binding_id": case.id, "name": name, "due_at": end.at, "watch": DEADLINES_BY_NAME[name].watch}
            batch.setdefault("armed", []).append(row)
    for name in before.keys() - after.keys():
        batch.setdefault("disarmed", []).append({"binding_id": case.id, "name": name})


def _add_work(
    batch: dict[str, Any],
    binding_id: str,
    table: str,
    before: dict[str, Any] | None,
    after: dict[str, Any] | None,
) -> None:
    if after == before:
        return
    if after is None:
        batch.setdefault(f"{table}_closed", []).append(binding_id)
    else:
        batch.setdefault(table, []).append({"binding_id": binding_id, **after})
