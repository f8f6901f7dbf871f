"""From the law and the facts of one application to its plan, or to the rule that refuses it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any

from policies.ages import age_on
from policies.book import LawBook
from policies.calendar import start_of_day
from policies.methods import check_relation, group_under, method_rule
from policies.pack import Branch, Channel, InsuredRule, MethodRule, Pack
from policies.plan import (
    AgeGroup,
    CounterPlan,
    FacePlan,
    Insured,
    NoticeRef,
    Plan,
    RegistryPlan,
    Requirement,
    ReviewPlan,
    Span,
    Step,
    UnbindPlan,
)
from policies.refusals import NotAllowed
from policies.regions import agency_of, area_of, city_of, is_region
from policies.words import Capability, Condition

MOST_PLANS = 10_000  # kept in memory, a few kB each
ADULT_AT_LAW = 18  # 民法典 §17: until then, and for wards, a guardian may act (§B.6)
GROWN_PEOPLE = {"SPOUSE", "PARENT", "PARENT_IN_LAW", "GRANDPARENT"}  # no child is one (民法典 §1047, §1098)
GUARDIAN_CONSENT_BELOW = 14  # PIPL §31; not the border of the face check
CLOCKS_DIFFER = timedelta(minutes=5)  # a channel's clock may be this far ahead of ours
NOT_AT_COUNTER = {"face"}  # notices about what is not done there


@dataclass(frozen=True, slots=True)
class PersonFacts:
    """What the law needs to know of a party; `birth_date` None where it is not known (yet)."""

    id_type: str
    insured_region: str
    birth_date: date | None = None


@dataclass(frozen=True, slots=True)
class ApplicationFacts:
    """What the law needs to know of an application; no `channel` or `initiator` where nobody applies yet."""

    product: str
    method: str
    relationship: str
    channel: str | None
    initiator: str | None
    holder: PersonFacts
    member: PersonFacts


def plan_for(book: LawBook, facts: ApplicationFacts, day: date) -> Plan:
    """Return the plan of an application made on `day` (Asia/Shanghai).

    The channel decides only whether, never what: the same application has the same plan through every door.
    Raises `NotAllowed`: 422 `region_not_allowed`, `method_not_allowed`, `relation_not_allowed`,
    `initiator_not_allowed`, `holder_under_age`, `birth_date_required`, `birth_date_invalid`,
    `channel_not_open`, `wrong_product`; 409 `channel_unknown` for a city that no source lists (C14).
    """
    _check_regions(facts)
    return plan_under(book, book.pack_for(facts.holder.insured_region, facts.product, day), facts, day)


def plan_under(book: LawBook, pack: Pack, facts: ApplicationFacts, day: date) -> Plan:
    """Return the plan that `pack` gives an application made on `day`, whichever pack was in force then.

    Raises `NotAllowed` as `plan_for` does.
    """
    _check_channel(pack, facts)
    rule = method_rule(pack, facts.method, facts.member.id_type, facts.member.birth_date, day)
    born = _member_born(facts, day)
    _check_people(pack, facts, born, day)
    group = group_under(pack, rule, facts.member.id_type, born, day)
    check_relation(rule, facts.relationship)
    under_14 = age_on(pack.age.rule, born, day) < GUARDIAN_CONSENT_BELOW
    # all that a plan is made of: a class of cases, so that most applications find theirs made already
    kind = (id(pack), facts.method, group, facts.relationship, facts.holder.insured_region,
            facts.member.insured_region, under_14)  # fmt: skip
    plan = book.plans.get(kind)
    if plan is None:
        if len(book.plans) >= MOST_PLANS:
            book.plans.clear()
        plan = book.plans[kind] = _plan(pack, rule, group, facts, under_14=under_14)
    return plan


def check_consents(
    plan: Plan, consents: Sequence[Mapping[str, Any]], now: datetime, *, at_counter: bool = False
) -> None:
    """Let pass who has accepted each notice of the plan, in its version, on its day or since (F89, F118, §C.10).

    At the counter, where a clerk sees the people himself, nobody must agree to a camera (§C.11). Consents to notices
    that the plan does not have are let be; of one given twice the last counts. Raises `NotAllowed` with
    `consent_missing`, `consent_version_unknown` or `consent_time_invalid`.
    """
    wanted = {ref.notice: ref.version for ref in plan.notices}
    given = {said["notice"]: place for place, said in enumerate(consents) if said["notice"] in wanted}
    for notice, place in given.items():
        if consents[place]["version"] != wanted[notice]:
            raise NotAllowed("consent_version_unknown", f"/consents/{place}/version")
        written = start_of_day(date.fromisoformat(wanted[notice]))  # a version is a day: nobody agreed before it
        if not written <= datetime.fromisoformat(consents[place]["accepted_at"]) <= now + CLOCKS_DIFFER:
            raise NotAllowed("consent_time_invalid", f"/consents/{place}/accepted_at")
    if missing := sorted(wanted.keys() - given - (NOT_AT_COUNTER if at_counter else set())):
        raise NotAllowed("consent_missing", "/consents", extra={"missing": missing})


def consents_of(plan: Plan, consents: Iterable[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """What is kept of the consents that were sent: those to the plan's notices, each once."""
    given = {said["notice"]: said for said in consents}
    return [given[ref.notice] for ref in plan.notices if ref.notice in given]


