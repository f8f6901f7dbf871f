"""The law, written a second time by hand from the order, against every state × move × actor of the machine."""

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import replace
from datetime import date, datetime, timedelta
from functools import cache
from pathlib import Path
from typing import Any

import msgspec
import pytest

from policies.book import lawbook
from policies.plan import Plan, Requirement
from policies.planning import ApplicationFacts, PersonFacts, plan_for
from tests.pure.test_check import a_plan
from workflows.binding import MOVES, NOWHERE
from workflows.case import CLOCK, FINAL, STATES, SYSTEM, Actor, Case, Correction, Cursor, Offline
from workflows.check import Walk
from workflows.deadlines import DEADLINES_BY_NAME, armed
from workflows.diagram import renewed
from workflows.engine import make_move
from workflows.errors import Refused
from workflows.following import next_said
from workflows.probes import GROWN_BY_THEN, Saying, sayings
from workflows.views.public import ACTIONS, available_actions, offered

KINDS = ("channel", "counter", "reviewer", "supervisor", "operator", "system", "clock")
BY_STAFF = ("counter", "reviewer", "supervisor", "operator")
WAITING = "submitted materials_uploaded face_check offline_fallback agency_review returned"
LIVING = f"{WAITING} active suspended unbinding"
# What `next` may be, with what the system says after it in the same commit: a document that no camera can read goes
# offline, a review may pass by itself, a limit may be met.
NEXT = "face_check agency_review active rejected offline_fallback"

