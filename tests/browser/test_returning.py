"""Returning a case in a browser: a family gets what the reviewer saw, and nothing that he wrote is lost."""

import re

import pytest
from playwright.sync_api import Dialog, Locator, Page, expect

from tasks.office import Office
from tests import life
from tests.browser.conftest import Album, SitsDown, on

END = "请于收到本通知起 10 个工作日内补正，逾期申请将过期。"
PHRASE = "如线上补正有困难，可携带材料原件到参保地医保经办机构窗口办理，工作人员会协助您。"


@pytest.fixture
def page(sits_down: SitsDown, cases: list[str]) -> Page:
    """The first case, taken, with the dialog open and one document ticked."""
    page = sits_down("reviewer")
    page.keyboard.press("g")
    on(page, cases[0])
    page.keyboard.press("r")
    tick(page, "commitment_letter")
    expect(message(page)).to_have_value(re.compile(f"1. 个人承诺书：.*\n{END}$"))
    return page


def tick(page: Page, kind: str) -> None:
    page.locator(f"#return input[value={kind}]").check()


def message(page: Page) -> Locator:
    return page.locator("#return-note")


def sent(page: Page, office: Office, binding_id: str) -> str:
    """Send the dialog by keyboard; what the family is told."""
    page.keyboard.press("Control+Enter")
    page.wait_for_selector(".held-one")
    life.advance(office, seconds=9)
    correction = life.look(office, binding_id).progress.correction
    assert correction is not None
    return correction.note or ""


def test_a_phrase_stands_below_what_was_made(page: Page) -> None:
    made = message(page).input_value()
    page.locator("#return").get_by_role("button", name="可到窗口办理").click()
    expect(message(page)).to_have_value(f"{made}\n{PHRASE}")
    message(page).evaluate("area => area.setSelectionRange(0, 0)")  # his own text: where the caret is
    page.locator("#return").get_by_role("button", name="证件过期").click()
    expect(message(page)).to_have_value(re.compile(f"^所传证件已过有效期[^\n]*\n{re.escape(made)}\n{PHRASE}$"))


def test_a_message_that_lacks_a_document_says_so(page: Page, album: Album, office: Office, cases: list[str]) -> None:
    hint = page.locator("[data-frozen]")
    expect(hint).to_be_hidden()
    message(page).press("End")
    page.keyboard.type("谢谢。")
    tick(page, "member_id_front")
    expect(hint).to_contain_text("未反映在内")
    expect(message(page)).to_have_value(re.compile("谢谢。"))
    album(page, "message-frozen", whole=False)
    hint.get_by_role("button", name="重新生成").click()
    expect(message(page)).to_have_value(re.compile("1. 使用人证件（人像面）.*\n2. 个人承诺书"))
    expect(hint).to_be_hidden()
    assert "1. 使用人证件（人像面）" in sent(page, office, cases[0])


def test_a_detail_is_sent_at_once(page: Page, office: Office, cases: list[str]) -> None:
    page.locator("input[name='note.commitment_letter']").focus()
    page.keyboard.type("右下角反光")
    assert re.search(r"1. 个人承诺书：.*（右下角反光）\n", sent(page, office, cases[0]))


def test_why_a_dialog_is_open_again_is_in_it(page: Page, album: Album) -> None:
    page.locator("#return input[value=commitment_letter]").uncheck()
    page.keyboard.press("Control+Enter")
    alert = page.locator("#return").get_by_role("alert")
    expect(alert).to_contain_text("材料：请至少勾选一项")
    expect(alert).to_be_focused()
    album(page, "refused", whole=False)


def test_a_lease_that_ran_out_costs_no_word(page: Page, album: Album, office: Office, cases: list[str]) -> None:
    message(page).fill("请补签承诺书，\n并注明日期。")
    life.skip(office, minutes=16)
    page.keyboard.press("Control+Enter")
    expect(page.get_by_role("alert")).to_contain_text("领取已到期")
    expect(page.locator("main")).to_contain_text("请补签承诺书")
    album(page, "lease-over", whole=False)
    page.get_by_role("button", name="领取本件").click()
    expect(page.locator("#return")).to_be_visible()
    expect(message(page)).to_have_value("请补签承诺书，\n并注明日期。")
    assert sent(page, office, cases[0]) == "请补签承诺书，\n并注明日期。"


def test_a_refusal_is_said_once(page: Page) -> None:
    page.locator("#return input[value=commitment_letter]").uncheck()
    page.keyboard.press("Control+Enter")
    alert = page.locator("#return").get_by_role("alert")
    expect(alert).to_be_focused()
    page.keyboard.press("Escape")
    expect(page.locator("#return")).to_be_hidden()
    page.keyboard.press("r")
    expect(alert).to_have_count(0)
    first = page.locator("#return input[type=checkbox]").first
    expect(first).to_be_focused()
    page.keyboard.press("Space")
    expect(first).to_be_checked()


def test_what_is_half_written_is_not_thrown_away_unasked(sits_down: SitsDown, cases: list[str]) -> None:
    page = sits_down("reviewer")
    page.keyboard.press("g")
    on(page, cases[0])
    asked: list[str] = []

    def stay(dialog: Dialog) -> None:
        asked.append(dialog.type)
        dialog.dismiss()

    page.once("dialog", stay)
    page.keyboard.press("x")
    page.keyboard.press("Escape")
    page.get_by_role("button", name="English").click()  # nothing was begun
    expect(page.get_by_role("button", name="Reject X")).to_be_visible()
    assert asked == []
    page.keyboard.press("x")
    page.locator("#reject-note").fill("两页户号不一致")
    page.keyboard.press("Escape")
    page.get_by_role("button", name="中文").click()
    page.wait_for_timeout(500)
    assert asked == ["beforeunload"]
    expect(page.locator("#reject-note")).to_have_value("两页户号不一致")
    page.once("dialog", lambda dialog: dialog.accept())
    page.get_by_role("button", name="中文").click()  # and the form may be sent again
    expect(page.get_by_role("button", name="不予通过 X")).to_be_visible()
