"""What may be said to an order of repairs now, and by whom: the list from which buttons are made.

`orders` decides again when something is said. It refuses what is not listed here, and accepts what is, except an
approval under another key of the same person, or under a key that names no person. Of an order of which nothing can
be done, applying and approving are not listed, though they would do no harm.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from workflows.access.principals import Principal
from workflows.repairs.orders import CARRIED, ENDED, WAITING
from workflows.repairs.verbs import VERBS


def said_to(order: Mapping[str, Any], caller: Principal) -> list[str]:
    """Of `apply`, `approve`, `withdraw`, `pause`, `resume`, `undo`: what this caller may say to this order now."""
    state, paused = order["state"], order["paused_at"] is not None
    operator, supervisor = "operator" in caller.roles, "supervisor" in caller.roles
    undoable = VERBS[order["repair"]].undoable and (order["repair"] != "suspend" or supervisor)
    doable = order["counts"].get("planned", 0) > 0
    another = caller.id not in (order["asked_by"], order["applied_by"])
    may = {
        "apply": operator and state == "planned" and doable,
        "approve": supervisor and state == "awaiting_approval" and another and doable,
        "withdraw": (operator or supervisor) and state in WAITING,
        "pause": (operator or supervisor) and not paused and state in CARRIED,
        "resume": (operator or supervisor) and paused and state not in ENDED,
        "undo": (operator or supervisor) and undoable and (state == "done" or (state == "running" and paused)),
    }
    return [said for said, allowed in may.items() if allowed]
