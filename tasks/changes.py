"""Changes of a member's name or number: looked at before they are said to the desk, and found by the registries.

A grown member proves a change by his face, compared under the new name and number. A child is too young for that:
there the identity registry must know it so before the report is taken, and the guardian's face or the counter
settles the rest. A newborn bound by its certificate gets its number as soon as the birth registry has one.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

from msgspec.structs import replace

from gateways.registries import BirthRecord, Registries, Unanswered
from policies.calendar import shanghai_day
from policies.people import normalise_number, same_name
from policies.regions import is_region
from tasks.office import Office
from workflows import changes, facing
from workflows.access import acting
from workflows.case import ACTIVE, SUSPENDED, SYSTEM, Case, Change, Cursor
from workflows.commands import Command
from workflows.errors import Refused


def prepared(office: Office, command: Command) -> Command:
    """A `report_change` as the desk takes it: its `value` checked, and sealed where it is a name or a number.

    What is wrong with the value travels along as `malformed`: 422 `id_number_invalid`, `birth_date_mismatch`,
    `self_binding`, `name_id_mismatch` or `region_not_allowed` at `/value`; 409 `registry_unanswered`.
    """
    if command.malformed is not None or "value" not in command.facts:
        return command
    case, now = office.desk.seen(command.binding_id, command.actor, command.in_scope or acting.sees)
    facts = {name: value for name, value in command.facts.items() if name != "value"}
    out_of_turn = case.state not in (ACTIVE, SUSPENDED) or command.if_match not in (None, case.version)
    if out_of_turn:
        return replace(command, facts=facts)  # the desk refuses it anyway; no registry is asked about the value
    try:
        facts |= _looked_at(office, case, now, facts["what"], command.facts["value"])
    except Refused as no:
        return replace(command, facts=facts, malformed=no)
    return replace(command, facts=facts)


def _looked_at(office: Office, case: Case, now: datetime, what: str, value: str) -> dict[str, Any]:
    keys = office.desk.keys
    if what == "insured_region":
        if not is_region(value):
            raise Refused("region_not_allowed", 422, changes.VALUE)
        return {"note": value, **_change(case, changes.moved(keys, case, value))}  # for the agency, which decides
    if what not in ("name", "id_number"):
        return {}
    if what == "name":
        change = changes.renamed(keys, case, value)
    else:
        change = changes.renumbered(keys, case, value, shanghai_day(now))
    if facing.too_young(Cursor(case, now)):
        member = case.application.parties["member"]
        member = member | changes.opened(keys, case.id, change, member)
        try:
            known = _known(office.windows.registries, case, member)
        except Unanswered:
            raise Refused("registry_unanswered", 409) from None
        if not known:
            raise Refused("name_id_mismatch", 422, changes.VALUE)
    return _change(case, change)


def _change(case: Case, change: Change) -> dict[str, Any]:
    """The facts of a change that was made on top of what this reading of the case knows."""
    return {"change": change, "on_top_of": changes.newest(case)}


def _known(registries: Registries, case: Case, member: dict[str, Any]) -> bool:
    """Whether the registries know the child so: a newborn by its certificate, any other by its number.

    A child's face is compared by nobody: only a registry can tell that the new name or number is this child's.
    """
    if unnumbered(case) and not _certified(registries, case, member):
        return False
    if member["id_number"] is None:
        return True
    found = registries.person(member["name"], member["id_type"], member["id_number"], member["insured_region"])
    another_day = found.birth_date is not None and found.birth_date.isoformat() != member["birth_date"]
    return found.known and found.name_matches and not another_day


def _certified(registries: Registries, case: Case, member: dict[str, Any]) -> bool:
    """Whether this is the child of the certificate: by its number if the record has it, else by its name."""
    record, number = birth_record(registries, case), member["id_number"]
    if number is not None and record.child_id_number is not None:
        return normalise_number(record.child_id_number) == str(number)
    return record.child_name is not None and same_name(record.child_name, member["name"])


def birth_record(registries: Registries, case: Case) -> BirthRecord:
    """What the birth registry says of the certificate that a newborn was bound by. Raises `Unanswered`."""
    mother = case.application.parties["mother"]
    return registries.birth_certificate(mother["certificate"], mother["name"], mother["id_number"])


def unnumbered(case: Case) -> bool:
    """Whether the member is a newborn who has no number of his own yet, only his certificate's."""
    return case.plan.registry.birth_certificate and case.application.parties["member"]["id_number"] is None


def number_found(office: Office, case: Case, now: datetime) -> Command | None:
    """The command that gives a newborn the number that the birth registry has for him; None if it has none yet.

    Raises `Unanswered`.
    """
    record = birth_record(office.windows.registries, case)
    if record.child_id_number is None:
        return None
    try:
        change = changes.renumbered(office.desk.keys, case, record.child_id_number, shanghai_day(now))
    except Refused:
        return None  # the record does not fit the child: once the family reports it, a counter settles it
    return Command("link_number", case.id, SYSTEM, {**_change(case, change), "reason": "id_number_given"})
