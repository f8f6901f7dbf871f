"""What a page does not offer is refused also to one who makes the request himself, with the page's own token."""

import pytest
from playwright.sync_api import Page

from tasks.office import Office
from tests import life
from tests.browser.conftest import SitsDown
from tests.doors.visitor import in_review
from workflows.case import ACTIVE, OFFLINE_FALLBACK

FORGE = """async ([path, fields]) => {
  const token = JSON.parse(document.body.getAttribute("hx-headers"))["X-CSRF"];
  const body = new URLSearchParams(fields);
  return (await fetch(path, { method: "POST", body, headers: { "X-CSRF": token }, redirect: "manual" })).status;
}"""
DECISIONS = {
    "approve": ("decide", {"action": "approve"}),
    "return": (
        "decide",
        {"action": "return", "tick": "commitment_letter", "reason.commitment_letter": "letter_unsigned"},
    ),
    "reject": ("decide", {"action": "reject", "reason": "relation_unproven", "sure": "yes"}),
}
AT_THE_WINDOW = {
    "verify": {"method": "compared_by_eye"},
    "refuse": {"reason": "relation_unproven", "sure": "yes"},
    "withdraw": {"sure": "yes"},
}


def forged(page: Page, office: Office, binding_id: str, path: str, fields: dict[str, str]) -> int:
    version = str(life.look(office, binding_id).version)
    status: int = page.evaluate(FORGE, [f"{page.url.partition('?')[0]}/{path}", fields | {"version": version}])
    return status


@pytest.mark.parametrize("holder", ["nobody", "somebody else"])
def test_without_the_lease_nothing_is_decided(sits_down: SitsDown, office: Office, base_url: str, holder: str) -> None:
    binding_id = in_review(office)
    if holder == "somebody else":
        life.claim(office, binding_id)
    page = sits_down("reviewer")
    page.goto(f"{base_url}/console/reviews/{binding_id}")
    before = life.look(office, binding_id).version
    for name, (path, fields) in DECISIONS.items():
        assert page.locator(f"[data-open={name}]").count() == 0
        assert forged(page, office, binding_id, path, fields) == 409, name
    life.advance(office, seconds=9)
    assert life.look(office, binding_id).version == before


@pytest.mark.parametrize("state", [ACTIVE, "face_check"])
def test_at_the_window_without_a_ticket(sits_down: SitsDown, office: Office, base_url: str, state: str) -> None:
    binding_id = life.to_state(office, state)
    page = sits_down("counter")
    page.goto(f"{base_url}/console/counter/{binding_id}")
    for name, fields in AT_THE_WINDOW.items():
        if page.locator(f"form[action$='/{name}']").count() == 0:
            assert forged(page, office, binding_id, name, fields) == 409, name
    assert life.look(office, binding_id).state == state


def test_a_reviewer_has_no_window_and_a_clerk_no_queue(sits_down: SitsDown, office: Office, base_url: str) -> None:
    case, ticket = in_review(office, seed=1), life.to_state(office, OFFLINE_FALLBACK, seed=2)
    for name, room, binding_id, path in (
        ("reviewer", "counter", ticket, "verify"),
        ("counter", "reviews", case, "claim"),
    ):
        page = sits_down(name)
        page.goto(f"{base_url}/console/")
        target = f"{base_url}/console/{room}/{binding_id}/{path}"
        assert page.evaluate(FORGE, [target, {"version": "1"}]) == 403
