"""Repairs of many: planned over the whole population, kept or counted anew, paced, paused, crashed, undone."""

import threading
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from cli.checking.findings import Findings
from cli.checking.walk import walk
from policies.book import LawBook, load
from policies.loader import SHIPPED
from tasks.office import Office
from tasks.repairs import carry_repairs
from tests import life
from tests.store.invariants import check
from workflows import leases
from workflows.access import principals
from workflows.access.principals import Principal
from workflows.audit import verify
from workflows.deadlines import armed
from workflows.engine import Desk
from workflows.errors import Refused
from workflows.repairs import carrying, orders
from workflows.repairs.orders import Wish
from workflows.views import repairs as shown
from workflows.views.asof import cases_as_of

OPERATOR = Principal("stf_operator", "staff", "operator", None, ("operator",), ("000000",), "own-1")
SUPERVISOR = Principal("stf_supervisor", "staff", "supervisor", None, ("supervisor",), ("000000",), "own-2")
PACK = {"pack": "CN-national", "version": "2026-11-01"}


@pytest.fixture(scope="module")
def book(tmp_path_factory: pytest.TempPathFactory) -> LawBook:
    """The shipped law, and a version to come that leaves families sixty days for the counter and two for the face.

    Alipay, where they all have applied, is open no more.
    """
    said = (SHIPPED / "CN-national.family_account.yaml").read_text(encoding="utf-8")
    changes = {
        'version: "2026-11-01"\neffective_from: 2024-03-02': 'version: "2099-01-01"\neffective_from: 2099-01-01',
        "offline_to_counter: {days: 30}": "offline_to_counter: {days: 60}",
        "submitted_to_materials: {days: 7}": "submitted_to_materials: {days: 14}",
        "window_hours: 24": "window_hours: 48",
        "    alipay:\n      entry: {zh: 支付宝 → 医保亲情账户, en: Alipay → 医保亲情账户}\n"
        "      as_of: 2025-03-07\n      everywhere: bind_and_show\n": "",
    }
    for old, new in changes.items():
        assert said.count(old) == 1, old
        said = said.replace(old, new)
    folder: Path = tmp_path_factory.mktemp("packs")
    (folder / "CN-national.family_account.next.yaml").write_text(said, encoding="utf-8")
    return load(SHIPPED, folder)


@pytest.fixture
def office(database_url: str, book: LawBook) -> Iterator[Office]:
    with life.office(database_url) as opened:
        yield replace(opened, desk=Desk(opened.ledger, book, opened.desk.keys))
        check(opened)


def ordered(office: Office, verb: str, wanted: dict[str, Any], *, dry_run: bool = False, **args: Any) -> str:
    pace = args.pop("pace", 1000)
    wish = Wish(verb, "新版政策", wanted, args, dry_run=dry_run, pace=pace)
    return orders.make(office.ledger, OPERATOR, wish)


def carried(office: Office, order_id: str) -> dict[str, Any]:
    carrying.to_its_end(office.desk, order_id, 20)
    return shown.repair(office.ledger, OPERATOR, order_id)


def population(office: Office) -> dict[str, str]:
    states = ("expired", "submitted", "face_check", "offline_fallback", "active", "offline_fallback")
    made = {f"{state}{seed}": life.to_state(office, state, seed=seed) for seed, state in enumerate(states, 1)}
    made["suzhou"] = life.to_state(office, "offline_fallback", seed=20, region="320500")
    return made


def due(office: Office, binding_id: str, name: str) -> Any:
    with office.ledger.connection() as conn:
        row = conn.execute(
            "select due_at from deadlines where binding_id = %s and name = %s", (binding_id, name)
        ).fetchone()
    return row and row[0]


