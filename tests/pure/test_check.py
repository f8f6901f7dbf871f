"""What `kinbind policy check` finds of machine and packs together: nothing in ours, and each fault in broken ones."""

import math
from dataclasses import replace
from datetime import date

import pytest

from policies.book import lawbook
from policies.plan import Plan, Span
from policies.planning import ApplicationFacts, PersonFacts, plan_for
from workflows import check
from workflows.case import AGENCY_REVIEW, FACE_CHECK, RETURNED, STATES, SUBMITTED
from workflows.check import Walk, check_book
from workflows.deadlines import BY_STATE, DEADLINES, WITHOUT_LENGTH

DAY = date(2026, 11, 2)


def a_plan(product: str = "family_account", born: date = date(1958, 3, 7), region: str = "440100") -> Plan:
    holder, member = PersonFacts("resident_id", region, date(1985, 6, 1)), PersonFacts("resident_id", region, born)
    relation = "PARENT" if born.year < 2000 else "CHILD"
    return plan_for(lawbook(), ApplicationFacts(product, "id_number", relation, None, None, holder, member), DAY)


def found_in(plan: Plan) -> set[tuple[str, str]]:
    return set(check._wrong(plan))


def test_no_case_can_get_lost_under_our_packs() -> None:
    assert check_book(lawbook()) == []


@pytest.mark.parametrize("product", ["family_account", "account_sharing", "code_display"])
def test_the_walk_comes_to_every_state_of_the_plan(product: str) -> None:
    plan = a_plan(product)
    walk = Walk(plan)
    assert list(walk.judge()) == []
    review = set() if "agency_review" in plan.steps else {AGENCY_REVIEW, RETURNED}
    face = set() if "face_check" in plan.steps else {FACE_CHECK}
    assert walk.passed == set(STATES) - review - face


@pytest.mark.parametrize("name", [one.name for one in DEADLINES if one.name not in WITHOUT_LENGTH])
def test_a_deadline_without_a_length(name: str) -> None:
    lengths = {said: length for said, length in a_plan().deadlines.items() if said != name}
    assert found_in(replace(a_plan(), deadlines=lengths)) == {("", f"deadline {name} has no length")}


@pytest.mark.parametrize("length", [Span(hours=0), Span(hours=-1), Span(working_days=0), Span()])
def test_a_deadline_that_leaves_no_time(length: Span) -> None:
    plan = replace(a_plan(), deadlines=a_plan().deadlines | {"offline_to_counter": length})
    assert found_in(plan) == {("", "deadline offline_to_counter leaves no time")}


@pytest.mark.parametrize("hours", [math.nan, math.inf, -math.inf])
def test_a_deadline_that_never_ends(hours: float) -> None:
    plan = replace(a_plan(), deadlines=a_plan().deadlines | {"offline_to_counter": Span(hours=hours)})
    assert found_in(plan) == {("", "deadline offline_to_counter has no end")}


def test_a_review_counted_by_the_clock() -> None:
    plan = replace(a_plan(), deadlines=a_plan().deadlines | {"review_to_decision": Span(hours=48)})
    assert found_in(plan) == {("", "deadline review_to_decision is counted in working days")}


def test_a_review_without_words_to_return_with() -> None:
    plan = a_plan("account_sharing")
    mute = replace(plan, review=replace(plan.review, return_reasons=()))
    assert (RETURNED, "cannot be reached") in found_in(mute)


def test_the_face_of_somebody_who_is_no_party() -> None:
    plan = a_plan()
    asked = replace(plan, face=replace(plan.face, subjects=("mother",)))
    breaks = {what for _, what in found_in(asked) if " breaks: KeyError" in what}
    assert any(what.startswith("registries_answered") for what in breaks)


def test_a_face_step_without_faces() -> None:
    plan = a_plan()
    nobody = replace(plan, face=replace(plan.face, subjects=()))
    assert (FACE_CHECK, "cannot be reached") in found_in(nobody)


def test_a_finding_says_where_it_was_found() -> None:
    plan = replace(a_plan(), deadlines=a_plan().deadlines | {"submitted_to_materials": Span(hours=0)})
    (finding,) = check._findings(plan, check._wrong(plan))
    assert (finding.pack, finding.version, finding.plan, finding.state) == (
        "CN-national",
        "2026-11-01",
        "family_account id_number adult",
        "",
    )


def test_a_state_without_a_deadline(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(BY_STATE, SUBMITTED, ())
    assert (SUBMITTED, "no deadline is armed") in found_in(a_plan())


def test_a_deadline_that_says_what_the_clock_may_not(monkeypatch: pytest.MonkeyPatch) -> None:
    wrong = {deadline.name: deadline for deadline in DEADLINES}
    wrong["submitted_to_materials"] = replace(wrong["submitted_to_materials"], move="withdraw")
    for module in ("check", "probes"):
        monkeypatch.setattr(f"workflows.{module}.DEADLINES_BY_NAME", wrong)
    said = "submitted_to_materials is due, but the clock may not say withdraw: action_not_available"
    assert (SUBMITTED, said) in found_in(a_plan())
