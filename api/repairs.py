"""Repairs: one binding or many by filter, with a dry run first where wanted, a second person where risky, and undo."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query, Response
from pydantic import Field

from api import examples
from api.answered_repairs import RepairPage, RepairView
from api.answered_staff import Cause
from api.call import Call, Operator, answer, asks
from api.shapes import Behind, Body, Limit, Nothing, OneOf, Reason, Region, State, example, takes
from policies.words import ChannelName, Product
from tasks.office import Office
from workflows.access import scopes
from workflows.access.principals import Principal
from workflows.commands import Idempotency, Reply
from workflows.repairs import carrying, orders
from workflows.repairs.orders import FASTEST, PACE, Wish
from workflows.repairs.verbs import VERBS
from workflows.views import repairs as shown
from workflows.views.public import dumps

router = APIRouter(tags=["operations"])
Supervisor = Annotated[Call, Depends(asks("supervisor"))]
Either = Annotated[Call, Depends(asks("operator", "supervisor"))]
PATIENCE = 5.0  # seconds for which the repair of one binding is waited for; the hands carry it on if need be

Verb = Annotated[str, OneOf(tuple(VERBS))]
Word = Annotated[str, Field(min_length=1, max_length=100)]
_ARGS = ("to", "deadline", "pack", "version", "recompute", "agency", "staff")


class Repair(Body):
    """What to do, why, and what that verb must be told."""

    model_config = example(repair="move", reason="供应商故障未被识别，恢复刷脸", to="face_check")
    repair: Verb
    reason: Reason
    to: Annotated[str | None, Field(max_length=40, description="of `move`: the state")] = None
    deadline: Annotated[str | None, Field(max_length=60, description="of `fire_now`: which")] = None
    pack: Annotated[Word | None, Field(description="of `replan`: another pack than the one pinned")] = None
    version: Annotated[Word | None, Field(description="of `replan`: of the pack")] = None
    recompute: Annotated[
        list[Word] | None, Field(max_length=50, description='of `replan`: deadlines counted anew, ["*"] is all')
    ] = None
    agency: Annotated[Region | None, Field(description="of `reassign`: which has it now")] = None
    staff: Annotated[Word | None, Field(description="of `reassign`: to whom the lease; nobody where not given")] = None
    dry_run: bool = False


class Filter(Body):
    """Which bindings: all conditions given must hold, at least one must be given."""

    model_config = example(pack="CN-national", version="2026-11-01", states=["face_check"])
    binding_ids: Annotated[list[Word] | None, Field(min_length=1, max_length=10_000)] = None
    cause: Cause | None = None
    fingerprint: Annotated[str | None, Field(min_length=1, max_length=200)] = None
    states: Annotated[list[State] | None, Field(min_length=1, max_length=13)] = None
    deadline: Word | None = None
    pack: Word | None = None
    version: Word | None = None
    product: Product | None = None
    channel: ChannelName | None = None
    region: Region | None = None


class Repairs(Repair):
    """The same for all that a filter finds, at most so many a second."""

    model_config = example(
        repair="replan", version="2027-01-01", recompute=["offline_to_counter"], reason="新版政策放宽窗口期限",
        dry_run=True, filter={"pack": "CN-national", "version": "2026-11-01"},
    )  # fmt: skip
    filter: Filter
    pace: Annotated[int, Field(ge=1, le=FASTEST)] = PACE


class Because(Body):
    """Why."""

    reason: Reason


class Withdrawal(Because):
    """Why it is not to be."""

    model_config = example(reason="范围有误")


class Undo(Because):
    """Why it is taken back."""

    model_config = example(reason="误操作")


@router.post("/v1/ops/bindings/{binding_id}/repair", summary="Repair one binding",
             **takes(Repair, **examples.tells(RepairView)))  # fmt: skip
async def repair_one(call: Operator, binding_id: str) -> Response:
    """At once where no second person is needed; with `dry_run` only the difference that it would make."""
    case, _ = await call.look(binding_id, scopes.staff)
    body, region = await call.body(Repair), case.application.region
    wanted: dict[str, Any] = {"binding_ids": [binding_id]}
    # of the grants of who asks only what it takes: a supervisor of that place may then be the second person
    near = {"region": region} if call.actor().sees(region) else {}
    return await _ordered(call, _wish(body, wanted | near, PACE), patience=PATIENCE, seen=binding_id)


@router.post("/v1/ops/repairs", summary="Repair all that a filter finds",
             **takes(Repairs, **examples.tells(RepairView)))  # fmt: skip
async def repair_many(call: Operator) -> Response:
    """Planned and carried out by the hands; with `dry_run` it stops when all is planned, until it is applied."""
    body = await call.body(Repairs)
    wish = _wish(body, body.filter.model_dump(exclude_none=True), body.pace)
    return await _ordered(call, wish, patience=0.0)


@router.get("/v1/ops/repairs", summary="Repairs, the newest first", **examples.tells(RepairPage))
async def repairs(call: Either, limit: Limit = 50, cursor: Behind = None) -> Response:
    """Those whose regions the caller is granted."""
    return answer(await call.run(shown.recent, call.office.ledger, call.caller, limit, cursor))


@router.get("/v1/ops/repairs/{repair_id}", summary="What became of a repair", **examples.tells(RepairView))
async def repair(
    call: Either,
    repair_id: str,
    limit: Limit = 50,
    cursor: Behind = None,
    state: Annotated[str | None, Query(max_length=20)] = None,
) -> Response:
    """The order, counts by state, groups of the same difference or refusal, and a page of the bindings."""
    view = await call.run(shown.repair, call.office.ledger, call.caller, repair_id, limit, cursor, state)
    return answer(view)


@router.post("/v1/ops/repairs/{repair_id}/approve", summary="The second person's yes",
             **takes(Nothing, **examples.tells(RepairView)))  # fmt: skip
async def approve(call: Supervisor, repair_id: str) -> Response:
    """By a supervisor who neither asked for it nor applied it, granted all its regions."""
    return await _told(call, repair_id, orders.approve)


@router.post("/v1/ops/repairs/{repair_id}/withdraw", summary="Let it be, before anything is done",
             **takes(Withdrawal, **examples.tells(RepairView)))  # fmt: skip
async def withdraw(call: Either, repair_id: str) -> Response:
    """By any operator or supervisor who is granted its regions; until it runs."""
    return await _told(call, repair_id, orders.withdraw, Withdrawal)


@router.post("/v1/ops/repairs/{repair_id}/apply", summary="Carry out what the dry run has shown",
             **takes(Nothing, **examples.tells(RepairView)))  # fmt: skip
async def apply(call: Operator, repair_id: str) -> Response:
    """What has moved since the dry run is left alone: `stale_version`."""
    return await _told(call, repair_id, orders.apply)


@router.post("/v1/ops/repairs/{repair_id}/pause", summary="Stop after the batch under way",
             **takes(Nothing, **examples.tells(RepairView)))  # fmt: skip
async def pause(call: Either, repair_id: str) -> Response:
    """Nothing more is done until it is resumed, or undone."""
    return await _told(call, repair_id, orders.pause)


@router.post("/v1/ops/repairs/{repair_id}/resume", summary="Go on",
             **takes(Nothing, **examples.tells(RepairView)))  # fmt: skip
async def resume(call: Either, repair_id: str) -> Response:
    """Where it stopped."""
    return await _told(call, repair_id, orders.resume)


@router.post("/v1/ops/repairs/{repair_id}/undo", summary="Take back what can be taken back",
             **takes(Undo, **examples.tells(RepairView)))  # fmt: skip
async def undo(call: Either, repair_id: str) -> Response:
    """Each binding goes back to where it stood, with its waits as they were; one that has moved since is left alone."""
    return await _told(call, repair_id, orders.undo, Undo)


# -- how they are answered ---------------------------------------------------------------------------------------


def _wish(body: Repair, wanted: dict[str, Any], pace: int) -> Wish:
    args = {name: value for name in _ARGS if (value := getattr(body, name)) is not None}
    return Wish(body.repair, body.reason, wanted, args, dry_run=body.dry_run, pace=pace)


async def _ordered(call: Call, wish: Wish, patience: float, seen: str | None = None) -> Response:
    def work(asked: Idempotency | None) -> Reply:
        order_id = orders.made(call.office.ledger, asked)
        if order_id is None:
            if seen is not None:
                call.seen(seen)
            order_id = orders.make(call.office.ledger, call.caller, wish, asked)
        return _shown(call.office, call.caller, order_id, patience)

    return await call.once(work, await call.key())


async def _told(call: Call, repair_id: str, tell: Callable[..., None], form: type[Body] = Nothing) -> Response:
    """Tell an order something, with its reason where the form has one; of one binding, wait for what comes of it."""
    await call.run(shown.known, call.office.ledger, call.caller, repair_id)  # 404 comes before a fault of form
    body = await call.body(form)
    reason = (body.reason,) if isinstance(body, Because) else ()

    def work(_: Idempotency | None) -> Reply:
        tell(call.office.ledger, call.caller, repair_id, *reason)
        view = shown.repair(call.office.ledger, call.caller, repair_id, 1)
        few = len(view["filter"].get("binding_ids") or ()) == 1
        return _shown(call.office, call.caller, repair_id, PATIENCE if few else 0.0)

    return await call.once(work, await call.key())


def _shown(office: Office, caller: Principal, order_id: str, patience: float) -> Reply:
    if patience:
        carrying.to_its_end(office.desk, order_id, patience)
    return Reply(200, dumps(shown.repair(office.ledger, caller, order_id)))
