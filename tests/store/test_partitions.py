"""The months of the history: made ahead, and made late where nobody was there to make them ahead."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any

import psycopg
import pytest

from models import ledger
from tasks import upkeep
from tasks.office import Office
from tasks.upkeep import keep_up
from tests import life
from tests.drills.parts import until
from tests.life import look, say, to_state
from tests.store.invariants import check
from workflows import audit
from workflows.views import listing

PARTS = "select inhrelid::regclass::text from pg_inherits where inhparent = 'history'::regclass order by 1"
LINES = "select tableoid::regclass::text, id, binding_id, sequence, event, hash, xid::text, recorded_at from history"
WAITING = "select count(*) from pg_stat_activity where wait_event_type = 'Lock' and datname = current_database()"


@pytest.fixture
def office(database_url: str) -> Iterator[Office]:
    with life.office(database_url) as opened:
        yield opened


def parts(url: str) -> list[str]:
    with psycopg.connect(url) as conn:
        return [row[0] for row in conn.execute(PARTS)]


def lines(office: Office) -> list[Any]:
    with office.ledger.connection() as conn:
        return conn.execute(f"{LINES} order by id").fetchall()


def forget_the_months(url: str) -> list[str]:
    """As after a silence that was longer than what had been made ahead; which months there were."""
    months = [part for part in parts(url) if part != "history_default"]
    with psycopg.connect(url) as conn:
        for part in months:
            conn.execute(f"drop table {part}")
    return months


def test_lines_without_a_month_move_into_it_and_upkeep_goes_on(office: Office) -> None:
    months = forget_the_months(office.ledger.url)
    binding_id = to_state(office, "active")
    before = lines(office)
    assert {line[0] for line in before} == {"history_default"}
    keep_up(office)
    assert parts(office.ledger.url) == sorted([*months, "history_default"])
    after = lines(office)
    assert {line[0] for line in after} == {months[0]}
    assert [line[1:] for line in after] == [line[1:] for line in before]
    say(office, "suspend", binding_id, life.SUPERVISOR, reason="suspected_fraud")
    assert {line[0] for line in lines(office)} == {months[0]}
    check(office)


def test_a_month_made_late_is_like_one_made_ahead(office: Office) -> None:
    asked = "select split_part(indexdef, ' USING ', 2) from pg_indexes where tablename = %s order by 1"
    with office.ledger.connection() as conn:
        indexes = conn.execute(asked, ("history_default",)).fetchall()
        forget_the_months(office.ledger.url)
        to_state(office, "submitted")
        keep_up(office)
        for part in parts(office.ledger.url):
            assert conn.execute(asked, (part,)).fetchall() == indexes


def test_a_line_that_is_being_written_meanwhile_is_not_lost(office: Office) -> None:
    months = forget_the_months(office.ledger.url)
    to_state(office, "submitted")
    with psycopg.connect(office.ledger.url) as writer, ThreadPoolExecutor(2) as hands:
        writer.execute(
            "insert into history (binding_id, sequence, event, to_state, at, actor, after, hash, channel)"
            " select binding_id, 99, event, to_state, at, actor, after, hash, channel from history limit 1"
        )
        twice = [hands.submit(keep_up, office) for _ in range(2)]
        with office.ledger.connection() as conn:
            until(lambda: conn.execute(WAITING).fetchone() != (0,), "one of them at the lock")
        writer.commit()
        assert [one.result() for one in twice] == [0, 0]
    written = lines(office)
    assert {line[0] for line in written} == {months[0]}
    assert 99 in {line[3] for line in written}


def test_who_waits_while_lines_move_finds_them_all(office: Office) -> None:
    forget_the_months(office.ledger.url)
    binding_id = to_state(office, "active")
    before = len(listing.timeline(office.ledger, binding_id, life.channel()))
    with psycopg.connect(office.ledger.url) as mover, ThreadPoolExecutor(3) as hands:
        mover.execute("select history_partitions_v1(3)")
        seen = hands.submit(listing.timeline, office.ledger, binding_id, life.channel())
        audited = hands.submit(audit.verify, office.ledger, binding_id)
        said = hands.submit(say, office, "suspend", binding_id, life.SUPERVISOR, reason="suspected_fraud")
        with psycopg.connect(office.ledger.url, autocommit=True) as conn:
            until(lambda: conn.execute(WAITING).fetchone() == (3,), "all of them at the lock")
        mover.commit()
        assert said.result().state == "suspended"
        assert len(seen.result()) >= before
        assert not audited.result().faults


def test_migrating_makes_the_months_that_are_lacking(office: Office) -> None:
    there = parts(office.ledger.url)
    forget_the_months(office.ledger.url)
    binding_id = to_state(office, "submitted")
    ledger.migrate(office.ledger.url)
    assert parts(office.ledger.url) == there
    assert look(office, binding_id).state == "submitted"


@pytest.mark.parametrize("chore", ["make_partitions", "erase_documents"])
def test_a_chore_that_fails_keeps_no_other_from_its_turn(
    office: Office, monkeypatch: pytest.MonkeyPatch, chore: str
) -> None:
    def fail(*_: object) -> None:
        raise ZeroDivisionError(chore)

    last: list[Office] = []
    monkeypatch.setattr(upkeep, chore, fail)
    monkeypatch.setattr(upkeep, "keep_calendar", last.append)
    document = life.look(office, to_state(office, "materials_uploaded")).materials[0]["id"]
    with office.ledger.connection() as conn:
        conn.execute("update materials set removed_at = kinbind_now() - interval '31 days' where id = %s", (document,))
        conn.execute(
            "insert into idempotency (principal, key, fingerprint, status, created_at)"
            " values ('p', 'old', 'f', 200, kinbind_now() - %s)",
            (timedelta(days=8),),
        )
    with pytest.raises(ZeroDivisionError):
        keep_up(office)
    assert last == [office]
    with office.ledger.connection() as conn:
        assert conn.execute("select count(*) from idempotency").fetchone() == (0,)
        erased = conn.execute("select count(*) from materials where erased_at is not null").fetchone()
    assert erased == (0 if chore == "erase_documents" else 1,)
