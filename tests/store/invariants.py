"""What must be true of every ledger at every moment, computed anew from its rows alone."""

import hashlib
import json
from collections import defaultdict
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo

from tasks.office import Office
from workflows.case import ACTIVE, AGENCY_REVIEW, FINAL, OFFLINE_FALLBACK, SUSPENDED, UNBINDING, Case
from workflows.deadlines import armed

Row = dict[str, Any]


def rows(office: Office, statement: str, *parameters: object) -> list[Row]:
    with office.ledger.connection() as conn:
        cursor = conn.execute(statement, parameters or None)
        names = [column.name for column in cursor.description or ()]
        return [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]


def check(office: Office) -> None:
    """Assert all of it, for every binding of the ledger."""
    ids = [row["id"] for row in rows(office, "select id from bindings order by id")]
    with office.ledger.connection() as conn:
        living = [case for case, _ in office.desk.reader.cases(conn, ids)]
    assert len(living) == len(ids)
    history = _by_binding(rows(office, "select * from history order by binding_id, sequence"))
    assert history.keys() == set(ids)
    for case in living:
        check_history(case, history[case.id])
    check_deadlines(living, rows(office, "select * from deadlines"))
    check_work(living, rows(office, "select * from review_cases"), rows(office, "select * from counter_tickets"))
    check_seats(living, rows(office, "select * from seats"))
    check_months(living, history, rows(office, "select * from month_seats"))


def _by_binding(lines: list[Row]) -> dict[str, list[Row]]:
    found: dict[str, list[Row]] = defaultdict(list)
    for line in lines:
        found[line["binding_id"]].append(line)
    return found


# -- history ----------------------------------------------------------------------------------------------------


def link(before: bytes, line: Row) -> bytes:
    """SHA-256 over the hash before and the line's canonical JSON: sorted keys, no spaces, times with six decimals."""
    at = line["at"].astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
    told = [line["binding_id"], line["sequence"], line["event"], line["from_state"], line["to_state"], at,
            line["actor"], line["reason"], line["note"], line["after"]]  # fmt: skip
    body = json.dumps(told, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return hashlib.sha256(before + body.encode()).digest()


def check_history(case: Case, lines: list[Row]) -> None:
    assert [line["sequence"] for line in lines] == list(range(1, case.version + 1)), "one line a version, no gaps"
    head, state = bytes(32), None
    for line in lines:
        assert line["from_state"] == state, (case.id, line["sequence"])
        assert state not in FINAL, "a line after the end"
        head, state = link(head, line), line["to_state"]
        assert bytes(line["hash"]) == head, (case.id, line["sequence"])
    assert (case.head, case.state) == (head, state)
    assert [line["at"] for line in lines] == sorted(line["at"] for line in lines)


# -- deadlines and work lists -------------------------------------------------------------------------------------


def check_deadlines(cases: list[Case], found: list[Row]) -> None:
    wanted = {(case.id, name): due.at for case in cases for name, due in armed(case).items()}
    there = {(row["binding_id"], row["name"]): row for row in found}
    assert there.keys() == wanted.keys()
    for key, row in there.items():
        # a watch is moved on by the hands each time they have asked
        assert row["watch"] or row["due_at"] == wanted[key], key
        assert row["parked"] is None, key
    for case in cases:
        if case.state not in (ACTIVE, *FINAL):
            assert any(binding_id == case.id for binding_id, _ in there), (case.id, case.state)


def check_work(cases: list[Case], reviews: list[Row], tickets: list[Row]) -> None:
    wanted = {
        (case.id, case.review_agency, case.progress.review.entered,
         case.progress.review.missed or case.progress.review.due, case.progress.review.escalations)
        for case in cases if case.state == AGENCY_REVIEW and case.progress.review is not None
    }  # fmt: skip
    assert wanted == {
        (row["binding_id"], row["agency"], row["entered_at"], row["due_at"], row["escalations"]) for row in reviews
    }
    assert len(wanted) == sum(case.state == AGENCY_REVIEW for case in cases)
    offline = [(case, case.progress.offline if case.state != UNBINDING else None) for case in cases]
    assert {(case.id, ticket.code, ticket.agency, ticket.since) for case, ticket in offline if ticket is not None} == {
        (row["binding_id"], row["code"], row["agency"], row["opened_at"]) for row in tickets
    }
    for case, ticket in offline:
        assert ticket is not None or case.state != "offline_fallback", case.id
        assert ticket is None or case.state in (OFFLINE_FALLBACK, ACTIVE, SUSPENDED), (case.id, case.state)


# -- limits -------------------------------------------------------------------------------------------------------


def check_seats(cases: list[Case], seats: list[Row]) -> None:
    """One seat for each binding that has not ended, and none besides."""
    live = {case.id: case for case in cases if case.state not in FINAL}
    assert sorted(row["binding_id"] for row in seats) == sorted(live)
    taken: dict[tuple[str, str], list[int]] = defaultdict(list)
    for row in seats:
        case = live[row["binding_id"]]
        application = case.application
        assert (row["holder"], row["member"], row["product"]) == (
            application.holder,
            application.member,
            application.product,
        )
        limits = case.plan.limits
        most = limits.members_per_holder if limits.holder_window == "at_once" else None  # else places are counted
        assert most is None or 1 <= row["n"] <= most, row
        taken[row["scope"], row["holder"]].append(row["n"])
    for numbers in taken.values():
        assert len(numbers) == len(set(numbers))


def check_months(cases: list[Case], history: dict[str, list[Row]], found: list[Row]) -> None:
    """A place of the month for each binder who came into force in it; kept after the end where the pack counts it."""
    there = {(row["member"], row["product"], row["month"], row["holder"]): row for row in found}
    wanted = set(_places(cases, history))
    assert there.keys() == wanted
    # linked by a registry, a newborn's certificate and number may have had binders of their own
    linked = {case.id for case in cases if any(map(_links, history[case.id]))}
    for case in cases:
        limits = case.plan.limits
        if limits.binders_per_member is None or limits.member_window != "calendar_month" or case.id in linked:
            continue
        counted = [row for row in found if row["binding_id"] == case.id and (limits.count_ended or not row["ended"])]
        for row in counted:
            alike = [one for one in found if all(one[name] == row[name] for name in ("member", "product", "month"))]
            alike = [one for one in alike if one["binding_id"] not in linked]
            assert len([one for one in alike if limits.count_ended or not one["ended"]]) <= limits.binders_per_member
    states = {case.id: case.state for case in cases}
    for row in found:
        assert row["ended"] == (states[row["binding_id"]] in FINAL), row


def _links(line: Row) -> bool:
    return (line["event"], line["from_state"]) == ("registry_answered", "active")


def _places(cases: list[Case], history: dict[str, list[Row]]) -> Iterator[tuple[str, str, str, str]]:
    for case in cases:
        limits, application = case.plan.limits, case.application
        given_back = case.state in FINAL and not limits.keeps_ended
        uncounted = limits.binders_per_member is None and limits.holder_window == "at_once"
        erased = any(party.get("erased") for party in application.parties.values())
        if uncounted or given_back or erased:
            continue
        apart = f"/{application.channel}" if limits.member_scope == "per_channel" else ""
        for line in history[case.id]:
            if line["event"] == "activated":
                yield application.member, application.product + apart, month(line["at"]), application.holder


def month(at: datetime) -> str:
    return at.astimezone(ZoneInfo("Asia/Shanghai")).strftime("%Y-%m")
