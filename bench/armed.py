"""A ledger full of waiting families: a million armed deadlines, of which some fall due, scattered over the tables.

Half of those that fall due are face windows (`first_attempt_to_pass`: the case goes offline, a ticket is opened), half
are applications without materials (`submitted_to_materials`: the case expires, its seat is given back). They are made
after two lives that the desk has led; what will never be due in the run has its binding and its deadline only.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import psycopg

from bench.lives import Lives, copy_applications, lay_papers, life_id
from workflows.engine import Desk

RUN = 97  # the families of this benchmark: nobody else's
APART = timedelta(hours=1)  # between the moments at which the rounds fall due
_TABLE = """
create unlogged table waiting as
select 'bnd_' || %(run)s || lpad((n + 10)::text, 20, '0') as id, n %% 2 = 0 as face, place,
  case when place < %(due)s then %(start)s + (1 + place / %(a_round)s) * %(apart)s
       when place < %(due)s + %(late)s then %(start)s + %(late_at)s + (place - %(due)s) * %(late_every)s
       else %(start)s + interval '30 days' + random() * interval '300 days' end as due_at
from (select n, row_number() over (order by random()) - 1 as place from generate_series(1, %(total)s) as n) as shuffled
order by n
"""
_BINDINGS = """
insert into bindings (id, state, version, state_since, head, progress, plan)
select w.id, b.state, b.version, w.due_at - (case when w.face then interval '24 hours' else interval '7 days' end),
  b.head, case when not w.face then b.progress else jsonb_set(b.progress, '{windows,member}',
    jsonb_build_object('opened', w.due_at - interval '24 hours', 'closes', w.due_at)) end, b.plan
from waiting w join bindings b on b.id = case when w.face then %(face)s else %(submitted)s end
"""
_DEADLINES = """
insert into deadlines (binding_id, name, due_at, watch)
select id, case when face then 'first_attempt_to_pass' else 'submitted_to_materials' end, due_at, false from waiting
"""
_REST = """
insert into persons (key) select md5(id) from waiting where place < %(mortal)s
union all select md5(id || 'm') from waiting where place < %(mortal)s;
insert into seats (scope, holder, n, member, product, relationship, binding_id)
select s.scope, md5(w.id), 1, md5(w.id || 'm'), s.product, s.relationship, w.id
from waiting w cross join (select * from seats where binding_id = %(submitted)s) as s where w.place < %(mortal)s
"""

_PARTIES = "select id, md5(id), md5(id || 'm') from waiting where place < %s"


@dataclass(frozen=True, slots=True)
class Plan:
    """How much of it there is: deadlines in all, due in each round, rounds; and those due one after the other."""

    total: int
    a_round: int
    rounds: int
    late: int
    late_every: timedelta

    @property
    def late_at(self) -> timedelta:
        """When the first of those falls due, after the start: well behind the rounds."""
        return (self.rounds + 5) * APART


def fill(desk: Desk, plan: Plan) -> datetime:
    """Fill the ledger; return the moment (service clock) from which the rounds are counted."""
    start, submitted, face = desk.ledger.now(), life_id(RUN, 0), life_id(RUN, 1)
    lay_papers(desk.ledger, RUN, 2)
    lives = Lives(desk.book)
    desk.say(next(lives.commands(RUN, 0)))
    begun = lives.commands(RUN, 1)
    for _ in range(4):  # submitted, handed in, checked, and the first face begun
        desk.say(next(begun))
    due = plan.rounds * plan.a_round
    asked: dict[str, Any] = {
        "run": f"{RUN:06d}", "total": plan.total, "due": due, "a_round": plan.a_round, "late": plan.late,
        "late_at": plan.late_at, "late_every": plan.late_every, "start": start, "apart": APART,
        "submitted": submitted, "face": face, "mortal": due + plan.late,
    }  # fmt: skip
    with psycopg.connect(desk.ledger.url, autocommit=True, cursor_factory=psycopg.ClientCursor) as conn:
        conn.execute("set session_replication_role = replica")  # the rows fit together: no foreign key need look
        for statement in (_TABLE, _BINDINGS, _DEADLINES, _REST):
            conn.execute(statement, asked)
        ids = conn.execute(_PARTIES, (due + plan.late,)).fetchall()
        copy_applications(desk, conn, submitted, ids)
        conn.execute("vacuum analyze bindings, applications, deadlines, persons, seats")
        conn.execute("checkpoint")
    return start
