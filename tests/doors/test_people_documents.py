"""What a family states of itself and no document carries: a birth date beside a passport, a number of another kind."""

from datetime import date, timedelta

import pytest

from policies.people import make_id_number
from tests.doors.family import act, application, key, view
from tests.doors.town import Town, View

GROWN = date(1990, 3, 7)


def by_passport(town: Town, **known: object) -> View:
    """A child's application by passport; `known` is what the identity registry has of whoever holds it."""
    body = application(method="other_document", member_born=town.today() - timedelta(days=3700), relationship="CHILD")
    if known:
        town.knows(body["member"]["id_number"], name=body["member"]["name"], **known)
    return body


# -- a birth date that is only stated (W8) -------------------------------------------------------------------------


def test_an_adult_who_says_that_he_is_a_child(town: Town) -> None:
    """No face would be asked of a child: the registry's date decides, not his own."""
    seen = town.checked("alipay", by_passport(town, birth_date=GROWN.isoformat()))
    assert (seen["state"], seen["reason"]) == ("rejected", "birth_date_mismatch")


def test_a_child_whom_the_registry_knows_as_one(town: Town) -> None:
    body = by_passport(town)
    town.knows(body["member"]["id_number"], birth_date=body["member"]["birth_date"])
    assert town.checked("alipay", body)["state"] == "active"


def test_a_child_of_whom_the_registry_has_no_date_is_looked_at(town: Town) -> None:
    """As grown people with such a document are; and there is no way round the clerk."""
    seen = town.checked("alipay", by_passport(town))
    assert (seen["state"], seen["waiting_on"]["for"]) == ("offline_fallback", "counter_visit")
    assert seen["available_actions"] == ["withdraw", "withdraw_consent"]
    lines = view(town.at("alipay").get(f"/v1/bindings/{seen['id']}/timeline"))["items"]
    assert [(one["event"], one["reason"]) for one in lines[-2:]] == [
        ("registry_answered", "document_not_readable"), ("routed_offline", "document_not_readable"),
    ]  # fmt: skip
    assert view(act(town.at("alipay"), seen["id"], "resume_online"))["code"] == "action_not_available"
    where = f"/v1/counter/tickets/{seen['id']}/verify"
    verified = town.at("counter").post(where, json={"method": "document_reader", "note": "护照"}, headers=key())
    assert view(verified)["state"] == "active"


def test_a_card_of_2017_carries_no_date_either(town: Town) -> None:
    body = application(member_born=town.today() - timedelta(days=3700), relationship="CHILD")
    body["member"] |= {"id_type": "foreign_permanent_resident", "id_number": "USA110119900101",
                       "birth_date": (town.today() - timedelta(days=3700)).isoformat()}  # fmt: skip
    assert town.checked("alipay", body)["state"] == "offline_fallback"


def test_a_permit_of_eighteen_digits_carries_it(town: Town) -> None:
    born = town.today() - timedelta(days=3700)
    body = application(member_born=born, relationship="CHILD")
    body["member"] |= {"id_type": "hmt_residence_permit", "id_number": make_id_number("810000", born, 5)}
    assert town.checked("alipay", body)["state"] == "active"


# -- one number, one person ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["passport", "travel_permit"])
@pytest.mark.parametrize("role", ["holder", "member"])
def test_a_citizens_number_is_no_travel_document(town: Town, kind: str, role: str) -> None:
    """Else one person would be two: bound to himself, with twice the places, found by neither search."""
    body = application(method="other_document")
    number = make_id_number("110105", GROWN, 91)
    body[role] |= {"id_type": kind, "id_number": number, "birth_date": GROWN.isoformat()}
    refused = town.applied("alipay", body)
    assert (refused.status_code, view(refused)["code"]) == (422, "id_number_invalid")
    assert [one["pointer"] for one in view(refused)["errors"]] == [f"/{role}/id_number"]
