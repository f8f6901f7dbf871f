"""The desk on a real ledger: one commit a batch, a verdict a step, and nothing of what was refused."""

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import msgspec
import psycopg
import pytest
from msgspec.structs import replace

from models.ids import new_id
from models.keyring import SealBrokenError
from tasks.office import Office
from tests import life
from tests.store.invariants import check, rows
from workflows.case import SYSTEM
from workflows.commands import Command, Idempotency, Outcome, show_created
from workflows.engine import Desk
from workflows.errors import Refused
from workflows.sweeping import ATTEMPTS, sweep
from workflows.views.public import available_actions


@pytest.fixture
def office(database_url: str) -> Iterator[Office]:
    with life.office(database_url) as opened:
        yield opened
        check(opened)


def submitting(office: Office, seed: int = 0, key: Idempotency | None = None, **options: Any) -> Command:
    request = life.a_request(office.desk.book, seed=seed, **options)
    facts = {"request": request, "channel": "alipay"}
    binding_id = new_id("bnd", office.ledger.now())
    return Command("submit", binding_id, life.channel(), facts, idempotency=key, answering=show_created)


def code(outcome: Outcome) -> str:
    assert isinstance(outcome.refused, Refused)
    return outcome.refused.code


def test_a_whole_life(office: Office) -> None:
    binding_id = life.to_state(office, "unbound")
    assert life.events(office, binding_id) == [
        "submitted", "materials_submitted", "registry_answered", "face_check_started", "face_check_passed",
        "activated", "unbind_requested", "unbound",
    ]  # fmt: skip


def test_a_clock_that_is_set_back_makes_no_binding_too_young(office: Office) -> None:
    case = life.look(office, life.to_state(office, "active"))
    assert case.progress.active_since is not None
    earlier = case.progress.active_since - timedelta(seconds=1)
    assert "request_unbind" in available_actions(case, life.channel(), earlier)


def test_a_batch_is_one_commit_and_each_has_its_own_verdict(office: Office) -> None:
    commands = [submitting(office, seed) for seed in range(8)]
    commands.insert(4, submitting(office, 3))  # the same pair once more
    commands.insert(5, Command("approve", commands[0].binding_id, life.REVIEWER))
    outcomes = office.desk.serve(commands)
    assert [outcome.refused is None for outcome in outcomes] == [True] * 4 + [False, False] + [True] * 4
    assert code(outcomes[4]) == "duplicate_binding"
    transactions = rows(office, "select count(distinct xid) as n from history")
    assert transactions[0]["n"] == 1


def test_commands_for_one_binding_are_carried_out_in_turn(office: Office) -> None:
    binding_id = life.to_state(office, "materials_uploaded")
    one, two = office.desk.serve(
        [Command("registries_answered", binding_id, SYSTEM), Command("withdraw", binding_id, life.channel())]
    )
    assert one.unwrap().case is not None
    assert two.unwrap().case is not None
    assert life.look(office, binding_id).state == "withdrawn"


def test_a_step_that_breaks_fails_alone(office: Office) -> None:
    first, second = life.to_state(office, "submitted"), life.to_state(office, "submitted", seed=1)
    with psycopg.connect(office.ledger.url, autocommit=True) as conn:
        conn.execute(
            "create function no() returns trigger language plpgsql as $$ begin raise 'no'; end $$;"
            f"create trigger no before update on bindings for each row when (old.id = '{first}') execute function no()"
        )
    outcomes = office.desk.serve([Command("withdraw", one, life.channel()) for one in (first, second)])
    assert isinstance(outcomes[0].refused, psycopg.Error)
    assert outcomes[1].refused is None
    assert [life.look(office, one).state for one in (first, second)] == ["submitted", "withdrawn"]


