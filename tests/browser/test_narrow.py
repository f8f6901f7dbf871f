"""On a tablet, and at twice the size: drawings that can be read, tables in their boxes, words in one piece."""

import pytest
from playwright.sync_api import Locator, Page, ViewportSize, expect

from tasks.office import Office
from tests import life
from tests.browser.conftest import Album, SitsDown
from tests.doors.visitor import in_review
from workflows.case import AGENCY_REVIEW, OFFLINE_FALLBACK, Actor

SIZES: list[ViewportSize] = [
    {"width": 1280, "height": 800}, {"width": 1024, "height": 768}, {"width": 820, "height": 1180},
    {"width": 640, "height": 800},
]  # fmt: skip
# the smallest letters of a drawing, in pixels as they are seen
SMALLEST = """svg => Math.min(...[...svg.querySelectorAll("text")].filter((one) => one.textContent).map(
  (one) => parseFloat(getComputedStyle(one).fontSize) * one.getScreenCTM().a))"""
OVER = "box => box.scrollWidth - box.clientWidth"
# cells whose words stand in more than one line
BROKEN = """table => [...table.querySelectorAll("th, td")].filter((cell) => {
  const range = document.createRange();
  range.selectNodeContents(cell);
  const tops = [...range.getClientRects()].map((one) => one.bottom);
  return Math.max(...tops) - Math.min(...tops) > 14;
}).map((cell) => cell.innerText)"""


@pytest.fixture
def paths(office: Office) -> dict[str, str]:
    binding_id = life.to_state(office, "active", seed=1)
    life.skip(office, hours=3)
    return {"life": "ops/life", "strip": f"ops/bindings/{binding_id}"}


@pytest.mark.parametrize("drawing", ["life", "strip"])
def test_a_drawing_can_be_read(
    sits_down: SitsDown, album: Album, base_url: str, paths: dict[str, str], drawing: str
) -> None:
    page = sits_down("operator")
    page.goto(f"{base_url}/console/{paths[drawing]}")
    box, hint = page.locator(".life-box"), page.locator(".scroll-hint")
    for size in SIZES:
        page.set_viewport_size(size)
        assert page.locator(f"svg.{drawing}").evaluate(SMALLEST) >= 12, size
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth"), size
        # what does not fit can be scrolled to, by keyboard too, and the page says so
        assert (box.evaluate(OVER) > 0) == hint.is_visible(), size
        album(page, f"{drawing}-{size['width']}")
    box.focus()
    page.keyboard.press("End")
    for _ in range(12):
        page.keyboard.press("ArrowRight")
    expect(box).not_to_have_js_property("scrollLeft", 0)


def test_a_drawing_stays_where_it_was_scrolled_to(sits_down: SitsDown, base_url: str, office: Office) -> None:
    page = sits_down("operator", viewport={"width": 820, "height": 1180})
    page.goto(f"{base_url}/console/ops/life")
    expect(page.locator("html")).to_have_attribute("data-stream", "on")
    box = page.locator(".life-box")
    box.focus()
    box.evaluate("box => { box.scrollLeft = 90; }")
    life.to_state(office, "submitted")
    expect(page.locator("#node-submitted .node-count")).to_have_text("1")
    expect(box).to_have_js_property("scrollLeft", 90)
    expect(box).to_be_focused()


def test_the_workload_keeps_its_words_together(
    sits_down: SitsDown, album: Album, base_url: str, office: Office
) -> None:
    binding_id = life.to_state(office, AGENCY_REVIEW)
    reviewer = Actor("reviewer", "sandbox-reviewer", regions=("000000",))
    life.claim(office, binding_id, reviewer)
    life.say(office, "approve", binding_id, reviewer)
    sits_down("reviewer")  # seen just now
    page = sits_down("supervisor")
    page.goto(f"{base_url}/console/supervision")
    for size in SIZES:
        page.set_viewport_size(size)
        assert page.locator("table").evaluate(BROKEN) == [], size
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth"), size
        assert inside(page.locator(".scroll"), page), size
        assert size["width"] < 820 or page.locator(".scroll").evaluate(OVER) <= 0, size
        album(page, f"workload-{size['width']}")
    rooms = page.locator(".rooms")
    if rooms.evaluate(OVER) > 0:  # that edge is light
        assert "linear-gradient" in rooms.evaluate("rooms => getComputedStyle(rooms).backgroundImage")


