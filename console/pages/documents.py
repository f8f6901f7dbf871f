"""A family's document, which browsers must not keep; each look is logged before it is answered."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Depends, Response

from console.visit import Visit, asks
from gateways.documents import DocumentMissing
from workflows.access import opening
from workflows.errors import Refused, not_found

router = APIRouter()
Looker = Annotated[Visit, Depends(asks("reviewer", "counter", "supervisor"))]
_PICTURES = ("image/jpeg", "image/png", "image/webp")


@router.get("/cases/{binding_id}/materials/{material_id}")
def content(visit: Looker, binding_id: str, material_id: str) -> Response:
    """The bytes as they were uploaded."""
    material = _opened(visit, binding_id, material_id)
    try:
        held = visit.office.windows.documents.get(material_id)
    except DocumentMissing:
        raise not_found() from None
    kind = material["media_type"]
    # a picture may run nothing; a PDF needs the browser's own viewer, which a sandbox would not let start
    policy = "sandbox; default-src 'none'" if kind in _PICTURES else "default-src 'none'; frame-ancestors 'none'"
    return Response(held, media_type=kind, headers={"Content-Security-Policy": policy, "Cache-Control": "no-store",
                                                    "Content-Disposition": "inline"})  # fmt: skip


def _opened(visit: Visit, binding_id: str, material_id: str) -> dict[str, Any]:
    """The document's row, opened in whichever of his roles may see the case. Raises `Refused` 404, 409 `own_case`."""
    for role in visit.roles:
        try:
            return opening.open_material(visit.office.desk, binding_id, material_id, visit.actor(role))
        except Refused as no:
            if no.code != "not_found":
                raise  # who is a party is one in every role
    raise not_found()
