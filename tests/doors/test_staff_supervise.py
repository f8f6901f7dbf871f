"""Supervisors' decisions, numbers in clear, documents; and what operators look at."""

from typing import Any

import httpx
import pytest

from tasks.office import Office
from tests import life
from tests.doors.conftest import Caller
from tests.doors.family import picture, submitted, uploaded
from workflows.access import principals
from workflows.case import ACTIVE, OFFLINE_FALLBACK, SUSPENDED, UNBOUND


@pytest.fixture
def supervisor(as_: Caller) -> httpx.Client:
    return as_("supervisor")


@pytest.fixture
def active(office: Office) -> str:
    return life.to_state(office, ACTIVE)


def looks(office: Office, binding_id: str) -> list[tuple[Any, ...]]:
    with office.ledger.connection() as conn:
        return conn.execute(
            "select principal, act, purpose from access_log where binding_id = %s order by id", (binding_id,)
        ).fetchall()


def said(client: httpx.Client, binding_id: str, what: str, **body: Any) -> httpx.Response:
    return client.post(f"/v1/bindings/{binding_id}/{what}", json=body)


def test_suspend_resume_end_each_with_a_reason(supervisor: httpx.Client, active: str) -> None:
    assert said(supervisor, active, "suspend").json()["errors"][0] | {"message": ""} == {
        "pointer": "/reason", "code": "required", "message": "",
    }  # fmt: skip
    suspended = said(supervisor, active, "suspend", reason="suspected_fraud").json()
    assert (suspended["state"], suspended["reason"]) == (SUSPENDED, "suspected_fraud")
    assert suspended["available_actions"] == ["resume", "unbind"]
    assert said(supervisor, active, "suspend", reason="again").json()["code"] == "action_not_available"
    assert said(supervisor, active, "resume", reason="cleared").json()["state"] == ACTIVE
    ended = said(supervisor, active, "unbind", reason="suspected_fraud").json()
    assert (ended["state"], ended["reason"]) == (UNBOUND, "suspected_fraud")


def test_only_supervisors_suspend(as_: Caller, active: str) -> None:
    for name in ("alipay", "reviewer", "counter", "operator"):
        assert said(as_(name), active, "suspend", reason="x").status_code == 403, name


def test_a_number_in_clear_is_logged(as_: Caller, active: str, office: Office) -> None:
    number = life.look(office, active).application.parties["member"]["id_number"]
    answer = said(as_("counter"), active, "reveal", field="member.id_number", purpose="与窗口原件核对")
    assert answer.json() == {"field": "member.id_number", "value": number}
    assert answer.headers["cache-control"] == "no-store"
    ordered = said(as_("supervisor"), active, "reveal", field="holder_name", purpose="工单 20261130001")  # staff's own
    assert ordered.json()["value"] == "张伟"
    assert looks(office, active) == [
        ("sandbox-counter", "reveal:member.id_number", "与窗口原件核对"),
        ("sandbox-supervisor", "reveal:holder.name", "工单 20261130001"),
    ]


@pytest.mark.parametrize(
    ("body", "pointer"),
    [
        ({"field": "member.id_number"}, "/purpose"),
        ({"field": "member.id_number", "purpose": "  "}, "/purpose"),
        ({"field": "sealed", "purpose": "x"}, "/field"),
        ({"field": "mother.name", "purpose": "x"}, "/field"),
    ],
)
def test_what_cannot_be_revealed(
    supervisor: httpx.Client, active: str, body: Any, pointer: str, office: Office
) -> None:
    refused = said(supervisor, active, "reveal", **body)
    assert (refused.status_code, refused.json()["errors"][0]["pointer"]) == (422, pointer)
    assert looks(office, active) == []


def test_nobody_else_reveals(as_: Caller, active: str) -> None:
    for name in ("alipay", "operator"):
        assert said(as_(name), active, "reveal", field="member.name", purpose="x").status_code == 403, name
    assert said(as_("reviewer-suzhou"), active, "reveal", field="nonsense").status_code == 404


def test_a_document_is_opened_as_it_was(as_: Caller, alipay: httpx.Client, office: Office) -> None:
    binding_id, content = submitted(alipay)["id"], picture()
    material = uploaded(alipay, binding_id, "commitment_letter", content).json()
    path = f"/v1/bindings/{binding_id}/materials/{material['id']}/content"
    answer = as_("reviewer").get(path)
    assert answer.content == content
    assert answer.headers["content-type"] == "image/jpeg"
    assert answer.headers["content-disposition"] == f'inline; filename="{material["id"]}.jpg"'
    assert answer.headers["cache-control"] == "no-store"
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert looks(office, binding_id) == [("sandbox-reviewer", f"open:{material['id']}", None)]
    assert alipay.get(path).status_code == 403
    assert as_("reviewer-suzhou").get(path).status_code == 404
    assert as_("reviewer").get(path.replace(material["id"], "mat_none")).status_code == 404


