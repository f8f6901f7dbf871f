"""The history under audit: its chain walked in the ledger, and exports that can be checked far away from it.

A line's hash is SHA-256 over the hash before it and the line's canonical JSON (`workflows.writing.chain`). In the
ledger the newest hash stands on the binding's row too, so that a line changed, taken out or put in shows. An export
is a file of JSON lines: a head, then for each binding where its chain is taken up and its lines, then a foot with the
digest of all before and its signature.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import datetime
from itertools import pairwise
from typing import Any

import orjson
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from sqlalchemy import text

from models.keyring import Keyring
from models.ledger import Ledger
from workflows.writing import HASHED, NO_HEAD, chain, instant

PAGE = 500  # bindings in one statement
FORMAT = "kinbind audit export 1"
_BINDINGS = text("""
with page as (
  select id, version, state, head from bindings
  where id > :after and (cast(:only as text) is null or id = :only) order by id limit :limit)
select p.id, p.version, p.state, p.head, h.sequence, h.event, h.from_state, h.to_state, h.at, h.actor, h.reason, h.note,
  h.after, h.hash
from page p left join history h on h.binding_id = p.id order by p.id, h.sequence, h.id
""")
# Lines of nobody: what is left when a binding's row is taken away.
_ORPHANS = text("""
select distinct h.binding_id from history h
where h.binding_id > :after and (cast(:last as text) is null or h.binding_id <= :last)
  and not exists (select from bindings b where b.id = h.binding_id)
""")
# Of a period: by the service's clock; and of each binding the hash before its first line in it.
_PERIOD = text("""
with wanted as (
  select distinct h.binding_id from history h
  where h.binding_id > :after and h.at >= :since and h.at < :until order by h.binding_id limit :limit)
select h.binding_id as id, b.version, b.head, h.sequence, h.event, h.from_state, h.to_state, h.at, h.actor, h.reason,
  h.note, h.after, h.hash
from wanted w join history h on h.binding_id = w.binding_id left join bindings b on b.id = w.binding_id
where h.at < :until order by h.binding_id, h.sequence, h.id
""")


@dataclass(frozen=True, slots=True)
class Fault:
    """Where a chain is broken, and how; `sequence` None where it is about the binding as a whole."""

    binding_id: str
    sequence: int | None
    what: str


@dataclass(slots=True)
class Verdict:
    """What was walked and what is wrong with it."""

    bindings: int = 0
    lines: int = 0
    faults: list[Fault] = field(default_factory=list)


# -- in the ledger -----------------------------------------------------------------------------------------------


def verify(ledger: Ledger, only: str | None = None) -> Verdict:
    """Walk every chain of the ledger, or of one binding; the ledger may be written meanwhile."""
    found, after = Verdict(), ""
    while True:
        rows = ledger.read(_BINDINGS, {"after": after, "only": only, "limit": PAGE})
        cases = list(_by_binding(rows))
        for lines in cases:
            _walk_binding(found, lines)
        last = cases[-1][0]["id"] if cases else None
        ends = len(cases) < PAGE
        if only is None:
            asked = {"after": after, "last": None if ends else last}
            found.faults += [Fault(row["binding_id"], None, "lines without a binding")
                             for row in ledger.read(_ORPHANS, asked)]  # fmt: skip
        if ends or last is None:
            return found
        after = last


def _walk_binding(found: Verdict, rows: list[Any]) -> None:
    case, lines = rows[0], [_line(row) for row in rows if row["sequence"] is not None]
    faults = list(_walk(case["id"], NO_HEAD, 1, lines))
    newest = lines[-1] if lines else None
    if newest is None or newest["sequence"] < case["version"]:
        faults.append(Fault(case["id"], None, f"lines are missing before version {case['version']}"))
    elif newest["hash"] != bytes(case["head"]).hex() or newest["sequence"] != case["version"]:
        faults.append(Fault(case["id"], None, "the newest line is not the one that the binding names"))
    elif newest["to_state"] != case["state"]:
        faults.append(
            Fault(case["id"], None, f"stands in {case['state']}, but its history ends in {newest['to_state']}")
        )
    found.bindings += 1
    found.lines += len(lines)
    found.faults += faults


def _walk(binding_id: str, head: bytes, sequence: int, lines: Iterable[dict[str, Any]]) -> Iterator[Fault]:
    """What is wrong with these lines, whose first must be `sequence` and chained to `head`; the first fault of each."""
    for line in lines:
        if line["sequence"] != sequence:
            yield Fault(binding_id, sequence, f"is missing or doubled: found {line['sequence']}")
            return
        head = chain(head, binding_id, sequence, line)
        if head.hex() != line["hash"]:
            yield Fault(binding_id, sequence, "is not what was written: its hash does not fit")
            return
        sequence += 1


def _line(row: Any) -> dict[str, Any]:
    told = {name: row[name] for name in HASHED}
    return {"sequence": row["sequence"], **told, "at": instant(row["at"]), "hash": bytes(row["hash"]).hex()}


def _by_binding(rows: Iterable[Any]) -> Iterator[list[Any]]:
    held: list[Any] = []
    for row in rows:
        if held and held[0]["id"] != row["id"]:
            yield held
            held = []
        held.append(row)
    if held:
        yield held


# -- exports -----------------------------------------------------------------------------------------------------


def export(
    ledger: Ledger, keys: Keyring, *, only: str | None = None, since: datetime | None = None,
    until: datetime | None = None,
) -> Iterator[bytes]:  # fmt: skip
    """The file, line by line: one binding's whole history, or all lines of a period `[since, until)`."""
    scope = {"binding": only, "since": instant(since) if since else None, "until": instant(until) if until else None}
    public = base64.b64encode(keys.public_key).decode()
    head = {"format": FORMAT, "made_at": instant(ledger.now()), "scope": scope, "public_key": public}
    digest, bindings, counted = hashlib.sha256(), 0, 0
    parts = _one(ledger, only) if only else _period(ledger, since, until)
    yield _added(digest, head)
    for told in parts:
        if "binding" in told:
            bindings += 1
        else:
            counted += 1
        yield _added(digest, told)
    signature = base64.b64encode(keys.sign(_signed(digest.digest()))).decode()
    yield _json({"bindings": bindings, "lines": counted, "sha256": digest.hexdigest(), "signature": signature})


