"""Taking in a document, for both doors: inspect it, decode it whole, store it, then note it beside its case."""

from __future__ import annotations

from gateways.inspection import BadDocument, inspect
from tasks.office import Office
from workflows import materials
from workflows.access import acting
from workflows.case import Actor
from workflows.commands import Idempotency, Reply
from workflows.errors import Refused


def keep(
    office: Office,
    binding_id: str,
    actor: Actor,
    document_id: str,
    kind: str,
    content: bytes,
    key: Idempotency | None = None,
) -> Reply:
    """Inspect, decode whole, store the content, then write the row; without a row the content is not kept.

    Raises `Refused` as `materials.add` does, and 413, 415 and 422 for what `BadDocument` is about.
    """
    materials.may_add(office.desk, binding_id, actor, acting.sees)
    try:
        found = inspect(content)
    except BadDocument as no:
        raise Refused(no.code, no.status, "/file") from None
    document = materials.Document(document_id, kind, found.sha256, found.size, found.media_type, found.pages,
                                  found.pixels)  # fmt: skip
    office.windows.documents.put(document_id, content)
    try:
        return materials.add(office.desk, binding_id, actor, document, acting.sees, key)
    except Refused:
        office.windows.documents.delete(document_id)
        raise
