"""Stuck: every cause sets and clears itself, has a fingerprint, and is told once each time."""

import threading
from collections.abc import Callable
from typing import Any

import httpx
import pytest

from tasks.feed import fan_out
from tasks.office import Office
from tasks.stuck import watch_stuck
from tests import life
from tests.doors.conftest import Caller
from tests.store.test_repairs import OPERATOR, SUPERVISOR
from workflows.repairs import carrying, orders
from workflows.repairs.orders import Wish
from workflows.repairs.verbs import BY_CAUSE
from workflows.views import overview, stuck
from workflows.views import repairs as shown
from workflows.views.narrowing import EVERYTHING
from workflows.views.stuck import CAUSES

Said = list[tuple[str, str]]


def run(office: Office, *statements: str) -> None:
    with office.ledger.connection() as conn:
        for statement in statements:
            conn.execute(statement)


def overdue(office: Office) -> None:
    life.to_state(office, "submitted")
    life.skip(office, days=8)


def fire(office: Office) -> None:
    from tasks.sweep import sweep

    sweep(office)


def nobody_asks(office: Office) -> None:
    life.to_state(office, "materials_uploaded")
    life.skip(office, minutes=2)


def ask(office: Office) -> None:
    from tasks.registries import ask_registries

    ask_registries(office)


def registry_down(office: Office) -> None:
    life.to_state(office, "materials_uploaded")
    life.registries(office).set_mode("down")
    for _ in range(2):
        ask(office)
        life.skip(office, minutes=15)
    ask(office)


def registry_up(office: Office) -> None:
    life.registries(office).set_mode("up")
    life.skip(office, minutes=15)
    ask(office)


def hand_dies(office: Office) -> None:
    life.to_state(office, "materials_uploaded")
    run(office, "update deadlines set leased_until = clock_timestamp() - interval '2 minutes' where watch")


def session_unanswered(office: Office) -> None:
    life.start_face(office, life.to_state(office, "face_check"))
    life.skip(office, minutes=41)
    run(office, "update face_sessions set poll_at = kinbind_now() + interval '5 minutes'")


def poll(office: Office) -> None:
    from tasks.faces import poll_faces

    run(office, "update face_sessions set poll_at = kinbind_now()")
    poll_faces(office)


def letter_parked(office: Office) -> None:
    from tasks.feed import fan_out

    life.to_state(office, "submitted")
    fan_out(office)
    run(office, "update deliveries set state = 'parked', settled_at = kinbind_now(), last_error = 'timeout'")


def letters_gone(office: Office) -> None:
    run(office, "update deliveries set state = 'delivered' where notice = ''")


def feed_behind(office: Office) -> None:
    life.to_state(office, "submitted")
    run(office, "update history set recorded_at = recorded_at - interval '2 minutes'")


def feed_on(office: Office) -> None:
    from tasks.feed import fan_out

    fan_out(office)


def plan_broken(office: Office) -> None:
    life.to_state(office, "submitted")
    run(office, """insert into plans select 'broken', body #- '{deadlines,submitted_to_materials}' from plans limit 1
                   on conflict do nothing""", "update bindings set plan = 'broken'")  # fmt: skip


def plan_right(office: Office) -> None:
    """The repair that fits."""
    with office.ledger.connection() as conn:
        ids = [row[0] for row in conn.execute("select id from bindings")]
    wish = Wish("replan", "方案缺少期限", {"binding_ids": ids}, {"version": "2026-11-01"})
    order = orders.make(office.ledger, OPERATOR, wish)
    carrying.to_its_end(office.desk, order, 20)
    orders.approve(office.ledger, SUPERVISOR, order)
    carrying.to_its_end(office.desk, order, 20)
    assert shown.repair(office.ledger, OPERATOR, order)["counts"] == {"done": 1}


def no_rows(office: Office) -> None:
    life.to_state(office, "submitted")
    run(office, "delete from deadlines")


def rows_again(office: Office) -> None:
    run(office, """insert into deadlines select id, 'submitted_to_materials', kinbind_now() + interval '1 day', false
                   from bindings""")  # fmt: skip


def hand_comes_back(office: Office) -> None:
    run(office, "update deadlines set leased_until = null")


def parked(office: Office) -> None:
    life.to_state(office, "submitted")
    run(office, "update deadlines set parked = 'step_poisoned'")


def unparked(office: Office) -> None:
    run(office, "update deadlines set parked = null")


