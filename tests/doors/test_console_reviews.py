"""Reviewers at the console: the queue, the next best case, decisions that can be taken back, and what is not theirs."""

import re
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from tasks.decisions import send_decisions
from tasks.office import Office
from tests import life
from tests.doors.visitor import TICKED, Comes, Visitor, claimed, decide, in_review, text_of, with_pictures
from workflows import holding
from workflows.access import principals
from workflows.case import ACTIVE, AGENCY_REVIEW, REJECTED, RETURNED
from workflows.sweeping import sweep


@pytest.fixture
def binding_id(office: Office) -> str:
    return in_review(office)


def outcome(office: Office, binding_id: str) -> str | None:
    with office.ledger.connection() as conn:
        row = conn.execute("select outcome from held_decisions where binding_id = %s", (binding_id,)).fetchone()
    return row[0] if row else "gone"


# -- whose case it is ---------------------------------------------------------------------------------------------


def test_of_many_who_ask_at_once_nobody_gets_the_same(comes: Comes, office: Office) -> None:
    ids = [in_review(office, seed=seed) for seed in range(5)]
    visitors = [comes(name) for name in ("reviewer", "reviewer-2") * 3]
    with ThreadPoolExecutor(6) as pool:
        answers = list(pool.map(lambda visitor: visitor.post("/reviews/next"), visitors))
    given = [answer.headers["location"].removeprefix("/console/reviews/") for answer in answers]
    assert sorted(given) == sorted([*ids, "mine?done=1"])
    assert "没有更多" in text_of(visitors[0].get("/reviews/mine?done=1"))


def test_the_next_best_is_the_nearest_due_and_not_ones_own(reviewer: Visitor, office: Office) -> None:
    own = in_review(office, seed=1)
    life.skip(office, days=1)
    in_review(office, seed=2)
    nearest = in_review(office, seed=3, holder_seed=2)
    with office.ledger.connection() as conn:
        conn.execute("update principals set person = %s where id = 'sandbox-reviewer'",
                     (life.look(office, own).application.holder,))  # fmt: skip
        conn.execute("update review_cases set due_at = due_at - interval '1 hour' where binding_id = %s", (nearest,))
    assert reviewer.post("/reviews/next").headers["location"] == f"/console/reviews/{nearest}"
    assert "本人为当事人" in text_of(reviewer.post(f"/reviews/{own}/claim"))


def test_what_was_withdrawn_before_it_was_claimed_is_said(reviewer: Visitor, binding_id: str, office: Office) -> None:
    reviewer.get(f"/reviews/{binding_id}")
    life.say(office, "withdraw", binding_id, life.channel(life.look(office, binding_id).application.channel))
    refused = reviewer.post(f"/reviews/{binding_id}/claim")
    assert (refused.status_code, "已不在审核中" in text_of(refused)) == (409, True)
    assert "该绑定已撤回" in text_of(refused)


def test_another_region_is_not_there(comes: Comes, binding_id: str, office: Office) -> None:
    suzhou = comes("reviewer-suzhou")
    with_pictures(office, binding_id)
    material = life.look(office, binding_id).materials[0]["id"]
    for path in ("", "/sheet"):
        assert suzhou.get(f"/reviews/{binding_id}{path}").status_code == 404
    assert suzhou.get(f"/cases/{binding_id}/materials/{material}").status_code == 404
    for deed in ("claim", "release", "beat", "message", "take-back"):
        assert suzhou.post(f"/reviews/{binding_id}/{deed}").status_code == 404, deed
    for deed, fields in (("note", {"body": "x"}), ("escalate", {"note": "x"}),
                         ("reveal", {"field": "holder.name", "purpose": "compare_document"})):  # fmt: skip
        assert suzhou.post(f"/reviews/{binding_id}/{deed}", fields=fields).status_code == 404, deed
    assert decide(suzhou, office, binding_id, "approve").status_code == 404
    assert suzhou.post("/reviews/next").headers["location"] == "/console/reviews/mine?done=1"


def test_others_are_seen_and_their_lease_holds(comes: Comes, binding_id: str) -> None:
    one, two = comes("reviewer"), comes("reviewer-2")
    claimed(one, binding_id)
    one.get(f"/reviews/{binding_id}")
    page = text_of(two.get(f"/reviews/{binding_id}"))
    assert "sandbox-reviewer 办理中" in page
    assert "同时查看： s sandbox-reviewer" in page
    refused = two.post(f"/reviews/{binding_id}/claim")
    assert (refused.status_code, "已被其他审核员领取" in text_of(refused)) == (409, True)
    assert "sandbox-reviewer 办理中" in text_of(two.get("/reviews"))


