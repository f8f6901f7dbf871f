"""The `Idempotency-Key` header (quoted as in RFC 8941, or bare), a request's fingerprint, and work under both."""

from __future__ import annotations

import re
from collections.abc import Callable

from starlette.requests import Request

from models.keyring import Keyring
from tasks.office import Office
from workflows import answers
from workflows.commands import Idempotency, Reply
from workflows.errors import Refused

LONGEST = 255  # characters
_QUOTED = re.compile(r'"((?:[\x20-\x21\x23-\x5b\x5d-\x7e]|\\["\\])*)"')
_BARE = re.compile(r"[\x21\x23-\x2b\x2d-\x7e]+")  # visible ASCII without quotes and commas

Work = Callable[[Idempotency | None], Reply]


def key_of(request: Request) -> str | None:
    """The key that was sent, unquoted. Raises `Refused` 400 `idempotency_key_invalid`."""
    sent = request.headers.getlist("idempotency-key")
    if not sent:
        return None
    text = sent[0].strip()
    if quoted := _QUOTED.fullmatch(text):
        key = re.sub(r'\\(["\\])', r"\1", quoted[1])
    else:
        key = text if _BARE.fullmatch(text) else ""
    if len(sent) > 1 or not 1 <= len(key) <= LONGEST:
        raise Refused("idempotency_key_invalid", 400)
    return key


def idempotency(
    request: Request, keys: Keyring, principal: str, said: bytes, *, required: bool = False
) -> Idempotency | None:
    """The key with the fingerprint of this request; `said` is its canonical body, which may hold a password.

    Raises `Refused` 400 `idempotency_key_invalid`, and `idempotency_key_required` where one must be sent.
    """
    key = key_of(request)
    if key is None:
        if required:
            raise Refused("idempotency_key_required", 400)
        return None
    told = (principal.encode(), request.method.encode(), request.scope["path"].encode(), said)
    return Idempotency(principal, key, keys.fingerprint(b"\n".join(told)))


def once(office: Office, work: Work, key: Idempotency | None, lease_seconds: int) -> Reply:
    """Do it at most once under its key; a refusal gives the key back.

    Raises `Refused` 409 `idempotency_in_progress` while another does it, for `lease_seconds` at most.
    """
    if key is None:
        return work(None)
    reserved = answers.reserve(office.ledger, office.desk.keys, key, lease_seconds)
    if isinstance(reserved, Reply):
        return reserved
    try:
        reply = work(reserved)
    except BaseException:
        answers.release(office.ledger, reserved)
        raise
    answers.complete(office.ledger, office.desk.keys, reserved, reply)
    return reply


def freely(office: Office, work: Work, key: Idempotency | None) -> Reply:
    """Do it, unless it was done under its key; copies may do it beside each other, and get the answer kept first."""
    if key is None:
        return work(None)
    ledger, keys = office.ledger, office.desk.keys
    return answers.kept(ledger, keys, key) or answers.keep(ledger, keys, key, work(key))
