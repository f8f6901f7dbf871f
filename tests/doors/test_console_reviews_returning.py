"""Reviewers at the console: what a family is told when its papers come back, and what becomes of what was typed."""

import re
from html import unescape
from typing import Any

import pytest

from tasks.office import Office
from tests import life
from tests.doors.visitor import TICKED, Comes, Visitor, claimed, decide, fields_of, in_review, text_of
from workflows.case import RETURNED


@pytest.fixture
def binding_id(office: Office) -> str:
    return in_review(office)


def test_returning_tells_the_applicant_what_to_mend(as_: Any, reviewer: Visitor, office: Office) -> None:
    binding_id = in_review(office)
    claimed(reviewer, binding_id)
    told = reviewer.post(f"/reviews/{binding_id}/message", fields=TICKED)
    assert "1. 个人承诺书：承诺书未签名或签名人不符（第二页）" in text_of(told)
    decide(reviewer, office, binding_id, "return", **TICKED)
    life.advance(office, seconds=8)
    view = as_("yueyibao_alipay").get(f"/v1/bindings/{binding_id}").json()
    assert (view["state"], view["correction"]["reason"]) == (RETURNED, "letter_unsigned")
    items = [{"kind": "commitment_letter", "reason": "letter_unsigned", "note": "第二页"}]
    assert view["correction"]["items"] == items
    assert "10 个工作日内补正" in view["correction"]["note"]
    assert "张* 4401**********0006" in text_of(reviewer.get("/reviews/waiting"))
    assert "时限已暂停" in text_of(reviewer.get(f"/reviews/{binding_id}"))


def test_what_a_reviewer_wrote_himself_is_what_is_sent(reviewer: Visitor, binding_id: str, office: Office) -> None:
    claimed(reviewer, binding_id)
    decide(reviewer, office, binding_id, "return", **TICKED, note="请补签承诺书")
    life.advance(office, seconds=8)
    correction = life.look(office, binding_id).progress.correction
    assert correction is not None
    assert correction.note == "请补签承诺书"


def test_nobodys_id_number_is_sent_in_a_message(reviewer: Visitor, binding_id: str, office: Office) -> None:
    claimed(reviewer, binding_id)
    shown = decide(reviewer, office, binding_id, "return", **TICKED, note="请 440106198503072316 补签承诺书")
    assert "不得填写完整的身份证号码" in text_of(shown)
    assert "请 440106198503072316 补签承诺书" in shown.text  # what was typed is still there


def told(office: Office, binding_id: str) -> str:
    life.advance(office, seconds=8)
    correction = life.look(office, binding_id).progress.correction
    assert correction is not None
    return correction.note or ""


@pytest.mark.parametrize("made", ["", "old"], ids=["sent before the first answer came", "a detail typed since"])
def test_a_message_that_nobody_has_changed_is_that_of_the_ticks_sent(
    reviewer: Visitor, binding_id: str, office: Office, made: str
) -> None:
    claimed(reviewer, binding_id)
    if made:
        ticked = {"tick": ["commitment_letter"], "reason.commitment_letter": "letter_unsigned"}
        made = unescape(reviewer.post(f"/reviews/{binding_id}/message", fields=ticked).text)
        made = re.findall(r"<textarea[^>]*>(.*?)</textarea>", made, re.DOTALL)[0]
        assert "第二页" not in made
    again = made.replace("\n", "\r\n")  # as browsers send it
    assert decide(reviewer, office, binding_id, "return", **TICKED, note=again, made=again).status_code == 303
    message = told(office, binding_id)
    assert "1. 个人承诺书：承诺书未签名或签名人不符（第二页）" in message
    assert message.startswith("您好，您的个人账户家庭共济申请需要补正以下材料：")


def test_a_dialog_that_is_open_again_says_why(reviewer: Visitor, binding_id: str, office: Office) -> None:
    claimed(reviewer, binding_id)
    refused = decide(reviewer, office, binding_id, "return", note="写了很久", made="")
    dialog = re.search(r'<dialog id="return"[^>]* data-reopen>(.*?)</dialog>', refused.text, re.DOTALL)
    assert dialog, refused.text[:500]
    assert "材料：请至少勾选一项" in re.sub(r"<[^>]+>", "", dialog[1])
    assert refused.text.count('role="alert"') == 1  # nothing lies under it
    empty = reviewer.post(f"/reviews/{binding_id}/note", fields={"action": "note", "body": " "})
    assert re.search(r'<dialog id="note"[^>]* data-reopen>', empty.text)


