"""The shape of one resolved pack: what a file of `packs/` may say, and nothing else."""

from __future__ import annotations

from collections.abc import Collection
from datetime import date
from typing import Annotated, Literal, cast

from pydantic import AfterValidator, Field, model_validator

from policies.parts import Age, Hours, LimitRule, Minutes, Part, Some, SomeDays, Term, Text, WholeDays, known_relations
from policies.plan import AgeGroup
from policies.regions import AgencyName, agency_name, names
from policies.words import (
    DEADLINES,
    AfterSpoof,
    AgencyLevel,
    Authentication,
    Capability,
    ChannelName,
    Condition,
    Credential,
    Fund,
    IdType,
    Initiator,
    InsuredAs,
    Kind,
    Method,
    Product,
    Purpose,
    ReviewMode,
    Scheme,
    Subject,
    Width,
)


class Paper(Part):
    """A group of materials that plans ask for by its name in the pack."""

    label: str
    any_of: Annotated[tuple[tuple[Kind, ...], ...], Field(min_length=1)]


class Branch(Part):
    """What one age group must bring and show."""

    papers: tuple[str, ...] = ()
    face: tuple[Subject, ...] = ()
    face_at_age: tuple[Subject, ...] = ()


class InsuredRule(Part):
    """What the insurance registry must say of one party."""

    status: InsuredAs
    scheme: Scheme | None = None
    credential_active: bool = False


class MethodRule(Part):
    """One way to name the member (F10, F11, F47): which documents it takes, and what each age group owes."""

    id_types: Annotated[tuple[IdType, ...], Field(min_length=1)]
    branches: Annotated[dict[AgeGroup, Branch], Field(min_length=1)]
    birth_certificate: bool = False
    member_insured: InsuredRule | None = None  # instead of eligibility.member
    bring: tuple[str, ...] | None = None  # instead of counter.bring: a newborn has no document
    relations: Annotated[tuple[str, ...], Field(min_length=1)] | None = None  # of relations.allowed; None: all of them

    @model_validator(mode="after")
    def _known(self) -> MethodRule:
        faces = {who for branch in self.branches.values() for who in (*branch.face, *branch.face_at_age)}
        if "mother" in faces and not self.birth_certificate:
            raise ValueError("the mother is named by a birth certificate only: her face needs birth_certificate: true")
        known_relations(self.relations or ())
        return self


class Relations(Part):
    """Which relationships may be bound, and which papers some of them must bring besides."""

    allowed: Annotated[tuple[str, ...], Field(min_length=1)]
    papers: dict[str, tuple[str, ...]] = Field(default_factory=dict)

    @model_validator(mode="after")
    def _known(self) -> Relations:
        known_relations((*self.allowed, *self.papers))
        return self


class Eligibility(Part):
    """Who may bind whom, as far as registries know (C8)."""

    holder: InsuredRule
    member: InsuredRule
    same_region: Width
    prior_filing: bool = False
    holder_min_age: int


class Face(Part):
    """How long a face may take, and whose document it can be compared with."""

    window_hours: Annotated[Hours, Field(gt=0)]
    grace_minutes: Minutes
    max_attempts: Some | None
    document_types: tuple[IdType, ...]
    spoof: AfterSpoof  # where a provider suspects a picture of a face (§D.6)


class Review(Part):
    """Whether an agency reviews, and for which reasons it may say no (C4)."""

    mode: ReviewMode
    agency_level: AgencyLevel
    sample_share: Annotated[float, Field(ge=0, le=1)] = 0.0
    reject_reasons: tuple[str, ...]
    return_reasons: tuple[str, ...]


class Counter(Part):
    """Where offline cases go (W1, B.7)."""

    service: Text  # what the counter is asked for (C17)
    agency_of: Literal["holder", "member"]
    agency_level: AgencyLevel
    bring: tuple[str, ...]
    refuse_reasons: tuple[str, ...]


class Unbind(Part):
    """Who may end a binding, and how he shows that it is he (C13)."""

    initiators: tuple[Literal["holder", "member", "guardian", "agency"], ...]
    authentication: tuple[Authentication, ...]
    min_age_days: Annotated[int, Field(ge=0)] = 0


class Channel(Part):
    """One door: open everywhere, open by city, or named only to send people to the right product."""

    entry: Text
    as_of: date
    everywhere: Capability | None = None
    cities: dict[Annotated[str, Field(pattern=r"^\d{4}$")], Capability] | None = None
    refuses: Literal["wrong_product"] | None = None

    @model_validator(mode="after")
    def _one(self) -> Channel:
        if sum(said is not None for said in (self.everywhere, self.cities, self.refuses)) != 1:
            raise ValueError("exactly one of everywhere, cities and refuses")
        return self


