"""Who may be a party: numbers as they are written, ages on their day in Shanghai, guardians, and each pair once."""

from datetime import date, timedelta
from typing import Any

import pytest

from policies.ages import birthday_in
from policies.people import make_id_number
from tests.doors.family import act, application, key, uploaded, view, with_materials
from tests.doors.town import Town, View, acting


def of(role: str, id_number: str, id_type: str = "resident_id", **more: Any) -> View:
    """An application in which one party has this document."""
    body = application()
    body[role] |= {"id_number": id_number, "id_type": id_type} | more
    return body


def years_ago(day: date, years: int) -> date:
    """The birthday of somebody who is so old on this day."""
    return birthday_in(day, day.year - years)


# -- numbers ---------------------------------------------------------------------------------------------------------

WRITTEN = {  # DOMAIN §C.1-C.3: the standard's own examples, and numbers that ready-made validators refuse
    "the standard's woman": ("11010519491231002X", "resident_id"),
    "the standard's man of 1880": ("440524188001010014", "resident_id"),
    "older than its county": ("320581196201010019", "resident_id"),
    "older than Chongqing": ("500103197501010018", "resident_id"),
    "Hong Kong": ("810000199001010019", "hmt_residence_permit"),
    "Macao": (make_id_number("820000", date(1990, 1, 1), 1), "hmt_residence_permit"),
    "Taiwan": (make_id_number("830000", date(1990, 1, 1), 1), "hmt_residence_permit"),
    "foreign, of today": ("911222199001010012", "foreign_permanent_resident"),
}


@pytest.mark.parametrize("name", WRITTEN)
def test_numbers_that_are_in_order(town: Town, name: str) -> None:
    number, id_type = WRITTEN[name]
    seen = town.submitted("alipay", of("member", number, id_type))
    assert seen["member"]["id_number"] == f"{number[:4]}**********{number[-4:]}"


def test_one_number_however_it_is_written(town: Town) -> None:
    """Whatever the keyboard, it is one person: his bindings are found, and he is not bound twice."""
    number = next(n for n in (make_id_number("110105", date(1952, 1, 1), s) for s in range(99)) if n[-1] == "X")
    body = of("member", number)
    made = town.submitted("alipay", body)
    wide = number.translate({ord(one): ord(one) + 0xFEE0 for one in number})
    for written in (number.lower(), f" {wide} ", f"{number[:6]} {number[6:14]} {number[14:]}"):
        body["member"]["id_number"] = written
        assert view(town.applied("wechat", body))["code"] == "duplicate_binding"
        asked = {"acting_for": {"id_number": written}}
        found = view(town.at("wechat").post("/v1/bindings/search", json=asked))["items"]
        assert [one["id"] for one in found] == [made["id"]]


def test_a_foreign_residents_old_card_says_no_birthday(town: Town) -> None:
    card = {"id_number": "USA110119900101", "id_type": "foreign_permanent_resident"}
    refused = town.applied("alipay", of("member", **card))
    assert view(refused)["code"] == "birth_date_required"
    assert [one["pointer"] for one in view(refused)["errors"]] == ["/member/birth_date"]
    assert town.applied("alipay", of("member", **card, birth_date="1990-01-01")).status_code == 201


@pytest.mark.parametrize("role", ["holder", "member"])
@pytest.mark.parametrize(
    ("number", "id_type", "more", "code"),
    [
        ("110105491231002", "resident_id", {}, "id_number_invalid"),
        ("110105194912310021", "resident_id", {}, "id_number_invalid"),
        (make_id_number("660105", date(1990, 1, 1), 2), "resident_id", {}, "id_number_invalid"),
        (make_id_number("110105", date(1849, 12, 31), 2), "resident_id", {}, "id_number_invalid"),
        ("810000199001010019", "resident_id", {}, "id_number_invalid"),
        ("11010519491231002X", "hmt_residence_permit", {}, "id_number_invalid"),
        ("11010519491231002X", "resident_id", {"birth_date": "1949-12-30"}, "birth_date_mismatch"),
    ],
    ids=["15 digits", "check digit", "no province", "before 1850", "permit", "no permit", "birthday"],
)
def test_numbers_that_are_not(town: Town, role: str, number: str, id_type: str, more: View, code: str) -> None:
    refused = town.applied("alipay", of(role, number, id_type, **more))
    assert (refused.status_code, view(refused)["code"]) == (422, code)
    assert number not in refused.text


def test_nobody_binds_himself_in_whatever_writing(town: Town) -> None:
    for one, other in (("11010519491231002X", "11010519491231002ｘ"), ("440524188001010014", "44052418８001010014")):
        body = of("holder", one)
        body["member"] |= {"id_number": other, "id_type": "resident_id"}
        refused = town.applied("alipay", body)
        assert (refused.status_code, view(refused)["code"]) == (422, "self_binding")


# -- ages ------------------------------------------------------------------------------------------------------------


def test_a_holder_is_eighteen_on_his_birthday(town: Town) -> None:
    today = town.today()
    for born, code in ((years_ago(today, 18), None), (years_ago(today, 18) + timedelta(days=1), "holder_under_age")):
        answer = town.applied("alipay", of("holder", make_id_number("110105", born, 1)))
        assert view(answer).get("code") == code


