"""Real threads on a real PostgreSQL: one winner, a named loser, and rows that add up afterwards."""

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import date
from functools import partial
from threading import Barrier
from typing import Any

import pytest

from models.ids import new_id
from tasks.office import Office
from tests import life
from tests.store.invariants import check, rows
from tests.store.test_limits import apply
from tests.store.test_window import begin, passes
from workflows import holding, leases
from workflows.case import SYSTEM, Actor
from workflows.commands import Command, Idempotency, show_created
from workflows.engine import Desk
from workflows.errors import Refused
from workflows.sweeping import sweep

ROUNDS = 8  # of each race that has two runners: either may win, and what is proven must hold both times


@pytest.fixture
def office(database_url: str) -> Iterator[Office]:
    with life.office(database_url, size=10) as opened:
        yield opened
        check(opened)


def race(runners: Sequence[Callable[[], Any]]) -> list[str]:
    """Start all at once; what became of each: `done`, or the code of its refusal. Faults are raised."""
    line = Barrier(len(runners))

    def run(runner: Callable[[], Any]) -> str:
        line.wait()
        try:
            runner()
        except Refused as no:
            return no.code
        return "done"

    with ThreadPoolExecutor(len(runners)) as threads:
        return [future.result() for future in [threads.submit(run, runner) for runner in runners]]


def saying(office: Office, said: str, binding_id: str, actor: Actor, **facts: Any) -> Callable[[], Any]:
    """Said by a process of its own: nothing is shared but the database."""
    desk = Desk(office.ledger, office.desk.book, office.desk.keys)
    return lambda: desk.say(Command(said, binding_id, actor, facts))


def ends(office: Office, binding_id: str) -> list[str]:
    lines = rows(office, "select to_state from history where binding_id = %s order by sequence", binding_id)
    return [line["to_state"] for line in lines]


# -- two who decide ----------------------------------------------------------------------------------------------


def test_two_reviewers_decide_and_only_the_one_who_holds_it_is_heard(office: Office) -> None:
    other = Actor("reviewer", "stf_other", regions=("000000",))
    for seed in range(ROUNDS):
        binding_id = life.to_state(office, "agency_review", seed=seed)
        life.claim(office, binding_id)
        results = race([
            saying(office, "approve", binding_id, life.REVIEWER),
            saying(office, "reject", binding_id, other, reason="relation_unproven"),
        ])  # fmt: skip
        assert results[0] == "done"
        assert results[1] in {"lease_required", "action_not_available"}
        assert life.look(office, binding_id).state == "active"


def test_one_reviewer_in_two_windows(office: Office) -> None:
    for seed in range(ROUNDS):
        binding_id = life.to_state(office, "agency_review", seed=seed)
        life.claim(office, binding_id)
        results = race([
            saying(office, "approve", binding_id, life.REVIEWER),
            saying(office, "reject", binding_id, life.REVIEWER, reason="relation_unproven"),
        ])  # fmt: skip
        assert sorted(results) == ["action_not_available", "done"]
        assert life.look(office, binding_id).state == ("active" if results[0] == "done" else "rejected")


def test_a_lease_that_changed_hands_meanwhile_is_fenced(office: Office) -> None:
    binding_id = life.to_state(office, "agency_review")
    life.claim(office, binding_id)
    other = Actor("reviewer", "stf_other", regions=("000000",))
    life.skip(office, minutes=16)
    with pytest.raises(Refused, match="lease_required"):  # by its time, before anybody has swept it
        life.say(office, "approve", binding_id, life.REVIEWER)
    life.claim(office, binding_id, other)
    results = race([
        saying(office, "approve", binding_id, life.REVIEWER),
        saying(office, "return_for_correction", binding_id, other, reason="letter_unsigned", items=[]),
    ])  # fmt: skip
    assert results[1] == "done"
    assert life.look(office, binding_id).state == "returned"


def test_who_gives_a_case_back_and_who_sends_its_decision_lock_in_one_order(office: Office) -> None:
    """The decision first, then the lease: the other way round each would wait for the other."""
    binding_id, reviewer = life.to_state(office, "agency_review"), life.REVIEWER
    case, _ = leases.claim(office.desk, binding_id, reviewer)
    holding.hold(office.desk, binding_id, reviewer, "approve", {}, case.version)
    with ThreadPoolExecutor(1) as pool, office.ledger.transaction() as conn:
        conn.execute("select from held_decisions where binding_id = %s for update", (binding_id,))
        given_back = pool.submit(leases.release, office.desk, binding_id, reviewer)
        while not rows(office, "select from pg_stat_activity where wait_event_type = 'Lock'"
                               " and datname = current_database()"):  # fmt: skip
            assert not given_back.done()
        conn.execute("select from review_cases where binding_id = %s for update nowait", (binding_id,))
    given_back.result()
    assert rows(office, "select claimed_by from review_cases") == [{"claimed_by": None}]
    assert rows(office, "select * from held_decisions") == []


