"""A ledger as a province has it: 100,000 open bindings in every state, with their histories, deadlines and work lists.

A few lives are led by the desk, one for each state; the rest are copies of their rows, each with people sealed for it,
spread over the last month. What the pages read of them is what they would read of real ones.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import UTC, date, datetime, timedelta
from typing import Any

import psycopg

from bench.lives import CHANNEL, Lives, copy_applications, lay_papers, life_id
from policies.book import LawBook
from policies.calendar import shanghai_day
from policies.people import make_id_number
from policies.planning import ApplicationFacts, PersonFacts, plan_for
from workflows.case import SYSTEM, Actor, Case
from workflows.commands import Command
from workflows.engine import Desk
from workflows.submission import Person, Request

RUN = 96  # the families of this benchmark: nobody else's
OPEN: Mapping[str, int] = {  # how many of each thousand open ones
    "submitted": 150, "materials_uploaded": 10, "face_check": 190, "offline_fallback": 100, "agency_review": 100,
    "active": 420, "suspended": 20, "unbinding": 10,
}  # fmt: skip
ENDED = {"unbound": 200}  # beside them
_REVIEWED = Actor("channel", "yueyibao_alipay")
_SUPERVISOR = Actor("supervisor", "stf_bench", regions=("000000",))
_TABLE = """
create unlogged table town as
select 'bnd_' || %(run)s || lpad((n + 100)::text, 20, '0') as id, n as place, b.id as like_id,
  kinbind_now() - n * interval '30 days' / %(total)s as at
from generate_series(1, %(total)s) as n
join unnest(%(likes)s::text[], %(from)s::int[], %(till)s::int[]) as b(id, since, till)
  on n * 7919::bigint %% %(total)s >= b.since and n * 7919::bigint %% %(total)s < b.till
"""
_ROWS = (
    """insert into bindings (id, state, version, state_since, head, progress, plan)
select w.id, b.state, b.version, w.at, b.head, b.progress, b.plan from town w join bindings b on b.id = w.like_id""",
    # in the order of time, as they would have come
    """insert into history (binding_id, sequence, event, from_state, to_state, at, actor, reason, note, after, hash,
  channel)
select w.id, h.sequence, h.event, h.from_state, h.to_state, w.at, h.actor, h.reason, h.note, h.after, h.hash, h.channel
from town w join history h on h.binding_id = w.like_id order by w.at, h.sequence""",
    """insert into deadlines (binding_id, name, due_at, watch)
select w.id, d.name, kinbind_now() + (w.place %% 20000 - 20) * interval '1 minute', d.watch
from town w join deadlines d on d.binding_id = w.like_id""",
    """insert into review_cases (binding_id, agency, entered_at, due_at)
select w.id, r.agency, w.at, kinbind_now() + (w.place %% 4000 - 100) * interval '1 minute'
from town w join review_cases r on r.binding_id = w.like_id""",
    """insert into counter_tickets (binding_id, code, agency, opened_at, due_at)
select w.id, lpad(w.place::text, 8, '0'), t.agency, w.at, kinbind_now() + w.place * interval '1 minute'
from town w join counter_tickets t on t.binding_id = w.like_id""",
    """insert into face_sessions (id, binding_id, subject, provider, reference, purpose, started_at, expires_at, status,
  finished_at)
select replace(w.id, 'bnd_', 'fac_'), w.id, 'member', 'sandbox', w.id, 'binding', w.at, w.at + interval '30 minutes',
  'passed', w.at + interval '40 seconds' from town w where w.place %% 3 = 0""",
    """insert into webhook_endpoints (id, channel, url, secrets, created_at)
values ('whe_bench', 'alipay', 'https://channel.invalid/hook', '', kinbind_now())""",
    """insert into deliveries (id, endpoint_id, binding_id, sequence, type, state, next_at, created_at, attempts)
select replace(w.id, 'bnd_', 'dlv_'), 'whe_bench', w.id, 1, 'binding.submitted',
  case when w.place %% 400 = 0 then 'parked' when w.place %% 200 = 0 then 'pending' else 'delivered' end, w.at, w.at, 1
