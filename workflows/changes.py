"""The member has another name, number or insured place than was applied with: what is reported, and how it is sealed.

A name belongs to a party and may change. A number is a person to the ledger: with another one the binding and its
places go over to that person, once the change is verified (F136). Until a newborn has a number of its own, the number
of its certificate stands for it (DESIGN §6).
"""

from __future__ import annotations

import base64
import secrets
from collections.abc import Mapping
from datetime import date
from typing import Any

import orjson

from models.keyring import Keyring, Sealer
from policies.people import Identity, normalise_name, parse_identity
from policies.refusals import NotAllowed
from workflows.case import Case, Change, Cursor
from workflows.errors import Refused, by_law

VALUE = "/value"


def renamed(keys: Keyring, case: Case, name: str) -> Change:
    """The member has another name."""
    return _change(keys, case, {"name": normalise_name(name)}, None)


def moved(keys: Keyring, case: Case, region: str) -> Change:
    """The member is insured in another place."""
    return _change(keys, case, {"insured_region": region}, None)


def only_moved(case: Case) -> bool:
    """Whether nothing but another place is reported: an agency may believe that without a face or a clerk."""
    member, reported = (case.application.parties.get(name, {}) for name in ("member", "reported"))
    return {name for name, told in reported.items() if told != member.get(name)} <= {"insured_region"}


def renumbered(keys: Keyring, case: Case, number: str, today: date) -> Change:
    """The member's document has another number: the same kind of document, the same birth date.

    Raises `Refused` 422 `id_number_invalid`, `birth_date_mismatch` (another birthday is another person: apply anew)
    or `self_binding`.
    """
    party = case.application.parties["member"]
    born = date.fromisoformat(party["birth_date"]) if party["birth_date"] else None
    try:
        identity = parse_identity(party["id_type"], number, born, today)
    except NotAllowed as no:
        raise by_law(no, VALUE) from None
    return numbered(keys, case, identity)


def numbered(keys: Keyring, case: Case, identity: Identity) -> Change:
    """The member is now this person. Raises `Refused` 422 `self_binding`."""
    person = keys.person(identity.family, identity.number)
    if person == case.application.holder:
        raise Refused("self_binding", 422, VALUE)
    return _change(keys, case, {"id_type": identity.id_type, "id_number": identity.number}, person)


def newest(case: Case) -> Change | None:
    """What was reported of the member since the application, verified or not: the next change is made on top of it."""
    return case.progress.reported or case.progress.changed


def on_top_of_newest(cursor: Cursor) -> None:
    """Nothing was reported or verified while a registry was asked about this change. Raises `Refused` 409 `busy`."""
    if "on_top_of" in cursor.facts and cursor.facts["on_top_of"] != newest(cursor.case):
        raise Refused("busy")


def fresh_key() -> str:
    """The key (base64) with which a member's changes will be sealed. It lies in the seal of the parties themselves.

    Changes stand in lines of the history, which are never rewritten: who erases the party erases the key to them.
    """
    return base64.b64encode(secrets.token_bytes(32)).decode()


def opened(keys: Keyring, binding_id: str, change: Change, member: Mapping[str, Any]) -> dict[str, Any]:
    """The member's fields that a change replaces, in clear; none once he has been erased."""
    if member.get("erased"):
        return {}
    sealed = base64.b64decode(change.sealed)
    fields: dict[str, Any] = orjson.loads(_sealer(keys, member).open(sealed, _context(binding_id)))
    return fields


def _change(keys: Keyring, case: Case, fields: Mapping[str, Any], person: str | None) -> Change:
    """What is reported now, on top of what was reported before: one change holds everything."""
    before = newest(case)
    member = case.application.parties["member"]
    known = opened(keys, case.id, before, member) if before else {}
    sealed = _sealer(keys, member).seal(orjson.dumps({**known, **fields}), _context(case.id))
    return Change(base64.b64encode(sealed).decode(), person or (before.person if before else None))


def _sealer(keys: Keyring, member: Mapping[str, Any]) -> Sealer:
    own = member.get("changes_key")  # older applications have no such key
    return Sealer({"case": base64.b64decode(own)}, "case") if own else keys


def _context(binding_id: str) -> str:
    return f"change:{binding_id}"