WAYS: dict[str, tuple[Callable[[Office], None], Callable[[Office], None], str]] = {
    "deadline_overdue": (overdue, fire, "submitted_to_materials"),
    "no_deadline": (no_rows, rows_again, "submitted"),
    "system_slow": (nobody_asks, ask, "materials_to_checked"),
    "registry_unanswered": (registry_down, registry_up, "440100"),
    "feed_lagging": (feed_behind, feed_on, "alipay"),
    "callback_lost": (session_unanswered, poll, "sandbox"),
    "delivery_parked": (letter_parked, letters_gone, ""),
    "lease_lost": (hand_dies, hand_comes_back, "materials_to_checked"),
    "step_poisoned": (parked, unparked, "submitted_to_materials"),
    "plan_impossible": (plan_broken, plan_right, "CN-national:2026-11-01"),
}  # fmt: skip


def letters(office: Office) -> Said:
    with office.ledger.connection() as conn:
        return conn.execute(
            "select type, (body::jsonb) #>> '{data,cause}' from deliveries where notice <> '' order by id"
        ).fetchall()


def listed(as_: Caller) -> list[dict[str, Any]]:
    return as_("operator").get("/v1/ops/stuck").json()["items"]


def test_each_cause_of_the_order_is_tried_here_and_has_its_repairs():
    assert WAYS.keys() | {"delivery_late"} == CAUSES.keys() == BY_CAUSE.keys()


@pytest.mark.parametrize("cause", WAYS)
def test_a_cause_sets_itself_clears_itself_and_is_told_once(
    as_: Caller, alipay: httpx.Client, office: Office, cause: str
):
    for events in (["binding.submitted"], ["stuck", "recovered"]):
        made = alipay.post("/v1/webhook-endpoints", json={"url": "http://127.0.0.1:9/", "events": events})
        assert made.status_code == 201
    sets, clears, what = WAYS[cause]
    assert listed(as_) == []
    sets(office)
    assert [one["cause"] for one in listed(as_)] == [cause]
    assert listed(as_)[0]["fingerprint"].startswith(f"{cause}:{what}")
    for _ in range(3):
        watch_stuck(office)
    assert letters(office) == [("binding.stuck", cause)]
    clears(office)
    assert listed(as_) == []
    for _ in range(3):
        watch_stuck(office)
    assert letters(office) == [("binding.stuck", cause), ("binding.recovered", cause)]


def test_many_lookers_tell_once_and_each_time_again(as_: Caller, alipay: httpx.Client, office: Office):
    alipay.post("/v1/webhook-endpoints", json={"url": "http://127.0.0.1:9/"})
    life.to_state(office, "submitted")
    for _ in range(3):  # at the same line of the history
        for parked in ("'x'", "null"):
            run(office, f"update deadlines set parked = {parked}")
            lookers = [threading.Thread(target=watch_stuck, args=(office,)) for _ in range(4)]
            for looker in lookers:
                looker.start()
            for looker in lookers:
                looker.join(20)
    assert [kind for kind, _ in letters(office)] == ["binding.stuck", "binding.recovered"] * 3


def test_the_letter_arrives_with_the_view_and_without_the_evidence(as_: Caller, alipay: httpx.Client, office: Office):
    from tasks.deliver import tell
    from tests.receiver import receiving

    with receiving() as receiver:
        hook = {"url": receiver.url, "events": ["binding.stuck"]}
        receiver.secrets.append(alipay.post("/v1/webhook-endpoints", json=hook).json()["secret"])
        binding_id = life.to_state(office, "submitted")
        run(office, "update deadlines set parked = 'x'")
        watch_stuck(office)
        tell(office)
        (letter,) = receiver.letters
    assert letter.type == "binding.stuck"
    assert letter.data.keys() == {"sequence", "cause", "since", "binding"}
    assert letter.place == (binding_id, 1)
    assert (letter.data["cause"], letter.data["binding"]["holder"]["name"]) == ("step_poisoned", "张*")


def test_an_endpoint_that_takes_no_letters_is_not_told_so_by_letters(alipay: httpx.Client, office: Office):
    alipay.post("/v1/webhook-endpoints", json={"url": "http://127.0.0.1:9/"})
    letter_parked(office)
    assert watch_stuck(office) == 1
    assert letters(office) == []


