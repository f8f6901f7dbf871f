"""What is said to the desk, and what it answers."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any

import msgspec

from workflows.case import Actor, Case
from workflows.errors import Refused
from workflows.views import public


class Idempotency(msgspec.Struct, frozen=True):
    """Under which key the answer is kept, and what was asked."""

    principal: str
    key: str
    fingerprint: str
    reserved: datetime | None = None  # if the key was reserved beforehand: when, and the mark of who reserved it


class Reply(msgspec.Struct, frozen=True):
    """An answer as it leaves the door, byte for byte."""

    status: int
    body: bytes
    headers: dict[str, str] = {}
    replayed: bool = False
    secret: bool = False  # holds what only the caller may know: kept sealed under an idempotency key


InScope = Callable[[Case, Actor], bool]
Answering = Callable[[Case, Actor, datetime], Reply]


def show_binding(case: Case, actor: Actor, now: datetime) -> Reply:
    """Answer with the view of the binding."""
    body = public.dumps(public.binding_view(case, actor, now))
    return Reply(200, body, {"ETag": f'"{case.version}"'})


def show_created(case: Case, actor: Actor, now: datetime) -> Reply:
    """Answer with the view of a binding just made."""
    shown = show_binding(case, actor, now)
    return Reply(201, shown.body, shown.headers | {"Location": f"/v1/bindings/{case.id}"})


class Command(msgspec.Struct, frozen=True):
    """Who says what of which binding, with which version in mind."""

    said: str
    binding_id: str
    actor: Actor
    facts: Mapping[str, Any] = {}
    if_match: int | None = None
    idempotency: Idempotency | None = None
    malformed: Refused | None = None  # a fault that the door found; told only to who may see the binding
    in_scope: InScope | None = None
    answering: Answering = show_binding


class Outcome(msgspec.Struct):
    """What became of a command: a case moved (or replayed, with the reply only), or why not."""

    reply: Reply | None = None
    case: Case | None = None
    refused: Exception | None = None
    now: datetime | None = None

    def unwrap(self) -> Outcome:
        """Return itself, or raise what stood in the way."""
        if self.refused is not None:
            raise self.refused
        return self

    def answer(self) -> Reply:
        """The reply to whoever spoke; raises what stood in the way. System and clock are given none."""
        reply = self.unwrap().reply
        assert reply is not None  # noqa: S101  whoever was not refused, and listens, has an answer
        return reply
