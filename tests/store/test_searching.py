"""What a channel has open is found by its state, however much it has submitted that has come to rest."""

from collections.abc import Iterator
from itertools import combinations

import pytest
from sqlalchemy import text

from tasks.office import Office
from tests import life
from tests.store.invariants import check, rows
from workflows.case import ACTIVE, FINAL, STATES
from workflows.views import listing
from workflows.views.listing import Wanted, search

OPEN_STATES = tuple(state for state in STATES if state not in (ACTIVE, *FINAL))


@pytest.fixture
def office(database_url: str) -> Iterator[Office]:
    with life.office(database_url) as opened:
        yield opened
        check(opened)


def found(office: Office, channel: str, states: tuple[str, ...], limit: int = 20) -> list[str]:
    """All pages of what this channel's search for these states finds."""
    ids: list[str] = []
    cursor = None
    while True:
        page = search(office.desk, life.channel(channel), Wanted(states=states, limit=limit, cursor=cursor))
        ids += [one["id"] for one in page["items"]]
        if (cursor := page["next_cursor"]) is None:
            return ids


def test_a_search_for_what_is_open_finds_all_of_it_newest_first(office: Office) -> None:
    for seed, state in enumerate((*OPEN_STATES, ACTIVE, "withdrawn") * 2):
        life.to_state(office, state, seed=seed)
    all_of_it = rows(
        office,
        "select b.id, b.state, a.channel from bindings b join applications a on a.binding_id = b.id order by b.id desc",
    )
    channels = {one["channel"] for one in all_of_it}
    assert len(channels) > 1
    for states in [*combinations(OPEN_STATES, 1), *combinations(OPEN_STATES, 2), (*OPEN_STATES, ACTIVE)]:
        for channel in channels:
            wanted = [one["id"] for one in all_of_it if one["channel"] == channel and one["state"] in states]
            assert found(office, channel, states) == found(office, channel, states, limit=1) == wanted


def test_it_does_not_look_at_what_has_come_to_rest(office: Office) -> None:
    told = {"names": ["returned_to_corrected"], "states": ["returned"], "channel": "alipay", "after": None, "limit": 21}
    with office.ledger.connection() as conn:
        conn.execute(
            "insert into deadlines (binding_id, name, due_at, watch)"
            " select 'bnd_' || n, 'insurance_to_rechecked', now(), true from generate_series(1, 3000) n"
        )
        conn.execute("analyze deadlines")
        plan = [row["QUERY PLAN"] for row in office.ledger.read(text(f"explain {listing._SEARCH_OPEN.text}"), told)]
        conn.execute("delete from deadlines")
    assert "deadlines_open_idx" in "".join(plan)
