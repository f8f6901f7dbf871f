"""Reviewers at the console: what the page of a case shows, and what the search box finds."""

import re
from typing import Any
from urllib.parse import unquote_plus

import pytest

from tasks.office import Office
from tests import life
from tests.doors.visitor import Comes, Visitor, claimed, decide, in_review, text_of, with_pictures


@pytest.fixture
def binding_id(office: Office) -> str:
    return in_review(office)


def test_the_page_shows_what_a_reviewer_needs_and_no_number(reviewer: Visitor, binding_id: str, office: Office) -> None:
    with_pictures(office, binding_id)
    other = life.to_state(office, "submitted", holder_seed=0, seed=9)
    answer = reviewer.get(f"/reviews/{binding_id}")
    page, case = text_of(answer), life.look(office, binding_id)
    for words in (
        "材料：4/4 项齐全",
        "登记机构已核对",
        "年龄：授权人",
        "同一授权人",
        "进入经办审核",
        "正在等待医保经办机构",
    ):
        assert words in page, words
    assert f'href="/console/reviews/{other}"' in answer.text
    for party in ("holder", "member"):
        assert case.application.parties[party]["id_number"] not in answer.text
        assert case.application.parties[party]["name"] not in answer.text
    for material in case.materials:
        picture = reviewer.get(f"/cases/{binding_id}/materials/{material['id']}")
        assert (picture.status_code, picture.headers["content-security-policy"][:7]) == (200, "sandbox")
    assert reviewer.get(f"/reviews/{binding_id}/sheet").text.count("<h1>") == 1


def test_those_who_share_are_called_so_on_the_page_and_on_paper(
    comes: Comes, reviewer: Visitor, binding_id: str, office: Office
) -> None:
    """授权人 and 使用人, by F74 and F77; another case on the page is of a family account, and is called so there."""
    for page in (reviewer.get(f"/reviews/{binding_id}"), reviewer.get(f"/reviews/{binding_id}/sheet")):
        said = text_of(page)
        assert ("授权人" in said, "使用人" in said) == (True, True)
        assert ("绑定人" in said, "家庭成员" in said) == (False, False)
    other = life.to_state(office, "submitted", seed=9, product="account_sharing")
    slip = text_of(comes("counter").get(f"/counter/{other}/slip"))
    assert "正在等待授权人提交材料" in slip
    family = life.to_state(office, "submitted", seed=8)
    assert "正在等待绑定人提交材料" in text_of(comes("counter").get(f"/counter/{family}/slip"))


def test_a_number_in_clear_is_logged(reviewer: Visitor, binding_id: str, office: Office) -> None:
    number = life.look(office, binding_id).application.parties["member"]["id_number"]
    shown = reviewer.post(f"/reviews/{binding_id}/reveal", field="member.id_number", purpose="compare_document")
    assert number in shown.text
    with office.ledger.connection() as conn:
        rows = conn.execute("select principal, act, purpose from access_log where act like 'reveal%'").fetchall()
    assert rows == [("sandbox-reviewer", "reveal:member.id_number", "compare_document")]
    for asked in ({"field": "member.face", "purpose": "compare_document"}, {"field": "member.name", "purpose": "因为"}):
        assert reviewer.post(f"/reviews/{binding_id}/reveal", fields=asked).status_code == 422


def test_a_reviewer_sees_a_name_in_clear_too(reviewer: Visitor, binding_id: str, office: Office) -> None:
    page = reviewer.get(f"/reviews/{binding_id}")
    assert "李秀英" not in page.text
    for who in ("授权人", "使用人"):
        for what in ("姓名", "证件号码"):
            assert page.text.count(f'aria-label="查看{who}{what}的用途"') == 1
    shown = reviewer.post(f"/reviews/{binding_id}/reveal", field="member.name", purpose="compare_document")
    assert "李秀英" in shown.text
    with office.ledger.connection() as conn:
        rows = conn.execute("select principal, act, purpose from access_log where act like 'reveal%'").fetchall()
    assert rows == [("sandbox-reviewer", "reveal:member.name", "compare_document")]


