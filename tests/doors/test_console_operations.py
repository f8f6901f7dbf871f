"""The operators' rooms over HTTP: every number and its list, scope, what is refused, and what is told live."""

import json
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import date
from typing import Any

import pytest

from console import live
from tasks.office import Office
from tests import life
from tests.browser.scenes import parked_letters, with_endpoint
from tests.doors.visitor import Comes, Visitor, in_review, somebody, text_of
from workflows.case import STATES
from workflows.views import moved

PAGES = (
    "/ops", "/ops/stuck", "/ops/due?name=submitted_to_materials", "/ops/letters?channel=alipay",
    "/ops/faces?provider=sandbox", "/ops/moves?state=active", "/ops/life", "/ops/life/active", "/ops/repairs",
    "/ops/escalated",
)  # fmt: skip
FORMS = ("/ops/find", "/ops/repairs", "/ops/bindings/{id}/repair", "/ops/repairs/rep_x/apply")


@pytest.fixture
def operator(comes: Comes) -> Visitor:
    return comes("operator")


def lose_deadlines(office: Office, *ids: str) -> None:
    with office.ledger.connection() as conn:
        conn.execute("delete from deadlines where binding_id = any(%s)", (list(ids),))


# -- the first screen -----------------------------------------------------------------------------------


def test_every_number_leads_to_its_list(operator: Visitor, office: Office):
    with_endpoint(office)
    stuck, letters = life.to_state(office, "face_check", seed=1), life.to_state(office, "active", seed=2)
    sent = len(life.events(office, letters))
    late = life.to_state(office, "unbinding", seed=3)
    life.skip(office, minutes=40)
    lose_deadlines(office, stuck)
    parked_letters(office, letters)
    page = operator.get("/ops")
    assert page.status_code == 200
    for href, binding_id in {
        "/ops/stuck?cause=no_deadline": stuck,
        "/ops/stuck?cause=delivery_parked": letters,
        "/ops/letters?channel=alipay&amp;which=parked": letters,
        "/ops/due?name=unbind_to_confirmed&amp;when=overdue": late,
        "/ops/letters?channel=alipay": stuck,
        "/ops/faces?provider=sandbox&amp;status=passed": letters,
        "/ops/moves?state=unbinding&amp;way=in&amp;span=day": late,
        "/ops/life/active": letters,
    }.items():
        assert f'href="/console{href}"' in page.text, href
        assert binding_id in operator.get(href.replace("&amp;", "&")).text, href
    parked = operator.get("/ops/letters?channel=alipay&which=parked")
    assert f'which=parked">{sent}</a>' in page.text  # the number, and as many rows behind it
    assert (parked.text.count("data-row"), stuck in parked.text) == (sent, False)
    stuck_tile = re.search(r'cause=no_deadline"><b>(\d+)</b>', page.text)
    assert stuck_tile is not None
    assert stuck_tile[1] == "1"


def test_a_review_that_was_not_decided_in_time_is_seen_though_its_new_time_is_far(operator: Visitor, office: Office):
    binding_id = life.to_state(office, "agency_review", seed=8)
    assert "/ops/escalated" not in operator.get("/ops").text
    review = life.look(office, binding_id).progress.review
    assert review is not None
    life.advance(office, seconds=int((review.due - office.ledger.now()).total_seconds()) + 1)
    assert life.events(office, binding_id)[-1] == "review_escalated"
    href = "/ops/escalated"
    assert f'href="/console{href}"' in operator.get("/ops").text
    assert binding_id in operator.get(href).text
    assert binding_id not in operator.get("/ops/due?name=review_to_decision").text  # it is armed anew


def test_a_quiet_town_says_so(operator: Visitor):
    page = text_of(operator.get("/ops"))
    assert "没有停滞的业务" in page
    assert "从未出现" in page  # no worker has given a sign yet: that is said too
    assert "定期清理" in page


def test_the_life_counts_everybody_where_he_is(operator: Visitor, office: Office):
    life.to_state(office, "active", seed=1)
    life.to_state(office, "active", seed=2, region="320500")
    life.to_state(office, "submitted", seed=3)
    life.skip(office, hours=5)
    page = operator.get("/ops/life")
    counted = dict(re.findall(r'id="node-(\w+)".*?class="node-count"[^>]*>(\d+)<', page.text, re.DOTALL))
    assert set(counted) == set(STATES)
    assert {state: n for state, n in counted.items() if n != "0"} == {"active": "2", "submitted": "1"}
    assert "中位 5 小时" in text_of(page)
    narrowed = operator.get("/ops/life?region=32&channel=alipay").text
    assert re.search(r'id="node-active".*?node-count"[^>]*>1<', narrowed, re.DOTALL)
    assert operator.get("/ops/life?region=abc").status_code == 422
    assert operator.get("/ops/life/nowhere").status_code == 404


