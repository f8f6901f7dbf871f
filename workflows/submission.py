"""From an application as a family makes it to a case that can be submitted, or to the reason why not."""

from __future__ import annotations

import base64
from dataclasses import dataclass, field
from datetime import date, datetime
from functools import partial
from typing import Any

import orjson

from models.keyring import Keyring
from policies.ages import face_to_come
from policies.book import LawBook
from policies.calendar import shanghai_day
from policies.people import Identity, normalise_name, parse_birth_certificate, parse_by_number, parse_identity
from policies.plan import Plan
from policies.planning import ApplicationFacts, PersonFacts, check_consents, consents_of, plan_for
from policies.refusals import NotAllowed
from workflows import changes, limits
from workflows.binding import NOWHERE
from workflows.case import Application, Case, Cursor, Progress, parties_context
from workflows.errors import Refused
from workflows.writing import NO_HEAD


@dataclass(frozen=True, slots=True)
class Person:
    """A party as the applicant names it."""

    name: str
    id_type: str
    id_number: str | None
    insured_region: str
    birth_date: date | None = None


@dataclass(frozen=True, slots=True)
class BirthCertificate:
    """The newborn method's own facts (F18)."""

    number: str
    mother_name: str
    mother_id_number: str


@dataclass(frozen=True, slots=True)
class Request:
    """An application as it came through a door."""

    product: str
    method: str
    holder: Person
    member: Person
    relationship: str
    initiator: str
    consents: list[dict[str, Any]] = field(default_factory=list)
    channel_reference: str | None = None
    birth_certificate: BirthCertificate | None = None


def prepare(request: Request, channel: str, binding_id: str, now: datetime, book: LawBook, keys: Keyring) -> Case:
    """Make the case that `submit` begins with: people known, plan computed, parties sealed.

    Raises `NotAllowed` and `Refused` with the codes of API.md's refusals.
    """
    today = shanghai_day(now)
    holder, member = people(request, today)
    plan = planned(request, channel, (holder, member), today, book)
    check_consents(plan, request.consents, now, at_counter=channel == "counter")
    parties = _parties(request, holder, member, today, keys)
    sealed = keys.seal(orjson.dumps(parties), parties_context(binding_id))
    application = Application(
        product=request.product,
        method=request.method,
        channel=channel,
        channel_reference=request.channel_reference,
        region=request.holder.insured_region,
        relationship=request.relationship,
        initiator=request.initiator,
        holder=keys.person(holder.family, holder.number),
        member=keys.person(member.family, member.number),
        sealed=sealed,
        face_age_day=face_to_come(plan, member.birth_date),
        created_at=now,
        parties=parties,
    )
    return Case(binding_id, NOWHERE, 0, now, NO_HEAD, Progress(), plan, application)


def people(request: Request, today: date) -> tuple[Identity, Identity]:
    """Holder and member, as far as their documents alone tell.

    Raises `NotAllowed` and `Refused` with the codes of API.md's refusals.
    """
    holder, member = _identity(request.holder, today, "/holder"), _member_identity(request, today)
    if (holder.family, holder.number) == (member.family, member.number):
        raise Refused("self_binding", 422, "/member/id_number")
    return holder, member


def planned(request: Request, channel: str, both: tuple[Identity, Identity], today: date, book: LawBook) -> Plan:
    """The plan of an application whose people are known. Raises `NotAllowed`, before anybody has consented."""
    return plan_for(book, _facts(request, channel, *both), today)


def faults_of_documents(request: Request, today: date) -> list[dict[str, Any]]:
    """What is wrong with both persons' documents, as `{pointer, code}`, so that a clerk can mend all at once."""
    faults = []
    for read in (partial(_identity, request.holder, today, "/holder"), partial(_member_identity, request, today)):
        try:
            read()
        except (NotAllowed, Refused) as no:
            faults.append({"pointer": no.pointer, "code": no.code})
    return faults


def rows(cursor: Cursor, request: Request) -> None:
    """Let the write carry what only a submission brings: the application, its plan and the seat it takes."""
    case, plan = cursor.case, cursor.case.plan
    application = case.application
    cursor.also("applications", {
        "product": application.product, "method": application.method, "channel": application.channel,
        "channel_reference": application.channel_reference, "region": application.region,
        "relationship": application.relationship, "initiator": application.initiator,
        "holder": application.holder, "member": application.member,
        "sealed": base64.b64encode(application.sealed).decode(), "consents": consents_of(plan, request.consents),
        "face_age_day": application.face_age_day, "created_at": application.created_at,
    })  # fmt: skip
    limits.take_seat(cursor)


def _identity(person: Person, today: date, pointer: str) -> Identity:
    if not person.id_number:
        raise Refused("id_number_required", 422, f"{pointer}/id_number")
    return parse_identity(person.id_type, person.id_number, person.birth_date, today, pointer)


def _member_identity(request: Request, today: date) -> Identity:
    """The member's identity; for a newborn without a number the certificate's, until the registry links the two."""
    if request.method != "birth_certificate":
        return _identity(request.member, today, "/member")
    if request.birth_certificate is None:
        raise Refused("birth_certificate_required", 422, "/birth_certificate")
    certificate = parse_birth_certificate(request.birth_certificate.number)
    if request.member.id_number:
        return _identity(request.member, today, "/member")
    if request.member.birth_date is None:
        raise Refused("birth_date_required", 422, "/member/birth_date")
    return Identity(request.member.id_type, certificate.family, certificate.number, request.member.birth_date)


def _facts(request: Request, channel: str, holder: Identity, member: Identity) -> ApplicationFacts:
    return ApplicationFacts(
        product=request.product,
        method=request.method,
        relationship=request.relationship,
        channel=channel,
        initiator=request.initiator,
        holder=PersonFacts(holder.id_type, request.holder.insured_region, holder.birth_date),
        member=PersonFacts(member.id_type, request.member.insured_region, member.birth_date),
    )


def _parties(
    request: Request, holder: Identity, member: Identity, today: date, keys: Keyring
) -> dict[str, dict[str, Any]]:
    parties: dict[str, dict[str, Any]] = {
        role: {
            "name": normalise_name(person.name),
            "id_type": identity.id_type,
            "id_number": identity.number if person.id_number else None,
            "insured_region": person.insured_region,
            "birth_date": identity.birth_date.isoformat() if identity.birth_date else None,
        }
        for role, person, identity in (("holder", request.holder, holder), ("member", request.member, member))
    }
    parties["member"]["changes_key"] = changes.fresh_key()
    if request.method == "birth_certificate" and request.birth_certificate is not None:
        given = request.birth_certificate
        mother = parse_by_number(given.mother_id_number, today, "/birth_certificate/mother_id_number")
        certificate = parse_birth_certificate(given.number)
        parties["mother"] = {
            "name": normalise_name(given.mother_name),
            "id_type": mother.id_type,
            "id_number": mother.number,
            "person": keys.person(mother.family, mother.number),  # so that she decides nothing in it as a clerk
            "certificate": certificate.number,
            "certificate_person": keys.person(certificate.family, certificate.number),  # the child, by another number
        }
    return parties
