"""For whom a channel speaks: the person it has signed in, whom it may therefore see, and the note of each look."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date

from models.keyring import Keyring
from models.ledger import Ledger
from policies.people import parse_for_search
from policies.refusals import NotAllowed
from workflows.access import noting, scopes
from workflows.case import Actor, Case
from workflows.errors import by_law

_LEARN = """
insert into person_channels (person, channel, since)
select person, %s, kinbind_now() from unnest(%s::text[]) as person on conflict do nothing
"""
_PARTIES = "select holder, member from applications where binding_id = %s"


def persons(keys: Keyring, id_number: str, pointer: str, today: date) -> list[str]:
    """The blind indexes of all whom a number may name (a passport's may be a travel permit's too).

    `today` is Shanghai's. Raises `Refused` 422 `id_number_invalid` at `pointer`.
    """
    try:
        found = parse_for_search(id_number, today)
    except NotAllowed as no:
        raise by_law(no, pointer) from None
    return [keys.person(identity.family, identity.number) for identity in found]


def note(
    ledger: Ledger,
    found: Sequence[str],
    *,
    principal: str,
    channel: str,
    purpose: str,
    act: str,
    binding_id: str | None = None,
    beside: Sequence[str] = (),
) -> None:
    """Log that a channel acted for a person, and let that channel learn of the person's changes from now on.

    Whom it looked for `beside` him is logged too, and no more.
    """
    looked = list(dict.fromkeys([*found, *beside]))
    with ledger.transaction() as conn:
        noting.note(conn, principal, act, persons=looked, binding=binding_id, purpose=purpose)
        conn.execute(_LEARN, (channel, list(found)))


def party_among(ledger: Ledger, found: Sequence[str], binding_id: str) -> str:
    """That one of these persons (one number may name several) who is a party of this binding; the first if none is."""
    if len(found) > 1:
        with ledger.connection() as conn:
            row = conn.execute(_PARTIES, (binding_id,)).fetchone() or ()
        return next((one for one in found if one in row), found[0])
    return found[0]


def sees(case: Case, actor: Actor) -> bool:
    """Whether a caller sees a binding: a channel its own and those of the person it acts for, staff their regions.

    A channel that acts for somebody who is no party does not see it, even if the binding is its own.
    """
    if actor.kind != "channel":
        return scopes.staff(case, actor)
    if actor.acting_for is not None:
        return actor.acting_for in (case.application.holder, case.application.member)
    return case.application.channel == actor.id
