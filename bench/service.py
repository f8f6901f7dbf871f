"""The service's own app, with one more door: for those words of a life that no door of the channel says alone.

The registries' answer and the outcome of a face are said by workers; the doors that begin a face and confirm an
unbinding ask a provider and a registry before they speak to the desk, and their time is no part of a step's.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated

from fastapi import Depends, FastAPI
from msgspec.structs import replace
from starlette.responses import Response

from api.app import create_app as create_service
from api.call import Call, asks, respond
from api.shapes import Acting
from bench.lives import STORY, told
from workflows.commands import Reply


async def say(place: int, binding_id: str, call: Annotated[Call, Depends(asks("channel"))]) -> Response:
    """Say what stands at this place of the story."""
    said, actor = STORY[place]
    facts = told(place, binding_id, datetime.now(UTC))
    command = await call.prepare(said, binding_id, Acting, lambda _: facts)
    speaker = command.actor if actor.kind == "channel" else actor
    scope = (lambda *_: True) if speaker is actor else command.in_scope
    outcome = (await call.clerk.say(replace(command, actor=speaker, in_scope=scope))).unwrap()
    return respond(outcome.reply or Reply(204, b""))


def create_app() -> FastAPI:
    """The app that uvicorn serves."""
    app = create_service()
    app.add_api_route("/v1/bindings/{binding_id}/story/{place}", say, methods=["POST"])
    return app
