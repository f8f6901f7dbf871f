"""The sandbox's own doors: time, faces, registries."""

import threading
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from typing import Any

import httpx
import pytest

from api.openapi import document
from models.settings import SettingWrong
from tasks.office import Office
from tests import life
from tests.doors.conftest import Caller, serving
from tests.doors.family import act, application, submitted, with_materials

NO_ONE = "fac_00000000000000000000000000"


def advance(client: httpx.Client, seconds: Any) -> httpx.Response:
    return client.post("/v1/sandbox/clock/advance", json={"seconds": seconds})


def state(client: httpx.Client, binding_id: str) -> str:
    told: str = client.get(f"/v1/bindings/{binding_id}").json()["state"]
    return told


def at_the_face(client: httpx.Client, **options: Any) -> str:
    made = submitted(client, **options)
    with_materials(client, made)
    act(client, made["id"], "submit_materials")
    advance(client, 1)
    binding_id: str = made["id"]
    return binding_id


def started(client: httpx.Client, binding_id: str) -> str:
    answer = client.post(f"/v1/bindings/{binding_id}/face-checks", json={"subject": "member"})
    assert answer.status_code == 201, answer.text
    session: str = answer.json()["id"]
    return session


def completed(client: httpx.Client, session: str, outcome: str) -> httpx.Response:
    return client.post(f"/v1/sandbox/face-checks/{session}/complete", json={"outcome": outcome})


def test_time_goes_on_by_what_was_asked(alipay: httpx.Client) -> None:
    before = datetime.fromisoformat(alipay.get("/v1/sandbox/clock").json()["now"])
    after = datetime.fromisoformat(advance(alipay, 90_000).json()["now"])
    assert timedelta(seconds=90_000) <= after - before < timedelta(seconds=90_060)


def test_of_two_who_move_the_clock_at_once_nobodys_time_is_lost(alipay: httpx.Client, office: Office) -> None:
    before = office.ledger.now()
    with ThreadPoolExecutor(4) as many:
        answers = list(many.map(lambda _: advance(alipay, 1000), range(4)))
    moved = [one for one in answers if one.status_code == 200]
    assert moved
    assert {one.json()["code"] for one in answers if one not in moved} <= {"busy"}
    seconds = 1000 * len(moved)
    assert timedelta(seconds=seconds) <= office.ledger.now() - before < timedelta(seconds=seconds + 60)


@pytest.mark.parametrize("wrong", [0, -1, 34_560_001, "60", 1.5, None])
def test_how_far_time_may_not_go(alipay: httpx.Client, wrong: Any) -> None:
    refused = advance(alipay, wrong)
    assert (refused.status_code, refused.json()["errors"][0]["pointer"]) == (422, "/seconds")


def test_what_falls_due_has_run_when_the_answer_comes(alipay: httpx.Client) -> None:
    left = submitted(alipay)["id"]
    at_face = at_the_face(alipay)
    started(alipay, at_face)
    advance(alipay, 86_400)
    assert (state(alipay, left), state(alipay, at_face)) == ("submitted", "offline_fallback")
    advance(alipay, 7 * 86_400)
    assert state(alipay, left) == "expired"
    events = [line["event"] for line in alipay.get(f"/v1/bindings/{at_face}/timeline").json()["items"]]
    assert events[-1] == "routed_offline"


def test_a_repeated_advance_moves_once(alipay: httpx.Client) -> None:
    told: dict[str, Any] = {"json": {"seconds": 1000}, "headers": {"Idempotency-Key": "one"}}
    first = alipay.post("/v1/sandbox/clock/advance", **told)
    again = alipay.post("/v1/sandbox/clock/advance", **told)
    assert again.content == first.content
    assert again.headers["idempotency-replayed"] == "true"


def test_a_skip_longer_than_keys_are_kept_moves_once_too(alipay: httpx.Client, office: Office) -> None:
    """What is reserved while time goes on is not swept away for being old, and the answer is as new as that time."""
    begun = office.ledger.now()
    told: dict[str, Any] = {"json": {"seconds": 8 * 86_400}, "headers": {"Idempotency-Key": "far"}}
    with ThreadPoolExecutor(3) as copies:
        first, *others = copies.map(lambda _: alipay.post("/v1/sandbox/clock/advance", **told), range(3))
    again = alipay.post("/v1/sandbox/clock/advance", **told)
    assert {one.content for one in (*others, again)} == {first.content}
    assert office.ledger.now() - begun < timedelta(days=8, minutes=5)


