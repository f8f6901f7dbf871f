"""The town: families, clerks and reviewers around the real desk, and the hands that work on its moved clock.

Everybody learns what has happened from the history, as channel apps do from their feed, and answers after a while of
his own. In each tick the clock is set, then the people speak, all of them in as few batches as the desk takes, then the
hands run. What is said in a tick is said in the order of its own times, which the seed has drawn.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from functools import partial
from typing import Any, NamedTuple

from cli.checking.terms import SHANGHAI, WorkingDays
from cli.simulate.agenda import Agenda
from cli.simulate.families import Families
from cli.simulate.hands import Hands
from cli.simulate.reviewers import COUNTRY, Reviewers, told
from cli.simulate.windows import Cameras, World
from models.ids import new_id
from tasks.faces import begin_at_provider, hear_all
from tasks.office import Office
from workflows.case import Actor
from workflows.commands import Command
from workflows.errors import Refused

BATCH = 500  # commands on the desk at once
OPENS, CLOSES = 9, 17  # office hours in Shanghai
AGAIN = timedelta(minutes=1)  # until a doubled call comes again
COUNTER = Actor("counter", "stf_counter", regions=COUNTRY)
SUPERVISOR = Actor("supervisor", "stf_supervisor", regions=COUNTRY)

_NEWS = """
select h.channel, h.xid::text, h.id, h.binding_id, h.sequence, h.event, h.to_state, h.reason
from unnest(%s::text[], %s::text[], %s::bigint[]) as c(channel, xid, id)
cross join lateral (
  select * from history h
  where h.channel = c.channel and (h.xid, h.id) > (c.xid::xid8, c.id) order by h.xid, h.id) as h