def test_a_population_moves_to_a_new_version_and_back(office: Office) -> None:
    """The dry run shows all and changes nothing; a deadline is counted anew where that was asked for, else kept."""
    made = population(office)
    session = life.start_face(office, made["face_check3"])
    before = {name: life.look(office, one) for name, one in made.items()}
    dues = {name: armed(case) for name, case in before.items()}
    anew = ["offline_to_counter", "first_attempt_to_pass"]
    order = ordered(office, "replan", PACK, dry_run=True, version="2099-01-01", recompute=anew)
    tried = carried(office, order)
    assert (tried["state"], tried["counts"]) == ("planned", {"planned": 5})
    assert {one["summary"]: one["count"] for one in tried["groups"]} == {
        "policy CN-national 2026-11-01 → CN-national 2099-01-01": 2,
        "policy CN-national 2026-11-01 → CN-national 2099-01-01; offline_to_counter later": 2,
        "policy CN-national 2026-11-01 → CN-national 2099-01-01; first_attempt_to_pass later": 1,
    }
    assert all(life.look(office, one).version == before[name].version for name, one in made.items())

    orders.apply(office.ledger, OPERATOR, order)
    orders.approve(office.ledger, SUPERVISOR, order)
    assert carried(office, order)["counts"] == {"done": 5}
    after = {name: life.look(office, one) for name, one in made.items()}
    for name in ("expired1", "suzhou"):  # over; under a pack of its own
        assert (after[name].version, after[name].plan) == (before[name].version, before[name].plan)
    assert {after[name].plan.version for name in made.keys() - {"expired1", "suzhou"}} == {"2099-01-01"}
    thirty = timedelta(days=30)
    for name in ("offline_fallback4", "offline_fallback6"):
        assert due(office, made[name], "offline_to_counter") == dues[name]["offline_to_counter"].at + thirty
    kept = due(office, made["submitted2"], "submitted_to_materials")
    assert kept == dues["submitted2"]["submitted_to_materials"].at
    window = due(office, made["face_check3"], "first_attempt_to_pass")
    assert window == dues["face_check3"]["first_attempt_to_pass"].at + timedelta(hours=24)
    check(office)

    life.end_face(office, session)  # somebody goes on meanwhile: he stays under the new version
    orders.undo(office.ledger, OPERATOR, order, "发布有误")
    undone = carried(office, order)
    assert (undone["state"], undone["counts"]) == ("undone", {"undone": 4, "kept": 1})
    assert [one["code"] for one in undone["items"] if one["state"] == "kept"] == ["stale_version"]
    for name, one in made.items():
        now = life.look(office, one)
        if name != "face_check3":
            assert (now.plan, now.progress, now.since) == (before[name].plan, before[name].progress, before[name].since)
            assert armed(now) == dues[name]
    assert life.look(office, made["face_check3"]).plan.version == "2099-01-01"


def test_a_version_that_nobody_knows_is_refused_for_each(office: Office) -> None:
    life.to_state(office, "submitted")
    result = carried(office, ordered(office, "replan", PACK, version="1999-01-01"))
    assert [(one["state"], one["code"]) for one in result["items"]] == [("refused", "policy_unknown")]


def test_an_order_that_comes_late_leaves_the_plan_as_it_is(office: Office) -> None:
    """What was planned before another gave the binding a new plan is refused, and touches nothing."""
    binding_id = life.to_state(office, "offline_fallback")
    late = ordered(office, "replan", PACK, dry_run=True, version="2099-01-01", recompute=["*"])
    carried(office, late)
    first = ordered(office, "replan", PACK, version="2099-01-01")
    carried(office, first)
    orders.approve(office.ledger, SUPERVISOR, first)
    assert carried(office, first)["counts"] == {"done": 1}
    then = life.look(office, binding_id)
    assert then.plan.version == "2099-01-01"
    orders.apply(office.ledger, OPERATOR, late)
    orders.approve(office.ledger, SUPERVISOR, late)
    (item,) = carried(office, late)["items"]
    assert (item["state"], item["code"]) == ("refused", "stale_version")
    after = life.look(office, binding_id)
    assert (after.plan, after.version) == (then.plan, then.version)
    check_plans(office, 0)


def test_a_line_is_seen_under_the_plan_of_its_time(office: Office) -> None:
    """What channels were told of a line stays what they are told, whatever plan the binding has been given since."""
    binding_id = life.to_state(office, "offline_fallback")
    lines = life.look(office, binding_id).version
    order = ordered(office, "replan", PACK, version="2099-01-01")
    carried(office, order)
    orders.approve(office.ledger, SUPERVISOR, order)
    carried(office, order)
    orders.undo(office.ledger, OPERATOR, order, "发布有误")
    carried(office, order)
    with office.ledger.connection() as conn:
        wanted = [(binding_id, sequence) for sequence in range(1, lines + 3)]
        seen = [case.plan.version for case, _ in cases_as_of(conn, office.desk.reader, wanted)]
    before = seen[0]
    assert before != "2099-01-01"
    assert seen == [before] * lines + ["2099-01-01", before]
    audit = verify(office.ledger, binding_id)
    assert not audit.faults


