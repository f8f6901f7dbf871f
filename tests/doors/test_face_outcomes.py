"""The outcome table of DOMAIN §D.6, row by row through the doors: what may be retried, what it costs, what ends it.

The stand-in speaks a vendor's codes; outcomes that the sandbox's own door does not offer are put into its table for a
test, as the vendor would send them.
"""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from gateways.sandbox import vendor
from policies.book import lawbook
from policies.calendar import next_midnight
from tests.doors.family import act, application, key, view
from tests.doors.town import Town, View, acting

# row: (what the vendor says, status, reason, uses an attempt, where the case then is)
ROWS: dict[str, tuple[tuple[str, str | None], str, str | None, bool, str]] = {
    "passed": (("200", "200"), "passed", None, False, "active"),
    "no match": (("200", "204"), "failed", "face_no_match", True, "face_check"),
    "liveness": (("200", "205"), "failed", "face_liveness", True, "face_check"),
    "quality": (("200", "901"), "failed", "face_quality", True, "face_check"),
    "spoof": (("427", None), "failed", "face_spoof_suspected", True, "face_check"),
    "timeout": (("200", "903"), "failed", "face_timeout", False, "face_check"),
    "network": (("200", "902"), "failed", "face_network", False, "face_check"),
    "cancelled": (("200", "904"), "failed", "face_cancelled", False, "face_check"),
    "device": (("414", None), "failed", "face_device_unsupported", False, "face_check"),
    "rate limited": (("418", None), "failed", "face_rate_limited", False, "face_check"),
    "name and number": (("200", "201"), "failed", "face_id_name_mismatch", False, "offline_fallback"),
    "no such number": (("200", "202"), "failed", "face_id_not_found", False, "offline_fallback"),
    "no photo": (("200", "203"), "failed", "face_photo_unavailable", False, "offline_fallback"),
    "provider down": (("500", None), "error", "face_provider_down", False, "face_check"),
    "our settings": (("401", None), "error", "face_provider_error", False, "face_check"),
    "a code that nobody knows": (("999", None), "error", "face_provider_error", False, "face_check"),
    "a sub-code that nobody knows": (("200", "206"), "error", "face_provider_error", False, "face_check"),
}


@pytest.fixture
def says(monkeypatch: pytest.MonkeyPatch) -> Callable[[tuple[str, str | None]], str]:
    """Let the vendor's `no_match` come with these codes instead: `says(("427", None))`."""

    def saying(codes: tuple[str, str | None]) -> str:
        monkeypatch.setitem(vendor.OUTCOMES, "passed" if codes == ("200", "200") else "no_match", codes)
        return "passed" if codes == ("200", "200") else "no_match"

    return saying


def started(town: Town, seen: View, subject: str = "member") -> Any:
    """The answer to beginning an attempt."""
    return town.at("alipay").post(f"/v1/bindings/{seen['id']}/face-checks", json={"subject": subject})


def checks(town: Town, seen: View) -> View:
    """The attempts, and what is left."""
    return view(town.at("alipay").get(f"/v1/bindings/{seen['id']}/face-checks"))


def clock(town: Town) -> datetime:
    """The service's time."""
    return datetime.fromisoformat(view(town.at("alipay").get("/v1/sandbox/clock"))["now"])


@pytest.mark.parametrize("row", ROWS)
def test_each_outcome(town: Town, says: Any, row: str) -> None:
    codes, status, reason, uses, state = ROWS[row]
    seen = town.checked("alipay", application())
    attempt = town.face("alipay", seen, "member", says(codes))
    assert (attempt["status"], attempt["reason"], attempt["uses_attempt"]) == (status, reason, uses)
    after = town.seen("alipay", seen["id"])
    assert after["state"] == state
    may_go_on = state == "face_check" and row != "rate limited"
    assert ("start_face_check" in after["available_actions"]) is may_go_on
    if may_go_on:
        assert started(town, seen).status_code == 201
    if state == "offline_fallback":
        lines = view(town.at("alipay").get(f"/v1/bindings/{seen['id']}/timeline"))["items"]
        assert [(line["event"], line["reason"]) for line in lines[-2:]] == [
            ("face_check_failed", reason), ("routed_offline", reason),
        ]  # fmt: skip


