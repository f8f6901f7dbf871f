"""What was consented to: for the channel that applied, and for staff who must be able to show it."""

from __future__ import annotations

from fastapi import APIRouter, Response

from api import examples
from api.answered_uses import ConsentPage
from api.call import Anyone, answer
from workflows.views import consents

router = APIRouter(tags=["bindings"])


@router.get("/v1/bindings/{binding_id}/consents", summary="What was consented to", **examples.tells(ConsentPage))
async def accepted(call: Anyone, binding_id: str) -> Response:
    """Each notice that the applicant accepted, in the words of its version, by whom and when."""
    case, _ = await call.look(binding_id)
    return answer(await call.run(consents.recorded, call.office.desk, case, call.language))
