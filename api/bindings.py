"""Applications and what is seen of them: for channel apps."""

from __future__ import annotations

from fastapi import APIRouter
from starlette.responses import Response

from api import examples
from api.answered import BindingPage, BindingView, Timeline
from api.answered_uses import Requirements
from api.call import Anyone, Applicant, Call, Channel, answer, respond
from api.shapes import Application, Behind, BirthCertificate, Limit, Party, RequirementsAsked, Search, takes
from policies.calendar import shanghai_day
from policies.guidance import guidance
from workflows import submission
from workflows.commands import Command, Idempotency, Reply, show_binding, show_created
from workflows.views import advice, listing
from workflows.views.public import dumps

router = APIRouter(tags=["bindings"])


@router.post("/v1/requirements", **takes(RequirementsAsked, **examples.shows(examples.REQUIREMENTS, Requirements)))
async def requirements(call: Applicant) -> Response:
    """The plan that an application would get now, before one is made; the notices, warning and help to show with it."""
    asked = await call.body(RequirementsAsked)
    outline = advice.Outline(
        asked.product, asked.method, asked.relationship, call.caller.channel or "counter",
        asked.holder.insured_region, asked.member.insured_region, asked.member.id_type, asked.member.id_number,
        asked.member.birth_date,
    )  # fmt: skip
    office, language = call.office, call.language

    def work(_: Idempotency | None) -> Reply:
        book, now = office.desk.book, office.ledger.now()
        told = advice.requirements(book, outline, now, language)
        around = guidance(book, outline.holder_region, outline.product, shanghai_day(now), language)
        return Reply(200, dumps(told | around))

    return await call.freely(work, await call.key())


@router.post(
    "/v1/bindings",
    status_code=201,
    **takes(Application, **examples.shows(examples.SUBMITTED, BindingView, 201, "Submitted")),
)
async def submit(call: Channel) -> Response:
    """Submits an application. Needs an `Idempotency-Key`; answers the view and its `Location`."""
    key = await call.key(required=True)
    said = await call.said(Application)
    facts = {"request": request_of(said.body), "channel": call.caller.channel} if said.body is not None else {}
    command = Command("submit", call.clerk.new_id("bnd"), call.actor(), facts, idempotency=key, malformed=said.fault,
                      answering=show_created)  # fmt: skip
    return await call.say(command)


@router.get("/v1/bindings/{binding_id}", **examples.shows(examples.VIEW, BindingView))
async def binding(binding_id: str, call: Anyone) -> Response:
    """The binding view; its version is the `ETag`."""
    case, now = await call.look(binding_id)
    return respond(show_binding(case, call.actor(), now))


@router.get(
    "/v1/bindings/{binding_id}/timeline", **examples.shows({"items": [examples.LINE], "next_cursor": None}, Timeline)
)
async def timeline(binding_id: str, call: Anyone, limit: Limit = 100, cursor: Behind = None) -> Response:
    """Every line of the history, oldest first."""
    case, _ = await call.look(binding_id)
    page = await call.run(listing.timeline_page, call.office.ledger, case, call.actor(), limit, cursor)
    return answer(page)


@router.post("/v1/bindings/search", **takes(Search, **examples.shows(examples.PAGE, BindingPage)))
async def search(call: Channel) -> Response:
    """Views within the scope, newest first: of the person acted for in every channel, else of this channel's own.

    A number that is not that person's, and `channel_reference`, find only what this channel submitted.
    """
    asked = await call.body(Search)
    key = await call.key()
    wanted = await _wanted(call, asked)
    desk, actor = call.office.desk, call.actor()
    return await call.freely(lambda _: Reply(200, dumps(listing.search(desk, actor, wanted))), key)


async def _wanted(call: Call, asked: Search) -> listing.Wanted:
    holders = await _index(call, asked.holder_id_number, "/holder_id_number")
    members = await _index(call, asked.member_id_number, "/member_id_number")
    persons, beside = None, [*(holders or ()), *(members or ())]
    if asked.acting_for is not None:
        persons = await call.persons(asked.acting_for, act="search", beside=beside)
    return listing.Wanted(
        persons=persons,
        holders=holders,
        members=members,
        states=asked.states,
        reference=asked.channel_reference,
        limit=asked.limit,
        cursor=asked.cursor,
    )


async def _index(call: Call, number: str | None, pointer: str) -> list[str] | None:
    return await call.named_by(number, pointer) if number is not None else None


def request_of(body: Application) -> submission.Request:
    """An application as the desk takes it; the counter's door takes the same."""
    return submission.Request(
        product=body.product,
        method=body.method,
        holder=_person(body.holder),
        member=_person(body.member),
        relationship=body.relationship,
        initiator=body.initiator,
        consents=[consent.model_dump(mode="json") for consent in body.consents],
        channel_reference=body.channel_reference,
        birth_certificate=_certificate(body.birth_certificate),
    )


def _person(body: Party) -> submission.Person:
    return submission.Person(body.name, body.id_type, body.id_number, body.insured_region, body.birth_date)


def _certificate(body: BirthCertificate | None) -> submission.BirthCertificate | None:
    if body is None:
        return None
    return submission.BirthCertificate(body.number, body.mother_name, body.mother_id_number)
