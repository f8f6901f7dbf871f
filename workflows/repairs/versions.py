"""The plan of a binding under another version of its pack, or another pack."""

from __future__ import annotations

from dataclasses import replace

from policies.book import LawBook
from policies.calendar import shanghai_day
from policies.plan import Plan, Span
from policies.planning import plan_under
from policies.refusals import NotAllowed
from workflows import check
from workflows.case import Case
from workflows.errors import Refused, by_law
from workflows.replanning import facts_of

EVERY = "*"  # in `recompute`: every deadline


def plan_of(book: LawBook, case: Case, pack: str, version: str, recompute: list[str]) -> Plan:
    """The plan that this version gives the application; lengths that are not to be recomputed stay as they were.

    Whether the channel was open, and who might apply, was checked when the application was made, and is not again.
    Raises `Refused`: 422 `policy_unknown`, 409 `plan_impossible`, or the version's own refusal of such a case.
    """
    try:
        law = book.law(pack, case.application.product, version)
    except KeyError:
        raise Refused("policy_unknown", 422, "/version") from None
    try:
        facts = replace(facts_of(case.application), channel=None, initiator=None)
        plan = plan_under(book, law.pack, facts, shanghai_day(case.application.created_at))
    except NotAllowed as no:
        raise by_law(no) from no
    plan = replace(plan, deadlines=_lengths(case.plan, plan, recompute))
    if check.impossible(plan):
        raise Refused("plan_impossible", 409)
    return plan


def _lengths(old: Plan, new: Plan, recompute: list[str]) -> dict[str, Span]:
    if EVERY in recompute:
        return new.deadlines
    kept = {name: old.deadlines.get(name, span) for name, span in new.deadlines.items()}
    return kept | {name: new.deadlines[name] for name in recompute if name in new.deadlines}
