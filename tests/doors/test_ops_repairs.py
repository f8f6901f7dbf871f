"""Repairs at the door: each verb through the machine and into the history, the dry run, undo."""

import httpx
import pytest

from tasks.office import Office
from tasks.repairs import carry_repairs
from tests import life
from tests.doors.conftest import Caller
from tests.doors.family import key
from tests.doors.repairing import approved, last_line, only, repaired, told_to
from tests.doors.test_channel_answers import told
from tests.store.invariants import check
from workflows.access.principals import Principal
from workflows.errors import Refused
from workflows.repairs import carrying, orders
from workflows.repairs.orders import Wish


def test_rearming_puts_lost_and_parked_deadlines_right_and_leaves_a_line(as_: Caller, office: Office):
    binding_id = life.to_state(office, "submitted")
    with office.ledger.connection() as conn:
        right = conn.execute("delete from deadlines where binding_id = %s returning due_at", (binding_id,)).fetchone()
    (stuck,) = as_("operator").get("/v1/ops/stuck").json()["items"]
    assert (stuck["cause"], stuck["repairs"][0]) == ("no_deadline", "rearm")
    item = only(repaired(as_("operator"), binding_id, "rearm"))
    assert item["change"]["deadlines"]["submitted_to_materials"][0] is None
    with office.ledger.connection() as conn:
        assert conn.execute("select due_at from deadlines where binding_id = %s", (binding_id,)).fetchone() == right
    event, actor, reason, note = last_line(office, binding_id)
    assert (event, actor, reason) == ("repaired", "operator:sandbox-operator", "rearm")
    assert note is not None
    assert "看过日志" in note
    assert as_("operator").get("/v1/ops/stuck").json()["items"] == []
    check(office)


def test_a_deadline_is_fired_early_only_with_a_second_persons_word(as_: Caller, office: Office):
    binding_id = life.to_state(office, "offline_fallback")
    made = repaired(as_("operator"), binding_id, "fire_now", deadline="offline_to_counter")
    assert only(made, "planned")["change"]["state"] == ["offline_fallback", "expired"]
    assert life.look(office, binding_id).state == "offline_fallback"
    for nobody in ("operator-2", "reviewer"):
        refused = as_(nobody).post(f"/v1/ops/repairs/{made['id']}/approve", json={})
        assert (refused.status_code, refused.json()["code"]) == (403, "role_required")
    done = approved(as_, made)
    assert (done["state"], done["approved_by"]) == ("done", "sandbox-supervisor")
    only(done)
    assert life.look(office, binding_id).state == "expired"
    assert last_line(office, binding_id)[1] == f"clock:{made['id']}"
    again = as_("supervisor-2").post(f"/v1/ops/repairs/{made['id']}/approve", json={})
    assert (again.status_code, again.json()["code"]) == (409, "repair_not_available")
    check(office)


def test_who_repeats_an_order_that_was_made_but_not_answered_finds_it(
    as_: Caller, office: Office, monkeypatch: pytest.MonkeyPatch
):
    binding_id, told_under = life.to_state(office, "offline_fallback"), key()
    said = {"repair": "rearm", "reason": "x"}
    where = f"/v1/ops/bindings/{binding_id}/repair"
    with monkeypatch.context() as broken:
        broken.setattr(carrying, "to_its_end", lambda *_: 1 / 0)  # behind the commit that made the order
        assert as_("operator").post(where, json=said, headers=told_under).status_code == 500
    again = as_("operator").post(where, json=said, headers=told_under)
    assert (again.status_code, again.json()["state"]) == (200, "done")
    assert [one["id"] for one in as_("operator").get("/v1/ops/repairs").json()["items"]] == [again.json()["id"]]
    other = as_("operator").post(where, json=said, headers=key())
    assert other.json()["id"] != again.json()["id"]


