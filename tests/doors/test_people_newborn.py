"""A newborn is bound by its certificate: record found, confirmed, the mother's face; and later it has a number."""

from datetime import date, timedelta
from typing import Any

import pytest

from policies.people import make_id_number
from tests.doors.family import act, application, view
from tests.doors.town import Town, View, acting


def certified(town: Town, body: View, **more: Any) -> None:
    """Let the registry have the certificate, as its mother has it."""
    given = body["birth_certificate"]
    told = given | {"child_name": body["member"]["name"], "child_birth_date": body["member"]["birth_date"]} | more
    town.knows(given["mother_id_number"], birth_certificates=[told])


def bound(town: Town, **options: Any) -> tuple[View, View]:
    """A newborn's binding in force, and its application."""
    body = application(method="birth_certificate", **options)
    certified(town, body)
    return town.active("alipay", body)


def its_number(body: View, sequence: int = 21) -> str:
    """A number for the child of an application."""
    return make_id_number("110105", date.fromisoformat(body["member"]["birth_date"]), sequence)


def found(town: Town, number: str) -> list[str]:
    """The bindings of whoever has this number, of a document or a certificate, from another channel."""
    answer = town.at("wechat").post("/v1/bindings/search", json={"acting_for": {"id_number": number}})
    return [one["id"] for one in view(answer)["items"]]


def test_the_father_applies_and_the_mother_shows_her_face(town: Town) -> None:
    body = application(method="birth_certificate")
    assert body["holder"]["id_number"] != body["birth_certificate"]["mother_id_number"]
    certified(town, body)
    seen = town.checked("alipay", body)
    assert seen["registry_record"] == {
        "certificate": f"K*******{body['birth_certificate']['number'][-2:]}", "mother_name": "王*",
        "child_name": "李**", "child_birth_date": body["member"]["birth_date"],
    }  # fmt: skip
    assert seen["available_actions"] == ["confirm_registry_record", "choose_offline", "withdraw", "withdraw_consent"]
    confirmed = view(act(town.at("alipay"), seen["id"], "confirm_registry_record"))
    assert (confirmed["state"], confirmed["registry_record"]) == ("face_check", None)  # it was confirmed
    for other in ("member", "holder"):
        asked = town.at("alipay").post(f"/v1/bindings/{seen['id']}/face-checks", json={"subject": other})
        assert (view(asked)["code"], view(asked)["subject"]) == ("face_subject_not_next", "mother")
    town.face("alipay", confirmed, "mother")
    assert town.seen("alipay", seen["id"])["state"] == "active"


def test_the_mother_applies_herself(town: Town) -> None:
    body = application(method="birth_certificate")
    body["holder"]["id_number"] = body["birth_certificate"]["mother_id_number"]
    body["holder"]["name"] = body["birth_certificate"]["mother_name"]
    certified(town, body)
    assert town.active("alipay", body)[0]["state"] == "active"


@pytest.mark.parametrize(
    "mother",
    [make_id_number("810000", date(1990, 2, 3), 1), "EA1234567", "567890123", "06123456", "USA110119900101"],
    ids=["permit", "passport", "passport-of-digits", "travel-permit", "foreign-resident"],
)
def test_a_mother_whose_document_no_camera_reads(town: Town, mother: str) -> None:
    body = application(method="birth_certificate")
    body["birth_certificate"]["mother_id_number"] = mother
    certified(town, body)
    seen = town.checked("alipay", body)
    confirmed = view(act(town.at("alipay"), seen["id"], "confirm_registry_record"))
    assert (confirmed["state"], confirmed["waiting_on"]["party"]) == ("offline_fallback", "mother")


@pytest.mark.parametrize("number", ["44010619900203001", "440106199002030011", "440106900203001", "1234"])
def test_a_mothers_number_with_a_fault_is_pointed_at(town: Town, number: str) -> None:
    body = application(method="birth_certificate")
    body["birth_certificate"]["mother_id_number"] = number
    refused = town.applied("alipay", body)
    assert (refused.status_code, view(refused)["code"]) == (422, "id_number_invalid")
    assert [one["pointer"] for one in view(refused)["errors"]] == ["/birth_certificate/mother_id_number"]


def test_a_record_that_nobody_confirms(town: Town) -> None:
    body = application(method="birth_certificate")
    certified(town, body)
    seen = town.checked("alipay", body)
    assert seen["waiting_on"]["then"] == "expired"
    town.advance(days=7, seconds=60)
    assert town.seen("alipay", seen["id"])["state"] == "expired"


def test_a_stated_birthday_that_is_not_the_certificates(town: Town) -> None:
    body = application(method="birth_certificate")
    day_before = date.fromisoformat(body["member"]["birth_date"]) - timedelta(days=1)
    certified(town, body, child_birth_date=day_before.isoformat())
    seen = town.checked("alipay", body)
    assert (seen["state"], seen["reason"]) == ("rejected", "birth_cert_date_mismatch")


