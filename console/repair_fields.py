"""What the fields of a repair offer, wherever a page has them."""

from __future__ import annotations

from typing import Any

from tasks.office import Office
from workflows.access import principals
from workflows.access.principals import Principal
from workflows.deadlines import DEADLINES
from workflows.repairs.mending import TARGETS
from workflows.repairs.verbs import VERBS
from workflows.views.supervising import overlap


def choices(office: Office, caller: Principal, product: str | None = None) -> dict[str, Any]:
    """Verbs, states to move to, deadlines that the clock fires, versions of packs (the newest first), reviewers.

    Only packs that offer the `product`, and only reviewers whose regions overlap with the caller's.
    """
    packs = [one for one in office.desk.book.files if product in (None, one.product)]
    return {
        "verbs": VERBS,
        "targets": TARGETS,
        "deadlines": [one.name for one in DEADLINES if one.move is not None],
        "versions": sorted({f"{one.pack} {one.version}" for one in packs}, reverse=True),
        "reviewers": [
            (one.id, one.name)
            for one in principals.every(office.ledger)
            if "reviewer" in one.roles and overlap(one.regions, caller.regions)
        ],
    }