@pytest.mark.parametrize("said", ["approve", "apply", "pause", "resume", "undo"])
def test_an_order_that_is_not_there_is_told_before_any_fault_of_form(as_: Caller, said: str):
    caller = as_("supervisor" if said == "approve" else "operator")
    answer = caller.post(f"/v1/ops/repairs/rep_x/{said}", content=b"{", headers={"Content-Type": "application/json"})
    assert (answer.status_code, answer.json()["code"]) == (404, "not_found")


def test_a_filter_of_words_that_nobody_knows_is_refused(as_: Caller, office: Office):
    body = {"repair": "rearm", "reason": "x"}
    for name, word in (("cause", "bogus"), ("states", ["nowhere"]), ("product", "x"), ("channel", "x"),
                       ("region", "x%")):  # fmt: skip
        assert as_("operator").post("/v1/ops/repairs", json=body | {"filter": {name: word}}).status_code == 422
        wish = Wish("rearm", "x", {name: word}, {})
        with pytest.raises(Refused) as no:  # whichever door it comes through
            orders.make(office.ledger, Principal("stf_x", "staff", "x"), wish)
        assert (no.value.code, no.value.pointer) == ("argument_invalid", f"/filter/{name}")


def test_a_lease_is_given_only_to_who_sees_the_case_and_ends_with_the_undoing(as_: Caller, office: Office):
    binding_id = life.to_state(office, "agency_review")
    operator, suzhou = as_("operator"), "sandbox-reviewer-suzhou"
    only(repaired(operator, binding_id, "reassign", staff=suzhou), "refused", "agency_unserved")
    only(repaired(operator, binding_id, "reassign", staff=suzhou, agency="440100"), "refused", "agency_unserved")
    done = repaired(operator, binding_id, "reassign", staff=suzhou, agency="320500")
    assert as_("reviewer-suzhou").get(f"/v1/reviews/{binding_id}").json()["lease"]["mine"] is True
    only(told_to(operator, done, "undo", reason="改派有误").json(), "undone")
    assert as_("reviewer").post(f"/v1/reviews/{binding_id}/claim", json={}).status_code == 200
    check(office)


def test_a_poisoned_step_is_tried_again(as_: Caller, office: Office):
    binding_id = life.to_state(office, "submitted")
    life.skip(office, days=8)
    with office.ledger.connection() as conn:
        conn.execute(
            "update deadlines set parked = 'step_poisoned', attempts = 10 where binding_id = %s", (binding_id,)
        )
    (found,) = as_("operator").get("/v1/ops/stuck").json()["items"]
    assert (found["fingerprint"], found["repairs"][0]) == ("step_poisoned:submitted_to_materials", "retry_step")
    item = only(repaired(as_("operator"), binding_id, "retry_step"))
    assert item["change"]["events"] == ["expired"]
    assert life.look(office, binding_id).state == "expired"
    check(office)


def test_a_registry_is_asked_again_at_once(as_: Caller, office: Office):
    from tasks.registries import ask_registries

    binding_id = life.to_state(office, "materials_uploaded")
    life.registries(office).set_mode("down")
    life.skip(office, seconds=1)
    assert ask_registries(office) == 1
    life.registries(office).set_mode("up")
    assert ask_registries(office) == 0
    only(repaired(as_("operator"), binding_id, "ask_again"))
    assert ask_registries(office) == 1
    assert life.look(office, binding_id).state == "face_check"
    check(office)