@pytest.mark.parametrize(
    "late",
    [
        "state = 'parked', settled_at = kinbind_now()",
        "created_at = kinbind_now() - interval '2 hours'",
        "leased_until = clock_timestamp() - interval '9 minutes'",
    ],
)
def test_nobody_is_shown_the_letters_to_an_endpoint_that_is_gone(
    as_: Caller, alipay: httpx.Client, office: Office, late: str
) -> None:
    """No operator can bring them: what waits for him would never clear."""
    alipay.post("/v1/webhook-endpoints", json={"url": "http://127.0.0.1:9/"})
    life.to_state(office, "submitted")
    fan_out(office)
    run(office, f"update deliveries set {late}")
    assert watch_stuck(office) == len(listed(as_)) == 1
    run(office, "update webhook_endpoints set disabled_at = kinbind_now()")
    assert listed(as_) == []
    assert watch_stuck(office) == 1  # it has moved
    backlog = overview._look(office.ledger, EVERYTHING)["deliveries"]
    assert backlog == {"pending": 0, "parked": 0, "oldest_pending_at": None}


def test_what_tells_of_being_stuck_is_not_stuck_itself(as_: Caller, alipay: httpx.Client, office: Office):
    alipay.post("/v1/webhook-endpoints", json={"url": "http://127.0.0.1:9/"})
    life.to_state(office, "submitted")
    run(office, "update deadlines set parked = 'x'")
    watch_stuck(office)
    run(office, "update deliveries set state = 'parked', leased_until = clock_timestamp() - interval '9 minutes'")
    assert [one["cause"] for one in listed(as_)] == ["step_poisoned"]


def test_any_number_of_letters_to_one_endpoint_is_found_once_as_long_as_one_of_them_waits(
    alipay: httpx.Client, office: Office
) -> None:
    for events in (["submitted", "withdrawn"], ["stuck", "recovered"]):
        alipay.post("/v1/webhook-endpoints", json={"url": "http://127.0.0.1:9/", "events": events})
    life.to_state(office, "withdrawn")
    fan_out(office)
    run(office, "update deliveries set created_at = kinbind_now() - interval '2 hours'")
    assert (watch_stuck(office), watch_stuck(office)) == (1, 0)
    for sequence in (1, 2):  # the first of them first
        run(office, f"update deliveries set state = 'delivered' where notice = '' and sequence = {sequence}")
        assert watch_stuck(office) == sequence - 1
    assert letters(office) == [("binding.stuck", "delivery_late"), ("binding.recovered", "delivery_late")]


def test_what_one_call_leaves_is_for_the_next(office: Office, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tasks.stuck.MOST", 2)
    for seed in range(3):
        life.to_state(office, "submitted", seed=seed)
    for kept in ("'x'", "null"):
        run(office, f"update deadlines set parked = {kept}")
        assert [watch_stuck(office) for _ in range(3)] == [2, 1, 0]


def test_the_oldest_of_each_cause_and_state_is_a_gauge(as_: Caller, office: Office):
    overdue(office)
    figures = as_("operator").get("/metrics").text
    assert 'kinbind_stuck_bindings{cause="deadline_overdue"} 1.0' in figures
    assert 'kinbind_stuck_oldest_timestamp_seconds{cause="deadline_overdue"}' in figures
    assert 'kinbind_stuck_oldest_timestamp_seconds{cause="no_deadline"}' not in figures
    assert 'kinbind_oldest_in_state_timestamp_seconds{state="submitted"}' in figures


def test_a_page_has_each_binding_once_however_many_of_its_letters_are_stuck(
    as_: Caller, alipay: httpx.Client, office: Office
) -> None:
    alipay.post("/v1/webhook-endpoints", json={"url": "http://127.0.0.1:9/"})
    lives = [life.to_state(office, state, seed=seed) for seed, state in enumerate(("withdrawn", "submitted"), 1)]
    fan_out(office)
    run(office, "update deliveries set state = 'parked', attempts = 10, settled_at = kinbind_now()")
    pages, cursor = list[list[tuple[str, int]]](), None
    while len(pages) < 2:
        page = stuck.stuck(office.ledger, ["000000"], "delivery_parked", 1, cursor, folded=True)
        pages.append([(row["binding_id"], row["times"]) for row in page["items"]])
        cursor = page["next_cursor"]
    assert sorted(pages) == sorted([[(lives[0], 2)], [(lives[1], 1)]])
    assert cursor is None
    assert stuck.counts(office.ledger)["delivery_parked"][0] == 2
    every = as_("operator").get("/v1/ops/stuck", params={"cause": "delivery_parked"}).json()["items"]
    assert sorted((one["binding_id"], one["evidence"]["letters"]) for one in every) == sorted(
        zip(lives, (2, 1), strict=True)
    )
    assert not any("times" in one or "key" in one for one in every)
