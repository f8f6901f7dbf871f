"""Whether the packs are fit to be used: every application they could meet gets a plan or a named refusal.

This is about packs alone; whether the machine can lose a case under them is checked by the desk
(`workflows/check.py`).
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import date, timedelta
from itertools import product as every
from pathlib import Path
from typing import Any, get_args

from policies.ages import face_age_day
from policies.book import LawBook, load
from policies.loader import Law, PackError, Problem
from policies.plan import Plan
from policies.planning import ApplicationFacts, PersonFacts, plan_for
from policies.refusals import NotAllowed
from policies.regions import names
from policies.words import ChannelName, Initiator

_NAMES = frozenset({"pack", "version", "effective_from", "region", "product", "title"})  # need no source
_MARK = re.compile(r"F([1-9]\d?|1[0-6]\d|170)|C([1-9]|1[0-7])|W([1-9]|1\d|2[01])|§[A-D]\.\d+")


def check_folders(*folders: Path) -> list[Problem]:
    """Return everything wrong with the packs of the folders on every day on which one comes into force."""
    try:
        book = load(*folders)
    except PackError as error:
        return list(error.problems)
    days = sorted({file.effective_from for file in book.files})
    return list(dict.fromkeys(problem for day in days for problem in check_book(book, day)))


def check_book(book: LawBook, day: date) -> list[Problem]:
    """Return what is wrong with the packs in force on `day`."""
    return [problem for law in book.laws_on(day) for problem in _check_law(book, law, day)]


def plans_of(book: LawBook, law: Law, day: date) -> Iterator[Plan]:
    """Yield every different plan that the law gives on `day` in one of its cities: what the desk serves."""
    seen: set[str] = set()
    for facts in applications(law, day):
        try:
            plan = plan_for(book, facts, day)
        except NotAllowed:
            continue
        if plan.hash not in seen:
            seen.add(plan.hash)
            yield plan


def _check_law(book: LawBook, law: Law, day: date) -> Iterator[Problem]:
    file = law.chain[0].file
    for facts in applications(law, day):
        try:
            plan = plan_for(book, facts, day)
        except NotAllowed as refused:
            if refused.code not in law.pack.reasons:
                yield Problem(file, f"reasons.{refused.code}", "a refusal that has no words")
            continue
        if (plan.pack, plan.product) == (law.pack.pack, law.pack.product):
            yield from (Problem(file, path, what) for path, what in _faults(plan))
    if not any(True for _ in plans_of(book, law, day)):
        yield Problem(file, "", "gives nobody a plan")
    yield from _unsourced(law)
    yield from _borrowed(law)


def _borrowed(law: Law) -> Iterator[Problem]:
    """Texts taken over from another region's pack that speak of that region."""
    for path, text in _texts(law):
        if not law.is_borrowed(path):
            continue
        by = law.origin(path)
        codes = (f"{by.region[:2]}0000", f"{by.region[:4]}00")  # its province, and its city if it has one
        for place in (short for code in codes if (short := names().get(code, "")[:2]) and short in text):
            what = f"taken over from {by.file}, and speaks of {place}: write your own, or null where it may be missing"
            yield Problem(law.chain[0].file, path, what)


def _texts(law: Law) -> Iterator[tuple[str, str]]:
    pack = law.pack
    yield "title", pack.title.zh
    yield "care_warning", pack.care_warning.zh
    yield "counter.service", pack.counter.service.zh
    yield from ((f"help.{topic}", text.zh) for topic, text in pack.help.items())
    yield from ((f"notices.{name}", notice.title.zh + notice.text.zh) for name, notice in pack.notices.items())
    yield from ((f"papers.{name}", paper.label) for name, paper in pack.papers.items())
    yield from ((f"reasons.{code}", text.zh) for code, text in pack.reasons.items())
    yield from ((f"channels.open.{name}", channel.entry.zh) for name, channel in pack.channels.open.items())


def _unsourced(law: Law) -> Iterator[Problem]:
    """Keys that the file itself sets without a source, and without the mark that there is none."""
    file = law.chain[0]
    for path, marks in file.facts.items():
        unknown = [mark for mark in marks if not (_MARK.fullmatch(mark) or mark in file.sources)]
        yield from (Problem(file.file, f"facts.{path}", f"no such fact or source: {mark}") for mark in unknown)
        unread = [mark for mark in marks if mark.startswith("W") and mark not in (*file.sources, *unknown)]
        yield from (Problem(file.file, f"facts.{path}", f"cited, but not under sources: {mark}") for mark in unread)
    for path, by in law.origins.items():
        said = by is file and path.partition(".")[0] not in _NAMES
        if said and not law.facts(path) and not law.is_unconfirmed(path) and _has_value(law, path):
            yield Problem(file.file, path, "stands on no source: cite one under facts, or mark it under unconfirmed")


def _has_value(law: Law, path: str) -> bool:
    """Whether the key is still there: `null` takes an inherited text away, and that needs no source."""
    here: Any = law.pack.model_dump()
    for part in path.split("."):
        here = here.get(part) if isinstance(here, dict) else None
    return here is not None


def _faults(plan: Plan) -> Iterator[tuple[str, str]]:
    """What is wrong with a plan: no family could get through it, or it asks for what no notice has told."""
    if plan.face.subjects and not any(ref.notice == "face" for ref in plan.notices):
        yield "notices.face", f"a face is asked of {plan.method}, {plan.age_group} without its notice (§C.10)"
    if plan.review.mode != "none" and not (plan.review.reject_reasons and plan.review.return_reasons):
        yield "review", "a reviewer has no words to reject or to return with"
    if not plan.counter.refuse_reasons:
        yield "counter.refuse_reasons", "a clerk has no word to refuse with"
    if "authorisation" in plan.steps and not plan.face.subjects:
        yield "authorisation", "follows faces that nobody is asked for"


def applications(law: Law, day: date) -> Iterator[ApplicationFacts]:
    """Everybody whom the law may meet: each method, document, relationship, age and channel."""
    pack = law.pack
    region = _a_city(law)
    border = face_age_day(pack.age.rule, date(day.year - 40, 1, 1)).year - (day.year - 40)
    births = (day - timedelta(days=60), date(day.year - border + 1, 1, 1), date(day.year - border - 1, 1, 1))
    holder = PersonFacts("resident_id", region, date(day.year - 40, 1, 1))
    for method, rule in pack.methods.items():
        for id_type, relation, born in every(rule.id_types, pack.relations.allowed, births):
            member = PersonFacts(id_type, region, born)
            yield ApplicationFacts(pack.product, method, relation, None, None, holder, member)
    method, rule = next(iter(pack.methods.items()))
    member = PersonFacts(rule.id_types[0], region, births[-1])
    for channel, initiator in every(get_args(ChannelName), get_args(Initiator)):
        relation = pack.relations.allowed[0]
        yield ApplicationFacts(pack.product, method, relation, channel, initiator, holder, member)


def _a_city(law: Law) -> str:
    """A region in which the pack, and no longer prefix, is likely to be in force."""
    known = [code for code in names() if code.startswith(law.pack.region) and not code.endswith("0000")]
    return known[0] if known else (law.pack.region + "010000")[:6]