def test_only_work_keeps_the_lease_alive(reviewer: Visitor, binding_id: str, office: Office) -> None:
    claimed(reviewer, binding_id)
    life.skip(office, minutes=14)
    assert "由您办理" in text_of(reviewer.post(f"/reviews/{binding_id}/beat", worked="1"))
    life.skip(office, minutes=14)
    assert "由您办理" in text_of(reviewer.post(f"/reviews/{binding_id}/beat", worked="0"))
    life.skip(office, minutes=1)
    assert "尚未领取" in text_of(reviewer.post(f"/reviews/{binding_id}/beat", worked="1"))


def test_a_case_that_renews_itself_keeps_no_lease_alive(reviewer: Visitor, binding_id: str, office: Office) -> None:
    claimed(reviewer, binding_id)
    life.skip(office, minutes=14)
    assert 'data-open="approve"' in reviewer.get(f"/reviews/{binding_id}", **{"X-Live": "1"}).text
    life.skip(office, minutes=1)
    renewed = reviewer.get(f"/reviews/{binding_id}", **{"X-Live": "1"})
    assert ('data-open="approve"' in renewed.text, "领取本件" in text_of(renewed)) == (False, True)


# -- decisions ----------------------------------------------------------------------------------------------------


def test_a_decision_waits_and_the_next_case_opens(reviewer: Visitor, office: Office) -> None:
    first, second = in_review(office, seed=1), in_review(office, seed=2)
    assert reviewer.post("/reviews/next").headers["location"].endswith(first)
    before = life.events(office, first)
    after = decide(reviewer, office, first, "approve", note="材料齐全")
    assert after.headers["location"] == f"/console/reviews/{second}"
    assert life.events(office, first) == before
    assert send_decisions(office) == 0
    assert "已决定：通过" in text_of(reviewer.follow(after))
    reviewer.http.close()  # the browser is gone; the hands see to it
    life.advance(office, seconds=8)
    assert life.events(office, first)[-2:] == ["approved", "activated"]
    assert (life.look(office, first).state, outcome(office, first)) == (ACTIVE, "sent")
    assert life.look(office, second).state == AGENCY_REVIEW


def test_taken_back_it_was_never_said(reviewer: Visitor, binding_id: str, office: Office) -> None:
    claimed(reviewer, binding_id)
    decide(reviewer, office, binding_id, "reject", reason="relation_unproven", sure="yes")
    page = reviewer.get(f"/reviews/{binding_id}")
    assert 'data-open="approve"' not in page.text
    assert decide(reviewer, office, binding_id, "approve").status_code == 409  # one at a time
    back = reviewer.post(f"/reviews/{binding_id}/take-back")
    assert back.headers["location"] == f"/console/reviews/{binding_id}?taken_back=1"
    again = reviewer.follow(back)
    assert ('data-open="approve"' in again.text, "已撤回" in text_of(again)) == (True, True)
    assert 'value="relation_unproven" selected' in again.text
    life.advance(office, seconds=20)
    assert (life.look(office, binding_id).state, outcome(office, binding_id)) == (AGENCY_REVIEW, "taken_back")
    assert "未发出" not in text_of(reviewer.get("/reviews/mine")) + text_of(reviewer.get("/reviews/done"))
    late = reviewer.post(f"/reviews/{binding_id}/take-back")
    assert (late.status_code, "没有可撤回的决定" in text_of(late)) == (409, True)
    decide(reviewer, office, binding_id, "approve")
    life.advance(office, seconds=20)
    late = reviewer.post(f"/reviews/{binding_id}/take-back")
    assert (late.status_code, "决定已发出" in text_of(late)) == (409, True)


def test_an_address_that_is_come_back_to_says_only_what_is_so(
    reviewer: Visitor, binding_id: str, office: Office
) -> None:
    path = f"/reviews/{binding_id}"
    claimed(reviewer, binding_id)
    decide(reviewer, office, binding_id, "reject", reason="relation_unproven", sure="yes")
    reviewer.post(f"{path}/take-back")
    assert "已撤回，没有发出" in text_of(reviewer.get(f"{path}?taken_back=1"))
    decide(reviewer, office, binding_id, "approve")
    for so_far in ("已决定：通过", "已生效"):  # held, then sent
        page = text_of(reviewer.get(f"{path}?taken_back=1"))
        assert (so_far in page, "已撤回" in page) == (True, False)
        life.advance(office, seconds=8)
    assert "备注已保存" not in text_of(reviewer.get(f"{path}?noted=1"))


def test_only_who_decided_takes_it_back(comes: Comes, binding_id: str, office: Office) -> None:
    one, two = comes("reviewer"), comes("reviewer-2")
    claimed(one, binding_id)
    decide(one, office, binding_id, "approve")
    assert two.post(f"/reviews/{binding_id}/take-back").status_code == 409
    life.advance(office, seconds=8)
    assert life.look(office, binding_id).state == ACTIVE


