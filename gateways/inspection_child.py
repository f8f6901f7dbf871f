"""The bounded child of `inspection`: reads one document from stdin, decodes it whole, writes a verdict.

Run as a file with `python -I`: it imports nothing of kinbind, so hostile content finds no keys here. The
verdict is JSON: `{"pages", "pixels"}` or `{"code"}`; death by limit or signal means unreadable.
"""

from __future__ import annotations

import io
import json
import logging
import resource
import sys
import zipfile
import zlib
from collections.abc import Callable, Iterator
from typing import Any

MEMORY_BYTES = 1 << 30  # 50 megapixels take 200 MB as RGBA, twice over in the WebP and HEIC decoders
PROCESSOR_SECONDS = 10
MISINSTALLED = 3
PREVIEW_SIDE = 1000  # pixels; PDF pages are drawn this large, enough to make every stream decode

# Names in a PDF that run, fetch, submit or carry other files: a scan of a register has none of them. A link (/URI) it
# may have, for CamScanner puts one on each page; nobody follows it unless he clicks on it.
ACTIVE = {
    "/JavaScript",
    "/JS",
    "/Launch",
    "/EmbeddedFile",
    "/EmbeddedFiles",
    "/Filespec",
    "/RichMedia",
    "/XFA",
}
ACTIVE |= {"/SubmitForm", "/ImportData", "/GoToR", "/GoToE", "/Movie", "/Sound", "/Rendition", "/AA", "/3D"}
SCRIPTS = (b"<script", b"<html", b"<svg", b"<?php", b"<!doctype")


class Refused(Exception):
    """The document cannot be taken; the argument is the API's code."""


def main() -> int:
    """Bound ourselves, read, judge, answer; the exit status is 0 whenever there is a verdict."""
    media_type, max_pages, max_pixels = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
    try:
        decode = _decoder(media_type)
    except ImportError:
        return MISINSTALLED
    _bound()
    data = sys.stdin.buffer.read()
    verdict: dict[str, Any]
    try:
        _refuse_polyglot(media_type, data)
        pages, pixels = decode(data, max_pages, max_pixels)
        verdict = {"pages": pages, "pixels": pixels}
    except Refused as refused:
        verdict = {"code": str(refused)}
    except Exception:  # noqa: BLE001 - whatever a decoder raises on hostile bytes means one thing
        verdict = {"code": "document_unreadable"}
    sys.stdout.write(json.dumps(verdict))
    return 0


def _bound() -> None:
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY_BYTES, MEMORY_BYTES))
    resource.setrlimit(resource.RLIMIT_CPU, (PROCESSOR_SECONDS, PROCESSOR_SECONDS))
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


def _decoder(media_type: str) -> Callable[[bytes, int, int], tuple[int, int]]:
    # Imported before the limits are set, and only what this type needs: 30 ms for pictures, 90 ms for PDF.
    if media_type == "application/pdf":
        import pypdf  # noqa: F401, PLC0415
        import pypdfium2  # noqa: F401, PLC0415

        return _decode_pdf
    from PIL import Image  # noqa: PLC0415

    Image.MAX_IMAGE_PIXELS = None  # our own limit is checked before anything is decoded
    if media_type == "image/heic":
        import pillow_heif  # noqa: PLC0415

        pillow_heif.options.DECODE_THREADS = 1  # each thread costs address space
        pillow_heif.register_heif_opener()
    return _decode_picture


def _decode_picture(data: bytes, max_pages: int, max_pixels: int) -> tuple[int, int]:
    from PIL import Image  # noqa: PLC0415

    with Image.open(io.BytesIO(data), formats=["JPEG", "PNG", "WEBP", "HEIF"]) as picture:
        frames = getattr(picture, "n_frames", 1)
        # A JPEG with several pictures (MPO) is one photograph with its previews or depth map.
        pages = 1 if picture.format in {"JPEG", "MPO"} else frames
        if pages > max_pages or frames > max_pages:
            raise Refused("document_too_large")
        largest = 0
        for frame in range(frames):
            picture.seek(frame)
            largest = max(largest, picture.width * picture.height)
            if largest > max_pixels:
                raise Refused("document_too_large")
            picture.load()
            if frame == 0 and picture.format in {"JPEG", "MPO"}:
                _refuse_half_jpeg(picture, data)
    return pages, largest


