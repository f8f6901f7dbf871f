"""What tests of repairs order and read."""

from typing import Any

import httpx

from tasks.office import Office
from tests.doors.conftest import Caller


def repaired(client: httpx.Client, binding_id: str, repair: str, **told: Any) -> dict[str, Any]:
    """What became of the repair of one binding."""
    body = {"repair": repair, "reason": "看过日志，确认可行", **told}
    answer = client.post(f"/v1/ops/bindings/{binding_id}/repair", json=body)
    assert answer.status_code == 200, answer.text
    return answer.json()


def approved(as_: Caller, made: dict[str, Any]) -> dict[str, Any]:
    assert made["state"] == "awaiting_approval", made
    answer = as_("supervisor").post(f"/v1/ops/repairs/{made['id']}/approve", json={})
    assert answer.status_code == 200, answer.text
    return answer.json()


def only(made: dict[str, Any], state: str = "done", code: str | None = None) -> dict[str, Any]:
    (item,) = made["items"]
    assert (item["state"], item["code"]) == (state, code), made
    return item


def last_line(office: Office, binding_id: str) -> tuple[str, str, str | None, str | None]:
    with office.ledger.connection() as conn:
        row = conn.execute(
            "select event, actor, reason, note from history where binding_id = %s order by sequence desc limit 1",
            (binding_id,),
        ).fetchone()
    assert row is not None
    return row


def told_to(client: httpx.Client, made: dict[str, Any], said: str, **body: Any) -> httpx.Response:
    return client.post(f"/v1/ops/repairs/{made['id']}/{said}", json=body)
