"""Who may repair: the second person, the grants, and nobody his own case."""

import httpx

from tasks.office import Office
from tasks.repairs import carry_repairs
from tests import life
from tests.doors.conftest import Caller
from tests.doors.repairing import approved, last_line, only, repaired, told_to
from tests.store.invariants import check
from workflows.access import principals
from workflows.access.principals import Principal
from workflows.repairs import orders
from workflows.repairs.orders import Wish


def test_nobody_approves_what_he_asked_for_himself(as_: Caller, office: Office):
    _, key = principals.create_staff(office.ledger, "Both", ["operator", "supervisor"], ["000000"], "own-1")
    both = as_("operator", Authorization=f"Bearer {key}")
    binding_id = life.to_state(office, "active")
    made = repaired(both, binding_id, "end")
    refused = both.post(f"/v1/ops/repairs/{made['id']}/approve", json={})
    assert (refused.status_code, refused.json()["code"]) == (409, "second_person_required")
    only(approved(as_, made))
    ended = life.look(office, binding_id)
    assert (ended.state, ended.progress.reason) == ("unbound", "agency_decision")
    event, actor, _, note = last_line(office, binding_id)
    assert (event, actor) == ("unbound", "supervisor:sandbox-supervisor")
    assert both.headers["Authorization"] != note
    assert f"asked by {made['asked_by']}" in (note or "")
    check(office)


def test_nobody_carries_out_a_risky_repair_alone(as_: Caller, office: Office):
    """Whoever applied what another has planned does not approve it, nor does he under another key of his."""

    def staff(*roles: str, person: str | None) -> httpx.Client:
        _, key = principals.create_staff(office.ledger, "Li", roles, ["000000"], person)
        return as_("operator", Authorization=f"Bearer {key}")

    binding_id = life.to_state(office, "active")
    made = repaired(as_("operator"), binding_id, "end", dry_run=True)
    both, other_key = staff("operator", "supervisor", person="own-1"), staff("supervisor", person="own-1")
    applied = told_to(both, made, "apply").json()
    assert applied["applied_by"] not in (None, applied["asked_by"])
    for same in (both, other_key):
        refused = told_to(same, made, "approve")
        assert (refused.status_code, refused.json()["code"]) == (409, "second_person_required")
    nameless = told_to(staff("supervisor", person=None), made, "approve")
    assert (nameless.json()["code"], len(nameless.json()["without_person"])) == ("second_person_required", 1)
    asked = repaired(staff("operator", person=None), life.to_state(office, "active", seed=2), "end")
    assert told_to(as_("supervisor"), asked, "approve").json()["code"] == "second_person_required"
    only(approved(as_, applied))
    assert f"applied by {applied['applied_by']}" in (last_line(office, binding_id)[3] or "")
    check(office)


def test_a_party_neither_applies_nor_undoes_a_repair_of_his_own_case(as_: Caller, office: Office):
    binding_id = life.to_state(office, "agency_review")
    holder = life.look(office, binding_id).application.holder
    _, key = principals.create_staff(office.ledger, "Holder", ["operator"], ["000000"], holder)
    own = as_("operator", Authorization=f"Bearer {key}")
    tried = repaired(as_("operator"), binding_id, "rearm", dry_run=True)
    only(told_to(own, tried, "apply").json(), "refused", "own_case")
    done = repaired(as_("operator"), binding_id, "reassign", agency="320500")
    only(told_to(own, done, "undo", reason="x").json(), "kept", "own_case")
    assert life.look(office, binding_id).review_agency == "320500"
    check(office)


def test_outside_the_grant_there_is_nothing(as_: Caller, office: Office):
    binding_id = life.to_state(office, "submitted")
    _, key = principals.create_staff(office.ledger, "Suzhou", ["operator", "supervisor"], ["320500"])
    suzhou = as_("operator", Authorization=f"Bearer {key}")
    body = {"repair": "rearm", "reason": "x"}
    assert suzhou.post(f"/v1/ops/bindings/{binding_id}/repair", json=body).status_code == 404
    order = suzhou.post("/v1/ops/repairs", json=body | {"filter": {"binding_ids": [binding_id]}}).json()
    while carry_repairs(office):
        pass
    assert suzhou.get(f"/v1/ops/repairs/{order['id']}").json()["counts"] == {}
    theirs = repaired(as_("operator"), binding_id, "end")
    assert suzhou.post(f"/v1/ops/repairs/{theirs['id']}/approve", json={}).status_code == 404
    assert suzhou.get(f"/v1/ops/repairs/{theirs['id']}").status_code == 404


def test_a_page_of_repairs_is_filled_from_those_that_one_is_granted(as_: Caller, office: Office):
    people = {
        place: principals.create_staff(office.ledger, place, ["operator", "supervisor"], regions)
        for place, regions in {"Suzhou": ["320500"], "Jiangsu and Zhejiang": ["320000", "330000"]}.items()
    }
    everywhere = Principal("prn_all", "staff", "all", roles=("operator",), regions=("000000",))

    def order(asker: Principal, **wanted: str) -> str:
        return orders.make(office.ledger, asker, Wish("rearm", "x", {"states": ["submitted"], **wanted}, {}))

    suzhou, two = (asker for asker, _ in people.values())
    mine = [order(suzhou), order(everywhere, region="320506")]
    province = order(two)
    hidden = [order(everywhere) for _ in range(3)]  # newer, and over the whole country

    def listed(key: str, **asked: int) -> list[str]:
        client, found, cursor = as_("operator", Authorization=f"Bearer {key}"), [], ""
        while cursor is not None:
            told = client.get("/v1/ops/repairs", params={**asked, **({"cursor": cursor} if cursor else {})}).json()
            assert told["items"], "no page is empty"
            found += [one["id"] for one in told["items"]]
            cursor = told["next_cursor"]
        return found

    def newest_first(*made: str) -> list[str]:
        return sorted(made, reverse=True)  # ids made in one millisecond are in no order of their own

    assert listed(people["Suzhou"][1], limit=1) == newest_first(*mine)
    assert listed(people["Jiangsu and Zhejiang"][1], limit=2) == newest_first(province, *mine)
    assert listed("sandbox-operator", limit=4) == newest_first(*hidden, province, *mine)


def test_the_second_person_may_be_one_of_that_place(as_: Caller, office: Office):
    binding_id = life.to_state(office, "submitted", seed=1, region="440100")
    _, key = principals.create_staff(office.ledger, "Guangdong", ["supervisor"], ["440000"], "own-1")
    made = repaired(as_("operator"), binding_id, "end")
    guangdong = as_("supervisor", Authorization=f"Bearer {key}")
    only(guangdong.post(f"/v1/ops/repairs/{made['id']}/approve", json={}).json())


def test_an_operator_of_the_agency_that_has_the_ticket_may_repair_it(as_: Caller, office: Office):
    binding_id = life.to_state(office, "offline_fallback", region="440100", member_region="320500")
    assert life.look(office, binding_id).counter_agency == "320500"
    _, key = principals.create_staff(office.ledger, "Suzhou", ["operator"], ["320500"])
    only(repaired(as_("operator", Authorization=f"Bearer {key}"), binding_id, "rearm"))


def test_nobody_repairs_a_case_in_which_he_is_a_party(as_: Caller, office: Office):
    binding_id = life.to_state(office, "submitted")
    holder = life.look(office, binding_id).application.holder
    _, key = principals.create_staff(office.ledger, "Holder", ["operator"], ["000000"], holder)
    own = as_("operator", Authorization=f"Bearer {key}")
    only(repaired(own, binding_id, "rearm"), "refused", "own_case")
