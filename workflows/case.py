"""One binding as the desk has it before it: what was applied for, how far it has come, and who is asking."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import date, datetime
from typing import Any, Protocol

import msgspec

from policies.calendar import SEED, Calendar
from policies.plan import Plan

# States are plain strings: they are the API, the database's CHECK and the machine's names at once.
SUBMITTED = "submitted"
MATERIALS_UPLOADED = "materials_uploaded"
FACE_CHECK = "face_check"
OFFLINE_FALLBACK = "offline_fallback"
AGENCY_REVIEW = "agency_review"
RETURNED = "returned"
ACTIVE = "active"
SUSPENDED = "suspended"
UNBINDING = "unbinding"
UNBOUND = "unbound"
REJECTED = "rejected"
WITHDRAWN = "withdrawn"
EXPIRED = "expired"

NOT_YET_IN_FORCE = (SUBMITTED, MATERIALS_UPLOADED, FACE_CHECK, OFFLINE_FALLBACK, AGENCY_REVIEW, RETURNED)
CAME_INTO_FORCE = (ACTIVE, SUSPENDED, UNBINDING)  # and have not ended: a face may be asked without a state of its own
FINAL = (UNBOUND, REJECTED, WITHDRAWN, EXPIRED)
STATES = (*NOT_YET_IN_FORCE, *CAME_INTO_FORCE, *FINAL)

# Until what a binding is suspended: the registry's word, an agency's decision, or a face (then also its window's key).
INSURANCE, DECISION, REVERIFICATION = "insurance", "decision", "reverification"


class Window(msgspec.Struct, omit_defaults=True):
    """The retry window of one subject: from the provider's first answer, `[opened, closes)`."""

    opened: datetime
    closes: datetime
    used: int = 0  # attempts that a provider's answer used up
    not_before: datetime | None = None  # the provider's own limit: no new attempt earlier
    suspected: bool = False  # the provider suspects that a picture was shown to the camera


class Review(msgspec.Struct, omit_defaults=True):
    """The review clock: working days, stopped while the case is returned."""

    entered: datetime
    due: datetime
    days_left: int  # working days still to use, as of `entered`
    provisional: bool = False  # counted into a year whose calendar is not yet known
    escalations: int = 0
    counted_from: datetime | None = None  # since when the days to `due` are counted: entry, or the last escalation
    counted_days: int = 0
    missed: datetime | None = None  # by when it should have been decided, once the clock has escalated it


class Correction(msgspec.Struct, omit_defaults=True):
    """What the applicant must mend."""

    reason: str
    items: list[dict[str, str]]
    note: str | None = None


class FaultsTold(msgspec.Struct, omit_defaults=True):
    """What the last return told of, kept after it was mended: the faults that it named, and who returned the case."""

    by: str  # the actor, as in the history
    faults: list[tuple[str, str]]  # kind and reason
    renewed: list[str] = []  # kinds of documents that came in since
    person: str | None = None  # who returned it, by the blind index of his own number: two keys may be one man's


class Objection(msgspec.Struct, omit_defaults=True):
    """What the registries have against an application, until they say yes; and which clerks hold otherwise (0026)."""

    reason: str
    # The key of each clerk, and the blind index of his own number.
    vouched: list[tuple[str, str | None]] = msgspec.field(name="hands", default_factory=list)


class Offline(msgspec.Struct, omit_defaults=True):
    """The counter ticket: why, where, since when, and the short code for the window."""

    reason: str
    agency: str
    code: str
    since: datetime
    agency_name: str | None = None  # of an agency that took it over; None: as the plan or the law book call it
    address: str | None = None
    note: str | None = None  # why, in the words of whoever sent it here by a repair
    vouched: list[tuple[str, str | None]] = []  # the clerk who has seen a guardian alone: another must too (0029)


class Unbinding(msgspec.Struct, omit_defaults=True):
    """Who asked for the end, and how he shows that it is he."""

    by: str  # holder, member, guardian or counter
    method: str  # pay_password, face or counter_visit
    reason: str | None = None


class Change(msgspec.Struct, omit_defaults=True):
    """What the member is called, or numbered, since the application: sealed, as names and numbers always are."""

    sealed: str  # base64; the fields of the party that differ from the application's
    person: str | None = None  # the blind index of another number


