"""A grown member's national life over HTTP: from the first question to the end."""

import itertools
from datetime import date
from typing import Any

import httpx

from tasks.advance import advance
from tasks.office import Office
from tests import life
from tests.doors.family import act, application, key, submitted, uploaded, view, with_materials


def test_the_plan_is_told_before_anything_is_applied_for(alipay: httpx.Client) -> None:
    asked: dict[str, Any] = {
        "product": "family_account", "method": "id_number", "relationship": "PARENT",
        "holder": {"insured_region": "440100"},
        "member": {"insured_region": "440100", "birth_date": "1958-03-07", "id_type": "resident_id"},
    }  # fmt: skip
    answer = alipay.post("/v1/requirements", json=asked)
    assert answer.status_code == 200
    told = view(answer)
    made = submitted(alipay)
    assert told["plan"] == made["plan"]
    assert told["policy"] == made["policy"]
    assert {notice["notice"] for notice in told["notices"]} == {one["notice"] for one in application()["consents"]}
    assert told["notices"][0]["text"].startswith("You are")
    asked["member"] = {
        "insured_region": "440100",
        "id_number": life.number(date(2020, 5, 5)),
        "id_type": "resident_id",
    }
    asked["relationship"] = "CHILD"
    assert view(alipay.post("/v1/requirements", json=asked))["plan"]["steps"] == []
    asked["member"] = {"insured_region": "440100", "birth_date": "1849-12-31", "id_type": "resident_id"}
    assert view(alipay.post("/v1/requirements", json=asked))["code"] == "birth_date_invalid"


def test_from_application_to_active_and_unbound(alipay: httpx.Client, office: Office) -> None:
    body = application() | {"channel_reference": "A-1"}
    answer = alipay.post("/v1/bindings", json=body, headers=key())
    made = view(answer)
    assert answer.status_code == 201
    assert answer.headers["location"] == f"/v1/bindings/{made['id']}"
    assert answer.headers["etag"] == '"1"'
    assert made["state"] == "submitted"
    assert made["holder"]["id_number"].count("*") == 10
    assert body["holder"]["id_number"] not in answer.text
    assert body["member"]["name"] not in answer.text

    with_materials(alipay, made)
    handed_in = act(alipay, made["id"], "submit_materials")
    assert handed_in.status_code == 200
    assert view(handed_in)["state"] == "materials_uploaded"
    assert view(handed_in)["waiting_on"]["for"] == "registry_check"
    advance(office, 1)

    shown = alipay.get(f"/v1/bindings/{made['id']}")
    assert view(shown)["state"] == "face_check"
    assert shown.headers["etag"] == f'"{view(shown)["version"]}"'
    started = alipay.post(f"/v1/bindings/{made['id']}/face-checks", json={"subject": "member"})
    assert started.status_code == 201
    assert set(view(started)) == {"id", "subject", "provider", "url", "token", "expires_at"}
    life.end_face(office, life.sessions(office, made["id"])[-1])

    active = view(alipay.get(f"/v1/bindings/{made['id']}"))
    assert (active["state"], active["waiting_on"]) == ("active", None)
    checks = view(alipay.get(f"/v1/bindings/{made['id']}/face-checks"))
    assert [(one["status"], one["subject"]) for one in checks["items"]] == [("passed", "member")]

    asked = act(alipay, made["id"], "request_unbind", initiator="holder", method="pay_password", reason="moved away")
    assert view(asked)["state"] == "unbinding"
    assert "confirm_unbind" in view(asked)["available_actions"]
    ended = act(alipay, made["id"], "confirm_unbind", pay_password="123456")
    assert (ended.status_code, view(ended)["state"], view(ended)["reason"]) == (200, "unbound", "moved away")
    _tells_all(alipay, made["id"])


def _tells_all(client: httpx.Client, binding_id: str) -> None:
    lines: list[dict[str, Any]] = view(client.get(f"/v1/bindings/{binding_id}/timeline"))["items"]
    assert [line["event"] for line in lines] == [
        "submitted", "materials_submitted", "registry_answered", "face_check_started", "face_check_passed",
        "activated", "unbind_requested", "unbound",
    ]  # fmt: skip
    assert [line["sequence"] for line in lines] == list(range(1, 9))
    assert lines[0]["from"] is None
    assert all(before["to"] == after["from"] for before, after in itertools.pairwise(lines))
    assert {line["actor"] for line in lines} == {"channel:alipay", "system"}


def test_lists_come_in_pages(alipay: httpx.Client) -> None:
    made = submitted(alipay)
    with_materials(alipay, made)
    act(alipay, made["id"], "withdraw")
    for name, size in (("materials", 3), ("timeline", 2)):
        where, cursor = f"/v1/bindings/{made['id']}/{name}", None
        seen: list[dict[str, Any]] = []
        while cursor is not None or not seen:
            page = view(alipay.get(where, params={"limit": 1} | ({"cursor": cursor} if cursor else {})))
            assert len(page["items"]) == 1
            seen += page["items"]
            cursor = page["next_cursor"]
            if cursor is None:
                break
        assert seen == view(alipay.get(where))["items"]
        assert len(seen) == size
        assert view(alipay.get(where, params={"limit": 0}))["errors"][0]["pointer"] == "/limit"
        assert alipay.get(where, params={"cursor": "x"}).status_code == 400


def test_to_the_counter_and_back_to_the_camera(alipay: httpx.Client, office: Office) -> None:
    binding_id = life.to_state(office, "face_check", seed=500)
    away = act(alipay, binding_id, "choose_offline", reason="member_elsewhere")
    assert view(away)["state"] == "offline_fallback"
    assert view(away)["counter_ticket"]["code"]
    back = act(alipay, binding_id, "resume_online")
    assert (view(back)["state"], view(back)["counter_ticket"]) == ("face_check", None)


def test_a_consent_taken_back(alipay: httpx.Client, office: Office) -> None:
    face = life.to_state(office, "face_check", seed=501)
    assert view(act(alipay, face, "withdraw_consent", notice="face"))["state"] == "offline_fallback"
    assert view(act(alipay, face, "withdraw_consent", notice="identity_check"))["state"] == "withdrawn"
    active = life.to_state(office, "active", seed=502)
    unknown = act(alipay, active, "withdraw_consent", notice="weather")
    assert (unknown.status_code, view(unknown)["code"]) == (422, "notice_unknown")
    assert view(act(alipay, active, "withdraw_consent", notice="identity_check"))["state"] == "unbinding"
    assert view(act(alipay, active, "cancel_unbind"))["state"] == "active"


def test_what_is_listed_is_accepted_and_what_is_not_is_refused(alipay: httpx.Client, office: Office) -> None:
    binding_id = life.to_state(office, "face_check", seed=503)
    listed = view(alipay.get(f"/v1/bindings/{binding_id}"))["available_actions"]
    refused = act(alipay, binding_id, "confirm_authorisation")
    assert (refused.status_code, view(refused)["code"]) == (409, "action_not_available")
    assert view(refused)["state"] == "face_check"
    assert view(refused)["available_actions"] == listed
    assert "upload_material" not in listed
    late = uploaded(alipay, binding_id, "other")
    assert (late.status_code, view(late)["code"]) == (409, "action_not_available")
    assert view(late)["available_actions"] == listed
    assert view(act(alipay, binding_id, "report_change", what="death"))["code"] == "action_not_available"
    assert view(act(alipay, binding_id, "withdraw"))["state"] == "withdrawn"
