"""The shapes of what is answered, for the OpenAPI document alone; bytes are made elsewhere, a test holds both together.

`words()` is the one table of all states, events, reasons and kinds.
"""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Literal, get_args

from pydantic import BaseModel, ConfigDict, Field

from api.shapes import OneOf, Relationship, State
from policies.words import ChannelName, IdType, Initiator, Kind, Method, Product, Purpose, Subject
from workflows.binding import MOVES
from workflows.case import STATES
from workflows.views import reason_words
from workflows.views.stuck import CAUSES

Event = Annotated[str, OneOf(tuple(sorted({move.event for move in MOVES})))]
Reason = Annotated[str, Field(description="one of the words of `Reason`, of the pack's own lists, or what staff wrote")]
Step = Literal["face_check", "authorisation", "agency_review"]
Credential = Literal["member", "holder"]
Fund = Literal["member_own", "holder_personal_account"]


class Answer(BaseModel):
    """What every answer of ours is: these fields and no others, all of them there."""

    model_config = ConfigDict(extra="forbid", serialize_by_alias=True)


class PartyView(Answer):
    """One party, masked; a newborn may have no number yet."""

    name: str
    id_type: IdType
    id_number: str | None
    insured_region: str


class Policy(Answer):
    """The pack that is pinned."""

    pack: str
    version: str


class Group(Answer):
    """One requirement: met when all kinds of one alternative are there."""

    label: str
    any_of: list[list[Kind]]


class PlanView(Answer):
    """What the case asks, pinned at submission; `face_window_seconds` counts from the first attempt."""

    materials: list[Group]
    steps: list[Step]
    face_subjects: list[Subject]
    face_window_seconds: int


class Material(Answer):
    """A document as it was kept; `size` in bytes."""

    id: str
    kind: Kind
    sha256: str
    size: int
    media_type: Literal["image/jpeg", "image/png", "image/webp", "image/heic", "application/pdf"]


class CorrectionItem(Answer):
    """One thing to mend."""

    kind: Kind
    reason: Reason
    note: str | None = None


class Correction(Answer):
    """What the reviewer wants mended, while `returned`."""

    reason: Reason
    items: list[CorrectionItem]
    note: str | None


class Ticket(Answer):
    """What to show at the window, while offline."""

    code: str
    service: Annotated[str | None, Field(description="what the counter is asked for, in Chinese")]
    agency: str
    agency_name: str | None
    address: str | None
    bring: list[str]


class WaitingOn(Answer):
    """Whom the case waits for, until when, and what happens then; null at rest."""

    party: Literal["holder", "member", "guardian", "mother", "agency", "registry", "system", "counter"]
    for_: Annotated[str, OneOf((
        "materials", "registry_check", "registry_confirmation", "face_check", "authorisation", "counter_visit",
        "review", "correction", "reverification", "decision", "insurance", "pay_password",
    ))] = Field(alias="for")  # fmt: skip
    since: datetime
    until: datetime
    then: Annotated[str, OneOf((*STATES, "asked_again", "escalated"))]
    provisional: bool


class EventView(Answer):
    """The binding as of an event: the view without what depends on who looks."""

    id: str
    product: Product
    method: Method
    channel: ChannelName
    region: str
    policy: Policy
    state: State
    state_since: datetime
    version: int
    reason: Reason | None
    holder: PartyView
    member: PartyView
    relationship: Relationship
    shown_credential: Credential
    fund_source: Fund
    channel_reference: Annotated[str | None, Field(description="null for every channel but its own")]
    plan: PlanView
    materials: list[Material]
    correction: Correction | None
    registry_record: dict[str, Any] | None
    counter_ticket: Ticket | None
    waiting_on: WaitingOn | None


class BindingView(EventView):
    """The binding view; `available_actions` is what this caller may do now."""

    available_actions: list[str]


class BindingPage(Answer):
    """Views, newest first."""

    items: list[BindingView]
    next_cursor: str | None


class Line(Answer):
    """One line of the history; staff see the note, too."""

    sequence: int
    event: Event
    from_: State | None = Field(alias="from")
    to: State
    at: datetime
    actor: str
    reason: Reason | None
    note: str | None = None


class Timeline(Answer):
    """The history, oldest first."""

    items: list[Line]
    next_cursor: str | None


class MaterialPage(Answer):
    """The documents, oldest first."""

    items: list[Material]
    next_cursor: str | None


class FaceCheckStarted(Answer):
    """Where the person does it: `url` or `token`."""

    id: str
    subject: Subject
    provider: str
    url: str | None
    token: str | None
    expires_at: datetime


class Received(Answer):
    """What a provider hears."""

    received: Literal[True]


class FaceCheck(Answer):
    """One attempt."""

    id: str
    subject: Subject
    status: Literal["pending", "passed", "failed", "expired", "error"]
    reason: Reason | None
    started_at: datetime
    finished_at: datetime | None
    uses_attempt: bool | None


class FaceChecks(Answer):
    """The attempts, oldest first; `attempts_left` null where no face is asked, and where nobody counts attempts."""

    items: list[FaceCheck]
    attempts_left: int | None
    next_retry_at: datetime | None
    window_closes_at: datetime | None


class FaceCheckCompleted(FaceCheck):
    """The attempt as it stands after the sandbox's provider has called back."""

    binding_id: str


class Fault(Answer):
    """What is wrong with one field; `allowed` where there is a list of values."""

    pointer: Annotated[str, Field(description="a JSON pointer, RFC 6901")]
    code: str
    message: str
    allowed: list[str] | None = None


class Problem(BaseModel):
    """RFC 9457; more members by code, e.g. `state`, `available_actions`, `missing`, `attempts_left`, `reasons`."""

    type: str
    title: str
    status: int
    detail: str
    instance: str
    code: str
    errors: list[Fault] | None = None


def every_answer(root: type[BaseModel] = Answer) -> list[type[BaseModel]]:
    """All shapes of answers, and that of problems."""
    found: list[type[BaseModel]] = [Problem] if root is Answer else []
    for shape in root.__subclasses__():
        found += [shape, *every_answer(shape)]
    return found


def words() -> dict[str, Any]:
    """The table of all words, as schemas: what a state, an event, a reason, a kind can be."""
    lists: dict[str, tuple[str, ...]] = {
        "State": STATES,
        "Event": tuple(sorted({move.event for move in MOVES})),
        "Product": get_args(Product),
        "Method": get_args(Method),
        "Channel": get_args(ChannelName),
        "Relationship": get_args(Relationship),
        "Initiator": get_args(Initiator),
        "IdType": get_args(IdType),
        "MaterialKind": get_args(Kind),
        "Purpose": get_args(Purpose),
        "StuckCause": tuple(CAUSES),
    }
    known = {name: {"type": "string", "enum": list(values)} for name, values in lists.items()}
    listed = {"type": "string", "examples": sorted(reason_words.known())}
    return known | {"Reason": listed | {"description": "Reasons that are the same everywhere; packs add their own."}}
