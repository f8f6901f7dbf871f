"""Erasing people: of an ended binding stays what happened, and not to whom.

Lines of the history are never rewritten. What they hold of a person is sealed with a key that lies with his party
(`changes.fresh_key`), and is gone with it. How long: DOMAIN §C.10 (PIPL §19, §47).
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from datetime import timedelta
from typing import Any

import orjson
from psycopg import Connection

from models.keyring import Keyring
from workflows.case import FINAL, parties_context

DOCUMENTS_KEPT = timedelta(days=30)  # after the end of the case, or after being taken back
YEARS_KEPT = 3  # the people of a binding, after its end; who was looked for, after the look
ROLES = ("holder", "member")
NOBODY = "***"  # as every mask shows a name of which nothing is told

# Whoever places a hold locks the same rows, so nothing is erased while he does. A separate statement: one that waited
# for the lock would not see what the other has written meanwhile, but the next one does.
LOCK = "select from applications where binding_id = any(%s) order by binding_id for update"
_ENDED = """
select a.binding_id, a.holder, a.member, a.sealed, a.erased from applications a join bindings b on b.id = a.binding_id
where a.binding_id = any(%s) and b.state = any(%s)
  and not exists (select from legal_holds l where l.binding_id = a.binding_id)
order by a.binding_id
"""
# By the number that he had when the hold was placed, and by the one that a binding under it has gone over to since.
# What was there already and is not held has been lifted, unless it came to his number since.
_REACH = """
with holds as (
  select distinct on (person) person, reason, placed_by, placed_at from legal_holds order by person, placed_at),
his as (
  select person, person as key from holds
  union select l.person, a.member from legal_holds l join applications a on a.binding_id = l.binding_id
  where l.person not in ('', a.holder, a.member))
insert into legal_holds (binding_id, person, reason, placed_by, placed_at)
select a.binding_id, h.person, h.reason, h.placed_by, h.placed_at
from holds h join his on his.person = h.person
join applications a on a.holder = his.key or a.member = his.key
join bindings b on b.id = a.binding_id
where a.created_at > h.placed_at or b.progress #>> '{changed,person}' = his.key
on conflict do nothing
"""
_PERSONS = "insert into persons (key) select unnest(%s::text[]) on conflict do nothing"
_BLANK = """
update applications set sealed = %(sealed)s, holder = %(holder)s, member = %(member)s, erased = %(erased)s,
  face_age_day = case when 'member' = any(%(erased)s::text[]) then null else face_age_day end,
  channel_reference = case when cardinality(%(erased)s::text[]) > 1 then null else channel_reference end
where binding_id = %(binding)s
"""
_BESIDE = (
    "delete from month_seats where binding_id = any(%s)",
    "delete from case_notes where binding_id = any(%s)",  # free words of reviewers to each other
    "delete from held_decisions where binding_id = any(%s)",
    # upkeep erases them
    "update materials set removed_at = coalesce(removed_at, kinbind_now()) where binding_id = any(%s)",
    # no provider can be asked any more about a person whom we have forgotten
    """update face_sessions set status = 'expired', finished_at = coalesce(finished_at, expires_at), poll_at = null
       where binding_id = any(%s) and status in ('pending', 'error')""",
    # letters hold masked names. One that is sent again is written anew from its line; a notice cannot be
    "delete from deliveries where binding_id = any(%s) and notice <> '' and state <> 'pending'",
    "update deliveries set body = null where binding_id = any(%s) and state <> 'pending'",
)
_IN_NOTHING = """
select p.key from unnest(%s::text[]) as p(key)
where not exists (select from applications a where a.holder = p.key)
  and not exists (select from applications a where a.member = p.key)
"""
_FORGET = (
    "delete from person_channels where person = any(%s)",
    "delete from password_failures where person = any(%s)",
    "delete from persons where key = any(%s)",
)


def reach(conn: Connection[Any]) -> None:
    """Let each legal hold reach what its person has begun since; to be said before anything is erased.

    So it costs the desk nothing, and what is passed over is freed when the hold is lifted.
    """
    conn.execute(_REACH)


def erase(conn: Connection[Any], keys: Keyring, wanted: Mapping[str, Collection[str]]) -> list[str]:
    """Erase these roles (`holder`, `member`) of these bindings; return the ids of those where something was.

    Left as they are: bindings that have not ended, or are under a legal hold. With the member goes the mother of a
    newborn, and with the holder where she is the holder. To be called in a transaction. Raises `KeyUnknownError` and
    `SealBrokenError` for what cannot be read.
    """
    done, gone = [], set()
    conn.execute(LOCK, (list(wanted),))
    for binding_id, *people, sealed, erased in conn.execute(_ENDED, (list(wanted), list(FINAL))).fetchall():
        named = dict(zip(ROLES, people, strict=True))
        roles = [role for role in ROLES if role in wanted[binding_id] and role not in erased]
        if not roles:
            continue
        parties = orjson.loads(keys.open(sealed, parties_context(binding_id)))
        gone |= {named[role] for role in roles}
        nobody = {role: f"erased:{role}:{binding_id}" for role in roles}
        conn.execute(_PERSONS, (list(nobody.values()),))
        conn.execute(_BLANK, {
            "binding": binding_id, "erased": [*erased, *roles], **named, **nobody,
            "sealed": keys.seal(orjson.dumps(_without(parties, roles, gone)), parties_context(binding_id)),
        })  # fmt: skip
        done.append(binding_id)
    for statement in _BESIDE:
        conn.execute(statement, (done,))
    left = [row[0] for row in conn.execute(_IN_NOTHING, (sorted(gone),))]
    for statement in _FORGET:
        conn.execute(statement, (left,))
    return done


def _without(parties: dict[str, Any], roles: Collection[str], gone: Collection[str]) -> dict[str, Any]:
    """The parties with these roles blanked; document type and insured region stay, for statistics."""
    for role in roles:
        kept = {name: parties[role][name] for name in ("id_type", "insured_region")}
        parties[role] = {"name": NOBODY, "id_number": None, "birth_date": None, "erased": True, **kept}
    if "member" in roles or parties.get("mother", {}).get("person") in gone:
        parties.pop("mother", None)
    return parties
