"""The keys: explained wherever they work, the same with Caps Lock on, and gone for whoever has switched them off."""

import re

from playwright.sync_api import expect

from tasks.office import Office
from tests import life
from tests.browser.conftest import Album, SitsDown, on
from workflows.case import OFFLINE_FALLBACK


def test_capitals_are_the_same_keys(sits_down: SitsDown, cases: list[str]) -> None:
    page = sits_down("reviewer")
    page.keyboard.press("G")
    on(page, cases[0])
    page.keyboard.press("X")
    expect(page.locator("#reject")).to_be_visible()


def test_who_wants_no_keys_has_none(sits_down: SitsDown, album: Album, base_url: str, cases: list[str]) -> None:
    page = sits_down("reviewer")
    page.goto(f"{base_url}/console/reviews")
    page.keyboard.press("?")
    off = page.get_by_label("停用单键快捷键")
    off.check()
    album(page, "keys", whole=False)
    page.keyboard.press("Escape")
    page.get_by_role("button", name="领取下一件").click()
    on(page, cases[0])
    approve = page.get_by_role("button", name="通过", exact=True)  # no key is promised any more
    expect(approve).to_be_visible()
    for key in ("a", "r", "x", "n", "e", "?", "/", "j", "u", "g"):
        page.keyboard.press(key)
    expect(page.locator("dialog[open]")).to_have_count(0)
    assert page.url.endswith(cases[0])
    approve.click()  # what is no single letter still works
    page.keyboard.press("Escape")
    expect(page.locator("dialog[open]")).to_have_count(0)
    page.get_by_role("button", name="键盘快捷键").click()
    off.uncheck()
    page.keyboard.press("Escape")
    page.keyboard.press("a")
    expect(page.locator("#approve")).to_be_visible()


def test_the_window_begins_in_the_box_for_codes(sits_down: SitsDown) -> None:
    page = sits_down("counter")
    expect(page.get_by_label("办事凭号")).to_be_focused()
    expect(page.get_by_role("link", name="窗口受理新申请").last).to_have_text(re.compile(r"Esc\s*N$"))
    page.keyboard.press("Escape")
    page.keyboard.press("n")
    page.wait_for_url("**/counter/new")


def test_why_a_page_is_refused_is_where_one_begins(sits_down: SitsDown, base_url: str, office: Office) -> None:
    page, ticket = sits_down("counter"), life.to_state(office, OFFLINE_FALLBACK, seed=7)
    page.goto(f"{base_url}/console/nowhere")
    expect(page.get_by_role("alert")).to_be_focused()
    page.goto(f"{base_url}/console/counter/{ticket}")
    page.get_by_label("人工比对").check()
    page.get_by_role("button", name="核验通过").click()  # nobody is there
    expect(page.get_by_role("alert")).to_be_focused()


def test_the_keys_are_explained_wherever_they_work(sits_down: SitsDown, office: Office) -> None:
    life.to_state(office, OFFLINE_FALLBACK, seed=7)
    for role in ("counter", "operator", "supervisor"):
        page = sits_down(role)
        page.locator("h1").click()  # some pages begin in a field
        page.keyboard.press("?")
        expect(page.locator("#help .keys")).to_contain_text(re.compile(r"J\s*K\s*下一行"))
        expect(page.locator("#help .keys")).not_to_contain_text("退回补正")
