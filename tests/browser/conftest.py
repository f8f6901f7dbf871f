"""A real Chromium before the whole service. `KINBIND_TEST_CHROMIUM` names another than the one on the PATH.

`SCREENSHOTS=folder` keeps a picture of every page that a test looks at.
"""

import io
import os
import re
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe  # type: ignore[import-untyped]
from PIL import Image
from playwright.sync_api import Browser, BrowserContext, Error, Page, ViewportSize, expect, sync_playwright

from tasks.office import Office
from tests import life
from tests.browser.papers import paper
from tests.doors.conftest import as_, base_url, comes, office, settings
from tests.doors.visitor import in_review
from tests.evidence import cannot_run

__all__ = ["as_", "base_url", "comes", "office", "settings"]  # the service of the doors' tests

# Milliseconds until a page shows what is expected of it. A count may be too old when a word of the stream has it asked
# for, on a machine where counting is slow: then the next tick or beat brings it.
SOON = 25_000
WIDE: ViewportSize = {"width": 1280, "height": 800}
SitsDown = Callable[..., Page]
Album = Callable[..., None]
# At the end of a page that somebody reads: nothing that a person with a screen reader would stumble over.
SERIOUS = ("serious", "critical")


def chromium() -> str | None:
    """The browser to drive: `KINBIND_TEST_CHROMIUM`, else one of the PATH, the one without windows first."""
    found = map(shutil.which, ("chromium-headless-shell", "chromium", "chromium-browser"))
    return os.environ.get("KINBIND_TEST_CHROMIUM") or next(filter(None, found), None)


@pytest.fixture(scope="module")  # it keeps an event loop in this thread: other tests have loops of their own
def browser() -> Iterator[Browser]:
    path = chromium()
    if path is None:
        cannot_run("no Chromium on the PATH (apt-get install chromium-headless-shell)")
    with sync_playwright() as playwright:
        try:
            started = playwright.chromium.launch(executable_path=path, args=["--no-sandbox"])
        except Error as error:
            cannot_run(f"Chromium does not start: {error.message.splitlines()[0]}")
        expect.set_options(timeout=SOON)
        yield started
        started.close()


@pytest.fixture
def sits_down(browser: Browser, base_url: str) -> Iterator[SitsDown]:
    """`sits_down("reviewer")`: a browser of its own in which that member of the sandbox's staff has signed in.

    Whatever the page's own rules refuse to load or run, and every fault of a script, fails the test at its end.
    """
    contexts: list[BrowserContext] = []
    faults: list[str] = []

    def page_of(name: str = "", **options: Any) -> Page:
        context = browser.new_context(**{"viewport": WIDE, "locale": "zh-CN", "timezone_id": "Asia/Shanghai"} | options)
        context.set_default_timeout(SOON)
        contexts.append(context)
        page = context.new_page()
        page.on("pageerror", lambda error: faults.append(str(error)))
        page.on("console", lambda said: faults.append(said.text) if "Content Security Policy" in said.text else None)
        page.goto(f"{base_url}/console/sign-in")
        if name:
            page.get_by_role("button", name=f"sandbox-{name}", exact=True).click()
            page.wait_for_url(lambda url: "sign-in" not in url)
        return page

    yield page_of
    for context in contexts:
        context.close()
    assert faults == []


@pytest.fixture
def album() -> Album:
    """`album(page, "queue")`: look at the page as axe does, and keep a picture of it where one is wanted."""
    folder = os.environ.get("SCREENSHOTS")

    def look(page: Page, name: str, *, whole: bool = True) -> None:
        if folder:
            Path(folder).mkdir(parents=True, exist_ok=True)
            taken = Image.open(io.BytesIO(page.screenshot(full_page=whole))).convert("RGB")
            taken.quantize(96).save(Path(folder) / f"{name}.png", optimize=True)
        found = Axe().run(page).response["violations"]
        serious = [
            (one["id"], [node["html"][:160] for node in one["nodes"]]) for one in found if one["impact"] in SERIOUS
        ]
        assert serious == [], name

    return look


@pytest.fixture
def cases(office: Office) -> list[str]:
    """Four cases with papers, the nearest due first."""
    ids = [in_review(office, seed=seed) for seed in range(1, 5)]
    with office.ledger.connection() as conn:
        for place, binding_id in enumerate(ids):
            conn.execute("update review_cases set due_at = due_at + %s * interval '1 minute' where binding_id = %s",
                         (place, binding_id))  # fmt: skip
    for binding_id in ids:
        for material in life.look(office, binding_id).materials:
            office.windows.documents.put(material["id"], paper(material["kind"]))
    return ids


def stays(page: Page, leave: Callable[[], None]) -> None:
    """Leaving asks first, and whoever says no is still there."""
    with page.expect_event("dialog") as asked:
        page.once("dialog", lambda dialog: dialog.dismiss())
        leave()
    assert asked.value.type == "beforeunload"


def on(page: Page, binding_id: str) -> None:
    page.wait_for_url(re.compile(rf"/console/reviews/{binding_id}(\?taken_back=1)?$"))