@pytest.mark.parametrize("together", [1, 3])
def test_a_plan_that_the_ledger_has_lost_is_brought_again(office: Office, together: int) -> None:
    """A restore, or a fail-over to a replica that lagged: the process knows a plan that is stored no longer."""
    plan = life.look(office, life.to_state(office, "submitted")).plan
    with office.ledger.connection() as conn:
        conn.execute("truncate bindings, plans, history, deadlines, seats cascade")
    assert office.desk.reader.knows(plan.hash)
    outcomes = office.desk.serve([submitting(office, seed) for seed in range(together)])
    assert [outcome.refused for outcome in outcomes] == [None] * together
    assert [row["hash"] for row in rows(office, "select hash from plans")] == [plan.hash]


@pytest.mark.parametrize(
    ("part", "fault"),
    [("plan", msgspec.ValidationError), ("progress", msgspec.ValidationError), ("sealed", SealBrokenError)],
)
def test_a_case_that_cannot_be_read_fails_alone(office: Office, part: str, fault: type[Exception]) -> None:
    made = [life.to_state(office, "submitted", seed=seed) for seed in range(3)]
    key = Idempotency("alipay", "key", "f")
    desk = Desk(office.ledger, office.desk.book, office.desk.keys)  # of a process that has not read the plan before
    with life.unreadable(office, made[1], part):
        commands = [Command("withdraw", one, life.channel(), idempotency=replace(key, key=one)) for one in made]
        assert [type(one.refused) for one in desk.rehearse_all(commands)] == [type(None), fault, type(None)]
        assert [type(one.refused) for one in desk.serve(commands)] == [type(None), fault, type(None)]
        assert [case.id for case, _ in desk.look_many(made)] == [made[0], made[2]]
        with pytest.raises(fault):
            desk.look(made[1])
    assert [life.look(office, one).state for one in made] == ["withdrawn", "submitted", "withdrawn"]
    assert desk.say(commands[1]).reply is not None


def test_a_case_that_cannot_even_say_what_may_be_said_fails_alone(office: Office) -> None:
    broken, sound = life.to_state(office, "unbinding"), life.to_state(office, "submitted", seed=1)
    with office.ledger.connection() as conn:
        conn.execute("update bindings set progress = progress - 'unbinding' where id = %s", (broken,))
    commands = [Command(said, one, life.channel()) for said, one in (("resume_online", broken), ("withdraw", sound))]
    failed, done = office.desk.serve(commands)
    assert failed.refused is not None
    assert not isinstance(failed.refused, Refused)
    assert (done.refused, life.look(office, sound).state) == (None, "withdrawn")


def test_what_was_answered_is_answered_again_though_the_case_cannot_be_read(office: Office) -> None:
    binding_id = life.to_state(office, "submitted")
    said = Command("withdraw", binding_id, life.channel(), idempotency=Idempotency("alipay", "key", "f"))
    first = office.desk.say(said).answer()
    with life.unreadable(office, binding_id):
        again = office.desk.say(said).answer()
    assert (again.body, again.replayed) == (first.body, True)


def test_a_refusal_changes_nothing_and_keeps_no_key(office: Office) -> None:
    binding_id = life.to_state(office, "submitted")
    before = life.look(office, binding_id)
    for said, actor in (("submit_materials", life.channel()), ("approve", life.REVIEWER), ("expire", SYSTEM)):
        with pytest.raises(Refused):
            office.desk.say(Command(said, binding_id, actor, idempotency=Idempotency("alipay", said, "f")))
    assert life.look(office, binding_id) == before
    assert rows(office, "select 1 from idempotency") == []


def test_action_not_available_says_what_is(office: Office) -> None:
    binding_id = life.to_state(office, "face_check")
    with pytest.raises(Refused) as refused:
        office.desk.say(Command("resume_online", binding_id, life.channel()))
    assert refused.value.code == "action_not_available"
    assert refused.value.extra["state"] == "face_check"
    assert set(refused.value.extra["available_actions"]) == {
        "start_face_check", "choose_offline", "withdraw", "withdraw_consent",
    }  # fmt: skip


