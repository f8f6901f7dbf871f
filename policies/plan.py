"""What one application must go through: the part of the law that is pinned at submission.

A plan names a *class* of cases, never a person: the same answers from the law give the same plan, stored
once under its hash. What belongs to one person (the day a child reaches the face age) stays with the case.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from typing import Literal

import msgspec
import orjson

from policies.words import AfterSpoof, Credential, Feb29, Fund, InsuredAs, ReachedOn, ReviewMode, Scheme, Width

Step = Literal["face_check", "authorisation", "agency_review"]
AgeGroup = Literal["newborn", "minor", "adult"]
LimitScope = Literal["all_channels", "per_channel"]
LimitWindow = Literal["at_once", "calendar_month"] | int  # an int is so many days back from now


@dataclass(frozen=True, slots=True)
class Requirement:
    """One group of materials: met when every kind of one alternative is there."""

    label: str
    any_of: tuple[tuple[str, ...], ...]


@dataclass(frozen=True, slots=True)
class Span:
    """A length of time as packs write it: exactly one of clock `hours` or `working_days`."""

    hours: float | None = None
    working_days: int | None = None


@dataclass(frozen=True, slots=True)
class FacePlan:
    """Whose faces, in which order, and how long each has (C5, F29)."""

    subjects: tuple[str, ...] = ()  # of holder, member, mother; in this order
    window_hours: float = 24
    grace_minutes: float = 30
    max_attempts: int | None = None  # attempts that a provider's answer uses up; None: as many as fit into the window
    document_types: tuple[str, ...] = ("resident_id",)  # id_types whose face a provider can compare
    spoof: AfterSpoof = "retry"


@dataclass(frozen=True, slots=True)
class Insured:
    """What the insurance registry must say of one party."""

    status: InsuredAs = "normal"
    scheme: Scheme | None = None  # None: either
    credential_active: bool = False


@dataclass(frozen=True, slots=True)
class RegistryPlan:
    """What the registries are asked after hand-in, and what they must answer (F67, F81, F110, F116, F154)."""

    holder: Insured
    member: Insured
    same_region: Width = "china"
    region: str = ""  # digits that both insured regions begin with, where same_region is narrower than china
    prior_filing: bool = False
    birth_certificate: bool = False  # ask the certificate registry, and let the applicant confirm its record


@dataclass(frozen=True, slots=True)
class ReviewPlan:
    """Who reviews and what he may say (C4)."""

    mode: ReviewMode = "none"
    agency: str | None = None  # 6-digit region code of the agency whose queue it enters
    sample_share: float = 0.0  # auto_then_sample: the share looked at by a person
    reject_reasons: tuple[str, ...] = ()
    return_reasons: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class CounterPlan:
    """Where an offline case goes and what to bring."""

    agency: str  # 6-digit region code
    agency_name: str
    address: str
    bring: tuple[str, ...]
    refuse_reasons: tuple[str, ...] = ()
    service: str = ""  # what the counter is asked for, in Chinese as all labels (C17)


@dataclass(frozen=True, slots=True)
class Limits:
    """Number limits; None is unlimited (F50, F51, C10–C12)."""

    members_per_holder: int | None
    holder_scope: LimitScope = "all_channels"
    binders_per_member: int | None = None
    member_window: LimitWindow = "calendar_month"
    count_ended: bool = True  # whether binders whose binding has ended within the window count
    per_relation: dict[str, int] = field(default_factory=dict)  # counted as the holder's members are
    holder_window: LimitWindow = "at_once"
    holder_count_ended: bool = True
    member_scope: LimitScope = "all_channels"

    @property
    def keeps_ended(self) -> bool:
        """Whether a place in a month is kept when its binding ends, because one of the limits still counts it."""
        member = self.binders_per_member is not None and self.member_window != "at_once" and self.count_ended
        return member or (self.holder_window != "at_once" and self.holder_count_ended)


@dataclass(frozen=True, slots=True)
class UnbindPlan:
    """Who may end it and how he shows that it is he (F131, C13)."""

    initiators: tuple[str, ...]
    authentication: tuple[str, ...]
    min_age_days: int = 0


@dataclass(frozen=True, slots=True)
class AgeRule:
    """Where the minor branch ends (C1) and on which day an age is reached (§C.7)."""

    minor_max_exclusive: int | None = None
    minor_max_inclusive: int | None = None
    reached_on: ReachedOn = "birthday"
    feb29_in_common_year: Feb29 = "mar01"


@dataclass(frozen=True, slots=True)
class NoticeRef:
    """A notice that the applicant must have accepted, by name and version."""

    notice: str
    version: str


@dataclass(frozen=True, slots=True)
class Plan:
    """Everything the desk needs of the law for one case, for the whole of its life."""

    pack: str
    version: str
    product: str
    method: str
    shown_credential: Credential
    fund_source: Fund
    age_group: AgeGroup
    materials: tuple[Requirement, ...]
    steps: tuple[Step, ...]
    face: FacePlan
    registry: RegistryPlan
    review: ReviewPlan
    counter: CounterPlan
    deadlines: dict[str, Span]  # by the names of the table of deadlines
    limits: Limits
    unbind: UnbindPlan
    notices: tuple[NoticeRef, ...]
    age: AgeRule
    purposes: tuple[str, ...]  # what an active binding entitles the holder to (F7, F60–F62)
    face_at_age: tuple[str, ...] = ()  # whose faces are asked when a minor has reached the face age; (): none
    own_code_only: bool = True  # only the patient's own code may be shown (F52, C6)
    requires_active: str | None = None  # the product that must be active between the same two
    warning_days: tuple[int, ...] = (30, 7)  # both sides are told so many days before suspended_to_ended
    term_days: int | None = None  # for how many days a binding is made; it ends at 24:00 of the last (W7, W15)
    max_files: int = 30
    max_file_bytes: int = 10_485_760
    max_pages: int = 20
    max_megapixels: int = 50
    _hash: str = field(default="", init=False, compare=False, repr=False)  # kept; JSON leaves it out

    def to_json(self) -> bytes:
        """Canonical JSON: sorted keys, so that equal plans have equal bytes."""
        return orjson.dumps(self, option=orjson.OPT_SORT_KEYS)

    @property
    def hash(self) -> str:
        """SHA-256 of the canonical JSON, hex: the name under which the plan is stored."""
        if not self._hash:
            object.__setattr__(self, "_hash", hashlib.sha256(self.to_json()).hexdigest())
        return self._hash


def plan_from_json(body: bytes | str) -> Plan:
    """Rebuild a pinned plan. Raises `msgspec.ValidationError` when the stored body is not of this shape."""
    return _DECODER.decode(body)


_DECODER = msgspec.json.Decoder(Plan)
