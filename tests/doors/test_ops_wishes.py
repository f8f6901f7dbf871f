"""What no operator means: wishes with empty words, work for those who cannot do it, undoing what others began."""

import pytest

from tasks.office import Office
from tasks.repairs import carry_repairs
from tests import life
from tests.doors.conftest import Caller
from tests.doors.repairing import only, repaired, told_to
from workflows.access import principals
from workflows.access.principals import Principal
from workflows.errors import Refused
from workflows.repairs import orders
from workflows.repairs.orders import Wish

OPERATOR = Principal("stf_x", "staff", "x", None, ("operator",), ("000000",))


@pytest.mark.parametrize(
    "wanted",
    [
        {"region": ""},
        {"states": []},
        {"binding_ids": []},
        {"pack": ""},
        {"fingerprint": ""},
        {"product": "", "region": "44"},
    ],
)
def test_an_empty_word_is_no_wish_for_everything(as_: Caller, office: Office, wanted: dict[str, object]):
    binding_id = life.to_state(office, "submitted")
    with pytest.raises(Refused) as no:
        orders.make(office.ledger, OPERATOR, Wish("rearm", "x", wanted, {}))
    assert (no.value.status, no.value.code) == (422, "argument_invalid")
    asked = {"repair": "rearm", "reason": "x", "filter": wanted}
    assert as_("operator").post("/v1/ops/repairs", json=asked).status_code == 422
    assert "repaired" not in life.events(office, binding_id)


@pytest.mark.parametrize("reason", ["", "  ", "\u200b", "\x1b[2J", "\x9b2J", "\ufeffx", "\udc80", "x" * 501])
def test_a_reason_can_be_read(as_: Caller, office: Office, reason: str):
    with pytest.raises(Refused) as no:
        orders.make(office.ledger, OPERATOR, Wish("rearm", reason, {"states": ["submitted"]}, {}))
    assert no.value.pointer == "/reason"
    done = repaired(as_("operator"), life.to_state(office, "agency_review"), "reassign", agency="320500")
    with pytest.raises(Refused) as no:
        orders.undo(office.ledger, OPERATOR, done["id"], reason)
    assert no.value.pointer == "/reason"


def test_a_lease_is_never_given_to_a_party(as_: Caller, office: Office):
    binding_id = life.to_state(office, "agency_review")
    member = life.look(office, binding_id).application.member
    with office.ledger.connection() as conn:
        conn.execute("update principals set person = %s where id = 'sandbox-reviewer-2'", (member,))
    only(repaired(as_("operator"), binding_id, "reassign", staff="sandbox-reviewer-2"), "refused", "own_case")
    assert as_("reviewer").post(f"/v1/reviews/{binding_id}/claim", json={}).status_code == 200


@pytest.mark.parametrize(("state", "role"), [("agency_review", "counter"), ("offline_fallback", "reviewer")])
def test_work_goes_only_to_an_agency_with_somebody_for_it(as_: Caller, office: Office, state: str, role: str):
    binding_id = life.to_state(office, state)
    with office.ledger.connection() as conn:  # of all who work there only those of the other kind are left
        conn.execute("update principals set revoked_at = kinbind_now()"
                     " where roles && '{reviewer,counter}' and not %s = any(roles)", (role,))  # fmt: skip
    only(repaired(as_("operator"), binding_id, "reassign", agency="330100"), "refused", "agency_unserved")


def test_what_somebody_else_has_begun_is_not_undone_under_his_hands(as_: Caller, office: Office):
    binding_id = life.to_state(office, "agency_review")
    operator, second = as_("operator"), as_("reviewer-2")
    done = repaired(operator, binding_id, "reassign", staff="sandbox-reviewer")
    assert as_("reviewer").post(f"/v1/reviews/{binding_id}/release", json={}).status_code == 200
    assert second.post(f"/v1/reviews/{binding_id}/claim", json={}).status_code == 200
    only(told_to(operator, done, "undo", reason="改派有误").json(), "kept", "claimed_by_other")
    assert second.post(f"/v1/reviews/{binding_id}/approve", json={}).status_code == 200


def test_nobody_orders_further_than_he_is_granted(as_: Caller, office: Office):
    """He could neither see nor stop what he has begun, though it reached only what is his."""
    binding_id = life.to_state(office, "agency_review")
    _, key = principals.create_staff(office.ledger, "广州", ["operator"], ["440100"])
    asked = {"repair": "reassign", "agency": "440300", "reason": "x", "filter": {"region": "440000"}}
    refused = as_("operator", Authorization=f"Bearer {key}").post("/v1/ops/repairs", json=asked)
    assert (refused.status_code, refused.json()["code"]) == (422, "argument_invalid")
    assert carry_repairs(office) == 0
    assert life.look(office, binding_id).progress.review_agency is None