def test_the_note_of_a_rejection_stays_in_the_house(
    as_: Any, reviewer: Visitor, binding_id: str, office: Office
) -> None:
    claimed(reviewer, binding_id)
    assert "申请人只会看到上面所选的原因" in text_of(reviewer.get(f"/reviews/{binding_id}"))
    decide(reviewer, office, binding_id, "reject", reason="relation_unproven", note="两页户号不一致", sure="yes")
    life.advance(office, seconds=8)
    for path in ("", "/timeline"):
        told = as_("yueyibao_alipay").get(f"/v1/bindings/{binding_id}{path}").text
        assert ("relation_unproven" in told, "两页户号" in told) == (True, False), path
    assert "两页户号不一致" in text_of(reviewer.get(f"/reviews/{binding_id}"))


@pytest.mark.parametrize("other", [False, True], ids=["nobody has it", "a colleague has it"])
def test_what_was_written_under_a_lease_that_ran_out_is_not_lost(
    reviewer: Visitor, comes: Comes, binding_id: str, office: Office, other: bool
) -> None:
    claimed(reviewer, binding_id)
    life.skip(office, minutes=16)
    written = "请补签承诺书\n并注明日期"
    refused = decide(reviewer, office, binding_id, "return", **TICKED, note=written, made="")
    page = text_of(refused)
    for words in ("领取已到期", "您刚才填写的内容", "请补签承诺书", "个人承诺书：第二页"):
        assert words in page, words
    if other:
        claimed(comes("reviewer-2"), binding_id)
    sent = fields_of(refused, "/claim")
    taken = reviewer.post(f"/reviews/{binding_id}/claim", fields=sent)
    if other:
        assert (taken.status_code, "请补签承诺书" in text_of(taken)) == (409, True)
        return
    dialog = re.search(r'<dialog id="return"[^>]* data-reopen>(.*?)</dialog>', taken.text, re.DOTALL)
    assert dialog
    assert "请补签承诺书" in dialog[1]
    assert re.search(r'value="commitment_letter"[^>]* checked', dialog[1])
    assert decide(reviewer, office, binding_id, "return", **TICKED, note=written, made="").status_code == 303
    assert told(office, binding_id) == written


def test_the_end_of_a_working_day_is_its_24_hours_everywhere(
    reviewer: Visitor, binding_id: str, office: Office
) -> None:
    claimed(reviewer, binding_id)
    decide(reviewer, office, binding_id, "return", **TICKED)
    life.advance(office, seconds=8)
    until = re.findall(r"至 (\S+) 24:00", text_of(reviewer.get("/reviews/waiting")))
    assert len(until) == 1
    year, month, day = (int(part) for part in until[0].split("-"))
    assert f"期限{year}年{month}月{day}日24:00" in text_of(reviewer.get(f"/reviews/{binding_id}"))


def dialog_of(page: str, kind: str) -> str:
    found = re.search(rf'<dialog id="{kind}"[^>]*>(.*?)</dialog>', page, re.DOTALL)
    assert found
    return unescape(found[1])


@pytest.mark.parametrize("own", ["", "请补签承诺书，谢谢。"], ids=["made from the ticks", "edited"])
def test_what_was_taken_back_is_in_the_form_again(reviewer: Visitor, binding_id: str, office: Office, own: str) -> None:
    claimed(reviewer, binding_id)
    decide(reviewer, office, binding_id, "return", **TICKED, note=own, made="")
    back = reviewer.post(f"/reviews/{binding_id}/take-back")
    for _ in range(2):  # and after it was loaded anew
        page = reviewer.follow(back).text
        dialog = dialog_of(page, "return")
        assert re.search(r'value="commitment_letter"[^>]* checked', dialog)
        assert re.search(r'value="letter_unsigned" selected', dialog)
        assert 'name="note.commitment_letter"' in dialog
        assert 'value="第二页"' in dialog
        assert (own or "1. 个人承诺书：承诺书未签名或签名人不符（第二页）") in dialog
        assert bool(re.search("data-frozen hidden", dialog)) is not bool(own)
        assert "data-reopen" not in page
    assert 'value="第二页"' not in reviewer.get(f"/reviews/{binding_id}").text
    assert decide(reviewer, office, binding_id, "reject", reason="relation_unproven", sure="yes").status_code == 303
    life.advance(office, seconds=8)
    assert 'value="第二页"' not in reviewer.follow(back).text  # it was another that was sent


def test_a_reason_and_a_note_come_back_too(reviewer: Visitor, binding_id: str, office: Office) -> None:
    claimed(reviewer, binding_id)
    decide(reviewer, office, binding_id, "reject", reason="relation_unproven", note="两页户号不一致", sure="yes")
    dialog = dialog_of(reviewer.follow(reviewer.post(f"/reviews/{binding_id}/take-back")).text, "reject")
    assert 'value="relation_unproven" selected' in dialog
    assert "两页户号不一致" in dialog
    assert not re.search(r'name="sure"[^>]* checked', dialog)  # a second thought is thought again
