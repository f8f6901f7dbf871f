"""What a search by number finds is a page like any other: to be come back to, by whoever searched, for a while."""

from datetime import date

import pytest

from tasks.office import Office
from tests import life
from tests.doors.visitor import Comes, in_review, text_of

NUMBER = life.number(date(1985, 6, 1), 7)
BOXES = [("reviewer", "/reviews/search", "q"), ("counter", "/counter/find", "code"), ("operator", "/ops/find", "q")]


@pytest.mark.parametrize(("role", "box", "field"), BOXES)
def test_one_comes_back_to_what_was_found(comes: Comes, office: Office, role: str, box: str, field: str) -> None:
    binding_id, visitor = in_review(office, seed=7), comes(role)
    searched = visitor.post(box, fields={field: NUMBER})
    assert NUMBER not in searched.headers["location"]
    for _ in range(2):
        page = visitor.follow(searched)
        assert (page.status_code, f'/{binding_id}"' in page.text, NUMBER in page.text) == (200, True, False)
    with office.ledger.connection() as conn:
        assert conn.execute("select count(*) from access_log where act = 'search'").fetchone() == (1,)
    life.skip(office, minutes=16)
    over = visitor.follow(searched)
    assert (over.status_code, binding_id in over.text) == (410, False)
    assert "请重新查询" in text_of(over)
    assert f'action="/console{box}"' in over.text


def test_what_somebody_has_found_is_his_and_of_its_room(comes: Comes, office: Office) -> None:
    in_review(office, seed=7)
    one, two, clerk = comes("reviewer"), comes("reviewer-2"), comes("counter")
    address = one.post("/reviews/search", q=NUMBER).headers["location"].removeprefix("/console")
    found = address.partition("?")[2]
    assert [visitor.get(path).status_code for visitor, path in (
        (one, address), (two, address), (clerk, f"/counter/find?{found}"), (one, f"{address}x"),
        (one, "/reviews/search?found=%ff"), (one, f"/reviews/search?found={'x' * 3000}"),
    )] == [200, 410, 410, 410, 410, 422]  # fmt: skip
    assert one.get("/reviews/search").headers["location"] == "/console/reviews"


def test_a_number_that_is_none_is_said_and_not_shown(comes: Comes, office: Office) -> None:
    reviewer, wrong = comes("reviewer"), NUMBER[:-1] + ("1" if NUMBER[-1] != "1" else "2")
    page = reviewer.follow(reviewer.post("/reviews/search", q=wrong))
    assert ("证件号码有误" in text_of(page), wrong in page.text) == (True, False)