def test_letters_that_were_put_aside_are_sent_again_also_after_the_end(
    as_: Caller, alipay: httpx.Client, office: Office
):
    from tasks.feed import fan_out

    made = alipay.post("/v1/webhook-endpoints", json={"url": "http://127.0.0.1:9/"})
    assert made.status_code == 201
    lives = [life.to_state(office, state, seed=seed) for seed, state in enumerate(("submitted", "withdrawn"), 1)]
    fan_out(office)
    with office.ledger.connection() as conn:
        conn.execute("update deliveries set state = 'parked', attempts = 10, settled_at = kinbind_now()")
    groups = as_("operator").get("/v1/ops/stuck/groups").json()["items"]
    assert [(one["cause"], one["count"]) for one in groups] == [("delivery_parked", 2)]
    body = {"repair": "resend", "reason": "接收方已恢复", "filter": {"fingerprint": groups[0]["fingerprint"]}}
    order = as_("operator").post("/v1/ops/repairs", json=body).json()
    assert order["state"] == "planning"
    while carry_repairs(office):
        pass
    done = as_("operator").get(f"/v1/ops/repairs/{order['id']}").json()
    assert (done["state"], done["counts"]) == ("done", {"done": 2})
    with office.ledger.connection() as conn:
        assert conn.execute("select distinct state, attempts from deliveries").fetchall() == [("pending", 0)]
    assert life.events(office, lives[0]) == ["submitted", "repaired"]
    assert life.events(office, lives[1]) == ["submitted", "withdrawn"], "after the end there are no lines"
    check(office)


@pytest.mark.parametrize(
    ("state", "to"),
    [("offline_fallback", "face_check"), ("offline_fallback", "materials_uploaded"), ("face_check", "offline_fallback"),
     ("returned", "agency_review"), ("agency_review", "materials_uploaded")],
)  # fmt: skip
def test_a_case_is_moved_where_its_plan_allows_and_back(as_: Caller, office: Office, state: str, to: str):
    binding_id = life.to_state(office, state)
    before = life.look(office, binding_id)
    life.skip(office, hours=2)
    done = approved(as_, repaired(as_("operator"), binding_id, "move", to=to))
    only(done)
    moved = life.look(office, binding_id)
    assert moved.state == to
    check(office)
    undone = as_("operator").post(f"/v1/ops/repairs/{done['id']}/undo", json={"reason": "误操作"}).json()
    assert undone["state"] == "undone"
    only(undone, "undone")
    after = life.look(office, binding_id)
    assert (after.state, after.since, after.progress, after.version) == (
        before.state, before.since, before.progress, before.version + 2)  # fmt: skip
    assert life.events(office, binding_id)[-2:] == ["repaired", "repaired"]
    check(office)


def test_where_the_plan_has_no_such_step_nothing_is_moved(as_: Caller, office: Office):
    binding_id = life.to_state(office, "face_check")
    only(repaired(as_("operator"), binding_id, "move", to="agency_review"), "refused", "state_not_allowed")
    refused = as_("operator").post(f"/v1/ops/bindings/{binding_id}/repair", json={"repair": "move", "reason": "x"})
    assert (refused.status_code, refused.json()["code"]) == (422, "argument_missing")
    assert life.look(office, binding_id).version == 3


def test_what_has_moved_since_is_not_taken_back(as_: Caller, office: Office):
    binding_id = life.to_state(office, "offline_fallback")
    done = approved(as_, repaired(as_("operator"), binding_id, "move", to="face_check"))
    life.pass_face(office, binding_id)
    undone = as_("operator").post(f"/v1/ops/repairs/{done['id']}/undo", json={"reason": "晚了"}).json()
    only(undone, "kept", "stale_version")
    assert life.look(office, binding_id).state == "active"
    check(office)


def test_a_suspension_is_lifted_by_a_supervisor_only(as_: Caller, office: Office):
    binding_id = life.to_state(office, "active")
    done = approved(as_, repaired(as_("operator"), binding_id, "suspend"))
    assert life.look(office, binding_id).state == "suspended"
    path = f"/v1/ops/repairs/{done['id']}/undo"
    assert as_("operator").post(path, json={"reason": "x"}).json()["code"] == "role_required"
    only(as_("supervisor").post(path, json={"reason": "核查无误"}).json(), "undone")
    assert life.look(office, binding_id).state == "active"
    check(office)