def _refuse_half_jpeg(picture: Any, data: bytes) -> None:
    """Refuse a JPEG cut short and given an end again; the decoder paints what is missing grey, silently.

    Bits added before the end marker are never read if the picture is whole, and change it if it is not (zeros would
    not: the decoder assumes them).
    """
    from PIL import Image  # noqa: PLC0415

    seen = zlib.crc32(picture.tobytes())
    end = len(data) - len(_after_jpeg(data)) - 2
    with Image.open(io.BytesIO(data[:end] + b"\x55" * 64 + b"\xff\xd9"), formats=["JPEG"]) as padded:
        if zlib.crc32(padded.tobytes()) != seen:
            raise Refused("document_unreadable")


def _decode_pdf(data: bytes, max_pages: int, max_pixels: int) -> tuple[int, int]:
    import pypdfium2  # noqa: PLC0415
    from pypdfium2.raw import FPDFDoc_GetJavaScriptActionCount  # noqa: PLC0415

    largest = _walk_pdf(data, max_pages, max_pixels)
    document = pypdfium2.PdfDocument(data)
    if not 1 <= len(document) <= max_pages:  # two readers that disagree about the pages
        raise Refused("document_unreadable")
    if document.count_attachments() or FPDFDoc_GetJavaScriptActionCount(document):  # or about what else is in it
        raise Refused("document_unreadable")
    for page in document:
        side = max(page.get_size())
        drawn = page.render(scale=min(1.0, PREVIEW_SIDE / max(side, 1)))
        largest = max(largest, drawn.width * drawn.height)
        drawn.close()
        page.close()
    return len(document), largest


class _Doubts(logging.Handler):
    """Notes that pypdf had to guess what a dictionary says: other readers may guess otherwise."""

    any = False

    def emit(self, _record: logging.LogRecord) -> None:
        """Note it; raising would not help, as pypdf catches what is raised within a dictionary."""
        self.any = True


def _walk_pdf(data: bytes, max_pages: int, max_pixels: int) -> int:
    """Look at every object: refuse what is encrypted, active or said twice, and pictures that are too large."""
    import pypdf  # noqa: PLC0415

    doubts = _Doubts()
    # Of a doubled key pypdf keeps the first value and pdfium the last. The strict mode of pypdf would refuse it, but
    # also the files of every scanner that is careless about offsets.
    logging.getLogger("pypdf.generic._data_structures").addHandler(doubts)
    reader = pypdf.PdfReader(io.BytesIO(data), strict=False)
    if reader.is_encrypted:
        raise Refused("document_unreadable")
    if len(reader.pages) > max_pages:
        raise Refused("document_too_large")
    largest = 0
    for entry in _dictionaries(reader):
        kinds = [_resolved(entry.get(key)) for key in ("/S", "/Type", "/Subtype")]
        if ACTIVE & entry.keys() or any(isinstance(kind, str) and kind in ACTIVE for kind in kinds):
            raise Refused("document_unreadable")
        if _acts_at_once(entry):
            raise Refused("document_unreadable")
        if "/Image" in kinds:
            sides = [_resolved(entry.get(key, 0)) for key in ("/Width", "/Height")]
            largest = max(largest, int(sides[0]) * int(sides[1]))
            if largest > max_pixels:
                raise Refused("document_too_large")
    if doubts.any:
        raise Refused("document_unreadable")
    return largest


def _acts_at_once(entry: dict[str, Any]) -> bool:
    """Whether opening the paper does more than show a page of it, such as asking for an address."""
    action = _resolved(entry.get("/OpenAction"))
    return isinstance(action, dict) and ("/Next" in action or _resolved(action.get("/S")) != "/GoTo")


def _resolved(value: Any) -> Any:
    """The value itself, if it is only a reference."""
    return value.get_object() if hasattr(value, "get_object") else value