from town w where w.place %% 2 = 0""",
)
_PAPER = """
insert into materials (id, binding_id, kind, sha256, size, media_type, pages, added_by, added_at)
values (%s, %s, %s, repeat('0', 64), 81234, 'image/jpeg', 1, 'channel:alipay', kinbind_now())
"""


_PARTIES = "select id, md5(id), md5(id || 'm') from town where like_id = %s"


def fill(desk: Desk, total: int) -> dict[str, str]:
    """Fill the ledger with `total` open bindings and a fifth as many ended ones; an id by state."""
    likes = _led(desk)
    shares = {**OPEN, **ENDED}
    bounds, at = [], 0
    for state, share in shares.items():
        bounds.append((likes[state], at, at := at + total * share // 1000))
    asked: dict[str, Any] = {
        "run": f"{RUN:06d}", "total": at, "likes": [one[0] for one in bounds],
        "from": [one[1] for one in bounds], "till": [one[2] for one in bounds],
    }  # fmt: skip
    with psycopg.connect(desk.ledger.url, autocommit=True, cursor_factory=psycopg.ClientCursor) as conn:
        conn.execute("set session_replication_role = replica")  # the rows fit together: no foreign key need look
        conn.execute(_TABLE, asked)
        for statement in _ROWS:
            conn.execute(statement.replace("%%", "%"))
        for like in likes.values():
            copy_applications(desk, conn, like, conn.execute(_PARTIES, (like,)).fetchall())
        conn.execute("vacuum analyze")
        conn.execute("checkpoint")
        rows = conn.execute(
            "select b.state, max(b.id) from town w join bindings b on b.id = w.id group by 1"
        ).fetchall()
    return dict(rows)


def _led(desk: Desk) -> dict[str, str]:
    """One life for each state, led by the desk; ids by state."""
    lay_papers(desk.ledger, RUN, 20)
    lives, found = Lives(desk.book), {}
    steps = {"submitted": 1, "materials_uploaded": 2, "face_check": 3, "offline_fallback": 3, "active": 7,
             "suspended": 7, "unbinding": 8, "unbound": 9}  # fmt: skip
    for n, (state, count) in enumerate(steps.items()):
        commands = lives.commands(RUN, n)
        for _ in range(count):
            desk.say(next(commands))
        found[state] = life_id(RUN, n)
    desk.say(Command("route_offline", found["offline_fallback"], CHANNEL, {"reason": "declines_face"}))
    desk.say(Command("suspend", found["suspended"], _SUPERVISOR, {"reason": "suspected_fraud"}))
    found["agency_review"] = life_id(RUN, 19)
    for command in _to_review(desk.book, found["agency_review"]):
        case = desk.say(command).case
        if case is not None and command.said == "submit":
            _lay(desk, case)
    return found


def _lay(desk: Desk, case: Case) -> None:
    """Put what the plan asks for beside the case: rows, without content."""
    kinds = sorted({kind for group in case.plan.materials for kind in group.any_of[0]})
    with desk.ledger.transaction() as conn:
        for place, kind in enumerate(kinds):
            conn.execute(_PAPER, (f"mat_{case.id[4:]}{place}", case.id, kind))


def _to_review(book: LawBook, binding_id: str) -> Iterator[Command]:
    """An application whose plan asks for a review."""
    now = datetime.now(UTC)
    region, born = "440100", (date(1985, 6, 1), date(1950, 3, 7))
    parties = [PersonFacts("resident_id", region, day) for day in born]
    facts = ApplicationFacts("account_sharing", "id_number", "PARENT", _REVIEWED.id, "holder", *parties)
    consents = [{"notice": one.notice, "version": one.version, "accepted_at": (now - timedelta(hours=1)).isoformat()}
                for one in plan_for(book, facts, shanghai_day(now)).notices]  # fmt: skip
    holder, member = (Person(name, "resident_id", make_id_number("440183", day, 5), region)
                      for name, day in zip(("张伟", "李秀英"), born, strict=True))  # fmt: skip
    made = Request("account_sharing", "id_number", holder, member, "PARENT", "holder", consents)
    yield Command("submit", binding_id, _REVIEWED, {"request": made, "channel": _REVIEWED.id})
    yield Command("submit_materials", binding_id, _REVIEWED, {})
    yield Command("registries_answered", binding_id, SYSTEM, {})
