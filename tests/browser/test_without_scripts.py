"""A reviewer whose browser runs no scripts decides all the same."""

from playwright.sync_api import expect

from tasks.office import Office
from tests import life
from tests.browser.conftest import SitsDown
from tests.doors.visitor import in_review


def test_a_case_is_returned_without_scripts(sits_down: SitsDown, base_url: str, office: Office) -> None:
    binding_id = in_review(office)
    page = sits_down("reviewer", java_script_enabled=False)
    page.goto(f"{base_url}/console/reviews/{binding_id}")
    page.get_by_role("button", name="领取本件").click()
    page.get_by_role("button", name="退回补正 R").click()
    dialog = page.get_by_role("dialog")
    expect(dialog).to_be_in_viewport()
    dialog.get_by_role("button", name="取消").click()
    expect(page.get_by_role("dialog")).to_have_count(0)
    page.get_by_role("button", name="退回补正 R").click()
    page.get_by_role("checkbox", name="个人承诺书").check()
    page.get_by_role("combobox", name="个人承诺书：原因").select_option("letter_unsigned")
    page.get_by_role("dialog").get_by_role("button", name="退回补正").click()
    page.wait_for_url("**/reviews/mine?done=1")
    life.advance(office, seconds=9)
    case = life.look(office, binding_id)
    assert (case.state, case.progress.correction is not None) == ("returned", True)
