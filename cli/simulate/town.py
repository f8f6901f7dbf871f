"""The town: families, clerks and reviewers around the real desk, and the hands that work on its moved clock.

Everybody learns what has happened from the history, as channel apps do from their feed, and answers after a while of
his own. In each tick the clock is set, then the people speak, then the hands run.
"""

from __future__ import annotations

import heapq
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import partial
from typing import Any, NamedTuple

from cli.checking.terms import SHANGHAI, WorkingDays
from cli.simulate.families import Families
from cli.simulate.hands import Hands
from cli.simulate.windows import Cameras, World
from models.ids import new_id
from tasks.faces import hear, start_face_check
from tasks.office import Office
from workflows import leases
from workflows.case import Actor
from workflows.commands import Command, Reply
from workflows.errors import Refused

BATCH = 200  # commands on the desk at once
OPENS, CLOSES = 9, 17  # office hours in Shanghai
DECISION = timedelta(minutes=6)  # a reviewer's time for a case
REVIEWERS_PER_CASE = 1 / 60  # a day: enough for what comes, and not for much more
_COUNTRY = ("000000",)
COUNTER = Actor("counter", "stf_counter", regions=_COUNTRY)

_NEWS = """
select h.channel, h.xid::text, h.id, h.binding_id, h.sequence, h.event, h.to_state, h.reason
from unnest(%s::text[], %s::text[], %s::bigint[]) as c(channel, xid, id)
cross join lateral (
  select * from history h
  where h.channel = c.channel and (h.xid, h.id) > (c.xid::xid8, c.id) order by h.xid, h.id) as h
order by h.xid, h.id
"""
_QUEUE = "select binding_id, agency from review_cases order by due_at, binding_id limit %s"
_PAPERS = """
insert into materials (id, binding_id, kind, sha256, size, media_type, pages, added_by, added_at)
values (%s, %s, %s, repeat('0', 64), 81234, 'image/jpeg', 1, %s, %s)
"""


class News(NamedTuple):
    """A line of the history, as an app hears of it."""

    binding_id: str
    sequence: int
    event: str
    to_state: str
    reason: str | None


@dataclass(order=True)
class _Task:
    at: datetime
    order: int
    act: Callable[[], Command | None] = field(compare=False)


def _told(_case: Any, _actor: Actor, _now: datetime) -> Reply:
    return Reply(200, b"{}")  # nobody here reads views