def _check_regions(facts: ApplicationFacts) -> None:
    for role, person in (("holder", facts.holder), ("member", facts.member)):
        if not is_region(person.insured_region):
            raise NotAllowed("region_not_allowed", f"/{role}/insured_region")


def _check_channel(pack: Pack, facts: ApplicationFacts) -> None:
    """Channels are open by city (F100-F103); `counter` always is, and nobody asks while `channel` is None."""
    name = facts.channel
    if name is None or name == "counter":
        return
    city = city_of(facts.holder.insured_region)
    elsewhere = {"channels": [other for other, said in pack.channels.open.items() if _is_open(pack, said, city)]}
    if name not in pack.channels.open:
        raise NotAllowed("channel_not_open", "", extra=elsewhere)
    channel = pack.channel(name)
    if channel.refuses is not None:
        raise NotAllowed(channel.refuses, "/product")
    can = _capability(channel, city)
    # No source lists the city on any channel: that is "we do not know", not "no" (C14).
    listed = any(city in (other.cities or {}) for other in pack.channels.open.values())
    if can == "unknown" or (can is None and not listed):
        raise NotAllowed("channel_unknown", "/holder/insured_region", 409)
    if not _is_open(pack, channel, city):
        raise NotAllowed("channel_not_open", "/holder/insured_region", extra=elsewhere)


def _capability(channel: Channel, city: str) -> Capability | None:
    return channel.everywhere or (channel.cities or {}).get(city)


def _is_open(pack: Pack, channel: Channel, city: str) -> bool:
    """Whether an application of a city comes in here; "unknown" is not open, though it is not closed either."""
    return _capability(channel, city) in ("bind_and_show", *(["bind"] if pack.channels.needs == "bind" else []))


def may_show(pack: Pack, channel: str, region: str) -> bool:
    """Whether a channel may show a code of this pack in the holder's city; asked of packs for showing (F100, F103)."""
    if pack.channels.needs != "bind_and_show":
        return True
    opened = pack.channels.open.items()
    return any(name == channel and _capability(said, city_of(region)) == "bind_and_show" for name, said in opened)


def _member_born(facts: ApplicationFacts, day: date) -> date:
    born = facts.member.birth_date
    if born is None:
        raise NotAllowed("birth_date_required", "/member/birth_date")
    if born > day:
        raise NotAllowed("birth_date_invalid", "/member/birth_date")
    return born


def _check_people(pack: Pack, facts: ApplicationFacts, born: date, day: date) -> None:
    holder, member = facts.holder, facts.member
    rule = pack.age.rule
    age = age_on(rule, born, day)
    no_child = facts.relationship in GROWN_PEOPLE and age < ADULT_AT_LAW
    if facts.relationship not in pack.relations.allowed or no_child:
        raise NotAllowed("relation_not_allowed", "/relationship")
    area = area_of(holder.insured_region, pack.eligibility.same_region)
    if not member.insured_region.startswith(area):
        raise NotAllowed("region_not_allowed", "/member/insured_region")
    if holder.birth_date is not None and age_on(rule, holder.birth_date, day) < pack.eligibility.holder_min_age:
        raise NotAllowed("holder_under_age", "/holder")
    if facts.initiator is None:
        return
    ward = facts.relationship == "WARD"
    not_himself = facts.initiator == "member" and (ward or age < GUARDIAN_CONSENT_BELOW)  # his guardian consents
    no_guardian = facts.initiator == "guardian" and not (ward or age < ADULT_AT_LAW)
    if facts.initiator not in pack.initiators or not_himself or no_guardian:
        raise NotAllowed("initiator_not_allowed", "/initiator")


