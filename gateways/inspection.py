"""What an upload really is, by its content alone: decoded whole in a child process, which may crash on it."""

from __future__ import annotations

import hashlib
import json
import subprocess
import sys
import threading
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import structlog

from models.settings import SettingWrong, given

MAX_BYTES = 10 * 1024 * 1024
MAX_PAGES = 20
MAX_PIXELS = 50_000_000  # of one page or picture

_CHILD = Path(__file__).with_name("inspection_child.py")
_SECONDS = 30  # wall clock; the child bounds its own processor time and memory
_MISINSTALLED = 3
_AT_ONCE, _MOST = 2, 16  # an upload occupies one of the forty threads that all doors share
_HEIC_BRANDS = {b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx"}

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Inspection:
    """What was found: `pixels` are those of the largest page, `size` is bytes, `sha256` lower-case hex."""

    media_type: str
    pages: int
    pixels: int
    sha256: str
    size: int


class BadDocument(Exception):
    """The content cannot be taken; `code` and `status` are the API's.

    413 `file_too_large` · 415 `media_type_unsupported` · 422 `document_too_large`, `document_unreadable`.
    """

    def __init__(self, code: str, status: int) -> None:
        """Hold the machine code and the HTTP status that go with it."""
        super().__init__(code)
        self.code = code
        self.status = status


def inspect(data: bytes) -> Inspection:
    """Decode `data` whole (JPEG, PNG, WebP, HEIC or PDF by its content) and say what it is.

    At most 10 MiB, 20 pages, 50 megapixels a page. Takes about 60 ms and up to 30 s in a child process with
    bounds on memory and processor time; raises `BadDocument`.
    """
    if len(data) > MAX_BYTES:
        raise BadDocument("file_too_large", 413)
    media_type = media_type_of(data)
    if media_type is None:
        raise BadDocument("media_type_unsupported", 415)
    verdict = _ask_child(media_type, data)
    if (code := verdict.get("code")) is not None:
        raise BadDocument(code, 422)
    return Inspection(media_type, verdict["pages"], verdict["pixels"], hashlib.sha256(data).hexdigest(), len(data))


def at_once() -> int:
    """How many documents a process inspects at the same time, 1 GiB each at worst: `KINBIND_INSPECTIONS`, else 2.

    It does not depend on the number of processors: a machine has many, while a container may have little memory. Raises
    `SettingWrong` when it is no number from 1 to 16.
    """
    asked = given("KINBIND_INSPECTIONS") or str(_AT_ONCE)
    if not (asked.isascii() and asked.isdigit() and 1 <= int(asked) <= _MOST):
        raise SettingWrong(f"KINBIND_INSPECTIONS is a number from 1 to {_MOST}")
    return int(asked)


@cache
def _places() -> threading.BoundedSemaphore:
    return threading.BoundedSemaphore(at_once())


def media_type_of(data: bytes) -> str | None:
    """The media type that the first bytes say, from offset 0 only; None for any we do not take."""
    if data.startswith(b"\xff\xd8\xff"):
        return "image/jpeg"
    if data.startswith(b"\x89PNG\r\n\x1a\n"):
        return "image/png"
    if data.startswith(b"RIFF") and data[8:12] == b"WEBP":
        return "image/webp"
    if data.startswith(b"%PDF-"):
        return "application/pdf"
    return "image/heic" if data[4:8] == b"ftyp" and _is_heic(data) else None


def _is_heic(data: bytes) -> bool:
    # ISO 14496-12: major brand at 8, compatible ones from 16 to the box's end; `mif1` alone may be AVIF.
    end = min(int.from_bytes(data[:4]), 256)
    brands = {data[8:12], *(data[at : at + 4] for at in range(16, end - 3, 4))}
    return bool(brands & _HEIC_BRANDS) and not brands & {b"avif", b"avis"}


def _ask_child(media_type: str, data: bytes) -> dict[str, Any]:
    # -I and no environment: the child sees neither our keys nor our URLs, and imports only what is installed.
    limits = [str(MAX_PAGES), str(MAX_PIXELS)]
    command = [sys.executable, "-I", str(_CHILD), media_type, *limits]
    try:
        with _places():
            done = subprocess.run(
                command, input=data, capture_output=True, timeout=_SECONDS, env={}, cwd="/", check=False
            )
    except subprocess.TimeoutExpired:
        log.warning("inspection_timed_out", media_type=media_type)
        return {"code": "document_unreadable"}
    if done.returncode == _MISINSTALLED:
        raise RuntimeError("the inspection child cannot import its decoders")
    if done.returncode != 0:
        log.warning("inspection_child_died", media_type=media_type, returncode=done.returncode)
        return {"code": "document_unreadable"}
    try:
        verdict: dict[str, Any] = json.loads(done.stdout)
    except ValueError:  # a document has made the child say something else
        return {"code": "document_unreadable"}
    return verdict
