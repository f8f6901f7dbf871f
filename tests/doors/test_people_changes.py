"""Names and numbers that change: reported, suspended, verified again under the new one, and then in force so."""

from datetime import date
from typing import Any

import pytest

from policies.people import make_id_number
from tests.doors.family import act, application, view
from tests.doors.town import Town, View, acting

MOTHER_BORN, CHILD_BORN = date(1958, 3, 7), date(2019, 5, 1)


def reported(town: Town, seen: View, what: str, **body: Any) -> Any:
    """The answer to a report by the binding's own channel."""
    return act(town.at(seen["channel"]), seen["id"], "report_change", what=what, **body)


def found(town: Town, id_number: str) -> list[str]:
    """The bindings of a person whom another channel has signed in."""
    asked = {"acting_for": {"id_number": id_number}}
    return [one["id"] for one in view(town.at("wechat").post("/v1/bindings/search", json=asked))["items"]]


def told(town: Town, binding_id: str) -> list[View]:
    """The views of a binding as the feed has them, event by event."""
    views: list[View] = []
    page = view(town.at("alipay").get("/v1/events"))
    while page["items"]:
        views += [one["data"]["binding"] for one in page["items"]]
        page = view(town.at("alipay").get("/v1/events", params={"after": page["next_cursor"]}))
    return [one for one in views if one["id"] == binding_id]


def revealed(town: Town, binding_id: str, field: str) -> Any:
    """A field in clear, as a clerk sees it."""
    asked = {"field": field, "purpose": "compare"}
    return town.at("counter").post(f"/v1/bindings/{binding_id}/reveal", json=asked)


# -- names -------------------------------------------------------------------------------------------------------


def test_a_new_name_stands_once_the_face_has_passed_under_it(town: Town) -> None:
    seen, body = town.active()
    changed = view(reported(town, seen, "name", value="欧阳秀英"))
    assert (changed["state"], changed["reason"], changed["member"]["name"]) == ("suspended", "name", "李**")
    assert changed["waiting_on"]["party"] == "member"
    assert town.use("alipay", body, "show_code") == (False, "suspended")
    assert view(revealed(town, seen["id"], "reported.name"))["value"] == "欧阳秀英"
    town.face("alipay", changed, "member")
    after = town.seen("alipay", seen["id"])
    assert (after["state"], after["member"]["name"]) == ("active", "欧***")
    assert town.use("alipay", body, "show_code") == (True, None)
    assert revealed(town, seen["id"], "reported.name").status_code == 422  # nothing is left to verify
    names = [one["member"]["name"] for one in told(town, seen["id"])]
    assert (names[-1], set(names[:-1])) == ("欧***", {"李**"})  # each event as it was then
    assert "欧阳" not in town.at("alipay").get(f"/v1/bindings/{seen['id']}/timeline").text


def test_a_new_name_that_nobody_verifies_is_dropped(town: Town) -> None:
    seen, _ = town.active()
    reported(town, seen, "name", value="欧阳秀英")
    resumed = town.at("supervisor").post(f"/v1/bindings/{seen['id']}/resume", json={"reason": "reported_by_mistake"})
    assert (resumed.json()["state"], resumed.json()["member"]["name"]) == ("active", "李**")


def test_at_the_counter_the_clerk_sees_who_he_is(town: Town) -> None:
    seen, _ = town.active()
    reported(town, seen, "name", value="欧阳秀英")
    where = f"/v1/counter/tickets/{seen['id']}/verify"
    seen_there = {"method": "document_reader", "subjects": ["member"], "note": "新证"}
    verified = town.at("counter").post(where, json=seen_there)
    assert (verified.json()["state"], verified.json()["member"]["name"]) == ("active", "欧***")


def test_a_clerk_who_may_have_seen_the_first_report_names_the_version(town: Town) -> None:
    """A number came on top of the name while he looked: what he verifies is what he has seen."""
    seen, _ = town.active()
    number = make_id_number("110105", MOTHER_BORN, 773)
    first = view(reported(town, seen, "name", value="欧阳秀英"))["version"]
    second = view(reported(town, seen, "id_number", value=number))["version"]
    where, said = f"/v1/counter/tickets/{seen['id']}/verify", {"method": "document_reader", "note": "新证"}
    for headers in ({}, {"If-Match": f'"{first}"'}):
        refused = town.at("counter").post(where, json=said, headers=headers)
        assert (refused.status_code, view(refused)["code"], view(refused)["version"]) == (412, "stale_version", second)
    assert found(town, number) == []
    verified = town.at("counter").post(where, json=said, headers={"If-Match": f'"{second}"'})
    assert (verified.status_code, verified.json()["state"]) == (200, "active")
    assert found(town, number) == [seen["id"]]


