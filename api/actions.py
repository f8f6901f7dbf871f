"""What a channel, or a clerk at the counter, says of a binding: one door per action, all alike."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

from fastapi import APIRouter, Depends
from msgspec.structs import replace
from starlette.responses import Response

from api import examples
from api.answered import BindingView
from api.call import Applicant, Call, Channel, asks
from api.shapes import (
    Acting,
    Body,
    ChooseOffline,
    ConfirmUnbind,
    ReportChange,
    RequestUnbind,
    WithdrawConsent,
    takes,
)
from tasks.changes import prepared
from tasks.unbinding import confirm_unbind as confirmed_by_password
from workflows.case import Case
from workflows.commands import Command, Idempotency, Reply
from workflows.errors import Refused, not_found
from workflows.views import advice

router = APIRouter(prefix="/v1/bindings/{binding_id}/actions", tags=["actions"])
Facts = Callable[[Any], dict[str, Any]]


def _none(_: Any) -> dict[str, Any]:
    return {}


def _fields(*names: str) -> Facts:
    """The facts are these fields of the body, where they were sent."""

    def facts(body: Body) -> dict[str, Any]:
        found = {name: getattr(body, name) for name in names}
        return {name: value for name, value in found.items() if value is not None}

    return facts


# action: (what is said, the body, the facts in it, who may, what it is for)
_BOTH = ("channel", "counter")
_SAID: dict[str, tuple[str, type[Body], Facts, tuple[str, ...], str]] = {
    "submit_materials": ("submit_materials", Acting, _none, _BOTH, "The materials are complete: hands them in."),
    "confirm_registry_record": ("confirm_registry_record", Acting, _none, ("channel",),
                                "The applicant says that the registry's record is his child's."),
    "choose_offline": ("route_offline", ChooseOffline, _fields("reason"), ("channel",),
                       "To the counter instead of the camera, without waiting."),
    "resume_online": ("resume_online", Acting, _none, ("channel",), "Back to the camera, while the window is open."),
    "confirm_authorisation": ("confirm_authorisation", Acting, _none, ("channel",),
                              "The holder confirms after all faces have passed (code display)."),
    "withdraw": ("withdraw", Acting, _none, _BOTH, "Withdraws an application; the member's own word is a refusal."),
    "request_unbind": ("request_unbind", RequestUnbind, _fields("initiator", "method", "reason"), ("channel",),
                       "Asks for the end; who asks then shows that it is he."),
    "cancel_unbind": ("cancel_unbind", Acting, _none, ("channel",), "The binding goes on as before."),
}  # fmt: skip


def _open(action: str) -> None:
    """Make the door of one action."""
    said, shape, facts, roles, told = _SAID[action]

    caller = Depends(asks(*roles))

    # as a default, for FastAPI looks annotations up in the module, where `roles` is unknown
    async def door(binding_id: str, call: Call = caller) -> Response:
        return await call.command(said, binding_id, shape, facts)

    router.add_api_route(f"/{action}", door, methods=["POST"], name=action, description=told,
                         **takes(shape, **examples.shows(examples.VIEW, BindingView)))  # fmt: skip


for _action in _SAID:
    _open(_action)


@router.post("/withdraw_consent", **takes(WithdrawConsent, **examples.shows(examples.VIEW, BindingView)))
async def withdraw_consent(binding_id: str, call: Channel) -> Response:
    """Takes a consent back: of the face check, as `choose_offline`; any other ends or withdraws the whole."""
    command = await call.prepare("withdraw", binding_id, WithdrawConsent, _fields("notice"))
    if command.malformed is None:
        command = _as_consent(command, await call.case_of(command))
    return await call.say(command)


def _as_consent(command: Command, case: Case) -> Command:
    """What taking back this consent says now; the state may move before it is said, and then it is refused."""
    try:
        said, facts = advice.consent_withdrawn(case, command.actor, command.facts["notice"])
    except Refused as no:
        return replace(command, facts={}, malformed=no)
    return replace(command, said=said, facts=facts)


@router.post("/report_change", **takes(ReportChange, **examples.shows(examples.VIEW, BindingView)))
async def report_change(binding_id: str, call: Applicant) -> Response:
    """Something has changed in a party's life; `value` is the member's new name or number, or the new insured place.

    A name or number without it is asked for by the agency: until then no face is.
    """
    command = await call.prepare("report_change", binding_id, ReportChange, _fields("what", "value"))
    async with call.at_a_window():
        command = await call.run(prepared, call.office, command)
    return await call.say(command)


@router.post("/confirm_unbind", **takes(ConfirmUnbind, **examples.shows(examples.VIEW, BindingView)))
async def confirm_unbind(binding_id: str, call: Channel) -> Response:
    """Ends the binding with the payment password of the one who asked for it."""
    command = await call.prepare("confirm_unbind", binding_id, ConfirmUnbind)
    spoken = await call.said(ConfirmUnbind)
    await call.case_of(command)
    if command.malformed is not None or spoken.body is None:
        raise command.malformed or not_found()
    work = partial(_confirm, call, command, spoken.body.pay_password)
    async with call.at_a_window():
        return await call.once(work, command.idempotency, window=True)


def _confirm(call: Call, command: Command, password: str, _: Idempotency | None) -> Reply:
    return confirmed_by_password(call.office, command, password).answer()
