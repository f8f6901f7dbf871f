"""Sessions that end while a page stands open: nobody is kept signed in by a page, and what was typed is not lost."""

import pytest

from tasks.office import Office
from tests.doors.visitor import Comes, Visitor, in_review


@pytest.fixture
def binding_id(office: Office) -> str:
    return in_review(office)


@pytest.fixture
def reviewer(comes: Comes) -> Visitor:
    return comes("reviewer")


def seen_just_now(office: Office) -> bool:
    with office.ledger.desk() as conn:
        row = conn.execute("select bool_or(seen_at > clock_timestamp() - interval '1 minute') from staff_sessions")
        return row.fetchone() == (True,)


def idle_for(office: Office, minutes: int) -> None:
    with office.ledger.desk() as conn:
        conn.execute("update staff_sessions set seen_at = clock_timestamp() - make_interval(mins => %s)", (minutes,))


def test_an_open_page_keeps_nobody_signed_in(reviewer: Visitor, binding_id: str, office: Office) -> None:
    for worked in ("0", "1"):
        idle_for(office, 50)
        assert reviewer.post(f"/reviews/{binding_id}/beat", worked=worked).status_code == 200
        assert seen_just_now(office) == (worked == "1")
