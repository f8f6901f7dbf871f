"""A session that ends under somebody's hands: he is told, signs in beside, and sends what he has typed."""

import re

from playwright.sync_api import Page, expect

from tasks.office import Office
from tests import life
from tests.browser.conftest import Album, SitsDown
from tests.doors.visitor import in_review
from workflows.case import OFFLINE_FALLBACK


def signs_out(office: Office) -> None:
    with office.ledger.connection() as conn:
        conn.execute("update staff_sessions set seen_at = clock_timestamp() - interval '61 minutes'")


def signs_in_beside(page: Page, name: str) -> Page:
    with page.context.expect_page() as opened:
        page.get_by_role("link", name="在新标签页重新登录").click()
    comes_in(opened.value, name)
    return opened.value


def comes_in(page: Page, name: str) -> None:
    page.get_by_role("button", name=f"sandbox-{name}", exact=True).click()
    page.wait_for_url(lambda url: "sign-in" not in url)


def test_a_note_that_is_being_written_is_sent_after_all(
    sits_down: SitsDown, album: Album, base_url: str, office: Office
) -> None:
    binding_id = in_review(office)
    page = sits_down("reviewer")
    page.goto(f"{base_url}/console/reviews/{binding_id}")
    page.keyboard.press("n")
    page.locator("#note-body").fill("写了很久")
    signs_out(office)
    out = page.locator("#note [data-out]")
    expect(out).to_be_visible()
    album(page, "signed-out-dialog", whole=False)
    beside = signs_in_beside(page, "reviewer-2")
    expect(beside.locator("html")).to_have_attribute("data-stream", "on")
    expect(out).to_be_visible()  # another's session sends nothing of his
    beside.get_by_role("button", name="退出").click()
    comes_in(beside, "reviewer")
    expect(page.locator("#note [data-in]")).to_be_visible()
    expect(page.locator("#note-body")).to_have_value("写了很久")
    page.keyboard.press("Control+Enter")
    expect(page.locator("#notes")).to_contain_text("写了很久")


def at_the_window(page: Page, base_url: str, office: Office) -> None:
    page.goto(f"{base_url}/console/counter/{life.to_state(office, OFFLINE_FALLBACK)}")
    page.get_by_label("人工比对").check()
    page.get_by_role("checkbox", name="家庭成员").check()
    page.get_by_label("备注（选填）").first.fill("证件已核对")
    signs_out(office)
    page.get_by_role("button", name="核验通过").click()
    expect(page.get_by_role("alert")).to_contain_text("刚才提交的内容未受理")


def test_what_came_too_late_is_sent_again(sits_down: SitsDown, album: Album, base_url: str, office: Office) -> None:
    page = sits_down("counter")
    at_the_window(page, base_url, office)
    album(page, "signed-out", whole=False)
    signs_in_beside(page, "counter")
    page.get_by_role("button", name="重新提交").click()
    page.wait_for_url(re.compile("/console/counter/bnd_"))
    expect(page.locator(".notice-good").filter(has_text="窗口已核验通过")).to_be_visible()


def test_or_one_goes_back_to_the_form(sits_down: SitsDown, base_url: str, office: Office) -> None:
    page = sits_down("counter")
    at_the_window(page, base_url, office)
    signs_in_beside(page, "counter")
    page.get_by_role("button", name="返回上一页").click()
    expect(page.get_by_label("备注（选填）").first).to_have_value("证件已核对")
    expect(page.get_by_label("人工比对")).to_be_checked()
    page.get_by_role("button", name="核验通过").click()
    expect(page.locator(".notice-good").filter(has_text="窗口已核验通过")).to_be_visible()