def test_a_childs_name_is_known_to_the_registry_and_no_child_shows_its_face(town: Town) -> None:
    seen, body = town.active(member_born=CHILD_BORN)
    town.knows(body["member"]["id_number"], name="李明月")
    wrong = reported(town, seen, "name", value="李月明")
    assert (wrong.status_code, view(wrong)["code"]) == (422, "name_id_mismatch")
    assert [one["pointer"] for one in view(wrong)["errors"]] == ["/value"]
    assert town.seen("alipay", seen["id"])["state"] == "active"
    changed = view(reported(town, seen, "name", value="李明月"))
    asked = town.at("alipay").post(f"/v1/bindings/{seen['id']}/face-checks", json={"subject": "member"})
    assert (asked.status_code, view(asked)["code"], view(asked)["subject"]) == (409, "face_subject_not_next", "holder")
    town.face("alipay", changed, "holder")
    assert town.seen("alipay", seen["id"])["state"] == "active"


def test_nor_does_a_child_who_shares_an_account(town: Town) -> None:
    """A product that never asks for a face does not begin with a child's."""
    seen, _ = town.active(product="account_sharing", member_born=CHILD_BORN, relationship="CHILD")
    reported(town, seen, "name", value="李明月")
    asked = town.at(seen["channel"]).post(f"/v1/bindings/{seen['id']}/face-checks", json={"subject": "member"})
    assert view(asked)["subject"] == "holder"


def test_a_child_verified_by_its_guardian_still_shows_its_own_face_at_sixteen(town: Town) -> None:
    today = town.today()
    turning = today.replace(year=today.year - 16, day=1)
    turning = turning.replace(month=turning.month % 12 + 1, year=turning.year + (turning.month == 12))
    seen, _ = town.active(member_born=turning)
    reported(town, seen, "name", value="李明月")
    town.face("alipay", town.seen("alipay", seen["id"]), "holder")
    town.advance(days=(turning.replace(year=turning.year + 16) - town.today()).days, seconds=60)
    after = town.seen("alipay", seen["id"])
    assert town.events("alipay", seen["id"])[-1] == "reverification_due"
    town.face("alipay", after, "member")
    assert "start_face_check" not in town.seen("alipay", seen["id"])["available_actions"]


# -- numbers -----------------------------------------------------------------------------------------------------


def test_a_corrected_number_is_the_members_from_then_on(town: Town) -> None:
    seen, body = town.active()
    old, new = body["member"]["id_number"], make_id_number("110105", MOTHER_BORN, 772)
    assert view(reported(town, seen, "id_number", value=f" {new.lower()} "))["state"] == "suspended"
    assert (found(town, new), found(town, old)) == ([], [seen["id"]])
    town.face("alipay", town.seen("alipay", seen["id"]), "member")
    after = town.seen("alipay", seen["id"])
    assert (after["state"], after["member"]["id_number"]) == ("active", f"{new[:4]}**********{new[-4:]}")
    assert (found(town, new), found(town, old)) == ([seen["id"]], [])
    again = body | {"member": body["member"] | {"id_number": new}}
    assert town.applied("wechat", again).json()["code"] == "duplicate_binding"
    assert town.use("wechat", again, "show_code") == (True, None)
    assert town.use("wechat", body, "show_code") == (False, "not_active")


@pytest.mark.parametrize(
    ("value", "code"),
    [
        ("110105195803070011", "id_number_invalid"),
        (make_id_number("110105", date(1958, 3, 8), 772), "birth_date_mismatch"),
        (make_id_number("810000", MOTHER_BORN, 772), "id_number_invalid"),
    ],
    ids=["check-digit", "another-birthday", "another-document"],
)
def test_a_number_that_cannot_be_his(town: Town, value: str, code: str) -> None:
    seen, _ = town.active()
    refused = reported(town, seen, "id_number", value=value)
    assert (refused.status_code, view(refused)["code"]) == (422, code)
    assert [one["pointer"] for one in view(refused)["errors"]] == ["/value"]
    assert value not in refused.text
    assert town.seen("alipay", seen["id"])["version"] == seen["version"]


