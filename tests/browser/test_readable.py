"""For every pair of eyes: axe finds nothing serious, nothing is cut off at twice the size or on a tablet."""

import pytest
from playwright.sync_api import Page, expect

from tasks.office import Office
from tests import life
from tests.browser.conftest import WIDE, Album, SitsDown
from tests.doors.visitor import in_review
from workflows.case import OFFLINE_FALLBACK

# Twice the size on a screen of 1280 px is a page of 640; a tablet upright has 820.
SIZES = {"desk": (1280, 800), "tablet": (820, 1180), "twice": (640, 400), "telephone": (390, 844)}


def paths(office: Office) -> dict[str, list[str]]:
    case, ticket = in_review(office, seed=1), life.to_state(office, OFFLINE_FALLBACK, seed=2)
    return {
        "reviewer": ["reviews", "reviews/mine", "reviews/waiting", "reviews/done", f"reviews/{case}",
                     f"reviews/{case}/sheet", "nowhere"],
        "counter": ["counter", "counter/new", f"counter/{ticket}", f"counter/{ticket}/slip"],
    }  # fmt: skip


@pytest.mark.timeout(240)
def test_every_page_at_every_size(sits_down: SitsDown, album: Album, office: Office, base_url: str) -> None:
    looked_at(sits_down(), album, "sign-in")
    for role, listed in paths(office).items():
        page = sits_down(role)
        for path in listed:
            page.goto(f"{base_url}/console/{path}")
            looked_at(page, album, path.replace("/", "-")[:30])


def looked_at(page: Page, album: Album, name: str) -> None:
    for size, (width, height) in SIZES.items():
        page.set_viewport_size({"width": width, "height": height})
        over = page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
        assert over <= 0, f"{name} is {over} px too wide for a {size}"
        assert page.locator("h1").count() == 1, name
        if size == "twice":
            head = page.locator(".top").bounding_box()
            assert head is not None
            assert head["height"] <= 120, f"{name}: the head takes {head['height']} of 400 px"
    page.set_viewport_size(WIDE)
    album(page, f"desk-{name}")  # what axe finds does not depend on the width


def test_the_other_tongue(sits_down: SitsDown, album: Album, office: Office, base_url: str) -> None:
    case = in_review(office)
    page = sits_down("reviewer")
    page.get_by_role("button", name="English").click()
    expect(page.get_by_role("heading", level=1)).to_contain_text("My work")
    page.goto(f"{base_url}/console/reviews/{case}")
    page.get_by_role("button", name="Claim").click()
    expect(page.get_by_role("button", name="Approve A")).to_be_visible()
    album(page, "case-english", whole=False)
    page.get_by_role("button", name="中文").click()
    expect(page.get_by_role("button", name="通过 A")).to_be_visible()


def test_the_way_in_by_keyboard(sits_down: SitsDown) -> None:
    page = sits_down("reviewer")
    page.keyboard.press("Tab")
    expect(page.locator(".skip")).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.locator("#main")).to_be_focused()


COLOUR = "([selector, part]) => getComputedStyle(document.querySelector(selector))[part]"


def test_in_colours_of_ones_own_all_is_seen(sits_down: SitsDown, office: Office, base_url: str) -> None:
    ticket, black, white = life.to_state(office, OFFLINE_FALLBACK), "rgb(0, 0, 0)", "rgb(255, 255, 255)"
    clerk, operator = (sits_down(role, forced_colors="active", color_scheme="dark") for role in ("counter", "operator"))
    assert clerk.evaluate(COLOUR, ["#rooms [aria-current]", "borderBottomColor"]) != black  # only where one is
    assert clerk.evaluate(COLOUR, ["#rooms a:not([aria-current])", "borderBottomColor"]) == black
    clerk.goto(f"{base_url}/console/counter/{ticket}/slip")
    assert clerk.evaluate(COLOUR, [".qr-box", "backgroundColor"]) == white
    assert clerk.evaluate(COLOUR, [".qr path:last-child", "stroke"]) == black
    operator.goto(f"{base_url}/console/ops/bindings/{ticket}")
    assert operator.evaluate(COLOUR, [".piece-at", "fill"]) == white
