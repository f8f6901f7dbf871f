"""The supervisors' rooms: who decides how much, what is looked at again, who is suspended, who comes in, the law."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query, Response

from console import explained, noted
from console.forms import REASON
from console.lists import PAGE, Behind, Narrow
from console.visit import Visit, asks
from models.ids import new_id
from policies.calendar import shanghai_day
from policies.check import applications
from policies.explain import explain_plan
from policies.loader import Law
from policies.planning import ApplicationFacts
from policies.refusals import NotAllowed
from workflows import answers
from workflows.access import keeping, principals
from workflows.commands import Idempotency, Reply
from workflows.errors import Refused, not_found
from workflows.views import population, repairs, supervising, watching
from workflows.views.narrowing import Part

router = APIRouter(prefix="/supervision")
Supervisor = Annotated[Visit, Depends(asks("supervisor"))]
_AGES = ("newborn", "child", "adult")
_ADULT = {"CHILD": 20, "GRANDCHILD": 20, "PARENT": 65, "PARENT_IN_LAW": 65, "GRANDPARENT": 85}  # years; others 30


@router.get("")
def workload(visit: Supervisor) -> Response:
    """The queue, and what each reviewer holds and has decided."""
    ledger = visit.office.ledger
    now = ledger.now()
    return visit.page("sup_workload.html", now=now, awaiting=repairs.awaiting(ledger, visit.principal),
                      load=supervising.workload(ledger, visit.principal, now))  # fmt: skip


@router.get("/sampling")
def sampling(visit: Supervisor) -> Response:
    """Decisions drawn to be looked at again, and the policies whose reviews pass by themselves."""
    office = visit.office
    now = office.ledger.now()
    found = supervising.sampling(office.desk, visit.principal, now)
    laws = office.desk.book.laws_on(shanghai_day(now))
    return visit.page(
        "sup_sampling.html", found=found, drawn=population.with_briefs(office.desk, found["drawn"]),
        looked=supervising.looked_at(office.ledger, found["drawn"]),
        names=noted.names(office.ledger, found["drawn"]),
        rules=[law.pack for law in laws if law.pack.review.mode == "auto_then_sample"],
    )  # fmt: skip


@router.get("/escalated")
def escalated(visit: Supervisor, cursor: Behind = None) -> Response:
    """Reviews that were not decided in time, or that a reviewer has put before a supervisor."""
    desk, part = visit.office.desk, Part(visit.principal.regions)
    page = watching.escalated_list(desk.ledger, part, PAGE, cursor)
    return visit.page("sup_escalated.html", page=page | {"items": population.with_briefs(desk, page["items"])},
                      now=desk.ledger.now(), names=noted.names(desk.ledger, page["items"]))  # fmt: skip


@router.get("/suspended")
def suspended(visit: Supervisor, cursor: Behind = None) -> Response:
    """What is suspended, for whom it waits, and until when."""
    page = supervising.suspensions(visit.office.desk, visit.principal, PAGE, cursor)
    return visit.page("sup_suspended.html", page=page)


@router.get("/staff")
def staff(visit: Supervisor) -> Response:
    """Who works here, as what, for which regions."""
    return visit.page("sup_staff.html", people=supervising.staff(visit.office.ledger, visit.principal))


@router.get("/channels")
def channels(visit: Supervisor) -> Response:
    """The channels and their keys, which are never shown again."""
    return _channels(visit)


@router.post("/channels")
def make_key(visit: Supervisor) -> Response:
    """One more key for a channel; it is shown in the answer to this form, and never again.

    Sent again, as by a browser that reloads the answer, the form makes no second key.
    """
    form, ledger, keys = visit.form, visit.office.ledger, visit.office.desk.keys
    channel, name = form.one_of("channel", principals.CHANNELS), form.needed("name", principals.LONGEST_NAME)
    said = keys.fingerprint(f"{channel} {name}".encode())
    once = answers.reserve(ledger, keys, Idempotency(visit.principal.id, form.needed("once", 64), said))
    if isinstance(once, Reply):
        return _channels(visit, again=True)
    try:
        made, key = keeping.make_key(ledger, visit.principal, channel, name)
    except Refused:
        answers.release(ledger, once)
        raise
    answers.complete(ledger, keys, once, Reply(200, b""))
    return _channels(visit, made=made, key=key)


@router.post("/channels/{key_id}/revoke")
def revoke_key(visit: Supervisor, key_id: str) -> Response:
    """Take a key back; within seconds it no longer works."""
    keeping.revoke_key(visit.office.ledger, visit.principal, key_id, visit.form.needed_note("reason", REASON))
    return visit.go("/supervision/channels")


def _channels(visit: Visit, *, again: bool = False, **made: Any) -> Response:
    found = supervising.channel_keys(visit.office.ledger)
    keys = {channel: [one for one in found if one["channel"] == channel] for channel in principals.CHANNELS}
    return visit.page("sup_channels.html", keys=keys, made=made, again=again, may=keeping.may_keep(visit.principal),
                      once=new_id("one", visit.office.ledger.now()))  # fmt: skip


@router.get("/packs")
def packs(visit: Supervisor) -> Response:
    """The policies in force today."""
    today = shanghai_day(visit.office.ledger.now())
    return visit.page("sup_packs.html", laws=visit.office.desk.book.laws_on(today), today=today)


@router.get("/packs/{name}/{product}")
def pack(
    visit: Supervisor, name: str, product: str, method: Narrow = "", relationship: Narrow = "",
    age: Annotated[str, Query(pattern=f"^({'|'.join(_AGES)})?$")] = "",
) -> Response:  # fmt: skip
    """One of them, with the plan of an application under it explained line by line."""
    book, today = visit.office.desk.book, shanghai_day(visit.office.ledger.now())
    law = next((one for one in book.laws_on(today) if (one.pack.pack, one.pack.product) == (name, product)), None)
    if law is None:
        raise not_found()
    pack = law.pack
    asked = {"method": method or next(iter(pack.methods)), "age": age or "adult",
             "relationship": relationship or pack.relations.allowed[0]}  # fmt: skip
    facts = _facts(law, today, **asked)
    if facts is None:
        raise Refused("request_invalid", 422)
    try:
        plan, lines = explain_plan(book, facts, today)
        refused = None
    except NotAllowed as no:
        plan, lines, refused = None, (), no.code
    return visit.page("sup_pack.html", law=law, asked=asked, plan=plan, no=refused, ages=_AGES,
                      parts=explained.by_group(lines), explained=explained)  # fmt: skip


def _facts(law: Law, today: date, method: str, relationship: str, age: str) -> ApplicationFacts | None:
    """One of the made-up applications of `policies.check`, by method, relationship and the member's age."""
    found = [one for one in applications(law, today)
             if (one.method, one.relationship) == (method, relationship) and one.channel is None]  # fmt: skip
    found.sort(key=lambda one: one.member.birth_date or today, reverse=True)  # the youngest first
    births = list(dict.fromkeys(one.member.birth_date for one in found))
    if not births:
        return None
    if age == "adult":  # a typical age of such relatives, not one just grown up
        born = date(today.year - _ADULT.get(relationship, 30), 1, 1)
        return replace(found[-1], member=replace(found[-1].member, birth_date=born))
    youngest = births[{"newborn": 0, "child": len(births) // 2}[age]]
    return next(one for one in found if one.member.birth_date == youngest)
