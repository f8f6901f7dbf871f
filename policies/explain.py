"""Why a plan is as it is: for each line the pack's key, the file that set it, the facts behind it, and in words."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date

from policies.ages import age_on, face_age, face_age_day
from policies.book import LawBook
from policies.compare import as_json, lines_of
from policies.languages import Words
from policies.loader import Law
from policies.parties import named
from policies.plan import Plan
from policies.planning import ApplicationFacts, plan_for
from policies.regions import place_name
from policies.words import Condition

# Lines of a plan whose key in the pack has another name, the longest first; the others are called alike in both.
_KEYS = {
    "registry.birth_certificate": "methods.{method}.birth_certificate",
    "registry.holder": "eligibility.holder",
    "registry.member": "eligibility.member",
    "registry.region": "eligibility.same_region",
    "registry": "eligibility",
    "face.subjects": "methods.{method}.branches.{group}.face",
    "face_at_age": "methods.{method}.branches.{group}.face_at_age",
    "deadlines.first_attempt_to_pass": "face.window_hours",
    "review.agency": "review.agency_level",
    "counter.agency_name": "counter.agency_of",
    "counter.agency": "counter.agency_of",
    "counter.address": "counter.agency_of",
    "age_group": "age",
    "method": "methods.{method}",
    "product": "pack",
    "max_": "documents.max_",
}
_WITH = {"counter.agency_of": "counter.agency_level"}  # a second key that decides the same lines
_CONDITIONS: dict[Condition, Words] = {
    "always": ("所有申请均须告知", "asked of everybody"),
    "face": ("须刷脸", "a face is asked"),
    "materials": ("须提交材料", "documents are asked"),
    "under_14": ("{member}未满十四周岁", "{member} is under fourteen"),
}
_LISTED: Words = ("在政策包所列范围内", "it is on the pack's list")
_NOTHING: Words = ("", "")


@dataclass(frozen=True, slots=True)
class Because:
    """One line of a plan and its reason."""

    part: str  # of the plan, "face.subjects"
    value: str  # as canonical JSON
    key: str  # of the pack
    file: str
    facts: tuple[str, ...]  # of DOMAIN.md
    unconfirmed: bool
    why: str = ""  # in words, if it was decided by this application, not by the pack alone
    why_zh: str = ""  # the same in Chinese


def explain_plan(book: LawBook, facts: ApplicationFacts, day: date) -> tuple[Plan, tuple[Because, ...]]:
    """Return the plan of an application and the reason of each of its lines. Raises as `plan_for`.

    First come the pack and what the application itself decides, then every line of the plan in its order.
    """
    plan = plan_for(book, facts, day)
    law = book.law_for(facts.holder.insured_region, facts.product, day)
    found = [*_choices(law, plan, facts, day), *_steps(law, plan), *_lines(law, plan, facts, day)]
    return plan, tuple(found)


def _choices(law: Law, plan: Plan, facts: ApplicationFacts, day: date) -> Iterator[Because]:
    pack, place = law.pack, facts.holder.insured_region
    whole = (place_name(pack.region.ljust(6, "0")) if pack.region else "全国", pack.region or "all of China")
    zh = f"{{holder}}参保地为{place_name(place)}；{day} 施行且办理该业务的政策包中，适用于{whole[0]}的一份最为具体"
    en = f"{{holder}} is insured in {place}; of the packs in force on {day} that offer this product, the one for"
    why = named((zh, f"{en} {whole[1]} is the nearest"), plan.product)
    yield _because(law, "policy", f"{plan.pack} {plan.version}", "pack", why)
    of_method = f"methods.{plan.method}.relations" if pack.method(plan.method).relations else "relations.allowed"
    yield _because(law, "relationship", facts.relationship, of_method, _LISTED)
    if facts.channel is not None:
        yield _channel(law, facts.channel, place)
    if facts.initiator is not None:
        yield _because(law, "initiator", facts.initiator, "initiators", _LISTED)


def _channel(law: Law, channel: str, place: str) -> Because:
    if channel == "counter":
        every = ("经办窗口受理所有申请", "the agency's counter takes every application")
        return _because(law, "channel", channel, "counter", every)
    said = law.pack.channel(channel)
    where = ("全国", "everywhere") if said.everywhere else (f"在{place_name(place)}", f"in {place[:4]}")
    return _because(law, "channel", channel, f"channels.open.{channel}",
                    (f"{where[0]}开通，据其来源 {said.as_of} 所载",
                     f"open {where[1]}, as its source said on {said.as_of}"))  # fmt: skip


def _steps(law: Law, plan: Plan) -> Iterator[Because]:
    """One line for each step, with the key that asks for it."""
    asks = {
        "face_check": f"methods.{plan.method}.branches.{plan.age_group}.face",
        "authorisation": "authorisation",
        "agency_review": "review.mode",
    }
    for step, key in asks.items():
        asked = step in plan.steps
        at = plan.steps.index(step) + 1 if asked else 0
        yield _because(law, f"steps.{step}", asked, key, (f"第 {at} 步", f"step {at}") if asked else _NOTHING)


def _lines(law: Law, plan: Plan, facts: ApplicationFacts, day: date) -> Iterator[Because]:
    for part, value in lines_of(plan).items():
        if part == "materials":
            yield from _materials(law, plan, facts)
        elif part == "notices":
            yield from _notices(law, plan)
        elif part != "steps":
            zh, en = named(_in_words(part, plan, facts, day), plan.product)
            yield Because(part, value, *_source(law, _key_of(law, part, plan)), why=en, why_zh=zh)


def _materials(law: Law, plan: Plan, facts: ApplicationFacts) -> Iterator[Because]:
    """One line for each group of papers, by its name in the pack."""
    pack, branch = law.pack, f"methods.{plan.method}.branches.{plan.age_group}.papers"
    asked = dict.fromkeys(pack.method(plan.method).branches[plan.age_group].papers, branch)
    for name in pack.relations.papers.get(facts.relationship, ()):
        asked.setdefault(name, f"relations.papers.{facts.relationship}")
    if not asked:
        yield _because(law, "materials", (), branch, ("无须提交材料", "no document is asked"))
    for name, key in asked.items():
        paper = pack.papers[name]
        said = (f"{paper.label}：依 {key}", f"asked by {key}")
        made = _because(law, f"materials.{name}", paper.any_of, f"papers.{name}", said)
        yield made if made.facts or made.unconfirmed else _because(law, made.part, paper.any_of, key, said)


def _notices(law: Law, plan: Plan) -> Iterator[Because]:
    for ref in plan.notices:
        key = f"notices.{ref.notice}"
        yield _because(law, key, ref.version, key, named(_CONDITIONS[law.pack.notices[ref.notice].when], plan.product))


def _in_words(part: str, plan: Plan, facts: ApplicationFacts, day: date) -> Words:
    """What of the application decided this line, as a text with gaps; empty if the pack alone decides it."""
    if part == "age_group" and facts.member.birth_date is not None:
        born, border = facts.member.birth_date, face_age(plan.age)
        years, reached = age_on(plan.age, born, day), face_age_day(plan.age, born)
        return (f"{day} 为 {years} 周岁；{border} 周岁自 {reached} 起",
                f"{years} years old on {day}; {border} is reached on {reached}")  # fmt: skip
    places = {"holder": facts.holder.insured_region, "member": facts.member.insured_region}
    if part == "review.agency" and plan.review.agency is not None:
        return f"{{holder}}参保地为 {places['holder']}", f"{{holder}} is insured in {places['holder']}"
    if part == "registry.region" and plan.registry.region:
        return (f"双方参保地区划代码须以此开头；{{holder}}在 {places['holder']}",
                f"both must be insured where the code begins so; {{holder}} is in {places['holder']}")  # fmt: skip
    if part in ("counter.agency", "counter.agency_name", "counter.address"):
        zh, en = "以谁的参保地为准由政策包规定；", "whose place counts is the pack's word; "
        return (f"{zh}{{holder}} {places['holder']}，{{member}} {places['member']}",
                f"{en}{{holder}} {places['holder']}, {{member}} {places['member']}")  # fmt: skip
    fits = ("依申请，且{member}的证件适用", "as applied for, and the document of {member} fits")
    return {"product": ("依申请", "as applied for"), "method": fits}.get(part, _NOTHING)


def _key_of(law: Law, part: str, plan: Plan) -> str:
    """The key of the pack that a line of the plan is made from."""
    if part == "counter.bring" and law.pack.method(plan.method).bring is not None:
        return f"methods.{plan.method}.bring"
    if part.startswith("registry.member") and law.pack.method(plan.method).member_insured is not None:
        return f"methods.{plan.method}.member_insured"
    named = law.pack.agencies.get(plan.counter.agency)
    if named and (part.startswith("counter.agency") or (part == "counter.address" and named.address)):
        return f"agencies.{plan.counter.agency}"
    for said, key in _KEYS.items():
        if part.startswith(said):
            return key.format(method=plan.method, group=plan.age_group) + part[len(said) :]
    return part


def _because(law: Law, part: str, value: object, key: str, why: Words = _NOTHING) -> Because:
    return Because(part, as_json(value), *_source(law, key), why=why[1], why_zh=why[0])


def _source(law: Law, key: str) -> tuple[str, str, tuple[str, ...], bool]:
    unconfirmed = law.is_unconfirmed(key) or law.is_unconfirmed(_WITH.get(key, key))
    return key, law.origin(key).file, law.facts(key), unconfirmed
