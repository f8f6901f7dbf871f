"""Somebody at the console, as a browser without scripts: follows no link by himself, sends forms with their token."""

import re
from collections.abc import Callable
from html import unescape
from typing import Any

import httpx

from tasks.office import Office
from tests import life
from tests.doors.family import picture
from tests.wire import NO_AUTHORITIES
from workflows.access import principals, sessions
from workflows.case import AGENCY_REVIEW


class Visitor:
    """One browser: its cookies, and the token of the page it has seen last."""

    def __init__(self, base_url: str) -> None:
        self.http = httpx.Client(base_url=f"{base_url}/console", timeout=30, verify=NO_AUTHORITIES)
        self.csrf = ""

    def get(self, path: str, **headers: str) -> httpx.Response:
        return self._seen(self.http.get(path, headers=headers))

    def post(self, path: str, files: Any = None, csrf: str | None = None, **fields: Any) -> httpx.Response:
        """Send a form; fields whose name is no word of Python's come in `fields={…}`."""
        sent = {"csrf": self.csrf if csrf is None else csrf} | fields.pop("fields", {}) | fields
        return self._seen(self.http.post(path, data=sent, files=files))

    def follow(self, answer: httpx.Response) -> httpx.Response:
        """Where a form leads to."""
        assert answer.status_code == 303, (answer.status_code, text_of(answer)[:500])
        return self.get(answer.headers["location"].removeprefix("/console"))

    def sign_in_as(self, name: str) -> "Visitor":
        """Come in as one of the sandbox's staff."""
        self.get("/sign-in")
        assert self.post("/sandbox-sign-in", fields={"as": f"sandbox-{name}"}).status_code == 303
        self.get("/nowhere")  # the token of the new session
        return self

    def _seen(self, answer: httpx.Response) -> httpx.Response:
        found = re.search(r'name="csrf" value="([0-9a-f]+)"', answer.text) if "text/html" in _kind(answer) else None
        if found:
            self.csrf = found[1]
        return answer


Comes = Callable[[str], Visitor]


def somebody(comes: Comes, office: Office, roles: list[str], regions: list[str]) -> Visitor:
    """A member of staff with roles and regions of his own, signed in."""
    principal, _ = principals.create_staff(office.ledger, "某人", roles, regions)
    visitor = comes("")
    with office.ledger.connection() as conn:
        visitor.http.cookies.set("kinbind_session", sessions.begin(conn, principal.id))
    visitor.get("/nowhere")
    return visitor


def _kind(answer: httpx.Response) -> str:
    return answer.headers.get("content-type", "")


def text_of(answer: httpx.Response) -> str:
    """The words of a page, without its tags."""
    body = re.sub(r"<(script|style)\b.*?</\1>", " ", answer.text, flags=re.DOTALL)
    return " ".join(unescape(re.sub(r"<[^>]+>", " ", body)).split())


def fields_of(answer: httpx.Response, form: str) -> dict[str, str]:
    """The hidden fields of the form whose action ends so."""
    found = re.search(rf'<form[^>]*action="[^"]*{re.escape(form)}"[^>]*>(.*?)</form>', answer.text, re.DOTALL)
    assert found, f"there is no form {form}"
    return {
        name: unescape(value) for name, value in re.findall(r'type="hidden" name="([^"]+)" value="([^"]*)"', found[1])
    }


def in_review(office: Office, **options: Any) -> str:
    """A case that waits for a reviewer."""
    return life.to_state(office, AGENCY_REVIEW, **options)


def with_pictures(office: Office, binding_id: str, content: bytes | None = None) -> None:
    """Put a picture behind each of its documents, which `life` makes as rows only."""
    for material in life.look(office, binding_id).materials:
        office.windows.documents.put(material["id"], content or picture())


TICKED = {"tick": ["commitment_letter"], "reason.commitment_letter": "letter_unsigned",
          "note.commitment_letter": "第二页"}  # fmt: skip


def claimed(visitor: Visitor, binding_id: str) -> None:
    """This reviewer takes this very case."""
    assert visitor.post(f"/reviews/{binding_id}/claim").status_code == 303


def decide(visitor: Visitor, office: Office, binding_id: str, action: str, **fields: Any) -> httpx.Response:
    """What one of the three buttons sends, at the version that is."""
    version = life.look(office, binding_id).version
    return visitor.post(f"/reviews/{binding_id}/decide", fields={"action": action, "version": version} | fields)