def test_the_audit_sees_a_plan_that_no_line_has_given(office: Office) -> None:
    binding_id = life.to_state(office, "offline_fallback")
    order = ordered(office, "replan", PACK, version="2099-01-01")
    carried(office, order)
    orders.approve(office.ledger, SUPERVISOR, order)
    (item,) = carried(office, order)["items"]
    check_plans(office, 0)
    with office.ledger.connection() as conn:
        (before,) = conn.execute("select plan from repair_items").fetchone() or ("",)
        (then,) = conn.execute("select plan from bindings where id = %s", (binding_id,)).fetchone() or ("",)
        conn.execute("update bindings set plan = %s where id = %s", (before, binding_id))
    check_plans(office, 1)
    with office.ledger.connection() as conn:
        conn.execute("update bindings set plan = %s where id = %s", (then, binding_id))
    orders.undo(office.ledger, OPERATOR, order, "发布有误")
    assert carried(office, order)["counts"] == {"undone": 1}
    check_plans(office, 0)
    assert item["version_after"] == life.look(office, binding_id).version - 1


def check_plans(office: Office, faults: int) -> None:
    """Ask the auditor how many bindings are under another plan than their history says."""
    found = Findings(office.ledger.now(), settled=False)
    with office.ledger.connection() as conn, conn.transaction():
        walk(conn, found)
    assert {kind: n for kind, n in found.faults.items() if "plan" in kind} == (
        {"plan_and_history_differ": faults} if faults else {})  # fmt: skip


def test_an_order_that_cannot_be_planned_ends_failed(office: Office) -> None:
    life.to_state(office, "submitted")
    order = ordered(office, "rearm", {"states": ["submitted"]})
    with office.ledger.connection() as conn:  # as a release that knew more might have left it
        conn.execute("""update repairs set filter = '{"cause": "bogus"}' where id = %s""", (order,))
    for _ in range(carrying.TRIES):
        assert shown.repair(office.ledger, OPERATOR, order)["state"] == "planning"
        carrying.round_of(office.desk, order)
        with office.ledger.connection() as conn:
            conn.execute("update repairs set next_at = clock_timestamp()")  # half a minute later
    failed = shown.repair(office.ledger, OPERATOR, order)
    assert (failed["state"], failed["fault"], failed["finished_at"] is not None) == ("failed", "KeyError", True)
    assert carrying.round_of(office.desk, order) == 0
    with pytest.raises(Refused, match="repair_not_available"):
        orders.pause(office.ledger, OPERATOR, order)


def test_many_hands_at_once_do_everything_once(office: Office) -> None:
    made = [life.to_state(office, "submitted", seed=seed) for seed in range(1, 31)]
    order = ordered(office, "rearm", {"states": ["submitted"]}, pace=1000)
    hands = [threading.Thread(target=carried, args=(office, order)) for _ in range(4)]
    for hand in hands:
        hand.start()
    for hand in hands:
        hand.join(30)
    assert shown.repair(office.ledger, OPERATOR, order)["counts"] == {"done": 30}
    assert {tuple(life.events(office, one)) for one in made} == {("submitted", "repaired")}


def test_a_crash_in_the_middle_loses_and_doubles_nothing(office: Office, monkeypatch: pytest.MonkeyPatch) -> None:
    made = [life.to_state(office, "submitted", seed=seed) for seed in range(1, 8)]
    monkeypatch.setattr(carrying, "BATCH", 3)
    order = ordered(office, "rearm", {"states": ["submitted"]})
    assert carrying.round_of(office.desk, order) == 8  # the plan
    real, seen = carrying._settle, []

    def killed(*given: Any) -> None:
        seen.append(given)
        if len(seen) == 2:
            raise KeyboardInterrupt  # nothing that anybody catches: the process is gone
        real(*given)

    monkeypatch.setattr(carrying, "_settle", killed)
    with pytest.raises(KeyboardInterrupt):
        carrying.round_of(office.desk, order)
    assert {tuple(life.events(office, one)) for one in made} == {("submitted",)}, "a batch is one commit"
    assert carried(office, order)["counts"] == {"done": 7}
    assert {tuple(life.events(office, one)) for one in made} == {("submitted", "repaired")}