def test_a_number_that_is_the_holders_own(town: Town) -> None:
    """Born on one day: only the number tells the two apart."""
    seen, body = town.active(relationship="SPOUSE", member_born=date(1985, 6, 1), holder_seed=971, member_seed=972)
    refused = reported(town, seen, "id_number", value=body["holder"]["id_number"])
    assert (refused.status_code, view(refused)["code"]) == (422, "self_binding")
    assert [one["pointer"] for one in view(refused)["errors"]] == ["/value"]
    assert town.seen("alipay", seen["id"])["version"] == seen["version"]


def test_a_number_whose_person_the_holder_has_bound_already(town: Town) -> None:
    """Two live bindings between the same two are not made by a change either: the first stays suspended."""
    seen, body = town.active(holder_seed=941, member_seed=941)
    _, other = town.active(holder_seed=941, member_seed=942)
    changed = view(reported(town, seen, "id_number", value=other["member"]["id_number"]))
    town.face("alipay", changed, "member")
    assert town.seen("alipay", seen["id"])["state"] == "suspended"
    shown = view(town.at("alipay").get(f"/v1/bindings/{seen['id']}/face-checks"))["items"][-1]
    assert (shown["status"], shown["reason"]) == ("passed", "duplicate_binding")  # he passed, and this is why it rests
    refused = town.at("counter").post(
        f"/v1/counter/tickets/{seen['id']}/verify", json={"method": "document_reader", "note": "两证一人"}
    )
    assert (refused.status_code, refused.json()["code"]) == (409, "duplicate_binding")
    assert found(town, body["member"]["id_number"]) == [seen["id"]]


def test_a_number_whose_person_has_as_many_binders_as_a_month_allows(town: Town) -> None:
    """What a new application would not get is not got by a report either (F51)."""
    _, other = town.active(holder_seed=943, member_seed=944)
    number = other["member"]["id_number"]
    again = application(holder_seed=945, member_seed=944)
    town.active(body=again)
    seen, _ = town.active(holder_seed=946, member_seed=947)
    third = application(holder_seed=946, member_seed=944)
    assert view(town.applied("alipay", third))["code"] == "member_binder_limit"
    changed = view(reported(town, seen, "id_number", value=number))
    assert town.face("alipay", changed, "member")["reason"] == "member_binder_limit"
    assert (town.seen("alipay", seen["id"])["state"], seen["id"] in found(town, number)) == ("suspended", False)


# -- other changes -----------------------------------------------------------------------------------------------


def test_a_move_is_for_the_agency_to_decide(town: Town) -> None:
    seen, _ = town.active()
    assert view(reported(town, seen, "insured_region", value="990000"))["code"] == "region_not_allowed"
    moved = view(reported(town, seen, "insured_region", value="310100"))
    assert (moved["state"], moved["waiting_on"]["party"], moved["waiting_on"]["for"]) == (
        "suspended", "agency", "decision",
    )  # fmt: skip
    assert "start_face_check" not in moved["available_actions"]
    assert moved["member"]["insured_region"] == "440100"  # nobody has decided yet
    resumed = town.at("supervisor").post(f"/v1/bindings/{seen['id']}/resume", json={"reason": "cleared"})
    assert (view(resumed)["state"], view(resumed)["member"]["insured_region"]) == ("active", "310100")
    assert town.seen("alipay", seen["id"])["member"] == view(resumed)["member"]