order by h.xid, h.id
"""
_PAPERS = """
insert into materials (id, binding_id, kind, sha256, size, media_type, pages, added_by, added_at)
select p.id, p.binding_id, p.kind, repeat('0', 64), 81234, 'image/jpeg', 1, p.added_by, %s
from unnest(%s::text[], %s::text[], %s::text[], %s::text[]) as p(id, binding_id, kind, added_by)
"""


class News(NamedTuple):
    """A line of the history, as an app hears of it."""

    binding_id: str
    sequence: int
    event: str
    to_state: str
    reason: str | None


class _Task(NamedTuple):
    act: Callable[[], Command]
    hands_in: str  # a binding whose papers are brought along


class Town:
    """One simulation under way."""

    def __init__(self, office: Office, world: World, families: Families, cameras: Cameras, hands: Hands) -> None:
        """Nobody has applied yet."""
        self.office, self.world, self.families, self.cameras, self.hands = office, world, families, cameras, hands
        self.dice = world.dice
        self.counted: Counter[str] = Counter()
        self.refused: Counter[str] = Counter()
        self._tasks = Agenda[_Task]()
        self._calls = Agenda[str]()  # of the provider, about which session
        self._days = WorkingDays()
        self._whose: dict[str, int] = {}  # binding: which application it is
        self._cursors: dict[str, tuple[str, int]] = {}
        self._grown = 500  # lines after which PostgreSQL counts its tables again

    # -- time ----------------------------------------------------------------------------------------------

    def run(
        self,
        begin: datetime,
        end: datetime,
        tick: timedelta,
        applications: int,
        passed: Callable[[timedelta], object],
    ) -> None:
        """Let `applications` families apply, spread over the time, and everything else follow.

        `passed` is told after each tick how long it was.
        """
        reviewers = Reviewers(self.office, self.dice, applications / max(1, (end - begin).days))
        for n in range(applications):
            self._at(begin + (end - begin) * self.dice.share("when", n), partial(self._apply, n))
        now = begin
        while now < end:
            then, now = now, min(now + tick, end)
            self.step(now, tick, reviewers)
            passed(now - then)

    def step(self, now: datetime, tick: timedelta, reviewers: Reviewers) -> None:
        """One tick: the clock, the people, the hands, and what the people hear of it."""
        self.world.now = now
        with self.office.ledger.connection() as conn:
            conn.execute("update service_clock set ahead = %s - timestamptz 'epoch'", (now,))
        due = self._tasks.due(now)
        self._bring_papers([task.hands_in for task in due if task.hands_in])
        said = [task.act() for task in due]
        decided = reviewers.decisions(self._whose, now, tick) if self.in_hours(now) == now else []
        faces = [command for command in said if command.said == "face_started"]
        self.say([one for one in said if one.said != "face_started"] + decided + self._begin_faces(faces))
        self._answer(self._calls.due(now))
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

    def _at(self, at: datetime, act: Callable[[], Command], hands_in: str = "") -> None:
        self._tasks.note(at, _Task(act, hands_in))

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
                    if command.said == "face_started":
                        self._will_call(command.facts["session"]["reference"])

    def command(self, said: str, binding_id: str, **facts: Any) -> Command:
        """Said by the channel that made the application."""
        kind = self.families.kind(self._whose[binding_id])
        return Command(said, binding_id, Actor("channel", kind.channel), facts, answering=told)

    def _apply(self, n: int) -> Command:
        channel = self.families.kind(n).channel
        binding_id = new_id("bnd", self.world.now)
        self._whose[binding_id] = n
        self._cursors.setdefault(channel, ("0", 0))
        facts = {"request": self.families.request(n, self.world.now), "channel": channel}
        return Command("submit", binding_id, Actor("channel", channel), facts, answering=told)

    def _bring_papers(self, ids: list[str]) -> None:
        """Whatever is missing of the papers of these, and anew what a reviewer found wanting, as uploads leave it."""
        if not ids:
            return
        with self.office.ledger.connection() as conn:
            rows = []
            for case, _ in self.office.desk.reader.cases(conn, ids):
                correction = case.progress.correction
                wanting = {item["kind"] for item in correction.items} if correction else set()
                there = {material["kind"] for material in case.materials} - wanting
                for kind in sorted({kind for group in case.plan.materials for kind in group.any_of[0]} - there):
                    channel = f"channel:{case.application.channel}"
                    rows.append((new_id("mat", self.world.now), case.id, kind, channel))
            if rows:
                conn.execute(_PAPERS, (self.world.now, *map(list, zip(*rows, strict=True))), prepare=True)

    def _begin_faces(self, commands: Sequence[Command]) -> list[Command]:
        """Begin attempts at the provider; the desk is told with all else that is said in this tick."""
        begun = []
        for command, found in zip(commands, begin_at_provider(self.office, commands) if commands else (), strict=True):
            if isinstance(found, Command):
                begun.append(found)
                continue
            no = found.refused
            assert isinstance(no, Refused)  # noqa: S101  nothing here is said twice under one key
            self.refused[f"{command.said}: {no.code}"] += 1
            if no.code in ("face_provider_down", "face_rate_limited"):
                self._later(command.binding_id, 2.0, "again", self._face(command.binding_id))
        return begun

    def _face(self, binding_id: str) -> Callable[[], Command]:
        return lambda: self.command("face_started", binding_id)

    def _will_call(self, reference: str) -> None:
        """The provider calls when the attempt is over, or never, or late, or twice."""
        fate = self.dice.share("callback", reference)
        lost, doubled, late = fate < 0.08, fate > 0.92, 0.08 <= fate < 0.12  # shares of all calls
        called = self.cameras.called_at(reference) + timedelta(hours=3 if late else 0)
        self.counted["callbacks lost"] += lost
        self.counted["callbacks late"] += late
        for again in range(0 if lost else 2 if doubled else 1):
            self._calls.note(called + again * AGAIN, reference)

    def _answer(self, references: list[str]) -> None:
        """Take the calls of this tick; each is a hint to ask the provider."""
        self.counted["callbacks"] += len(references)
        if references:
            hear_all(self.office, self.cameras.name, [({}, reference.encode(), {}) for reference in references])

    def _visit(self, binding_id: str) -> Command:
        """The family stands before the clerk, who mostly verifies."""
        if self.dice.share("refused", binding_id) < 0.04:  # as clerks go
            return Command("counter_refused", binding_id, COUNTER, {"reason": "relation_unproven"}, answering=told)
        facts = {"method": "document_reader", "registry_checked": True}
        return Command("counter_verified", binding_id, COUNTER, facts, answering=told)

    # -- what is heard ----------------------------------------------------------------------------------------

    def listen(self) -> None:
        """Read what is new in the channels' feeds and let the people think of an answer to each step."""
        channels = sorted(self._cursors)
        asked = (channels, *([self._cursors[one][place] for one in channels] for place in (0, 1)))
        with self.office.ledger.connection() as conn:
            rows = conn.execute(_NEWS, asked, prepare=True).fetchall()
        steps: dict[tuple[str, str], News] = {}
        for channel, xid, line_id, *news in rows:
            self._cursors[channel] = (xid, line_id)
            steps[xid, news[0]] = News(*news)  # the last line of a commit tells how it came out
        self.counted["lines"] += len(rows)
        if self.counted["lines"] >= self._grown:
            # months pass here in minutes: plans made for an empty ledger are not kept until autovacuum looks
            with self.office.ledger.connection() as conn:
                conn.execute("analyze")
            self._grown = 2 * self.counted["lines"]
        for step in steps.values():
            self._hear(step)

    def _hear(self, news: News) -> None:
        one = news.binding_id
        draw = self.dice.share("what next", self._whose[one], news.sequence)
        if news.to_state == "face_check" and news.event != "face_check_started":
            self._before_the_camera(news, draw)
        elif news.event == "submitted" and draw < 0.93:  # the others never hand in
            self._later(one, 5.0, "papers", lambda: self.command("submit_materials", one), hands_in=one)
        elif news.event == "submitted" and draw < 0.96:
            self._later(one, 20.0, "withdraw", lambda: self.command("withdraw", one))
        elif news.event == "registry_answered" and news.to_state == "materials_uploaded":
            self._later(one, 4.0, "record", lambda: self.command("confirm_registry_record", one))
        elif news.to_state == "offline_fallback" and draw < 0.88:  # the others never come
            self._later(one, 90.0, f"visit {news.sequence}", lambda: self._visit(one), in_hours=True)
        elif news.to_state == "returned" and draw < 0.9:
            self._later(
                one, 40.0, f"correct {news.sequence}", lambda: self.command("submit_materials", one), hands_in=one
            )
        elif news.to_state == "suspended":
            self._suspended(news)
        elif news.to_state == "active":
            self._in_force(news, draw)
        elif news.to_state == "unbinding" and draw < 0.85:  # the others think better of it
            self._later(one, 0.1, f"confirm {news.sequence}", lambda: self.command("confirm_unbind", one))

    def _before_the_camera(self, news: News, draw: float) -> None:
        one, again = news.binding_id, news.event in ("face_check_failed", "window_extended")
        if draw < (0.75 if again else 0.9):
            self._later(one, 1.5 if again else 6.0, f"face {news.sequence}", self._face(one))
        elif draw < 0.95:  # the others let it be
            declines = self.command("route_offline", one, reason="declines_face")
            self._later(one, 3.0, f"decline {news.sequence}", lambda: declines)

    def _in_force(self, news: News, draw: float) -> None:
        one = news.binding_id
        if news.event == "reverification_due":
            self._later(one, 200.0, f"face {news.sequence}", self._face(one))
        elif draw < 0.12:
            unbind = self.command("request_unbind", one, initiator="holder", method="pay_password")
            self._later(one, 24.0 * 30, f"unbind {news.sequence}", lambda: unbind)
        elif draw < 0.14:
            change = self.command("report_change", one, what="name")
            self._later(one, 24.0 * 20, f"change {news.sequence}", lambda: change)

    def _suspended(self, news: News) -> None:
        one = news.binding_id
        if news.reason == "reverification_to_done":
            self._later(one, 100.0, f"visit {news.sequence}", lambda: self._visit(one), in_hours=True)
        elif news.reason == "name":  # which one, the agency has asked
            resume = Command("resume", one, SUPERVISOR, {"reason": "cleared"}, answering=told)
            self._later(one, 100.0, f"resume {news.sequence}", lambda: resume, in_hours=True)

    def _later(
        self,
        one: str,
        hours: float,
        what: str,
        act: Callable[[], Command],
        *,
        in_hours: bool = False,
        hands_in: str = "",
    ) -> None:
        at = self.world.now + timedelta(seconds=self.dice.after(hours, what, self._whose[one]))
        self._at(self.in_hours(at) if in_hours else at, act, hands_in)
