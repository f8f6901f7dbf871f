"""Reviewers: the queue, the lease, the decisions."""

from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from typing import Any

import httpx
import pytest

from tasks.office import Office
from tests import life
from tests.doors.conftest import Caller
from workflows.case import ACTIVE, AGENCY_REVIEW, REJECTED, RETURNED

ITEMS = [{"kind": "commitment_letter", "reason": "letter_unsigned"}]


@pytest.fixture
def reviewer(as_: Caller) -> httpx.Client:
    return as_("reviewer")


@pytest.fixture
def binding_id(base_url: str, office: Office) -> str:
    return life.to_state(office, AGENCY_REVIEW)


def said(client: httpx.Client, binding_id: str, what: str, **body) -> httpx.Response:
    return client.post(f"/v1/reviews/{binding_id}/{what}", json=body)


def test_the_queue_is_nearest_due_first_and_paged(base_url: str, office: Office, reviewer: httpx.Client) -> None:
    first = life.to_state(office, AGENCY_REVIEW, seed=1)
    life.skip(office, days=4)
    second = life.to_state(office, AGENCY_REVIEW, seed=2)
    page = reviewer.get("/v1/reviews", params={"limit": 1}).json()
    assert [one["binding_id"] for one in page["items"]] == [first]
    assert page["items"][0]["overdue"] is True
    rest = reviewer.get("/v1/reviews", params={"limit": 1, "cursor": page["next_cursor"]}).json()
    assert [one["binding_id"] for one in rest["items"]] == [second]
    assert rest["next_cursor"] is None
    overdue = reviewer.get("/v1/reviews", params={"overdue": True}).json()["items"]
    assert [one["binding_id"] for one in overdue] == [first]
    assert reviewer.get("/v1/reviews", params={"region": "320000"}).json()["items"] == []
    assert len(reviewer.get("/v1/reviews", params={"region": "440000"}).json()["items"]) == 2


def test_the_queue_masks_and_tells_no_number(reviewer: httpx.Client, binding_id: str, office: Office) -> None:
    number = life.look(office, binding_id).application.parties["member"]["id_number"]
    for path in ("/v1/reviews", f"/v1/reviews/{binding_id}"):
        text = reviewer.get(path).text
        assert number not in text
        assert "李秀英" not in text


@pytest.mark.parametrize("wrong", [{"status": "nonsense"}, {"region": "44"}, {"limit": 0}, {"cursor": "x"}])
def test_a_wrong_question_about_the_queue(reviewer: httpx.Client, wrong: dict[str, Any]) -> None:
    answer = reviewer.get("/v1/reviews", params=wrong)
    assert answer.status_code in (400, 422)
    assert answer.headers["content-type"] == "application/problem+json"


def test_another_region_sees_nothing(as_: Caller, binding_id: str) -> None:
    suzhou = as_("reviewer-suzhou")
    assert suzhou.get("/v1/reviews").json()["items"] == []
    assert suzhou.get(f"/v1/reviews/{binding_id}").status_code == 404
    for what, body in (
        ("claim", {}),
        ("approve", {}),
        ("reject", {"reason": "nonsense"}),
        ("return", {}),
        ("escalate", {}),
    ):
        assert said(suzhou, binding_id, what, **body).json()["code"] == "not_found", what


def test_reviews_are_for_reviewers(as_: Caller, binding_id: str) -> None:
    for name in ("alipay", "counter", "operator", "supervisor"):
        assert as_(name).get("/v1/reviews").json()["code"] == "role_required", name
        assert said(as_(name), binding_id, "approve").status_code == 403, name


def test_one_holds_the_lease_and_the_other_is_told(as_: Caller, binding_id: str, office: Office) -> None:
    one, two = as_("reviewer"), as_("reviewer-2")
    claimed = said(one, binding_id, "claim").json()
    assert claimed["lease"]["mine"] is True
    assert {"claim", "approve", "reject", "return", "release"} <= set(claimed["available_actions"])
    assert one.get(f"/v1/bindings/{binding_id}").json()["available_actions"] == claimed["available_actions"]
    assert said(one, binding_id, "claim").status_code == 200  # what one holds is no error
    assert said(two, binding_id, "claim").json()["code"] == "claimed_by_other"
    assert said(two, binding_id, "release").json()["code"] == "claimed_by_other"
    assert said(two, binding_id, "approve").json()["code"] == "lease_required"
    listed = two.get("/v1/reviews", params={"status": "claimed"}).json()["items"]
    assert listed[0]["lease"]["claimed_by"] == "sandbox-reviewer"
    assert two.get("/v1/reviews", params={"status": "mine"}).json()["items"] == []
    assert said(one, binding_id, "release").json()["lease"] is None
    assert said(two, binding_id, "claim").status_code == 200


