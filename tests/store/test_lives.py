"""Whatever anyone says in whatever order, at whatever time: the ledger stays whole, and the buttons tell the truth."""

from collections.abc import Iterator
from datetime import date, datetime, timedelta
from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, invariant, multiple, rule, run_state_machine_as_test

from models.ids import new_id
from policies.calendar import shanghai_day
from tasks.office import Office
from tests import life
from tests.store.invariants import check
from workflows import probes
from workflows.binding import MOVES_BY_NAME
from workflows.case import CLOCK, SYSTEM, Actor, Case
from workflows.commands import Command
from workflows.errors import Refused
from workflows.sweeping import sweep
from workflows.views.public import ACTIONS, available_actions, offered

TABLES = (
    "bindings, applications, history, deadlines, seats, month_seats, materials, face_sessions, review_cases, "
    "counter_tickets, idempotency, persons, person_channels"
)
MOVES = sorted(MOVES_BY_NAME.keys() - {"submit", "begin_review", "activate", "limit_refused"})
STEPS = [timedelta(seconds=1), timedelta(minutes=20), timedelta(hours=7), timedelta(hours=25), timedelta(days=8),
         timedelta(days=33), timedelta(days=190)]  # fmt: skip
OLD = date(1958, 3, 7)
GROWS_SOON = timedelta(days=16 * 365 + 4 - 70)  # of age: sixteen in seventy days
# (product, method, born): an old mother, a child who grows up soon, a newborn; with and without review and papers
FAMILIES = [
    ("family_account", "id_number", OLD),
    ("family_account", "id_number", GROWS_SOON),
    ("family_account", "other_document", OLD),
    ("family_account", "birth_certificate", None),
    ("account_sharing", "id_number", OLD),
    ("account_sharing", "id_number", GROWS_SOON),
    ("code_display", "id_number", OLD),
]
ENDING = {"withdraw", "registry_refused", "counter_refused", "reject", "end", "confirm_unbind"}
COMMON = ["face_check", "offline_fallback", "agency_review", "active", "active", "suspended"]
KNOWN_REFUSALS = {
    "action_not_available", "material_incomplete", "registry_unanswered", "lease_required", "deadline_gone",
    "reason_not_listed", "initiator_not_allowed", "method_not_allowed", "face_subject_not_next", "face_rate_limited",
    "duplicate_binding", "holder_limit", "member_binder_limit", "sharing_not_active", "state_not_allowed",
    "policy_unknown", "plan_impossible", "not_undoable", "agency_unserved", "agency_unchanged", "supervisor_required",
    "nothing_to_repair", "registry_objects",
}  # fmt: skip