# (said, by whom): {while: becomes}. The first part is the table of the order; the second is what it leaves unsaid.
LAW: dict[tuple[str, str], dict[str, str]] = {
    ("submit", "channel counter"): {NOWHERE: "submitted materials_uploaded"},
    ("submit_materials", "channel counter system"): dict.fromkeys(("submitted", "returned"), "materials_uploaded"),
    ("registries_answered", "system"): {"materials_uploaded": f"{NEXT} materials_uploaded"},  # a record to confirm
    ("registry_refused", "system"): {"materials_uploaded": "rejected offline_fallback"},
    ("confirm_registry_record", "channel"): {"materials_uploaded": NEXT},
    ("face_started", "channel"): dict.fromkeys(("face_check", "active", "suspended", "unbinding"), "="),
    ("face_failed", "system"): {
        "face_check": "= offline_fallback",
        **dict.fromkeys(("offline_fallback", "active", "suspended", "unbinding"), "="),
    },
    ("face_passed", "system"): {
        **dict.fromkeys(("face_check", "offline_fallback"), NEXT),
        **dict.fromkeys(("active", "suspended"), "active"),
        "unbinding": "unbound",
    },
    ("confirm_authorisation", "channel"): {"face_check": NEXT},
    ("route_offline", "clock system operator channel"): dict.fromkeys(
        ("materials_uploaded", "face_check"), "offline_fallback"
    ),
    ("resume_online", "channel"): {"offline_fallback": "face_check materials_uploaded"},
    ("counter_verified", "counter"): {"offline_fallback": NEXT, "active": "=", "suspended": "active"},
    ("counter_refused", "counter"): {"offline_fallback": "rejected", "suspended": "="},
    ("approve", "reviewer system"): {"agency_review": NEXT},
    ("reject", "reviewer"): {"agency_review": "rejected"},
    ("return_for_correction", "reviewer supervisor"): {"agency_review": "returned"},  # a supervisor: the second time
    ("escalate", "clock reviewer"): {"agency_review": "="},
    ("withdraw", "channel counter"): dict.fromkeys(WAITING.split(), "withdrawn"),
    ("expire", "clock"): dict.fromkeys(
        ("submitted", "materials_uploaded", "face_check", "returned", "offline_fallback"), "expired"
    ),
    ("ask_reverification", "clock"): {"active": "="},
    ("report_change", "channel counter"): {
        **dict.fromkeys(("active", "suspended"), "suspended unbound"),
        "unbinding": "unbound",  # a death; the other changes wait
    },
    ("link_number", "system"): {"active": "="},  # the birth registry has a number for the newborn
    ("suspend", "supervisor system clock"): {"active": "suspended"},
    ("suspend", "supervisor system"): {"unbinding": "suspended"},  # an unbinding shields nothing
    ("warn_of_end", "clock"): {"suspended": "="},
    ("resume", "supervisor system clock"): {"suspended": "active"},
    ("request_unbind", "channel counter"): dict.fromkeys(("active", "suspended"), "unbinding"),
    ("confirm_unbind", "channel counter"): {"unbinding": "unbound"},
    ("cancel_unbind", "channel clock"): {"unbinding": "active suspended"},
    ("end", "supervisor system clock"): dict.fromkeys(("active", "suspended"), "unbound"),
    ("end", "supervisor system"): {"unbinding": "unbound"},
    # unsaid there: the outage moves a window, a ticket changes hands, and what the system says by itself
    ("extend_window", "system"): dict.fromkeys(("face_check", "offline_fallback"), "="),
    ("hand_over", "counter"): dict.fromkeys(("offline_fallback", "active", "suspended"), "="),
    ("begin_review", "system"): dict.fromkeys(
        ("materials_uploaded", "face_check", "offline_fallback"), "agency_review active rejected"
    ),
    ("activate", "system"): dict.fromkeys(
        ("materials_uploaded", "face_check", "offline_fallback", "agency_review"), "active"
    ),
    ("limit_refused", "system"): dict.fromkeys(
        ("materials_uploaded", "face_check", "offline_fallback", "agency_review"), "rejected"
    ),
    # what operators repair with (docs/repairs.md): after a move, what the system says next in the same commit
    **{(said, "operator"): dict.fromkeys(LIVING.split(), "=") for said in ("rearm", "resend", "replan")},
    ("ask_again", "operator"): dict.fromkeys(
        ("materials_uploaded", "face_check", "active", "suspended", "unbinding"), "="
    ),
    ("move", "operator"): dict.fromkeys(
        WAITING.split(), "materials_uploaded face_check offline_fallback agency_review"
    ),
    ("reassign", "operator"): dict.fromkeys(("offline_fallback", "agency_review", "active", "suspended"), "="),
    ("close", "operator"): dict.fromkeys(WAITING.split(), "rejected"),
    ("undo_repair", "system"): dict.fromkeys(LIVING.split(), "="),
}
BY_HAND = {
    (said, kind, state): {state if word == "=" else word for word in becomes.split()}
    for (said, kinds), ways in LAW.items()
    for kind in kinds.split()
    for state, becomes in ways.items()
}
# In the table, and yet nobody says it today: no deadline ends or resumes a binding there, and it is the hands, who ask
# the registries, that give up asking.
NEVER_SAID = {
    ("end", "clock", "active"),
    ("resume", "clock", "suspended"),
}
ANY_FACTS: dict[str, Any] = {
    "deadline": "submitted_to_materials", "reason": "suspected_fraud", "what": "name", "initiator": "holder",
    "method": "face", "subject": "member", "purpose": "binding", "session": {}, "items": [], "agency": "000000",
}  # fmt: skip


def plans() -> list[Plan]:
    holder = PersonFacts("resident_id", "440100", date(1985, 6, 1))
    baby = PersonFacts("resident_id", "440100", date(2026, 10, 1))
    newborn = ApplicationFacts("family_account", "birth_certificate", "CHILD", None, None, holder, baby)
    child, sharing = a_plan(born=date(2015, 1, 5)), a_plan("account_sharing")
    drawn = replace(sharing, review=replace(sharing.review, mode="auto_then_sample", sample_share=0.5))
    return [a_plan(), child, sharing, drawn, a_plan("code_display"), plan_for(lawbook(), newborn, date(2026, 11, 2))]


@cache
def situations() -> list[tuple[Walk, Case, datetime]]:
    """Every situation that a case of each of the plans can come to."""
    walks = [Walk(plan) for plan in plans()]
    for walk in walks:
        assert list(walk.judge()) == []
    return [(walk, case, now) for walk in walks for case, now in walk.seen.values()]