def test_a_binding_is_found_however_its_id_is_typed(operator: Visitor, office: Office):
    binding_id = life.to_state(office, "submitted")
    operator.get("/ops")
    for typed in (binding_id, binding_id.lower(), binding_id.upper()):
        assert operator.post("/ops/find", q=typed).headers["location"] == f"/console/ops/bindings/{binding_id}"
    assert operator.get("/ops/find").headers["location"] == "/console/ops"  # reloaded, it begins anew


def test_the_attempts_at_a_provider_are_shown_by_how_they_ended(operator: Visitor, office: Office):
    binding_id = life.to_state(office, "face_check")
    life.end_face(office, life.start_face(office, binding_id), "no_match")
    both = operator.get("/ops/faces?provider=sandbox&status=error+expired")  # a number of the first screen
    assert ("error expired" in text_of(both), "人脸核验 无结果" in text_of(both)) == (False, True)
    assert 'status=error%20expired" aria-current="true">无结果' in both.text
    for status, rows in (("", 1), ("failed", 1), ("passed", 0)):
        page = operator.get(f"/ops/faces?provider=sandbox&status={status}").text
        assert page.count("data-row") == rows, status
        assert re.search(rf'status={status}" aria-current="true"' if status else r'sandbox" aria-current="true"', page)


def test_a_list_goes_on_where_it_ended(operator: Visitor, office: Office):
    ids = [life.to_state(office, "submitted", seed=seed) for seed in range(1, 53)]
    first = operator.get("/ops/life/submitted")
    more = re.search(r'class="more"><a class="button" href="/console([^"]+)"', first.text)
    assert more is not None
    second = operator.get(more[1].replace("&amp;", "&"))
    seen = [set(re.findall(r'value="(bnd_\w+)"', page.text)) for page in (first, second)]
    assert (len(seen[0]), seen[0] | seen[1], seen[0] & seen[1]) == (50, set(ids), set())


def test_somebody_is_found_by_id_and_by_number_and_the_look_is_logged(operator: Visitor, office: Office):
    binding_id = life.to_state(office, "active", seed=7)
    assert operator.post("/ops/find", q=binding_id).headers["location"].endswith(f"/ops/bindings/{binding_id}")
    found = operator.follow(operator.post("/ops/find", q=life.number(date(1985, 6, 1), 7)))
    assert binding_id in found.text
    missed = operator.follow(operator.post("/ops/find", q="张伟"))
    assert (missed.status_code, missed.text.count('action="/console/ops/find"')) == (404, 1)  # and one may try again
    with office.ledger.connection() as conn:
        looks = conn.execute("select act, purpose from access_log where principal = 'sandbox-operator'").fetchall()
    assert set(looks) == {("search", "operation")}


# -- who may come in, and what is not his ---------------------------------------------------------------


@pytest.mark.parametrize("name", ["reviewer", "counter", "supervisor"])
def test_the_operators_rooms_are_theirs(comes: Comes, name: str, office: Office):
    visitor, binding_id = comes(name), life.to_state(office, "active")
    shared = ("/ops/repairs",) if name == "supervisor" else ()
    for path in PAGES:
        assert visitor.get(path).status_code == (200 if path in shared else 403), path
    for path in FORMS:
        answer = visitor.post(path.format(id=binding_id), repair="rearm", reason="x", reach="all")
        assert answer.status_code == 403, path
    assert visitor.get(f"/ops/bindings/{binding_id}").status_code == (200 if shared else 403)
    with office.ledger.connection() as conn:
        assert conn.execute("select count(*) from repairs").fetchone() == (0,)


def test_a_form_of_another_site_changes_nothing(operator: Visitor, office: Office):
    binding_id = life.to_state(office, "active")
    path = f"/ops/bindings/{binding_id}/repair"
    assert operator.post(path, csrf="0" * 64, repair="rearm", reason="x").status_code == 403


def test_an_operator_sees_his_regions_only(comes: Comes, office: Office):
    here, there = life.to_state(office, "active", seed=1, region="320500"), life.to_state(office, "active", seed=2)
    life.to_state(office, "submitted", seed=3)
    suzhou = somebody(comes, office, ["operator"], ["320500"])
    listed = suzhou.get("/ops/life/active").text
    assert (here in listed, there in listed) == (True, False)
    assert re.search(r'id="node-active".*?node-count"[^>]*>1<', suzhou.get("/ops/life").text, re.DOTALL)
    assert re.search(r'id="node-submitted".*?node-count"[^>]*>0<', suzhou.get("/ops/life").text, re.DOTALL)
    assert there not in suzhou.get("/ops/moves?state=active").text
    assert suzhou.get(f"/ops/bindings/{here}").status_code == 200
    assert suzhou.get(f"/ops/bindings/{there}").status_code == 404
    assert suzhou.post(f"/ops/bindings/{there}/repair", repair="rearm", reason="x").status_code == 404
    made = comes("operator").post(f"/ops/bindings/{there}/repair", repair="rearm", reason="看过记录")
    order = made.headers["location"].removeprefix("/console")
    assert suzhou.get(order).status_code == 404
    assert suzhou.post(f"{order}/apply").status_code == 404


