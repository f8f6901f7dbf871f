"""What a form has sent: read within bounds, each field asked for by name, its faults with the place of the field."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import AsyncGenerator, Collection, Sequence
from datetime import date
from typing import TypeVar
from urllib.parse import parse_qsl

from python_multipart.exceptions import MultipartParseError
from starlette.datastructures import Headers, UploadFile
from starlette.formparsers import MultiPartException, MultiPartParser
from starlette.requests import Request

from gateways.inspection import MAX_BYTES
from workflows.errors import Malformed, Refused
from workflows.texts import holds_citizens_number, is_blank, unfit

NOTE = 2000  # characters of what is noted beside something
REASON = 500  # characters of why something is done
_MOST_TEXT = 64 * 1024  # bytes of a form without files, and of all but the files in a form with some
_MOST_FIELDS = 200
_UNREADABLE = re.compile("[\x00\ud800-\udfff]")  # PostgreSQL takes none of them, and no keyboard writes them
_SECRET = {"password", "again", "code", "csrf"}
_Word = TypeVar("_Word", bound=str)


class _InMemory(MultiPartParser):
    """Keeps uploads in memory, so that none is written to a disk in clear."""

    spool_max_size = MAX_BYTES + _MOST_TEXT


class Form:
    """The fields of a form; what was not sent is empty."""

    def __init__(self, fields: Sequence[tuple[str, str]] = (), files: dict[str, bytes] | None = None) -> None:
        """Hold what was sent."""
        self._fields: dict[str, list[str]] = {}
        for name, value in fields:
            self._fields.setdefault(name, []).append(value)
        self._files = files or {}

    def raw(self, name: str) -> str:
        """A field as it was sent, the first of its name."""
        return self._fields.get(name, [""])[0]

    def every(self, name: str) -> list[str]:
        """All values of a field: ticked boxes."""
        return self._fields.get(name, [])

    def text(self, name: str, most: int, pointer: str | None = None) -> str | None:
        """A text of at most `most` characters, trimmed; None if nothing can be seen in it.

        Raises `Malformed` with `too_long` or `bad_characters`.
        """
        value = self.raw(name).replace("\r\n", "\n").strip()
        if unfit(value):
            raise wrong(pointer or f"/{name}", "bad_characters")
        if len(value) > most:
            raise wrong(pointer or f"/{name}", "too_long")
        return None if is_blank(value) else value

    def needed(self, name: str, most: int, pointer: str | None = None) -> str:
        """The same for a field that must be filled. Also raises `Malformed` with `required`."""
        value = self.text(name, most, pointer)
        if value is None:
            raise wrong(pointer or f"/{name}", "required")
        return value

    def note(self, name: str, most: int = NOTE) -> str | None:
        """The same of what is kept in clear, for good. Also raises `Malformed` with `id_number_in_text`."""
        value = self.text(name, most)
        if value is not None and holds_citizens_number(value):
            raise wrong(f"/{name}", "id_number_in_text")
        return value

    def needed_note(self, name: str, most: int = NOTE) -> str:
        """The same for a field that must be filled. Also raises `Malformed` with `required`."""
        value = self.note(name, most)
        if value is None:
            raise wrong(f"/{name}", "required")
        return value

    def one_of(self, name: str, words: Collection[_Word]) -> _Word:
        """One of these words. Raises `Malformed` with `required` or `not_one_of`."""
        value = self.needed(name, 100)
        for word in words:
            if word == value:
                return word
        raise wrong(f"/{name}", "not_one_of")

    def day(self, name: str, pointer: str | None = None) -> date | None:
        """A day as `YYYY-MM-DD`; None where nothing was written. Raises `Malformed` with `not_a_date`."""
        value = self.text(name, 10, pointer)
        try:
            return date.fromisoformat(value) if value else None
        except ValueError:
            raise wrong(pointer or f"/{name}", "not_a_date") from None

    def number(self, name: str) -> int:
        """A whole number that our own page has put into the form. Raises `Refused` 400 if it is missing."""
        value = self.raw(name)
        if not re.fullmatch(r"[0-9]{1,9}", value):
            raise Refused("request_unreadable", 400)
        return int(value)

    def sure(self) -> None:
        """Somebody has ticked that he means it. Raises `Malformed` with `not_confirmed`."""
        if self.raw("sure") != "yes":
            raise wrong("/sure", "not_confirmed")

    def file(self, name: str) -> bytes:
        """A file. Raises `Malformed` with `required`."""
        content = self._files.get(name, b"")
        if not content:
            raise wrong(f"/{name}", "required")
        return content

    def kept(self, *, version: bool = False) -> list[tuple[str, str]]:
        """All fields, to be sent once more (no password, code or token); `version`: with the version they were for."""
        left = _SECRET if version else {*_SECRET, "version"}
        return [(name, value) for name, values in self._fields.items() if name not in left for value in values]

    def filled(self) -> dict[str, str]:
        """What was written, to be shown again beside its faults (no password, no code); the rest is empty."""
        kept = {name: values[0] for name, values in self._fields.items() if name not in _SECRET}
        return defaultdict(str, kept)


def wrong(pointer: str, code: str) -> Malformed:
    """One fault of a form."""
    return Malformed([{"pointer": pointer, "code": code}])


async def read(request: Request, *, files: bool) -> Form:
    """The form of a request, read as UTF-8 whatever it says it is; `files`: the visitor may send large files.

    Raises `Refused` 400 `request_unreadable`, 413 `request_too_large` and 415 `content_type_unsupported`.
    """
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind == "multipart/form-data":
        return await _multipart(request, await _body(request, (MAX_BYTES if files else 0) + _MOST_TEXT))
    raw = await _body(request, _MOST_TEXT)
    if kind not in {"application/x-www-form-urlencoded", ""}:
        raise Refused("content_type_unsupported", 415)
    try:
        fields = parse_qsl(raw.decode(), keep_blank_values=True, errors="strict", max_num_fields=_MOST_FIELDS)
    except ValueError:
        raise Refused("request_unreadable", 400) from None
    return Form(_readable(fields))


def _readable(fields: list[tuple[str, str]]) -> list[tuple[str, str]]:
    """The same fields. Raises `Refused` 400 where one has a zero character or half a character."""
    if any(_UNREADABLE.search(text) for field in fields for text in field):
        raise Refused("request_unreadable", 400)
    return fields


async def _body(request: Request, limit: int) -> bytes:
    parts, size = [], 0
    async for part in request.stream():
        size += len(part)
        if size > limit:
            raise Refused("request_too_large", 413, max_bytes=limit)
        parts.append(part)
    return b"".join(parts)


async def _multipart(request: Request, raw: bytes) -> Form:
    async def stream() -> AsyncGenerator[bytes, None]:
        yield raw

    # The parser would use any charset that the sender names, and Latin-1 for what does not fit. With Latin-1 named it
    # hands over the plain bytes, which are read as UTF-8 here.
    named = Headers({"content-type": f"{request.headers['content-type']}; charset=latin-1"})
    try:
        parsed = await _InMemory(named, stream(), max_files=2, max_fields=_MOST_FIELDS).parse()
        sent = [(_utf8(name), value) for name, value in parsed.multi_items()]
        fields = [(name, _utf8(value)) for name, value in sent if isinstance(value, str)]
    except (MultiPartException, MultipartParseError, ValueError, KeyError):
        raise Refused("request_unreadable", 400) from None
    files = {name: await value.read() for name, value in sent if isinstance(value, UploadFile)}
    await parsed.close()
    return Form(_readable(fields), files)


def _utf8(text: str) -> str:
    return text.encode("latin-1").decode()
