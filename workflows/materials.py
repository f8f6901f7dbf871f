"""Documents of a case: added and taken back while the case takes them, never touched after hand-in.

Rows only: the door has stored the content before, in the document store. The binding's row is locked while a document
comes or goes, so that a step of the desk comes wholly before or wholly after.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from psycopg import Connection

from workflows import answers
from workflows.case import Actor, Case
from workflows.commands import Idempotency, InScope, Reply
from workflows.engine import Desk
from workflows.errors import Refused, not_found, out_of_turn
from workflows.views import public

_LOCK = "select from bindings where id = %s for no key update"
_ADD = """
insert into materials (id, binding_id, kind, sha256, size, media_type, pages, added_by, added_at)
values (%(id)s, %(binding)s, %(kind)s, %(sha256)s, %(size)s, %(media_type)s, %(pages)s, %(by)s, %(at)s)
"""
_THERE = "select handed_in, added_by from materials where id = %s and binding_id = %s and removed_at is null"
_REMOVE = "update materials set removed_at = %s where id = %s"


@dataclass(frozen=True, slots=True)
class Document:
    """A document as inspected: its size in bytes, the pixels of its largest page."""

    id: str
    kind: str
    sha256: str
    size: int
    media_type: str
    pages: int
    pixels: int


def may_add(desk: Desk, binding_id: str, actor: Actor, in_scope: InScope) -> Case:
    """Check, before a document is decoded and stored, whether it would be taken now.

    Raises `Refused`: 404, 409 `action_not_available`, `own_case` or `too_many_files`.
    """
    case, now = desk.seen(binding_id, actor, in_scope)
    _open_for(case, now, actor)
    return case


def add(
    desk: Desk, binding_id: str, actor: Actor, document: Document, in_scope: InScope, asked: Idempotency | None
) -> Reply:
    """Add a document whose content is already kept; the answer is kept under its key in the same transaction.

    Raises `Refused`: 404, 409 `action_not_available`, `own_case` or `too_many_files`, 413 `file_too_large`, 422
    `document_too_large` where the plan is narrower than the window.
    """
    with desk.ledger.transaction() as conn:
        case, now = _locked(desk, conn, binding_id, actor, in_scope)
        _open_for(case, now, actor)
        _fits(case, document)
        conn.execute(_ADD, {
            "id": document.id, "binding": binding_id, "kind": document.kind, "sha256": document.sha256,
            "size": document.size, "media_type": document.media_type, "pages": document.pages,
            "by": str(actor), "at": now,
        })  # fmt: skip
        reply = _shown(binding_id, document)
        answers.keep_on(conn, desk.keys, asked, reply)
    return reply


def _shown(binding_id: str, document: Document) -> Reply:
    body = {"id": document.id, "kind": document.kind, "sha256": document.sha256, "size": document.size,
            "media_type": document.media_type}  # fmt: skip
    where = f"/v1/bindings/{binding_id}/materials/{document.id}"
    return Reply(201, public.dumps(body), {"Location": where})


def remove(desk: Desk, binding_id: str, material_id: str, actor: Actor, in_scope: InScope) -> None:
    """Take a document back; its content is kept until retention ends, in case that was a mistake.

    A clerk takes back what was scanned at a counter, never what a family has sent from its phone.

    Raises `Refused`: 404, 409 `action_not_available`, `own_case` or `material_handed_in`.
    """
    with desk.ledger.transaction() as conn:
        case, now = _locked(desk, conn, binding_id, actor, in_scope)
        row = conn.execute(_THERE, (material_id, binding_id)).fetchone()
        if row is None:
            raise not_found()
        if row[0]:
            raise Refused("material_handed_in", state=case.state)
        if actor.kind == "counter" and not row[1].startswith("counter:"):
            raise not_found()
        _in_turn(case, now, actor)
        conn.execute(_REMOVE, (now, material_id))


def _locked(
    desk: Desk, conn: Connection[Any], binding_id: str, actor: Actor, in_scope: InScope
) -> tuple[Case, datetime]:
    conn.execute(_LOCK, (binding_id,))
    case, now = desk.reader.read(conn, [(binding_id, None, None)])[0].found()
    if not in_scope(case, actor):
        raise not_found()
    return case, now


def _open_for(case: Case, now: datetime, actor: Actor) -> None:
    _in_turn(case, now, actor)
    if case.full:
        raise Refused("too_many_files", max_files=case.plan.max_files)


def _in_turn(case: Case, now: datetime, actor: Actor) -> None:
    if case.is_party(actor.person):
        raise Refused("own_case")
    if not public.takes_documents(case, actor):
        raise out_of_turn(**public.instead(case, actor, now))


def _fits(case: Case, document: Document) -> None:
    plan = case.plan
    if document.size > plan.max_file_bytes:
        raise Refused("file_too_large", 413, "/file", max_bytes=plan.max_file_bytes)
    if document.pages > plan.max_pages or document.pixels > plan.max_megapixels * 1_000_000:
        raise Refused("document_too_large", 422, "/file", max_pages=plan.max_pages,
                      max_megapixels=plan.max_megapixels)  # fmt: skip