def test_a_reviewer_against_the_clock(office: Office) -> None:
    bindings = [life.to_state(office, "agency_review", seed=seed) for seed in range(ROUNDS)]
    life.skip(office, days=12)
    for binding_id in bindings:
        life.claim(office, binding_id)
    approvals = [saying(office, "approve", binding_id, life.REVIEWER) for binding_id in bindings]
    results = race([*approvals, lambda: sweep(office.desk)])
    assert results == ["done"] * (ROUNDS + 1)
    for binding_id in bindings:
        assert life.look(office, binding_id).state == "active"
        assert Counter(life.events(office, binding_id))["review_escalated"] <= 1


def test_a_callback_against_a_withdrawal(office: Office) -> None:
    for seed in range(ROUNDS):
        session = begin(office, life.to_state(office, "face_check", seed=seed))
        binding_id, now = session["binding_id"], office.ledger.now()
        results = race([
            partial(passes, office, session, now),
            saying(office, "withdraw", binding_id, life.channel()),
        ])  # fmt: skip
        assert sorted(results) == ["action_not_available", "done"]
        assert life.look(office, binding_id).state == ("active" if results[0] == "done" else "withdrawn")


def test_a_pass_at_the_very_moment_of_the_clerk(office: Office) -> None:
    for seed in range(ROUNDS):
        session = begin(office, life.to_state(office, "face_check", seed=seed))
        binding_id, now = session["binding_id"], office.ledger.now()
        life.say(office, "route_offline", binding_id, reason="other")
        results = race([
            partial(passes, office, session, now),
            saying(office, "counter_refused", binding_id, life.COUNTER, reason="relation_unproven"),
        ])  # fmt: skip
        assert sorted(results) == ["action_not_available", "done"]
        assert life.look(office, binding_id).state == ("active" if results[0] == "done" else "rejected")


# -- limits --------------------------------------------------------------------------------------------------------


def submitting(office: Office, holder: int, member: int, **options: Any) -> Callable[[], Any]:
    request = life.a_request(office.desk.book, holder_seed=holder, member_seed=member, **options)
    binding_id = new_id("bnd", office.ledger.now())
    return saying(office, "submit", binding_id, life.channel(), request=request, channel="alipay")


def test_ten_submissions_for_the_fifth_place(office: Office) -> None:
    for member in range(4):
        apply(office, 1, member)
    results = race([submitting(office, 1, 10 + n) for n in range(10)])
    assert Counter(results) == {"done": 1, "holder_limit": 9}


def test_ten_submissions_for_an_empty_holder_are_refused_for_no_false_limit(office: Office) -> None:
    results = race([submitting(office, 1, n) for n in range(10)])
    assert Counter(results) == {"done": 5, "holder_limit": 5}


def test_five_for_an_empty_holder_all_win(office: Office) -> None:
    assert race([submitting(office, 1, n) for n in range(5)]) == ["done"] * 5


def test_the_same_pair_ten_times(office: Office) -> None:
    results = race([submitting(office, 1, 1) for _ in range(10)])
    assert Counter(results) == {"done": 1, "duplicate_binding": 9}


def test_a_place_given_back_is_won_once(office: Office) -> None:
    first, *_ = (apply(office, 1, member) for member in range(5))
    others = [submitting(office, 1, 9 + n) for n in range(5)]
    results = race([saying(office, "withdraw", first, life.channel()), *others])
    assert results[0] == "done"
    assert Counter(results[1:])["done"] <= 1
    assert set(results[1:]) <= {"done", "holder_limit"}


def test_five_holders_for_the_two_places_of_a_members_month(office: Office) -> None:
    waiting = [apply(office, holder, 1) for holder in range(5)]
    for binding_id in waiting:
        life.hand_in(office, binding_id)
        life.registries_say_yes(office, binding_id)
        life.say(office, "route_offline", binding_id, reason="declines_face")
    results = race([saying(office, "counter_verified", binding_id, life.COUNTER) for binding_id in waiting])
    assert results == ["done"] * 5
    cases = [life.look(office, binding_id) for binding_id in waiting]
    assert Counter((case.state, case.progress.reason) for case in cases) == {
        ("active", None): 2,
        ("rejected", "member_binder_limit"): 3,
    }