def test_a_moved_version_is_stale(office: Office) -> None:
    binding_id = life.to_state(office, "materials_uploaded")
    with pytest.raises(Refused) as refused:
        office.desk.say(Command("withdraw", binding_id, life.channel(), if_match=1))
    assert (refused.value.status, refused.value.code) == (412, "stale_version")
    office.desk.say(Command("withdraw", binding_id, life.channel(), if_match=2))


def test_nobody_learns_of_what_he_may_not_see(office: Office) -> None:
    binding_id = life.to_state(office, "submitted")
    for command in (
        Command("withdraw", new_id("bnd", office.ledger.now()), life.channel()),
        Command("withdraw", binding_id, life.channel(), in_scope=lambda case, actor: False, if_match=99),
    ):
        with pytest.raises(Refused) as refused:
            office.desk.say(command)
        assert (refused.value.status, refused.value.code) == (404, "not_found")


def test_the_same_key_gives_the_same_bytes(office: Office) -> None:
    key = Idempotency("alipay", "k1", "f1")
    first = office.desk.say(submitting(office, key=key)).answer()
    life.skip(office, hours=1)
    again = office.desk.say(submitting(office, key=key)).answer()
    assert (again.status, again.body, again.headers) == (201, first.body, first.headers)
    assert (first.replayed, again.replayed) == (False, True)
    with pytest.raises(Refused, match="idempotency_key_reused"):
        office.desk.say(submitting(office, key=replace(key, fingerprint="f2")))
    other = office.desk.say(submitting(office, seed=1, key=replace(key, principal="wechat")))
    assert not other.answer().replayed


def test_a_rehearsal_writes_nothing(office: Office) -> None:
    binding_id = life.to_state(office, "submitted")
    shown = office.desk.rehearse(Command("withdraw", binding_id, life.channel())).case
    assert shown is not None
    assert (shown.state, shown.version) == ("submitted", 1)
    with pytest.raises(Refused, match="action_not_available"):
        office.desk.rehearse(Command("approve", binding_id, life.REVIEWER))
    assert life.look(office, binding_id).version == 1


def test_a_lost_deadline_is_taken_off_without_a_step(office: Office) -> None:
    binding_id = life.to_state(office, "materials_uploaded")
    with office.ledger.connection() as conn:
        conn.execute(
            "insert into deadlines (binding_id, name, due_at, watch)"
            " values (%s, 'submitted_to_materials', kinbind_now(), false)",
            (binding_id,),
        )
    assert sweep(office.desk) == 1
    assert life.look(office, binding_id).version == 2
    assert sweep(office.desk) == 0


def test_a_deadline_that_strayed_is_put_right(office: Office) -> None:
    life.to_state(office, "submitted")
    with office.ledger.connection() as conn:
        conn.execute("update deadlines set due_at = kinbind_now()")
    assert sweep(office.desk) == 1


def test_a_deadline_whose_step_breaks_leaves_the_head_and_is_parked_in_the_end(office: Office) -> None:
    broken, sound = life.to_state(office, "submitted"), life.to_state(office, "submitted", seed=1)
    with psycopg.connect(office.ledger.url, autocommit=True) as conn:
        conn.execute(
            "create function no() returns trigger language plpgsql as $$ begin raise 'no'; end $$;"
            f"create trigger no before update on bindings for each row when (old.id = '{broken}') execute function no()"
        )
        life.skip(office, days=7, seconds=1)
        assert sweep(office.desk) == 2
        assert life.look(office, sound).state == "expired"
        for _ in range(ATTEMPTS - 1):
            assert sweep(office.desk) == 0
            life.skip(office, hours=1, seconds=1)
            assert sweep(office.desk) == 1
        (row,) = rows(office, "select parked, attempts from deadlines where binding_id = %s", broken)
        assert (row["parked"], row["attempts"]) == ("step_poisoned", ATTEMPTS)
        life.skip(office, days=100)
        assert sweep(office.desk) == 0
        conn.execute("drop trigger no on bindings")
    life.say(office, "withdraw", broken)  # whoever moves it clears it
