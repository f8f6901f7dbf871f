"""The first sign-in of an account in a real browser: a password of one's own, a phone that is paired, and in again."""

import time

import pyotp
from playwright.sync_api import Page, expect

from tasks.office import Office
from tests.browser.conftest import Album, SitsDown
from workflows.access import accounts

OWN = "a long walk by the Pearl River"


def sign_in(page: Page, password: str, code: str = "") -> None:
    page.get_by_label("用户名").fill("li.na")
    page.get_by_label("密码").fill(password)
    page.get_by_label("动态码").fill(code)
    page.get_by_role("button", name="登录").click()


def test_from_the_one_time_password_to_work(sits_down: SitsDown, album: Album, office: Office) -> None:
    _, password = accounts.add(office.ledger, "li.na", "李娜", ["reviewer"], ["440100"])
    page = sits_down()
    sign_in(page, "wrong")
    expect(page.get_by_role("alert")).to_contain_text("用户名、密码或动态码不正确")
    sign_in(page, password)
    page.wait_for_url("**/console/set-up")
    album(page, "set-up")
    phone = pyotp.TOTP(page.locator(".secret").inner_text())
    page.get_by_label("新密码").fill(OWN)
    page.get_by_label("再次输入").fill(OWN)
    page.get_by_label("动态码").fill(phone.now())
    page.get_by_role("button", name="完成").click()
    page.wait_for_url("**/reviews/mine")
    expect(page.locator(".who .name")).to_have_text("李娜")
    page.get_by_role("button", name="退出").click()
    page.wait_for_url("**/sign-in")
    sign_in(page, OWN, phone.at(time.time() + 30))  # the present code has been used
    page.wait_for_url("**/reviews/mine")