def test_a_lease_that_has_changed_hands_decides_nothing(comes: Comes, binding_id: str, office: Office) -> None:
    one, two = comes("reviewer"), comes("reviewer-2")
    claimed(one, binding_id)
    decide(one, office, binding_id, "reject", reason="relation_unproven", sure="yes")
    life.skip(office, minutes=16)  # nobody has sent it, and the lease has run out
    claimed(two, binding_id)
    claimed_again = life.look(office, binding_id)
    assert send_decisions(office) == 1
    assert outcome(office, binding_id) == "lease_required"
    assert life.look(office, binding_id).version == claimed_again.version
    assert "未能发出" in text_of(one.get("/reviews/mine"))
    decide(two, office, binding_id, "approve")
    life.advance(office, seconds=8)
    assert life.look(office, binding_id).state == ACTIVE


def test_who_gave_the_case_back_and_took_it_again_decides_anew(
    reviewer: Visitor, binding_id: str, office: Office
) -> None:
    claimed(reviewer, binding_id)
    decide(reviewer, office, binding_id, "approve")
    reviewer.post(f"/reviews/{binding_id}/release")
    claimed(reviewer, binding_id)
    life.advance(office, seconds=8)
    assert life.look(office, binding_id).state == AGENCY_REVIEW


def test_who_was_revoked_meanwhile_decides_nothing(reviewer: Visitor, binding_id: str, office: Office) -> None:
    claimed(reviewer, binding_id)
    decide(reviewer, office, binding_id, "approve")
    assert principals.revoke(office.ledger, "sandbox-reviewer")
    life.advance(office, seconds=8)
    assert life.look(office, binding_id).state == AGENCY_REVIEW


def test_the_api_decides_at_once_and_the_held_one_is_void(
    as_: Any, reviewer: Visitor, binding_id: str, office: Office
) -> None:
    claimed(reviewer, binding_id)
    decide(reviewer, office, binding_id, "reject", reason="relation_unproven", sure="yes")
    assert as_("reviewer").post(f"/v1/reviews/{binding_id}/approve", json={}).json()["state"] == ACTIVE
    life.advance(office, seconds=8)
    assert (life.look(office, binding_id).state, outcome(office, binding_id)) == (ACTIVE, "stale_version")


def claimed_at_the_last(reviewer: Visitor, office: Office, binding_id: str) -> None:
    """Four seconds before it is escalated."""
    claimed(reviewer, binding_id)
    review = life.look(office, binding_id).progress.review
    assert review is not None
    life.skip(office, seconds=int((review.due - office.ledger.now()).total_seconds()) - 4)
    claimed(reviewer, binding_id)


def test_an_escalation_by_the_clock_spoils_no_held_decision(
    reviewer: Visitor, as_: Any, binding_id: str, office: Office
) -> None:
    claimed_at_the_last(reviewer, office, binding_id)
    assert decide(reviewer, office, binding_id, "approve").status_code == 303
    colleague = as_("reviewer-2").post(f"/v1/reviews/{binding_id}/escalate", json={"note": "x"})
    assert colleague.json()["code"] == "lease_required"
    life.advance(office, seconds=9)
    assert life.events(office, binding_id)[-3:] == ["review_escalated", "approved", "activated"]


