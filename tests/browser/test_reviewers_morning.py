"""A reviewer's morning, by keyboard alone: take, look, decide, take back, return, and the list of what was done."""

import re

from playwright.sync_api import Page, expect

from tasks.office import Office
from tests import life
from tests.browser.conftest import Album, SitsDown, on
from workflows.case import ACTIVE, AGENCY_REVIEW, RETURNED

# how many pixels of a picture lie outside of what its frame can be scrolled to: left, above, right, below
REACHED = """frame => {
  const [all, seen] = [frame.querySelector("img").getBoundingClientRect(), frame.getBoundingClientRect()];
  const [left, top] = [seen.left - frame.scrollLeft, seen.top - frame.scrollTop];
  return [left - all.left, top - all.top, all.right - left - frame.scrollWidth, all.bottom - top - frame.scrollHeight];
}"""


def test_a_morning_without_the_mouse(sits_down: SitsDown, album: Album, office: Office, cases: list[str]) -> None:
    page = sits_down("reviewer")
    album(page, "my-work")
    page.keyboard.press("g")
    on(page, cases[0])
    expect(page.locator("#lease")).to_contain_text(re.compile(r"由您办理 1[45]:\d\d"))
    page.wait_for_load_state("networkidle")
    album(page, "case", whole=False)

    _approve_and_take_back(page, album, office, cases)
    _return(page, album, office, cases)
    _reject(page)
    life.advance(office, seconds=9)
    page.goto(page.url.replace("/mine?done=1", "/done"))
    expect(page.locator("[data-row]")).to_have_count(3)
    album(page, "done")


def _approve_and_take_back(page: Page, album: Album, office: Office, cases: list[str]) -> None:
    # approved, and the next case is there already; taken back, and the first is there again
    page.keyboard.press("a")
    page.keyboard.type("ag")  # keys are off while one types
    page.keyboard.press("Control+Enter")
    on(page, cases[1])
    expect(page.locator(".held-one")).to_contain_text("已决定：通过")
    album(page, "take-back", whole=False)
    page.keyboard.press("z")
    on(page, cases[0])
    expect(page.get_by_role("status").filter(has_text="已撤回")).to_be_visible()
    assert life.look(office, cases[0]).state == AGENCY_REVIEW
    page.keyboard.press("a")
    page.keyboard.press("Escape")
    expect(page.locator("dialog[open]")).to_have_count(0)
    page.keyboard.press("a")
    page.keyboard.press("Control+Enter")
    on(page, cases[2])  # the second is still in his hands
    life.advance(office, seconds=9)
    assert life.look(office, cases[0]).state == ACTIVE


def _return(page: Page, album: Album, office: Office, cases: list[str]) -> None:
    # returned: what is ticked becomes the message
    page.keyboard.press("r")
    dialog = page.locator("#return")
    dialog.locator("input[value=commitment_letter]").press(" ")
    dialog.locator("select[name='reason.commitment_letter']").select_option("letter_unsigned")
    message = page.locator("#return-note")
    expect(message).to_have_value(
        re.compile("1. 个人承诺书：承诺书未签名或签名人不符\n请于收到本通知起 10 个工作日内补正")
    )
    dialog.get_by_role("button", name="可到窗口办理").click()
    expect(message).to_have_value(re.compile("携带材料原件到参保地医保经办机构窗口办理"))
    dialog.locator("input[value=holder_id_back]").press(" ")  # his own words are not overwritten any more
    album(page, "return", whole=False)
    page.keyboard.press("Control+Enter")
    on(page, cases[3])
    life.advance(office, seconds=9)
    correction = life.look(office, cases[2]).progress.correction
    assert correction is not None
    assert {item["kind"] for item in correction.items} == {"commitment_letter", "holder_id_back"}
    assert "窗口办理" in (correction.note or "")
    assert life.look(office, cases[2]).state == RETURNED


