"""The pictures of `docs/console.md`, taken anew: `python -m tests.browser.pictures`, once `make test` has run.

A town of made-up families lives for a day and a half in a fresh sandbox; then each room is looked at once.
"""

import io
import os
import tempfile
from pathlib import Path

from PIL import Image
from playwright.sync_api import Browser, Page, ViewportSize, sync_playwright

from embedded.postgres import TEST_SETTINGS, Postgres
from models import ledger
from tasks.office import Office, open_office
from tests import life
from tests.browser import scenes
from tests.browser.conftest import chromium
from tests.browser.papers import paper
from tests.doors.conftest import serving

FOLDER = Path(__file__).parents[2] / "docs" / "pictures"
WIDE: ViewportSize = {"width": 1280, "height": 860}
COLOURS = 96  # a page of text and flat colours has not many more


def keep(page: Page, name: str) -> None:
    """Keep what is on the screen, in few colours."""
    page.wait_for_load_state("load")
    page.wait_for_timeout(300)
    picture = Image.open(io.BytesIO(page.screenshot())).convert("RGB")
    picture.quantize(COLOURS, method=Image.Quantize.MEDIANCUT, dither=Image.Dither.NONE).save(
        FOLDER / f"{name}.png", optimize=True
    )


def take(browser: Browser, base: str, found: dict[str, list[str]]) -> None:
    """Sit down as each of the staff, and look."""
    rooms = {
        "reviewer": {},
        "counter": {"ticket": f"/counter/{found['offline_fallback'][0]}"},
        "operator": {
            "operator": "/ops", "life": "/ops/life",
            "binding": f"/ops/bindings/{found['face_check'][0]}",
        },
        "supervisor": {"supervisor": "/supervision", "policy": "/supervision/packs/CN-national/family_account"},
    }  # fmt: skip
    for name, pages in rooms.items():
        page = browser.new_context(viewport=WIDE, locale="zh-CN", timezone_id="Asia/Shanghai").new_page()
        page.goto(f"{base}/console/sign-in")
        page.get_by_role("button", name=f"sandbox-{name}", exact=True).click()
        page.wait_for_url(lambda url: "sign-in" not in url)
        for picture, path in pages.items():
            page.goto(f"{base}/console{path}")
            keep(page, picture)
        if name == "reviewer":
            _review(page)
        if name == "operator":
            page.get_by_label("原因（留痕，当事人不可见）").first.fill("期限丢失，按方案重新设定")
            page.get_by_role("button", name="试算").click()
            keep(page, "repair")
        page.context.close()


def _review(page: Page) -> None:
    """Take a case, begin to return it, approve it instead, and see what may still be taken back."""
    page.keyboard.press("g")
    page.wait_for_url("**/reviews/bnd_*")
    keep(page, "case")
    page.keyboard.press("r")
    page.locator("#return input[type=checkbox]").first.check()
    page.wait_for_timeout(500)
    keep(page, "return")
    page.keyboard.press("Escape")
    page.keyboard.press("a")
    page.keyboard.press("Control+Enter")
    page.wait_for_selector(".held-one")
    keep(page, "take-back")


def with_papers(office: Office, ids: list[str]) -> None:
    """Put something to look at behind the documents of these cases."""
    for binding_id in ids:
        for material in life.look(office, binding_id).materials:
            office.windows.documents.put(material["id"], paper(material["kind"]))


def main() -> None:
    """Take all of them."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="kinbind-pictures-") as name:
        Path(name).chmod(0o755)  # the server may run under another account
        with Postgres(Path(name) / "postgres", settings=TEST_SETTINGS) as server:
            os.environ |= {"KINBIND_DATABASE_URL": server.url, "KINBIND_VAR": name, "KINBIND_SANDBOX": "1"}
            ledger.migrate(server.url)
            with serving() as base, open_office() as office, sync_playwright() as playwright:
                found = scenes.town(office)
                scenes.gone_wrong(office, found)
                with_papers(office, found["agency_review"])
                browser = playwright.chromium.launch(executable_path=chromium(), args=["--no-sandbox"])
                take(browser, base, found)
                browser.close()


if __name__ == "__main__":
    main()
