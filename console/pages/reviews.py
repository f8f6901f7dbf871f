"""The reviewers' rooms: my work, the queue, what the applicant has, what was done today, and the case."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict
from typing import Annotated, Any
from urllib.parse import urlencode

from fastapi import APIRouter, Depends, Query, Response

from console import canned, drafts, finding, noted, seeking
from console.lists import Behind, Narrow
from console.visit import Visit, asks, tellable
from console.words_of_codes import CODES
from workflows import beside, leases
from workflows.access import noting, opening, scopes
from workflows.case import AGENCY_REVIEW
from workflows.errors import Malformed, Refused
from workflows.views import reviewing
from workflows.views.worklists import Wanted

router = APIRouter(prefix="/reviews")
Reviewer = Annotated[Visit, Depends(asks("reviewer"))]
NOTHING_CLEAR: Mapping[str, str] = {}


@router.get("")
def queue(
    visit: Reviewer,
    q: Annotated[str, Query(max_length=seeking.LONGEST)] = "",
    cursor: Behind = None,
) -> Response:
    """The queue of the reviewer's agencies, nearest due first, or that part of it which was asked for."""
    asked = seeking.sought(visit.office.desk, text := "" if seeking.has_number(q) else q)
    if asked.binding_id is not None:
        return visit.go(f"/reviews/{asked.binding_id}")
    return _listed(visit, asked, q=text, cursor=cursor)


@router.post("/search")
def search(visit: Reviewer) -> Response:
    """The search box. Posted, as a number must not stand in an address; what it finds has an address of its own."""
    desk, text = visit.office.desk, visit.form.text("q", seeking.LONGEST) or ""
    asked = seeking.sought(desk, text)
    if asked.binding_id is not None:
        return visit.go(f"/reviews/{asked.binding_id}")
    if asked.understood and asked.persons is None:
        return visit.go(f"/reviews?{urlencode({'q': text})}" if text else "/reviews")
    if asked.understood:
        noting.note_search(desk.ledger, visit.actor(), asked.persons or (), "review")
    # what is not understood may be a name, or a mistyped number: it is kept out of addresses too
    facts = {"asked": asdict(asked), "q": "" if seeking.has_number(text) else text}
    return visit.go(f"/reviews/search?{urlencode(finding.at(visit, 'review', facts))}")


@router.get("/search")
def searched(visit: Reviewer, found: Annotated[str, Query(max_length=finding.MOST)] = "") -> Response:
    """What the search box has found by a number, or did not understand."""
    if not found:
        return visit.go("/reviews")
    told = finding.told(visit, "review", found)
    if told is None:
        return _listed(visit, seeking.Sought(), sealed=True, over=True)
    return _listed(visit, seeking.Sought(**told["asked"]), told["q"], sealed=True)


def _listed(
    visit: Visit, asked: seeking.Sought, q: str = "", cursor: str | None = None, *, sealed: bool = False,
    over: bool = False,
) -> Response:  # fmt: skip
    """The queue, or what was searched in it; `over`: the sealed search in the address is too old."""
    desk, actor = visit.office.desk, visit.actor()
    others: list[dict[str, Any]] = []
    page: dict[str, Any] = {"items": [], "next_cursor": None}  # nothing is listed if something was not understood
    if asked.understood and not over:
        if asked.persons is not None:
            found = reviewing.of_persons(desk, actor, asked.persons)
            others = [one for one in found if one["state"] != "agency_review"]
        page = reviewing.queue(desk, actor, asked.wanted(cursor), asked.status)
    return visit.page("queue.html", 410 if over else 200, page=page, q=q, asked=asked, others=others, over=over,
                      sealed=sealed, now=desk.ledger.now(), tokens=seeking.TOKENS)  # fmt: skip


@router.get("/mine")
def mine(visit: Reviewer, done: bool = False) -> Response:  # noqa: FBT001, FBT002 - a query parameter
    """The cases that the reviewer holds, and decisions of today that could not be sent."""
    desk, actor = visit.office.desk, visit.actor()
    held = _held(visit)
    deciding = {one["binding_id"] for one in held}
    page = reviewing.queue(desk, actor, Wanted(limit=100), "mine")
    items = [one for one in page["items"] if one["binding_id"] not in deciding]
    failed = [one for one in reviewing.decided_today(desk, actor) if one["outcome"] != "sent"]
    return visit.page("mine.html", items=items, failed=failed, done=done, now=desk.ledger.now(), held=held,
                      tally=reviewing.tallies(desk, actor))  # fmt: skip


@router.get("/waiting")
def waiting(visit: Reviewer) -> Response:
    """What the reviewer has returned and the applicant still has to correct."""
    return visit.page("waiting.html", items=reviewing.sent_back(visit.office.desk, visit.actor()))


@router.get("/done")
def done(visit: Reviewer) -> Response:
    """What the reviewer has decided today."""
    return visit.page("done.html", items=reviewing.decided_today(visit.office.desk, visit.actor()))


@router.post("/next")
def take_next(visit: Reviewer) -> Response:
    """Take the next best case: no two reviewers get the same."""
    return to_next(visit)


def to_next(visit: Visit, *not_these: str) -> Response:
    """Take the next best case and open it; to the reviewer's own list where there is none."""
    found = leases.take_next(visit.office.desk, visit.actor(), not_these)
    return visit.go(f"/reviews/{found}" if found else "/reviews/mine?done=1")


