"""A returned case comes back corrected: each paper that the notice names has come anew, or one that stands for it."""

from typing import Any

import pytest

from tests.doors.family import act, application, uploaded, view
from tests.doors.town import Town, View

Items = list[dict[str, str]]


def returned(town: Town, items: Items, reason: str = "material_unreadable", region: str = "440100") -> View:
    """A sharing that the agency has sent back for these faults."""
    channel = "jiangsu_yibaoyun" if region.startswith("32") else "yueyibao_alipay"
    seen = town.checked(channel, application(product="account_sharing", region=region))
    for said, body in (("claim", {}), ("return", {"reason": reason, "items": items, "note": "请重新拍摄"})):
        answer = town.at("reviewer").post(f"/v1/reviews/{seen['id']}/{said}", json=body)
        assert answer.status_code == 200, answer.text
    return town.seen(channel, seen["id"])


def handed_in(town: Town, seen: View) -> Any:
    """The answer to handing in again."""
    return act(town.at(seen["channel"]), seen["id"], "submit_materials")


UNSIGNED = {"kind": "commitment_letter", "reason": "letter_unsigned"}
UNREADABLE = {"kind": "household_register_member_page", "reason": "material_unreadable", "note": "第二页模糊"}


def test_nothing_corrected_is_not_handed_in_again(town: Town) -> None:
    seen = returned(town, [UNSIGNED, UNREADABLE])
    assert "submit_materials" not in seen["available_actions"]
    assert "upload_material" in seen["available_actions"]
    left = [[UNSIGNED, UNREADABLE], [UNREADABLE]]
    for kind in ("commitment_letter", "household_register_member_page"):
        refused = handed_in(town, seen)
        assert (refused.status_code, view(refused)["code"]) == (409, "material_incomplete")
        assert view(refused)["uncorrected"] == left.pop(0)
        assert uploaded(town.at(seen["channel"]), seen["id"], kind).status_code == 201
    assert "submit_materials" in town.seen(seen["channel"], seen["id"])["available_actions"]
    assert view(handed_in(town, seen))["state"] == "materials_uploaded"
    town.advance(seconds=1)
    assert town.seen(seen["channel"], seen["id"])["state"] == "agency_review"


def test_another_page_does_not_mend_the_one_that_was_returned(town: Town) -> None:
    """Pages that are asked for together do not stand for each other; only another way without the page does."""
    unreadable = UNREADABLE | {"kind": "household_register_first_page"}
    seen = returned(town, [unreadable])
    assert uploaded(town.at(seen["channel"]), seen["id"], "household_register_member_page").status_code == 201
    assert "submit_materials" not in town.seen(seen["channel"], seen["id"])["available_actions"]
    assert view(handed_in(town, seen))["uncorrected"] == [unreadable]
    assert uploaded(town.at(seen["channel"]), seen["id"], "household_register_first_page").status_code == 201
    assert view(handed_in(town, seen))["state"] == "materials_uploaded"


def test_a_correction_taken_back_is_none(town: Town) -> None:
    seen = returned(town, [UNSIGNED])
    client = town.at(seen["channel"])
    mended = view(uploaded(client, seen["id"], "commitment_letter"))
    assert client.delete(f"/v1/bindings/{seen['id']}/materials/{mended['id']}").status_code == 204
    assert view(handed_in(town, seen))["code"] == "material_incomplete"


def test_papers_for_another_fault_do_not_mend_this_one(town: Town) -> None:
    seen = returned(town, [UNSIGNED])
    uploaded(town.at(seen["channel"]), seen["id"], "marriage_certificate")
    assert view(handed_in(town, seen))["uncorrected"] == [UNSIGNED]


def test_each_return_asks_anew(town: Town) -> None:
    """What mended the first return mends no second one."""
    seen = returned(town, [UNSIGNED])
    uploaded(town.at(seen["channel"]), seen["id"], "commitment_letter")
    handed_in(town, seen)
    town.advance(seconds=1)
    where = f"/v1/reviews/{seen['id']}"
    town.at("reviewer").post(f"{where}/claim", json={})
    again = {"reason": "letter_unsigned", "items": [UNSIGNED]}  # the new letter's fault: nobody saw it before
    assert town.at("reviewer").post(f"{where}/return", json=again).status_code == 200
    assert view(handed_in(town, seen))["uncorrected"] == [UNSIGNED]


def test_another_paper_that_the_plan_lets_stand_for_it(town: Town) -> None:
    """Jiangsu takes any one of four papers for the relation: whichever comes now mends the one that proved nothing."""
    fault = {"kind": "household_register_member_page", "reason": "relation_unproven"}
    seen = returned(town, [fault], reason="relation_unproven", region="320100")
    uploaded(town.at(seen["channel"]), seen["id"], "holder_id_front")
    assert view(handed_in(town, seen))["uncorrected"] == [fault]
    uploaded(town.at(seen["channel"]), seen["id"], "notarised_relationship")
    assert handed_in(town, seen).status_code == 200


@pytest.mark.parametrize(
    ("item", "sent", "mended"),
    [
        ({"kind": "other", "reason": "relation_unproven", "note": "请补充结婚证"}, "marriage_certificate", True),
        ({"kind": "commitment_letter", "reason": "letter_unsigned"}, "holder_id_front", False),
        ({"kind": "commitment_letter", "reason": "name_id_mismatch"}, None, True),
    ],
    ids=["whatever-the-note-asks", "not-the-one", "the-registry-s-to-mend"],
)
def test_what_mends_what(town: Town, item: dict[str, str], sent: str | None, mended: bool) -> None:
    seen = returned(town, [item], reason=item["reason"])
    if sent:
        uploaded(town.at(seen["channel"]), seen["id"], sent)
    assert (handed_in(town, seen).status_code == 200) is mended
