"""The same key and the same request give the first answer again, byte for byte; and nothing is done twice."""

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx
import pytest

from tasks.office import Office
from tests import life
from tests.doors.conftest import Caller
from tests.doors.family import act, application, key, picture, submitted, view
from workflows import answers
from workflows.case import ACTIVE

JSON = {"Content-Type": "application/json"}


def test_a_submission_said_again(alipay: httpx.Client) -> None:
    body, told = application(), key()
    first = alipay.post("/v1/bindings", json=body, headers=told)
    again = alipay.post("/v1/bindings", json=dict(reversed(body.items())), headers=told)
    assert (again.status_code, again.content) == (201, first.content)
    assert again.headers["location"] == first.headers["location"]
    assert again.headers["etag"] == first.headers["etag"]
    assert again.headers["idempotency-replayed"] == "true"
    assert "idempotency-replayed" not in first.headers
    bare = {"Idempotency-Key": told["Idempotency-Key"].strip('"')}
    assert alipay.post("/v1/bindings", json=body, headers=bare).content == first.content


def test_the_same_key_for_another_request(alipay: httpx.Client, wechat: httpx.Client) -> None:
    body, told = application(), key()
    made = view(alipay.post("/v1/bindings", json=body, headers=told))
    for answer in (
        alipay.post("/v1/bindings", json=body | {"channel_reference": "x"}, headers=told),
        alipay.post(f"/v1/bindings/{made['id']}/actions/withdraw", headers=told),
        alipay.post("/v1/bindings/search", json={}, headers=told),
    ):
        assert (answer.status_code, view(answer)["code"]) == (422, "idempotency_key_reused")
    # another principal's key is another key
    assert view(wechat.post("/v1/bindings", json=body, headers=told))["code"] == "duplicate_binding"


def test_refusals_are_not_kept(alipay: httpx.Client) -> None:
    body, told = application(), key()
    wrong = body | {"relationship": "OTHER"}
    assert alipay.post("/v1/bindings", json=wrong, headers=told).status_code == 422
    assert alipay.post("/v1/bindings", json=body, headers=told).status_code == 201


def test_keys_that_cannot_be(alipay: httpx.Client) -> None:
    body = application()
    missing = alipay.post("/v1/bindings", json=body)
    assert (missing.status_code, view(missing)["code"]) == (400, "idempotency_key_required")
    for sent in ('""', "", "x" * 256, '"open', "a b", 'a"b', "a,b"):
        answer = alipay.post("/v1/bindings", json=body, headers={"Idempotency-Key": sent})
        assert (answer.status_code, view(answer)["code"]) == (400, "idempotency_key_invalid"), sent
    two = [("Idempotency-Key", "a"), ("Idempotency-Key", "b")]
    assert alipay.post("/v1/bindings", json=body, headers=two).status_code == 400
    assert alipay.post("/v1/bindings", json=body, headers={"Idempotency-Key": "x" * 255}).status_code == 201


def test_an_action_said_again_after_the_case_went_on(alipay: httpx.Client, office: Office) -> None:
    binding_id, told = life.to_state(office, "face_check", seed=510), key()
    where = f"/v1/bindings/{binding_id}/actions/choose_offline"
    first = alipay.post(where, json={"reason": "other"}, headers=told)
    assert act(alipay, binding_id, "withdraw").status_code == 200
    again = alipay.post(where, json={"reason": "other"}, headers=told | {"If-Match": '"1"'})
    assert (again.status_code, again.content) == (200, first.content)
    assert again.headers["idempotency-replayed"] == "true"


def test_copies_at_once_do_it_once(alipay: httpx.Client) -> None:
    body, told = application(), key()

    def send(_: int) -> httpx.Response:
        return alipay.post("/v1/bindings", json=body, headers=told)

    with ThreadPoolExecutor(8) as threads:
        answers = list(threads.map(send, range(8)))
    assert {answer.status_code for answer in answers} == {201}
    assert len({answer.content for answer in answers}) == 1
    assert sum("idempotency-replayed" not in answer.headers for answer in answers) == 1


def test_an_upload_said_again(alipay: httpx.Client) -> None:
    made, told, content = submitted(alipay), key(), picture()
    where = f"/v1/bindings/{made['id']}/materials"

    def send(content: bytes, kind: str = "other") -> httpx.Response:
        return alipay.post(where, data={"kind": kind}, files={"file": ("a", content)}, headers=told)

    first, again = send(content), send(content)
    assert (first.status_code, again.status_code) == (201, 201)
    assert again.content == first.content
    assert again.headers["idempotency-replayed"] == "true"
    assert len(view(alipay.get(where))["items"]) == 1
    assert view(send(picture()))["code"] == "idempotency_key_reused"
    assert view(send(content, "birth_certificate"))["code"] == "idempotency_key_reused"


