"""The headers of calls and of answers, for the OpenAPI document alone."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

Told = dict[str, Any]

SENT: dict[str, Told] = {
    "IdempotencyKey": {
        "name": "Idempotency-Key",
        "in": "header",
        "description": "The same key and the same request give the first answer again, for 7 days. 255 printable "
        "characters at most, in quotes; bare, none of them a blank, a comma or a quote.",
        "schema": {"type": "string", "minLength": 1, "maxLength": 257},
        "example": '"8e03978e-40d5-43e8-bc93-6894a57f9324"',
    },
    "IfMatch": {
        "name": "If-Match",
        "in": "header",
        "description": "The version in mind, from `ETag`; 412 `stale_version` when it has moved.",
        "schema": {"type": "string", "pattern": r'^((W/)?"?[0-9]{1,9}"?|\*)$'},
        "example": '"5"',
    },
    "AcceptLanguage": {
        "name": "Accept-Language",
        "in": "header",
        "description": "The language of texts: `zh-CN` or `en`.",
        "schema": {"type": "string", "default": "zh-CN"},
        "example": "en",
    },
}
_TEXT, _SECONDS = {"type": "string"}, {"type": "integer", "minimum": 0}
ANSWERED: dict[str, Told] = {
    "ETag": {"description": "The version of the binding, for `If-Match`.", "required": True, "schema": _TEXT,
             "example": '"5"'},
    "Location": {"description": "Where what was made is found.", "required": True, "schema": _TEXT},
    "Idempotency-Replayed": {
        "description": "`true` where this is the first answer once more, of an `Idempotency-Key` used before.",
        "schema": {"type": "string", "enum": ["true"]},
    },
    "Retry-After": {"description": "Seconds to wait before the same again.", "schema": _SECONDS},
    "RateLimit": {"description": "What is left (`r`), and in how many seconds all is there again (`t`); none where no "
                  "limit is set.", "schema": _TEXT, "example": '"default";r=2999;t=1'},
    "RateLimit-Policy": {"description": "The quota (`q`) in so many seconds (`w`).", "schema": _TEXT,
                         "example": '"default";q=3000;w=60'},
}  # fmt: skip
_LIMITS = ("RateLimit", "RateLimit-Policy")
_OF_ONE_BINDING = {"BindingView", "ReviewHeld", "ReviewCase", "FaceCheckStarted"}  # shapes whose answers name a version
_MADE = {"BindingView", "Material"}  # shapes of what a 201 has made at an address of its own


def of_success(status: str, shape: str, *, with_key: bool, kept: bool) -> Told:
    """The headers of an answer of this shape."""
    names = ["ETag"] if shape in _OF_ONE_BINDING else []
    names += ["Location"] if status == "201" and shape in _MADE else []
    names += ["Idempotency-Replayed"] if kept else []
    return _refs([*names, *(_LIMITS if with_key else ())])


def of_problem(status: int, codes: Iterable[str]) -> Told:
    """The headers of a refusal with these codes."""
    waits = status in {429, 503} or "idempotency_in_progress" in codes
    return _refs([*(["Retry-After"] if waits else []), *(_LIMITS if status == 429 else ())])


def _refs(names: Iterable[str]) -> Told:
    return {name: {"$ref": f"#/components/headers/{name}"} for name in names}