@pytest.mark.parametrize("outcome", ["photo_not_found", "id_not_found"])
def test_whom_the_provider_will_never_know_begins_no_more(town: Town, outcome: str) -> None:
    """After 202 and 203 a new beginning is refused for ever (417): nobody is invited back to the camera."""
    seen = town.checked("alipay", application())
    town.face("alipay", seen, "member", outcome)
    left = town.seen("alipay", seen["id"])
    assert left["counter_ticket"]
    assert "resume_online" not in left["available_actions"]
    assert act(town.at("alipay"), seen["id"], "resume_online").status_code == 409
    assert town.seen("alipay", seen["id"])["version"] == left["version"]


def test_beside_an_end_the_camera_is_left_too(town: Town) -> None:
    seen, _ = town.active()
    asked = view(act(town.at("alipay"), seen["id"], "request_unbind", initiator="holder", method="face"))
    assert "start_face_check" in asked["available_actions"]
    town.face("alipay", seen, "holder", "photo_not_found")
    assert "start_face_check" not in town.seen("alipay", seen["id"])["available_actions"]
    assert started(town, seen, "holder").status_code == 409


def test_a_daily_limit_ends_at_midnight_in_shanghai_and_the_window_does_not(town: Town) -> None:
    if next_midnight(clock(town)) - clock(town) < timedelta(minutes=10):
        town.advance(seconds=900)
    seen = town.checked("alipay", application())
    town.face("alipay", seen, "member", "rate_limited")
    midnight = next_midnight(clock(town)).astimezone(UTC)
    limited = checks(town, seen)
    assert datetime.fromisoformat(limited["next_retry_at"]) == midnight
    assert datetime.fromisoformat(limited["window_closes_at"]) > midnight
    refused = started(town, seen)
    assert (refused.status_code, view(refused)["code"]) == (409, "face_rate_limited")
    assert datetime.fromisoformat(view(refused)["next_retry_at"]) == midnight
    town.advance(seconds=int((midnight - clock(town)).total_seconds()) - 30)
    assert started(town, seen).status_code == 409
    town.advance(seconds=31)
    town.face("alipay", seen, "member")
    assert town.seen("alipay", seen["id"])["state"] == "active"


def test_a_session_that_nobody_answers_uses_no_attempt(town: Town) -> None:
    seen = town.checked("alipay", application())
    assert started(town, seen).status_code == 201
    town.advance(seconds=1801)
    left = checks(town, seen)["items"]
    assert [(one["status"], one["uses_attempt"]) for one in left] == [("expired", False)]
    assert "start_face_check" in town.seen("alipay", seen["id"])["available_actions"]


# -- a pass at the border ----------------------------------------------------------------------------------------------


def late(town: Town, seen: View) -> str:
    """An attempt begun ten minutes before the window closes; ten minutes later the case is at the counter. Its id."""
    town.face("alipay", seen, "member", "no_match")
    closes = datetime.fromisoformat(checks(town, seen)["window_closes_at"])
    town.advance(seconds=int((closes - clock(town)).total_seconds()) - 600)
    attempt = view(started(town, seen))["id"]
    town.advance(seconds=1200)
    assert town.seen("alipay", seen["id"])["state"] == "offline_fallback"
    return str(attempt)


def completed(town: Town, attempt: str, outcome: str = "passed") -> View:
    """The attempt, done now."""
    return view(town.at("alipay").post(f"/v1/sandbox/face-checks/{attempt}/complete", json={"outcome": outcome}))


def test_a_pass_of_a_session_begun_inside_counts_at_the_counter_too(town: Town) -> None:
    seen = town.checked("alipay", application())
    assert completed(town, late(town, seen))["status"] == "passed"
    after = town.seen("alipay", seen["id"])
    assert (after["state"], after["counter_ticket"]) == ("active", None)


