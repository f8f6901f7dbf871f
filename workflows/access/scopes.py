"""Which bindings a member of staff sees: the work item's agency lies in his regions, or the binding does."""

from __future__ import annotations

from collections.abc import Iterable

from workflows.case import Actor, Case, region_prefix


def reviews(case: Case, actor: Actor) -> bool:
    """A reviewer: his agency's cases."""
    return actor.sees(case.review_agency)


def at_counter(case: Case, actor: Actor) -> bool:
    """A clerk: his agency's tickets; without a ticket, and in force, the bindings that his window would serve."""
    if case.progress.offline is not None and not case.in_force:
        return actor.sees(case.counter_agency)
    return actor.sees(case.counter_agency) or actor.sees(case.application.region)


def serves(actor: Actor, places: Iterable[str]) -> bool:
    """A new application at the window: one of the two people is insured in the clerk's regions."""
    return any(actor.sees(place) for place in places)


def in_region(case: Case, actor: Actor) -> bool:
    """A supervisor or an operator: whatever touches his regions."""
    return any(actor.sees(region) for region in (case.application.region, case.review_agency, case.counter_agency))


_BY_KIND = {"reviewer": reviews, "counter": at_counter, "supervisor": in_region, "operator": in_region}


def staff(case: Case, actor: Actor) -> bool:
    """Whether this member of staff sees the case."""
    seen = _BY_KIND.get(actor.kind)
    return seen is not None and seen(case, actor)


def patterns(regions: Iterable[str]) -> list[str]:
    """The grants as patterns for SQL's `like any`."""
    return [f"{region_prefix(region)}%" for region in regions]