def test_a_face_check_said_again(alipay: httpx.Client, office: Office) -> None:
    binding_id, told = life.to_state(office, "face_check", seed=511), key()
    where = f"/v1/bindings/{binding_id}/face-checks"
    first, again = (alipay.post(where, json={"subject": "member"}, headers=told) for _ in range(2))
    assert (first.status_code, again.content) == (201, first.content)
    assert len(life.sessions(office, binding_id)) == 1
    life.end_face(office, life.sessions(office, binding_id)[0])
    assert alipay.post(where, json={"subject": "member"}, headers=told).content == first.content


def test_while_the_first_runs_a_copy_is_told_so(alipay: httpx.Client, office: Office) -> None:
    binding_id, told = life.to_state(office, "face_check", seed=512), key()
    where = f"/v1/bindings/{binding_id}/face-checks"
    life.faces(office).set_mode("slow", 0.6)
    with ThreadPoolExecutor(2) as threads:
        answers = list(threads.map(lambda _: alipay.post(where, json={"subject": "member"}, headers=told), range(2)))
    by_status: dict[int, Any] = {answer.status_code: answer for answer in answers}
    assert set(by_status) == {201, 409}
    assert view(by_status[409])["code"] == "idempotency_in_progress"
    assert 1 <= int(by_status[409].headers["retry-after"]) <= 60
    assert len(life.sessions(office, binding_id)) == 1


def test_a_refused_face_check_gives_its_key_back(alipay: httpx.Client, office: Office) -> None:
    binding_id, told = life.to_state(office, "face_check", seed=513), key()
    where = f"/v1/bindings/{binding_id}/face-checks"
    life.faces(office).set_mode("down")
    down = alipay.post(where, json={"subject": "member"}, headers=told)
    assert (down.status_code, view(down)["code"]) == (503, "face_provider_down")
    life.faces(office).set_mode("up")
    assert alipay.post(where, json={"subject": "member"}, headers=told).status_code == 201


def test_what_a_dead_process_reserved_is_taken_over(alipay: httpx.Client, office: Office) -> None:
    made, told = submitted(alipay), key()
    where = f"/v1/bindings/{made['id']}/materials"
    form = {"data": {"kind": "other"}, "files": {"file": ("a", picture())}}
    alipay.post(where, headers=told, **form)  # type: ignore[arg-type]
    with office.ledger.connection() as conn:  # as if it had died before it could say what it did
        conn.execute(
            "update idempotency set status = null, body = null where key = %s", (told["Idempotency-Key"][1:-1],)
        )
    assert view(alipay.post(where, headers=told, **form))["code"] == "idempotency_in_progress"  # type: ignore[arg-type]
    with office.ledger.connection() as conn:  # real time: a clock that is moved makes nobody slow
        conn.execute("update idempotency set reserved_at = clock_timestamp() - interval '61 seconds'")
    assert alipay.post(where, headers=told, **form).status_code == 201  # type: ignore[arg-type]


def test_what_may_run_twice_is_never_told_to_wait(alipay: httpx.Client, office: Office) -> None:
    body, told = application(), key()
    with ThreadPoolExecutor(8) as threads:
        answers = list(threads.map(lambda _: alipay.post("/v1/bindings/search", json={}, headers=told), range(8)))
    assert {answer.status_code for answer in answers} == {200}
    assert len({answer.content for answer in answers}) == 1
    alipay.post("/v1/bindings", json=body, headers=key())
    again = alipay.post("/v1/bindings/search", json={}, headers=told)
    assert again.content == answers[0].content
    assert again.headers["idempotency-replayed"] == "true"


def test_what_was_ended_at_a_window_is_told_again_though_the_process_died(
    as_: Caller, office: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    binding_id, told = life.to_state(office, ACTIVE), key()

    def unbound() -> httpx.Response:
        asked = {"initiator": "member"}
        return as_("counter").post(f"/v1/counter/tickets/{binding_id}/unbind", json=asked, headers=told)

    def dies(*_: Any) -> None:
        raise OSError

    with monkeypatch.context() as cut_off:
        cut_off.setattr(answers, "complete", dies)  # what comes after the commit
        assert unbound().status_code == 500
    again = unbound()
    assert (again.status_code, view(again)["state"], again.headers["idempotency-replayed"]) == (200, "unbound", "true")