@pytest.mark.parametrize(("verb", "state"), [("suspend", "active"), ("end", "active"), ("end", "agency_review")])
def test_what_an_operator_writes_is_for_staff_alone(as_: Caller, office: Office, verb: str, state: str):
    reasons = {"内部核查单 17": "agency_decision", "suspected_fraud": "suspected_fraud"}
    for seed, (reason, code) in enumerate(reasons.items()):
        binding_id = life.to_state(office, state, seed=seed * 7 + 1)
        only(approved(as_, repaired(as_("operator"), binding_id, verb, reason=reason)))
        channel = as_(life.look(office, binding_id).application.channel)
        lines = channel.get(f"/v1/bindings/{binding_id}/timeline")
        assert (lines.json()["items"][-1]["reason"], "内部核查单" in lines.text) == (code, False)
        assert channel.get(f"/v1/bindings/{binding_id}").json()["reason"] == code
        assert reason in (last_line(office, binding_id)[3] or "")
    check(office)


def test_a_review_goes_to_another_agency_and_its_lease_with_it(as_: Caller, office: Office):
    binding_id = life.to_state(office, "agency_review")
    reviewer = as_("reviewer")
    assert reviewer.post(f"/v1/reviews/{binding_id}/claim", json={}).status_code == 200
    assert as_("reviewer-suzhou").get(f"/v1/reviews/{binding_id}").status_code == 404
    done = repaired(as_("operator"), binding_id, "reassign", agency="320500")
    assert only(done)["change"]["agency"][1] == "320500"
    assert reviewer.post(f"/v1/reviews/{binding_id}/approve", json={}).json()["code"] == "lease_required"
    suzhou = as_("reviewer-suzhou")
    assert [one["binding_id"] for one in suzhou.get("/v1/reviews").json()["items"]] == [binding_id]
    check(office)
    as_("operator").post(f"/v1/ops/repairs/{done['id']}/undo", json={"reason": "改派有误"})
    assert suzhou.get("/v1/reviews").json()["items"] == []
    check(office)


def test_work_is_reassigned_only_to_somebody(as_: Caller, office: Office):
    binding_id = life.to_state(office, "agency_review")
    path, body = f"/v1/ops/bindings/{binding_id}/repair", {"repair": "reassign", "reason": "x"}
    nobody = as_("operator").post(path, json=body | {"staff": "sandbox-counter"})
    assert (nobody.status_code, nobody.json()["code"]) == (422, "argument_invalid")
    only(repaired(as_("operator"), binding_id, "reassign", staff="sandbox-reviewer-2"))
    held = as_("reviewer-2").get(f"/v1/reviews/{binding_id}").json()["lease"]
    assert (held["claimed_by"], held["mine"]) == ("sandbox-reviewer-2", True)
    assert as_("reviewer").post(f"/v1/reviews/{binding_id}/claim", json={}).json()["code"] == "claimed_by_other"
    with office.ledger.connection() as conn:
        conn.execute("update principals set revoked_at = kinbind_now() where roles && '{reviewer,counter}'")
    refused = as_("operator").post(path, json=body | {"agency": "650100"})
    assert (refused.status_code, refused.json()["code"]) == (409, "agency_unserved")
    ticket = life.to_state(office, "offline_fallback", seed=9)
    unserved = as_("operator").post(f"/v1/ops/bindings/{ticket}/repair", json=body | {"agency": "650100"})
    assert unserved.json()["code"] == "agency_unserved"


def test_work_that_stays_where_it_is_is_not_reassigned(as_: Caller, office: Office):
    review, ticket = life.to_state(office, "agency_review"), life.to_state(office, "offline_fallback", seed=9)
    for binding_id in (review, ticket):
        only(repaired(as_("operator"), binding_id, "reassign", dry_run=True), "refused", "nothing_to_repair")
    only(repaired(as_("operator"), ticket, "reassign", agency="440100"), "refused", "nothing_to_repair")
    assert as_("reviewer").post(f"/v1/reviews/{review}/claim", json={}).status_code == 200
    only(repaired(as_("operator"), review, "reassign"))  # the lease is taken away
    assert as_("reviewer-2").post(f"/v1/reviews/{review}/claim", json={}).status_code == 200


