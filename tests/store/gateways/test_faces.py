"""The sandbox's face provider."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta

import pytest

from gateways.faces import FaceStatus, Forged, ProviderDown, ProviderRefused
from gateways.sandbox.faces import SandboxFaces
from gateways.sandbox.vendor import OUTCOMES, OutcomeUnknown, SessionClosed, SessionUnknown
from tests.store.gateways.conftest import KEYS, LI, ZHANG, advance, everything, now


def test_a_session_begins_pending_and_lives_half_an_hour(pool, faces):
    before = now(pool)
    start = faces.begin("fcs_1", ZHANG)
    assert timedelta(seconds=1800) <= start.expires_at - before < timedelta(seconds=1810)
    assert start.reference in start.url
    assert faces.ask(start.reference, ZHANG).status is FaceStatus.PENDING


OFFLINE = {"photo_not_found": "face_photo_unavailable", "id_not_found": "face_id_not_found"}
RETRY = {
    "no_match": ("failed", "face_no_match", True),
    "liveness_failed": ("failed", "face_liveness", True),
    "quality": ("failed", "face_quality", True),
    "network": ("failed", "face_network", False),
    "timeout": ("failed", "face_timeout", False),
    "user_cancelled": ("failed", "face_cancelled", False),
    "rate_limited": ("failed", "face_rate_limited", False),
    "provider_down": ("error", "face_provider_down", False),
}


def test_every_outcome_of_the_api_is_proven_here():
    assert set(OUTCOMES) == {"passed", *OFFLINE, *RETRY}


def test_what_is_forgotten_is_gone_and_may_be_forgotten_again(pool, faces):
    reference = faces.begin("fcs_1", ZHANG).reference
    faces.complete(reference, "passed")
    for _ in range(2):
        faces.forget(reference)
    assert reference not in everything(pool)
    assert faces.ask(reference, ZHANG).status is FaceStatus.ERROR
    faces.set_mode("down")
    with pytest.raises(ProviderDown):
        faces.forget(reference)


def test_a_pass(pool, faces):
    reference = faces.begin("fcs_1", ZHANG).reference
    before = now(pool)
    faces.complete(reference, "passed")
    advance(pool, hours=5)
    answer = faces.ask(reference, ZHANG)
    assert (answer.status, answer.reason, answer.go_offline) == (FaceStatus.PASSED, None, False)
    assert before <= answer.finished_at <= before + timedelta(minutes=1)  # when it ended, not when we asked


@pytest.mark.parametrize("outcome", RETRY)
def test_an_outcome_that_may_be_tried_again(faces, outcome):
    reference = faces.begin("fcs_1", ZHANG).reference
    faces.complete(reference, outcome)
    answer = faces.ask(reference, ZHANG)
    assert (answer.status, answer.reason, answer.uses_attempt) == RETRY[outcome]
    assert not answer.go_offline
    assert answer.finished_at is not None
    if outcome != "rate_limited":
        assert faces.begin("fcs_2", ZHANG).reference != reference


@pytest.mark.parametrize("outcome", OFFLINE)
def test_an_outcome_that_no_retry_can_mend(pool, faces, outcome):
    reference = faces.begin("fcs_1", ZHANG).reference
    faces.complete(reference, outcome)
    answer = faces.ask(reference, ZHANG)
    assert (answer.reason, answer.go_offline) == (OFFLINE[outcome], True)
    advance(pool, days=400)
    with pytest.raises(ProviderRefused) as refused:
        faces.begin("fcs_2", replace(ZHANG, id_number=ZHANG.id_number.lower()))
    assert (refused.value.reason, refused.value.go_offline) == ("face_photo_unavailable", True)
    assert faces.begin("fcs_3", LI).reference


def test_a_rate_limit_lasts_until_midnight_in_shanghai(pool, faces):
    reference = faces.begin("fcs_1", ZHANG).reference
    faces.complete(reference, "rate_limited")
    midnight = faces.ask(reference, ZHANG).next_retry_at
    assert (midnight.astimezone().timestamp() + 8 * 3600) % 86400 == 0
    with pytest.raises(ProviderRefused) as refused:
        faces.begin("fcs_2", ZHANG)
    assert (refused.value.reason, refused.value.next_retry_at) == ("face_rate_limited", midnight)
    assert not refused.value.go_offline
    advance(pool, seconds=(midnight - now(pool)).total_seconds())
    faces.complete(reference, "rate_limited")  # the same callback again begins no new limit
    assert faces.begin("fcs_2", ZHANG).reference


def test_an_unanswered_session_expires_and_takes_no_outcome_any_more(pool, faces):
    start = faces.begin("fcs_1", ZHANG)
    advance(pool, seconds=1800)
    answer = faces.ask(start.reference, ZHANG)
    assert (answer.status, answer.reason) == (FaceStatus.EXPIRED, "face_session_expired")
    assert not answer.go_offline
    assert not answer.uses_attempt
    assert answer.finished_at == start.expires_at
    with pytest.raises(SessionClosed):
        faces.complete(start.reference, "passed")


def test_a_session_ends_once(faces):
    reference = faces.begin("fcs_1", ZHANG).reference
    faces.complete(reference, "no_match")
    with pytest.raises(SessionClosed):
        faces.complete(reference, "passed")
    faces.complete(reference, "no_match")
    assert faces.ask(reference, ZHANG).status is FaceStatus.FAILED


def test_two_outcomes_at_once_have_one_winner(faces):
    reference = faces.begin("fcs_1", ZHANG).reference

    def complete(outcome):
        try:
            faces.complete(reference, outcome)
        except SessionClosed:
            return None
        return outcome

    with ThreadPoolExecutor(2) as both:
        (won,) = set(both.map(complete, ["passed", "no_match"])) - {None}
    assert faces.ask(reference, ZHANG).status == ("passed" if won == "passed" else "failed")


def test_what_is_unknown_is_said_to_be(faces):
    with pytest.raises(SessionUnknown):
        faces.complete("nonsense", "passed")
    with pytest.raises(OutcomeUnknown):
        faces.complete(faces.begin("fcs_1", ZHANG).reference, "wonderful")
    assert faces.ask("nonsense", ZHANG).status is FaceStatus.ERROR


def test_begun_twice_for_one_session_it_is_the_same_and_never_somebody_elses(faces):
    start = faces.begin("fcs_1", ZHANG)
    assert faces.begin("fcs_1", ZHANG) == start
    with pytest.raises(ProviderRefused) as refused:
        faces.begin("fcs_1", LI)
    assert refused.value.reason == "face_provider_error"


@pytest.mark.parametrize("expect", [LI, replace(ZHANG, name="张四"), replace(ZHANG, id_number="110101199003071234")])
def test_the_pass_of_another_person_is_nobodys(faces, expect):
    reference = faces.begin("fcs_1", ZHANG).reference
    faces.complete(reference, "passed")
    answer = faces.ask(reference, expect)
    assert (answer.status, answer.uses_attempt) == (FaceStatus.ERROR, False)


def test_a_pass_needs_both_fields(pool, faces, monkeypatch):
    reference = faces.begin("fcs_1", ZHANG).reference
    faces.complete(reference, "passed")
    truth = faces._vendor.describe_face_verify(reference)
    lie = truth | {"ResultObject": truth["ResultObject"] | {"Passed": "F"}}
    monkeypatch.setattr(faces._vendor, "describe_face_verify", lambda _: lie)
    assert faces.ask(reference, ZHANG).status is FaceStatus.ERROR


def test_a_callback_names_its_session(pool, faces):
    reference = faces.begin("fcs_1", ZHANG).reference
    callback = faces.complete(reference, "passed")
    advance(pool, days=30)  # signatures age in real time
    assert faces.read_callback(callback.headers, callback.body, {}) == reference
    upper = {name.upper(): value for name, value in callback.headers.items()}
    assert SandboxFaces(pool, KEYS).read_callback(upper, callback.body, {}) == reference
    assert ZHANG.id_number not in callback.body.decode()


@pytest.mark.parametrize(
    "forge",
    [
        lambda headers, body: ({}, body),
        lambda headers, body: (headers, body.replace(b"204", b"200")),
        lambda headers, body: (headers | {"sandbox-signature": "0" * 64}, body),
        lambda headers, body: (headers | {"sandbox-signature": "签"}, body),
        lambda headers, body: (headers | {"sandbox-timestamp": "1"}, body),
        lambda headers, body: (headers | {"sandbox-timestamp": "²"}, body),
        lambda headers, body: (headers, body + b" " * 5000),
    ],
)
def test_a_forged_callback_is_refused(faces, forge):
    reference = faces.begin("fcs_1", ZHANG).reference
    callback = faces.complete(reference, "no_match")
    headers, body = forge(callback.headers, callback.body)
    with pytest.raises(Forged):
        faces.read_callback(headers, body, {})


def test_an_old_callback_is_refused(faces, monkeypatch):
    callback = faces.complete(faces.begin("fcs_1", ZHANG).reference, "passed")
    secret, real = faces._vendor.secret_and_real_time()
    monkeypatch.setattr(faces._vendor, "secret_and_real_time", lambda: (secret, real + timedelta(seconds=400)))
    with pytest.raises(Forged, match="timestamp"):
        faces.read_callback(callback.headers, callback.body, {})


def test_down_and_up_again_for_every_process(pool, faces):
    reference = faces.begin("fcs_1", ZHANG).reference
    SandboxFaces(pool, KEYS).set_mode("down")
    with pytest.raises(ProviderDown):
        faces.begin("fcs_2", ZHANG)
    with pytest.raises(ProviderDown):
        faces.ask(reference, ZHANG)
    faces.set_mode("slow", 0.01)
    assert faces.ask(reference, ZHANG).status is FaceStatus.PENDING
    faces.set_mode("up")
    assert faces.begin("fcs_2", ZHANG).reference


def test_too_slow_is_down(faces, monkeypatch):
    naps: list[float] = []
    monkeypatch.setattr("gateways.sandbox.switches.time.sleep", naps.append)
    faces.set_mode("slow", 60)
    with pytest.raises(ProviderDown):
        faces.begin("fcs_1", ZHANG)
    assert naps == [5.0]
