"""Agencies as places that take tickets: which there are, whether anybody serves them, what a ticket for them says."""

from __future__ import annotations

from typing import Any

from policies.calendar import shanghai_day
from policies.refusals import NotAllowed
from policies.regions import agency_name, names
from workflows.access.principals import every
from workflows.case import lies_in, region_prefix
from workflows.engine import Desk


def taking_over(desk: Desk, agency: str, binding_id: str) -> dict[str, Any]:
    """The facts of a hand-over to `agency`: `{agency, agency_name, address, served}`.

    Raises `Refused` with `not_found`.
    """
    case, now = desk.look(binding_id)
    try:
        pack = desk.book.pack_for(agency, case.application.product, shanghai_day(now))
        called, named = pack.agency(agency), agency in pack.agencies
    except NotAllowed:  # the product is not offered there; its people may still be known at the window
        called, named = agency_name(agency), False
    served = serves(desk, agency, named=named)
    return {"agency": agency, "agency_name": called.name, "address": called.address, "served": served}


def serves(desk: Desk, agency: str, *, named: bool = False) -> bool:
    """Whether there is such an agency, and a clerk who would find a ticket there.

    There is one if the law book names the place, a pack names the agency, or a clerk's grant covers it: not every city
    is in the book. A grant of the whole country does not count.
    """
    grants = [grant for one in every(desk.ledger) if "counter" in one.roles for grant in one.regions]
    finders = [grant for grant in grants if lies_in(agency, [grant])]
    known = named or agency in names() or any(region_prefix(grant) for grant in finders)
    return known and bool(finders)