def test_who_turns_sixteen_on_the_way_is_asked_for_his_face(town: Town) -> None:
    """A child on the day it was applied for; grown when its papers come in."""
    born = years_ago(town.today() + timedelta(days=1), 16)
    made = town.submitted("alipay", application(member_born=born))
    assert made["plan"]["face_subjects"] == []
    with_materials(town.at("alipay"), made)
    town.advance(days=1)
    assert act(town.at("alipay"), made["id"], "submit_materials").status_code == 200
    town.advance(seconds=1)
    seen = town.seen("alipay", made["id"])
    assert (seen["state"], seen["waiting_on"]["party"]) == ("face_check", "member")
    assert (seen["plan"]["steps"], seen["plan"]["face_subjects"]) == (["face_check"], ["member"])
    declined = view(act(town.at("alipay"), made["id"], "withdraw_consent", notice="face"))
    assert declined["state"] == "offline_fallback"


# -- guardians and wards ---------------------------------------------------------------------------------------------


def test_a_guardian_acts_for_a_minor_and_for_a_ward(town: Town) -> None:
    today = town.today()
    grown, minor = years_ago(today, 18), years_ago(today, 18) + timedelta(days=1)
    cases = (("CHILD", minor, None), ("CHILD", grown, "initiator_not_allowed"), ("WARD", grown, None))
    for relationship, born, code in cases:
        body = application(member_born=born, relationship=relationship) | {"initiator": "guardian"}
        assert view(town.applied("alipay", body)).get("code") == code, (relationship, born)


def test_a_ward_needs_the_proof_of_it(town: Town) -> None:
    alipay, made = town.at("alipay"), town.submitted("alipay", application(relationship="WARD"))
    for kind in ("commitment_letter", "household_register_first_page", "household_register_member_page"):
        uploaded(alipay, made["id"], kind)
    refused = view(act(alipay, made["id"], "submit_materials"))
    assert (refused["code"], [group["any_of"] for group in refused["missing"]]) == (
        "material_incomplete", [[["guardianship_proof"]]],
    )  # fmt: skip
    uploaded(alipay, made["id"], "guardianship_proof")
    assert act(alipay, made["id"], "submit_materials").status_code == 200


@pytest.mark.parametrize(("relationship", "right"), [("WARD", True), ("PARENT", False)])
def test_who_ends_it_for_whom(town: Town, relationship: str, right: bool) -> None:
    """A guardian ends a ward's binding with his own password; for a parent who is nobody's ward he is no guardian."""
    seen, body = town.active(relationship=relationship)
    town.knows(body["holder"]["id_number"], pay_password="246810")
    alipay, asked = town.at("alipay"), {"initiator": "guardian", "method": "pay_password"}
    answer = act(alipay, seen["id"], "request_unbind", **asked, **acting(body, "holder"))
    if not right:
        assert (answer.status_code, view(answer)["code"]) == (422, "initiator_not_allowed")
        return
    ended = act(alipay, seen["id"], "confirm_unbind", pay_password="246810", **acting(body, "holder"))
    assert view(ended)["state"] == "unbound"


def test_the_guardianship_of_a_child_ends_at_eighteen(town: Town) -> None:
    """By law (民法典 §17); who was of age when it was shown is a ward for as long as the binding lasts."""
    born = years_ago(town.today() + timedelta(days=1), 18)
    seen, body = town.active(relationship="WARD", member_born=born)
    town.advance(days=1)
    act(town.at("alipay"), seen["id"], "report_change", what="name", value="李成年")
    alone = {"method": "compared_by_eye", "subjects": ["holder"]}
    refused = town.at("counter").post(f"/v1/counter/tickets/{seen['id']}/verify", json=alone)
    assert (refused.status_code, view(refused)["code"]) == (422, "subject_not_present")
    asked = {"initiator": "guardian", "method": "pay_password", **acting(body, "holder")}
    assert view(act(town.at("alipay"), seen["id"], "request_unbind", **asked))["code"] == "initiator_not_allowed"


# -- relationships -----------------------------------------------------------------------------------------------------


def test_one_direction_whoever_applies(town: Town) -> None:
    """What the member is to the holder, in the first step by the holder and in the second by the member (F94)."""
    people: dict[str, Any] = {"holder_seed": 972, "member_seed": 972, "region": "440100"}
    sharing, _ = town.active(product="account_sharing", **people)
    display = town.submitted("alipay", application(product="code_display", **people))
    assert display["relationship"] == sharing["relationship"] == "PARENT"


def test_the_agency_reads_the_relationship_by_its_code(town: Town) -> None:
    seen = town.checked("yueyibao_alipay", application(product="account_sharing", relationship="SPOUSE"))
    case = view(town.at("reviewer").get(f"/v1/reviews/{seen['id']}"))
    assert (case["relationship"], case["relationship_code"]) == ("SPOUSE", "10")


# -- each pair once ----------------------------------------------------------------------------------------------------


def test_one_live_binding_of_a_pair_and_a_product_over_all_channels_and_counters(town: Town) -> None:
    people: dict[str, Any] = {"holder_seed": 973, "member_seed": 973, "region": "440100"}
    body = application(**people)
    made = town.submitted("alipay", body)
    for channel in ("alipay", "wechat", "national_app"):
        refused = town.applied(channel, body)
        assert (refused.status_code, view(refused)["code"]) == (409, "duplicate_binding"), channel
    at_counter = town.at("counter").post("/v1/counter/tickets", json=body, headers=key())
    assert view(at_counter)["code"] == "duplicate_binding"
    assert town.applied("yueyibao_alipay", application(product="account_sharing", **people)).status_code == 201
    turned = body | {"holder": body["member"], "member": body["holder"], "relationship": "CHILD"}
    assert town.applied("alipay", turned).status_code == 201  # he may bind her too: that is another pair
    act(town.at("alipay"), made["id"], "withdraw")
    assert town.applied("wechat", body).status_code == 201