def test_notes_stay_among_colleagues(as_: Any, comes: Comes, binding_id: str) -> None:
    one, two = comes("reviewer"), comes("reviewer-2")
    one.post(f"/reviews/{binding_id}/note", body="<b>已致电</b>申请人")
    page = two.get(f"/reviews/{binding_id}")
    assert "&lt;b&gt;已致电" in page.text
    for path in ("", "/timeline"):
        assert "已致电" not in as_("yueyibao_alipay").get(f"/v1/bindings/{binding_id}{path}").text


def test_escalated_it_stays_with_the_reviewer(reviewer: Visitor, binding_id: str, office: Office) -> None:
    claimed(reviewer, binding_id)
    assert reviewer.post(f"/reviews/{binding_id}/escalate", note="疑似冒用").status_code == 303
    assert life.events(office, binding_id)[-1] == "review_escalated"
    assert "已提请督办 1 次" in text_of(reviewer.get("/reviews?q=is:escalated"))


def test_the_history_has_no_code_in_it(reviewer: Visitor, binding_id: str, office: Office) -> None:
    life.advance(office, days=5)
    assert life.events(office, binding_id)[-1] == "review_escalated"
    for path in ("", "/sheet"):
        page = text_of(reviewer.get(f"/reviews/{binding_id}{path}"))
        assert ("提请督办 · 期限已到：审核决定" in page, "review_to_decision" in page) == (True, False)


def test_the_search_box(reviewer: Visitor, office: Office) -> None:
    here = in_review(office, seed=1)
    done = life.to_state(office, "submitted", seed=2, holder_seed=1)
    in_review(office, seed=3)
    life.skip(office, days=5)
    fresh = in_review(office, seed=4)

    def found(q: str) -> set[str]:
        page = reviewer.follow(reviewer.post("/reviews/search", q=q))
        return set(re.findall(r'row-main" href="/console/reviews/(\w+)"', page.text))

    assert len(found("")) == 3
    assert found("is:overdue") >= {here}
    assert fresh not in found("is:overdue")
    assert found("region:4401 product:account_sharing is:unclaimed") == found("")
    assert found("region:32") == found("product:code_display") == found("is:mine") == set()
    number = life.look(office, here).application.parties["holder"]["id_number"]
    assert found(number) == {here, done}
    assert found(f"{number} is:overdue") == {here, done}
    assert "无法识别： is:nonsense 4401" in text_of(
        reviewer.follow(reviewer.post("/reviews/search", q="is:nonsense 4401"))
    )
    jump = reviewer.post("/reviews/search", q=here)
    assert jump.headers["location"] == f"/console/reviews/{here}"
    searched = reviewer.post("/reviews/search", q=number)
    assert number not in searched.headers["location"] + reviewer.follow(searched).text
    with office.ledger.connection() as conn:
        rows = conn.execute("select distinct principal, purpose from access_log where act = 'search'").fetchall()
    assert rows == [("sandbox-reviewer", "review")]


def test_a_number_in_an_address_is_not_read(reviewer: Visitor, office: Office) -> None:
    binding_id = in_review(office)
    number = life.look(office, binding_id).application.parties["holder"]["id_number"]
    page = reviewer.get(f"/reviews?q={number}")
    assert number not in page.text
    with office.ledger.connection() as conn:
        assert conn.execute("select count(*) from access_log where act = 'search'").fetchone() == (0,)


def test_a_long_queue_is_paged(reviewer: Visitor, office: Office) -> None:
    ids = {in_review(office, seed=seed) for seed in range(3)}
    with office.ledger.connection() as conn:
        conn.execute("update review_cases set due_at = due_at + (random() * interval '1 hour')")
    from workflows.views import reviewing
    from workflows.views.worklists import Wanted

    seen, cursor = [], None
    while True:
        page = reviewing.queue(office.desk, life.REVIEWER, Wanted(limit=2, cursor=cursor), "open")
        seen += [item["binding_id"] for item in page["items"]]
        cursor = page["next_cursor"]
        if cursor is None:
            break
    assert set(seen) == ids
    assert reviewer.get("/reviews?cursor=nonsense").status_code == 400


