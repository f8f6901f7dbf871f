"""The operators' first screen, and the list behind each of its numbers."""

from __future__ import annotations

from typing import Annotated, Any, get_args
from urllib.parse import urlencode

from fastapi import APIRouter, Depends, Query, Response

from console import drawing, finding, noted, seeking
from console.lists import PAGE, Behind, Narrow, Word
from console.repair_fields import choices
from console.visit import Visit, asks
from policies.words import ChannelName, Product
from workflows.access import noting
from workflows.case import STATES
from workflows.errors import Malformed, not_found
from workflows.views import flow, population, stuck, watching
from workflows.views.narrowing import Part
from workflows.views.supervising import overlap

router = APIRouter(prefix="/ops")
Operator = Annotated[Visit, Depends(asks("operator"))]


def part(visit: Visit, region: str = "", product: str = "", channel: str = "") -> Part:
    """The part of the ledger that is asked for and that the visitor may see. Raises `Refused` 422 for unknown words."""
    faults = []
    if region and not (region.isascii() and region.isdigit() and len(region) in (2, 4, 6)):
        faults.append({"pointer": "/region", "code": "wrong_form"})
    for name, asked, words in ("product", product, Product), ("channel", channel, ChannelName):
        if asked and asked not in get_args(words):
            faults.append({"pointer": f"/{name}", "code": "not_one_of"})
    if faults:
        raise Malformed(faults)
    return Part(visit.principal.regions, region.ljust(6, "0") if region else None, product or None, channel or None)


def _foreign(asked: Part) -> bool:
    """Whether the region asked for is not granted: then the list is empty, and the page says why."""
    return asked.region is not None and not overlap(asked.granted, [asked.region])


@router.get("")
def screen(visit: Operator, span: flow.Span = "day") -> Response:
    """Everything that may need an operator, on one page; every number leads to its list."""
    ledger, mine = visit.office.ledger, part(visit)
    now = ledger.now()
    flows = flow.flow(ledger, mine, span, now)
    return visit.page(
        "ops.html", now=now, span=span, flows=flows, states=STATES, drawing=drawing,
        most=max(n for one in flows.values() for way in one.values() for n in way),
        stuck=stuck.causes(ledger, mine.granted), due=watching.due(ledger, mine),
        escalated=watching.escalated(ledger, mine), signs=watching.signs_of_life(ledger),
        channels=watching.channels(ledger, mine), providers=watching.providers(ledger, mine, now),
    )  # fmt: skip


@router.post("/find")
def find(visit: Operator) -> Response:
    """Find by a binding's id or by somebody's whole number, which is logged. Posted: no number stands in an address."""
    desk, actor = visit.office.desk, visit.actor()
    asked = seeking.sought(desk, visit.form.text("q", seeking.LONGEST) or "")
    if asked.binding_id is not None:
        return visit.go(f"/ops/bindings/{asked.binding_id}")
    persons = asked.persons or ()
    noting.note_search(desk.ledger, actor, persons, "operation")
    return visit.go(f"/ops/find?{urlencode(finding.at(visit, 'operation', {'persons': persons}))}")


@router.get("/find")
def found(visit: Operator, found: Annotated[str, Query(max_length=finding.MOST)] = "") -> Response:
    """The bindings that the number has led to."""
    if not found:
        return visit.go("/ops")
    told = finding.told(visit, "operation", found)
    items = finding.of_persons(visit, told)
    return visit.page("ops_found.html", finding.status(told, items), items=items, over=told is None)


@router.get("/stuck")
def stuck_list(visit: Operator, cause: Narrow = "", fingerprint: Word = "", cursor: Behind = None) -> Response:
    """What is stuck, the longest first: all, for one cause, or with one fingerprint."""
    if cause not in ("", *stuck.CAUSES):
        raise not_found()
    ledger, granted = visit.office.ledger, visit.principal.regions
    told = stuck.parameters(ledger)
    found = stuck.stuck(ledger, granted, cause or None, PAGE, cursor, fingerprint or None, folded=True, told=told)
    groups = stuck.groups(ledger, granted, cause or None, told)
    asked = {"cause": cause, "fingerprint": fingerprint}
    return _list(visit, "ops_stuck.html", found, asked, groups=groups, cause=cause, fingerprint=fingerprint,
                 endpoints=watching.endpoints(ledger))  # fmt: skip