class Town:
    """One simulation under way."""

    def __init__(self, office: Office, world: World, families: Families, cameras: Cameras, hands: Hands) -> None:
        """Nobody has applied yet."""
        self.office, self.world, self.families, self.cameras, self.hands = office, world, families, cameras, hands
        self.dice = world.dice
        self.counted: Counter[str] = Counter()
        self.refused: Counter[str] = Counter()
        self._tasks: list[_Task] = []
        self._order = 0
        self._days = WorkingDays()
        self._whose: dict[str, int] = {}  # binding: which application it is
        self._cursors: dict[str, tuple[str, int]] = {}
        self._decided = 0.0  # reviewers' time used today, in decisions

    # -- time ----------------------------------------------------------------------------------------------

    def run(self, begin: datetime, end: datetime, tick: timedelta, applications: int) -> None:
        """Let `applications` families apply, spread over the time, and everything else follow."""
        self._reviewers = max(1, round(applications / max(1, (end - begin).days) * 0.3 * REVIEWERS_PER_CASE))
        for n in range(applications):
            self._at(begin + (end - begin) * self.dice.share("when", n), partial(self._apply, n))
        now = begin
        while now < end:
            now = min(now + tick, end)
            self.step(now, tick)

    def step(self, now: datetime, tick: timedelta) -> None:
        """One tick: the clock, the people, the hands, and what the people hear of it."""
        self.world.now = now
        with self.office.ledger.desk() as conn:
            conn.execute("update service_clock set ahead = %s - timestamptz 'epoch'", (now,))
        due = []
        while self._tasks and self._tasks[0].at <= now:
            due.append(heapq.heappop(self._tasks))
        self.say([command for task in due if (command := task.act()) is not None])
        self.listen()
        if self.in_hours(now) == now:
            self.review(tick)
        self.hands.work(now)
        self.listen()

    def in_hours(self, at: datetime) -> datetime:
        """The same moment, or the first at which offices are open again."""
        local = at.astimezone(SHANGHAI)
        day = local.date()
        works = self._days.works(day)
        if works and OPENS <= local.hour < CLOSES:
            return at
        if not works or local.hour >= CLOSES:
            day = self._days.after(day, 1)
        return datetime(day.year, day.month, day.day, OPENS, tzinfo=SHANGHAI).astimezone(at.tzinfo)

    def _at(self, at: datetime, act: Callable[[], Command | None]) -> None:
        self._order += 1
        heapq.heappush(self._tasks, _Task(at, self._order, act))

    # -- what is said ----------------------------------------------------------------------------------------

    def say(self, commands: Sequence[Command]) -> None:
        """Bring commands to the desk in batches, as an API process does; count what was refused."""
        for first in range(0, len(commands), BATCH):
            batch = commands[first : first + BATCH]
            for command, outcome in zip(batch, self.office.desk.serve(batch), strict=True):
                self.counted["commands"] += 1
                if isinstance(outcome.refused, Refused):
                    self.refused[f"{command.said}: {outcome.refused.code}"] += 1
                else:
                    outcome.unwrap()

    def command(self, said: str, binding_id: str, **facts: Any) -> Command:
        """Said by the channel that made the application."""
        kind = self.families.kind(self._whose[binding_id])
        return Command(said, binding_id, Actor("channel", kind.channel), facts, answering=_told)

    def _apply(self, n: int) -> Command:
        channel = self.families.kind(n).channel
        binding_id = new_id("bnd", self.world.now)
        self._whose[binding_id] = n
        self._cursors.setdefault(channel, ("0", 0))
        facts = {"request": self.families.request(n, self.world.now), "channel": channel}
        return Command("submit", binding_id, Actor("channel", channel), facts, answering=_told)

    def _hand_in(self, binding_id: str) -> Command:
        case, now = self.office.desk.look(binding_id)
        there = {material["kind"] for material in case.materials}
        kinds = sorted({kind for group in case.plan.materials for kind in group.any_of[0]} - there)
        rows = [(new_id("mat", now), binding_id, kind, f"channel:{case.application.channel}", now) for kind in kinds]
        if rows:
            with self.office.ledger.desk() as conn, conn.cursor() as cursor:
                cursor.executemany(_PAPERS, rows)
        return self.command("submit_materials", binding_id)

    def _face(self, binding_id: str) -> None:
        """Begin an attempt; the provider calls when it is over, or never, or twice."""
        try:
            start_face_check(self.office, self.command("face_started", binding_id))
        except Refused as no:
            self.refused[f"face_started: {no.code}"] += 1
            if no.code in ("face_provider_down", "face_rate_limited"):
                self._later(binding_id, 2.0, "again", lambda: self._face(binding_id))
            return
        reference = self.cameras.begun
        fate = self.dice.share("callback", reference)
        lost, doubled, late = fate < 0.08, fate > 0.92, 0.08 <= fate < 0.12  # shares of all calls
        called = self.cameras.called_at(reference) + timedelta(hours=3 if late else 0)
        self.counted["callbacks lost"] += lost
        self.counted["callbacks late"] += late
        for _ in range(0 if lost else 2 if doubled else 1):
            self._at(called, lambda: self._call(reference))

    def _call(self, reference: str) -> None:
        self.counted["callbacks"] += 1
        hear(self.office, self.cameras.name, {}, reference.encode(), {})

    def _visit(self, binding_id: str) -> Command:
        """The family stands before the clerk, who mostly verifies."""
        if self.dice.share("refused", binding_id) < 0.04:  # as clerks go
            return Command("counter_refused", binding_id, COUNTER, {"reason": "relation_unproven"}, answering=_told)
        told = {"method": "document_reader", "subjects": ["member"], "registry_checked": True}
        return Command("counter_verified", binding_id, COUNTER, told, answering=_told)

    # -- what is heard ----------------------------------------------------------------------------------------

    def listen(self) -> None:
        """Read what is new in the channels' feeds and let the people think of an answer to each step."""
        channels = sorted(self._cursors)
        asked = (channels, *([self._cursors[one][place] for one in channels] for place in (0, 1)))
        with self.office.ledger.desk() as conn:
            rows = conn.execute(_NEWS, asked, prepare=True).fetchall()
        steps: dict[tuple[str, str], News] = {}
        for channel, xid, line_id, *news in rows:
            self._cursors[channel] = (xid, line_id)
            steps[xid, news[0]] = News(*news)  # the last line of a commit tells how it came out
        self.counted["lines"] += len(rows)
        for step in steps.values():
            self._hear(step)

    def _hear(self, news: News) -> None:
        one = news.binding_id
        draw = self.dice.share("what next", self._whose[one], news.sequence)
        if news.to_state == "face_check" and news.event != "face_check_started":
            self._before_the_camera(news, draw)
        elif news.event == "submitted" and draw < 0.93:  # the others never hand in
            self._later(one, 5.0, "papers", lambda: self._hand_in(one))
        elif news.event == "submitted" and draw < 0.96:
            self._later(one, 20.0, "withdraw", lambda: self.command("withdraw", one))
        elif news.event == "registry_answered" and news.to_state == "materials_uploaded":
            self._later(one, 4.0, "record", lambda: self.command("confirm_registry_record", one))
        elif news.to_state == "offline_fallback" and draw < 0.88:  # the others never come
            self._later(one, 90.0, f"visit {news.sequence}", lambda: self._visit(one), in_hours=True)
        elif news.to_state == "returned" and draw < 0.9:
            self._later(one, 40.0, f"correct {news.sequence}", lambda: self._hand_in(one))
        elif news.to_state == "suspended" and news.reason in ("name", "id_number", "reverification_to_done"):
            self._later(one, 100.0, f"visit {news.sequence}", lambda: self._visit(one), in_hours=True)
        elif news.to_state == "active":
            self._in_force(news, draw)
        elif news.to_state == "unbinding" and draw < 0.85:  # the others think better of it
            self._later(one, 0.1, f"confirm {news.sequence}", lambda: self.command("confirm_unbind", one))

    def _before_the_camera(self, news: News, draw: float) -> None:
        one, again = news.binding_id, news.event in ("face_check_failed", "window_extended")
        if draw < (0.75 if again else 0.9):
            self._later(one, 1.5 if again else 6.0, f"face {news.sequence}", lambda: self._face(one))
        elif draw < 0.95:  # the others let it be
            declines = self.command("route_offline", one, reason="declines_face")
            self._later(one, 3.0, f"decline {news.sequence}", lambda: declines)

    def _in_force(self, news: News, draw: float) -> None:
        one = news.binding_id
        if news.event == "reverification_due":
            self._later(one, 200.0, f"face {news.sequence}", lambda: self._face(one))
        elif draw < 0.12:
            unbind = self.command("request_unbind", one, initiator="holder", method="pay_password")
            self._later(one, 24.0 * 30, f"unbind {news.sequence}", lambda: unbind)
        elif draw < 0.14:
            change = self.command("report_change", one, what="name")
            self._later(one, 24.0 * 20, f"change {news.sequence}", lambda: change)

    def _later(
        self, one: str, hours: float, what: str, act: Callable[[], Command | None], *, in_hours: bool = False
    ) -> None:
        at = self.world.now + timedelta(seconds=self.dice.after(hours, what, self._whose[one]))
        self._at(self.in_hours(at) if in_hours else at, act)

    # -- reviewers ----------------------------------------------------------------------------------------------

    def review(self, tick: timedelta) -> None:
        """Reviewers take what is due first, each with a lease of its own, as many as there is time for."""
        self._decided += self._reviewers * (tick / DECISION)
        room, self._decided = int(self._decided), self._decided % 1
        if not room:
            return
        with self.office.ledger.desk() as conn:
            queue = conn.execute(_QUEUE, (room,)).fetchall()
        said = []
        for place, (binding_id, _) in enumerate(queue):
            reviewer = Actor("reviewer", f"stf_reviewer_{place % self._reviewers}", regions=_COUNTRY)
            leases.claim(self.office.desk, binding_id, reviewer)
            said.append(self._decision(binding_id, reviewer))
        self.say(said)

    def _decision(self, binding_id: str, reviewer: Actor) -> Command:
        drawn = self.dice.share("decision", self._whose[binding_id], self.world.now)
        if drawn < 0.06:
            return Command("reject", binding_id, reviewer, {"reason": "relation_unproven"}, answering=_told)
        if drawn < 0.18:
            items = [{"kind": "commitment_letter", "reason": "letter_unsigned"}]
            facts = {"reason": "letter_unsigned", "items": items}
            return Command("return_for_correction", binding_id, reviewer, facts, answering=_told)
        return Command("approve", binding_id, reviewer, answering=_told)
