"""What stands on the pages is in words: no code of the machine's in a history or a letter, and nothing said twice."""

import re
from typing import Any

import pytest

from console.words import Tongue
from tasks.office import Office
from tests import life
from tests.browser.scenes import parked_letters, with_endpoint
from tests.doors.family import application
from tests.doors.test_console_counter import filled
from tests.doors.visitor import TICKED, Comes, claimed, decide, fields_of, in_review, text_of
from workflows.endpoints import EVENTS

# how an attempt at the sandbox's provider ends, and what the history says of it
FACES = {"timeout": "核验超时", "network": "网络异常", "user_cancelled": "核验已取消"}
ERRORS = {
    "connection_failed": "无法连接接收地址", "timeout": "接收方超时未答复", "http_418": "接收方返回 HTTP 418",
    "url_not_allowed": "推送地址不可用", "endpoint_disabled": "接收地址已停用",
}  # fmt: skip


@pytest.mark.parametrize("outcome", FACES)
def test_why_a_face_check_failed_is_in_words(comes: Comes, office: Office, outcome: str) -> None:
    binding_id = life.to_state(office, "face_check")
    life.end_face(office, life.start_face(office, binding_id), outcome)
    page = text_of(comes("operator").get(f"/ops/bindings/{binding_id}"))
    assert f"人脸核验未通过 · {FACES[outcome]}" in page
    assert "face_" not in page


@pytest.mark.parametrize("error", ERRORS)
def test_why_a_letter_was_not_taken_is_in_words(comes: Comes, office: Office, error: str) -> None:
    with_endpoint(office)
    binding_id, operator = life.to_state(office, "submitted"), comes("operator")
    parked_letters(office, binding_id, error)
    for path in (f"/ops/bindings/{binding_id}", "/ops/stuck", "/ops/letters?channel=alipay&which=parked"):
        page = text_of(operator.get(path))
        assert (ERRORS[error] in page, error in page) == (True, False), path


def test_every_letter_has_a_name_in_both_languages() -> None:
    for language in ("zh", "en"):
        tongue = Tongue(language, lambda code, _: code)
        bare = [one for one in EVENTS if tongue.of("event", one.partition(".")[2]) == one.partition(".")[2]]
        assert bare == []


def test_nothing_stuck_is_said_so(comes: Comes) -> None:
    assert "没有停滞的业务。" in text_of(comes("operator").get("/ops/stuck"))


@pytest.mark.parametrize(("action", "said"), [("return", "退回补正"), ("reject", "不予通过"), ("approve", "审核通过")])
def test_what_was_decided_is_said_once(comes: Comes, office: Office, action: str, said: str) -> None:
    binding_id, reviewer = in_review(office), comes("reviewer")
    claimed(reviewer, binding_id)
    needed: dict[str, dict[str, Any]] = {"return": TICKED, "reject": {"reason": "relation_unproven", "sure": "yes"}}
    fields = needed.get(action, {})
    decide(reviewer, office, binding_id, action, **fields)
    life.advance(office, seconds=9)
    rows = re.search(r'<ul class="rows">(.*?)</ul>', reviewer.get("/reviews/done").text, re.DOTALL)
    assert rows
    chips = re.findall(r'class="chip [^"]*">([^<]+)<', rows[1])
    assert chips == (["通过", "已生效"] if action == "approve" else [said])


def test_a_clerk_sees_what_was_filled_in_and_goes_back_with_it(comes: Comes) -> None:
    clerk, body = comes("counter"), application()
    notices = clerk.post("/counter/new", fields=filled(body))
    shown = re.search(r'<section class="card" id="filled">(.*?)</section>', notices.text, re.DOTALL)
    assert shown
    for role in ("holder", "member"):
        for name in ("name", "id_number", "insured_region"):
            assert body[role][name] in shown[1], (role, name)
    assert 'formaction="/console/counter/new/change" formnovalidate' in notices.text
    assert 'href="/console/counter/new">重新填写' not in notices.text  # nothing is thrown away unasked
    back = clerk.post("/counter/new/change", fields=fields_of(notices, "/counter/new/submit"))
    assert (back.status_code, 'role="alert"' in back.text) == (200, False)
    for role in ("holder", "member"):
        assert f'name="{role}.id_number"' in back.text
        assert f'value="{body[role]["id_number"]}"' in back.text
    assert f'value="{body["relationship"]}" selected' in back.text


def test_the_navigation_is_asked_for_alone(comes: Comes, office: Office) -> None:
    reviewer = comes("reviewer")
    in_review(office)
    answer = reviewer.get("/rooms", **{"x-live": "1", "hx-current-url": "https://x/console/reviews?q="})
    assert re.search(r'href="/console/reviews" aria-current="page">审核队列 <span class="count">1</span>', answer.text)
    assert answer.text.count("<nav") == 1
    assert "<html" not in answer.text
    assert reviewer.get("/rooms", **{"hx-current-url": "https://[/"}).status_code == 200
    assert comes("").get("/rooms").status_code == 303


def test_every_page_belongs_to_an_entry_of_the_navigation(comes: Comes, office: Office) -> None:
    operator = comes("operator")
    binding_id = life.to_state(office, "submitted")
    for path, link, current in (
        ("/ops", "/ops", "page"),
        ("/ops/stuck", "/ops", "true"),
        (f"/ops/bindings/{binding_id}", "/ops", "true"),
        ("/ops/life?region=44", "/ops/life", "page"),
        ("/ops/life/active", "/ops/life", "true"),
    ):
        navigation = re.search(r'<nav class="rooms".*?</nav>', operator.get(path).text, re.DOTALL)
        assert navigation is not None
        assert re.findall(r'href="/console([^"]*)" aria-current="(\w+)"', navigation[0]) == [(link, current)], path