def test_mirrored_pairs_do_not_wait_for_each_other(office: Office) -> None:
    born = date(1985, 6, 1)  # as the holders are: each is holder once and member once
    pairs = [(a, b) for n in range(ROUNDS) for a, b in ((2 * n, 2 * n + 1), (2 * n + 1, 2 * n))]
    runners = [submitting(office, a, b, member_born=born, relationship="SPOUSE") for a, b in pairs]
    for at in range(0, len(runners), 8):
        assert race(runners[at : at + 8]) == ["done"] * 8
    ids = [row["id"] for row in rows(office, "select id from bindings")]
    withdrawals = [saying(office, "withdraw", binding_id, life.channel()) for binding_id in ids]
    for at in range(0, len(withdrawals), 8):
        assert race(withdrawals[at : at + 8]) == ["done"] * 8


# -- the same request, the same deadline -----------------------------------------------------------------------------


def test_one_key_from_eight_threads_is_one_binding_and_eight_equal_answers(office: Office) -> None:
    request = life.a_request(office.desk.book)
    replies = []

    def submit(desk: Desk, binding_id: str) -> None:
        key = Idempotency("alipay", "k1", "f1")
        facts = {"request": request, "channel": "alipay"}
        said = Command("submit", binding_id, life.channel(), facts, idempotency=key, answering=show_created)
        replies.append(desk.say(said).answer())

    runners = []
    for _ in range(8):
        desk, binding_id = Desk(office.ledger, office.desk.book, office.desk.keys), new_id("bnd", office.ledger.now())
        runners.append(lambda desk=desk, binding_id=binding_id: submit(desk, binding_id))
    assert race(runners) == ["done"] * 8
    assert len(rows(office, "select 1 from bindings")) == 1
    assert len({(reply.status, reply.body, tuple(sorted(reply.headers.items()))) for reply in replies}) == 1
    assert sum(not reply.replayed for reply in replies) == 1


def test_one_key_from_eight_threads_on_one_binding(office: Office) -> None:
    binding_id = life.to_state(office, "submitted")
    desks = [Desk(office.ledger, office.desk.book, office.desk.keys) for _ in range(8)]
    command = Command("withdraw", binding_id, life.channel(), idempotency=Idempotency("alipay", "k1", "f1"))
    bodies = []
    runners = [lambda desk=desk: bodies.append(desk.say(command).answer().body) for desk in desks]
    assert race(runners) == ["done"] * 8
    assert len(set(bodies)) == 1
    assert life.look(office, binding_id).version == 2


def test_two_sweeps_at_once_fire_each_deadline_once(office: Office) -> None:
    bindings = [life.to_state(office, "submitted", seed=seed) for seed in range(40)]
    reviews = [life.to_state(office, "agency_review", seed=seed) for seed in range(20)]
    life.skip(office, days=8)
    fired: list[int] = []

    def all_of_them() -> None:
        while done := sweep(office.desk, limit=7):
            fired.append(done)

    assert race([all_of_them] * 4) == ["done"] * 4
    assert sum(fired) == 60
    for binding_id in bindings:
        assert life.events(office, binding_id) == ["submitted", "expired"]
    for binding_id in reviews:
        assert Counter(life.events(office, binding_id))["review_escalated"] == 1


def test_a_sweep_against_everybody(office: Office) -> None:
    bindings = [life.to_state(office, "submitted", seed=seed) for seed in range(24)]
    life.skip(office, days=7)
    withdrawals = [saying(office, "withdraw", binding_id, life.channel()) for binding_id in bindings[:6]]
    results = race([*withdrawals, lambda: sweep(office.desk, 9), lambda: sweep(office.desk, 9)])
    while sweep(office.desk):
        pass
    assert set(results) <= {"done", "action_not_available"}
    for binding_id, result in zip(bindings, results, strict=False):
        if result == "done" and binding_id in bindings[:6]:
            assert ends(office, binding_id) == ["submitted", "withdrawn"]
    assert all(len(ends(office, binding_id)) == 2 for binding_id in bindings)


def test_the_registries_answer_while_the_family_steps_back(office: Office) -> None:
    for seed in range(ROUNDS):
        binding_id = life.to_state(office, "materials_uploaded", seed=seed)
        results = race([
            saying(office, "registries_answered", binding_id, SYSTEM),
            saying(office, "withdraw", binding_id, life.channel()),
        ])  # fmt: skip
        assert results[1] == "done"
        assert life.look(office, binding_id).state == "withdrawn"
