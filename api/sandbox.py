"""The sandbox's own doors: skip time, choose how a face check ends, say what the registries know of a person."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Response
from pydantic import Field

from api import examples
from api.answered import FaceCheckCompleted
from api.answered_staff import Clock, PersonTold
from api.call import Anyone, answer
from api.shapes import Body, Day, Name, Number, OneOf, Region, example, takes
from gateways.sandbox.registries import STATUSES
from gateways.sandbox.vendor import OUTCOMES
from policies.words import Scheme
from tasks import playing
from tasks.advance import advance
from workflows.commands import Idempotency, Reply
from workflows.views.public import dumps

router = APIRouter(tags=["sandbox"])
MOST_SECONDS = 34_560_000  # 400 days
LONGEST_SKIP = 3600  # real seconds for which a copy waits for the first: time must not be skipped twice


class Advance(Body):
    """How far the service's clock goes on."""

    model_config = example(seconds=90_000)
    seconds: Annotated[int, Field(ge=1, le=MOST_SECONDS)]


class Complete(Body):
    """How the face check ends."""

    model_config = example(outcome="passed")
    outcome: Annotated[str, OneOf(tuple(OUTCOMES))]


class Insured(Body):
    """What the insurance registry has."""

    scheme: Scheme | None = None
    status: Annotated[str, OneOf(STATUSES)] | None = None
    region: Region | None = None


class Certificate(Body):
    """A birth certificate, on the mother."""

    number: Number
    mother_name: Name | None = None
    mother_id_number: Number | None = None
    child_name: Name | None = None
    child_birth_date: Day | None = None
    child_id_number: Number | None = None


class Person(Body):
    """What the registries know of a person; fields that are not sent stay as they are."""

    model_config = example(
        id_number="440106195706124215",
        name="张大山",
        insured={"scheme": "resident", "status": "normal", "region": "440100"},
        credential_active=True,
        pay_password="123456",  # noqa: S106 - the sandbox's own
    )
    id_number: Number
    name: Name | None = None
    insured: Insured | None = None
    credential_active: bool | None = None
    pay_password: Annotated[str, Field(min_length=1, max_length=64)] | None = None
    birth_date: Annotated[Day | None, Field(description="of whoever has a document that carries no date")] = None
    birth_certificates: Annotated[
        list[Certificate] | None, Field(max_length=20, description="of this mother's children; replaced by number")
    ] = None
    prior_filings: Annotated[
        list[Number] | None,
        Field(max_length=20, description="numbers of members with whom this holder has filed beforehand; added"),
    ] = None


@router.get("/v1/sandbox/clock", summary="The time that the whole service goes by", **examples.tells(Clock))
async def clock(call: Anyone) -> Response:
    """Real time plus what was added."""
    return answer({"now": await call.run(call.office.ledger.now)})


@router.post("/v1/sandbox/clock/advance", summary="Skip time", **takes(Advance, **examples.tells(Clock)))
async def advance_clock(call: Anyone) -> Response:
    """The answer comes after everything that fell due has run, in the order in which it fell due.

    409 `busy` while somebody else moves the clock.
    """
    body = await call.body(Advance)

    def work(_: Idempotency | None) -> Reply:
        return Reply(200, dumps({"now": advance(call.office, body.seconds)}))

    return await call.once(work, await call.key(), lease_seconds=LONGEST_SKIP)


@router.post(
    "/v1/sandbox/face-checks/{face_check_id}/complete",
    summary="End a face check",
    **takes(Complete, **examples.tells(FaceCheckCompleted)),
)
async def complete(call: Anyone, face_check_id: str) -> Response:
    """The provider calls back at once; the answer is the attempt as it then stands."""
    body = await call.body(Complete)

    def work(_: Idempotency | None) -> Reply:
        return Reply(200, dumps(playing.complete(call.office, face_check_id, body.outcome)))

    return await call.once(work, await call.key())


@router.put(
    "/v1/sandbox/persons", summary="What the registries know of a person", **takes(Person, **examples.tells(PersonTold))
)
async def put_person(call: Anyone) -> Response:
    """Unknown people are insured where they say, in the employee scheme, credential active, password 123456."""
    body = await call.body(Person)
    return answer(await call.run(playing.put_person, call.office, body.id_number, _told(body)))


def _told(body: Person) -> dict[str, Any]:
    """What was sent; only `insured` may be said to be nothing."""
    told = body.model_dump(exclude_unset=True, exclude={"id_number"})
    if body.insured is not None:
        told["insured"] = body.insured.model_dump(exclude_none=True)
    return {name: value for name, value in told.items() if value is not None or name == "insured"}