def test_a_skip_that_takes_long_is_not_begun_again_by_its_copy(
    alipay: httpx.Client, office: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A year with many families takes minutes; whoever retries meanwhile waits, and time is skipped once."""
    skipped, goes_on = [], threading.Event()

    def slowly(here: Office, seconds: int) -> datetime:
        skipped.append(seconds)
        assert goes_on.wait(20)
        return here.ledger.now()

    monkeypatch.setattr("api.sandbox.advance", slowly)
    told: dict[str, Any] = {"json": {"seconds": 1000}, "headers": {"Idempotency-Key": "long"}}
    with ThreadPoolExecutor(2) as two:
        first = two.submit(alipay.post, "/v1/sandbox/clock/advance", **told)
        while not skipped:
            time.sleep(0.01)
        with office.ledger.connection() as conn:
            conn.execute("update idempotency set reserved_at = clock_timestamp() - interval '59 minutes'")
        again = two.submit(alipay.post, "/v1/sandbox/clock/advance", **told)
        with pytest.raises(TimeoutError):
            again.result(0.3)
        goes_on.set()
        assert again.result().content == first.result().content
    assert skipped == [1000]


def test_a_face_passes(alipay: httpx.Client) -> None:
    binding_id = at_the_face(alipay)
    told = completed(alipay, started(alipay, binding_id), "passed").json()
    assert (told["status"], told["binding_id"]) == ("passed", binding_id)
    assert state(alipay, binding_id) == "active"


@pytest.mark.parametrize(
    ("outcome", "status", "reason", "then"),
    [
        ("no_match", "failed", "face_no_match", "face_check"),
        ("liveness_failed", "failed", "face_liveness", "face_check"),
        ("quality", "failed", "face_quality", "face_check"),
        ("photo_not_found", "failed", "face_photo_unavailable", "offline_fallback"),
        ("id_not_found", "failed", "face_id_not_found", "offline_fallback"),
    ],
)
def test_a_face_fails_as_chosen(alipay: httpx.Client, outcome: str, status: str, reason: str, then: str) -> None:
    binding_id = at_the_face(alipay)
    told = completed(alipay, started(alipay, binding_id), outcome).json()
    assert (told["status"], told["reason"]) == (status, reason)
    assert state(alipay, binding_id) == then


def test_too_many_attempts_wait_for_midnight(alipay: httpx.Client) -> None:
    binding_id = at_the_face(alipay)
    completed(alipay, started(alipay, binding_id), "rate_limited")
    again = alipay.post(f"/v1/bindings/{binding_id}/face-checks", json={"subject": "member"})
    assert (again.status_code, again.json()["code"]) == (409, "face_rate_limited")


def test_what_cannot_be_completed(alipay: httpx.Client) -> None:
    assert completed(alipay, NO_ONE, "passed").status_code == 404
    assert completed(alipay, NO_ONE, "smile").json()["errors"][0]["code"] == "not_one_of"
    session = started(alipay, at_the_face(alipay))
    completed(alipay, session, "no_match")
    assert completed(alipay, session, "no_match").status_code == 200  # the same again is the same
    other = completed(alipay, session, "passed")
    assert (other.status_code, other.json()["code"]) == (409, "face_session_closed")


@pytest.mark.parametrize(
    ("told", "reason"),
    [
        ({"insured": None}, "not_insured"),
        ({"insured": {"status": "suspended"}}, "insurance_suspended"),
        ({"name": "王五"}, "name_id_mismatch"),
        ({"credential_active": False}, "holder_credential_inactive"),
    ],
)
def test_what_the_registries_were_told(alipay: httpx.Client, told: dict[str, Any], reason: str) -> None:
    body = application()
    put = alipay.put("/v1/sandbox/persons", json={"id_number": body["holder"]["id_number"], **told})
    assert put.status_code == 200, put.text
    assert body["holder"]["id_number"] not in put.text
    binding_id = at_the_face(alipay, body=body)
    view = alipay.get(f"/v1/bindings/{binding_id}").json()
    assert (view["state"], view["reason"]) == ("rejected", reason)


def test_persons_who_cannot_be(alipay: httpx.Client) -> None:
    for body in ({}, {"id_number": "440106195706124211"}, {"id_number": "440106195706124211", "shoe_size": 43}):
        assert alipay.put("/v1/sandbox/persons", json=body).status_code == 422


def test_the_sandbox_wants_a_key_too(base_url: str) -> None:
    assert httpx.get(f"{base_url}/v1/sandbox/clock").status_code == 401


def test_there_is_no_sandbox_without_the_sandbox(settings: pytest.MonkeyPatch) -> None:
    from api.app import create_app

    def doors() -> list[str]:
        return [path for path in document(create_app())["paths"] if "sandbox" in path]

    assert doors()
    settings.delenv("KINBIND_SANDBOX")
    assert not doors()
    settings.setenv("KINBIND_SANDBOX", "1")
    settings.setenv("KINBIND_ENV", "production")
    with pytest.raises(SettingWrong, match="never for production"):
        create_app()


def test_two_processes_go_by_one_clock(as_: Caller, alipay: httpx.Client, office: Office) -> None:
    advance(alipay, 3600)
    with serving() as other:
        told = httpx.get(f"{other}/v1/sandbox/clock", headers=alipay.headers).json()["now"]
    assert datetime.fromisoformat(told) - life.look(office, submitted(alipay)["id"]).since < timedelta(seconds=60)
