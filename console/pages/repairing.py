"""Repairs from the pages: planned, tried without a change, looked at, then applied; by two persons where it is risky.

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
from workflows.views import operating, ordering, reviewing
from workflows.views import repairs as shown

router = APIRouter(prefix="/ops")
Operator = Annotated[Visit, Depends(asks("operator"))]
Either = Annotated[Visit, Depends(asks("operator", "supervisor"))]
PATIENCE = 4.0  # seconds for which the repair of one binding is waited for
_MOST = 10_000  # ticked bindings
_FILTER = ("cause", "fingerprint", "states", "deadline", "product", "channel", "region")

Told = Callable[[Ledger, Principal, str], None]


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
    """A dry run for one binding: its difference is there when the page is."""
    row, _ = operating.seen(visit.office.desk, binding_id, visit.actor())
    return _ordered(visit, {"binding_ids": [binding_id]}, patience=PATIENCE, verbs=of_state(row["state"]))


@router.get("/repairs/{order_id}")
def repair(visit: Either, order_id: str, cursor: Behind = None) -> Response:
    """What a repair would change, or has changed, and what may be said to it."""
    return _page(visit, order_id, cursor)


@router.post("/repairs/{order_id}/{said}")
def tell(visit: Either, order_id: str, said: str) -> Response:
    """Apply, approve, withdraw, pause, resume or undo it; what may not be said now is refused by the order itself."""
    known = _SAID.get(said)
    if known is None:
        raise Refused("not_found", 404)
    role, word = known
    if role is not None and role not in visit.principal.roles:
        raise Refused("role_required", 403)
    try:
        word(visit)(visit.office.ledger, visit.principal, order_id)
    except Refused as no:
        if no.status in (403, 404):
            raise
        return _page(visit, order_id, None, no)
    if len(_view(visit, order_id)["filter"].get("binding_ids") or ()) == 1:
        carrying.to_its_end(visit.office.desk, order_id, PATIENCE)
    return visit.go(f"/ops/repairs/{order_id}")


def _withdraw(visit: Visit) -> Told:
    reason = visit.form.needed("reason", REASON)
    return lambda ledger, caller, order_id: orders.withdraw(ledger, caller, order_id, reason)


def _undo(visit: Visit) -> Told:
    reason = visit.form.needed("reason", REASON)
    return lambda ledger, caller, order_id: orders.undo(ledger, caller, order_id, reason)


_SAID: Mapping[str, tuple[str | None, Callable[[Visit], Told]]] = {
    "apply": ("operator", lambda _: orders.apply),
    "approve": ("supervisor", lambda _: orders.approve),
    "withdraw": (None, _withdraw),
    "pause": (None, lambda _: orders.pause),
    "resume": (None, lambda _: orders.resume),
    "undo": (None, _undo),
}


def _ordered(visit: Visit, wanted: Mapping[str, Any], patience: float, verbs: Iterable[str] = VERBS) -> Response:
    form = visit.form
    try:
        verb = form.one_of("repair", tuple(VERBS))
        wish = Wish(verb, form.needed("reason", REASON), wanted, _args(form, verb), dry_run=True)
        order_id = orders.make(visit.office.ledger, visit.principal, wish)
    except Refused as no:
        return visit.page("repair_again.html", no.status, refused=no, typed=form.filled(), verbs=verbs,
                          choices=choices(visit.office, visit.principal), ids=form.every("binding_ids"),
                          asked={f"f.{name}": form.raw(f"f.{name}") for name in _FILTER})  # fmt: skip
    if patience:
        carrying.to_its_end(visit.office.desk, order_id, patience)
    return visit.go(f"/ops/repairs/{order_id}")


def _args(form: Form, verb: str) -> dict[str, Any]:
    """What this verb is told; the fields of other verbs stand in the same form and mean nothing to it."""
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
    return visit.page("repair.html", no.status if no else 200, order=found, refused=no,
                      may=ordering.said_to(found, visit.principal), carried=orders.CARRIED,
                      names=_names(visit.office.ledger, [found]))  # fmt: skip


def _view(visit: Visit, order_id: str, cursor: str | None = None) -> dict[str, Any]:
    return shown.repair(visit.office.ledger, visit.principal, order_id, PAGE, cursor)


def _names(ledger: Ledger, found: list[dict[str, Any]]) -> dict[str, str]:
    """Who asked, applied, approved, withdrew and undid, and who is to have it, by name."""
    roles = ("asked_by", "applied_by", "approved_by", "withdrawn_by", "undone_by")
    ids = {one[role] for one in found for role in roles if one[role]}
    ids |= {one["args"]["staff"] for one in found if "staff" in one["args"]}
    return reviewing.staff_names(ledger, ids)