def after(case: Case, said: str, actor: Actor, facts: dict[str, Any], at: datetime) -> Case:
    """The case after one command, with all that the system says of it in the same commit."""
    copy = msgspec.structs.replace(case, progress=msgspec.structs.replace(case.progress))
    cursor = Cursor(copy, at)
    make_move(cursor, said, actor, facts)
    while follows := next_said(cursor):
        make_move(cursor, follows[0], SYSTEM, {"reason": follows[1]})
    return copy


def actor_of(kind: str) -> Actor:
    return {"system": SYSTEM, "clock": CLOCK}.get(kind) or Actor(kind, "stf_check", "holder", ("000000",))


# -- the walk ----------------------------------------------------------------------------------------------


def test_the_machine_knows_exactly_the_moves_of_the_page() -> None:
    assert {move.said for move in MOVES} == {said for said, _ in LAW}
    assert {kind for move in MOVES for kind in move.by} == set(KINDS)


def test_each_state_is_met_on_the_walk() -> None:
    assert {case.state for _, case, _ in situations()} | {"submitted"} == {NOWHERE, *STATES}


def test_whatever_is_not_in_the_table_is_refused() -> None:
    moves = {said for said, _ in LAW}
    for _, case, now in situations():
        before = (case.state, case.version, msgspec.json.encode(case.progress))
        for said, kind in ((said, kind) for said in moves for kind in KINDS):
            if (said, kind, case.state) not in BY_HAND:
                with pytest.raises(Refused) as refused:
                    make_move(Cursor(case, now), said, actor_of(kind), ANY_FACTS)
                assert refused.value.code == "action_not_available", (said, kind, case.state)
        assert before == (case.state, case.version, msgspec.json.encode(case.progress))


def test_whatever_is_in_the_table_is_done_and_leads_where_it_says() -> None:
    done: dict[tuple[str, str, str], set[str]] = defaultdict(set)
    for walk, case, now in situations():
        for saying in (*sayings(case, now), *_by_the_system_itself(case, now)):
            row = (saying.said, saying.actor.kind, case.state)
            try:
                came_to = walk.hear(case, saying).state
            except Refused:
                continue
            assert row in BY_HAND, f"{row} is done, but is not in the table"
            assert came_to in BY_HAND[row], f"{row} leads to {came_to}"
            done[row].add(came_to)
    assert BY_HAND.keys() - done.keys() == NEVER_SAID


def _by_the_system_itself(case: Case, now: datetime) -> Iterator[Saying]:
    for said in ("begin_review", "activate", "limit_refused"):
        if (said, "system", case.state) in BY_HAND:
            yield Saying(said, SYSTEM, {}, now)


@pytest.mark.parametrize("state", FINAL)
def test_an_end_is_an_end(state: str) -> None:
    assert not any(row[2] == state for row in BY_HAND)
    assert not any(state in move.while_ for move in MOVES)


# -- what is listed is accepted, what is not listed is refused ------------------------------------------------


def test_the_actions_of_the_moment() -> None:
    for walk, case, now in situations():
        if case.state == NOWHERE:
            continue
        for kind in ACTIONS:
            accepted: dict[Actor, set[str]] = defaultdict(set)
            for saying in sayings(case, now):
                if saying.actor.kind != kind:
                    continue
                accepted[saying.actor] |= set()
                try:
                    walk.hear(case, saying)
                except Refused:
                    continue
                accepted[saying.actor].add(saying.said)
            for actor, said in accepted.items():
                known = dict(offered(kind, case.state))
                listed = {known[action] for action in available_actions(case, actor, now) if action in known}
                assert listed == said, (case.state, actor)


# -- rules that a table cannot say ---------------------------------------------------------------------------


def met(state: str, **progress: Any) -> tuple[Case, datetime]:
    """A situation of the walk in `state` whose progress has these values."""
    return next(
        (case, now)
        for _, case, now in situations()
        if case.state == state and all(getattr(case.progress, name) == value for name, value in progress.items())
    )


