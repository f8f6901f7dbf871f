"""Where a binding is, whom it is waiting on, until when, and what happens then: one sentence, the same everywhere.

Command line, API and console all ask here. Names and numbers never stand in the sentence, so that it may be read
out at a window or written into a ticket. Times are Beijing time, as the families and the agencies count them.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from policies.book import LawBook
from policies.calendar import SHANGHAI, Due, shanghai_day
from policies.languages import Words
from policies.parties import named, parties
from workflows.attending import second_awaited
from workflows.case import (
    ACTIVE,
    AGENCY_REVIEW,
    FINAL,
    OFFLINE_FALLBACK,
    REJECTED,
    RETURNED,
    SUSPENDED,
    UNBINDING,
    Case,
    Cursor,
)
from workflows.deadlines import armed
from workflows.facing import faces_open
from workflows.views import reason_words
from workflows.views.waiting import waiting_on

STATES: Mapping[str, Words] = {
    "submitted": ("已提交", "submitted"),
    "materials_uploaded": ("材料已上传", "handed in"),
    "face_check": ("人脸核验", "at the face check"),
    "offline_fallback": ("转线下办理", "with the agency's counter"),
    "agency_review": ("经办审核", "under review by the agency"),
    "returned": ("退回补正", "returned for correction"),
    "active": ("已生效", "in force"),
    "suspended": ("已暂停", "suspended"),
    "unbinding": ("解绑核验中", "being ended"),
    "unbound": ("已解绑", "ended"),
    "rejected": ("不予通过", "rejected"),
    "withdrawn": ("已撤回", "withdrawn"),
    "expired": ("已过期", "expired"),
}
# How the sentence says a state of a binding, if its Chinese name is no verb.
_STANDS: Mapping[str, str] = {
    "face_check": "处于人脸核验阶段",
    "offline_fallback": "已转线下办理",
    "agency_review": "处于经办审核阶段",
    "returned": "已退回补正",
    "unbinding": "处于解绑核验阶段",
    "rejected": "未获通过",
}
PARTIES: Mapping[str, Words] = {  # by `waiting_on.party`
    **parties(None),  # if the product is known, its own names for them are used
    "guardian": ("监护人", "the guardian"),
    "mother": ("母亲", "the mother"),
    "agency": ("医保经办机构", "the agency"),
    "registry": ("参保登记机构", "the insurance registry"),
    "system": ("系统", "the system"),
    "counter": ("经办窗口", "the counter"),
}
DEEDS: Mapping[str, Words] = {  # by `waiting_on.for`
    "materials": ("提交材料", "to hand in the materials"),
    "registry_check": ("向登记机构核对", "to hear from the registries"),
    "registry_confirmation": ("确认出生登记信息", "to confirm the registry's record"),
    "face_check": ("完成人脸核验", "to pass the face check"),
    "authorisation": ("确认授权", "to confirm the authorisation"),
    "counter_visit": ("到经办窗口办理", "to come to the counter"),
    "review": ("作出审核决定", "to decide"),
    "correction": ("补正材料", "to correct what was returned"),
    "reverification": ("重新核验身份", "to be verified again"),
    "decision": ("作出处理决定", "to decide"),
    "insurance": ("确认参保状态符合办理条件", "to report the insurance as it must be"),
    "pay_password": ("输入支付密码", "to enter the payment password"),
}
_BY_SECOND: Words = (  # a guardian alone has been seen by one clerk
    "由另一名窗口人员再次核验（监护人已由一名窗口人员核验）",
    "to let a second clerk see the guardian, whom one has seen",
)
_AT_WINDOW: Words = ("确认解绑", "to confirm the end")  # an unbinding that was asked for at the counter
THEN: Mapping[str, Words] = {  # by `waiting_on.then`
    "expired": ("申请将过期", "it expires"),
    "asked_again": ("将再次核对", "the registries are asked again"),
    "offline_fallback": ("将转线下窗口办理", "it goes to the agency's counter"),
    "escalated": ("将提请督办", "it is escalated, and goes on waiting"),
    "unbound": ("绑定将解除", "the binding ends"),
    "active": ("解绑申请将取消，绑定继续有效", "the unbinding is dropped and the binding stays in force"),
    "suspended": ("解绑申请将取消，绑定仍为暂停", "the unbinding is dropped and the binding stays suspended"),
}
# A binding in force waits on nobody, but the days on which that will change may be known.
AHEAD: Mapping[str, Words] = {
    "active_to_term": ("绑定期限至{at}止", "its term ends on {at}"),
    "member_to_age": (
        "{member}将于{day}达到刷脸年龄，届时须本人刷脸或到窗口核验",
        "{member} reaches the face age on {day} and is then asked to verify, by face or at a counter",
    ),
    "reverification_to_done": (
        "{member}已达到刷脸年龄，须在{at}前本人刷脸或到窗口办理，逾期将暂停",
        "{member} has reached the face age and must verify by {at}, by face or at a counter, or it is suspended",
    ),
}
_ON_A_SHARING: Words = (
    "；须有有效的家庭共济授权方可使用",
    "; it may be used while the sharing that it stands on is in force",
)
# Said after the sentence if the deadline that it names is not armed.
LOST: Words = (
    "但这一期限的定时已丢失：到时不会自动处理，须先修复。",
    " But that deadline has been lost: nothing will happen then, until it is armed again.",
)


def explain(case: Case, now: datetime, book: LawBook, *, to_family: bool = False) -> Words:
    """Say in one sentence where the case is, whom it is waiting on, until when, and what happens then.

    `to_family`: without the words that staff have written for each other.
    """
    state_zh, state_en = STATES[case.state]
    why_zh, why_en = _because(case, book, to_family=to_family)
    since_zh, since_en = spoken(case.since)
    where_zh = f"该绑定{_STANDS.get(case.state, state_zh)}{why_zh}（自{since_zh}）"
    where_en = f"It is {state_en}{why_en} (since {since_en})"
    if case.state in FINAL:
        zh, en = _otherwise(case)
        return f"{where_zh}，已办结，不再等待任何人。{zh}", f"{where_en}; that is final, and nobody is waited on.{en}"
    zh, en = _at_rest(case) if case.state == ACTIVE else _waiting(case, now)
    return f"{where_zh}，{zh}。", f"{where_en}; {en}."


def _otherwise(case: Case) -> Words:
    """What can still be done by whom a registry refused before any person looked at it (PIPL §24, 0026)."""
    at = case.plan.counter.agency_name
    if case.state != REJECTED or case.progress.objection is None or case.taken_at_counter:
        return "", ""
    return (
        f"认为登记信息有误的，可携带证件原件到{at}窗口重新申请，由窗口人员当面核实。",
        f" If the registry is wrong, apply at the counter ({at}) with the documents: a person looks into it.",
    )


def spoken(at: datetime) -> Words:
    """Return a moment as people say it, to the minute, in Beijing time; midnight is the 24:00 of the day before."""
    local = at.astimezone(SHANGHAI)
    clock = f"{local:%H:%M}"
    if (local.hour, local.minute, local.second, local.microsecond) == (0, 0, 0, 0):
        local, clock = local - timedelta(days=1), "24:00"
    return (
        f"{local.year}年{local.month}月{local.day}日{clock}",
        f"{local.day} {local:%b} {local.year} {clock} Beijing time",
    )


def _waiting(case: Case, now: datetime) -> Words:
    waiting = waiting_on(case, now)
    assert waiting is not None  # noqa: S101  only `active` and the final states wait on nobody
    party, then = _parties(case, now, waiting), THEN[waiting["then"]]
    deed = _AT_WINDOW if waiting["party"] == "counter" else DEEDS[waiting["for"]]
    if second_awaited(case) and waiting["for"] == "decision":
        deed = _BY_SECOND
    due_zh, due_en = _until(Due(waiting["until"], provisional=waiting["provisional"]), now)
    if (missed := _missed(case)) is not None and missed <= now:
        (by_zh, by_en), (again_zh, again_en) = spoken(missed), spoken(waiting["until"])
        return (
            f"正在等待{party[0]}{deed[0]}，期限{by_zh}已过，{again_zh}将再次提请督办",
            f"waiting for {party[1]} {deed[1]} by {by_en}, which is over; on {again_en} it is escalated again",
        )
    asked_again = waiting["then"] == "asked_again"  # not a time limit that somebody could miss, just the next question
    missed_zh, missed_en = ("届时未答复", "without an answer by then") if asked_again else ("逾期", "failing that")
    return (
        f"正在等待{party[0]}{deed[0]}，{due_zh}，{missed_zh}{then[0]}",
        f"waiting for {party[1]} {deed[1]} {due_en}; {missed_en}, {then[1]}",
    )


def _parties(case: Case, now: datetime, waiting: Mapping[str, Any]) -> Words:
    """Whom it waits for; at a counter, or to be verified again, all who must come."""
    called = {**PARTIES, **parties(case.application.product)}
    seen = waiting["for"] in ("counter_visit", "reverification") and case.state != UNBINDING
    who = faces_open(Cursor(case, now)) if seen else []
    every = [called[one] for one in who or [waiting["party"]]]
    return "、".join(zh for zh, _ in every), " and ".join(en for _, en in every)


def _missed(case: Case) -> datetime | None:
    """By when the review should have been decided, if it is late; else None."""
    review = case.progress.review
    return review.missed if case.state == AGENCY_REVIEW and review is not None else None


def _until(due: Due, now: datetime) -> Words:
    zh, en = spoken(due.at)
    if due.at <= now:
        return f"期限{zh}已到，即将处理", f"by {en}, which is over: it is about to be dealt with"
    if due.provisional:
        return (
            f"期限{zh}（该年放假安排尚未公布，暂定）",
            f"until {en} (provisional: that year's holidays are not published)",
        )
    return f"期限{zh}", f"until {en}"


def _at_rest(case: Case) -> Words:
    zh, en = "不等待任何人", "nobody is waited on"
    if case.plan.requires_active is not None:  # whether that sharing is in force is not looked up here
        zh, en = zh + _ON_A_SHARING[0], en + _ON_A_SHARING[1]
    if second_awaited(case):
        zh, en = f"{zh}；尚待{_BY_SECOND[0]}", f"{en}; the agency has yet {_BY_SECOND[1]}"
    for name, due in armed(case).items():
        if name in AHEAD:
            (at_zh, at_en), day = spoken(due.at), shanghai_day(due.at)
            day_zh, day_en = f"{day.year}年{day.month}月{day.day}日", f"{day.day} {day:%b} {day.year}"
            zh += "；" + named(AHEAD[name], case.application.product, at=at_zh, day=day_zh)[0]
            en += "; " + named(AHEAD[name], case.application.product, at=at_en, day=day_en)[1]
    return zh, en


def _because(case: Case, book: LawBook, *, to_family: bool) -> Words:
    offline = case.progress.offline
    if case.state == OFFLINE_FALLBACK and offline is not None and offline.note is not None and not to_family:
        return f"，原因：{offline.note}", f" because: {offline.note}"
    reason = _reason(case)
    if reason is None:
        return "", ""
    zh, en = reason_words.say(reason, case.plan, book)
    return f"，原因：{zh}", f" because: {en}"


def _reason(case: Case) -> str | None:
    """The code of why the case is where it is; None if the state alone says enough."""
    progress = case.progress
    if case.state == OFFLINE_FALLBACK and progress.offline is not None:
        return progress.offline.reason
    if case.state == RETURNED and progress.correction is not None:
        return progress.correction.reason
    return progress.reason if case.state in (*FINAL, SUSPENDED) else None
