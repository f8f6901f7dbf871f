"""What answers about repairs look like."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any

from pydantic import Field

from api.answered import Answer
from api.shapes import OneOf
from models.tables.hands import REPAIR_ITEM_STATES, REPAIR_STATES
from workflows.repairs.verbs import VERBS

OrderState = Annotated[str, OneOf(REPAIR_STATES)]
ItemState = Annotated[str, OneOf(REPAIR_ITEM_STATES)]
Change = Annotated[
    dict[str, Any], Field(description="before and after: state, policy, plan, agency, deadlines; events")
]


class RepairOrder(Answer):
    """What was ordered, by whom, and how far it is."""

    id: str
    repair: Annotated[str, OneOf(tuple(VERBS))]
    risky: bool
    undoable: bool
    filter: dict[str, Any]
    args: dict[str, Any]
    reason: str
    dry_run: bool
    state: OrderState
    pace: int
    asked_by: str
    applied_by: str | None
    approved_by: str | None
    undone_by: str | None
    undone_because: str | None
    withdrawn_by: Annotated[str | None, Field(description="null in one that nobody applied within seven days")]
    withdrawn_because: str | None
    created_at: datetime
    approved_at: datetime | None
    paused_at: datetime | None
    finished_at: datetime | None
    fault: Annotated[str | None, Field(description="why its dry run broke; after ten times it has `failed`")]


class RepairGroup(Answer):
    """Bindings to which the same happens, or which are refused alike."""

    state: ItemState
    code: str | None
    summary: str
    count: int
    example: str


class RepairItem(Answer):
    """One binding: what was planned at which version, and what came of it."""

    binding_id: str
    state: ItemState
    version: int
    version_after: int | None
    change: Change
    code: str | None
    at: datetime


class RepairView(RepairOrder):
    """An order with what came of it."""

    counts: dict[str, int]
    groups: list[RepairGroup]
    items: list[RepairItem]
    next_cursor: str | None


class RepairPage(Answer):
    """The newest first."""

    items: list[RepairOrder]
    next_cursor: str | None
