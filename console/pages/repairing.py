"""Repairs from the pages: a dry run first, then applied; risky ones by two persons.

The same functions as the API's and the command line's: the console only asks and shows.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Response

from console.forms import REASON, Form, wrong
from console.lists import PAGE, Behind
from console.repair_fields import choices
from console.visit import Visit, asks
from models.ledger import Ledger
from workflows.access.principals import Principal
from workflows.errors import Refused
from workflows.repairs import carrying, orders
from workflows.repairs.orders import Wish
from workflows.repairs.verbs import VERBS, of_state
from workflows.repairs.versions import EVERY
from workflows.views import operating, ordering, reviewing, watching
from workflows.views import repairs as shown

router = APIRouter(prefix="/ops")
Operator = Annotated[Visit, Depends(asks("operator"))]
Either = Annotated[Visit, Depends(asks("operator", "supervisor"))]
PATIENCE = 4.0  # seconds for which the repair of one binding is waited for
_MOST = 10_000  # ticked bindings
_FILTER = ("cause", "fingerprint", "states", "deadline", "product", "channel", "region")

# What may be said to a repair, without and with a reason; and by one role alone, if not by both.
_PLAIN: Mapping[str, Callable[[Ledger, Principal, str], None]] = {
    "apply": orders.apply,
    "approve": orders.approve,
    "pause": orders.pause,
    "resume": orders.resume,
}
_REASONED: Mapping[str, Callable[[Ledger, Principal, str, str], None]] = {
    "withdraw": orders.withdraw,
    "undo": orders.undo,
}
_ONLY = {"apply": "operator", "approve": "supervisor"}


@router.get("/repairs")
def repairs(visit: Either, cursor: Behind = None) -> Response:
    """All repairs, the newest first."""
    ledger = visit.office.ledger
    page = shown.recent(ledger, visit.principal, PAGE, cursor)
    return visit.page("repairs.html", page=page, names=_names(ledger, page["items"]))


@router.post("/repairs")
def order(visit: Operator) -> Response:
    """A dry run for those that were ticked, or for all that a list asks for."""
    return _ordered(visit, _reach(visit.form), patience=0.0)


@router.post("/bindings/{binding_id}/repair")
def order_one(visit: Operator, binding_id: str) -> Response:
    """A dry run for one binding; it is waited for, so that the page shows what would change."""
    row, _ = operating.seen(visit.office.desk, binding_id, visit.actor())
    reach = {"binding_ids": [binding_id]}
    return _ordered(visit, reach, patience=PATIENCE, verbs=of_state(row["state"]), product=row["product"])


@router.get("/repairs/{order_id}")
def repair(visit: Either, order_id: str, cursor: Behind = None) -> Response:
    """What a repair would change, or has changed, and what may be said to it."""
    return _page(visit, order_id, cursor)


@router.post("/repairs/{order_id}/{said}")
def tell(visit: Either, order_id: str, said: str) -> Response:
    """Apply, approve, withdraw, pause, resume or undo it; `orders` refuses what may not be said now."""
    if said not in _PLAIN and said not in _REASONED:
        raise Refused("not_found", 404)
    role = _ONLY.get(said)
    if role is not None and role not in visit.principal.roles:
        raise Refused("role_required", 403)
    ledger, caller = visit.office.ledger, visit.principal
    try:
        if said in _PLAIN:
            _PLAIN[said](ledger, caller, order_id)
        else:
            _REASONED[said](ledger, caller, order_id, visit.form.needed_note("reason", REASON))
    except Refused as no:
        if no.status in (403, 404):
            raise
        return _page(visit, order_id, None, no)
    if len(_view(visit, order_id)["filter"].get("binding_ids") or ()) == 1:
        carrying.to_its_end(visit.office.desk, order_id, PATIENCE)
    return visit.go(f"/ops/repairs/{order_id}")


def _ordered(
    visit: Visit, wanted: Mapping[str, Any], patience: float, verbs: Iterable[str] = VERBS, product: str | None = None
) -> Response:
    form = visit.form
    try:
        verb = form.one_of("repair", tuple(VERBS))
        wish = Wish(verb, form.needed_note("reason", REASON), wanted, _args(form, verb), dry_run=True)
        order_id = orders.make(visit.office.ledger, visit.principal, wish)
    except Refused as no:
        return visit.page("repair_again.html", refused=no, typed=form.filled(), verbs=verbs,
                          choices=choices(visit.office, visit.principal, product or wanted.get("product")),
                          ids=form.every("binding_ids"),
                          asked={f"f.{name}": form.raw(f"f.{name}") for name in _FILTER})  # fmt: skip
    if patience:
        carrying.to_its_end(visit.office.desk, order_id, patience)
    return visit.go(f"/ops/repairs/{order_id}")


def _args(form: Form, verb: str) -> dict[str, Any]:
    """The arguments of this verb; fields of other verbs stand in the same form and are left out."""
    takes = (*VERBS[verb].needs, *VERBS[verb].takes)
    given: dict[str, Any] = {name: form.text(name, 100) for name in takes if name not in ("pack", "version")}
    if "version" in takes:
        pack, _, version = (form.text("version", 100) or "").partition(" ")
        given |= {"pack": pack or None, "version": version or None}
    if "recompute" in takes:
        given["recompute"] = [EVERY] if form.raw("recompute") else None
    return {name: value for name, value in given.items() if value is not None}


def _reach(form: Form) -> dict[str, Any]:
    if form.one_of("reach", ("ticked", "all")) == "ticked":
        ids = form.every("binding_ids")[:_MOST]
        if not ids:
            raise wrong("/binding_ids", "pick_some")
        return {"binding_ids": ids}
    asked: dict[str, Any] = {name: form.text(f"f.{name}", 200) for name in _FILTER}
    asked["states"] = [asked["states"]] if asked["states"] else None
    return {name: value for name, value in asked.items() if value is not None}


def _page(visit: Visit, order_id: str, cursor: str | None, no: Refused | None = None) -> Response:
    found = _view(visit, order_id, cursor)
    letters = shown.letters(visit.office.ledger, order_id) if found["repair"] == "resend" else {}
    return visit.page("repair.html", refused=no, order=found, may=ordering.said_to(found, visit.principal),
                      letters=letters, endpoints=watching.endpoints(visit.office.ledger), carried=orders.CARRIED,
                      names=_names(visit.office.ledger, [found]))  # fmt: skip


def _view(visit: Visit, order_id: str, cursor: str | None = None) -> dict[str, Any]:
    return shown.repair(visit.office.ledger, visit.principal, order_id, PAGE, cursor)


def _names(ledger: Ledger, found: list[dict[str, Any]]) -> dict[str, str]:
    """Who asked, applied, approved, withdrew and undid, and who is to have it, by name."""
    roles = ("asked_by", "applied_by", "approved_by", "withdrawn_by", "undone_by")
    ids = {one[role] for one in found for role in roles if one[role]}
    ids |= {one["args"]["staff"] for one in found if "staff" in one["args"]}
    return reviewing.staff_names(ledger, ids)
