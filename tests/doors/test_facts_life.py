"""What the collected facts say of the way: the order of steps, a newborn's mother, the counter, review, the end."""

from datetime import date
from typing import Any

import httpx
import pytest

from tests.doors.family import act, application, picture, uploaded, view, with_materials
from tests.doors.town import Town, View, acting

CHILD = date(2019, 5, 1)


def face_asked(client: httpx.Client, binding_id: str, subject: str = "member") -> str | None:
    """The code of the refusal, or None where an attempt began."""
    answer = client.post(f"/v1/bindings/{binding_id}/face-checks", json={"subject": subject})
    return None if answer.status_code == 201 else view(answer)["code"]


def certified(town: Town, body: View) -> None:
    """Let the registry have the certificate that a newborn's application names."""
    given = body["birth_certificate"]
    told = given | {"child_name": body["member"]["name"], "child_birth_date": body["member"]["birth_date"]}
    town.knows(given["mother_id_number"], birth_certificates=[told])


# -- papers, then the face ---------------------------------------------------------------------------------


def test_papers_come_before_the_face(town: Town) -> None:
    alipay, made = town.at("alipay"), town.submitted("alipay", application())
    assert (made["state"], made["waiting_on"]["for"]) == ("submitted", "materials")
    assert face_asked(alipay, made["id"]) == "action_not_available"
    with_materials(alipay, made)
    assert view(act(alipay, made["id"], "submit_materials"))["state"] == "materials_uploaded"
    town.advance(seconds=1)
    assert town.seen("alipay", made["id"])["waiting_on"] | {"until": None, "since": None} == {
        "party": "member", "for": "face_check", "since": None, "until": None, "then": "offline_fallback",
        "provisional": False,
    }  # fmt: skip


@pytest.mark.parametrize("channel", ["national_app", "alipay", "wechat"])
def test_a_grown_member_is_bound_by_his_face_alone(town: Town, channel: str) -> None:
    seen, _ = town.active(channel)
    assert town.events(channel, seen["id"])[-3:] == ["face_check_started", "face_check_passed", "activated"]
    assert (seen["shown_credential"], seen["fund_source"]) == ("member", "member_own")


@pytest.mark.parametrize("region", ["110100", "320500"])
def test_a_child_is_bound_without_a_face(town: Town, region: str) -> None:
    seen = town.checked("alipay", application(member_born=CHILD, region=region))
    assert seen["state"] == "active"
    assert not {"face_check_started", "review_begun"} & set(town.events("alipay", seen["id"]))


@pytest.mark.parametrize(
    "kinds",
    [
        ["birth_certificate"],
        ["notarised_relationship"],
        ["household_register_holder_page", "household_register_member_page"],
    ],
    ids=lambda kinds: kinds[0],
)
def test_any_one_paper_proves_a_child_of_suzhou(town: Town, kinds: list[str]) -> None:
    alipay, made = town.at("alipay"), town.submitted("alipay", application(member_born=CHILD, region="320581"))
    for kind in kinds:
        assert act(alipay, made["id"], "submit_materials").status_code == 409
        assert uploaded(alipay, made["id"], kind).status_code == 201
    assert act(alipay, made["id"], "submit_materials").status_code == 200


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP"])
def test_a_photograph_is_enough(town: Town, kind: str) -> None:
    made = town.submitted("alipay", application())
    assert uploaded(town.at("alipay"), made["id"], "commitment_letter", picture(kind)).status_code == 201


def test_papers_that_never_come(town: Town) -> None:
    made = town.submitted("alipay", application())
    assert made["waiting_on"]["then"] == "expired"
    town.advance(days=7, seconds=60)
    assert town.seen("alipay", made["id"])["state"] == "expired"


# -- newborns ----------------------------------------------------------------------------------------------


def test_a_newborn_by_its_mothers_face(town: Town) -> None:
    body, alipay = application(method="birth_certificate"), town.at("alipay")
    certified(town, body)
    seen = town.checked("alipay", body)
    assert (seen["state"], seen["waiting_on"]["for"]) == ("materials_uploaded", "registry_confirmation")
    assert seen["registry_record"]
    assert face_asked(alipay, seen["id"], "mother") == "action_not_available"
    seen = view(act(alipay, seen["id"], "confirm_registry_record"))
    assert (seen["state"], seen["waiting_on"]["party"]) == ("face_check", "mother")
    assert face_asked(alipay, seen["id"], "member") == "face_subject_not_next"
    town.face("alipay", seen, "mother")
    assert town.seen("alipay", seen["id"])["state"] == "active"
    assert town.seen("alipay", seen["id"])["materials"] == []


@pytest.mark.parametrize(
    ("wrong", "reason"),
    [
        ({"number": "Z999999999"}, "birth_cert_not_found"),
        ({"mother_name": "刘芳"}, "birth_cert_mother_mismatch"),
    ],
    ids=["not_found", "other_mother"],
)
def test_a_certificate_that_the_registry_does_not_have(town: Town, wrong: dict[str, str], reason: str) -> None:
    body = application(method="birth_certificate")
    certified(town, body)
    seen = town.checked("alipay", body | {"birth_certificate": body["birth_certificate"] | wrong})
    assert (seen["state"], seen["reason"]) == ("rejected", reason)


# -- when the camera does not help -------------------------------------------------------------------------


@pytest.mark.parametrize("outcome", ["network", "quality", "no_match"])
def test_a_failed_face_is_tried_again(town: Town, outcome: str) -> None:
    seen = town.checked("alipay", application())
    assert town.face("alipay", seen, "member", outcome)["status"] != "passed"
    after = town.seen("alipay", seen["id"])
    assert after["state"] == "face_check"
    assert "start_face_check" in after["available_actions"]
    assert town.through("alipay", after)["state"] == "active"


