"""Reading what was sent: bounded, strict JSON, and every fault with the pointer to it."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Literal, TypeVar, get_args, get_origin

from pydantic import BaseModel, ValidationError
from starlette.requests import Request

from workflows.errors import Malformed, Refused
from workflows.texts import unfit

MAX_JSON = 64 * 1024  # bytes
MAX_ERRORS = 50
_MAX_DEPTH = 32  # of objects and lists within each other: ours have four
_MAX_DRAIN = 4  # times the limit: read and thrown away, so that the client hears the answer
_QUOTED = re.compile("'([^']*)'")
_JSON_TYPE = re.compile(r"(?:(?:application|text)/(?:[a-z0-9.-]+\+)?json)?")

Shape = TypeVar("Shape", bound=BaseModel)

# What pydantic calls a fault -> our code; the rest is `invalid`.
_CODES = {
    "missing": "required",
    "extra_forbidden": "unknown_field",
    "string_too_long": "too_long",
    "string_too_short": "too_short",
    "too_long": "too_long",
    "too_short": "too_short",
    "literal_error": "not_one_of",
    "enum": "not_one_of",
    "string_pattern_mismatch": "wrong_form",
    "url_parsing": "wrong_form",
    "greater_than": "out_of_range",
    "greater_than_equal": "out_of_range",
    "less_than": "out_of_range",
    "less_than_equal": "out_of_range",
    "blank": "blank",
    "number_in_text": "number_in_text",
    "id_number_in_text": "id_number_in_text",
    "not_a_date": "not_a_date",
    "not_a_time": "not_a_time",
}


class _Doubled(dict[str, Any]):
    """An object in which a field stands twice; `name` is that field."""

    name = ""


async def read_body(request: Request, limit: int) -> bytes:
    """The body, at most `limit` bytes. Raises `Refused` 413 `request_too_large`."""
    parts: list[bytes] = []
    size = 0
    async for part in request.stream():
        size += len(part)
        if size <= limit:
            parts.append(part)
        elif size > _MAX_DRAIN * limit:
            break
    if size > limit:
        raise Refused("request_too_large", 413, max_bytes=limit)
    return b"".join(parts)


def parse_json(raw: bytes, content_type: str = "") -> Any:
    """The value of a JSON text; nothing sent is an empty object.

    Raises `Refused` 415 `content_type_unsupported`, 400 `request_unreadable` (no UTF-8, no JSON, a field twice),
    and `Malformed` (characters that no text of ours may hold).
    """
    if not raw.strip():
        return {}
    if not _JSON_TYPE.fullmatch(content_type.partition(";")[0].strip().lower()):
        raise Refused("content_type_unsupported", 415)
    try:
        value = json.loads(raw.decode("utf-8"), object_pairs_hook=_object, parse_constant=_no_number)
        all_of_it = list(_walk(value))
    except (ValueError, RecursionError):
        raise Refused("request_unreadable", 400) from None
    if doubled := [pointer for pointer, one in all_of_it if isinstance(one, _Doubled)]:
        raise Refused("request_unreadable", 400, doubled[0])
    errors = [{"pointer": pointer, "code": code} for pointer, one in all_of_it if (code := _fault_of(one))]
    if errors:
        raise Malformed(errors[:MAX_ERRORS])
    return value


def canonical(value: Any) -> bytes:
    """JSON with sorted keys and no spaces: two requests that say the same have the same bytes."""
    return json.dumps(value, sort_keys=True, separators=(",", ":")).encode()


def shaped(shape: type[Shape], value: Any) -> Shape:
    """`value` as this shape. Raises `Malformed` with every fault."""
    try:
        return shape.model_validate(value)
    except ValidationError as fault:
        raise Malformed(faults(fault, shape)) from None


def faults(fault: ValidationError, shape: type[BaseModel] | None = None) -> list[dict[str, Any]]:
    """Pydantic's findings in our words, with the words of `shape` that a missing field may have; never the input."""
    found = fault.errors(include_url=False, include_input=False)[:MAX_ERRORS]
    told = [found_at(one["loc"], one) for one in found]
    for error, one in zip(told, found, strict=True):
        if error["code"] == "required" and (words := _words(shape, one["loc"])):
            error["allowed"] = words
    return told


def found_at(place: Sequence[str | int], found: Mapping[str, Any]) -> dict[str, Any]:
    """One finding of pydantic as `{pointer, code}`, with the values `allowed` where there is a list of them."""
    error: dict[str, Any] = {"pointer": pointer_to(*place), "code": code_of(found["type"])}
    context = found.get("ctx", {})
    # pydantic tells the words of a Literal as one text: 'holder', 'member' or 'guardian'
    allowed = context.get("allowed") or _QUOTED.findall(str(context.get("expected", "")))
    return error | {"allowed": allowed} if error["code"] == "not_one_of" and allowed else error


def _words(shape: type[BaseModel] | None, place: Sequence[str | int]) -> list[str]:
    """The words of the closed list that stands at this place of a shape; none where there is no such list."""
    kind: Any = shape
    for name in place:
        field = getattr(kind, "model_fields", {}).get(name)
        kind = field.annotation if field is not None else None
    return list(get_args(kind)) if get_origin(kind) is Literal else []


def code_of(kind: str) -> str:
    """Our code for a kind of fault that pydantic names."""
    if kind.endswith(("_type", "_parsing")):
        return "wrong_type"
    return _CODES.get(kind, "invalid")


def pointer_to(*place: str | int) -> str:
    """A JSON pointer (RFC 6901)."""
    return "".join(f"/{str(one).replace('~', '~0').replace('/', '~1')}" for one in place)


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    value = dict(pairs)
    if len(value) == len(pairs):
        return value
    seen: set[str] = set()
    doubled = _Doubled(value)
    doubled.name = next(name for name, _ in pairs if name in seen or seen.add(name))  # type: ignore[func-returns-value]
    return doubled


def _no_number(_text: str) -> Any:
    raise ValueError("NaN and Infinity are no JSON")


def _walk(value: Any, place: tuple[str | int, ...] = ()) -> Iterator[tuple[str, Any]]:
    """Every value in a document with its pointer; the names of fields count as values at their place."""
    if len(place) > _MAX_DEPTH:
        raise ValueError("too deep")
    inside = (*place, value.name) if isinstance(value, _Doubled) else place
    yield pointer_to(*inside), value
    if isinstance(value, dict):
        for name, one in value.items():
            if _fault_of(name):
                yield pointer_to(*place), name
            yield from _walk(one, (*place, name))
    elif isinstance(value, list):
        for number, one in enumerate(value):
            yield from _walk(one, (*place, number))


def _fault_of(value: Any) -> str | None:
    """What no value of ours may be: a text with control characters or half a character in it, an infinite number."""
    if isinstance(value, float):
        return "out_of_range" if value in (float("inf"), float("-inf")) else None
    return "bad_characters" if isinstance(value, str) and unfit(value) else None