def _reject(page: Page) -> None:
    # a rejection needs a reason and a second thought
    page.keyboard.press("x")
    page.keyboard.press("Control+Enter")
    expect(page.locator("#reject")).to_be_visible()
    page.locator("#reject select").select_option("relation_unproven")
    page.locator("#reject input[type=checkbox]").check()
    page.keyboard.press("Control+Enter")
    page.wait_for_url("**/console/reviews/mine?done=1")
    expect(page.get_by_role("status").filter(has_text="没有更多")).to_be_visible()


def test_the_browser_is_gone_and_the_decision_is_sent(sits_down: SitsDown, office: Office, cases: list[str]) -> None:
    page = sits_down("reviewer")
    page.keyboard.press("g")
    on(page, cases[0])
    page.keyboard.press("a")
    page.keyboard.press("Control+Enter")
    on(page, cases[1])
    page.context.close()
    assert life.look(office, cases[0]).state == AGENCY_REVIEW
    life.advance(office, seconds=8)
    assert life.look(office, cases[0]).state == ACTIVE


def test_rows_are_walked_and_the_search_is_at_hand(sits_down: SitsDown, album: Album, cases: list[str]) -> None:
    page = sits_down("reviewer")
    page.get_by_role("link", name="审核队列").click()
    page.wait_for_url("**/console/reviews")
    album(page, "queue")
    for key in ("j", "j", "j", "k"):
        page.keyboard.press(key)
    expect(page.locator(".row.chosen a")).to_have_attribute("href", f"/console/reviews/{cases[1]}")
    page.keyboard.press("/")
    expect(page.locator("#q")).to_be_focused()
    page.keyboard.type("is:overdue go")
    expect(page.locator("#q")).to_have_value("is:overdue go")
    page.keyboard.press("Escape")
    page.keyboard.press("?")
    expect(page.get_by_role("heading", name="键盘快捷键")).to_be_visible()
    page.keyboard.press("Escape")
    page.keyboard.press("o")
    on(page, cases[1])


def test_documents_are_turned_and_enlarged(sits_down: SitsDown, album: Album, cases: list[str]) -> None:
    page = sits_down("reviewer")
    page.keyboard.press("g")
    on(page, cases[0])
    pane = page.locator("[data-pane]").first
    image, frame = pane.locator("img"), pane.locator(".frame")
    expect(image).to_have_js_property("complete", value=True)
    before = image.evaluate("image => image.getBoundingClientRect().width")
    for deed in ("旋转", "放大", "放大", "旋转", "旋转", "缩小", "旋转", "整行", "旋转"):
        pane.get_by_role("button", name=deed).click()
        over = frame.evaluate(REACHED)
        assert max(over) < 1, f"{over} px cannot be reached after {deed}"
    assert image.evaluate("image => getComputedStyle(image).transform").startswith("matrix(0, 1, -1, 0")
    pane.get_by_role("button", name="还原").click()
    assert image.get_attribute("style") in (None, "")
    assert image.evaluate("image => image.getBoundingClientRect().width") > before  # the whole row still
    page.get_by_label("查看授权人证件号码的用途").select_option("compare_document")
    page.get_by_role("button", name="查看证件号码 （授权人）", exact=True).first.click()
    expect(page.locator(".reveal .clear")).to_have_text(re.compile(r"^\d{17}[\dX]$"))
    expect(page.locator(".reveal .clear")).to_be_focused()  # where its form was, and is told
    expect(page.locator(".reveal").get_by_role("status")).to_contain_text("已留痕")
    album(page, "documents", whole=False)


def test_what_decides_is_on_the_first_screen(sits_down: SitsDown, cases: list[str]) -> None:
    page = sits_down("reviewer", viewport={"width": 1280, "height": 860})
    page.keyboard.press("g")
    on(page, cases[0])
    bar = page.locator(".actions").bounding_box()
    found = page.locator(".findings").bounding_box()
    assert bar is not None
    assert found is not None
    assert found["y"] + found["height"] < bar["y"]
    page.set_viewport_size({"width": 1024, "height": 768})
    tops = page.locator("[data-pane]").evaluate_all("panes => panes.map((pane) => pane.getBoundingClientRect().top)")
    assert tops[0] == tops[1]  # side by side
