"""A suspicion outlives the binding that it fell on: who ends it and applies anew is looked at by a person (0021)."""

from __future__ import annotations

from sqlalchemy import text

from workflows.case import Case
from workflows.engine import Desk
from workflows.guards import SUSPECTED

# The history alone tells: whoever ends a binding gives a reason of his own, and lines are kept as long as the people.
# What came back into force since was cleared by a supervisor.
_UNLIFTED = text("""
select from applications a cross join lateral (
  select h.to_state from history h
  where h.binding_id = a.binding_id and (h.to_state = 'active'
    or (h.reason = :suspected and h.to_state in ('suspended', 'unbound', 'rejected')))
  order by h.sequence desc limit 1) as last
where last.to_state <> 'active'
  and ((a.holder = :holder and a.member = :member) or (a.holder = :member and a.member = :holder))
limit 1
""")


def unlifted(desk: Desk, case: Case) -> bool:
    """Whether a misuse was suspected between the same two, either way round and in any product, and nobody said no."""
    two = {"holder": case.application.holder, "member": case.application.member}
    return bool(desk.ledger.read(_UNLIFTED, {"suspected": SUSPECTED, **two}, fresh=True))
