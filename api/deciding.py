"""Decisions of staff that are said to the desk just as they came: one row each, and all their doors alike."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, NamedTuple

from fastapi import APIRouter, Depends, Response

from api import examples
from api.answered import BindingView
from api.call import Call, asks
from api.shapes import Body, takes


class Decision(NamedTuple):
    """One decision: the last part of its path, what is said, what is sent along, and what it is for."""

    name: str
    said: str
    shape: type[Body]
    summary: str
    told: str


def facts(body: Body) -> dict[str, Any]:
    """All that was sent, without what was left out."""
    return body.model_dump(exclude_none=True)


def open_doors(router: APIRouter, prefix: str, role: str, decisions: Iterable[Decision]) -> None:
    """Make the door of each decision below `prefix`, which names the binding, for this role."""
    caller = Depends(asks(role))
    for decision in decisions:
        _open(router, prefix, caller, decision)


def _open(router: APIRouter, prefix: str, caller: Any, decision: Decision) -> None:
    # as a default, for FastAPI looks annotations up in the module, where the role is unknown
    async def door(binding_id: str, call: Call = caller) -> Response:
        return await call.command(decision.said, binding_id, decision.shape, facts)

    router.add_api_route(f"{prefix}/{decision.name}", door, methods=["POST"], name=decision.name,
                         summary=decision.summary, description=decision.told,
                         **takes(decision.shape, **examples.tells(BindingView)))  # fmt: skip