@pytest.mark.parametrize("recorded", ["name_and_number", "name", "number", "nothing"])
def test_a_mothers_certificate_binds_no_other_child(town: Town, recorded: str) -> None:
    """Her own certificate and her own face, but another's child of the same birthday."""
    body = application(method="birth_certificate")
    own = {"child_name": body["member"]["name"] if "name" in recorded else None,
           "child_id_number": its_number(body) if "number" in recorded else None}  # fmt: skip
    certified(town, body, **own)
    others = its_number(body, 33)
    town.knows(others, name="赵四")
    body["member"] |= {"name": "赵四", "id_number": others}
    seen = town.checked("alipay", body)
    assert (seen["state"], seen["reason"]) == ("rejected", "birth_cert_child_mismatch")


def test_a_name_that_is_not_the_certificates(town: Town) -> None:
    body = application(method="birth_certificate")
    certified(town, body, child_name="李另名")
    assert town.checked("alipay", body)["reason"] == "birth_cert_child_mismatch"


@pytest.mark.parametrize("known", [True, False], ids=["known", "not-yet-known"])
def test_a_newborn_that_has_its_number_already(town: Town, known: bool) -> None:
    body = application(method="birth_certificate")
    body["member"]["id_number"] = its_number(body, 61)
    certified(town, body, **({"child_id_number": body["member"]["id_number"]} if known else {}))
    seen, _ = town.active("alipay", body)
    assert (seen["state"], town.use("alipay", body, "show_code")) == ("active", (True, None))


@pytest.mark.parametrize(("first", "sequence"), [("by_certificate", 71), ("by_number", 73)])
def test_one_baby_has_one_binding_to_a_holder(town: Town, first: str, sequence: int) -> None:
    """By its certificate alone, or with its number too: it is the same baby, before and after the link."""
    body = application(method="birth_certificate")
    numbered = body | {"member": body["member"] | {"id_number": its_number(body, sequence)}}
    certified(town, body)
    made, again = (body, numbered) if first == "by_certificate" else (numbered, body)
    seen, _ = town.active("alipay", made)
    assert view(town.applied("wechat", again))["code"] == "duplicate_binding"
    certified(town, body, child_id_number=numbered["member"]["id_number"])
    town.advance(days=2)
    assert town.seen("alipay", seen["id"])["member"]["id_number"] is not None
    for one in (again, made):
        assert view(town.applied("wechat", one))["code"] == "duplicate_binding"
    both = application(method="birth_certificate")  # the other parent may still bind it, once
    others = numbered | {"holder": both["holder"], "consents": both["consents"]}
    assert town.active("wechat", others)[0]["state"] == "active"
    assert view(town.applied("alipay", others))["code"] == "duplicate_binding"


def test_grown_children_are_not_bound_by_certificate(town: Town) -> None:
    told = {"method": "birth_certificate", "relationship": "CHILD"}
    assert view(town.asked(**told, born="2001-05-01"))["code"] == "method_not_allowed"


@pytest.mark.parametrize("relationship", ["SPOUSE", "PARENT", "GRANDPARENT", "SIBLING"])
def test_a_newborn_is_no_husband_and_no_grandparent(town: Town, relationship: str) -> None:
    """F22 母婴绑定: no registry would say so, for it is asked about mother and child only."""
    body = application(method="birth_certificate")
    certified(town, body)
    refused = town.applied("alipay", body | {"relationship": relationship})
    assert (refused.status_code, view(refused)["code"]) == (422, "relation_not_allowed")
    assert [one["pointer"] for one in view(refused)["errors"]] == ["/relationship"]
    told = view(town.asked(method="birth_certificate", relationship=relationship, born=town.today().isoformat()))
    assert told["code"] == "relation_not_allowed"
    assert town.applied("alipay", body).status_code == 201


# -- the certificate becomes a number ------------------------------------------------------------------------------


def test_the_registry_links_certificate_and_number(town: Town) -> None:
    seen, body = bound(town)
    number, certificate = its_number(body), body["birth_certificate"]["number"]
    town.advance(days=2)
    assert (seen["member"]["id_number"], found(town, number), found(town, certificate)) == (None, [], [seen["id"]])
    certified(town, body, child_id_number=number)
    town.advance(days=2)
    after = town.seen("alipay", seen["id"])
    assert (after["state"], after["member"]["id_number"]) == ("active", f"1101**********{number[-4:]}")
    assert town.events("alipay", seen["id"])[-1] == "registry_answered"
    assert (found(town, number), found(town, certificate)) == ([seen["id"]], [])
    as_numbered = {"holder": body["holder"], "member": body["member"] | {"id_number": number}}
    assert town.use("alipay", as_numbered, "show_code") == (True, None)


