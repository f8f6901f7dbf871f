"""Two reviewers after one case: one gets it, the other sees who, and nothing is decided twice."""

from playwright.sync_api import expect

from tasks.office import Office
from tests import life
from tests.browser.conftest import Album, SitsDown
from tests.doors.visitor import in_review
from workflows.case import ACTIVE


def test_two_after_one_case(sits_down: SitsDown, album: Album, office: Office) -> None:
    first, second = in_review(office, seed=1), in_review(office, seed=2)
    one, two = sits_down("reviewer"), sits_down("reviewer-2")
    one.keyboard.press("g")
    one.wait_for_url(f"**/reviews/{first}")
    two.keyboard.press("g")
    two.wait_for_url(f"**/reviews/{second}")
    two.goto(two.url.replace(second, first))
    expect(two.locator("#lease")).to_contain_text("sandbox-reviewer 办理中")
    expect(two.locator(".looking")).to_contain_text("sandbox-reviewer")
    expect(two.get_by_role("button", name="通过")).to_have_count(0)
    album(two, "somebody-else", whole=False)
    two.keyboard.press("a")  # a button that is not there has no key
    expect(two.locator("dialog[open]")).to_have_count(0)

    # the first goes away for a quarter of an hour; the second takes the case and decides it
    life.skip(office, minutes=16)
    two.reload()
    two.get_by_role("button", name="领取本件").click()
    expect(two.get_by_role("button", name="通过 A")).to_be_visible()
    two.wait_for_load_state("load")  # a key that is pressed on the page before goes with it
    two.keyboard.press("a")
    two.keyboard.press("Control+Enter")
    two.wait_for_url("**/reviews/**")
    expect(two.locator(".held-one")).to_be_visible()

    # the first comes back to a page that knows nothing of it: his decision is refused, in words
    one.keyboard.press("x")
    one.locator("#reject select").select_option("relation_unproven")
    one.locator("#reject input[type=checkbox]").check()
    one.keyboard.press("Control+Enter")
    expect(one.get_by_role("alert")).to_contain_text("请先领取该业务")
    expect(one.get_by_role("button", name="不予通过")).to_have_count(0)
    life.advance(office, seconds=9)
    assert life.look(office, first).state == ACTIVE
    assert life.events(office, first).count("approved") == 1
