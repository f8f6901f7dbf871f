"""One case on a page that stands open: it moves while somebody looks at it, or writes about it."""

import re

from playwright.sync_api import Page, expect

from tasks.office import Office
from tests import life
from tests.browser.conftest import Album, SitsDown
from tests.browser.scenes import parked_letters, with_endpoint
from tests.doors.visitor import in_review
from workflows.case import OFFLINE_FALLBACK

MOVED = "该业务已有新的进展"


def at(page: Page, base_url: str, path: str) -> Page:
    """The page, once the stream is heard."""
    page.goto(f"{base_url}/console{path}")
    expect(page.locator("html")).to_have_attribute("data-stream", "on")
    return page


def written(page: Page, label: str, text: str) -> None:
    """Somebody writes, and then looks elsewhere."""
    page.get_by_label(label).first.fill(text)
    page.get_by_label(label).first.blur()


# -- at the window --------------------------------------------------------------------------------------


def test_what_the_system_does_is_seen_at_the_window(
    sits_down: SitsDown, album: Album, base_url: str, office: Office
) -> None:
    binding_id = life.to_state(office, "materials_uploaded")
    page = at(sits_down("counter"), base_url, f"/counter/{binding_id}")
    expect(page.get_by_role("button", name="核验通过")).to_have_count(0)
    life.say(office, "route_offline", binding_id, reason="declines_face")
    expect(page.locator(".chip-offline_fallback")).to_be_visible()
    offline = life.look(office, binding_id).progress.offline
    assert offline is not None
    expect(page.locator(".ticket-code")).to_have_text(f"{offline.code[:4]}-{offline.code[4:]}")
    expect(page.locator(".sentence")).to_contain_text("转线下办理")
    expect(page.locator(".checks li").first).to_be_visible()
    expect(page.locator("#moved-on")).to_be_hidden()
    album(page, "ticket-live")
    page.get_by_label("人工比对").check()  # what has come is a form like any other
    page.get_by_role("checkbox", name="家庭成员").check()
    page.get_by_label("我已人工核对参保状态").check()
    page.get_by_role("button", name="核验通过").click()
    expect(page.locator(".chip-active")).to_be_visible()


def test_what_a_clerk_writes_stays_though_the_case_moves(
    sits_down: SitsDown, album: Album, base_url: str, office: Office
) -> None:
    binding_id = life.to_state(office, OFFLINE_FALLBACK)
    page = at(sits_down("counter"), base_url, f"/counter/{binding_id}")
    written(page, "备注（选填）", "证件已核对")
    page.locator("summary", has_text="应申请人要求撤回").click()
    life.say(office, "resume_online", binding_id, life.channel())
    expect(page.locator(".chip-face_check")).to_be_visible()
    expect(page.locator("#moved-on")).to_contain_text(MOVED)
    expect(page.get_by_label("备注（选填）").first).to_have_value("证件已核对")
    expect(page.get_by_role("button", name="应申请人要求撤回")).to_be_visible()
    album(page, "ticket-moved-on")
    page.get_by_role("link", name="刷新页面").click()
    expect(page.get_by_role("button", name="核验通过")).to_have_count(0)
    expect(page.locator("#moved-on")).to_be_hidden()


def test_what_was_refused_stands_there_as_it_was_typed(sits_down: SitsDown, base_url: str, office: Office) -> None:
    binding_id = life.to_state(office, OFFLINE_FALLBACK)
    page = at(sits_down("counter"), base_url, f"/counter/{binding_id}")
    page.get_by_label("人工比对").check()
    page.get_by_label("备注（选填）").first.fill("证件已核对")
    page.get_by_role("button", name="核验通过").click()  # nobody is there
    expect(page.get_by_role("alert")).to_be_visible()
    expect(page.locator("html")).to_have_attribute("data-stream", "on")
    life.say(office, "resume_online", binding_id, life.channel())
    expect(page.locator("#moved-on")).to_contain_text(MOVED)
    expect(page.locator(".chip-face_check")).to_be_visible()
    expect(page.get_by_label("备注（选填）").first).to_have_value("证件已核对")
    expect(page.get_by_label("人工比对")).to_be_checked()


def test_a_number_in_clear_stays_in_clear(sits_down: SitsDown, base_url: str, office: Office) -> None:
    binding_id = life.to_state(office, "materials_uploaded")
    page = at(sits_down("counter"), base_url, f"/counter/{binding_id}")
    page.locator(".reveal select").first.select_option("compare_document")
    page.locator(".reveal button").first.click()
    expect(page.locator(".number.clear")).to_have_text(re.compile("张伟|李秀英"))
    life.say(office, "route_offline", binding_id, reason="declines_face")
    expect(page.locator(".ticket-code")).to_be_visible()
    expect(page.locator(".number.clear")).to_have_count(1)


# -- at a reviewer's --------------------------------------------------------------------------------------


