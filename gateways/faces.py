"""What a face provider is to kinbind: begin a session, hear that something happened, ask for the truth.

All vendors share one skeleton (DOMAIN §D): the server begins and gets an opaque reference, the person does
it on the vendor's page or SDK, the server asks for the truth. A redirect or a callback is a hint only.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Protocol

from policies.people import normalise_number, same_name


class FaceStatus(StrEnum):
    """The normalised status of a session (DOMAIN §D.6); the values are the API's."""

    PENDING = "pending"
    PASSED = "passed"
    FAILED = "failed"
    EXPIRED = "expired"
    ERROR = "error"


@dataclass(frozen=True, slots=True)
class Subject:
    """Whose face: the identity the provider compares with; `repr` hides it from logs and tracebacks."""

    name: str
    id_type: str
    id_number: str

    def __repr__(self) -> str:
        """Say only the kind of document."""
        return f"Subject(id_type={self.id_type!r})"

    def is_same(self, other: Subject) -> bool:
        """Whether two identities are one: type, name and number, each however it is typed (DOMAIN §D.2, §F 7)."""
        return (
            self.id_type == other.id_type
            and same_name(self.name, other.name)
            and normalise_number(self.id_number) == normalise_number(other.id_number)
        )


@dataclass(frozen=True, slots=True)
class FaceStart:
    """A session the provider has opened, and where the person does it: a page or an SDK token."""

    reference: str
    url: str | None
    token: str | None
    expires_at: datetime  # half-open: from this moment on an unanswered session is EXPIRED


@dataclass(frozen=True, slots=True)
class FaceAnswer:
    """What the provider knows of a session, in our words (DOMAIN §D.6)."""

    status: FaceStatus
    reason: str | None = None  # `face_…`; None while pending and when passed
    uses_attempt: bool = False
    go_offline: bool = False  # no retry helps, only a counter; else a new session may end otherwise
    next_retry_at: datetime | None = None  # not before this moment (rate limits)
    finished_at: datetime | None = None  # the provider's own time, else the time of asking; None while pending


class ProviderDown(Exception):
    """The provider could not be reached, or failed: it says nothing about the person."""


class ProviderRefused(Exception):
    """The provider would not begin a session for this person; `reason` says why, as in `FaceAnswer`."""

    def __init__(
        self,
        reason: str,
        *,
        go_offline: bool = False,
        next_retry_at: datetime | None = None,
    ) -> None:
        """Hold the reason and what helps: a later retry (`next_retry_at`) or a counter (`go_offline`)."""
        super().__init__(reason)
        self.reason = reason
        self.go_offline = go_offline
        self.next_retry_at = next_retry_at


class Forged(Exception):
    """A callback whose signature, time or form is not the provider's."""


class FaceProvider(Protocol):
    """One vendor's product. Calls take seconds at most and keep no state in the process."""

    @property
    def name(self) -> str:
        """The word that stands in paths and in session rows: `sandbox`, `alibaba`."""

    def begin(self, session_id: str, subject: Subject) -> FaceStart:
        """Open a session for `session_id` (ours, unique); called twice with one id, it returns the same session.

        Raises `ProviderDown` and `ProviderRefused`.
        """

    def ask(self, reference: str, expect: Subject) -> FaceAnswer:
        """Ask what became of a session. PASSED only if the provider confirms the identity of `expect`.

        Raises `ProviderDown`.
        """

    def read_callback(self, headers: Mapping[str, str], body: bytes, query: Mapping[str, str]) -> str:
        """Verify a callback as this provider signs and name the reference it is about; then `ask`.

        Raises `Forged`.
        """

    def forget(self, reference: str) -> None:
        """Erase what the provider keeps of a session, if it offers that (DOMAIN §C.10, §D.3); repeating it is no error.

        Nothing is asked about it afterwards. Raises `ProviderDown`.
        """