class Lives(RuleBasedStateMachine):
    """Some families, and everybody who has to do with them."""

    office: Office  # set by the test: one server for all examples
    bindings: Bundle[str] = Bundle("bindings")

    def __init__(self) -> None:
        super().__init__()
        with self.office.ledger.connection() as conn:
            conn.execute(f"truncate {TABLES} cascade")
            conn.execute("update service_clock set ahead = interval '0'")

    # -- what happens ------------------------------------------------------------------------------------------

    @rule(
        target=bindings, family=st.sampled_from(FAMILIES), holder=st.integers(0, 2), member=st.integers(0, 3),
        papers=st.integers(0, 5), at_counter=st.booleans(),
    )  # fmt: skip
    def apply(
        self, family: tuple[str, str, date | timedelta | None], holder: int, member: int, papers: int, at_counter: bool
    ) -> Any:
        product, method, born = family
        today = shanghai_day(self.office.ledger.now())
        request = life.a_request(
            self.office.desk.book, product=product, method=method, day=today, holder_seed=holder, member_seed=member,
            member_born=today - born if isinstance(born, timedelta) else born,
            relationship="PARENT" if born == OLD else "CHILD",
        )  # fmt: skip
        try:
            binding_id = life.submit(self.office, request, "counter" if at_counter else None)
        except Refused as no:
            _expected(no)
            return multiple()
        if papers:  # hardly anybody forgets them
            life.give_materials(self.office, binding_id)
        return binding_id

    @rule(
        target=bindings, state=st.sampled_from(COMMON), holder=st.integers(3, 4), member=st.integers(4, 7),
        child=st.booleans(),
    )  # fmt: skip
    def somebody_came_so_far_before(self, state: str, holder: int, member: int, child: bool) -> Any:
        today = shanghai_day(self.office.ledger.now())
        born = today - GROWS_SOON if child and state in ("active", "suspended") else OLD
        people: dict[str, Any] = {"holder_seed": holder, "member_seed": member, "member_born": born, "day": today}
        try:
            return life.to_state(self.office, state, **people)
        except Refused as no:
            _expected(no)
            return multiple()

    @rule(target=bindings, member=st.integers(8, 9))
    def a_code_is_to_be_shown(self, member: int) -> Any:
        """The second step of Guangdong, after a sharing in force between the two."""
        now = self.office.ledger.now()
        people: dict[str, Any] = {"holder_seed": 5, "member_seed": member, "day": shanghai_day(now)}
        try:
            sharing = life.to_state(self.office, "agency_review", **people)
            life.claim(self.office, sharing)
            life.say(self.office, "approve", sharing, life.REVIEWER)
            request = life.a_request(self.office.desk.book, product="code_display", **people)
            return multiple(sharing, life.submit(self.office, request))
        except Refused as no:
            _expected(no)
            return multiple()

    @rule(binding_id=bindings)
    def claim(self, binding_id: str) -> None:
        life.claim(self.office, binding_id)

    @rule(binding_id=bindings, data=st.data(), steps=st.integers(1, 6))
    def go_on(self, binding_id: str, data: st.DataObject, steps: int) -> None:
        """Some things that somebody may well say at this moment, one after the other."""
        for _ in range(steps):
            case, now = self.office.desk.look(binding_id)
            if case.state == "agency_review":
                life.claim(self.office, binding_id)
            commands = [command for command in self.sensible(case, now) if self.would_do(command)]
            ending = [command for command in commands if command.said in ENDING]
            commands = [command for command in commands if command.said not in ENDING] or ending
            if commands:
                self.say(data.draw(st.sampled_from(commands), label="said"))

    @rule(binding_id=bindings, data=st.data())
    def end(self, binding_id: str, data: st.DataObject) -> None:
        case, now = self.office.desk.look(binding_id)
        ending = [command for command in self.sensible(case, now) if command.said in ENDING]
        if ending:
            self.say(data.draw(st.sampled_from(ending), label="said"))

    @rule(binding_id=bindings, said=st.sampled_from(MOVES), kind=st.sampled_from([*ACTIONS, "system", "clock"]))
    def speak_out_of_turn(self, binding_id: str, said: str, kind: str) -> None:
        case = life.look(self.office, binding_id)
        facts = {"deadline": "offline_to_counter", "reason": "suspected_fraud", "what": "name", "initiator": "holder",
                 "method": "face", "agency": "000000", "items": []}  # fmt: skip
        if said in ("face_started", "face_failed", "face_passed", "extend_window", "replan", "undo_repair"):
            return  # these come with a session, a plan, or what there was before
        self.say(Command(said, binding_id, self.actors(case)[kind][0], facts))

    @rule(by=st.sampled_from(STEPS))
    def time_passes(self, by: timedelta) -> None:
        life.skip(self.office, seconds=by.total_seconds())

    @rule()
    def the_clock_strikes(self) -> None:
        while sweep(self.office.desk):
            pass

    @rule(binding_id=bindings)
    def the_buttons_tell_the_truth(self, binding_id: str) -> None:
        """What is listed is accepted, what is not listed is refused."""
        case, now = self.office.desk.look(binding_id)
        for kind in ACTIONS:
            for actor in self.actors(case)[kind]:
                listed = available_actions(case, actor, now)
                tried = {command.said for command in self.sensible(case, now, actor) if self.would_do(command)}
                known = dict(offered(kind, case.state))
                assert {known[action] for action in listed if action in known} == tried, (case.state, actor.kind)

    # -- who says what -------------------------------------------------------------------------------------------

    def actors(self, case: Case) -> dict[str, list[Actor]]:
        application = case.application
        return {
            "channel": [life.channel(acting_for=who) for who in (application.holder, application.member)],
            "counter": [life.COUNTER], "reviewer": [life.REVIEWER], "supervisor": [life.SUPERVISOR],
            "operator": [life.OPERATOR], "system": [SYSTEM], "clock": [CLOCK],
        }  # fmt: skip

    def sensible(self, case: Case, now: datetime, only: Actor | None = None) -> Iterator[Command]:
        """Every move of the table for this state with fitting facts, by all who may (or by one)."""
        actors = (
            [only] if only else [one for kind, some in self.actors(case).items() if kind != "clock" for one in some]
        )
        for actor in actors:
            for said in MOVES:
                if any(case.state in move.while_ and actor.kind in move.by for move in MOVES_BY_NAME[said]):
                    for facts in self.facts(case, said, now):
                        yield Command(said, case.id, actor, facts, if_match=case.version)

    def facts(self, case: Case, said: str, now: datetime) -> list[dict[str, Any]]:
        if said in ("face_failed", "face_passed"):
            return [facts for session in life.sessions(self.office, case.id) for facts in _answers(session, now)]
        told = probes.told_with(case, said, now)
        if said == "face_started":
            fresh = {"id": new_id("fac", now), "provider": "sandbox", "reference": new_id("ref", now),
                     "expires_at": now + timedelta(hours=2)}  # fmt: skip
            return [{"subject": facts["subject"], "session": fresh} for facts in told]
        return told

    def would_do(self, command: Command) -> bool:
        try:
            self.office.desk.rehearse(command)
        except Refused as no:
            _expected(no)
            return False
        return True

    def say(self, command: Command) -> None:
        try:
            self.office.desk.say(command)
        except Refused as no:
            _expected(no)

    # -- what must be true ------------------------------------------------------------------------------------------

    @invariant()
    def the_ledger_is_whole(self) -> None:
        check(self.office)


def _expected(no: Refused) -> None:
    assert no.code in KNOWN_REFUSALS, no.code


def _answers(session: dict[str, Any], now: datetime) -> list[dict[str, Any]]:
    """What the provider may say of a session: passed or not, just now or long ago."""
    told = {name: session[name] for name in ("subject", "purpose", "started_at")} | {"session": session}
    return [
        *({**told, "finished_at": at} for at in (session["started_at"], now)),
        *({**told, "finished_at": now, "reason": "face_no_match", "uses_attempt": True, "go_offline": gone}
          for gone in (False, True)),
    ]  # fmt: skip


@pytest.mark.timeout(180)
def test_lives(database_url: str) -> None:
    with life.office(database_url) as office:
        machine = type("TheseLives", (Lives,), {"office": office})
        few = settings(
            max_examples=12,
            stateful_step_count=40,
            deadline=None,
            database=None,
            suppress_health_check=list(HealthCheck),
        )
        run_state_machine_as_test(machine, settings=few)
