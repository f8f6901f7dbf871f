"""The console without scripts: every dialog has an address, and a name in clear comes with its page."""

import re

import httpx
import pytest

from tasks.office import Office
from tests import life
from tests.doors.visitor import TICKED, Comes, Visitor, claimed, decide, in_review, text_of
from workflows.case import OFFLINE_FALLBACK

DIALOGS = ("approve", "return", "reject", "note", "escalate")


@pytest.fixture
def reviewer(comes: Comes) -> Visitor:
    return comes("reviewer")


def opened(page: httpx.Response) -> list[str]:
    return re.findall(r'<dialog id="(\w+)"[^>]* open[ >]', page.text)


def test_a_button_asks_for_the_page_with_its_dialog_open(reviewer: Visitor, office: Office) -> None:
    binding_id = in_review(office)
    path = f"/reviews/{binding_id}"
    assert opened(reviewer.get(f"{path}?open=approve")) == []  # whose case it is not, he decides nothing
    claimed(reviewer, binding_id)
    page = reviewer.get(path)
    assert opened(page) == []
    for kind in DIALOGS:
        assert re.search(rf'<button [^>]*form="opens" name="open" value="{kind}"', page.text), kind
        assert opened(reviewer.get(f"{path}?open={kind}")) == [kind]
    assert f'<form id="opens" action="/console{path}">' in page.text
    assert opened(reviewer.get(f"{path}?open=help")) == []


def test_what_was_refused_or_taken_back_is_gone_on_with(reviewer: Visitor, office: Office) -> None:
    binding_id = in_review(office)
    claimed(reviewer, binding_id)
    refused = decide(reviewer, office, binding_id, "reject", reason="relation_unproven", note="两页不一致")
    assert (opened(refused), "请勾选确认" in text_of(refused)) == (["reject"], True)
    decide(reviewer, office, binding_id, "return", **TICKED)
    page = reviewer.follow(reviewer.post(f"/reviews/{binding_id}/take-back"))
    assert '<input type="hidden" name="taken_back" value="1">' in page.text
    again = reviewer.get(f"/reviews/{binding_id}?taken_back=1&open=return")
    assert opened(again) == ["return"]
    assert re.search(r'value="commitment_letter"[^>]* checked', again.text)


@pytest.mark.parametrize("name", ["reviewer", "counter"])
def test_a_name_in_clear_comes_with_its_page(comes: Comes, office: Office, name: str) -> None:
    visitor = comes(name)
    case = in_review(office) if name == "reviewer" else life.to_state(office, OFFLINE_FALLBACK)
    path = f"/{'reviews' if name == 'reviewer' else 'counter'}/{case}/reveal"
    asked = {"field": "member.name", "purpose": "compare_document"}
    whole = visitor.post(path, fields=asked)
    assert (whole.status_code, "李秀英" in text_of(whole), "办理过程" in text_of(whole)) == (200, True, True)
    assert ('value="member.name"' in whole.text, 'value="holder.name"' in whole.text) == (False, True)
    visitor.http.headers["hx-request"] = "true"
    part = visitor.post(path, fields=asked)
    assert ("李秀英" in text_of(part), "办理过程" in text_of(part)) == (True, False)
