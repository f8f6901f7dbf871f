"""Where reviewers work: the queue, the lease, the decisions."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query, Response
from pydantic import Field

from api import examples
from api.answered import BindingView
from api.answered_staff import ReviewCase, ReviewHeld, ReviewPage
from api.call import Call, answer, asks
from api.deciding import Decision, facts, open_doors
from api.shapes import Behind, Body, Limit, Note, Nothing, Reason, example, takes
from policies.words import Kind
from workflows import leases
from workflows.access import scopes
from workflows.commands import Idempotency, Reply
from workflows.views import worklists
from workflows.views.public import dumps

router = APIRouter(tags=["reviews"])
Reviewer = Annotated[Call, Depends(asks("reviewer"))]
Returner = Annotated[Call, Depends(asks("reviewer", "supervisor"))]
RegionAsked = Annotated[str | None, Query(pattern=r"^[0-9]{6}$", description="within the regions granted")]


class Approve(Body):
    """Yes."""

    model_config = example(note="材料齐全")
    note: Note | None = None


class Reject(Body):
    """No, with a reason from the plan's list."""

    model_config = example(reason="relation_unproven", note="户口簿不能证明双方关系")
    reason: Reason
    note: Note | None = None


class Item(Body):
    """One thing to mend."""

    kind: Kind
    reason: Reason
    note: Note | None = None


class Return(Body):
    """All faults in one notice."""

    model_config = example(
        reason="material_unreadable",
        items=[{"kind": "household_register_member_page", "reason": "material_unreadable", "note": "请重新拍摄"}],
        note="请在十个工作日内补正",
    )
    reason: Reason
    items: Annotated[list[Item], Field(min_length=1, max_length=30)]
    note: Note | None = None


class Escalate(Body):
    """To a supervisor, with a word why."""

    model_config = example(note="疑似冒用，提请督办")
    note: Note


@router.get("/v1/reviews", summary="The queue, nearest due first", **examples.tells(ReviewPage))
async def queue(
    call: Reviewer,
    region: RegionAsked = None,
    status: worklists.Status = "open",
    overdue: bool | None = None,  # noqa: FBT001 - a query parameter
    limit: Limit = 50,
    cursor: Behind = None,
) -> Response:
    """The cases that await a decision in the reviewer's regions."""
    wanted = worklists.Wanted(region, overdue, limit, cursor)
    return answer(await call.run(worklists.review_queue, call.office.desk, call.actor(), wanted, status))


@router.get("/v1/reviews/{binding_id}", summary="The case", **examples.tells(ReviewCase))
async def case(call: Reviewer, binding_id: str) -> Response:
    """The view with its timeline, face checks, lists of reasons, and what else the two people have."""
    shown = await call.run(worklists.review_case, call.office.desk, binding_id, call.actor())
    return answer(shown, headers={"ETag": f'"{shown["version"]}"'})


@router.post(
    "/v1/reviews/{binding_id}/claim",
    summary="Take the lease for fifteen minutes",
    **takes(Nothing, **examples.tells(ReviewHeld)),
)
async def claim(call: Reviewer, binding_id: str) -> Response:
    """The view with the lease; 409 `claimed_by_other` while another holds it."""
    return await _lease(call, binding_id, leases.claim)


@router.post(
    "/v1/reviews/{binding_id}/release", summary="Give the lease back", **takes(Nothing, **examples.tells(ReviewHeld))
)
async def release(call: Reviewer, binding_id: str) -> Response:
    """The view without the lease."""
    return await _lease(call, binding_id, leases.release)


open_doors(router, "/v1/reviews/{binding_id}", "reviewer", (
    Decision("approve", "approve", Approve, "Approve", "The plan goes on: what it asks next, or into force."),
    Decision("reject", "reject", Reject, "Reject", "The application ends; the family may apply anew."),
))  # fmt: skip


@router.post(
    "/v1/reviews/{binding_id}/return", summary="Return for correction", **takes(Return, **examples.tells(BindingView))
)
async def return_for_correction(call: Returner, binding_id: str) -> Response:
    """All faults in one notice; the review clock stops meanwhile.

    A fault that could be seen when the case was returned before is 409 `supervisor_required`: a supervisor returns it.
    """
    await _as_whom(call, binding_id)
    return await call.command("return_for_correction", binding_id, Return, facts)


@router.post("/v1/reviews/{binding_id}/escalate", summary="Escalate", **takes(Escalate, **examples.tells(BindingView)))
async def escalate(call: Reviewer, binding_id: str) -> Response:
    """A supervisor sees it; the reviewer keeps the case."""
    done = await call.command("escalate", binding_id, Escalate, facts)
    await call.run(leases.keep_alive, call.office.desk, binding_id, call.actor())
    return done


async def _as_whom(call: Call, binding_id: str) -> None:
    """Who is both reviewer and supervisor speaks as the reviewer of what he holds or returned himself."""
    if len(call.roles) == 1:
        return
    case, now = await call.look(binding_id, scopes.staff)
    told, lease, caller = case.progress.faults_told, case.lease, call.caller.id
    his_own = told is None or told.by == f"reviewer:{caller}" or (lease and lease.holder(now) == caller)
    call.roles = ("reviewer",) if his_own else ("supervisor",)


async def _lease(call: Call, binding_id: str, change: Any) -> Response:
    await call.look(binding_id, scopes.reviews)
    await call.body(Nothing)
    actor = call.actor()

    def work(_: Idempotency | None) -> Reply:
        call.seen(binding_id)
        case, now = change(call.office.desk, binding_id, actor)
        return Reply(200, dumps(worklists.with_lease(case, actor, now)), {"ETag": f'"{case.version}"'})

    return await call.freely(work, await call.key())