@router.get("/{binding_id}")
def case(
    visit: Reviewer, binding_id: str, noted: Narrow = "", taken_back: bool = False,  # noqa: FBT001, FBT002 - as above
    opened: Annotated[str, Query(alias="open", max_length=40)] = "",
) -> Response:  # fmt: skip
    """The case with all that is needed to decide it; after a decision was taken back, with what he had written.

    `open` is the form that a button asks for in a browser without scripts.
    """
    draft = drafts.taken_back(visit, binding_id) if taken_back else None
    visit.form = draft or visit.form
    return case_page(visit, binding_id, taken_back=draft is not None, note_id=noted, opened=opened)


def case_page(
    visit: Visit, binding_id: str, refused: Refused | None = None, *, taken_back: bool = False, note_id: str = "",
    opened: str = "", clear: Mapping[str, str] = NOTHING_CLEAR,
) -> Response:  # fmt: skip
    """The page of a case; if a form was refused, with the refusal where it belongs and all that was typed.

    What was just done is told only while it is still so, since one may come back to an address later. `note_id`: the
    note that he has kept. `clear`: the fields that he has asked to see in clear.
    """
    desk, actor = visit.office.desk, visit.actor()
    shown = reviewing.case_page(desk, binding_id, actor, working=not visit.by_itself)
    looking = beside.looking(desk, binding_id, actor)
    kept = any(note["id"] == note_id for note in shown["notes"])
    just = "taken_back" if taken_back and shown["state"] == AGENCY_REVIEW else "note_kept" if kept else None
    return visit.page("case.html", refused=refused, case=shown, looking=looking,
                      held=shown["holding"], typed=visit.form.filled(), kinds=_kinds(shown),
                      just=just, opened=opened, clear=clear, canned=canned.texts(shown, visit.language),
                      names=noted.names(desk.ledger, shown["timeline"]))  # fmt: skip


@router.get("/{binding_id}/sheet")
def sheet(visit: Reviewer, binding_id: str) -> Response:
    """The case on paper, masked."""
    shown = reviewing.case_page(visit.office.desk, binding_id, visit.actor())
    return visit.page("sheet.html", case=shown, names=noted.names(visit.office.ledger, shown["timeline"]))


@router.post("/{binding_id}/claim")
def claim(visit: Reviewer, binding_id: str) -> Response:
    """Take this very case."""
    try:
        leases.claim(visit.office.desk, binding_id, visit.actor())
    except Refused as no:
        # the page shows why: what has become of the case
        over = no.code == "action_not_available"
        return case_page(visit, binding_id, Refused("review_over", no.status) if over else tellable(no))
    if visit.form.raw("action"):  # what was written under a lease that ran out is kept, to go on with
        return case_page(visit, binding_id)
    return visit.go(f"/reviews/{binding_id}")


@router.post("/{binding_id}/release")
def release(visit: Reviewer, binding_id: str) -> Response:
    """Give the case back to the queue."""
    try:
        leases.release(visit.office.desk, binding_id, visit.actor())
    except Refused as no:
        return case_page(visit, binding_id, tellable(no))
    beside.left(visit.office.desk, binding_id, visit.actor())
    return visit.go("/reviews/mine")


@router.post("/{binding_id}/beat")
def beat(visit: Reviewer, binding_id: str) -> Response:
    """The page is still open: show who else looks, and the lease. Only work prolongs the lease and the session."""
    desk, actor = visit.office.desk, visit.actor()
    if visit.form.raw("worked") == "1":
        visit.worked()
        leases.keep_alive(desk, binding_id, actor)
    case, now = desk.seen(binding_id, actor, scopes.reviews)
    lease = leases.lease_view(case, actor, now)
    return visit.page("parts/lease.html", lease=lease, now=now,
                      by=reviewing.holder_name(desk.ledger, lease),
                      looking=beside.looking(desk, binding_id, actor))  # fmt: skip


@router.post("/{binding_id}/note")
def note(visit: Reviewer, binding_id: str) -> Response:
    """A note for colleagues; no family reads it."""
    desk, actor = visit.office.desk, visit.actor()
    try:
        note_id = beside.note(desk, binding_id, actor, visit.form.needed_note("body"))
    except Malformed as no:
        return case_page(visit, binding_id, no)
    return visit.go(f"/reviews/{binding_id}?noted={note_id}")


@router.post("/{binding_id}/reveal")
def reveal(visit: Reviewer, binding_id: str) -> Response:
    """A name or number in clear, logged with its purpose."""
    return revealed(visit, binding_id, case_page)


def revealed(visit: Visit, binding_id: str, page: Callable[..., Response]) -> Response:
    """The part of a page that shows a field in clear; without scripts the whole page. The counter's pages use it."""
    asked, purpose = visit.form.needed("field", 40), visit.form.one_of("purpose", CODES["purpose"])
    told = opening.reveal(visit.office.desk, binding_id, visit.actor(), asked, purpose)
    if visit.request.headers.get("hx-request"):
        return visit.page("parts/revealed.html", value=told["value"])
    return page(visit, binding_id, clear={asked: told["value"]})


def _held(visit: Visit) -> list[dict[str, Any]]:
    return reviewing.held(visit.office.desk, visit.actor())


def _kinds(shown: dict[str, Any]) -> list[str]:
    """What may be ticked when a case is returned: the documents that are there, then what the plan would take."""
    there = [material["kind"] for material in shown["materials"]]
    return list(dict.fromkeys([*there, *reviewing.planned_kinds(shown["plan"])])) or ["other"]