def test_nor_does_one_between_two_looks_of_the_hands(
    reviewer: Visitor, binding_id: str, office: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    claimed_at_the_last(reviewer, office, binding_id)
    decide(reviewer, office, binding_id, "approve")
    life.skip(office, seconds=9)
    looked = holding._due

    def overtaken(*asked: Any) -> list[Any]:
        found = looked(*asked)
        sweep(office.desk)
        return found

    monkeypatch.setattr(holding, "_due", overtaken)
    assert send_decisions(office) == 1
    assert life.events(office, binding_id)[-3:] == ["review_escalated", "approved", "activated"]


def test_who_gives_the_lease_back_takes_his_decision_back(comes: Comes, binding_id: str, office: Office) -> None:
    one, two = comes("reviewer"), comes("reviewer-2")
    claimed(one, binding_id)
    decide(one, office, binding_id, "approve")
    one.post(f"/reviews/{binding_id}/release")
    claimed(two, binding_id)
    rejected = decide(two, office, binding_id, "reject", reason="relation_unproven", sure="yes", note="不能证明")
    assert rejected.status_code == 303  # at once: nothing of the first stands in the way
    life.advance(office, seconds=9)
    assert life.look(office, binding_id).state == REJECTED


def test_a_case_that_a_colleague_has_by_now_is_not_given_back(comes: Comes, binding_id: str, office: Office) -> None:
    one, two = comes("reviewer"), comes("reviewer-2")
    claimed(one, binding_id)
    life.skip(office, seconds=16 * 60)
    claimed(two, binding_id)
    late = one.post(f"/reviews/{binding_id}/release")
    assert (late.status_code, "已被其他审核员领取" in text_of(late), "内部备注" in text_of(late)) == (409, True, True)


def test_many_hands_send_it_once(reviewer: Visitor, office: Office) -> None:
    ids = [in_review(office, seed=seed) for seed in range(4)]
    for binding_id in ids:
        claimed(reviewer, binding_id)
        decide(reviewer, office, binding_id, "approve")
    life.skip(office, seconds=8)
    with ThreadPoolExecutor(4) as pool:
        sent = list(pool.map(send_decisions, [office] * 4))
    assert sum(sent) == 4
    for binding_id in ids:
        assert life.events(office, binding_id).count("approved") == 1


def test_his_day_is_listed(reviewer: Visitor, office: Office) -> None:
    yes, no = in_review(office, seed=1), in_review(office, seed=2)
    for binding_id in (yes, no):
        claimed(reviewer, binding_id)
    decide(reviewer, office, yes, "approve")
    decide(reviewer, office, no, "reject", reason="relation_unproven", sure="yes", note="不能证明")
    life.advance(office, seconds=8)
    assert life.look(office, no).state == REJECTED
    page = text_of(reviewer.get("/reviews/done"))
    assert ("通过 已生效" in page, "不予通过 不予通过" in page, "今日在工作台已办 2" in page) == (True, False, True)
    life.skip(office, days=1)
    assert "今天还没有" in text_of(reviewer.get("/reviews/done"))


# -- what is not offered is refused ---------------------------------------------------------------------------------

BUTTONS: dict[str, tuple[str, dict[str, Any]]] = {
    "approve": ("decide", {"action": "approve"}),
    "return": ("decide", {"action": "return"} | TICKED),
    "reject": ("decide", {"action": "reject", "reason": "relation_unproven", "sure": "yes"}),
    "escalate": ("escalate", {"note": "x"}),
}


def offered(page: str) -> set[str]:
    return set(re.findall(r'data-open="(approve|return|reject|escalate)"', page))


@pytest.mark.parametrize("state", [AGENCY_REVIEW, RETURNED, ACTIVE, REJECTED])
@pytest.mark.parametrize("held", [True, False])
def test_every_hidden_button_is_refused(reviewer: Visitor, office: Office, state: str, held: bool) -> None:
    binding_id = life.to_state(office, state, product="account_sharing") if state != ACTIVE else in_review(office)
    if held and life.look(office, binding_id).state == AGENCY_REVIEW:
        claimed(reviewer, binding_id)
    if state == ACTIVE:
        claimed(reviewer, binding_id)
        decide(reviewer, office, binding_id, "approve")
        life.advance(office, seconds=8)
    there, version = offered(reviewer.get(f"/reviews/{binding_id}").text), life.look(office, binding_id).version
    expected = {"approve", "return", "reject", "escalate"} if held else set()
    assert there == (expected if state == AGENCY_REVIEW else set())
    for button in BUTTONS.keys() - there:
        path, fields = BUTTONS[button]
        refused = reviewer.post(f"/reviews/{binding_id}/{path}", fields=fields | {"version": version})
        assert refused.status_code == 409, button
    life.advance(office, seconds=8)
    assert life.look(office, binding_id).version == version


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"action": "reject", "reason": "because", "sure": "yes"}, "不在可选范围"),
        ({"action": "reject", "reason": "relation_unproven"}, "请勾选确认"),
        ({"action": "reject", "sure": "yes"}, "必填"),
        ({"action": "return"}, "至少勾选一项"),
        ({"action": "return", "tick": ["commitment_letter"], "reason.commitment_letter": "because"}, "不在可选范围"),
        ({"action": "approve", "version": "1"}, "新的进展"),
        ({"action": "approve", "version": "x"}, "无法读取"),
        ({"action": "approve", "note": "字" * 2001}, "过长"),
        ({"action": "destroy"}, "不在可选值"),
    ],
)
def test_a_decision_that_cannot_be(
    reviewer: Visitor, binding_id: str, office: Office, fields: dict[str, Any], said: str
) -> None:
    claimed(reviewer, binding_id)
    sent = {"version": life.look(office, binding_id).version, "note": "写了很久"} | fields
    refused = reviewer.post(f"/reviews/{binding_id}/decide", fields=sent)
    assert (refused.status_code >= 400, said in text_of(refused)) == (True, True), text_of(refused)[:300]
    if fields["action"] in ("reject", "return"):
        assert "写了很久" in refused.text  # what was typed is still there
    assert outcome(office, binding_id) == "gone"
