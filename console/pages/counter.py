"""The window: a ticket found by its code, what to check, verify or refuse, scan what is missing, print the slip."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Annotated, Any, get_args
from urllib.parse import urlencode

import segno
from fastapi import APIRouter, Depends, Query, Request, Response

from console import finding, noted, seeking
from console.forms import wrong
from console.lists import Behind
from console.pages.reviews import NOTHING_CLEAR, revealed
from console.visit import Visit, asks, tellable
from models.ids import new_id
from policies.eligibility import REGISTRY_REASONS
from policies.regions import is_region
from policies.words import Kind
from tasks import documents
from workflows import agencies, materials
from workflows.access import acting, noting, scopes
from workflows.commands import Command
from workflows.errors import Refused
from workflows.views import window, worklists
from workflows.views.worklists import Wanted

router = APIRouter(prefix="/counter")
Handed = Annotated[str, Query(pattern="^([0-9]{6})?$")]
_clerk = asks("counter")
Counter = Annotated[Visit, Depends(_clerk)]
METHODS = ("document_reader", "compared_by_eye", "home_visit", "video_call")
KINDS = get_args(Kind)
_CODE = 8  # signs of a ticket's code


async def _scanned(request: Request) -> tuple[Visit, Refused | None]:
    """The clerk with his file; if the file was too large to be read, with that refusal."""
    try:
        return await _clerk(request), None
    except Refused as no:
        if no.code != "request_too_large":
            raise
        return request.state.visit, Refused("file_too_large", no.status)


Scanned = Annotated[tuple[Visit, Refused | None], Depends(_scanned)]


@router.get("")
def tickets(visit: Counter, cursor: Behind = None, handed: Handed = "") -> Response:
    """The open tickets of the clerk's agencies, nearest due first."""
    desk = visit.office.desk
    page = worklists.tickets(desk, visit.actor(), Wanted(cursor=cursor))
    return visit.page("tickets.html", page=page, sought="", others=[], searched=False, over=False, handed=handed,
                      refusals=REGISTRY_REASONS, now=desk.ledger.now())  # fmt: skip


@router.post("/find")
def find(visit: Counter) -> Response:
    """Find what somebody at the window brings: a ticket's code, the number on a slip, or his ID document.

    Posted, as a number is in no address; a search by number is logged.
    """
    desk, actor = visit.office.desk, visit.actor()
    text = visit.form.text("code", seeking.LONGEST)
    if text is None:
        return visit.go("/counter")
    page = worklists.tickets(desk, actor, Wanted(), text)
    if page["items"]:  # a code belongs to one ticket
        return visit.go(f"/counter/{page['items'][0]['binding_id']}")
    persons: Sequence[str] = ()
    if sum(sign.isalnum() for sign in text) != _CODE:  # eight characters are a misread code, not somebody's number
        asked = seeking.sought(desk, text)
        if asked.binding_id is not None and _served(visit, asked.binding_id):
            return visit.go(f"/counter/{asked.binding_id}")
        persons = asked.persons or ()
        noting.note_search(desk.ledger, actor, persons, "counter")
    # a number is never written back into the page
    facts = {"persons": persons, "sought": "" if persons or seeking.has_number(text) else text}
    return visit.go(f"/counter/find?{urlencode(finding.at(visit, 'counter', facts))}")


@router.get("/find")
def found(visit: Counter, found: Annotated[str, Query(max_length=finding.MOST)] = "") -> Response:
    """What the search found, if it was not exactly one case."""
    if not found:
        return visit.go("/counter")
    told = finding.told(visit, "counter", found)
    others = finding.of_persons(visit, told)
    return visit.page("tickets.html", finding.status(told, others), page={"items": [], "next_cursor": None},
                      sought=told["sought"] if told else "", others=others, searched=True, over=told is None, handed="",
                      refusals=REGISTRY_REASONS, now=visit.office.ledger.now())  # fmt: skip


def _served(visit: Visit, binding_id: str) -> bool:
    """Whether there is such a binding, and this window serves it."""
    try:
        case, _ = visit.office.desk.look(binding_id)
    except Refused:
        return False
    return scopes.at_counter(case, visit.actor())


@router.get("/{binding_id}")
def ticket(visit: Counter, binding_id: str, handed: Handed = "") -> Response:
    """One case at the window."""
    return ticket_page(visit, binding_id, handed=handed)


def ticket_page(
    visit: Visit, binding_id: str, refused: Refused | None = None, *, handed: str = "",
    clear: Mapping[str, str] = NOTHING_CLEAR,
) -> Response:  # fmt: skip
    """The page of a case at the window; with a refusal on top, and what was typed kept.

    `handed`: to which agency it has just been handed over. `clear`: the fields that were asked for in clear.
    """
    shown = window.window_case(visit.office.desk, binding_id, visit.actor())
    return visit.page("ticket.html", refused=refused, case=shown, typed=visit.form.filled(), methods=METHODS,
                      kinds=KINDS, handed=handed, clear=clear,
                      names=noted.names(visit.office.ledger, shown["timeline"]))  # fmt: skip