def _dictionaries(reader: Any) -> Iterator[dict[str, Any]]:
    """Every dictionary of the file, however nested, each indirect object once in each of its generations."""
    from pypdf.generic import ArrayObject, DictionaryObject, IndirectObject, NameObject  # noqa: PLC0415

    seen: set[tuple[int, int]] = set()
    open_ends: list[Any] = [reader.trailer]
    numbers = {(n, generation) for generation, table in reader.xref.items() for n in table}
    numbers |= {(n, 0) for n in reader.xref_objStm}
    open_ends += [IndirectObject(*one, reader) for one in sorted(numbers)]
    while open_ends:
        value = open_ends.pop()
        if isinstance(value, IndirectObject):
            if (value.idnum, value.generation) in seen:
                continue
            seen.add((value.idnum, value.generation))
            value = value.get_object()
            if isinstance(value, NameObject) and value in ACTIVE:  # pdfium finds it whatever generation is asked for
                raise Refused("document_unreadable")
        if isinstance(value, DictionaryObject):
            yield value
            open_ends.extend(value.values())
        elif isinstance(value, ArrayObject):
            open_ends.extend(value)


def _refuse_polyglot(media_type: str, data: bytes) -> None:
    """Refuse what another program could read as something else: archive, web page, script, second PDF."""
    tail = {
        "image/jpeg": _after_jpeg,
        "image/png": _after_png,
        "image/webp": _after_webp,
        "image/heic": _after_heic,
        "application/pdf": _after_pdf,
    }[media_type](data)
    head = data[:1024].lower()
    hidden = media_type != "application/pdf" and (b"%pdf-" in head or b"%PDF-" in tail)
    if hidden or zipfile.is_zipfile(io.BytesIO(data)):
        raise Refused("document_unreadable")
    if any(script in head or script in tail[:1024].lower() for script in SCRIPTS):  # where browsers look
        raise Refused("document_unreadable")
    if tail and media_type != "image/jpeg":  # phones append previews and notes to JPEG, but to nothing else
        raise Refused("document_unreadable")


def _after_jpeg(data: bytes) -> bytes:
    """What follows the end-of-image marker; raises where there is none (cut short)."""
    at = 2
    while at < len(data):
        if data[at] != 0xFF:
            raise Refused("document_unreadable")
        marker = data[at + 1]
        if marker == 0xD9:
            return data[at + 2 :]
        if marker == 0xFF:  # fill byte
            at += 1
            continue
        at += 2 + int.from_bytes(data[at + 2 : at + 4])
        if marker == 0xDA:
            at = _end_of_scan(data, at)
    raise Refused("document_unreadable")


def _end_of_scan(data: bytes, at: int) -> int:
    # Within a scan FF is data when 00 follows, and a restart when D0 to D7 does.
    while (at := data.find(b"\xff", at)) >= 0 and at + 1 < len(data):
        if data[at + 1] != 0 and not 0xD0 <= data[at + 1] <= 0xD7:
            return at
        at += 2
    raise Refused("document_unreadable")


def _after_png(data: bytes) -> bytes:
    """What follows IEND, every chunk's checksum being right."""
    at = 8
    while at + 12 <= len(data):
        length = int.from_bytes(data[at : at + 4])
        end = at + 12 + length
        name_and_body = data[at + 4 : end - 4]
        if end > len(data) or zlib.crc32(name_and_body) != int.from_bytes(data[end - 4 : end]):
            raise Refused("document_unreadable")
        if name_and_body[:4] == b"IEND":
            return data[end:]
        at = end
    raise Refused("document_unreadable")


def _after_webp(data: bytes) -> bytes:
    end = 8 + int.from_bytes(data[4:8], "little")
    if end > len(data):
        raise Refused("document_unreadable")
    return data[end + end % 2 :]


def _after_heic(data: bytes) -> bytes:
    """Nothing, where the top boxes fill the file (ISO 14496-12: size 0 is to the end, 1 a 64-bit size)."""
    at = 0
    while at + 8 <= len(data):
        size = int.from_bytes(data[at : at + 4])
        if size == 1:
            size = int.from_bytes(data[at + 8 : at + 16])
        if size == 0:
            return b""
        if size < 8 or at + size > len(data):
            raise Refused("document_unreadable")
        at += size
    return data[at:]


def _after_pdf(data: bytes) -> bytes:
    end = data.rfind(b"%%EOF")
    if end < 0:
        raise Refused("document_unreadable")
    return data[end + 5 :].strip(b"\r\n \t\x00\x1a")


if __name__ == "__main__":
    sys.exit(main())
