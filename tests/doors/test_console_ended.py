"""Sessions that end while a page stands open: nobody is kept signed in by a page, and what was typed is not lost."""

import pytest

from tasks.office import Office
from tests.doors.visitor import Comes, Visitor, fields_of, in_review, text_of


@pytest.fixture
def binding_id(office: Office) -> str:
    return in_review(office)


@pytest.fixture
def reviewer(comes: Comes) -> Visitor:
    return comes("reviewer")


def seen_just_now(office: Office) -> bool:
    with office.ledger.connection() as conn:
        row = conn.execute("select bool_or(seen_at > clock_timestamp() - interval '1 minute') from staff_sessions")
        return row.fetchone() == (True,)


def idle_for(office: Office, minutes: int) -> None:
    with office.ledger.connection() as conn:
        conn.execute("update staff_sessions set seen_at = clock_timestamp() - make_interval(mins => %s)", (minutes,))


def test_an_open_page_keeps_nobody_signed_in(reviewer: Visitor, binding_id: str, office: Office) -> None:
    for worked in ("0", "1"):
        idle_for(office, 50)
        assert reviewer.post(f"/reviews/{binding_id}/beat", worked=worked).status_code == 200
        assert seen_just_now(office) == (worked == "1")


def test_what_a_page_asks_by_itself_leads_nowhere_else(reviewer: Visitor, binding_id: str, office: Office) -> None:
    idle_for(office, 61)
    asked = reviewer.http.post(f"/reviews/{binding_id}/beat", headers={"HX-Request": "true", "X-CSRF": reviewer.csrf})
    assert (asked.status_code, "hx-redirect" in asked.headers) == (401, False)


def test_what_was_sent_too_late_is_said_and_can_be_sent_again(
    comes: Comes, reviewer: Visitor, binding_id: str, office: Office
) -> None:
    page = str(reviewer.http.base_url.join(f"/console/reviews/{binding_id}"))
    idle_for(office, 61)
    reviewer.http.headers["Referer"] = page
    late = reviewer.post(f"/reviews/{binding_id}/note", action="note", body="已电话\n核实")
    assert (late.status_code, "未受理" in text_of(late)) == (401, True)
    assert f'href="/console/sign-in?next=/reviews/{binding_id}"' in late.text
    sent = fields_of(late, "/note")
    assert (sent["action"], sent["body"]) == ("note", "已电话\n核实")
    again = comes("reviewer")
    assert again.post(f"/reviews/{binding_id}/note", fields=sent | {"csrf": again.csrf}).status_code == 303
    assert "已电话 核实" in text_of(again.get(f"/reviews/{binding_id}"))


def test_what_another_tab_sends_after_one_has_signed_out_is_kept_too(reviewer: Visitor, binding_id: str) -> None:
    reviewer.get(f"/reviews/{binding_id}")
    here, left = reviewer.csrf, reviewer.http.cookies["kinbind_session"]
    assert reviewer.post("/sign-out").headers["location"] == "/console/sign-in"
    late = reviewer.post(f"/reviews/{binding_id}/note", csrf=here, action="note", body="写了很久")
    assert (late.status_code, fields_of(late, "/note")["body"]) == (401, "写了很久")
    reviewer.sign_in_as("reviewer")
    assert (reviewer.http.cookies["kinbind_session"] == left, reviewer.csrf == here) == (False, False)
    for csrf, status in ((here, 403), (None, 303)):  # the old token opens nothing; session.js brings the new one
        sent = fields_of(late, "/note")
        sent.pop("csrf")
        assert reviewer.post(f"/reviews/{binding_id}/note", csrf=csrf, fields=sent).status_code == status


def test_where_there_is_no_page_one_comes_to_the_one_above(reviewer: Visitor, binding_id: str, office: Office) -> None:
    idle_for(office, 61)
    for at, next_page in (
        (f"/console/reviews/{binding_id}/decide", f"?next=/reviews/{binding_id}"),  # an answer to a form
        ("/elsewhere", ""),
        ("", ""),
    ):
        late = reviewer.http.post("/reviews/next", data={"csrf": reviewer.csrf}, headers={"Referer": f"http://x{at}"})
        assert f'href="/console/sign-in{next_page}"' in late.text, at


def test_a_form_of_another_site_is_not_sent_again(reviewer: Visitor, binding_id: str, office: Office) -> None:
    idle_for(office, 61)
    for csrf in ("", "0" * 64):
        late = reviewer.post(f"/reviews/{binding_id}/note", csrf=csrf, body="不是我写的")
        assert (late.status_code, "不是我写的" in late.text, "send-again" in late.text) == (401, False, False)