def test_a_ticket_goes_to_another_agency(as_: Caller, office: Office):
    binding_id = life.to_state(office, "offline_fallback")
    before = life.look(office, binding_id)
    only(repaired(as_("operator"), binding_id, "reassign", agency="320500"))
    after = life.look(office, binding_id)
    assert before.progress.offline is not None
    assert after.progress.offline is not None
    assert (after.counter_agency, after.progress.offline.since) == ("320500", before.progress.offline.since)
    check(office)


def test_the_answers_have_the_shapes_of_the_document(as_: Caller, alipay: httpx.Client, office: Office):
    document = alipay.get("/openapi.json").json()
    binding_id = life.to_state(office, "offline_fallback")
    operator = as_("operator")
    body = {"repair": "replan", "version": "1999-01-01", "reason": "x", "dry_run": True}
    one = told(document, operator.post(f"/v1/ops/bindings/{binding_id}/repair", json=body),
               "/v1/ops/bindings/{binding_id}/repair")  # fmt: skip
    assert (one["state"], one["groups"][0]["code"]) == ("planned", "policy_unknown")
    many = {"repair": "rearm", "reason": "x", "dry_run": True, "filter": {"states": ["offline_fallback"]}}
    planning = told(document, operator.post("/v1/ops/repairs", json=many), "/v1/ops/repairs")["id"]
    assert len(told(document, operator.get("/v1/ops/repairs"), "/v1/ops/repairs")["items"]) == 2
    path = f"/v1/ops/repairs/{one['id']}"
    told(document, operator.get(path), "/v1/ops/repairs/{repair_id}")
    assert told_to(operator, one, "pause").json()["code"] == "repair_not_available"  # nobody is at work on it
    for order, said in ((planning, "pause"), (planning, "resume"), (one["id"], "apply")):
        answer = operator.post(f"/v1/ops/repairs/{order}/{said}", json={})
        told(document, answer, f"/v1/ops/repairs/{{repair_id}}/{said}")
    let_be = repaired(operator, binding_id, "rearm", dry_run=True)
    answer = told_to(operator, let_be, "withdraw", reason="范围有误")
    gone = told(document, answer, "/v1/ops/repairs/{repair_id}/withdraw")
    assert (gone["state"], gone["withdrawn_by"], gone["withdrawn_because"]) \
        == ("withdrawn", "sandbox-operator", "范围有误")  # fmt: skip
    assert told_to(operator, let_be, "apply").json()["code"] == "repair_not_available"
    overdue = "update deadlines set due_at = kinbind_now() - interval '1 hour'"
    with office.ledger.connection() as conn:
        conn.execute(overdue)
    told(document, operator.get("/v1/ops/stuck"), "/v1/ops/stuck")
    told(document, operator.get("/v1/ops/stuck/groups"), "/v1/ops/stuck/groups")
    empty = operator.post("/v1/ops/repairs", json=many | {"filter": {}})
    assert (empty.status_code, empty.json()["code"]) == (422, "filter_empty")


def test_an_open_application_is_ended_with_its_places_given_back(as_: Caller, office: Office):
    binding_id = life.to_state(office, "agency_review")
    only(approved(as_, repaired(as_("operator"), binding_id, "end")))
    ended = life.look(office, binding_id)
    assert (ended.state, ended.progress.reason) == ("rejected", "agency_decision")
    check(office)


def test_an_idempotent_order_is_made_once(as_: Caller, office: Office):
    binding_id = life.to_state(office, "submitted")
    body, key = {"repair": "rearm", "reason": "x"}, {"Idempotency-Key": '"once"'}
    first, second = (
        as_("operator").post(f"/v1/ops/bindings/{binding_id}/repair", json=body, headers=key) for _ in range(2)
    )
    assert first.json() == second.json()
    assert life.events(office, binding_id) == ["submitted", "repaired"]
