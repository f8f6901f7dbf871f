"""The developer's hand in the sandbox: he ends face checks as he likes, and says what the registries know."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from gateways.sandbox.faces import SandboxFaces
from gateways.sandbox.registries import SandboxRegistries
from gateways.sandbox.vendor import SessionClosed, SessionUnknown
from policies.calendar import shanghai_day
from policies.people import mask_number, parse_for_search
from tasks.faces import hear
from tasks.office import Office
from workflows.errors import Refused, not_found
from workflows.views import listing

_SESSION = "select binding_id, provider, reference from face_sessions where id = %s"


def complete(office: Office, face_check_id: str, outcome: str) -> dict[str, Any]:
    """End a session as the person before the camera would, and let the provider's callback come in; the attempt.

    Raises `Refused`: `not_found`, or 409 `face_session_closed` where it has ended otherwise or its time is over.
    """
    with office.ledger.connection() as conn:
        row = conn.execute(_SESSION, (face_check_id,)).fetchone()
    provider = office.windows.faces.get(row[1]) if row else None
    if row is None or not isinstance(provider, SandboxFaces):
        raise not_found()
    try:
        callback = provider.complete(row[2], outcome)
    except SessionUnknown:
        raise not_found() from None
    except SessionClosed:
        raise Refused("face_session_closed", 409) from None
    hear(office, provider.name, callback.headers, callback.body, {})
    case, now = office.desk.look(row[0])
    attempts = listing.face_checks(office.ledger, case, now)["items"]
    return {**next(one for one in attempts if one["id"] == face_check_id), "binding_id": row[0]}


def put_person(office: Office, id_number: str, told: Mapping[str, Any]) -> dict[str, Any]:
    """Tell the registries of a person; what is not told stays. `told` as in `SandboxRegistries.put_person`.

    Raises `NotAllowed` with `id_number_invalid`.
    """
    registries = office.windows.registries
    if not isinstance(registries, SandboxRegistries):
        raise not_found()
    number = parse_for_search(id_number, shanghai_day(office.ledger.now()))[0].number
    registries.put_person(number, told)
    return {"id_number": mask_number(number), "told": sorted(told)}
