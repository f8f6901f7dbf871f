"""Made-up families: people who do not exist, with numbers that pass every check, from several regions and products."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any

from cli.simulate.dice import Dice
from policies.book import LawBook
from policies.calendar import shanghai_day
from policies.people import make_id_number
from policies.planning import ApplicationFacts, PersonFacts, plan_for
from policies.refusals import NotAllowed
from workflows.submission import BirthCertificate, Person, Request

_SURNAMES = "王李张刘陈杨黄赵吴周徐孙马朱胡郭何林罗高"
_GIVEN = ("伟", "芳", "娜", "敏", "静", "秀英", "丽", "强", "磊", "洋", "艳", "勇", "军", "杰", "娟", "涛", "明", "超")
AGAIN = 0.12  # the share of applications whose holder has applied for somebody before
_BATCH = 1000  # sequence numbers of one birth date


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of application: through which channel, where, for whom; ages in years."""

    product: str
    method: str
    region: str
    channel: str
    relationship: str
    ages: tuple[int, int]


KINDS: tuple[tuple[float, Kind], ...] = (
    (34, Kind("family_account", "id_number", "440100", "alipay", "PARENT", (52, 85))),
    (10, Kind("family_account", "id_number", "330100", "national_app", "CHILD", (2, 14))),
    (8, Kind("family_account", "id_number", "320500", "suzhou_yibao_oa", "CHILD", (5, 16))),
    (8, Kind("family_account", "id_number", "510100", "wechat", "GRANDPARENT", (70, 90))),
    (17, Kind("account_sharing", "id_number", "440100", "yueyibao_alipay", "SPOUSE", (25, 60))),
    (13, Kind("account_sharing", "id_number", "320100", "jiangsu_yibaoyun", "PARENT", (50, 80))),
    (5, Kind("family_account", "other_document", "310000", "national_app", "SPOUSE", (25, 60))),
    (5, Kind("family_account", "birth_certificate", "330100", "nhsa_oa", "CHILD", (0, 0))),
)


class Families:
    """The n-th application of a simulation, always the same for one seed."""

    def __init__(self, dice: Dice, book: LawBook, begin: date) -> None:
        """Let people be as old as their kind says on `begin`."""
        self._dice, self._book, self._begin = dice, book, begin
        self._kinds: dict[int, Kind] = {}
        self._consents: dict[tuple[object, ...], list[dict[str, Any]]] = {}

    def kind(self, n: int) -> Kind:
        """Of the n-th application."""
        if n not in self._kinds:
            self._kinds[n] = self._dice.pick(KINDS, "kind", n)
        return self._kinds[n]

    def request(self, n: int, now: datetime) -> Request:
        """The n-th application as its channel sends it at `now`."""
        kind, holder_of = self.kind(n), n
        if n and self._dice.share("again", n) < AGAIN:
            holder_of = self._dice.throw("whom", n).randrange(n)
        region = self.kind(holder_of).region  # where he is insured: what is not offered there is refused
        born_holder = self._born(holder_of, "holder", (30, 47))
        holder = Person(self._name(holder_of, "h"), "resident_id", self._number(holder_of, region, born_holder), region)
        born = (
            shanghai_day(now) - timedelta(20) if kind.method == "birth_certificate" else self._born(n, "m", kind.ages)
        )
        member, certificate = self._member(n, kind, region, born)
        consents = self._accepted(kind, region, born_holder, born, member, now)
        return Request(kind.product, kind.method, holder, member, kind.relationship, "holder", consents, f"sim-{n}",
                       certificate)  # fmt: skip

    def _member(self, n: int, kind: Kind, region: str, born: date) -> tuple[Person, BirthCertificate | None]:
        name = self._name(n, "m")
        if kind.method == "birth_certificate":
            mother = self._number(n, region, self._born(n, "mother", (24, 38)), sequence=1)
            return Person(name, "resident_id", None, region, born), BirthCertificate(f"K{n:09d}", "王芳", mother)
        if kind.method == "other_document":
            return Person(name, "passport", f"E{n:08d}", region, born), None
        return Person(name, "resident_id", self._number(n, region, born, sequence=2), region), None

    def _accepted(
        self, kind: Kind, region: str, holder: date, born: date, member: Person, now: datetime
    ) -> list[dict[str, Any]]:
        """Every notice of the plan, accepted just now; plans are the same for all of a kind, a region and an age."""
        today = shanghai_day(now)
        key = (kind, region, today, (today - born).days // 365)
        if key not in self._consents:
            facts = ApplicationFacts(
                kind.product, kind.method, kind.relationship, kind.channel, "holder",
                PersonFacts("resident_id", region, holder), PersonFacts(member.id_type, region, born),
            )  # fmt: skip
            at = (now - timedelta(minutes=1)).isoformat()
            try:
                notices = plan_for(self._book, facts, today).notices
            except NotAllowed:  # the desk will say so
                notices = ()
            self._consents[key] = [{"notice": n.notice, "version": n.version, "accepted_at": at} for n in notices]
        return self._consents[key]

    def _born(self, n: int, role: str, ages: tuple[int, int]) -> date:
        years = self._dice.throw("age", role, n).randint(*ages)
        # the day of the year is the family's own, so that no two people have one number
        return date(self._begin.year - years - 1, 1, 1) + timedelta(days=n // _BATCH)

    def _number(self, n: int, region: str, born: date, sequence: int = 0) -> str:
        return make_id_number(f"{region[:4]}0{sequence + 3}", born, n % _BATCH)

    def _name(self, n: int, role: str) -> str:
        drawn = self._dice.throw("name", role, n)
        return drawn.choice(_SURNAMES) + drawn.choice(_GIVEN)