def test_of_many_who_claim_at_once_one_wins(as_: Caller, binding_id: str) -> None:
    clients = [as_(name) for name in ("reviewer", "reviewer-2") * 4]
    with ThreadPoolExecutor(len(clients)) as pool:
        answers = list(pool.map(lambda client: said(client, binding_id, "claim"), clients))
    won = {one.json()["lease"]["claimed_by"] for one in answers if one.status_code == 200}
    lost = [one.json()["code"] for one in answers if one.status_code != 200]
    assert (len(won), lost) == (1, ["claimed_by_other"] * 4)


def test_an_expired_lease_is_nobodys(as_: Caller, binding_id: str, office: Office) -> None:
    one, two = as_("reviewer"), as_("reviewer-2")
    said(one, binding_id, "claim")
    life.skip(office, minutes=15)
    assert said(one, binding_id, "approve").json()["code"] == "lease_required"
    assert said(two, binding_id, "claim").status_code == 200
    assert said(one, binding_id, "claim").json()["code"] == "claimed_by_other"


def test_work_keeps_the_lease_alive(as_: Caller, binding_id: str, office: Office) -> None:
    one = as_("reviewer")
    said(one, binding_id, "claim")
    for _ in range(3):
        life.skip(office, minutes=14)
        assert one.get(f"/v1/reviews/{binding_id}").json()["lease"]["mine"] is True
    assert said(one, binding_id, "approve").status_code == 200


def test_looking_on_does_not_keep_it_alive(as_: Caller, binding_id: str, office: Office) -> None:
    one, two = as_("reviewer"), as_("reviewer-2")
    said(one, binding_id, "claim")
    life.skip(office, minutes=14)
    two.get(f"/v1/reviews/{binding_id}")
    life.skip(office, minutes=1)
    assert said(two, binding_id, "claim").status_code == 200


def test_approve_goes_on_to_active(reviewer: httpx.Client, binding_id: str, office: Office) -> None:
    assert said(reviewer, binding_id, "approve").json()["code"] == "lease_required"
    said(reviewer, binding_id, "claim")
    answer = said(reviewer, binding_id, "approve", note="材料齐全")
    assert answer.json()["state"] == ACTIVE
    assert life.events(office, binding_id)[-2:] == ["approved", "activated"]
    after = said(reviewer, binding_id, "approve")
    assert (after.status_code, after.json()["code"]) == (409, "action_not_available")
    assert after.json()["state"] == ACTIVE


def test_reject_wants_a_reason_of_the_list(reviewer: httpx.Client, binding_id: str) -> None:
    said(reviewer, binding_id, "claim")
    assert said(reviewer, binding_id, "reject").json()["errors"][0]["pointer"] == "/reason"
    unknown = said(reviewer, binding_id, "reject", reason="because")
    assert (unknown.status_code, unknown.json()["code"]) == (422, "reason_not_listed")
    assert "relation_unproven" in unknown.json()["reasons"]
    done = said(reviewer, binding_id, "reject", reason="relation_unproven", note="不能证明").json()
    assert (done["state"], done["reason"]) == (REJECTED, "relation_unproven")


def test_return_lists_what_to_mend(reviewer: httpx.Client, alipay: httpx.Client, binding_id: str) -> None:
    said(reviewer, binding_id, "claim")
    assert said(reviewer, binding_id, "return", reason="letter_unsigned", items=[]).status_code == 422
    wrong = [{"kind": "commitment_letter", "reason": "because"}]
    refused = said(reviewer, binding_id, "return", reason="letter_unsigned", items=wrong).json()
    assert refused["errors"][0]["pointer"] == "/items/0/reason"
    done = said(reviewer, binding_id, "return", reason="letter_unsigned", items=ITEMS, note="请补正").json()
    assert done["state"] == RETURNED
    assert done["correction"] == {"reason": "letter_unsigned", "items": ITEMS, "note": "请补正"}
    assert reviewer.get("/v1/reviews").json()["items"] == []


@pytest.mark.parametrize("what", ["claim", "release"])
def test_a_lease_is_of_the_version_that_was_seen(reviewer: httpx.Client, binding_id: str, what: str) -> None:
    version = said(reviewer, binding_id, "claim").json()["version"]
    where = f"/v1/reviews/{binding_id}/{what}"
    stale = reviewer.post(where, json={}, headers={"If-Match": f'"{version - 1}"'})
    assert (stale.status_code, stale.json()["code"]) == (412, "stale_version")
    assert reviewer.get(f"/v1/reviews/{binding_id}").json()["lease"]["mine"] is True
    assert reviewer.post(where, json={}, headers={"If-Match": f'"{version}"'}).status_code == 200


def test_what_was_not_decided_in_time_stays_overdue(
    base_url: str, reviewer: httpx.Client, as_: Caller, office: Office
) -> None:
    binding_id = life.to_state(office, AGENCY_REVIEW)
    (before,) = reviewer.get("/v1/reviews").json()["items"]
    assert reviewer.get("/v1/reviews", params={"overdue": True}).json()["items"] == []
    due = datetime.fromisoformat(before["due_at"])
    for day in (0, 3):  # the day after, and when it has been escalated more than once
        life.advance(office, seconds=int((due - office.ledger.now()).total_seconds()) + 60 + day * 86_400)
        (late,) = reviewer.get("/v1/reviews", params={"overdue": True}).json()["items"]
        assert (late["binding_id"], late["overdue"], late["due_at"]) == (binding_id, True, before["due_at"])
        assert reviewer.get("/v1/reviews", params={"overdue": False}).json()["items"] == []
        waits = reviewer.get(f"/v1/bindings/{binding_id}").json()["waiting_on"]
        assert datetime.fromisoformat(waits["until"]) > office.ledger.now()  # by when it is escalated again
        assert as_("operator").get("/v1/ops/overview").json()["work"]["reviews_overdue"] == 1


