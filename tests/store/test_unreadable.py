"""What lists and letters show where one of their bindings cannot be read: the others as ever, of that one its row."""

from collections.abc import Iterator

import pytest

from tasks.office import Office
from tests import life
from tests.logs import logged
from tests.store.invariants import check
from workflows import leases
from workflows.views import listing, population
from workflows.views.feed import events


@pytest.fixture
def office(database_url: str) -> Iterator[Office]:
    with life.office(database_url) as opened:
        yield opened
        check(opened)


def test_a_list_shows_the_others_and_of_that_one_where_it_stands(office: Office) -> None:
    whole, broken = life.to_state(office, "submitted", seed=1), life.to_state(office, "active", seed=2)
    with life.unreadable(office, broken):
        shown, stands = population.with_briefs(office.desk, [{"binding_id": whole}, {"binding_id": broken}])
        found = listing.search(office.desk, life.channel(), listing.Wanted())
    assert shown["brief"]["member"]["name"] == "李**"
    assert (stands["brief"]["state"], "member" in stands["brief"]) == ("active", False)
    assert [one["id"] for one in found["items"]] == [whole]


def test_the_feed_passes_over_no_line(office: Office) -> None:
    """It stops there with the fault: a channel that went on behind it would never hear of it."""
    life.to_state(office, "submitted", seed=1)
    broken = life.to_state(office, "submitted", seed=2)
    with life.unreadable(office, broken), pytest.raises(ValueError, match="Expected"):
        events(office.desk, "alipay", None, 10)
    assert len(events(office.desk, "alipay", None, 10)["items"]) == 2


def test_the_next_case_is_one_that_can_be_read_and_the_other_is_nobodys(office: Office) -> None:
    broken = life.to_state(office, "agency_review", seed=1)
    life.skip(office, days=1)
    readable = life.to_state(office, "agency_review", seed=2)
    with life.unreadable(office, broken), logged(leases) as said:
        assert leases.take_next(office.desk, life.REVIEWER) == readable
        assert leases.take_next(office.desk, life.REVIEWER) is None
    assert [one["binding_id"] for one in said if one["event"] == "review_passed_over"] == [broken] * 2
    assert leases.take_next(office.desk, life.REVIEWER) == broken, "once it is mended: nobody has it"