@pytest.mark.parametrize("state", ["active", "suspended"])
def test_a_death_ends_it(state: str) -> None:
    case, now = met(state)
    ended = after(case, "report_change", actor_of("channel"), {"what": "death"}, now)
    assert (ended.state, ended.progress.reason) == ("unbound", "death")


@pytest.mark.parametrize("suspicion", ["decision", "insurance"])
@pytest.mark.parametrize("what", ["name", "id_number"])
def test_no_face_lifts_what_it_was_suspended_for_before(suspicion: str, what: str) -> None:
    case, now = met("suspended", suspended_for=suspicion)
    reported = after(case, "report_change", actor_of("channel"), {"what": what}, now)
    assert (reported.progress.suspended_for, reported.progress.offline) == ("decision", None)
    for said in ("face_passed", "face_started"):
        with pytest.raises(Refused, match="action_not_available"):
            after(reported, said, actor_of("system" if said == "face_passed" else "channel"), ANY_FACTS, now)
    with pytest.raises(Refused, match="action_not_available"):  # nor does a registry that was asked before
        after(reported, "resume", SYSTEM, {"reason": "insurance_back"}, now)


def test_reporting_again_buys_no_time() -> None:
    case, now = met("suspended", suspended_for="decision")
    later = now + timedelta(days=90)
    reported = after(case, "report_change", actor_of("channel"), {"what": "insured_region"}, later)
    assert armed(reported)["suspended_to_ended"] == armed(case)["suspended_to_ended"]


def test_a_child_that_grew_during_the_review_shows_its_face_first() -> None:
    child, sharing = plans()[1:3]
    both = replace(child, steps=("agency_review",), review=sharing.review)
    walk = Walk(both)
    assert list(walk.judge()) == []
    case, now = next(
        (case, now)
        for case, now in walk.seen.values()
        if case.state == "agency_review" and case.application.channel == "check" and not case.progress.passed
    )
    grown = msgspec.structs.replace(
        case, application=msgspec.structs.replace(case.application, face_age_day=GROWN_BY_THEN)
    )
    approved = after(grown, "approve", SYSTEM, {}, now)
    assert (approved.state, approved.open_step, approved.next_subject) == ("face_check", "face_check", "member")
    assert "face_to_first_attempt" in armed(approved)


def test_a_second_trip_to_the_counter_is_decided_anew() -> None:
    case, now = met("materials_uploaded", registry_answered=False)
    before = msgspec.structs.replace(
        case, progress=msgspec.structs.replace(case.progress, counter_decided=True, passed=["member"])
    )
    offline = after(before, "route_offline", SYSTEM, {"reason": "registry_unanswered"}, now)
    assert offline.state == "offline_fallback"
    assert isinstance(offline.progress.offline, Offline)


@pytest.mark.parametrize("said", ["registries_answered", "registry_refused"])
def test_the_registries_answer_once_for_each_hand_in(said: str) -> None:
    """A second answer on its way takes away no record that the family is to confirm."""
    case, now = met("materials_uploaded", registry_answered=True)
    with pytest.raises(Refused, match="action_not_available"):
        after(case, said, SYSTEM, {"reason": "not_insured"}, now)


def test_a_counter_may_be_chosen_where_a_face_is_asked_and_only_there() -> None:
    for _, case, now in situations():
        if case.state in ("materials_uploaded", "face_check"):
            listed = available_actions(case, actor_of("channel"), now)
            assert ("choose_offline" in listed) == (case.open_step == "face_check")


def test_at_what_is_only_stated_a_clerk_looks_once() -> None:
    """Returned and handed in again it does not go to the counter for the same once more."""
    case, now = next(
        (case, now)
        for walk, case, now in situations()
        if case.state == "materials_uploaded" and case.plan.review.mode == "manual" and not case.taken_at_counter
    )
    stated = {"go_offline": True, "reason": "document_not_readable"}
    sent = after(case, "registries_answered", SYSTEM, stated, now)
    assert sent.state == "offline_fallback"
    seen = after(sent, "counter_verified", actor_of("counter"), {}, now)
    fault = {"reason": seen.plan.review.return_reasons[0], "items": []}
    returned = after(seen, "return_for_correction", actor_of("reviewer"), fault, now)
    again = after(returned, "submit_materials", actor_of("channel"), {}, now)
    assert after(again, "registries_answered", SYSTEM, stated, now).state == "agency_review"


