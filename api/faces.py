"""Face checks: an attempt is started, the attempts are seen, the providers are heard."""

from __future__ import annotations

from functools import partial

from fastapi import APIRouter
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response

from api import examples
from api.answered import FaceChecks, FaceCheckStarted, Received
from api.call import Anyone, Call, Channel, answer
from api.reading import read_body
from api.shapes import StartFace, takes
from api.slow import Places
from tasks import faces
from workflows.commands import Command, Idempotency, Reply
from workflows.errors import not_found
from workflows.views import listing

router = APIRouter(tags=["face checks"])
MAX_CALLBACK = 64 * 1024  # bytes
QUEUE, PATIENCE = 100, 10.0  # of callbacks to be verified


def readings() -> Places:
    """The places in which callbacks are verified, four for each provider: forgers fill these, and no others."""
    return Places(8, 4, 5, queue=QUEUE, patience=PATIENCE)


@router.post(
    "/v1/bindings/{binding_id}/face-checks",
    status_code=201,
    **takes(StartFace, **examples.shows(examples.ATTEMPT, FaceCheckStarted, 201, "Started")),
)
async def start_face_check(binding_id: str, call: Channel) -> Response:
    """Starts an attempt at the provider; answers where the person does it. 503 when the provider is down."""
    command = await call.prepare("face_started", binding_id, StartFace, lambda body: {"subject": body.subject})
    await call.case_of(command)
    if command.malformed is not None:
        raise command.malformed
    async with call.at_a_window():
        return await call.once(partial(_start, call, command), command.idempotency, window=True)


def _start(call: Call, command: Command, _: Idempotency | None) -> Reply:
    return faces.start_face_check(call.office, command).answer()


@router.get("/v1/bindings/{binding_id}/face-checks", **examples.shows(examples.ATTEMPTS, FaceChecks))
async def face_checks(binding_id: str, call: Anyone) -> Response:
    """The attempts, oldest first, and what is left to whoever's turn it is."""
    case, now = await call.look(binding_id)
    return answer(await call.run(listing.face_checks, call.office.ledger, case, now))


@router.post("/v1/callbacks/face/{provider}", tags=["callbacks"], **examples.shows({"received": True}, Received))
async def callback(provider: str, request: Request) -> Response:
    """Heard from a provider, verified as it signs; what it says is then asked at the provider itself."""
    office = request.app.state.office
    if provider not in office.windows.faces:
        raise not_found()
    body = await read_body(request, MAX_CALLBACK)
    call = (dict(request.headers), body, dict(request.query_params))
    reading: Places = request.app.state.readings
    async with reading.one(provider):  # whoever has not signed it takes no other place
        await run_in_threadpool(faces.named, office, provider, [call])
    places: Places = request.app.state.asking  # a slow provider's own calls must not take all threads to ask it again
    async with places.one(f"face provider {provider}"):
        await run_in_threadpool(faces.hear, office, provider, *call)
    return answer({"received": True})