def test_after_the_clerk_has_refused_a_pass_is_noted_only(town: Town) -> None:
    seen = town.checked("alipay", application())
    attempt = late(town, seen)
    refusal = {"reason": "suspected_fraud", "note": "人证不符"}
    assert town.at("counter").post(f"/v1/counter/tickets/{seen['id']}/refuse", json=refusal).status_code == 200
    assert completed(town, attempt)["status"] == "passed"
    assert town.seen("alipay", seen["id"])["state"] == "rejected"


# -- packs that are stricter -----------------------------------------------------------------------------------------

STRICT = """
pack: CN-11-strict
version: "1"
effective_from: 2025-01-01
region: "11"
inherits: CN-national/family_account
product: family_account
title: {zh: 北京, en: Beijing}
sources: [S0]
facts: {face: [F28]}
face: {spoof: counter, max_attempts: 2}
"""


@pytest.fixture
def strict(settings: pytest.MonkeyPatch, tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Town]:
    """A town under a pack that counts attempts and wants a suspected spoof looked at."""
    folder = tmp_path / "packs"
    folder.mkdir()
    (folder / "CN-11-strict.family_account.yaml").write_text(STRICT, encoding="utf-8")
    settings.setenv("KINBIND_PACKS", str(folder))
    lawbook.cache_clear()
    with ExitStack() as clients:
        yield Town(request.getfixturevalue("base_url"), clients)
    lawbook.cache_clear()


def test_what_a_pack_may_say_of_attempts(strict: Town, says: Any) -> None:
    seen = strict.checked("alipay", application(region="110100"))
    left = []
    for outcome in ("no_match", "network", "no_match"):
        left.append(checks(strict, seen)["attempts_left"])
        strict.face("alipay", seen, "member", outcome)
    assert [*left, strict.seen("alipay", seen["id"])["state"]] == [2, 1, 1, "offline_fallback"]
    suspected = strict.checked("alipay", application(region="110100"))
    strict.face("alipay", suspected, "member", says(("427", None)))
    assert strict.seen("alipay", suspected["id"])["state"] == "offline_fallback"
    lines = view(strict.at("alipay").get(f"/v1/bindings/{suspected['id']}/timeline"))["items"]
    assert lines[-1]["reason"] == "face_spoof_suspected"


def test_a_detour_to_the_counter_gives_no_attempt_back(strict: Town, says: Any) -> None:
    """An attempt that fails while its family stands at the counter is used up like any other."""
    seen = strict.checked("alipay", application(region="110100"))
    for left in (1, 0):
        assert "resume_online" not in seen["available_actions"]
        attempt = view(started(strict, seen))["id"]
        act(strict.at("alipay"), seen["id"], "choose_offline", reason="other")
        completed(strict, attempt, "no_match")
        assert checks(strict, seen)["attempts_left"] == left
        if left:
            seen = view(act(strict.at("alipay"), seen["id"], "resume_online"))
    assert view(act(strict.at("alipay"), seen["id"], "resume_online"))["code"] == "action_not_available"

    suspected = strict.checked("alipay", application(region="110100"))
    attempts = [view(started(strict, suspected))["id"] for _ in range(2)]
    act(strict.at("alipay"), suspected["id"], "choose_offline", reason="other")
    completed(strict, attempts[0], says(("427", None)))
    completed(strict, attempts[1], "passed")  # a person is to look at him now
    after = strict.seen("alipay", suspected["id"])
    assert (after["state"], "resume_online" in after["available_actions"]) == ("offline_fallback", False)


