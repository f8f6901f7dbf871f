"""Lives of made-up families: an adult's national binding, nine commands from application to its end."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator
from datetime import UTC, date, datetime, timedelta
from typing import Any

import orjson
from psycopg import Connection

from models.ledger import Ledger
from policies.book import LawBook
from policies.calendar import shanghai_day
from policies.people import make_id_number
from policies.planning import ApplicationFacts, PersonFacts, plan_for
from workflows.case import SYSTEM, Actor, Case, parties_context
from workflows.commands import Command, Idempotency, show_binding, show_created
from workflows.engine import Desk
from workflows.submission import Person, Request

CHANNEL = Actor("channel", "alipay")
# What is said in a life, and by whom; the pass of the face writes a second line, `activated`.
STORY = (
    ("submit", CHANNEL),
    ("submit_materials", CHANNEL),
    ("registries_answered", SYSTEM),
    ("face_started", CHANNEL),
    ("face_failed", SYSTEM),
    ("face_started", CHANNEL),
    ("face_passed", SYSTEM),
    ("request_unbind", CHANNEL),
    ("confirm_unbind", CHANNEL),
)
STEPS = len(STORY)
REGION = "440100"
PAPERS = ("commitment_letter", "household_register_first_page", "household_register_member_page")

# Files lie there before the cases do, so that uploads are no part of the figure: foreign keys are looked at later.
_LAY_PAPERS = """
insert into materials (id, binding_id, kind, sha256, size, media_type, pages, added_by, added_at)
select 'mat_' || %(run)s || lpad(n::text, 16, '0') || k.place, 'bnd_' || %(run)s || lpad(n::text, 20, '0'),
  k.kind, repeat('0', 64), 81234, 'image/jpeg', 1, 'channel:alipay', clock_timestamp()
from generate_series(0, %(count)s - 1) as n, unnest(%(papers)s::text[]) with ordinality as k(kind, place)
"""
_APPLICATION = """
select product, method, channel, region, relationship, initiator, consents::text, created_at
from applications where binding_id = %s
"""
_APPLICATIONS = """
copy applications (binding_id, product, method, channel, region, relationship, initiator, consents, created_at,
  holder, member, sealed) from stdin
"""


class Lives:
    """Makes lives; everyone in them is another person, for `run` up to 99 and ten million lives."""

    def __init__(self, book: LawBook) -> None:
        """Prepare what all applications have in common: the consents of their plan."""
        now = datetime.now(UTC)
        facts = ApplicationFacts(
            "family_account", "id_number", "PARENT", CHANNEL.id, "holder",
            PersonFacts("resident_id", REGION, date(1985, 6, 1)), PersonFacts("resident_id", REGION, date(1950, 3, 7)),
        )  # fmt: skip
        notices = plan_for(book, facts, shanghai_day(now)).notices
        accepted_at = now.isoformat()
        self._consents = [{"notice": n.notice, "version": n.version, "accepted_at": accepted_at} for n in notices]

    def request(self, run: int, n: int) -> Request:
        """The application of the n-th family."""
        days, sequence = divmod(n, 1000)
        area, later = f"{440101 + run:06d}", timedelta(days=days)
        holder = Person("张伟", "resident_id", make_id_number(area, date(1960, 1, 1) + later, sequence), REGION)
        member = Person("李秀英", "resident_id", make_id_number(area, date(1930, 1, 1) + later, sequence), REGION)
        return Request("family_account", "id_number", holder, member, "PARENT", "holder", self._consents)

    def commands(self, run: int, n: int) -> Iterator[Command]:
        """The nine commands; those of the channel carry an idempotency key, as through its door."""
        binding_id, now = life_id(run, n), datetime.now(UTC)
        for place, (said, actor) in enumerate(STORY):
            facts = (
                {"request": self.request(run, n), "channel": CHANNEL.id} if place == 0 else told(place, binding_id, now)
            )
            answering = show_created if place == 0 else show_binding
            key = _key(f"{binding_id}-{place}") if actor is CHANNEL else None
            yield Command(said, binding_id, actor, facts, None, key, None, in_scope, answering)


def told(place: int, binding_id: str, now: datetime) -> dict[str, Any]:
    """What is sent along with the command at this place of the story."""
    if place in (3, 5):
        return {"subject": "member", "session": _session(binding_id, place, now)}
    if place in (4, 6):
        session = _session(binding_id, place - 1, now)
        done = {"subject": "member", "purpose": "binding", "started_at": now}
        outcome = {"reason": "face_no_match", "uses_attempt": True} if place == 4 else {}
        return done | {"finished_at": now, "session": session | done | {"binding_id": binding_id}} | outcome
    return {"initiator": "holder", "method": "pay_password"} if place == 7 else {}


def life_id(run: int, n: int) -> str:
    """The id of a life's binding, as long as any."""
    return f"bnd_{run:06d}{n:020d}"


def lay_papers(ledger: Ledger, run: int, count: int) -> None:
    """Put the materials of `count` lives where their cases will find them."""
    with ledger.transaction() as conn:
        _without_foreign_keys(conn)
        conn.execute(_LAY_PAPERS, {"run": f"{run:06d}", "count": count, "papers": list(PAPERS)})


def copy_applications(desk: Desk, conn: Connection[Any], like: str, ids: Iterable[tuple[str, str, str]]) -> None:
    """Applications like this one, each with its parties sealed for it: id, holder and member of each."""
    row = conn.execute(_APPLICATION, (like,)).fetchone()
    case = desk.reader.read(conn, [(like, None, None)])[0].case
    assert row is not None
    assert case is not None
    parties = orjson.dumps(case.application.parties)
    with conn.cursor().copy(_APPLICATIONS) as copy:
        for binding_id, holder, member in ids:
            copy.write_row((binding_id, *row, holder, member, desk.keys.seal(parties, parties_context(binding_id))))


def in_scope(case: Case, actor: Actor) -> bool:
    """Whether the channel submitted it, which is what its door asks."""
    return case.application.channel == actor.id or actor.kind == "system"


def _without_foreign_keys(conn: Connection[Any]) -> None:
    conn.execute("set local session_replication_role = replica")


def _key(name: str) -> Idempotency:
    return Idempotency("prn_bench", name, hashlib.sha256(name.encode()).hexdigest())


def _session(binding_id: str, place: int, now: datetime) -> dict[str, Any]:
    name = f"{binding_id[4:]}-{place}"
    return {"id": f"fac_{name}", "provider": "sandbox", "reference": name, "expires_at": now + timedelta(minutes=30)}