def test_a_linked_child_is_not_bound_twice(town: Town) -> None:
    """One person has one binding to a holder, whichever of his numbers it was made by; places and months go along."""
    _, body = bound(town, holder_seed=951, member_seed=951)
    number = its_number(body, 31)
    certified(town, body, child_id_number=number)
    town.advance(days=2)
    by_number = application(member_born=date.fromisoformat(body["member"]["birth_date"]), holder_seed=951)
    by_number["member"]["id_number"] = number
    refused = town.applied("wechat", by_number)
    assert (refused.status_code, view(refused)["code"]) == (409, "duplicate_binding")


def test_the_months_places_go_along(town: Town) -> None:
    if town.today().day > 24:
        town.advance(days=8)  # the three below stay in one month
    bodies = [bound(town, holder_seed=960 + n, member_seed=960)[1] for n in range(2)]
    number = its_number(bodies[0], 41)
    certified(town, bodies[0], child_id_number=number)
    town.advance(days=2)
    third = application(member_born=date.fromisoformat(bodies[0]["member"]["birth_date"]), holder_seed=963)
    third["member"]["id_number"] = number
    assert view(town.applied("alipay", third))["code"] == "member_binder_limit"


def test_a_number_of_another_birthday_is_not_taken(town: Town) -> None:
    seen, body = bound(town)
    certified(town, body, child_id_number=make_id_number("110105", date(2015, 1, 5), 21))
    town.advance(days=2)
    assert town.seen("alipay", seen["id"])["member"]["id_number"] is None


def test_the_family_may_report_the_number_first(town: Town) -> None:
    """It is then as with every number that changes: suspended, and the child's guardian shows his face."""
    seen, body = bound(town)
    number = its_number(body, 51)
    changed = view(act(town.at("alipay"), seen["id"], "report_change", what="id_number", value=number))
    assert changed["state"] == "suspended"
    town.face("alipay", changed, "holder")
    after = town.seen("alipay", seen["id"])
    assert (after["state"], after["member"]["id_number"]) == ("active", f"1101**********{number[-4:]}")
    who = acting({"member": {"id_number": number}}, "member")
    assert act(town.at("wechat"), seen["id"], "report_change", what="name", **who).status_code == 200


@pytest.mark.parametrize("known", [True, False], ids=["numbered", "not-yet-numbered"])
def test_no_other_childs_name_and_number_are_reported_for_it(town: Town, known: bool) -> None:
    """Nobody compares a child's face: the certificate says whose name and number they are, one after the other too."""
    seen, body = bound(town)
    another, its_own = its_number(body, 61), its_number(body, 62)
    town.knows(another, name="赵别家")
    certified(town, body, **({"child_id_number": its_own} if known else {}))
    for what, value in (("name", "赵别家"), ("id_number", another)):
        refused = act(town.at("alipay"), seen["id"], "report_change", what=what, value=value)
        assert (refused.status_code, view(refused)["code"]) == (422, "name_id_mismatch"), what
        assert [one["pointer"] for one in view(refused)["errors"]] == ["/value"]
    assert town.seen("alipay", seen["id"])["version"] == seen["version"]
    changed = act(town.at("alipay"), seen["id"], "report_change", what="id_number", value=its_own)
    assert view(changed)["state"] == "suspended"


def test_a_certificate_without_a_name_ties_no_number_to_its_child(town: Town) -> None:
    body = application(method="birth_certificate")
    given = body["birth_certificate"]
    told = given | {"child_birth_date": body["member"]["birth_date"]}
    town.knows(given["mother_id_number"], birth_certificates=[told])
    seen, _ = town.active("alipay", body)
    refused = act(town.at("alipay"), seen["id"], "report_change", what="id_number", value=its_number(body, 63))
    assert view(refused)["code"] == "name_id_mismatch"


def test_who_cares_for_a_newborn_in_the_mothers_stead_stands_for_her_at_a_counter(town: Town) -> None:
    """民法典 §27: she is dead, say. The guardianship is shown by paper, and nobody has to say that she was there."""
    body = application(method="birth_certificate", relationship="WARD")
    certified(town, body)
    seen = town.checked("alipay", body)
    act(town.at("alipay"), seen["id"], "confirm_registry_record")
    act(town.at("alipay"), seen["id"], "choose_offline", reason="cannot_pass")
    verified = {"method": "compared_by_eye", "subjects": ["holder"], "note": "监护人持判决书到场"}
    answer = town.at("counter").post(f"/v1/counter/tickets/{seen['id']}/verify", json=verified)
    assert (answer.status_code, view(answer)["state"]) == (200, "active")


def test_a_father_does_not_stand_for_the_mother(town: Town) -> None:
    body = application(method="birth_certificate")
    certified(town, body)
    seen = town.checked("alipay", body)
    act(town.at("alipay"), seen["id"], "confirm_registry_record")
    act(town.at("alipay"), seen["id"], "choose_offline", reason="cannot_pass")
    verified = {"method": "compared_by_eye", "subjects": ["holder"]}
    answer = town.at("counter").post(f"/v1/counter/tickets/{seen['id']}/verify", json=verified)
    assert (answer.status_code, view(answer)["subjects"]) == (422, ["mother"])