def test_only_who_holds_the_lease_escalates(as_: Caller, binding_id: str) -> None:
    one, two = as_("reviewer"), as_("reviewer-2")
    assert said(one, binding_id, "escalate", note="x").json()["code"] == "lease_required"
    said(one, binding_id, "claim")
    assert said(two, binding_id, "escalate", note="x").json()["code"] == "lease_required"
    assert "escalate" not in two.get(f"/v1/reviews/{binding_id}").json()["available_actions"]
    assert said(one, binding_id, "escalate", note="x").status_code == 200


LETTER = {"kind": "commitment_letter", "reason": "letter_unsigned"}


@pytest.mark.parametrize(
    ("place", "body"),
    [
        ("/note", {"reason": "letter_unsigned", "items": [LETTER], "note": "张三 440106198503072316 的承诺书未签名"}),
        ("/items/0/note", {"reason": "letter_unsigned", "items": [LETTER | {"note": "440106198503072316 未签名"}]}),
    ],
)
def test_nobodys_id_number_is_written_into_a_case(
    reviewer: httpx.Client, binding_id: str, place: str, body: dict[str, Any]
) -> None:
    """Other channels read what a family is told, and the history keeps all notes as they are."""
    said(reviewer, binding_id, "claim")
    refused = said(reviewer, binding_id, "return", **body)
    assert [(one["pointer"], one["code"]) for one in refused.json()["errors"]] == [(place, "id_number_in_text")]


def test_escalate_keeps_the_case_and_the_due_time(reviewer: httpx.Client, binding_id: str) -> None:
    said(reviewer, binding_id, "claim")
    before = reviewer.get("/v1/reviews").json()["items"][0]
    assert said(reviewer, binding_id, "escalate", note="疑似冒用").json()["state"] == AGENCY_REVIEW
    after = reviewer.get("/v1/reviews", params={"status": "escalated"}).json()["items"][0]
    assert (after["due_at"], after["escalations"]) == (before["due_at"], 1)
    assert after["lease"]["mine"] is True


def test_the_case_shows_what_a_reviewer_needs(reviewer: httpx.Client, binding_id: str, office: Office) -> None:
    other = life.to_state(office, "submitted", holder_seed=0, seed=9)
    case = reviewer.get(f"/v1/reviews/{binding_id}")
    told = case.json()
    assert case.headers["etag"] == f'"{told["version"]}"'
    assert [line["event"] for line in told["timeline"]] == life.events(office, binding_id)
    assert told["face_checks"]["items"] == []
    assert [(one["id"], one["shared"]) for one in told["other_bindings"]["items"]] == [(other, ["holder_as_holder"])]
    assert "relation_unproven" in told["reasons"]["reject"]


def test_nobody_reviews_his_own_case(as_: Caller, binding_id: str, office: Office) -> None:
    holder = life.look(office, binding_id).application.holder
    with office.ledger.connection() as conn:
        conn.execute("update principals set person = %s where id = 'sandbox-reviewer'", (holder,))
    assert said(as_("reviewer"), binding_id, "claim").json()["code"] == "own_case"


def test_a_decision_is_replayed_under_its_key(reviewer: httpx.Client, binding_id: str) -> None:
    said(reviewer, binding_id, "claim")
    path, key = f"/v1/reviews/{binding_id}/approve", {"Idempotency-Key": '"one"'}
    first = reviewer.post(path, json={}, headers=key)
    again = reviewer.post(path, json={}, headers=key)
    assert (again.content, again.headers["idempotency-replayed"]) == (first.content, "true")
    other = reviewer.post(path, json={"note": "x"}, headers=key)
    assert other.json()["code"] == "idempotency_key_reused"


def test_a_stale_decision(reviewer: httpx.Client, binding_id: str) -> None:
    said(reviewer, binding_id, "claim")
    answer = reviewer.post(f"/v1/reviews/{binding_id}/approve", json={}, headers={"If-Match": '"1"'})
    assert (answer.status_code, answer.json()["code"]) == (412, "stale_version")


def test_a_lease_lost_between_reading_and_writing(as_: Caller, binding_id: str, office: Office) -> None:
    one, two = as_("reviewer"), as_("reviewer-2")
    said(one, binding_id, "claim")
    life.skip(office, seconds=timedelta(minutes=16).total_seconds())
    said(two, binding_id, "claim")
    assert said(one, binding_id, "approve").json()["code"] == "lease_required"
    assert said(two, binding_id, "approve").json()["state"] == ACTIVE