def _one(ledger: Ledger, only: str) -> Iterator[dict[str, Any]]:
    rows = ledger.read(_BINDINGS, {"after": "", "only": only, "limit": 1})
    yield from _told(only, [_line(row) for row in rows if row["sequence"]], 0, rows[0] if rows else None)


def _period(ledger: Ledger, since: datetime | None, until: datetime | None) -> Iterator[dict[str, Any]]:
    begin = since or datetime.fromisoformat("0001-01-02T00:00:00Z")
    end = until or datetime.fromisoformat("9999-12-30T00:00:00Z")
    after = ""
    while True:
        rows = ledger.read(_PERIOD, {"after": after, "since": begin, "until": end, "limit": PAGE})
        cases = list(_by_binding(rows))
        for case in cases:
            before = sum(row["at"] < begin for row in case)  # lines come in the order of their times
            newest = case[0] if until is None else None
            yield from _told(case[0]["id"], [_line(row) for row in case], before, newest)
        if len(cases) < PAGE:
            return
        after = cases[-1][0]["id"]


def _told(binding_id: str, lines: list[dict[str, Any]], skip: int, now: Any) -> Iterator[dict[str, Any]]:
    """Where the lines are taken up, and where they must end: as its row has it `now`, where they reach that far."""
    before = lines[skip - 1]["hash"] if skip else NO_HEAD.hex()
    ends = (
        {} if now is None or now["version"] is None else {"version": now["version"], "head": bytes(now["head"]).hex()}
    )
    yield {"binding": binding_id, "from": skip + 1, "before": before, **ends}
    yield from lines[skip:]


def check_export(lines: Iterable[bytes], public_key: bytes | None = None) -> Verdict:
    """Check an export without a ledger; with `public_key` (32 bytes) also whose it is, else only that it is whole.

    Raises `ValueError` where it is no export.
    """
    try:
        return _checked(lines, public_key)
    except (KeyError, TypeError) as lacking:
        raise ValueError("it lacks what an export has") from lacking


def _checked(lines: Iterable[bytes], public_key: bytes | None) -> Verdict:
    digest, found, foot = hashlib.sha256(), Verdict(), b""
    head: dict[str, Any] | None = None
    binding_id, before, sequence = "", NO_HEAD, 1
    begun: dict[str, Any] = {}
    for raw, foot in pairwise(lines):  # noqa: B007  behind the last pair it is the foot
        digest.update(raw)
        told = _read(raw)
        if head is None:
            head = _head(told)
        elif "binding" in told:
            found.faults += _cut(begun, before, sequence)
            begun = told
            binding_id, before, sequence = told["binding"], bytes.fromhex(told["before"]), told["from"]
            found.bindings += 1
        else:
            found.faults += _walk(binding_id, before, sequence, [told])
            before, sequence = bytes.fromhex(told["hash"]), told["sequence"] + 1
            found.lines += 1
    if head is None:
        raise ValueError("it ends before its foot")
    found.faults += _cut(begun, before, sequence)
    _check_foot(found, _read(foot), digest, base64.b64decode(head["public_key"]) if public_key is None else public_key)
    return found


def _cut(begun: dict[str, Any], before: bytes, sequence: int) -> Iterator[Fault]:
    """Lines that were missing already when it was exported: the binding's row named a newer one."""
    if "version" in begun and (begun["version"], begun["head"]) != (sequence - 1, before.hex()):
        yield Fault(begun["binding"], None, f"lines are missing before version {begun['version']}")


def _check_foot(found: Verdict, foot: dict[str, Any], digest: Any, public_key: bytes) -> None:
    if "signature" not in foot:
        raise ValueError("it has no foot: it was cut off")
    if foot["sha256"] != digest.hexdigest() or (foot["bindings"], foot["lines"]) != (found.bindings, found.lines):
        found.faults.append(Fault("-", None, "the file is not what was signed"))
    try:
        signature = base64.b64decode(foot["signature"])
        Ed25519PublicKey.from_public_bytes(public_key).verify(signature, _signed(bytes.fromhex(foot["sha256"])))
    except (InvalidSignature, ValueError):
        found.faults.append(Fault("-", None, "the signature is not of this key"))


def _head(told: dict[str, Any]) -> dict[str, Any]:
    if told.get("format") != FORMAT:
        raise ValueError("it is no export of ours")
    return told


def _read(raw: bytes) -> dict[str, Any]:
    try:
        told = orjson.loads(raw)
    except orjson.JSONDecodeError as broken:
        raise ValueError("it holds a line that is no JSON") from broken
    if not isinstance(told, dict):
        raise ValueError("it holds a line that is none of ours")  # noqa: TRY004  of the file, not of a type
    return told


def _signed(digest: bytes) -> bytes:
    return FORMAT.encode() + b"\n" + digest


def _added(digest: Any, told: dict[str, Any]) -> bytes:
    line = _json(told)
    digest.update(line)
    return line


def _json(told: dict[str, Any]) -> bytes:
    return orjson.dumps(told, option=orjson.OPT_SORT_KEYS) + b"\n"
