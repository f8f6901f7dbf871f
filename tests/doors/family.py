"""Families as channel apps send them: applications as JSON, photographs, and the steps of a life over HTTP."""

import functools
import io
import itertools
import secrets
from typing import Any

import httpx
from PIL import Image

from policies.book import lawbook
from tests import life
from workflows.submission import Person

_numbers = itertools.count(1)


def application(seed: int | None = None, **options: Any) -> dict[str, Any]:
    """A valid application as JSON, of people of its own; `options` as for `life.a_request`."""
    made = life.a_request(lawbook(), seed=next(_numbers) if seed is None else seed, **options)
    body: dict[str, Any] = {
        "product": made.product,
        "method": made.method,
        "relationship": made.relationship,
        "initiator": made.initiator,
        "holder": _person(made.holder),
        "member": _person(made.member),
        "consents": made.consents,
    }
    if made.birth_certificate is not None:
        given = made.birth_certificate
        body["birth_certificate"] = {
            "number": given.number,
            "mother_name": given.mother_name,
            "mother_id_number": given.mother_id_number,
        }
    return body


def _person(person: Person) -> dict[str, Any]:
    told = {"name": person.name, "id_type": person.id_type, "insured_region": person.insured_region}
    if person.id_number is not None:
        told["id_number"] = person.id_number
    if person.birth_date is not None:
        told["birth_date"] = person.birth_date.isoformat()
    return told


def key() -> dict[str, str]:
    """A fresh idempotency key, as a header."""
    return {"Idempotency-Key": f'"{secrets.token_hex(16)}"'}


def picture(kind: str = "JPEG", size: tuple[int, int] = (64, 48)) -> bytes:
    """A photograph that decodes whole."""
    held = io.BytesIO()
    Image.effect_noise(size, 40).convert("RGB").save(held, kind)
    return held.getvalue()


@functools.cache
def _photograph() -> bytes:
    """The one that is handed in where a test is about something else."""
    return picture()


def submitted(client: httpx.Client, body: dict[str, Any] | None = None, **options: Any) -> dict[str, Any]:
    """The view of an application just made."""
    answer = client.post("/v1/bindings", json=body or application(**options), headers=key())
    assert answer.status_code == 201, answer.text
    return view(answer)


def view(answer: httpx.Response) -> dict[str, Any]:
    """The JSON of an answer."""
    body: dict[str, Any] = answer.json()
    return body


def uploaded(client: httpx.Client, binding_id: str, kind: str, content: bytes | None = None) -> httpx.Response:
    """The answer to an upload; the name of the file lies."""
    file = ("../../photo.exe", content or _photograph(), "application/x-msdownload")
    return client.post(f"/v1/bindings/{binding_id}/materials", data={"kind": kind}, files={"file": file})


def with_materials(client: httpx.Client, made: dict[str, Any]) -> None:
    """Upload what the plan asks for."""
    for group in made["plan"]["materials"]:
        for kind in group["any_of"][0]:
            answer = uploaded(client, made["id"], kind)
            assert answer.status_code == 201, answer.text


def act(client: httpx.Client, binding_id: str, action: str, **body: Any) -> httpx.Response:
    """The answer to an action."""
    return client.post(f"/v1/bindings/{binding_id}/actions/{action}", json=body)