def _plan(pack: Pack, rule: MethodRule, group: AgeGroup, facts: ApplicationFacts, *, under_14: bool) -> Plan:
    branch = rule.branches[group]
    materials = _materials(pack, branch, facts.relationship)
    steps = _steps(pack, branch)
    return Plan(
        pack=pack.pack,
        version=pack.version,
        product=pack.product,
        method=facts.method,
        shown_credential=pack.shown_credential,
        fund_source=pack.fund_source,
        age_group=group,
        materials=materials,
        steps=steps,
        face=FacePlan(subjects=branch.face, **pack.face.model_dump()),
        registry=_registry(pack, rule, facts),
        review=_review(pack, facts),
        counter=_counter(pack, rule, materials, facts),
        deadlines=_deadlines(pack),
        limits=pack.limits.limits,
        unbind=UnbindPlan(**pack.unbind.model_dump()),
        notices=_notices(pack, materials, steps, under_14=under_14),
        age=pack.age.rule,
        purposes=pack.purposes,
        face_at_age=branch.face_at_age,
        own_code_only=pack.own_code_only,
        requires_active=pack.requires_active,
        warning_days=pack.warning_days,
        term_days=pack.term_days,
        **pack.documents.model_dump(),
    )


def _materials(pack: Pack, branch: Branch, relationship: str) -> tuple[Requirement, ...]:
    papers = dict.fromkeys((*branch.papers, *pack.relations.papers.get(relationship, ())))
    return tuple(Requirement(pack.papers[name].label, pack.papers[name].any_of) for name in papers)


def _steps(pack: Pack, branch: Branch) -> tuple[Step, ...]:
    asked: tuple[tuple[Step, bool], ...] = (
        ("face_check", bool(branch.face)),
        ("authorisation", pack.authorisation),  # after the faces (F98)
        ("agency_review", pack.review.mode != "none"),
    )
    return tuple(step for step, wanted in asked if wanted)


def _registry(pack: Pack, rule: MethodRule, facts: ApplicationFacts) -> RegistryPlan:
    said = pack.eligibility
    return RegistryPlan(
        holder=_insured(said.holder),
        member=_insured(rule.member_insured or said.member),
        same_region=said.same_region,
        region=area_of(facts.holder.insured_region, said.same_region),
        prior_filing=said.prior_filing,
        birth_certificate=rule.birth_certificate,
    )


def _insured(rule: InsuredRule) -> Insured:
    return Insured(**rule.model_dump())


def _review(pack: Pack, facts: ApplicationFacts) -> ReviewPlan:
    """Reviews lie with the agency of the holder's insured place: his account, his agency (F86, F91)."""
    said = pack.review
    if said.mode == "none":
        return ReviewPlan()
    return ReviewPlan(
        mode=said.mode,
        agency=agency_of(facts.holder.insured_region, said.agency_level),
        sample_share=said.sample_share,
        reject_reasons=said.reject_reasons,
        return_reasons=said.return_reasons,
    )


def _counter(pack: Pack, rule: MethodRule, materials: tuple[Requirement, ...], facts: ApplicationFacts) -> CounterPlan:
    said = pack.counter
    party = facts.holder if said.agency_of == "holder" else facts.member
    agency = agency_of(party.insured_region, said.agency_level)
    called = pack.agency(agency)
    bring = dict.fromkeys((*(rule.bring or said.bring), *(group.label for group in materials)))
    return CounterPlan(agency, called.name, called.address, tuple(bring), said.refuse_reasons, said.service.zh)


def _deadlines(pack: Pack) -> dict[str, Span]:
    spans = {name: term.span for name, term in pack.deadlines.items()}
    return {**spans, "first_attempt_to_pass": Span(hours=pack.face.window_hours)}


def _notices(
    pack: Pack, materials: tuple[Requirement, ...], steps: tuple[Step, ...], *, under_14: bool
) -> tuple[NoticeRef, ...]:
    holds: dict[Condition, bool] = {
        "always": True,
        "face": "face_check" in steps,
        "materials": bool(materials),
        "under_14": under_14,
    }
    return tuple(NoticeRef(name, said.version) for name, said in pack.notices.items() if holds[said.when])
