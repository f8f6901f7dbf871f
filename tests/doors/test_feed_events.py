"""The channel's events, pulled."""

from typing import Any

import httpx
import psycopg
import pytest

from tasks.feed import fan_out
from tasks.office import Office
from tests import life
from tests.doors.conftest import Caller
from tests.doors.family import application, submitted
from workflows.case import ACTIVE
from workflows.views import cursors


def pulled(client: httpx.Client, after: str | None = None, limit: int = 100) -> dict[str, Any]:
    asked = {"limit": limit} | ({"after": after} if after else {})
    answer = client.get("/v1/events", params=asked)
    assert answer.status_code == 200, answer.text
    told: dict[str, Any] = answer.json()
    return told


def lines(page: dict[str, Any]) -> list[tuple[str, int]]:
    return [(one["data"]["binding"]["id"], one["data"]["sequence"]) for one in page["items"]]


def test_each_event_as_of_its_line(alipay: httpx.Client, office: Office) -> None:
    binding_id = life.to_state(office, ACTIVE)
    page = pulled(alipay)
    assert [one["type"] for one in page["items"]] == [f"binding.{event}" for event in life.events(office, binding_id)]
    assert [one["data"]["sequence"] for one in page["items"]] == list(range(1, len(page["items"]) + 1))
    first, last = page["items"][0]["data"]["binding"], page["items"][-1]["data"]["binding"]
    assert (first["state"], first["version"], first["materials"]) == ("submitted", 1, [])
    assert first["waiting_on"]["for"] == "materials"
    assert (last["state"], last["waiting_on"]) == (ACTIVE, None)
    assert len(last["materials"]) == 3
    assert "available_actions" not in last
    parties = life.look(office, binding_id).application.parties
    assert parties["member"]["id_number"] not in str(page)


def test_a_cursor_goes_on_where_the_page_ended(alipay: httpx.Client, office: Office) -> None:
    life.to_state(office, ACTIVE)
    whole, after, seen = pulled(alipay), None, []
    while (page := pulled(alipay, after, limit=2))["items"]:
        seen += page["items"]
        after = page["next_cursor"]
    assert seen == whole["items"]
    assert page["next_cursor"] == after  # an empty page returns the same cursor
    made = submitted(alipay, seed=77)
    assert lines(pulled(alipay, after)) == [(made["id"], 1)]


def test_an_empty_beginning_is_a_cursor_too(alipay: httpx.Client) -> None:
    empty = pulled(alipay)
    assert (empty["items"], pulled(alipay, empty["next_cursor"])) == ([], empty)
    made = submitted(alipay, seed=78)
    assert lines(pulled(alipay, empty["next_cursor"])) == [(made["id"], 1)]


def test_a_channel_hears_of_its_own(alipay: httpx.Client, wechat: httpx.Client, as_: Caller) -> None:
    submitted(alipay, seed=79)
    assert pulled(wechat)["items"] == []
    assert as_("operator").get("/v1/events").status_code == 403


def test_what_commits_late_is_not_skipped(alipay: httpx.Client, office: Office) -> None:
    early = submitted(alipay, seed=80)
    with psycopg.connect(office.ledger.url) as slow:
        slow.execute(
            "insert into history (binding_id, sequence, event, to_state, at, actor, after, hash, channel)"
            " select binding_id, 2, 'repaired', to_state, at, actor, after, hash, channel from history"
        )
        late = submitted(alipay, seed=81)
        page = pulled(alipay)
        assert lines(page) == [(early["id"], 1)]  # not past what is still being written
        slow.commit()
    assert lines(pulled(alipay, page["next_cursor"])) == [(early["id"], 2), (late["id"], 1)]


def test_a_party_learns_of_it_in_every_channel_that_acts_for_him(
    alipay: httpx.Client, wechat: httpx.Client, office: Office
) -> None:
    body = application(seed=82)
    holder = {"id_number": body["holder"]["id_number"]}
    wechat.post("/v1/bindings/search", json={"acting_for": holder})
    made = submitted(alipay, body)
    fan_out(office)
    page = pulled(wechat)
    notice = page["items"][0]
    assert [(one["type"], one["data"]["sequence"]) for one in page["items"]] == [("binding.party_notice", 1)]
    assert (notice["data"]["binding"]["id"], notice["data"]["parties"]) == (made["id"], ["holder"])
    assert (notice["data"]["event"], notice["data"]["reason"]) == ("submitted", None)
    own = submitted(wechat, seed=83)
    fan_out(office)
    rest = pulled(wechat, page["next_cursor"])
    assert lines(rest) == [(own["id"], 1)]
    both = pulled(wechat)
    assert lines(both) == [(made["id"], 1), (own["id"], 1)]
    assert lines(pulled(wechat, pulled(wechat, limit=1)["next_cursor"])) == [(own["id"], 1)]
    assert lines(pulled(alipay)) == [(made["id"], 1)]


def test_a_cursor_of_what_never_came_about_is_told_of(alipay: httpx.Client, office: Office) -> None:
    """After a restore to a moment: lines that come now would stand before it, and be passed over in silence."""
    submitted(alipay, seed=79)
    xid, kind, last = cursors.decode(pulled(alipay)["next_cursor"], str, int, int)
    for lost in ((str(int(xid) + 1000), kind, last + 50), (xid, kind, last + 1), (xid, 1, last), (xid, 2, last)):
        refused = alipay.get("/v1/events", params={"after": cursors.encode(*lost)})
        assert (refused.status_code, refused.json()["code"]) == (400, "cursor_invalid")


@pytest.mark.parametrize("wrong", ["x", "e30", "WyJ4IiwwLDFd", "WyIxIiwwLC0xXQ", "WyIxIiwxXQ", "Ä", "W10", "A" * 399])
def test_a_cursor_that_is_none(alipay: httpx.Client, wrong: str) -> None:
    refused = alipay.get("/v1/events", params={"after": wrong})
    assert (refused.status_code, refused.json()["code"]) == (400, "cursor_invalid")