def test_a_page_that_renews_itself_keeps_nobody_signed_in(operator: Visitor, office: Office):
    def seen() -> Any:
        with office.ledger.connection() as conn:
            return conn.execute("select max(seen_at) from staff_sessions").fetchone()

    with office.ledger.connection() as conn:
        conn.execute("update staff_sessions set seen_at = seen_at - interval '5 minutes'")
    before = seen()
    assert operator.get("/ops", **{"X-Live": "1"}).status_code == 200
    with operator.http.stream("GET", "/live") as stream:
        assert stream.headers["content-type"].startswith("text/event-stream")
        assert next(stream.iter_lines()) == "retry: 3000"
    assert seen() == before
    operator.get("/ops")
    assert seen() > before


def test_the_stream_tells_what_moved_here(comes: Comes, office: Office, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(live, "LOOK", 0.1)
    monkeypatch.setattr(live, "TICK", 0.2)
    suzhou = somebody(comes, office, ["operator"], ["320500"])
    here: set[str] = set()
    with suzhou.http.stream("GET", "/live") as stream:
        lines = (line for line in stream.iter_lines() if line)
        assert next(lines) == "retry: 3000"
        while (line := next(lines)) != "event: moved":  # until a look has found where the history ended before
            if line == "event: tick":
                life.to_state(office, "submitted", seed=2 * len(here) + 101)
                here.add(life.to_state(office, "submitted", seed=2 * len(here) + 102, region="320500"))
        told = json.loads(next(lines).removeprefix("data: "))["ids"]
    assert told
    assert set(told) <= here


def test_the_stream_tells_whoever_has_the_work(office: Office):
    """A ticket lies with the member's agency, whatever region the binding is of."""
    _, behind = moved.since(office.ledger, None)
    binding_id = life.to_state(office, "offline_fallback", region="440100", member_region="320500")
    [told], _ = moved.since(office.ledger, behind)
    assert told.binding_id == binding_id
    assert {"440100", "320500"} <= set(told.places)


def test_work_is_offered_to_reviewers_of_ones_own_places_only(comes: Comes, office: Office):
    page = f"/ops/bindings/{in_review(office)}"
    assert "sandbox-reviewer-suzhou" in text_of(comes("operator").get(page))
    local = text_of(somebody(comes, office, ["operator"], ["440100"]).get(page))
    assert "sandbox-reviewer-2" in local
    assert "sandbox-reviewer-suzhou" not in local


# -- no query for each row ------------------------------------------------------------------------------


@contextmanager
def counted() -> Iterator[list[str]]:
    """The statements that this process sends meanwhile, by either way to the ledger."""
    import psycopg

    sent: list[str] = []
    execute = psycopg.Cursor.execute
    raw = psycopg.RawCursor.execute

    def note(before: Callable[..., Any]) -> Callable[..., Any]:
        def noted(self: Any, query: Any, *args: Any, **more: Any) -> Any:
            sent.append(str(query)[:80])
            return before(self, query, *args, **more)

        return noted

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(psycopg.Cursor, "execute", note(execute))
        patch.setattr(psycopg.RawCursor, "execute", note(raw))
        yield sent


def test_no_page_asks_the_ledger_for_each_row(comes: Comes, office: Office):
    with_endpoint(office)
    operator, supervisor = comes("operator"), comes("supervisor")
    pages = [(operator, path) for path in (*PAGES, "/ops/life/submitted")]
    pages += [(supervisor, f"/supervision{path}") for path in ("", "/sampling", "/suspended", "/staff", "/channels")]

    def costs() -> dict[str, int]:
        found = {}
        for visitor, path in pages:
            visitor.get(path)  # whatever is read once in a process has been read
            with counted() as sent:
                assert visitor.get(path).status_code == 200
            found[path] = len(sent)
        return found

    def grow(seeds: range) -> None:
        for seed in seeds:
            for state in ("submitted", "active", "suspended"):
                life.to_state(
                    office, state, seed=(seed * 7) % 997 + {"submitted": 0, "active": 2, "suspended": 4}[state]
                )

    grow(range(1, 6))
    few = costs()
    grow(range(6, 51))
    assert costs() == few
    assert max(few.values()) <= 22, few  # of which every second one asks whether the connection is still there