def test_a_reviewer_sees_that_a_case_is_no_longer_his_to_take(
    sits_down: SitsDown, album: Album, base_url: str, office: Office
) -> None:
    binding_id = in_review(office)
    page = at(sits_down("reviewer"), base_url, f"/reviews/{binding_id}")
    expect(page.get_by_role("button", name="领取本件")).to_be_visible()
    life.say(office, "withdraw", binding_id, life.channel(life.look(office, binding_id).application.channel))
    expect(page.locator(".sentence")).to_contain_text("该绑定已撤回")
    expect(page.get_by_role("button", name="领取本件")).to_have_count(0)
    expect(page.locator(".actions")).to_contain_text("不在审核中： 已撤回")
    expect(page.locator("#lease")).to_have_count(0)
    expect(page.locator("#live-history")).to_contain_text("撤回")
    expect(page.locator("#moved-on")).to_be_hidden()
    album(page, "case-withdrawn", whole=False)


def test_a_reviewers_note_and_his_look_at_a_document_stay(
    sits_down: SitsDown, base_url: str, cases: list[str], office: Office
) -> None:
    page = at(sits_down("reviewer"), base_url, f"/reviews/{cases[0]}")
    page.locator("[data-pane]").first.get_by_role("button", name="旋转").click()
    page.get_by_role("button", name="备注").click()
    page.locator("#note-body").fill("已电话核实")
    page.keyboard.press("Escape")
    page.locator("#main").click(position={"x": 5, "y": 5})
    life.say(office, "withdraw", cases[0], life.channel(life.look(office, cases[0]).application.channel))
    expect(page.locator(".sentence")).to_contain_text("该绑定已撤回")
    expect(page.locator("#moved-on")).to_contain_text(MOVED)
    expect(page.locator("[data-pane]").first.locator(".moved")).to_have_count(1)
    page.get_by_role("button", name="备注").click()
    expect(page.locator("#note-body")).to_have_value("已电话核实")
    page.keyboard.press("Control+Enter")
    expect(page.locator("#notes")).to_contain_text("已电话核实")


def test_a_dialog_that_was_opened_meanwhile_stays(sits_down: SitsDown, base_url: str, office: Office) -> None:
    """The answer was on its way when he opened it, and he has not written anything yet."""
    binding_id = in_review(office)
    page = at(sits_down("reviewer"), base_url, f"/reviews/{binding_id}")
    page.evaluate("""() => document.addEventListener("htmx:beforeSwap", () => {
      document.getElementById("note").showModal();
      document.activeElement.blur();
    }, { once: true })""")
    life.say(office, "withdraw", binding_id, life.channel(life.look(office, binding_id).application.channel))
    expect(page.locator("#note")).to_be_visible()
    expect(page.locator(".sentence")).to_contain_text("该绑定")
    page.wait_for_load_state("networkidle")
    expect(page.locator("#note")).to_be_visible()
    page.keyboard.press("Escape")
    expect(page.get_by_role("button", name="领取本件")).to_have_count(0)  # and then it is as it is


# -- at an operator's ---------------------------------------------------------------------------------------


def verbs(page: Page) -> list[str]:
    return page.locator("select.verb option").evaluate_all("all => all.map((one) => one.value)")


def test_a_bindings_page_is_of_one_moment(sits_down: SitsDown, album: Album, base_url: str, office: Office) -> None:
    binding_id = life.to_state(office, "face_check")
    page = at(sits_down("operator"), base_url, f"/ops/bindings/{binding_id}")
    before = verbs(page)
    life.say(office, "withdraw", binding_id)
    expect(page.locator(".sentence")).to_contain_text("该绑定已撤回")
    expect(page.locator(".head .chip-state")).to_have_text("已撤回")
    expect(page.locator("#live-history")).to_contain_text("撤回")
    assert set(verbs(page)) < set(before)
    expect(page.locator("#moved-on")).to_be_hidden()
    album(page, "binding-live")


def test_a_repair_that_is_being_written_stays(sits_down: SitsDown, base_url: str, office: Office) -> None:
    binding_id = life.to_state(office, "face_check")
    page = at(sits_down("operator"), base_url, f"/ops/bindings/{binding_id}")
    before = verbs(page)
    written(page, "原因（留痕，当事人不可见）", "家庭来电")
    life.say(office, "withdraw", binding_id)
    expect(page.locator(".head .chip-state")).to_have_text("已撤回")
    expect(page.locator("#moved-on")).to_contain_text(MOVED)
    expect(page.get_by_label("原因（留痕，当事人不可见）").first).to_have_value("家庭来电")
    assert verbs(page) == before


def test_the_reason_of_a_letter_sent_again_stays(sits_down: SitsDown, base_url: str, office: Office) -> None:
    with_endpoint(office)
    binding_id = life.to_state(office, "face_check")
    parked_letters(office, binding_id)
    page = at(sits_down("operator"), base_url, f"/ops/bindings/{binding_id}")
    written(page, "原因（留痕，当事人不可见）", "渠道已恢复")
    life.say(office, "withdraw", binding_id)
    expect(page.locator("#live-history")).to_contain_text("撤回")
    expect(page.get_by_label("原因（留痕，当事人不可见）").first).to_have_value("渠道已恢复")