@pytest.mark.parametrize(("since", "mended"), [((), False), (("notarised_relationship",), True)])
def test_another_paper_mends_a_fault_only_if_it_came_since(since: tuple[str, ...], mended: bool) -> None:
    case, now = met("returned")
    kinds = ("household_register_member_page", "notarised_relationship")
    fault = [{"kind": kinds[0], "reason": "relation_unproven"}]
    told = msgspec.structs.replace(
        case,
        plan=replace(case.plan, materials=(Requirement("relation", tuple((kind,) for kind in kinds)),)),
        progress=msgspec.structs.replace(case.progress, correction=Correction("relation_unproven", fault)),
        materials=[{"id": f"mat_{kind}", "kind": kind} for kind in kinds],
        added_since=since,
    )
    if mended:
        assert after(told, "submit_materials", actor_of("channel"), {}, now).state == "materials_uploaded"
    else:
        with pytest.raises(Refused, match="material_incomplete"):
            after(told, "submit_materials", actor_of("channel"), {}, now)


@pytest.mark.parametrize("kind", ["counter", "reviewer", "supervisor"])
def test_nobody_decides_a_case_in_which_he_is_a_party(kind: str) -> None:
    party = Actor(kind, "stf_check", regions=("000000",), person="member")
    decided = {"verify", "refuse", "hand_over", "approve", "reject", "return", "suspend", "resume", "unbind"}
    for _, case, now in situations():
        if case.state != NOWHERE:
            assert not decided & set(available_actions(case, party, now)), case.state


def test_no_move_of_theirs_is_made_of_it_either() -> None:
    """But for what decides nothing: handing it in, and sending it to a counter."""
    tried = set()
    for walk, case, now in situations():
        for saying in sayings(case, now) if case.state != NOWHERE else ():
            kind = saying.actor.kind
            if kind in BY_STAFF and saying.said not in {"submit_materials", "route_offline"}:
                party = replace(saying, actor=msgspec.structs.replace(saying.actor, person="member"))
                with pytest.raises(Refused):
                    walk.hear(case, party)
                tried.add((saying.said, kind))
    assert {kind for _, kind in tried} == set(BY_STAFF)


@pytest.mark.parametrize(
    ("kind", "days", "early"), [("channel", 89.99, True), ("channel", 90, False), ("counter", 1, False)]
)
def test_a_pack_may_let_nobody_end_it_in_its_first_days_but_at_a_counter(kind: str, days: float, early: bool) -> None:
    case, now = met("active")
    unbind = replace(case.plan.unbind, min_age_days=90)
    young = msgspec.structs.replace(case, plan=replace(case.plan, unbind=unbind))
    wish = {"initiator": "holder", "method": unbind.authentication[0]}
    later = (case.progress.active_since or now) + timedelta(days=days)
    if early:
        with pytest.raises(Refused, match="unbind_too_early"):
            after(young, "request_unbind", actor_of(kind), wish, later)
    else:
        assert after(young, "request_unbind", actor_of(kind), wish, later).state == "unbinding"


def test_the_clock_says_nothing_before_it_is_due() -> None:
    for _, case, _ in situations():
        for name, due in armed(case).items() if case.state != NOWHERE else ():
            said = DEADLINES_BY_NAME[name].move
            if said is not None and case.state != "unbinding":
                with pytest.raises(Refused, match="deadline_gone"):
                    after(case, said, CLOCK, {"deadline": name}, due.at - timedelta(microseconds=1))


def test_the_page_on_the_life_of_a_binding_is_fresh() -> None:
    page = (Path(__file__).parents[2] / "docs" / "life.md").read_text(encoding="utf-8")
    assert renewed(page) == page, "run: python -m workflows.diagram"
