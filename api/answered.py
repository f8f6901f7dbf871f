"""What answers look like, for the OpenAPI document alone: their bytes are made elsewhere, and a test compares both.

`words()` is the one table of all states, events, reasons and kinds.
"""

from __future__ import annotations

from datetime import date, datetime
from typing import Annotated, Any, Literal, get_args

from pydantic import BaseModel, ConfigDict, Field, WithJsonSchema

from api.shapes import OneOf, State
from api.texts import FIELDS
from gateways import face_outcomes
from policies.eligibility import REGISTRY_REASONS
from policies.plan import Step
from policies.words import (
    ChannelName,
    Credential,
    Fund,
    IdType,
    Initiator,
    Kind,
    Method,
    Product,
    Purpose,
    Relationship,
    Subject,
)
from workflows.binding import MOVES
from workflows.case import STATES
from workflows.deadlines import DEADLINES_BY_NAME
from workflows.entitlements import REASONS
from workflows.repairs.verbs import VERBS
from workflows.views import reason_words
from workflows.views.explaining import DEEDS, PARTIES
from workflows.views.public import ACTIONS
from workflows.views.stuck import CAUSES

EVENTS = tuple(sorted({move.event for move in MOVES}))
_BESIDE = {"upload_material", "withdraw_consent", "claim", "release"}  # offered, and no move of the law
ACTS = tuple(sorted({name for acts in ACTIONS.values() for name, _ in acts} | _BESIDE))
Event = Annotated[str, OneOf(EVENTS)]
OF_WORDS = "x-words"  # in a schema: the name of the list in `words()` that the document is to refer to
Reason = Annotated[str, WithJsonSchema({OF_WORDS: "Reason"})]
Action = Annotated[str, OneOf(ACTS)]
WhyNot = Annotated[str, OneOf(REASONS)]


def without_defaults(schema: dict[str, Any]) -> None:
    """What may be left out of an answer has no value then: a default is for what is sent."""
    for one in schema["properties"].values():
        one.pop("default", None)


class Answer(BaseModel):
    """What every answer of ours is: all of these fields are there; one day others may be, too."""

    model_config = ConfigDict(serialize_by_alias=True, json_schema_extra=without_defaults)


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


class RegistryRecord(Answer):
    """The birth registry's record, masked, for the applicant to know it again and confirm it (F20)."""

    certificate: str
    mother_name: str
    child_name: Annotated[str | None, Field(description="null where the record has none")]
    child_birth_date: Annotated[date | None, Field(description="null where the record has none")]


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

    party: Annotated[str, OneOf(tuple(PARTIES))]
    for_: Annotated[str, OneOf(tuple(DEEDS))] = Field(alias="for")
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
    registry_record: RegistryRecord | None
    counter_ticket: Ticket | None
    waiting_on: WaitingOn | None


class BindingView(EventView):
    """The binding view; `available_actions` is what this caller may do now."""

    available_actions: list[Action]


class BindingPage(Answer):
    """Views, newest first."""

    items: list[BindingView]
    next_cursor: str | None


class Line(Answer):
    """One line of the history; staff see the note, too, and to which agency it was handed over."""

    sequence: int
    event: Event
    from_: State | None = Field(alias="from")
    to: State
    at: datetime
    actor: str
    reason: Reason | None
    note: str | None = None
    agency: str | None = None


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


def every_answer(root: type[Answer] = Answer) -> list[type[Answer]]:
    """All shapes of answers."""
    found: list[type[Answer]] = []
    for shape in root.__subclasses__():
        found += [shape, *every_answer(shape)]
    return found


def words() -> dict[str, Any]:
    """The table of all words, as schemas: what a state, an event, a reason, a kind can be."""
    lists: dict[str, tuple[str, ...]] = {
        "State": STATES,
        "Event": EVENTS,
        "Action": ACTS,
        "Product": get_args(Product),
        "Method": get_args(Method),
        "Channel": get_args(ChannelName),
        "Relationship": get_args(Relationship),
        "Initiator": get_args(Initiator),
        "Subject": get_args(Subject),
        "IdType": get_args(IdType),
        "MaterialKind": get_args(Kind),
        "Purpose": get_args(Purpose),
        "Credential": get_args(Credential),
        "FundSource": get_args(Fund),
        "EntitlementReason": REASONS,
        "StuckCause": tuple(CAUSES),
        "FieldCode": tuple(FIELDS),
    }
    known = {name: {"type": "string", "enum": list(values)} for name, values in lists.items()}
    reasons = {*reason_words.known(), *REGISTRY_REASONS, *face_outcomes.REASONS, *DEADLINES_BY_NAME, *VERBS, "undo"}
    listed = {"type": "string", "examples": sorted(reasons)}
    return known | {
        "Reason": listed
        | {"description": "These are the same everywhere; packs add their own, and staff may write one."}
    }