class Progress(msgspec.Struct, omit_defaults=True, kw_only=True):
    """How far a case has come: all that changes in it besides its state. Stored with the row and with each line."""

    windows: dict[str, Window] = {}
    passed: list[str] = []  # subjects whose face is settled, by camera or at the counter
    # whom no retry helps, for want of anything to compare him with (§D.6): subjects, and the member as `reported`
    beyond_camera: list[str] = []
    offline_since: datetime | None = None  # since when a counter may be visited for what is asked now (0021)
    offline_code: str | None = None  # the code of that ticket, which is on the family's paper slip: it stays
    # since when it is the next subject's turn or, after the faces, the holder's to authorise
    turn_since: datetime | None = None
    grown: bool = False  # the child reached the face age on the way: its face is asked too
    registry_answered: bool = False
    registry_by_hand: bool = False  # the registries did not answer; a clerk says that he has asked them himself
    registry_at: datetime | None = None  # when they, or the clerk, said yes; None: before it was kept
    objection: Objection | None = None  # the registries have refused; at a counter a clerk decides
    record: dict[str, Any] | None = None  # which fields the birth record tells; they match what was stated (`judge`)
    record_confirmed: bool = False
    authorised: bool = False
    reviewed: bool = False
    counter_decided: bool = False
    checked_how: str | None = None  # at the counter: by which method the clerk knew
    present: list[str] = []  # and who stood before him
    review: Review | None = None
    review_agency: str | None = None  # where an operator has sent the review; None: where the plan says
    correction: Correction | None = None
    faults_told: FaultsTold | None = msgspec.field(name="notice", default=None)
    offline: Offline | None = None
    reason: str | None = None
    active_since: datetime | None = None
    suspended_for: str | None = None
    resting_since: datetime | None = None  # since when active or suspended; unbinding does not interrupt it
    warned_at: datetime | None = None  # when both sides were last told that a suspended binding is about to end
    reverify_since: datetime | None = None
    unbinding: Unbinding | None = None
    reported: Change | None = None  # not yet verified again
    reported_at: datetime | None = None  # when it was last reported; a face or a page from before does not count for it
    changed: Change | None = None  # verified: replaces what was applied with


class Application(msgspec.Struct):
    """What was applied for. `sealed` holds the parties' names, numbers and birth dates, as applied with."""

    product: str
    method: str
    channel: str
    channel_reference: str | None
    region: str
    relationship: str
    initiator: str
    holder: str  # blind index
    member: str
    sealed: bytes
    face_age_day: date | None
    created_at: datetime
    parties: dict[str, Any]  # opened: holder, member, a newborn's mother; `reported`: the member as last reported


def parties_context(binding_id: str) -> str:
    """What the sealed parties of a binding are bound to."""
    return f"parties:{binding_id}"


class Lease(msgspec.Struct):
    """The review case's lease: who holds it, until when, and the epoch that fences it."""

    claimed_by: str | None
    until: datetime | None
    epoch: int

    def holder(self, now: datetime) -> str | None:
        """Whose it is at this moment; an expired lease is nobody's even before it is swept."""
        return self.claimed_by if self.until is not None and now < self.until else None


class Case(msgspec.Struct):
    """One binding, read whole by one statement."""

    id: str
    state: str
    version: int
    since: datetime
    head: bytes
    progress: Progress
    plan: Plan
    application: Application
    materials: list[dict[str, Any]] = []
    lease: Lease | None = None
    added_since: tuple[str, ...] = ()  # of each document added since it was returned, or sent to a counter, the kind
    rests: dict[str, datetime] = {}  # until when the provider would begin no attempt, by subject, as it last said
    wrong_passwords: dict[str, int] = {}  # today, of holder and member
    calendar: Calendar = SEED  # the working days as the ledger knew them when the case was read

    @property
    def refuse_reasons(self) -> tuple[str, ...]:
        """The reasons for which a clerk may refuse: the plan's, and the registry's objection."""
        listed, objection = self.plan.counter.refuse_reasons, self.progress.objection
        if objection is None or self.progress.registry_answered:  # settled, if only by a clerk
            return listed
        return tuple(dict.fromkeys((objection.reason, *listed)))

    def is_party(self, person: str | None) -> bool:
        """Whether this is the holder, the member, whom the member is reported to be, or the mother of a newborn."""
        application, reported = self.application, self.progress.reported
        mother = application.parties.get("mother", {}).get("person")
        return person is not None and person in (
            application.holder,
            application.member,
            mother,
            reported and reported.person,
        )

    @property
    def taken_at_counter(self) -> bool:
        """Whether a clerk took the application, and so sees the people himself."""
        return self.application.channel == "counter"

    @property
    def in_force(self) -> bool:
        """Whether it is in force: also while an unbinding that came from `active` waits to be confirmed."""
        return self.state == ACTIVE or (self.state == UNBINDING and self.progress.suspended_for is None)

    @property
    def subjects(self) -> tuple[str, ...]:
        """Whose faces are asked, in order."""
        planned = self.plan.face.subjects
        return (*planned, "member") if self.progress.grown and "member" not in planned else planned

    @property
    def next_subject(self) -> str | None:
        """The first subject whose face is not settled."""
        passed = self.progress.passed
        for who in self.subjects:  # asked many times a step: a loop is faster than a generator
            if who not in passed:
                return who
        return None

    @property
    def steps(self) -> tuple[str, ...]:
        """The plan's steps; the face step is put first if the child has reached the face age on the way."""
        steps = self.plan.steps
        return ("face_check", *steps) if self.progress.grown and "face_check" not in steps else steps

    @property
    def open_step(self) -> str | None:
        """The first step of the plan that is not done yet."""
        for step in self.steps:
            if not self._done(step):
                return step
        return None

    def _done(self, step: str) -> bool:
        if step == "face_check":
            return self.next_subject is None
        return self.progress.authorised if step == "authorisation" else self.progress.reviewed

    @property
    def missing(self) -> list[dict[str, Any]]:
        """The groups of materials that the plan asks for and that are not complete: `label`, `any_of`."""
        kinds = {material["kind"] for material in self.materials}
        return [
            {"label": group.label, "any_of": group.any_of}
            for group in self.plan.materials
            if not any(kinds.issuperset(some) for some in group.any_of)
        ]

    @property
    def full(self) -> bool:
        """Whether no more documents are taken; once returned, or at a counter, only what was added since counts."""
        there = self.added_since if self.state in (RETURNED, OFFLINE_FALLBACK) else self.materials
        return len(there) >= self.plan.max_files

    @property
    def review_agency(self) -> str:
        """The agency that reviews: where it was sent, else the plan's, else the holder's own region."""
        return self.progress.review_agency or self.plan.review.agency or self.application.region

    @property
    def counter_agency(self) -> str:
        """The agency that holds the ticket, or would if there were one."""
        return self.progress.offline.agency if self.progress.offline else self.plan.counter.agency


