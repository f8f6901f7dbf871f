"""What answers look like about what an application needs, what channels hear, and what bindings are used for."""

from __future__ import annotations

from datetime import datetime
from typing import Literal

from api.answered import Answer, PlanView, Policy, Reason, WhyNot
from policies.words import ChannelName, Credential, Fund, Product, Purpose


class Notice(Answer):
    """A text to show and to accept, in its version."""

    notice: str
    version: str
    title: str
    text: str


class Boundaries(Answer):
    """What the product is and is not."""

    title: str
    shown_credential: Credential
    fund_source: Fund
    own_code_only: bool
    purposes: list[Purpose]
    requires_active: Product | None
    prior_filing: bool


class Entry(Answer):
    """Where a channel has its way in, as of a day."""

    channel: ChannelName
    entry: str
    as_of: str | None


class CounterAhead(Answer):
    """Where a person is, who also hears whom a registry has refused; `reason` where the way leads there in any case."""

    reason: Reason | None
    service: str | None
    agency: str
    agency_name: str
    address: str
    bring: list[str]


class Requirements(Answer):
    """The plan that an application would get now, and what to show with it."""

    policy: Policy
    plan: PlanView
    notices: list[Notice]
    counter: CounterAhead
    boundaries: Boundaries
    care_warning: str | None
    help: dict[str, str]
    entries: list[Entry]


class RecordedConsent(Answer):
    """A notice as it was accepted; title and text null where no pack has that version any more."""

    notice: str
    version: str
    accepted_at: datetime
    accepted_by: Literal["holder", "member", "guardian"]
    title: str | None
    text: str | None


class ConsentPage(Answer):
    """All of one application, in the order of its plan."""

    items: list[RecordedConsent]
    next_cursor: None


class EndpointView(Answer):
    """An endpoint without its secret; `events` null is all, `disabled_at` since when it is off because of a 410."""

    id: str
    url: str
    events: list[str] | None
    created_at: datetime
    disabled_at: datetime | None


class EndpointPage(Answer):
    """The channel's endpoints."""

    items: list[EndpointView]
    next_cursor: str | None


class EndpointMade(Answer):
    """A new endpoint; the secret is shown this once."""

    id: str
    url: str
    events: list[str] | None
    secret: str
    created_at: datetime


class SecretRotated(Answer):
    """The new secret, shown this once; the one before signs too until `previous_valid_until`."""

    id: str
    secret: str
    previous_valid_until: datetime


class TestSent(Answer):
    """What came of a test: the status that was answered, or why there is none."""

    id: str
    delivered: bool
    status: int | None
    error: str | None


class Entitlement(Answer):
    """Whether it may be used so, now; `binding_id` is null with `not_active`, the only reason told to strangers."""

    allowed: bool
    reason: WhyNot | None
    binding_id: str | None


class Use(Answer):
    """One recorded use."""

    id: str
    purpose: Purpose
    patient: Literal["holder", "member"] | None
    channel: ChannelName
    region: str | None
    at: datetime


class UsePage(Answer):
    """The recorded uses, the newest first."""

    items: list[Use]
    next_cursor: str | None
