"""What supervisors decide of bindings in force, and what staff must see in clear; every look is logged."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends, Response
from pydantic import Field

from api import examples
from api.answered_staff import Revealed
from api.call import Call, answer, asks
from api.deciding import Decision, open_doors
from api.shapes import Body, Note, Reason, ToldReason, example, takes
from gateways.documents import DocumentMissing
from workflows.access import opening, scopes
from workflows.errors import not_found

router = APIRouter(tags=["supervision"])
Looker = Annotated[Call, Depends(asks("reviewer", "counter", "supervisor"))]
_SUFFIXES = {"image/jpeg": "jpg", "image/png": "png", "image/webp": "webp", "image/heic": "heic",
             "application/pdf": "pdf"}  # fmt: skip


class Why(Body):
    """A supervisor always says why: the family reads the reason, and staff alone the note."""

    model_config = example(reason="suspected_fraud", note="接到举报，核查中")
    reason: ToldReason
    note: Note | None = None


class Reveal(Body):
    """Which field in clear, and what for."""

    model_config = example(field="member.id_number", purpose="与窗口原件核对")
    field: Annotated[str, Field(pattern=f"^(?:{opening.FIELDS.pattern})$", max_length=40)]
    purpose: Reason


open_doors(router, "/v1/bindings/{binding_id}", "supervisor", (
    Decision("suspend", "suspend", Why, "Suspend", "Not in force until a supervisor resumes it; both sides are told."),
    Decision("resume", "resume", Why, "Resume", "In force again."),
    Decision("unbind", "end", Why, "End", "Over, from now on and for good."),
))  # fmt: skip


@router.post(
    "/v1/bindings/{binding_id}/reveal",
    summary="A name or number in clear; logged",
    **takes(Reveal, **examples.tells(Revealed)),
)
async def reveal(call: Looker, binding_id: str) -> Response:
    """`{field, value}`, value null where the party has none."""
    await call.look(binding_id, scopes.staff)
    asked, actor = await call.body(Reveal), call.actor()
    # never kept under an idempotency key: that would lay the number down in clear, and skip the log
    desk = call.office.desk
    return answer(await call.run(opening.reveal, desk, binding_id, actor, asked.field, asked.purpose))


@router.get(
    "/v1/bindings/{binding_id}/materials/{material_id}/content",
    summary="The document; logged",
    response_class=Response,
    **examples.is_of({kind: {"type": "string", "format": "binary"} for kind in _SUFFIXES}, "The document"),
)
async def content(call: Looker, binding_id: str, material_id: str) -> Response:
    """The bytes as they were uploaded, for this look only."""
    await call.look(binding_id, scopes.staff)  # in that role of several which may see it
    documents = call.office.windows.documents
    material = await call.run(opening.open_material, call.office.desk, binding_id, material_id, call.actor())
    try:
        content = await call.run(documents.get, material_id)
    except DocumentMissing:
        raise not_found() from None
    kind = material["media_type"]
    headers = {
        "Content-Disposition": f'inline; filename="{material_id}.{_SUFFIXES.get(kind, "bin")}"',
        "Cache-Control": "no-store",
        # the browser must neither guess another type nor run anything that the document may hold
        "X-Content-Type-Options": "nosniff",
        "Content-Security-Policy": "sandbox; default-src 'none'",
    }
    return Response(content, headers=headers, media_type=kind)