class Actor(msgspec.Struct, frozen=True):
    """Who says it: the kind that the table of moves knows, and whom he acts for."""

    kind: str  # channel, counter, reviewer, supervisor, operator, system, clock
    id: str = ""  # the principal; for a channel its name
    acting_for: str | None = None  # the blind index of the person signed in at the channel
    regions: tuple[str, ...] = ()
    person: str | None = None  # staff: the blind index of his own number

    def sees(self, region: str) -> bool:
        """Whether a region lies in the grants; a province's grant covers its cities."""
        return lies_in(region, self.regions)

    def party(self, case: Case) -> str | None:
        """For which party a channel speaks: the person it names, else the one who applied."""
        if self.kind != "channel":
            return None
        if self.acting_for is None:
            return case.application.initiator
        if self.acting_for == case.application.member:
            return "member"
        return "holder" if self.acting_for == case.application.holder else None

    def __str__(self) -> str:
        """As it stands in the history."""
        return f"{self.kind}:{self.id}" if self.id else self.kind


def has_vouched(word: Objection | Offline | None, actor: Actor) -> bool:
    """Whether he has given his word on this at a counter, under any key that names him."""
    own = actor.person
    return word is not None and any(who == actor.id or (own is not None and own == one) for who, one in word.vouched)


def lies_in(region: str, grants: Iterable[str]) -> bool:
    """Whether a region lies in one of these grants."""
    return any(region.startswith(region_prefix(grant)) for grant in grants)


def region_prefix(region: str) -> str:
    """The digits that every place in `region` begins with."""
    # 440000 is Guangdong, 440100 its city of Guangzhou, 000000 the whole country: pairs of noughts say "all of"
    while region.endswith("00"):
        region = region[:-2]
    return region


SYSTEM = Actor("system")
CLOCK = Actor("clock")


class Line(msgspec.Struct):
    """One line of the history."""

    event: str
    from_state: str | None
    to_state: str
    at: datetime
    actor: str
    reason: str | None
    note: str | None
    since: datetime
    progress: bytes  # as of this line
    plan_was: str | None = None  # the hash of the plan before this line, if the line changes the plan


class Obeyed(Protocol):
    """A row of the law (`workflows/binding.py`), as far as a cursor has to know it."""

    @property
    def event(self) -> str:
        """What the move is called in the history."""
        ...


class Cursor:
    """A case while the desk works on it: the machine moves `state`, effects change `case.progress`."""

    __slots__ = ("actor", "case", "changes", "facts", "limit_met", "lines", "move", "now", "seen", "state")

    def __init__(self, case: Case, now: datetime, *, limit_met: str | None = None) -> None:
        """Begin at the state in which the case was read."""
        self.case = case
        self.now = now
        self.state = case.state
        self.limit_met = limit_met
        self.seen: int | None = None  # the version that whoever speaks says he has seen
        self.actor: Actor = SYSTEM
        self.facts: Mapping[str, Any] = {}
        self.move: Obeyed | None = None  # the row of the law that was obeyed
        self.lines: list[Line] = []
        self.changes: dict[str, list[dict[str, Any]]] = {}  # rows for the write besides state and lines

    @property
    def progress(self) -> Progress:
        """How far the case has come."""
        return self.case.progress

    def hear(self, actor: Actor, facts: Mapping[str, Any]) -> None:
        """Take in who speaks, and what he sends along; no move has been made for it yet."""
        self.actor, self.facts, self.move = actor, facts, None

    def also(self, table: str, row: dict[str, Any]) -> None:
        """Let the write carry one more row."""
        self.changes.setdefault(table, []).append({"binding_id": self.case.id, **row})
