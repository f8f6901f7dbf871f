"""What was consented to: for the channel that applied, and for staff who must be able to show it."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends, Response

from api import examples
from api.answered_uses import ConsentPage
from api.call import Call, answer, asks
from workflows.access.principals import ROLES
from workflows.views import consents

router = APIRouter(tags=["bindings"])


@router.get("/v1/bindings/{binding_id}/consents", summary="What was consented to", **examples.tells(ConsentPage))
async def accepted(call: Annotated[Call, Depends(asks("channel", *ROLES))], binding_id: str) -> Response:
    """Each notice that the applicant accepted, in the words of its version, by whom and when."""
    case, _ = await call.look(binding_id)
    return answer(await call.run(consents.recorded, call.office.desk, case, call.language))