@pytest.mark.parametrize("order", [("insured_region", "name"), ("name", "insured_region")])
def test_a_supervisor_believes_a_move_and_no_name(town: Town, order: tuple[str, str]) -> None:
    """Who was reported to be called otherwise must show his face, and with it the place stands too."""
    seen, _ = town.active()
    values = {"insured_region": "310100", "name": "李春"}
    for what in order:
        reported(town, seen, what, value=values[what])
    resume = f"/v1/bindings/{seen['id']}/resume"
    resumed = view(town.at("supervisor").post(resume, json={"reason": "cleared"}))
    assert (resumed["state"], resumed["reason"], resumed["member"]) == ("suspended", "name", seen["member"])
    assert resumed["waiting_on"]["for"] == "reverification"
    assert town.seen("alipay", seen["id"])["counter_ticket"] is not None
    town.face("alipay", resumed, "member")
    shown = town.seen("alipay", seen["id"])
    assert (shown["state"], shown["member"]["name"], shown["member"]["insured_region"]) == ("active", "李*", "310100")


def test_a_supervisor_may_let_a_name_rest_that_nobody_shows(town: Town) -> None:
    seen, _ = town.active()
    reported(town, seen, "name", value="李春")
    resumed = town.at("supervisor").post(f"/v1/bindings/{seen['id']}/resume", json={"reason": "cleared"})
    assert (view(resumed)["state"], view(resumed)["member"]) == ("active", seen["member"])


@pytest.mark.parametrize("what", ["name", "id_number"])
def test_no_face_tells_what_nobody_has_said(town: Town, what: str) -> None:
    """Compared under the old name it would prove nothing: the agency asks, and what it hears is shown to a face."""
    seen, _ = town.active()
    untold = view(reported(town, seen, what))
    assert (untold["state"], untold["reason"], untold["counter_ticket"]) == ("suspended", what, None)
    assert (untold["waiting_on"]["party"], untold["waiting_on"]["for"]) == ("agency", "decision")
    assert "start_face_check" not in untold["available_actions"]
    values = {"name": "李春", "id_number": make_id_number("110105", MOTHER_BORN, 774)}
    reported(town, seen, what, value=values[what])
    resumed = view(town.at("supervisor").post(f"/v1/bindings/{seen['id']}/resume", json={"reason": "cleared"}))
    assert (resumed["state"], resumed["waiting_on"]["for"]) == ("suspended", "reverification")
    town.face("alipay", resumed, "member")
    shown = town.seen("alipay", seen["id"])
    assert (shown["state"], shown["member"] != seen["member"]) == ("active", True)


@pytest.mark.parametrize("from_state", ["active", "suspended"])
def test_a_death_ends_it_at_once_for_everybody(town: Town, from_state: str) -> None:
    """No proof is asked: either party may end it anyway, and what is ended wrongly is applied for again."""
    seen, body = town.active()
    if from_state == "suspended":
        reported(town, seen, "name")
    stranger = acting(application(), "holder")
    assert act(town.at("wechat"), seen["id"], "report_change", what="death").status_code == 404
    assert act(town.at("wechat"), seen["id"], "report_change", what="death", **stranger).status_code == 404
    ended = view(act(town.at("wechat"), seen["id"], "report_change", what="death", **acting(body, "holder")))
    assert (ended["state"], ended["reason"]) == ("unbound", "death")
    assert town.use("alipay", body, "show_code") == (False, "not_active")
    lines = view(town.at("alipay").get(f"/v1/bindings/{seen['id']}/timeline"))["items"]
    assert (lines[-1]["event"], lines[-1]["actor"]) == ("change_reported", "channel:wechat")


@pytest.mark.parametrize("places", [["440100"], ["440300", "440100"]], ids=["where he was", "a slip, mended"])
def test_a_place_that_is_what_it_was_asks_for_no_face(town: Town, places: list[str]) -> None:
    seen, _ = town.active()
    for place in places:
        assert reported(town, seen, "insured_region", value=place).status_code == 200
    resumed = view(town.at("supervisor").post(f"/v1/bindings/{seen['id']}/resume", json={"reason": "cleared"}))
    assert (resumed["state"], resumed["member"]["insured_region"]) == ("active", "440100")


def test_what_a_family_reports_covers_no_suspicion(town: Town) -> None:
    seen, _ = town.active()
    said = {"reason": "suspected_fraud"}
    assert town.at("supervisor").post(f"/v1/bindings/{seen['id']}/suspend", json=said).status_code == 200
    after = view(reported(town, seen, "insured_region", value="440300"))
    assert (after["state"], after["reason"], after["waiting_on"]["for"]) == ("suspended", "suspected_fraud", "decision")
