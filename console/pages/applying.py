"""A whole application taken at the window: who and what, then the notices with it, then the case to scan for."""

from __future__ import annotations

from typing import Annotated, Any, get_args

import orjson
from fastapi import APIRouter, Depends, Response

from console.forms import Form
from console.visit import Visit, asks
from models.ids import new_id
from policies.calendar import shanghai_day
from policies.guidance import guidance
from policies.people import ID_TYPES
from policies.planning import NOT_AT_COUNTER
from policies.refusals import NotAllowed
from policies.relations import RELATIONSHIPS
from policies.words import Initiator, Method, Product
from workflows import submission
from workflows.access import scopes
from workflows.commands import Command, Idempotency, show_created
from workflows.errors import Malformed, Refused
from workflows.views import advice

router = APIRouter(prefix="/counter/new")
Clerk = Annotated[Visit, Depends(asks("counter"))]
PRODUCTS, METHODS, INITIATORS = get_args(Product), get_args(Method), get_args(Initiator)
_NAME, _NUMBER = 100, 40  # characters


@router.get("")
def begin(visit: Clerk) -> Response:
    """The form."""
    return _form(visit)


@router.post("")
def outlined(visit: Clerk) -> Response:
    """What goes with it: the notices to be read out and accepted, the materials to be scanned."""
    try:
        asked = request_of(visit.form)
        # what is wrong with the people is told before anything is read out to them
        _served_here(visit, asked)
        today = shanghai_day(visit.office.ledger.now())
        if faults := submission.faults_of_documents(asked, today):
            raise Malformed(faults)
        submission.people(asked, today)
        return _notices(visit, asked)
    except (Refused, NotAllowed) as no:
        return _form(visit, no)


@router.post("/change")
def change(visit: Clerk) -> Response:
    """The form again, with all that was filled in, for whoever has seen a mistake in it."""
    return _form(visit)


@router.post("/language")
def spoken(visit: Clerk) -> Response:
    """The form in the other language, with what is half filled in."""
    visit.spoken = to = visit.form.one_of("to", ("zh", "en"))
    return visit.speak(_form(visit), to)


@router.post("/submit")
def submit(visit: Clerk) -> Response:
    """Submit what was accepted; sent twice, it is one application."""
    form, office = visit.form, visit.office
    try:
        asked = request_of(form, _consents(visit))
        _served_here(visit, asked)
        key = Idempotency(visit.principal.id, form.needed("once", 64), office.desk.keys.fingerprint(_said(form)))
        made = Command("submit", new_id("bnd", office.ledger.now()), visit.actor(),
                       {"request": asked, "channel": "counter"}, idempotency=key, answering=show_created)  # fmt: skip
        reply = office.desk.say(made).reply
    except (Refused, NotAllowed) as no:
        return _form(visit, no)
    assert reply is not None  # noqa: S101  what was not refused has an answer
    return visit.go(f"/counter/{orjson.loads(reply.body)['id']}")


def _served_here(visit: Visit, asked: submission.Request) -> None:
    if not scopes.serves(visit.actor(), (asked.holder.insured_region, asked.member.insured_region)):
        raise Refused("region_not_allowed", 422, "/holder/insured_region")


def request_of(form: Form, consents: list[dict[str, Any]] | None = None) -> submission.Request:
    """The application of a form. Raises `Malformed`; what the law says of it is the desk's business."""
    method = form.one_of("method", METHODS)
    return submission.Request(
        product=form.one_of("product", PRODUCTS),
        method=method,
        holder=_person(form, "holder"),
        member=_person(form, "member", newborn=method == "birth_certificate"),
        relationship=form.one_of("relationship", RELATIONSHIPS),
        initiator=form.one_of("initiator", INITIATORS),
        consents=consents or [],
        birth_certificate=_certificate(form) if method == "birth_certificate" else None,
    )


def _person(form: Form, role: str, *, newborn: bool = False) -> submission.Person:
    number = form.text(f"{role}.id_number", _NUMBER, f"/{role}/id_number")
    if number is None and not newborn:
        form.needed(f"{role}.id_number", _NUMBER, f"/{role}/id_number")
    region = form.needed(f"{role}.insured_region", 6, f"/{role}/insured_region")
    if not (len(region) == 6 and region.isascii() and region.isdigit()):
        raise Malformed([{"pointer": f"/{role}/insured_region", "code": "wrong_form"}])
    return submission.Person(
        form.needed(f"{role}.name", _NAME, f"/{role}/name"), form.one_of(f"{role}.id_type", ID_TYPES), number, region,
        form.day(f"{role}.birth_date", f"/{role}/birth_date"),
    )  # fmt: skip


def _certificate(form: Form) -> submission.BirthCertificate:
    said = {name: form.needed(f"certificate.{name}", _NAME, f"/birth_certificate/{name}")
            for name in ("number", "mother_name", "mother_id_number")}  # fmt: skip
    return submission.BirthCertificate(**said)


def _notices(visit: Visit, asked: submission.Request) -> Response:
    book, now = visit.office.desk.book, visit.office.ledger.now()
    outline = advice.Outline(
        asked.product, asked.method, asked.relationship, "counter", asked.holder.insured_region,
        asked.member.insured_region, asked.member.id_type, asked.member.id_number, asked.member.birth_date,
    )  # fmt: skip
    told = advice.requirements(book, outline, now, visit.language)
    told["notices"] = [one for one in told["notices"] if one.notice not in NOT_AT_COUNTER]
    around = guidance(book, asked.holder.insured_region, asked.product, shanghai_day(now), visit.language)
    return visit.page("apply_notices.html", typed=visit.form.filled(), told=told, around=around,
                      once=new_id("one", now), asked=asked)  # fmt: skip


def _consents(visit: Visit) -> list[dict[str, Any]]:
    """What was ticked, as `notice@version`, accepted before the clerk's eyes now."""
    now = visit.office.ledger.now().isoformat()
    ticked = [one.partition("@") for one in visit.form.every("accepts")]
    return [{"notice": notice, "version": version, "accepted_at": now} for notice, _, version in ticked]


def _said(form: Form) -> bytes:
    fields = {name: value for name, value in form.filled().items() if name != "once"}
    return orjson.dumps(fields, option=orjson.OPT_SORT_KEYS)


def _form(visit: Visit, no: Refused | NotAllowed | None = None) -> Response:
    errors = no.extra.get("errors") if isinstance(no, Refused) else None
    if no is not None and errors is None and no.pointer:
        errors = [{"pointer": no.pointer, "code": no.code}]
    return visit.page(
        "apply.html", no.status if no else 200, typed=visit.form.filled(), no=no,
        errors={one["pointer"]: one["code"] for one in errors or ()}, products=PRODUCTS, methods=METHODS,
        initiators=INITIATORS, relationships=RELATIONSHIPS, id_types=ID_TYPES,
    )  # fmt: skip