@router.get("/due")
def due_list(visit: Operator, name: Narrow, when: watching.When = "overdue", cursor: Behind = None) -> Response:
    """The bindings whose deadline of this name is overdue, or nearly so."""
    found = watching.due_list(visit.office.ledger, part(visit), name, when, PAGE, cursor)
    late = {"cause": "deadline_overdue", "fingerprint": f"deadline_overdue:{name}"} if when == "overdue" else {}
    return _list(visit, "ops_due.html", found, late, deadline=name, when=when)


@router.get("/escalated")
def escalated(visit: Operator, cursor: Behind = None) -> Response:
    """The reviews that were not decided in time, or that a reviewer has put before a supervisor."""
    found = watching.escalated_list(visit.office.ledger, part(visit), PAGE, cursor)
    names = noted.names(visit.office.ledger, found["items"])
    return _list(visit, "ops_escalated.html", found, {}, names=names)


@router.get("/letters")
def letters(
    visit: Operator, channel: ChannelName, which: watching.Which = "pending", cursor: Behind = None
) -> Response:
    """The letters behind one of a channel's numbers: still to be delivered, late, or put aside."""
    # no repair can reach "all of these": its filter has the application's channel, but letters also go to others
    found = watching.letters(visit.office.ledger, part(visit), channel, which, PAGE, cursor)
    return _list(visit, "ops_letters.html", found, {}, channel=channel, which=which)


@router.get("/faces")
def faces(visit: Operator, provider: Narrow, status: Narrow = "", cursor: Behind = None) -> Response:
    """The attempts at a face provider in the last day."""
    ledger = visit.office.ledger
    found = watching.sessions(ledger, part(visit), provider, status or None, ledger.now(), PAGE, cursor)
    return _list(visit, "ops_faces.html", found, {}, provider=provider, wanted=status)


@router.get("/moves")
def moves(
    visit: Operator, state: Narrow, way: flow.Way = "in", span: flow.Span = "day", cursor: Behind = None
) -> Response:
    """What came into a state, or went out of it."""
    if state not in STATES:
        raise not_found()
    ledger = visit.office.ledger
    over = flow.stretch(span, ledger.now())
    found = flow.lines(ledger, part(visit), state, way, over, PAGE, cursor)
    names = noted.names(ledger, found["items"])
    return _list(visit, "ops_moves.html", found, {}, state=state, way=way, span=span, names=names)


@router.get("/life")
def life(visit: Operator, region: Narrow = "", product: Narrow = "", channel: Narrow = "") -> Response:
    """The state diagram, with how many are in each state and how long they have waited."""
    asked = {"region": region, "product": product, "channel": channel}
    wanted = part(visit, **asked)
    found = population.population(visit.office.ledger, wanted)
    return visit.page("ops_life.html", there=found.states, asked=asked, ask=_ask(asked), drawing=drawing, now=found.at,
                      products=get_args(Product), channels=get_args(ChannelName), foreign=_foreign(wanted))  # fmt: skip


@router.get("/life/{state}")
def in_state(
    visit: Operator, state: str, region: Narrow = "", product: Narrow = "", channel: Narrow = "",
    cursor: Behind = None,
) -> Response:  # fmt: skip
    """Who is in a state."""
    if state not in STATES:
        raise not_found()
    narrowed = {"region": region, "product": product, "channel": channel}
    wanted = part(visit, **narrowed)
    found = population.members(visit.office.ledger, wanted, state, PAGE, cursor)
    reach = {"states": state, **narrowed, "region": region.ljust(6, "0") if region else ""}
    return _list(visit, "ops_state.html", found, reach, state=state, asked=narrowed, ask=_ask(narrowed),
                 foreign=_foreign(wanted))  # fmt: skip


def _ask(asked: dict[str, str]) -> str:
    """A narrowing as part of an address; empty if everything is meant."""
    return f"?{urlencode(asked)}" if any(asked.values()) else ""


def _list(visit: Visit, template: str, found: dict[str, Any], reach: dict[str, str], **facts: Any) -> Response:
    """A list of bindings: with the people of each, masked, and `reach`: how a repair asks for all of them."""
    desk = visit.office.desk
    items = population.with_briefs(desk, found["items"])
    return visit.page(template, items=items, next_cursor=found["next_cursor"], now=desk.ledger.now(),
                      reach={name: value for name, value in reach.items() if value},
                      choices=choices(visit.office, visit.principal, reach.get("product") or None),
                      **facts)  # fmt: skip
