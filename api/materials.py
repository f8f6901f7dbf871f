"""Documents: uploaded, seen, taken back. The content decides what a file is, never its name."""

from __future__ import annotations

import hashlib
from collections.abc import AsyncGenerator
from typing import NamedTuple, cast

from fastapi import APIRouter
from python_multipart.exceptions import MultipartParseError
from starlette.datastructures import Headers, UploadFile
from starlette.formparsers import MultiPartException, MultiPartParser
from starlette.requests import Request
from starlette.responses import Response

from api import examples
from api.answered import Material, MaterialPage
from api.call import Anyone, Applicant, Call, answer
from api.idempotency import idempotency
from api.reading import canonical, pointer_to, read_body, shaped
from api.shapes import Behind, Limit, Upload
from api.slow import Places
from gateways.inspection import MAX_BYTES, at_once
from tasks.documents import keep
from workflows import materials
from workflows.access import acting
from workflows.commands import Idempotency, Reply
from workflows.errors import Malformed, Refused
from workflows.views import listing

router = APIRouter(prefix="/v1/bindings/{binding_id}/materials", tags=["materials"])
_MOST = MAX_BYTES + 64 * 1024  # bytes of a form: the file, and what is around it
# Beside those that are inspected so many may look, write or queue in a thread; of one caller fewer, and the rest wait.
BESIDE, BESIDE_OF_ONE = 6, 2
QUEUE, PATIENCE = 16, 10.0
# Bytes of the uploads that are being sent, wait or are looked at in a process, and those of one caller: from the first
# byte to the last they lie in memory.
IN_MEMORY, IN_MEMORY_OF_ONE = 256 * 1024 * 1024, 128 * 1024 * 1024

_FORM = {
    "requestBody": {
        "required": True,
        "content": {
            "multipart/form-data": {
                "schema": {
                    "type": "object",
                    "required": ["kind", "file"],
                    "properties": {
                        "kind": {"$ref": "#/components/schemas/MaterialKind"},
                        "file": {"type": "string", "format": "binary", "contentMediaType": "application/octet-stream"},
                    },
                }
            }
        },
    }
}


def places() -> Places:
    """The places for uploads of a process. Raises `ValueError` as `at_once` does."""
    inspected = at_once()
    return Places(inspected + BESIDE, inspected + BESIDE_OF_ONE, 5, queue=QUEUE, patience=PATIENCE)


def places_of_case() -> Places:
    """One place for each case: a family whose files take long to look at keeps nobody else waiting."""
    return Places(1_000, 1, 5, queue=QUEUE, patience=PATIENCE)


def places_in_memory() -> Places:
    """The bytes for uploads of a process, as places: of several cases at once a caller could fill all memory."""
    return Places(IN_MEMORY, IN_MEMORY_OF_ONE, 5)


class _InMemory(MultiPartParser):
    """What is uploaded is in memory already: nothing of it is written, in clear, to a disk of the system."""

    spool_max_size = _MOST


class Form(NamedTuple):
    """What an upload holds, and what stands for it in the fingerprint."""

    kind: str
    content: bytes
    said: bytes


@router.post("", status_code=201, openapi_extra=_FORM, **examples.shows(examples.MATERIAL, Material, 201, "Kept"))
async def upload(binding_id: str, call: Applicant) -> Response:
    """One document or page: JPEG, PNG, WebP, HEIC or PDF by its content, 10 MB at most.

    A few at a time for each caller: more wait a little, and are then refused with 429 `rate_limited`; at once beyond
    128 MB under way.
    """
    await call.look(binding_id)
    if not call.request.headers.get("content-type", "").lower().startswith("multipart/form-data"):
        raise Refused("content_type_unsupported", 415)
    state, caller = call.request.app.state, call.actor().id
    in_memory = cast("Places", state.uploads_in_memory)
    uploads, of_case = cast("Places", state.uploads), cast("Places", state.uploads_of_case)
    async with in_memory.one(caller, _size(call.request)):
        raw = await read_body(call.request, _MOST)  # before another place is held: who sends slowly holds none
        async with of_case.one(binding_id), uploads.one(caller):
            return await _take(call, binding_id, await _form(call.request, raw))


def _size(request: Request) -> int:
    """The bytes that will be kept of the body: as many as it says that it has, within what is taken."""
    told = request.headers.get("content-length", "")
    return min(int(told), _MOST) if told.isascii() and told.isdigit() else _MOST


async def _take(call: Call, binding_id: str, form: Form) -> Response:
    key = idempotency(call.request, call.office.desk.keys, call.caller.id, form.said)
    document_id, actor = call.clerk.new_id("mat"), call.actor()

    def work(asked: Idempotency | None) -> Reply:
        call.seen(binding_id)
        return keep(call.office, binding_id, actor, document_id, form.kind, form.content, asked)

    return await call.once(work, key, window=True)


async def _form(request: Request, raw: bytes) -> Form:
    """The two fields of the form. Raises `Refused` 400 and `Malformed`."""

    async def stream() -> AsyncGenerator[bytes, None]:
        yield raw

    # the last word counts: the parser would take whichever way of reading names the sender asks for
    named = Headers({"content-type": f"{request.headers['content-type']}; charset=utf-8"})
    try:
        parser = _InMemory(named, stream(), max_files=2, max_fields=10, max_part_size=4096)
        parsed = await parser.parse()
    except (MultiPartException, MultipartParseError, ValueError, KeyError):
        raise Refused("request_unreadable", 400) from None
    fields = {name: value for name, value in parsed.multi_items() if isinstance(value, str)}
    files = [(name, value) for name, value in parsed.multi_items() if isinstance(value, UploadFile)]
    contents = {name: await value.read() for name, value in files}
    await parsed.close()
    if len(parsed.multi_items()) > len({*fields, *contents}):
        raise Refused("request_unreadable", 400)  # a field twice
    errors = [{"pointer": pointer_to(name), "code": "unknown_field"} for name in contents if name != "file"]
    errors += [] if "file" in contents else [{"pointer": "/file", "code": "required"}]
    if errors:
        raise Malformed(errors)
    kind = shaped(Upload, fields).kind
    digests = {name: hashlib.sha256(content).hexdigest() for name, content in contents.items()}
    return Form(kind, contents["file"], canonical({"fields": fields, "files": digests}))


@router.get("", **examples.shows({"items": [examples.MATERIAL], "next_cursor": None}, MaterialPage))
async def listed(binding_id: str, call: Anyone, limit: Limit = 100, cursor: Behind = None) -> Response:
    """All documents of the case; there are 30 at most."""
    case, _ = await call.look(binding_id)
    return answer(listing.materials_page(case, limit, cursor))


@router.delete("/{material_id}", status_code=204)
async def take_back(binding_id: str, material_id: str, call: Applicant) -> Response:
    """Takes a document back before it is handed in."""
    await call.look(binding_id)
    await call.run(call.seen, binding_id)
    await call.run(materials.remove, call.office.desk, binding_id, material_id, call.actor(), acting.sees)
    return Response(status_code=204)