def test_after_24_hours_the_counter(town: Town) -> None:
    seen = town.checked("alipay", application())
    town.face("alipay", seen, "member", "no_match")
    waits = town.seen("alipay", seen["id"])["waiting_on"]
    assert waits["then"] == "offline_fallback"
    town.advance(seconds=24 * 3600 - 120)
    assert town.seen("alipay", seen["id"])["state"] == "face_check"
    town.advance(seconds=120)
    after = town.seen("alipay", seen["id"])
    assert (after["state"], after["waiting_on"]["for"]) == ("offline_fallback", "counter_visit")
    assert {"code", "agency", "address", "bring"} <= after["counter_ticket"].keys()
    assert after["counter_ticket"]["agency"] == seen["member"]["insured_region"]


@pytest.mark.parametrize("reason", ["member_elsewhere", "declines_face", "cannot_pass"])
def test_the_counter_at_once_for_who_cannot_or_will_not(town: Town, reason: str) -> None:
    seen = town.checked("alipay", application())
    away = view(act(town.at("alipay"), seen["id"], "choose_offline", reason=reason))
    assert away["state"] == "offline_fallback"
    assert "resume_online" in away["available_actions"]
    where = f"/v1/counter/tickets/{seen['id']}/verify"
    verified = town.at("counter").post(where, json={"method": "home_visit", "subjects": ["member"], "note": "上门"})
    assert verified.json()["state"] == "active"


# -- Guangdong: the agency reviews, and the code is shown in a second step ------------------------------------------


@pytest.mark.parametrize("channel", ["yueyibao_alipay", "yueyibao_wechat"])
def test_the_prefecture_reviews(town: Town, channel: str) -> None:
    body = application(product="account_sharing", region="440281")  # a county of 韶关
    seen = town.checked(channel, body)
    assert (seen["state"], seen["waiting_on"]["party"]) == ("agency_review", "agency")
    found = town.signed_in(channel, body, "holder")
    assert [(one["id"], one["state"]) for one in found] == [(seen["id"], "agency_review")]
    queue = view(town.at("reviewer").get("/v1/reviews", params={"region": "440200"}))["items"]
    assert seen["id"] in [one["binding_id"] for one in queue]
    town.approved(seen["id"])
    approved = town.seen(channel, seen["id"])
    assert (approved["state"], approved["member"]["name"]) == ("active", "李**")
    assert town.events(channel, seen["id"])[-3:] == ["review_begun", "approved", "activated"]


def test_showing_the_holders_code_takes_three_steps(town: Town) -> None:
    people: dict[str, Any] = {"holder_seed": 930, "member_seed": 930, "region": "440100"}
    body, alipay = application(product="code_display", **people), town.at("alipay")
    assert town.applied("alipay", body).json()["code"] == "sharing_not_active"
    town.active(product="account_sharing", **people)
    assert town.use("alipay", body, "show_code", patient="member")[0] is False
    seen = town.checked("alipay", body)
    assert (seen["shown_credential"], seen["fund_source"]) == ("holder", "holder_personal_account")
    for subject, other in (("member", "holder"), ("holder", "member")):
        assert seen["waiting_on"]["party"] == subject
        assert face_asked(alipay, seen["id"], other) == "face_subject_not_next"
        assert act(alipay, seen["id"], "confirm_authorisation").status_code == 409
        town.face("alipay", seen, subject)
        seen = town.seen("alipay", seen["id"])
    assert (seen["state"], seen["waiting_on"]["for"]) == ("face_check", "authorisation")
    by_member = act(alipay, seen["id"], "confirm_authorisation", **acting(body, "member"))
    assert view(by_member)["code"] == "action_not_available"  # only the holder opens his account (F106)
    assert view(act(alipay, seen["id"], "confirm_authorisation"))["state"] == "active"
    for purpose in ("show_code", "pay_from_account"):
        assert town.use("alipay", body, purpose, patient="member", region="440100") == (True, None)


# -- the end, and changes ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("product", "role"),
    [
        ("account_sharing", "holder"),
        ("account_sharing", "member"),
        ("family_account", "holder"),
        ("family_account", "member"),
    ],
)
def test_either_side_ends_it_alone(town: Town, product: str, role: str) -> None:
    channel = "yueyibao_wechat" if product == "account_sharing" else "wechat"
    seen, body = town.active(product=product, region="440200" if product == "account_sharing" else "110100")
    client, who = town.at(channel), acting(body, role)
    asked = act(client, seen["id"], "request_unbind", initiator=role, method="pay_password", **who)
    assert view(asked)["state"] == "unbinding"
    assert act(client, seen["id"], "confirm_unbind", pay_password="000000", **who).status_code == 422
    ended = view(act(client, seen["id"], "confirm_unbind", pay_password="123456", **who))
    assert (ended["state"], ended["available_actions"]) == ("unbound", [])


def test_a_face_ends_it_too(town: Town) -> None:
    seen, _ = town.active()
    act(town.at("alipay"), seen["id"], "request_unbind", initiator="holder", method="face")
    town.face("alipay", seen, "holder")
    assert town.seen("alipay", seen["id"])["state"] == "unbound"


def test_a_changed_name_is_verified_again(town: Town) -> None:
    seen, body = town.active(member_born=CHILD)
    changed = view(act(town.at("alipay"), seen["id"], "report_change", what="name", value="李秀兰"))
    assert (changed["state"], changed["waiting_on"]["for"]) == ("suspended", "reverification")
    assert town.use("alipay", body, "show_code") == (False, "suspended")
    town.face("alipay", changed, "holder")  # the member is seven: no child's face is asked, its guardian shows his
    assert town.use("alipay", body, "show_code") == (True, None)
