"""One call at a door: who calls, what was sent, and the ways in which it is answered.

`command`, or `say` after `prepare`, lays a command on the clerk's table; `once`, and `freely` where twice does no
harm, run something else in a thread, its answer kept under the idempotency key if one was sent. Doors need nothing
beside.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Awaitable, Callable, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import Annotated, Any, Generic, ParamSpec, TypeVar

from fastapi import Depends
from msgspec.structs import replace
from pydantic import BaseModel
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response

from api.clerk import Clerk
from api.idempotency import Work, freely, idempotency, once
from api.meters import REPLAYS
from api.reading import MAX_ERRORS, MAX_JSON, Shape, canonical, parse_json, pointer_to, read_body, shaped
from api.shapes import ActingFor
from api.slow import Places
from api.texts import language_of
from policies.calendar import shanghai_day
from policies.languages import Language
from tasks.office import Office
from workflows import answers
from workflows.access import acting
from workflows.access.principals import Principal
from workflows.case import Actor, Case
from workflows.commands import Command, Idempotency, InScope, Reply
from workflows.errors import Malformed, Refused, not_found
from workflows.views.public import dumps

_P = ParamSpec("_P")
_T = TypeVar("_T")
_Body = TypeVar("_Body", bound=BaseModel)
_GLANCE = 0.05  # seconds between two looks whether the first has been answered
_VERSION = re.compile(r'(?:W/)?"?([0-9]{1,9})"?')


@dataclass(slots=True)
class Sent:
    """What was sent: the value, or the fault in reading it; `said` stands for it in the fingerprint."""

    value: Any = None
    fault: Refused | None = None
    said: bytes = b""


@dataclass(slots=True)
class Said(Generic[_Body]):
    """A body in its shape, or what is wrong with it."""

    body: _Body | None = None
    fault: Refused | None = None


@dataclass(slots=True)
class Call:
    """A request whose caller is known; `roles` are those of the door that the caller has, at least one."""

    request: Request
    office: Office
    clerk: Clerk
    caller: Principal
    roles: tuple[str, ...]
    _sent: Sent | None = None

    # -- who -----------------------------------------------------------------------------------------------

    @property
    def language(self) -> Language:
        """In which language texts are answered."""
        return language_of(self.request.headers.get("accept-language", ""))

    def actor(self, role: str | None = None) -> Actor:
        """The caller as the desk knows him."""
        caller = self.caller
        if caller.kind == "channel":
            return Actor("channel", caller.channel or caller.id)
        return Actor(role or self.roles[0], caller.id, regions=caller.regions, person=caller.person)

    async def speaking(self, for_whom: ActingFor | None, *, act: str, binding_id: str) -> Actor:
        """The caller, speaking for the person of an `acting_for` or for nobody in particular; the look is noted.

        Raises `Refused` 422 `id_number_invalid`.
        """
        if for_whom is None or self.caller.kind != "channel":
            return self.actor()
        found = await self.persons(for_whom, act=act, binding_id=binding_id)
        party = await self.run(acting.party_among, self.office.ledger, found, binding_id)
        return replace(self.actor(), acting_for=party)

    async def persons(
        self, for_whom: ActingFor, *, act: str, binding_id: str | None = None, beside: Sequence[str] = ()
    ) -> list[str]:
        """Blind indexes of whom an `acting_for` names; the look is noted with its purpose, at those `beside` too."""
        found = await self.named_by(for_whom.id_number, "/acting_for/id_number")
        noting = partial(acting.note, principal=self.caller.id, channel=self.caller.channel or "",
                         purpose=for_whom.purpose, act=act, binding_id=binding_id, beside=beside)  # fmt: skip
        await self.run(noting, self.office.ledger, found)
        return found

    async def named_by(self, id_number: str, pointer: str) -> list[str]:
        """Blind indexes of all whom a number may name. Raises `Refused` 422 `id_number_invalid` at `pointer`."""
        today = shanghai_day(await self.run(self.office.ledger.now))
        return acting.persons(self.office.desk.keys, id_number, pointer, today)

    # -- what was sent ---------------------------------------------------------------------------------------

    async def sent(self) -> Sent:
        """The JSON that was sent, read once."""
        if self._sent is None:
            self._sent = await self._read()
        return self._sent

    async def _read(self) -> Sent:
        raw = b""
        try:
            raw = await read_body(self.request, MAX_JSON)
            value = parse_json(raw, self.request.headers.get("content-type", ""))
        except Refused as fault:
            return Sent(None, fault, raw)
        return Sent(value, None, canonical(value))

    async def body(self, shape: type[Shape]) -> Shape:
        """What was sent, in this shape. Raises `Refused` and `Malformed`."""
        sent = await self.sent()
        if sent.fault is not None:
            raise sent.fault
        return shaped(shape, sent.value)

    async def said(self, shape: type[Shape]) -> Said[Shape]:
        """The same, with a fault kept for later: whoever may not see the binding is told 404 first."""
        try:
            return Said(await self.body(shape))
        except Refused as fault:
            return Said(None, fault)

    def if_match(self) -> int | None:
        """The version that `If-Match` names; None where any will do. Raises `Refused` 400 `if_match_invalid`."""
        text = ", ".join(self.request.headers.getlist("if-match") or ["*"]).strip()  # two headers are one list
        if text == "*":
            return None
        found = _VERSION.fullmatch(text)
        if found is None:
            raise Refused("if_match_invalid", 400)
        return int(found[1])

    def seen(self, binding_id: str) -> None:
        """Let pass what is no step of the desk and names a version, if the case has it still; to be run in a thread.

        Raises `Refused` 412 `stale_version`, and as `if_match`.
        """
        version = self.if_match()
        if version is not None and (case := self.office.desk.look(binding_id)[0]).version != version:
            raise Refused("stale_version", 412, version=case.version)

    async def key(self, *, required: bool = False) -> Idempotency | None:
        """The idempotency key with the fingerprint of what was sent, if there is one."""
        sent = await self.sent()
        return idempotency(self.request, self.office.desk.keys, self.caller.id, sent.said, required=required)

    # -- answers -----------------------------------------------------------------------------------------------

    async def command(
        self,
        said: str,
        binding_id: str,
        shape: type[Shape],
        facts: Callable[[Shape], dict[str, Any]] = lambda _: {},
    ) -> Response:
        """Say something of a binding to the desk, and answer with what became of it."""
        return await self.say(await self.prepare(said, binding_id, shape, facts))

    async def say(self, command: Command) -> Response:
        """Lay a command on the clerk's table, and answer with what became of it."""
        return respond((await self.clerk.say(command)).answer())

    async def prepare(
        self,
        said: str,
        binding_id: str,
        shape: type[Shape],
        facts: Callable[[Shape], dict[str, Any]] = lambda _: {},
    ) -> Command:
        """The command of this call; faults of its form travel with it, to be told after the 404."""
        spoken = await self.said(shape)
        fault, actor, key, version = spoken.fault, self.actor(), None, None
        try:
            actor = await self.speaking(await self._acting_for(spoken), act=said, binding_id=binding_id)
        except Refused as no:
            fault = fault or no
        try:
            key, version = await self.key(), self.if_match()
        except Refused as no:
            fault = fault or no
        body = spoken.body
        return Command(said, binding_id, actor, facts(body) if body is not None and fault is None else {},
                       if_match=version, idempotency=key, malformed=fault, in_scope=acting.sees)  # fmt: skip

    async def _acting_for(self, spoken: Said[Any]) -> ActingFor | None:
        """Whom the call acts for, also where the rest of it is no good: it decides what the caller may see."""
        if spoken.body is not None:
            return getattr(spoken.body, "acting_for", None)
        value = (await self.sent()).value
        try:
            return shaped(ActingFor, value["acting_for"]) if isinstance(value, dict) else None
        except (KeyError, Malformed):
            return None

    async def look(self, binding_id: str, in_scope: InScope = acting.sees) -> tuple[Case, datetime]:
        """A case that the caller may see, and the time. Raises `Refused` 404."""
        case, now = await self.run(self.office.desk.look, binding_id)
        seen_as = next((role for role in self.roles if in_scope(case, self.actor(role))), None)
        if seen_as is None:
            raise not_found()
        self.roles = (seen_as,)  # what he may do is what that role of his may do
        return case, now

    async def case_of(self, command: Command) -> Case:
        """The case of a command whose speaker may see it. Raises `Refused` 404."""
        case, _ = await self.run(self.office.desk.seen, command.binding_id, command.actor, acting.sees)
        return case

    async def once(
        self,
        work: Work,
        key: Idempotency | None,
        *,
        window: bool = False,
        lease_seconds: int = answers.LEASE_SECONDS,
    ) -> Response:
        """Run `work` in a thread, at most once under its key; a refusal gives the key back.

        A copy that comes while the first runs waits for its answer, without holding a thread; one that comes after
        `lease_seconds` takes the first for dead. Where a `window` is opened in between it raises `Refused` 409
        `idempotency_in_progress` instead.
        """
        while True:
            try:
                return respond(await self.run(once, self.office, work, key, lease_seconds))
            except Refused as no:
                if window or no.code != "idempotency_in_progress":
                    raise
            await asyncio.sleep(_GLANCE)

    def at_a_window(self) -> AbstractAsyncContextManager[None]:
        """A place for a question to an outside service, which may be slow. Raises `Refused` 429 `rate_limited`."""
        asking: Places = self.request.app.state.asking
        return asking.one(self.caller.id)

    async def freely(self, work: Work, key: Idempotency | None) -> Response:
        """Run `work` in a thread; copies may run beside each other, and all are given the answer kept first."""
        return respond(await self.run(freely, self.office, work, key))

    async def run(self, function: Callable[_P, _T], *args: _P.args, **kwargs: _P.kwargs) -> _T:
        """Run something that blocks in a thread."""
        return await run_in_threadpool(function, *args, **kwargs)