def test_a_document_opens_to_whichever_role_may_see_the_case(base_url: str, as_: Caller, office: Office) -> None:
    """The clerk of the member's city, who reviews too, but not this one."""
    binding_id = life.to_state(office, OFFLINE_FALLBACK, member_region="110100")
    material = life.look(office, binding_id).materials[0]["id"]
    office.windows.documents.put(material, b"a page")
    _, secret = principals.create_staff(office.ledger, "two hats", ["reviewer", "counter"], ["110000"])
    told = {"Authorization": f"Bearer {secret}"}
    answer = httpx.get(f"{base_url}/v1/bindings/{binding_id}/materials/{material}/content", headers=told)
    assert (answer.status_code, answer.content) == (200, b"a page")
    assert len(looks(office, binding_id)) == 1
    _, secret = principals.create_staff(office.ledger, "far away", ["reviewer", "counter"], ["320000"])
    told = {"Authorization": f"Bearer {secret}"}
    answer = httpx.get(f"{base_url}/v1/bindings/{binding_id}/materials/{material}/content", headers=told)
    assert answer.status_code == 404


# -- operators ---------------------------------------------------------------------------------------------------


def test_the_overview_counts(as_: Caller, active: str, office: Office) -> None:
    life.to_state(office, OFFLINE_FALLBACK, seed=3, region="320500", channel_reference=None)
    told = as_("operator").get("/v1/ops/overview").json()
    counts = {one["state"]: one["count"] for one in told["states"]}
    assert (counts[ACTIVE], counts[OFFLINE_FALLBACK], counts["rejected"]) == (1, 1, 0)
    assert told["work"]["tickets_open"] == 1
    assert {"offline_to_counter", "insurance_to_rechecked"} <= {one["name"] for one in told["deadlines"]}
    there = as_("operator").get("/v1/ops/overview", params={"region": "320000"}).json()
    assert sum(one["count"] for one in there["states"]) == 1
    none = as_("operator").get("/v1/ops/overview", params={"product": "code_display"}).json()
    assert sum(one["count"] for one in none["states"]) == 0
    assert as_("operator").get("/v1/ops/overview", params={"channel": "fax"}).status_code == 422
    assert as_("supervisor").get("/v1/ops/overview").status_code == 403


def stuck(client: httpx.Client, **asked: Any) -> list[tuple[str, str]]:
    items = client.get("/v1/ops/stuck", params=asked).json()["items"]
    assert all(item["fingerprint"].startswith(item["cause"]) and item["since"] and item["evidence"] for item in items)
    return [(item["binding_id"], item["cause"]) for item in items]


def test_what_is_stuck_says_why(as_: Caller, office: Office) -> None:
    operator = as_("operator")
    late, poisoned, lost, unanswered = (life.to_state(office, state, seed=n) for n, state in enumerate(
        ("submitted", "submitted", "submitted", "materials_uploaded"), 1))  # fmt: skip
    assert stuck(operator) == []
    with office.ledger.connection() as conn:
        conn.execute(
            "update deadlines set due_at = kinbind_now() - interval '2 minutes' where binding_id = %s", (late,)
        )
        conn.execute("update deadlines set parked = 'step_poisoned', attempts = 10 where binding_id = %s", (poisoned,))
        conn.execute("delete from deadlines where binding_id = %s", (lost,))
        conn.execute("update deadlines set attempts = 2, due_at = kinbind_now() + interval '9 minutes'"
                     " where binding_id = %s", (unanswered,))  # fmt: skip
    expected = {(late, "deadline_overdue"), (poisoned, "step_poisoned"), (lost, "no_deadline"),
                (unanswered, "registry_unanswered")}  # fmt: skip
    assert set(stuck(operator)) == expected
    for one in expected:
        assert stuck(operator, cause=one[1]) == [one]
    assert operator.get("/v1/ops/stuck", params={"cause": "bad_luck"}).status_code == 422


def test_stuck_pages_through_all(as_: Caller, office: Office) -> None:
    for seed in range(1, 4):
        life.to_state(office, "submitted", seed=seed)
    with office.ledger.connection() as conn:
        conn.execute("update deadlines set due_at = kinbind_now() - interval '1 hour'")
    seen, cursor = [], None
    while True:
        page = (
            as_("operator").get("/v1/ops/stuck", params={"limit": 1, **({"cursor": cursor} if cursor else {})}).json()
        )
        seen += [item["binding_id"] for item in page["items"]]
        if (cursor := page["next_cursor"]) is None:
            break
    assert len(set(seen)) == len(seen) == 3


def test_a_lost_callback_and_a_lagging_feed(as_: Caller, alipay: httpx.Client, office: Office) -> None:
    binding_id = life.to_state(office, "face_check")
    life.start_face(office, binding_id)
    life.skip(office, minutes=41)
    assert (binding_id, "callback_lost") in stuck(as_("operator"))
    alipay.post("/v1/webhook-endpoints", json={"url": "http://127.0.0.1:9/"})
    with office.ledger.connection() as conn:
        conn.execute("update history set recorded_at = recorded_at - interval '2 minutes'")
    assert stuck(as_("operator"), cause="feed_lagging") == [(binding_id, "feed_lagging")]