@pytest.mark.parametrize("q", ["region:广州", "张伟", "is:overdue 张伟", "440103198001010011"])
def test_what_is_not_understood_lists_nobody(reviewer: Visitor, binding_id: str, office: Office, q: str) -> None:
    assert binding_id in reviewer.get("/reviews").text
    sent = reviewer.post("/reviews/search", q=q)
    assert q not in unquote_plus(sent.headers["location"])
    answer = reviewer.follow(sent)
    assert binding_id not in answer.text
    said = "证件号码有误" if q.isdigit() else "无法识别"
    assert (said in text_of(answer), "没有符合条件" in text_of(answer)) == (True, False)
    assert "440103198001010011" not in answer.text
    with office.ledger.connection() as conn:
        assert conn.execute("select count(*) from access_log where act = 'search'").fetchone() == (0,)


def test_documents_stand_in_the_order_of_the_plan(reviewer: Visitor, binding_id: str, office: Office) -> None:
    planned = [kind for group in life.look(office, binding_id).plan.materials for kind in group.any_of[0]]
    with office.ledger.connection() as conn:  # uploaded the last first
        for place, kind in enumerate(reversed(planned)):
            conn.execute("update materials set id = 'mat_' || %s where binding_id = %s and kind = %s",
                         (str(place).zfill(26), binding_id, kind))  # fmt: skip
    case = life.look(office, binding_id)
    page = reviewer.get(f"/reviews/{binding_id}").text
    places = {one["id"]: page.index(f"/materials/{one['id']}") for one in case.materials}
    kinds = {one["id"]: one["kind"] for one in case.materials}
    assert [kinds[one] for one in sorted(places, key=places.__getitem__)] == planned
    claimed(reviewer, binding_id)
    ticks = re.findall(r'name="tick" value="(\w+)"', reviewer.get(f"/reviews/{binding_id}").text)
    assert ticks[: len(planned)] == planned


def test_similar_cases_show_how_they_were_decided(reviewer: Visitor, office: Office) -> None:
    yes, no, waits = (in_review(office, seed=seed) for seed in (1, 2, 3))
    same_person = in_review(office, seed=5, holder_seed=4)
    elsewhere = in_review(office, seed=6, relationship="SPOUSE")
    before = {"approve": {}, "reject": {"reason": "relation_unproven", "sure": "yes", "note": "户口簿页不符"}}
    for binding_id, action in ((yes, "approve"), (no, "reject"), (same_person, "approve"), (elsewhere, "approve")):
        claimed(reviewer, binding_id)
        decide(reviewer, office, binding_id, action, **before[action])
    life.advance(office, seconds=9)
    mine = in_review(office, seed=4)
    answer = reviewer.get(f"/reviews/{mine}")
    found = re.search(r"<h2>近期同类业务.*?</section>", answer.text, re.DOTALL)
    assert found
    assert set(re.findall(r"/reviews/(bnd_\w+)", found[0])) == {yes, no}
    words = " ".join(re.sub(r"<[^>]+>", " ", found[0]).split())
    assert all(one in words for one in ("审核通过", "不予通过", "sandbox-reviewer", "户口簿页不符"))
    assert waits not in found[0]


def test_a_note_that_was_kept_says_so(reviewer: Visitor, binding_id: str) -> None:
    kept = reviewer.post(f"/reviews/{binding_id}/note", body="已致电申请人")
    assert "备注已保存" in text_of(reviewer.follow(kept))
    assert "备注已保存" not in text_of(reviewer.get(f"/reviews/{binding_id}"))


def test_the_bar_names_the_family(reviewer: Visitor, binding_id: str, office: Office) -> None:
    claimed(reviewer, binding_id)
    decide(reviewer, office, binding_id, "approve")
    bar = text_of(reviewer.get("/reviews/mine"))
    assert re.search(r"已决定：通过（张\*+ – \S\*+），即将发出", bar), bar[:400]
