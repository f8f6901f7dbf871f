"""What answers to staff and operators, and those of the sandbox, look like."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any

from pydantic import Field

from api.answered import Action, Answer, BindingView, FaceChecks, Line, PartyView, Reason, Ticket
from api.shapes import OneOf, State
from policies.words import ChannelName, Method, Product, Relationship
from workflows.views.stuck import CAUSES

Cause = Annotated[str, OneOf(tuple(CAUSES))]
Seconds = Annotated[float, Field(description="seconds")]


class Lease(Answer):
    """Who works on a case, until when."""

    claimed_by: str
    mine: bool
    until: datetime


class WorkItem(Answer):
    """A case in a list of work."""

    binding_id: str
    version: int
    state: State
    product: Product
    method: Method
    channel: ChannelName
    relationship: Relationship
    region: str
    agency: str
    holder: PartyView
    member: PartyView
    due_at: datetime
    overdue: bool


class ReviewItem(WorkItem):
    """A case that awaits a decision."""

    entered_at: datetime
    escalations: int
    provisional: bool
    lease: Lease | None


class ReviewPage(Answer):
    """The queue, nearest due first."""

    items: list[ReviewItem]
    next_cursor: str | None


class ReviewHeld(BindingView):
    """The view with the lease."""

    lease: Lease | None


class OtherBinding(Answer):
    """What else the two have, and which of them as what."""

    id: str
    product: Product
    channel: ChannelName
    state: State
    state_since: datetime
    reason: Reason | None
    relationship: Relationship
    holder: PartyView
    member: PartyView
    shared: list[str]


class OtherBindings(Answer):
    """Here in full, elsewhere only how many."""

    items: list[OtherBinding]
    elsewhere: int


class Reasons(Answer):
    """The lists of the pack."""

    reject: list[str]
    return_: list[str] = Field(alias="return")


class ReviewCase(ReviewHeld):
    """Everything that a reviewer needs for one case; `relationship_code` is the relationship's in GB/T 4761."""

    relationship_code: str | None
    reasons: Reasons
    timeline: list[Line]
    face_checks: FaceChecks
    other_bindings: OtherBindings


class TicketItem(WorkItem):
    """An open ticket."""

    code: str
    opened_at: datetime
    reason: Reason | None
    counter_ticket: Ticket | None
    materials_complete: bool
    registry_answered: bool
    second_clerk_required: bool
    available_actions: list[Action]


class TicketPage(Answer):
    """The open tickets, nearest due first."""

    items: list[TicketItem]
    next_cursor: str | None


class Revealed(Answer):
    """A field in clear; null where the party has none."""

    field: str
    value: str | None


class StateCount(Answer):
    """How many are in a state, and since when the oldest is."""

    state: State
    count: int
    oldest_since: datetime | None
    oldest_seconds: Seconds | None


class DeadlineCount(Answer):
    """How a deadline stands in all bindings."""

    name: str
    watch: bool
    armed: int
    next_due_at: datetime
    parked: int
    overdue: int
    due_within_24h: int


class Work(Answer):
    """What lies before people."""

    reviews_open: int
    reviews_overdue: int
    reviews_claimed: int
    reviews_escalated: int
    tickets_open: int
    face_sessions_pending: int


class Backlog(Answer):
    """Letters to channels that are not delivered."""

    pending: int
    parked: int
    oldest_pending_at: datetime | None


class Worker(Answer):
    """When a process was last seen, in real time."""

    name: str
    seen_at: datetime
    seconds: Seconds


class Outage(Answer):
    """A face provider that is down."""

    provider: str
    since: datetime


class Overview(Answer):
    """How everything stands, as of one moment."""

    at: datetime
    states: list[StateCount]
    deadlines: list[DeadlineCount]
    work: Work
    deliveries: Backlog
    workers: list[Worker]
    outages: list[Outage]


class Stuck(Answer):
    """A binding that does not move though it should."""

    binding_id: str
    cause: Cause
    fingerprint: str
    since: datetime
    evidence: dict[str, Any]
    state: State
    version: int
    product: Product
    channel: ChannelName
    region: str
    repairs: list[str]


class StuckGroup(Answer):
    """What is stuck in the same way."""

    fingerprint: str
    cause: Cause
    count: int
    oldest_since: datetime
    example: str


class StuckGroups(Answer):
    """The most first."""

    items: list[StuckGroup]
    next_cursor: str | None


class StuckPage(Answer):
    """The longest first."""

    items: list[Stuck]
    next_cursor: str | None


class Clock(Answer):
    """The service's time."""

    now: datetime


class PersonTold(Answer):
    """Of whom what was told, by the names of the fields."""

    id_number: str
    told: list[str]