@router.get("/{binding_id}/slip")
def slip(visit: Counter, binding_id: str) -> Response:
    """What the family takes home: the code, large, and what to bring."""
    shown = window.window_case(visit.office.desk, binding_id, visit.actor())
    code = (shown["counter_ticket"] or {}).get("code") or shown["id"]
    picture = segno.make_qr(code, error="m").svg_inline(scale=4, border=2, svgclass="qr", lineclass=None, omitsize=True)
    return visit.page("slip.html", case=shown, picture=picture)


@router.post("/{binding_id}/verify")
def verify(visit: Counter, binding_id: str) -> Response:
    """The clerk confirms who they are."""

    def facts() -> dict[str, Any]:
        form = visit.form
        checked = form.raw("registry_checked") == "yes" or None
        told = {"method": form.one_of("method", METHODS), "note": _note(visit), "registry_checked": checked}
        return _without_gaps(told) | {"subjects": form.every("subjects")}  # if nobody is ticked, nobody was there

    return _say(visit, binding_id, "counter_verified", facts)


@router.post("/{binding_id}/refuse")
def refuse(visit: Counter, binding_id: str) -> Response:
    """The clerk refuses, for a reason of the plan's list; as it ends the application, he must confirm."""

    def facts() -> dict[str, Any]:
        told = {"reason": visit.form.needed("reason", 200), "note": _note(visit)}
        visit.form.sure()
        return _without_gaps(told)

    return _say(visit, binding_id, "counter_refused", facts)


@router.post("/{binding_id}/hand-over")
def hand_over(visit: Counter, binding_id: str) -> Response:
    """Hand the ticket over to another agency; code and due time stay."""

    def facts() -> dict[str, Any]:
        agency = visit.form.needed("agency", 6)
        if not is_region(agency):
            raise wrong("/agency", "not_one_of")
        found = agencies.taking_over(visit.office.desk, agency, binding_id)
        return _without_gaps({**found, "note": _note(visit)})

    return _say(visit, binding_id, "hand_over", facts)


@router.post("/{binding_id}/withdraw")
def withdraw(visit: Counter, binding_id: str) -> Response:
    """Withdraw at the family's wish; it ends the application too."""

    def facts() -> dict[str, Any]:
        visit.form.sure()
        return _without_gaps({"note": _note(visit)})

    return _say(visit, binding_id, "withdraw", facts)


@router.post("/{binding_id}/hand-in")
def hand_in(visit: Counter, binding_id: str) -> Response:
    """Everything that the plan asks for is scanned."""
    return _say(visit, binding_id, "submit_materials", dict)


@router.post("/{binding_id}/upload")
def upload(sent: Scanned, binding_id: str) -> Response:
    """One document, scanned or photographed at the window; one that cannot be taken is told on the same page."""
    visit, too_large = sent
    try:
        if too_large is not None:
            raise too_large
        kind, content = visit.form.one_of("kind", KINDS), visit.form.file("file")
        document_id = new_id("mat", visit.office.ledger.now())
        documents.keep(visit.office, binding_id, visit.actor(), document_id, kind, content)
    except Refused as no:
        return ticket_page(visit, binding_id, tellable(no))
    return visit.go(f"/counter/{binding_id}#documents")


@router.post("/{binding_id}/materials/{material_id}/remove")
def remove(visit: Counter, binding_id: str, material_id: str) -> Response:
    """Take back what was scanned by mistake, before it is handed in."""
    try:
        visit.form.sure()
        materials.remove(visit.office.desk, binding_id, material_id, visit.actor(), acting.sees)
    except Refused as no:
        # gone already, in another tab say: then the page just shows what is there
        return ticket_page(visit, binding_id, no if no.code != "not_found" else None)
    return visit.go(f"/counter/{binding_id}#documents")


@router.post("/{binding_id}/reveal")
def reveal(visit: Counter, binding_id: str) -> Response:
    """A name or number in clear, to be compared with the document on the desk; logged."""
    return revealed(visit, binding_id, ticket_page)


def _say(visit: Visit, binding_id: str, said: str, facts: Any) -> Response:
    try:
        asked, version = facts(), visit.form.number("version")
        visit.office.desk.say(
            Command(said, binding_id, visit.actor(), asked, if_match=version, in_scope=scopes.at_counter)
        )
    except Refused as no:
        return ticket_page(visit, binding_id, tellable(no))
    # after it was handed over to an agency outside his regions, the clerk no longer sees it
    case, _ = visit.office.desk.look(binding_id)
    told = f"?handed={asked['agency']}" if said == "hand_over" else ""
    return visit.go(f"/counter/{binding_id}{told}" if scopes.at_counter(case, visit.actor()) else f"/counter{told}")


def _note(visit: Visit) -> str | None:
    return visit.form.note("note")


def _without_gaps(facts: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in facts.items() if value not in (None, [])}
