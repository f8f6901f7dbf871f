"""The agency's window: tickets, the outcome there, and whole applications of people who came in person."""

from __future__ import annotations

from functools import partial
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Depends, Query, Response
from msgspec.structs import replace
from pydantic import AfterValidator, Field
from pydantic_core import PydanticCustomError

from api import examples
from api.answered import BindingView
from api.answered_staff import TicketPage
from api.bindings import request_of
from api.call import Call, answer, asks
from api.deciding import Decision, facts, open_doors
from api.reviews import RegionAsked
from api.shapes import Application, Behind, Body, Limit, Note, Reason, Region, ToldReason, example, takes
from policies.regions import is_region
from policies.words import Initiator, Subject
from workflows import agencies, binding
from workflows import case as cases
from workflows.access import scopes
from workflows.commands import Command, Idempotency, Reply, show_created
from workflows.errors import Refused
from workflows.views import worklists

router = APIRouter(tags=["counter"])
Counter = Annotated[Call, Depends(asks("counter"))]


class Verify(Body):
    """How the clerk knew, and who stood before him; `registry_checked` where he has asked the registries himself.

    Against a registry's no (409 `registry_objects`) it takes a `note`, and whoever gives it does not approve the case.

    `subjects` left out says that everybody was there whose face is still open.
    """

    model_config = example(method="document_reader", subjects=["member"], note="本人到场", registry_checked=False)
    method: Literal["document_reader", "compared_by_eye", "home_visit", "video_call"]
    subjects: Annotated[list[Subject], Field(max_length=3)] | None = None
    note: Note | None = None
    registry_checked: bool | None = None


class Refuse(Body):
    """A reason from the plan's list."""

    model_config = example(reason="relation_unproven", note="所持材料不能证明双方关系")
    reason: Reason
    note: Note | None = None


def _agency(value: str) -> str:
    if not is_region(value):
        raise PydanticCustomError("literal_error", "no such place")
    return value


class HandOver(Body):
    """To which agency, by its region code."""

    model_config = example(agency="440300", note="被绑定人现居深圳")
    agency: Annotated[Region, AfterValidator(_agency)]  # a ticket that nobody's region has would be lost
    note: Note | None = None


class Unbind(Body):
    """Who came to the window, and why."""

    model_config = example(initiator="member", reason="no_longer_needed")
    initiator: Initiator
    reason: ToldReason | None = None
    note: Note | None = None


@router.get(
    "/v1/counter/tickets", summary="The offline cases of the region, nearest due first", **examples.tells(TicketPage)
)
async def tickets(
    call: Counter,
    region: RegionAsked = None,
    overdue: bool | None = None,  # noqa: FBT001 - a query parameter
    code: Annotated[str | None, Query(max_length=40, description="the ticket's code, however it was written")] = None,
    limit: Limit = 50,
    cursor: Behind = None,
) -> Response:
    """Open tickets of the clerk's agencies, also of bindings suspended until somebody shows himself again."""
    wanted = worklists.Wanted(region, overdue, limit, cursor)
    return answer(await call.run(worklists.tickets, call.office.desk, call.actor(), wanted, code))


@router.post("/v1/counter/tickets", summary="A whole application taken at the counter", status_code=201,
             **takes(Application, **examples.tells(BindingView, 201, "Submitted")))  # fmt: skip
async def submit(call: Counter) -> Response:
    """The view, `channel` `counter`; the clerk uploads and submits its materials as a channel would."""
    key = await call.key(required=True)
    said = await call.said(Application)
    fault, told = said.fault, {}
    if said.body is not None:
        told = {"request": request_of(said.body), "channel": "counter"}
        places = (said.body.holder.insured_region, said.body.member.insured_region)
        if not scopes.serves(call.actor(), places):
            fault = Refused("region_not_allowed", 422, "/holder/insured_region")
    command = Command("submit", call.clerk.new_id("bnd"), call.actor(), told, idempotency=key, malformed=fault,
                      answering=show_created)  # fmt: skip
    return await call.say(command)


open_doors(router, "/v1/counter/tickets/{binding_id}", "counter", (
    Decision("verify", "counter_verified", Verify, "They are who they say",
             "Stands for every face still open; review and authorisation are still asked. Where a guardian alone stands"
             " for a member whose own face is asked, two clerks must see him: the first is answered with the binding as"
             " it was, waiting for the agency's decision."),
    Decision("refuse", "counter_refused", Refuse, "Refuse",
             "The application ends; of a suspended binding only the visit is noted."),
))  # fmt: skip


@router.post(
    "/v1/counter/tickets/{binding_id}/hand-over",
    summary="To another agency",
    **takes(HandOver, **examples.tells(BindingView)),
)
async def hand_over(call: Counter, binding_id: str) -> Response:
    """The ticket and its code stay, and so does its due time; 409 `agency_unserved` where nobody would find it.

    409 `agency_unchanged` where that agency has it already. A binding that must be verified again keeps its state.
    """
    command = await call.prepare("hand_over", binding_id, HandOver, facts)
    if command.malformed is None:
        found = await call.run(agencies.taking_over, call.office.desk, command.facts["agency"], binding_id)
        command = replace(command, facts={**command.facts, **found})
    return await call.say(command)


@router.post(
    "/v1/counter/tickets/{binding_id}/unbind",
    summary="End a binding at the window",
    **takes(Unbind, **examples.tells(BindingView)),
)
async def unbind(call: Counter, binding_id: str) -> Response:
    """Asked for and confirmed at once: the clerk has seen who he is. Ends also what a clerk began and did not end."""
    command = await call.prepare("request_unbind", binding_id, Unbind, _unbinding)
    await call.look(binding_id, scopes.at_counter)
    if command.malformed is not None:
        raise command.malformed
    return await call.once(partial(_unbind, call, command), command.idempotency)


def _unbind(call: Call, command: Command, asked: Idempotency | None) -> Reply:
    """Two steps, each with its line; the second keeps the reply. Where the first was made before, only the second."""
    desk, version = call.office.desk, command.if_match
    case, now = desk.look(command.binding_id)
    if not binding.may(cases.Cursor(case, now), "confirm_unbind", command.actor):
        desk.say(replace(command, idempotency=None))
        version = None
    return desk.say(replace(command, said="confirm_unbind", if_match=version, idempotency=asked)).answer()


def _unbinding(body: Unbind) -> dict[str, Any]:
    """The counter asks and confirms; whose wish it was stands in the note."""
    told = f"{body.initiator}: {body.note}" if body.note else body.initiator
    return {"reason": body.reason, "note": told} if body.reason else {"note": told}