class Channels(Part):
    """The doors of a product, and what a door must be able to do for it (F100-F103)."""

    needs: Literal["bind", "bind_and_show"]
    open: dict[ChannelName, Channel]


def _a_day(version: str) -> str:
    if version != date.fromisoformat(version).isoformat():
        raise ValueError("not the day of the text, as YYYY-MM-DD")
    return version


class Notice(Part):
    """A text to be accepted, known everywhere by its name and day (§C.10: one consent per purpose)."""

    version: Annotated[str, AfterValidator(_a_day)]
    when: Condition
    title: Text
    text: Text


class Documents(Part):
    """How much may be uploaded."""

    max_files: Some
    max_file_bytes: Some
    max_pages: Some
    max_megapixels: Some


class Agency(Part):
    """An agency's name, if it is not called after its city, and the address of its counter, if it is known."""

    name: str
    address: str | None = None


def _deadlines(terms: dict[str, Term]) -> dict[str, Term]:
    missing, unknown = set(DEADLINES) - set(terms), set(terms) - set(DEADLINES)
    if missing or unknown:
        raise ValueError(f"missing: {sorted(missing)}; unknown: {sorted(unknown)}")
    return terms


class Pack(Part):
    """One pack with all that it inherits: the whole law for one product in one region on one day."""

    pack: str
    version: str
    effective_from: date
    region: Annotated[str, Field(pattern=r"^(\d{2}|\d{4}|\d{6})?$")]
    product: Product
    title: Text
    shown_credential: Credential
    fund_source: Fund
    own_code_only: bool
    requires_active: Product | None = None
    authorisation: bool = False
    initiators: Annotated[tuple[Initiator, ...], Field(min_length=1)]
    purposes: tuple[Purpose, ...]
    age: Age
    relations: Relations
    papers: dict[str, Paper]
    methods: Annotated[dict[Method, MethodRule], Field(min_length=1)]
    eligibility: Eligibility
    face: Face
    review: Review
    counter: Counter
    deadlines: Annotated[dict[str, Term], AfterValidator(_deadlines)]
    warning_days: tuple[WholeDays, ...]
    term_days: SomeDays | None = None
    limits: LimitRule
    unbind: Unbind
    channels: Channels
    notices: dict[str, Notice]
    documents: Documents
    care_warning: Text
    help: dict[str, Text]
    reasons: dict[str, Text]
    agencies: dict[Annotated[str, Field(pattern=r"^\d{6}$")], Agency] = Field(default_factory=dict)

    def method(self, name: str) -> MethodRule:
        """Return the rule of a method. Raises `KeyError` where the pack does not have it."""
        return self.methods[cast("Method", name)]

    def channel(self, name: str) -> Channel:
        """Return what is said of a channel. Raises `KeyError` where the pack says nothing of it."""
        return self.channels.open[cast("ChannelName", name)]

    def agency(self, code: str) -> AgencyName:
        """Return the name and address of an agency (six digits); the ordinary ones if the pack says nothing."""
        ordinary, special = agency_name(code), self.agencies.get(code)
        return AgencyName(special.name, special.address or ordinary.address) if special else ordinary

    @model_validator(mode="after")
    def _somewhere(self) -> Pack:
        """The region exists, and cities named for a channel lie in it."""
        if self.region.endswith("00"):
            raise ValueError(f"region: write the digits that all its places begin with, not {self.region}")
        if self.region and f"{self.region[:2]}0000" not in names():
            raise ValueError(f"region: no province begins with {self.region[:2]}")
        cities = {city for channel in self.channels.open.values() for city in channel.cities or ()}
        away = {city for city in cities if not (city.startswith(self.region) or self.region.startswith(city))}
        if away:
            raise ValueError(f"channels: cities outside the region: {', '.join(sorted(away))}")
        return self

    @model_validator(mode="after")
    def _names_agree(self) -> Pack:
        """Every name that one part uses is defined in another."""
        allowed = set(self.relations.allowed)
        branches = [branch for rule in self.methods.values() for branch in rule.branches.values()]
        used = {name for branch in branches for name in branch.papers}
        used |= {name for names in self.relations.papers.values() for name in names}
        _all_in("papers", used, self.papers)
        said = {*self.review.reject_reasons, *self.review.return_reasons, *self.counter.refuse_reasons}
        _all_in("reasons", said, self.reasons)
        if any(branch.face for branch in branches):
            _all_in("notices", {"face"}, self.notices)
        nobody = [name for name, rule in self.methods.items() if not {*(rule.relations or allowed)} & allowed]
        if nobody:
            raise ValueError(f"methods: open to none of relations.allowed: {', '.join(nobody)}")
        return self


def _all_in(part: str, used: set[str], known: Collection[str]) -> None:
    missing = used - set(known)
    if missing:
        raise ValueError(f"{part} used but not defined: {', '.join(sorted(missing))}")