def test_a_broken_binding_fails_alone(office: Office, monkeypatch: pytest.MonkeyPatch) -> None:
    made = [life.to_state(office, "submitted", seed=seed) for seed in range(1, 6)]
    order, real = ordered(office, "rearm", {"binding_ids": made}), carrying._settle

    def broken(conn: Any, row: Any, one: Any, binding_id: str, *rest: Any) -> None:
        if binding_id == made[2]:
            raise ZeroDivisionError
        real(conn, row, one, binding_id, *rest)

    monkeypatch.setattr(carrying, "_settle", broken)
    result = carried(office, order)
    assert (result["state"], result["counts"]) == ("done", {"done": 4, "failed": 1})
    assert [one["code"] for one in result["items"] if one["state"] == "failed"] == ["ZeroDivisionError"]
    assert life.events(office, made[2]) == ["submitted"]


@pytest.mark.parametrize("then", ["planned", "done"])
def test_a_binding_that_cannot_be_read_is_a_result_and_holds_up_nobody(office: Office, then: str) -> None:
    """In the dry run, or only when it comes to the doing."""
    made = [life.to_state(office, "submitted", seed=seed) for seed in range(1, 4)]
    order = ordered(office, "rearm", {"binding_ids": made}, dry_run=True)
    if then == "planned":
        with life.unreadable(office, made[1]):
            carried(office, order)
            orders.apply(office.ledger, OPERATOR, order)
            result = carried(office, order)
        assert result["counts"] == {"done": 2, "failed": 1}
    else:
        carried(office, order)
        orders.apply(office.ledger, OPERATOR, order)
        with life.unreadable(office, made[1]):
            result = carried(office, order)
        assert (result["state"], result["counts"]) == ("done", {"done": 2, "failed": 1})
    assert [one["code"] for one in result["items"] if one["state"] == "failed"] == ["unreadable"]


def test_what_has_moved_since_the_dry_run_is_left_alone(office: Office) -> None:
    made = [life.to_state(office, "submitted", seed=seed) for seed in (1, 2)]
    order = ordered(office, "rearm", {"binding_ids": made}, dry_run=True)
    carried(office, order)
    life.say(office, "withdraw", made[0])
    orders.apply(office.ledger, OPERATOR, order)
    result = carried(office, order)
    assert [(one["state"], one["code"]) for one in result["items"]] == [("refused", "stale_version"), ("done", None)]


def test_an_order_is_paced_paused_and_goes_on(office: Office) -> None:
    for seed in range(1, 6):
        life.to_state(office, "submitted", seed=seed)
    order = ordered(office, "rearm", {"states": ["submitted"]}, pace=2)
    while carry_repairs(office):
        pass
    assert shown.repair(office.ledger, OPERATOR, order)["counts"] == {"planned": 3, "done": 2}, "two a second"
    orders.pause(office.ledger, OPERATOR, order)
    with office.ledger.connection() as conn:
        conn.execute("update repairs set next_at = clock_timestamp()")  # the second is over
    assert carry_repairs(office) == 0
    orders.resume(office.ledger, OPERATOR, order)
    assert carry_repairs(office) == 1
    assert shown.repair(office.ledger, OPERATOR, order)["counts"] == {"planned": 1, "done": 4}


def test_a_lease_that_is_given_is_as_long_as_one_taken(office: Office, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(leases, "LEASE_SECONDS", 120)
    named, _ = principals.create_staff(office.ledger, "李娜", ["reviewer"], ["000000"])
    binding_id = life.to_state(office, "agency_review")
    result = carried(office, ordered(office, "reassign", {"binding_ids": [binding_id]}, staff=named.id))
    assert result["counts"] == {"done": 1}
    lease, now = life.look(office, binding_id).lease, office.ledger.now()
    assert lease is not None
    assert lease.claimed_by == named.id
    assert lease.holder(now + timedelta(seconds=120)) is None


def test_an_order_stops_with_whoever_gave_it(office: Office) -> None:
    """Both keys are taken back while it is under way: it waits until somebody who is still here lets it go on."""
    made = [life.to_state(office, "active", seed=seed) for seed in range(3)]
    asker, _ = principals.create_staff(office.ledger, "李娜", ["operator"], ["000000"], "own-3")
    supervisor, _ = principals.create_staff(office.ledger, "王强", ["supervisor"], ["000000"], "own-4")
    order = orders.make(office.ledger, asker, Wish("end", "suspected_fraud", {"binding_ids": made}, {}, pace=1000))
    carrying.to_its_end(office.desk, order, 20)
    orders.approve(office.ledger, supervisor, order)
    principals.revoke(office.ledger, supervisor.id)
    assert carrying.round_of(office.desk, order) == 0
    assert {life.look(office, one).state for one in made} == {"active"}
    orders.resume(office.ledger, OPERATOR, order)
    assert carried(office, order)["counts"] == {"done": 3}