def inside(box: Locator, page: Page) -> bool:
    found = box.bounding_box()
    return found is not None and found["x"] + found["width"] <= page.evaluate("innerWidth")


def test_the_help_lies_over_nothing(sits_down: SitsDown, office: Office, base_url: str) -> None:
    case = in_review(office)
    page = sits_down("reviewer")
    for path in ("reviews", f"reviews/{case}"):
        page.goto(f"{base_url}/console/{path}")
        page.evaluate("scrollTo(0, 300)")
        button = page.locator(".help-button")
        assert button.evaluate("one => getComputedStyle(one).position") != "fixed"
        expect(button).to_have_count(1)
        button.click()
        expect(page.get_by_role("heading", name="键盘快捷键")).to_be_visible()


def test_the_numbers_of_the_navigation_are_right_on_a_case_too(sits_down: SitsDown, office: Office) -> None:
    first = in_review(office, seed=1)
    page = sits_down("reviewer")
    page.keyboard.press("g")
    page.wait_for_url(f"**/reviews/{first}")
    count = page.get_by_role("link", name="审核队列").locator(".count")
    expect(count).to_have_text("1")
    page.keyboard.press("n")
    page.keyboard.type("两位")
    page.keyboard.press("Escape")
    expect(page.locator("html")).to_have_attribute("data-stream", "on")
    in_review(office, seed=2)
    expect(count).to_have_text("2")
    expect(page.locator("#note-body")).to_have_value("两位")
    expect(page.get_by_role("button", name="通过 A")).to_be_visible()


# whether all of the current link is seen in the box of the navigation
IN_SIGHT = """rooms => {
  const here = rooms.querySelector("[aria-current]").getBoundingClientRect(), box = rooms.getBoundingClientRect();
  return here.left >= box.left && here.right <= box.right;
}"""


def test_on_a_phone_one_sees_where_one_is(sits_down: SitsDown, album: Album, base_url: str, office: Office) -> None:
    page = sits_down("supervisor", viewport={"width": 390, "height": 844})
    for path in ("supervision", "supervision/suspended", "supervision/packs"):
        page.goto(f"{base_url}/console/{path}")
        expect(page.locator("html")).to_have_attribute("data-stream", "on")
        assert page.locator(".rooms").evaluate(OVER) > 0
        assert page.locator(".rooms").evaluate(IN_SIGHT), path
        assert page.evaluate("scrollY") == 0
    album(page, "packs-390", whole=False)


# what stands out of the page, but for what is hidden or scrolls in a box of its own
OUTSIDE = """() => [...document.querySelectorAll("body *")].filter((one) => {
  const box = one.getBoundingClientRect(), boxed = one.closest(".rooms, .scroll, .life-box, svg, dialog:not([open])");
  return box.width > 1 && box.right > innerWidth + 1 && !boxed;
}).map((one) => `${one.tagName}.${one.className} ${Math.round(one.getBoundingClientRect().right)}`)"""
PAGES_OF = {
    "reviewer": ("reviews", "reviews/{case}", "reviews/{case}/sheet"),
    "counter": ("counter", "counter/{ticket}", "counter/{ticket}/slip"),
    "operator": ("ops/bindings/{case}", "ops/life/agency_review"),
    "supervisor": ("ops/bindings/{case}",),
}


@pytest.mark.parametrize("role", PAGES_OF)
def test_a_long_name_breaks_no_page(
    sits_down: SitsDown, album: Album, base_url: str, office: Office, role: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("workflows.views.public.mask_name", lambda _: "M" + "*" * 79)
    ids = {"case": in_review(office, seed=1), "ticket": life.to_state(office, OFFLINE_FALLBACK, seed=2)}
    page = sits_down(role)
    for path in PAGES_OF[role]:
        page.goto(f"{base_url}/console/{path.format(**ids)}")
        for width in (390, 820):
            page.set_viewport_size({"width": width, "height": 844})
            assert page.evaluate(OUTSIDE) == [], (path, width)
            assert page.evaluate("document.documentElement.scrollWidth <= innerWidth"), (path, width)
            album(page, f"long-name-{role}-{path.rpartition('/')[2].strip('{}')}-{width}")


def test_a_code_in_one_piece_breaks_no_page(sits_down: SitsDown, base_url: str) -> None:
    page = sits_down("supervisor", viewport={"width": 320, "height": 800})
    for path in ("packs/CN-44-guangdong/code_display", "channels"):
        page.goto(f"{base_url}/console/supervision/{path}")
        assert page.evaluate(OUTSIDE) == [], path
