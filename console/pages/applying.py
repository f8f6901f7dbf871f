"""A whole application taken at the window: who and what, then the notices with it, then the case to scan for."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Annotated, Any, TypeVar, get_args

import orjson
from fastapi import APIRouter, Depends, Response

from console.forms import Form, wrong
from console.visit import Visit, asks
from models.ids import new_id
from policies.calendar import shanghai_day
from policies.guidance import guidance
from policies.plan import Plan
from policies.refusals import NotAllowed
from policies.regions import is_region
from policies.words import IdType, Initiator, Method, Product, Relationship
from workflows import submission
from workflows.access import scopes
from workflows.commands import Command, Idempotency, show_created
from workflows.errors import Malformed, Refused
from workflows.views import advice

router = APIRouter(prefix="/counter/new")
Counter = Annotated[Visit, Depends(asks("counter"))]
PRODUCTS, METHODS, INITIATORS = get_args(Product), get_args(Method), get_args(Initiator)
RELATIONSHIPS, ID_TYPES = get_args(Relationship), get_args(IdType)
_NAME, _NUMBER = 100, 40  # characters
_FIELDS = {"/holder": "/holder/id_number"}  # where the form shows what is wrong with a whole person: his age
_Read = TypeVar("_Read")


@router.get("")
def begin(visit: Counter) -> Response:
    """The form."""
    return _form(visit)


@router.post("")
def outlined(visit: Counter) -> Response:
    """The next page: the notices to be read out and accepted, and the materials to be scanned."""
    try:
        reading = _Reading()
        asked, today = reading.request(visit.form), shanghai_day(visit.office.ledger.now())
        # tell all that is wrong with the documents at once, and what the law refuses, before anything is read out
        reading.add(submission.faults_of_documents(asked, today))
        reading.add(_faults_of_places(asked))
        reading.done()
        _served_here(visit, asked)
        both = submission.people(asked, today)
        return _notices(visit, asked, submission.planned(asked, "counter", both, today, visit.office.desk.book))
    except (Refused, NotAllowed) as no:
        return _form(visit, no)


@router.post("/change")
def change(visit: Counter) -> Response:
    """The form again with all that was filled in, to mend a mistake."""
    return _form(visit)


@router.post("/language")
def spoken(visit: Counter) -> Response:
    """The form in the other language, with what is half filled in."""
    visit.spoken = to = visit.form.one_of("to", ("zh", "en"))
    return visit.speak(_form(visit), to)


@router.post("/submit")
def submit(visit: Counter) -> Response:
    """Submit what was accepted; sent twice, it is one application."""
    form, office = visit.form, visit.office
    try:
        reading = _Reading()
        asked = reading.request(form, _consents(visit))
        reading.add(_faults_of_places(asked))
        reading.done()
        _served_here(visit, asked)
        key = Idempotency(visit.principal.id, form.needed("once", 64), office.desk.keys.fingerprint(_said(form)))
        made = Command("submit", new_id("bnd", office.ledger.now()), visit.actor(),
                       {"request": asked, "channel": "counter"}, idempotency=key, answering=show_created)  # fmt: skip
        reply = office.desk.say(made).answer()
    except (Refused, NotAllowed) as no:
        return _form(visit, no)
    return visit.go(f"/counter/{orjson.loads(reply.body)['id']}")


def _faults_of_places(asked: submission.Request) -> list[dict[str, Any]]:
    places = {role: person.insured_region for role, person in (("holder", asked.holder), ("member", asked.member))}
    return [{"pointer": f"/{role}/insured_region", "code": "region_not_allowed"}
            for role, place in places.items() if not is_region(place)]  # fmt: skip


def _served_here(visit: Visit, asked: submission.Request) -> None:
    if not scopes.serves(visit.actor(), (asked.holder.insured_region, asked.member.insured_region)):
        raise Refused("not_served_here", 422)  # the places are right, but this window does not serve them


class _Reading:
    """Reads on after a fault, so that all are told at once; what stands in for a faulty field is never used."""

    def __init__(self) -> None:
        self._faults: dict[str, dict[str, Any]] = {}

    def add(self, faults: Iterable[dict[str, Any]]) -> None:
        """Add faults; of each field only the first is told."""
        for one in faults:
            self._faults.setdefault(one["pointer"], one)

    def done(self) -> None:
        """Raises `Malformed` with all faults, where there are any."""
        if self._faults:
            raise Malformed(list(self._faults.values()))

    def request(self, form: Form, consents: list[dict[str, Any]] | None = None) -> submission.Request:
        """The application of a form; whether the law allows it the desk decides."""
        method = self._one_of(form, "method", METHODS)
        newborn = method == "birth_certificate"
        member = self._person(form, "member", newborn=newborn)
        if newborn and not (member.id_number or member.birth_date):
            self.add([{"pointer": "/member/birth_date", "code": "birth_date_required"}])
        return submission.Request(
            product=self._one_of(form, "product", PRODUCTS),
            method=method,
            holder=self._person(form, "holder"),
            member=member,
            relationship=self._one_of(form, "relationship", RELATIONSHIPS),
            initiator=self._one_of(form, "initiator", INITIATORS),
            consents=consents or [],
            birth_certificate=self._certificate(form) if newborn else None,
        )

    def _person(self, form: Form, role: str, *, newborn: bool = False) -> submission.Person:
        number, born = f"/{role}/id_number", f"/{role}/birth_date"
        needed = form.text if newborn else form.needed
        return submission.Person(
            self._needed(form, f"{role}.name", _NAME, f"/{role}/name"),
            self._one_of(form, f"{role}.id_type", ID_TYPES),
            self._tried(lambda: needed(f"{role}.id_number", _NUMBER, number), None),
            self._tried(lambda: _region(form, role), ""),
            self._tried(lambda: form.day(f"{role}.birth_date", born), None),
        )

    def _certificate(self, form: Form) -> submission.BirthCertificate:
        said = {name: self._needed(form, f"certificate.{name}", _NAME, f"/birth_certificate/{name}")
                for name in ("number", "mother_name", "mother_id_number")}  # fmt: skip
        return submission.BirthCertificate(**said)

    def _needed(self, form: Form, name: str, most: int, pointer: str) -> str:
        return self._tried(lambda: form.needed(name, most, pointer), "")

    def _one_of(self, form: Form, name: str, words: Sequence[Any]) -> Any:
        return self._tried(lambda: form.one_of(name, words), words[0])

    def _tried(self, read: Callable[[], _Read], instead: _Read) -> _Read:
        try:
            return read()
        except Malformed as no:
            self.add(no.extra["errors"])
            return instead


def _region(form: Form, role: str) -> str:
    pointer = f"/{role}/insured_region"
    region = form.needed(f"{role}.insured_region", 6, pointer)
    if not (len(region) == 6 and region.isascii() and region.isdigit()):
        raise wrong(pointer, "wrong_form")
    return region


def _notices(visit: Visit, asked: submission.Request, plan: Plan) -> Response:
    book, now = visit.office.desk.book, visit.office.ledger.now()
    told = advice.needed(book, plan, "counter", asked.member.id_type, visit.language)
    around = guidance(book, asked.holder.insured_region, asked.product, shanghai_day(now), visit.language)
    return visit.page("apply_notices.html", typed=visit.form.filled(), told=told, around=around,
                      once=new_id("one", now), asked=asked)  # fmt: skip


def _consents(visit: Visit) -> list[dict[str, Any]]:
    """The consents that were ticked (as `notice@version`): accepted now, before the clerk."""
    now = visit.office.ledger.now().isoformat()
    ticked = [one.partition("@") for one in visit.form.every("accepts")]
    return [{"notice": notice, "version": version, "accepted_at": now} for notice, _, version in ticked]


def _said(form: Form) -> bytes:
    fields = {name: value for name, value in form.filled().items() if name != "once"}
    return orjson.dumps(fields, option=orjson.OPT_SORT_KEYS)


def _form(visit: Visit, no: Refused | NotAllowed | None = None) -> Response:
    errors = no.extra.get("errors") if isinstance(no, Refused) else None
    if no is not None and errors is None and no.pointer:
        errors = [{"pointer": _FIELDS.get(no.pointer, no.pointer), "code": no.code}]
    return visit.page(
        "apply.html", refused=no, typed=visit.form.filled(),
        errors={one["pointer"]: one["code"] for one in errors or ()}, products=PRODUCTS, methods=METHODS,
        initiators=INITIATORS, relationships=RELATIONSHIPS, id_types=ID_TYPES,
    )  # fmt: skip
