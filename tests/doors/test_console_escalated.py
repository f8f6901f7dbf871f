"""Reviews that were not decided in time, or put before a supervisor: how late, by whom, and what he may answer."""

import re

import pytest

from tasks.office import Office
from tests import life
from tests.doors.visitor import Comes, Visitor, in_review, text_of

PAGES = ("/supervision/escalated", "/ops/escalated")


@pytest.fixture
def late(office: Office) -> str:
    """A case that a reviewer has put before a supervisor, and nobody has decided in time."""
    binding_id = in_review(office)
    life.claim(office, binding_id)
    life.say(office, "escalate", binding_id, life.REVIEWER, note="两页户号不一致，可否采信？")
    review = life.look(office, binding_id).progress.review
    assert review is not None
    life.advance(office, seconds=(review.due - office.ledger.now()).total_seconds() + 7200)
    return binding_id


@pytest.mark.parametrize("path", PAGES)
def test_how_late_it_is_and_who_asks_what(comes: Comes, late: str, path: str) -> None:
    page = comes("supervisor" if path.startswith("/supervision") else "operator").get(path)
    told = text_of(page).partition("提请督办的审核")[2]
    assert "超期 2 小时" in told
    assert "已提请督办 2 次" in told
    assert "审核员 stf_reviewer" in told
    assert "两页户号不一致，可否采信？" in told
    assert "到期" not in told
    assert late in page.text


def test_one_that_is_not_late_is_not_called_late(comes: Comes, office: Office) -> None:
    binding_id = in_review(office)
    life.claim(office, binding_id)
    life.say(office, "escalate", binding_id, life.REVIEWER, note="请过目")
    told = text_of(comes("supervisor").get("/supervision/escalated"))
    assert ("剩余" in told, "超期" in told, "已提请督办 1 次" in told) == (True, False, True)
    page = comes("operator").get(f"/ops/bindings/{binding_id}")
    assert re.search(r'<th scope="row">审核决定</th>', page.text)


def test_its_own_page_tells_the_review_from_the_next_escalation(comes: Comes, late: str) -> None:
    page = comes("operator").get(f"/ops/bindings/{late}")
    assert "超期 2 小时" in text_of(page)
    assert re.search(r'<th scope="row">下次提请督办</th>', page.text)
    assert not re.search(r'<th scope="row">审核决定</th>', page.text)


def test_the_first_screen_is_not_quiet_while_reviews_are_late(comes: Comes, late: str, office: Office) -> None:
    operator = comes("operator")
    page = operator.get("/ops")
    assert "1 件审核已提请督办、尚未决定 ，其中 1 件已超期" in text_of(page).replace("，", " ，")
    assert not re.search(r'class="quiet-good">没有超期', page.text)
    life.claim(office, late)
    life.say(office, "approve", late, life.REVIEWER)
    assert re.search(r'class="quiet-good">没有超期', operator.get("/ops").text)


def test_a_supervisor_answers_by_a_note_before_anybody_has_decided(comes: Comes, late: str, office: Office) -> None:
    supervisor: Visitor = comes("supervisor")
    path = f"/ops/bindings/{late}"
    page = text_of(supervisor.get(path))
    assert ("给审核员的备注" in page, "保存备注" in page) == (True, True)
    assert ("抽查清单" in page, "记为已" in page) == (False, False)
    assert supervisor.post(f"{path}/look", body="以公证书为准").status_code == 303
    assert "以公证书为准" in text_of(comes("reviewer").get(f"/reviews/{late}"))
    life.claim(office, late)
    life.say(office, "approve", late, life.REVIEWER)
    page = text_of(supervisor.get(path))
    assert ("给审核员的备注" in page, "抽查清单" in page) == (False, True)
    unreviewed = text_of(supervisor.get(f"/ops/bindings/{life.to_state(office, 'active', seed=2)}"))
    assert ("审核员的备注" in unreviewed, "仅同事可见" in unreviewed, "抽查清单" in unreviewed) == (False, True, False)


def test_the_question_stands_where_it_is_answered(comes: Comes, late: str, office: Office) -> None:
    supervisor = comes("supervisor")

    def asked() -> str:
        look = supervisor.get(f"/ops/bindings/{late}").text.partition('id="look"')[2].partition("<textarea")[0]
        return " ".join(re.sub("<[^>]+>", " ", look).split())

    assert re.search(r"审核员 stf_reviewer · 提请督办 两页户号不一致，可否采信？", asked())
    crumb = re.search(r'class="crumb"><a href="([^"]+)"', supervisor.get(f"/ops/bindings/{late}").text)
    assert crumb
    assert crumb[1] == "/console/supervision/escalated"
    life.claim(office, late)
    life.say(office, "approve", late, life.REVIEWER)
    assert "可否采信" not in asked()
