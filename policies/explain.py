"""Why a plan is as it is: for each part the pack's key, the file that set it and the facts behind it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

import orjson

from policies.book import LawBook
from policies.loader import Law
from policies.plan import Plan
from policies.planning import ApplicationFacts, plan_for


@dataclass(frozen=True, slots=True)
class Because:
    """One part of a plan and its reason."""

    part: str  # of the plan, "face.subjects"
    value: str  # as JSON
    key: str  # of the pack
    file: str
    facts: tuple[str, ...]  # of DOMAIN.md
    unconfirmed: bool


def explain_plan(book: LawBook, facts: ApplicationFacts, day: date) -> tuple[Plan, tuple[Because, ...]]:
    """Return the plan of an application and the reason of each of its parts. Raises as `plan_for`."""
    plan = plan_for(book, facts, day)
    law = book.law_for(facts.holder.insured_region, facts.product, day)
    return plan, tuple(_because(law, part, value, key) for part, value, key in _parts(plan, facts.relationship))


def _because(law: Law, part: str, value: object, key: str) -> Because:
    return Because(
        part=part,
        value=orjson.dumps(value, option=orjson.OPT_SORT_KEYS).decode(),
        key=key,
        file=law.origin(key).file,
        facts=law.facts(key),
        unconfirmed=law.is_unconfirmed(key),
    )


def _parts(plan: Plan, relationship: str) -> list[tuple[str, object, str]]:
    branch = f"methods.{plan.method}.branches.{plan.age_group}"
    parts: list[tuple[str, object, str]] = [
        ("relationship", relationship, "relations.allowed"),
        ("age_group", plan.age_group, "age"),
        ("shown_credential", plan.shown_credential, "shown_credential"),
        ("fund_source", plan.fund_source, "fund_source"),
        ("own_code_only", plan.own_code_only, "own_code_only"),
        ("purposes", plan.purposes, "purposes"),
        ("materials", [group.label for group in plan.materials], f"{branch}.papers"),
        ("face.subjects", plan.face.subjects, f"{branch}.face"),
        ("face_at_age", plan.face_at_age, f"{branch}.face_at_age"),
        ("face.window_hours", plan.face.window_hours, "face.window_hours"),
        ("face.document_types", plan.face.document_types, "face.document_types"),
        ("requires_active", plan.requires_active, "requires_active"),
        ("authorisation", "authorisation" in plan.steps, "authorisation"),
        ("registry", plan.registry, "eligibility"),
        ("review.mode", plan.review.mode, "review.mode"),
        ("review.agency", plan.review.agency, "review.agency_level"),
        ("counter.agency", plan.counter.agency, "counter.agency_of"),
        ("limits.members_per_holder", plan.limits.members_per_holder, "limits.members_per_holder"),
        ("limits.binders_per_member", plan.limits.binders_per_member, "limits.binders_per_member"),
        ("unbind", plan.unbind, "unbind"),
        ("notices", [ref.notice for ref in plan.notices], "notices"),
    ]
    return parts + [
        (
            f"deadlines.{name}",
            span,
            "face.window_hours" if name == "first_attempt_to_pass" else f"deadlines.{name}",
        )
        for name, span in sorted(plan.deadlines.items())
    ]