def respond(reply: Reply) -> Response:
    """A reply of the desk as it leaves the door."""
    headers = dict(reply.headers)
    if reply.replayed:
        headers["Idempotency-Replayed"] = "true"
        REPLAYS.inc()
    return Response(reply.body, reply.status, headers, "application/json" if reply.body else None)


def answer(body: Any, status: int = 200, headers: dict[str, str] | None = None) -> Response:
    """JSON as every door sends it."""
    return Response(dumps(body), status, headers, "application/json")


def asks(*roles: str) -> Callable[[Request], Awaitable[Call]]:
    """The dependency of a door that is open to these roles (`channel` among them).

    Raises `Refused` 401, 403 `role_required` and 429.
    """

    async def dependency(request: Request) -> Call:
        state = request.app.state
        caller: Principal = await state.keys.who(request)
        request.state.principal = caller.id
        if state.limits is not None:
            request.state.headers = state.limits.take(caller.id)
        has = ("channel",) if caller.kind == "channel" else caller.roles
        found = tuple(one for one in roles if one in has)
        if not found:
            raise Refused("role_required", 403)
        _no_other_parameters(request)
        return Call(request, state.office, state.clerk, caller, found)

    return dependency


# Who comes to a door, where more doors than one are for the same; of several roles the first that he has is who speaks.
Channel = Annotated[Call, Depends(asks("channel"))]
Applicant = Annotated[Call, Depends(asks("channel", "counter"))]
Anyone = Annotated[Call, Depends(asks("channel", "counter", "reviewer", "supervisor", "operator"))]
Operator = Annotated[Call, Depends(asks("operator"))]


def _no_other_parameters(request: Request) -> None:
    """A parameter that the call does not have would be let be, and the feed begin anew for a `cursor`.

    Raises `Malformed`, and `Refused` 400 for one that is there twice: only the last would count.
    """
    known = {one.alias for one in request.scope["route"].dependant.query_params}
    unknown = sorted(request.query_params.keys() - known)[:MAX_ERRORS]
    if unknown:
        raise Malformed([{"pointer": pointer_to(name), "code": "unknown_field"} for name in unknown])
    for name in request.query_params:
        if len(request.query_params.getlist(name)) > 1:
            raise Refused("request_unreadable", 400, pointer_to(name))
