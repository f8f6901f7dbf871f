"""The page of the API on a telephone: nothing over its border, and every link leads to what it names."""

from playwright.sync_api import ViewportSize, expect

from tests.browser.conftest import Album, SitsDown

TELEPHONE: ViewportSize = {"width": 390, "height": 844}
OPENED = "document.querySelectorAll('details').forEach(one => { one.open = true })"
# what reaches over its own box, but for examples, which scroll
OVER = """[...document.querySelectorAll("summary, summary code, p, li")]
  .filter(one => one.getBoundingClientRect().right > one.parentElement.getBoundingClientRect().right + 12)
  .map(one => one.innerText)"""


def test_the_page_of_the_api_fits_a_telephone(sits_down: SitsDown, album: Album, base_url: str) -> None:
    page = sits_down(viewport=TELEPHONE)
    page.goto(f"{base_url}/docs")
    page.evaluate(OPENED)
    assert page.evaluate(OVER) == []
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    page.get_by_role("link", name="Party", exact=True).first.click()
    expect(page.locator("#shape-Party")).to_be_in_viewport()
    album(page, "api", whole=False)
