"""Face providers at the callback's door: forged, doubled, late, for somebody else."""

import json

import httpx
import pytest

from tasks.office import Office
from tests import life
from tests.doors.family import act, view

WHERE = "/v1/callbacks/face/sandbox"


def started(client: httpx.Client, office: Office, seed: int) -> tuple[str, str]:
    """A binding with an open session; its id and the provider's reference."""
    binding_id = life.to_state(office, "face_check", seed=seed)
    answer = client.post(f"/v1/bindings/{binding_id}/face-checks", json={"subject": "member"})
    assert answer.status_code == 201, answer.text
    return binding_id, life.sessions(office, binding_id)[-1]["reference"]


def state(client: httpx.Client, binding_id: str) -> str:
    shown: str = view(client.get(f"/v1/bindings/{binding_id}"))["state"]
    return shown


def test_heard_once_said_twice(alipay: httpx.Client, base_url: str, office: Office) -> None:
    binding_id, reference = started(alipay, office, 530)
    callback = life.faces(office).complete(reference, "passed")
    for _ in range(3):
        answer = httpx.post(base_url + WHERE, content=callback.body, headers=callback.headers)
        assert (answer.status_code, view(answer)) == (200, {"received": True})
    assert state(alipay, binding_id) == "active"
    assert life.events(office, binding_id).count("face_check_passed") == 1


def test_forged_ones_change_nothing(base_url: str, alipay: httpx.Client, office: Office) -> None:
    binding_id, reference = started(alipay, office, 531)
    callback = life.faces(office).complete(reference, "passed")
    other = json.dumps({"certifyId": "another", "passed": "T"}).encode()
    signature = {"sandbox-signature": "0" * 64}
    for body, headers in (
        (other, callback.headers), (callback.body, {}), (b"", callback.headers), (b"\xff\0{", {}),
        (callback.body, dict(callback.headers) | signature), (b"x" * 60_000, callback.headers),
    ):  # fmt: skip
        answer = httpx.post(base_url + WHERE, content=body, headers=headers)
        assert (answer.status_code, view(answer)["code"]) == (401, "callback_forged")
    assert httpx.post(base_url + WHERE, content=b"x" * 70_000).status_code == 413
    assert httpx.post(f"{base_url}/v1/callbacks/face/tencent", content=callback.body).status_code == 404
    assert state(alipay, binding_id) == "face_check"


def test_a_hint_without_an_answer_is_no_pass(base_url: str, alipay: httpx.Client, office: Office) -> None:
    """The callback of one session, said when another's is open: only the session that it names is asked about."""
    first, reference = started(alipay, office, 532)
    second, _ = started(alipay, office, 533)
    callback = life.faces(office).complete(reference, "no_match")
    httpx.post(base_url + WHERE, content=callback.body, headers=callback.headers)
    assert [state(alipay, one) for one in (first, second)] == ["face_check", "face_check"]
    checks = view(alipay.get(f"/v1/bindings/{first}/face-checks"))
    assert [(one["status"], one["reason"], one["uses_attempt"]) for one in checks["items"]] == [
        ("failed", "face_no_match", True)
    ]
    assert checks["window_closes_at"] is not None
    assert view(alipay.get(f"/v1/bindings/{second}/face-checks"))["items"][0]["status"] == "pending"


def test_a_late_one_is_noted_only(base_url: str, alipay: httpx.Client, office: Office) -> None:
    binding_id, reference = started(alipay, office, 534)
    act(alipay, binding_id, "withdraw")
    callback = life.faces(office).complete(reference, "passed")
    assert httpx.post(base_url + WHERE, content=callback.body, headers=callback.headers).status_code == 200
    assert state(alipay, binding_id) == "withdrawn"
    assert view(alipay.get(f"/v1/bindings/{binding_id}/face-checks"))["items"][0]["status"] == "passed"


def test_an_unanswered_session_shows_as_expired(alipay: httpx.Client, office: Office) -> None:
    binding_id, _ = started(alipay, office, 535)
    life.skip(office, hours=1)
    assert view(alipay.get(f"/v1/bindings/{binding_id}/face-checks"))["items"][0]["status"] == "expired"


def attempts(client: httpx.Client, binding_id: str) -> list[tuple[str, bool]]:
    items = view(client.get(f"/v1/bindings/{binding_id}/face-checks"))["items"]
    return [(one["status"], one["uses_attempt"]) for one in items]


@pytest.mark.parametrize(("outcome", "status", "ends"), [
    ("passed", "passed", "active"),
    ("no_match", "failed", "face_check"),  # who keeps one session open ahead must not have attempts without end
])  # fmt: skip
def test_a_new_attempt_replaces_an_unanswered_one_whose_answer_still_counts(
    base_url: str, alipay: httpx.Client, office: Office, outcome: str, status: str, ends: str
) -> None:
    binding_id, replaced = started(alipay, office, 538 if outcome == "passed" else 539)
    assert alipay.post(f"/v1/bindings/{binding_id}/face-checks", json={"subject": "member"}).status_code == 201
    assert attempts(alipay, binding_id) == [("expired", False), ("pending", False)]
    callback = life.faces(office).complete(replaced, outcome)
    assert httpx.post(base_url + WHERE, content=callback.body, headers=callback.headers).status_code == 200
    assert attempts(alipay, binding_id) == [(status, status == "failed"), ("pending", False)]
    assert state(alipay, binding_id) == ends


@pytest.mark.parametrize("sent", [{"subject": "holder"}, {"subject": "mother"}])
def test_another_persons_turn(alipay: httpx.Client, office: Office, sent: dict[str, str]) -> None:
    binding_id = life.to_state(office, "face_check", seed=536)
    answer = alipay.post(f"/v1/bindings/{binding_id}/face-checks", json=sent)
    assert (answer.status_code, view(answer)["code"]) == (409, "face_subject_not_next")
    assert view(answer)["subject"] == "member"


def test_while_rate_limited_it_is_not_listed(base_url: str, alipay: httpx.Client, office: Office) -> None:
    binding_id, reference = started(alipay, office, 537)
    callback = life.faces(office).complete(reference, "rate_limited")
    httpx.post(base_url + WHERE, content=callback.body, headers=callback.headers)
    shown = view(alipay.get(f"/v1/bindings/{binding_id}"))
    assert "start_face_check" not in shown["available_actions"]
    answer = alipay.post(f"/v1/bindings/{binding_id}/face-checks", json={"subject": "member"})
    assert (answer.status_code, view(answer)["code"]) == (409, "face_rate_limited")
    assert view(alipay.get(f"/v1/bindings/{binding_id}/face-checks"))["next_retry_at"] is not None