# -- outages -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("found_down_after", "longer"), [((10, 20, 30), 30), ((4,), 0)], ids=["half-an-hour", "four-minutes"]
)
def test_a_window_grows_by_a_measured_outage(town: Town, found_down_after: tuple[int, ...], longer: int) -> None:
    """From the first time that the provider was found down to the last; what is shorter than five minutes is none."""
    seen = town.checked("alipay", application())
    town.face("alipay", seen, "member", "no_match")
    before = datetime.fromisoformat(checks(town, seen)["window_closes_at"])
    begun = clock(town)
    town.face("alipay", seen, "member", "provider_down")
    for minutes in found_down_after:
        town.advance(seconds=int((begun + timedelta(minutes=minutes) - clock(town)).total_seconds()) + 1)
        town.face("alipay", seen, "member", "provider_down")
    town.face("alipay", town.checked("alipay", application()), "member", "no_match")  # it compares again: over
    town.advance(seconds=1)
    after = datetime.fromisoformat(checks(town, seen)["window_closes_at"])
    assert abs(after - before - timedelta(minutes=longer)) < timedelta(seconds=30)
    assert ("window_extended" in town.events("alipay", seen["id"])) is (longer > 0)
    assert town.seen("alipay", seen["id"])["waiting_on"]["until"] == checks(town, seen)["window_closes_at"]
    town.advance(seconds=int((after - clock(town)).total_seconds()) - 5)
    assert town.seen("alipay", seen["id"])["state"] == "face_check"
    town.advance(seconds=6)
    assert town.seen("alipay", seen["id"])["state"] == "offline_fallback"


# -- to the counter, without waiting -----------------------------------------------------------------------------------


@pytest.mark.parametrize("reason", ["declines_face", "member_elsewhere", "cannot_pass"])
def test_the_counter_before_any_attempt_and_back(town: Town, reason: str) -> None:
    """Nobody is asked to fail first; the time to begin has not been spent either."""
    seen = town.checked("alipay", application())
    away = view(act(town.at("alipay"), seen["id"], "choose_offline", reason=reason))
    assert (away["state"], away["waiting_on"]["for"]) == ("offline_fallback", "counter_visit")
    assert checks(town, seen)["items"] == []
    assert "face_check_started" not in town.events("alipay", seen["id"])
    back = view(act(town.at("alipay"), seen["id"], "resume_online"))
    assert (back["state"], back["waiting_on"]["then"]) == ("face_check", "offline_fallback")
    town.face("alipay", back, "member")
    assert town.seen("alipay", seen["id"])["state"] == "active"


def test_the_consent_to_the_face_taken_back_is_the_counter(town: Town) -> None:
    seen = town.checked("alipay", application())
    away = view(act(town.at("alipay"), seen["id"], "withdraw_consent", notice="face"))
    assert away["state"] == "offline_fallback"


def test_a_document_that_no_camera_reads_goes_to_the_counter_at_once(town: Town) -> None:
    """W1: passports and permits are for the counter; there is no way back to a camera that cannot help."""
    seen = town.checked("alipay", application(method="other_document"))
    assert (seen["state"], seen["waiting_on"]["for"]) == ("offline_fallback", "counter_visit")
    assert "resume_online" not in seen["available_actions"]
    lines = view(town.at("alipay").get(f"/v1/bindings/{seen['id']}/timeline"))["items"]
    assert lines[-1]["reason"] == "document_not_readable"
    where = f"/v1/counter/tickets/{seen['id']}/verify"
    verified = town.at("counter").post(where, json={"method": "document_reader", "note": "护照"}, headers=key())
    assert verified.json()["state"] == "active"


def test_nor_does_the_camera_end_or_renew_what_it_cannot_read(town: Town) -> None:
    client, body = town.at("alipay"), application(method="other_document")
    seen = town.checked("alipay", body)
    town.at("counter").post(
        f"/v1/counter/tickets/{seen['id']}/verify", json={"method": "document_reader", "note": "护照"}
    )
    for role, code in (("member", "method_not_allowed"), ("holder", None)):
        who = acting(body, role)
        asked = act(client, seen["id"], "request_unbind", initiator=role, method="face", **who)
        assert view(asked).get("code") == code
    act(client, seen["id"], "cancel_unbind", **acting(body, "holder"))
    changed = view(act(client, seen["id"], "report_change", what="name", value="李海外"))
    assert "start_face_check" not in changed["available_actions"]
    assert view(started(town, seen))["code"] == "action_not_available"
