"""The forms of the console: whatever somebody writes in one is not thrown away without a word."""

import re

import pytest

from tests.pure.test_console_words import CONSOLE

FORM = re.compile(r"<form\b.*?</form>", re.DOTALL)
WRITTEN = re.compile(r"<textarea|repair_fields\(")
# of all templates but the one that has nothing except dialogs, which are guarded as they are
PAGES = sorted(path for path in (CONSOLE / "templates").rglob("*.html") if path.name != "decisions.html")


@pytest.mark.parametrize("page", PAGES, ids=lambda path: path.name)
def test_a_form_in_which_somebody_writes_is_guarded(page):
    forms = [form for form in FORM.findall(page.read_text()) if WRITTEN.search(form)]
    assert [form[:80] for form in forms if "data-guard" not in form] == []
