"""The console's edges: what no browser would send, what nobody may hold, and what ends with a session."""

import re
import socket
from collections.abc import Iterator
from itertools import islice
from typing import Any

import httpx
import pytest

from console import live
from tasks.office import Office
from tests import life
from tests.doors.visitor import Comes, Visitor, in_review, text_of
from workflows.access import accounts, principals
from workflows.case import AGENCY_REVIEW, OFFLINE_FALLBACK
from workflows.views import pacing

URLENCODED = "application/x-www-form-urlencoded"
BUSY = 2  # hashes at once


@pytest.fixture
def guest(comes: Comes) -> Visitor:
    """Somebody before the sign-in form."""
    visitor = comes("")
    visitor.get("/sign-in")
    return visitor


def parts(login: bytes, name: bytes = b"login") -> bytes:
    """The body of a form in parts, whose boundary is `b`."""
    return b'--b\r\nContent-Disposition: form-data; name="' + name + b'"\r\n\r\n' + login + b"\r\n--b--\r\n"


def sends(visitor: Visitor, path: str, kind: str, body: bytes) -> httpx.Response:
    return visitor.http.post(path, content=body, headers={"Content-Type": kind, "X-CSRF": visitor.csrf})


# -- documents that there are not -----------------------------------------------------------------------------------


def test_nobody_is_asked_for_a_document_that_cannot_be(comes: Comes, office: Office) -> None:
    reviewer, binding_id = comes("reviewer"), in_review(office)
    assert reviewer.post(f"/reviews/{binding_id}/claim").status_code == 303
    version = life.look(office, binding_id).version
    for kind, status in (("nonsense<script>", 422), ("commitment_letter\0", 400)):
        ticked = {"tick": ["commitment_letter", kind], f"reason.{kind}": "material_unreadable",
                  "reason.commitment_letter": "letter_unsigned"}  # fmt: skip
        sent = {"action": "return", "version": version} | ticked
        assert reviewer.post(f"/reviews/{binding_id}/decide", fields=sent).status_code == status
        assert reviewer.post(f"/reviews/{binding_id}/message", fields=ticked).status_code == status
    with office.ledger.connection() as conn:
        assert conn.execute("select count(*) from held_decisions").fetchone() == (0,)
    assert life.look(office, binding_id).state == AGENCY_REVIEW


# -- what browsers keep ---------------------------------------------------------------------------------------------


def test_only_a_file_as_it_is_now_is_kept_by_browsers(reviewer: Visitor) -> None:
    """Not what another release calls by the same name, and no page, whatever it is asked with."""
    found = re.search(r'src="/console(/static/console\.js)\?v=(\w+)"', reviewer.get("/reviews").text)
    assert found is not None
    name, hashed = found.groups()
    kept = reviewer.http.get(f"{name}?v={hashed}")
    assert (kept.status_code, kept.headers["cache-control"]) == (200, "public, max-age=31536000, immutable")
    still = reviewer.http.get(f"{name}?v={hashed}", headers={"if-none-match": kept.headers["etag"]})
    assert (still.status_code, still.headers["cache-control"]) == (304, kept.headers["cache-control"])
    others = (f"{name}?v=deadbeef", name, f"/static/nosuch.js?v={hashed}",
              f"/reviews/static/sheet?v={hashed}")  # fmt: skip
    for path in others:
        assert reviewer.http.get(path).headers["cache-control"] == "no-store", path


# -- limits ---------------------------------------------------------------------------------------------------------


def test_staff_have_one_limit_for_both_doors(settings: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> None:
    settings.setenv("KINBIND_RATE_LIMIT", "6/3600")
    office: Office = request.getfixturevalue("office")
    visitor: Visitor = request.getfixturevalue("comes")("reviewer")
    binding_id = in_review(office)
    asked = {"field": "member.id_number", "purpose": "identify_person"}
    seen = [visitor.post(f"/reviews/{binding_id}/reveal", fields=asked).status_code for _ in range(4)]
    seen += [visitor.post("/reviews/search", q="440106198403078883").status_code, visitor.get("/reviews").status_code]
    assert seen == [200] * 4 + [303, 200]
    over = visitor.get("/reviews", **{"X-Live": "1"})  # a page may say of itself what it likes
    assert (over.status_code, "操作过于频繁" in text_of(over)) == (429, True)
    assert visitor.post(f"/reviews/{binding_id}/reveal", fields=asked).status_code == 429
    with office.ledger.connection() as conn:
        assert conn.execute("select count(*) from access_log where act like 'reveal%'").fetchone() == (4,)
    called = request.getfixturevalue("as_")("reviewer").get("/v1/reviews")
    assert (called.status_code, called.json()["code"]) == (429, "rate_limited")
    assert request.getfixturevalue("comes")("counter").get("/counter").status_code == 200


# -- characters that there are not ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("kind", "body", "status"),
    [
        (URLENCODED, b"login=a%00b&password=x", 400),
        (URLENCODED, b"login=a&password=x%00", 400),
        (URLENCODED, b"login=a&lo%00gin=b", 400),
        (URLENCODED, b"login=%ED%A0%80", 400),  # half a character
        (URLENCODED, b"login=\xff", 400),
        ("multipart/form-data; boundary=b", parts(b"a\0b"), 400),
        ("multipart/form-data; boundary=b", parts(b"a", b"lo\0gin"), 400),
        ("multipart/form-data; boundary=b", parts("李娜".encode("gbk")), 400),
        ("multipart/form-data; charset=utf-7; boundary=b", parts(b"a+2AA-b"), 401),
        ("multipart/form-data; boundary=b; charset=unicode_escape", parts(rb"\ud800"), 401),
        ("multipart/form-data; boundary=b; charset=utf_16", parts("李娜".encode()), 401),
    ],
)
def test_what_nobody_types_is_refused_before_it_is_used(guest: Visitor, kind: str, body: bytes, status: int) -> None:
    assert sends(guest, "/sign-in", kind, body).status_code == status


def test_a_form_is_utf8_whatever_it_calls_itself(guest: Visitor) -> None:
    for charset in ("", "; charset=gbk", "; charset=latin-1"):
        page = sends(guest, "/sign-in", f"multipart/form-data; boundary=b{charset}", parts("李娜".encode()))
        assert (page.status_code, 'value="李娜"' in page.text) == (401, True), charset


def test_a_zero_character_is_no_fault_of_ours_in_any_room(comes: Comes, office: Office) -> None:
    ticket = life.to_state(office, OFFLINE_FALLBACK)
    clerk, operator = comes("counter"), comes("operator")
    verified = {"version": life.look(office, ticket).version, "method": "document_reader", "subjects": ["member\0"]}
    assert clerk.post(f"/counter/{ticket}/verify", fields=verified).status_code == 400
    assert life.look(office, ticket).state == OFFLINE_FALLBACK
    ticked = {"reach": "ticked", "binding_ids": ["\0"], "repair": "rearm", "reason": "x"}
    assert operator.post("/ops/repairs", fields=ticked).status_code == 400
    for sent, status in (("%00", 400), ("%ED%A0%80", 200)):  # half a character is read as one that is unknown
        assert operator.get(f"/ops/stuck?fingerprint={sent}").status_code == status
    assert clerk.post("/counter/find", fields={"code": "\0"}).status_code == 400


# -- a front door that others cannot lock ---------------------------------------------------------------------------


def test_who_waits_in_vain_was_not_wrong(guest: Visitor, office: Office, monkeypatch: pytest.MonkeyPatch) -> None:
    _, password = accounts.add(office.ledger, "zhao.min", "赵敏", ["operator"], ["000000"])
    monkeypatch.setattr(accounts, "_PATIENCE", 0.01)
    for _ in range(BUSY):
        assert accounts._AT_ONCE.acquire(timeout=5)
    try:
        busy = [guest.post("/sign-in", login="zhao.min", password=password) for _ in range(accounts.MOST_WRONG + 1)]
    finally:
        for _ in range(BUSY):
            accounts._AT_ONCE.release()
    assert {answer.status_code for answer in busy} == {503}
    monkeypatch.undo()
    assert guest.post("/sign-in", login="zhao.min", password=password).status_code == 303


# -- streams --------------------------------------------------------------------------------------------------------


@pytest.fixture
def restless(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(live, "LOOK", 0.1)
    monkeypatch.setattr(live, "TICK", 0.1)


def begun(stream: httpx.Response) -> Iterator[str]:
    """The lines of a stream that has told something already."""
    lines = (line for line in stream.iter_lines() if line)
    assert [next(lines), next(lines)] == ["retry: 3000", "event: tick"]
    return lines


@pytest.mark.usefixtures("restless")
@pytest.mark.parametrize("how", ["sign-out", "revoked"])
def test_a_stream_ends_with_its_session(comes: Comes, office: Office, how: str) -> None:
    operator = comes("operator")
    with operator.http.stream("GET", "/live") as stream:
        lines = begun(stream)
        if how == "revoked":
            principals.revoke(office.ledger, "sandbox-operator")
        else:
            assert operator.post("/sign-out").status_code == 303
        life.to_state(office, "submitted")
        assert len(list(islice(lines, 10))) < 10


@pytest.mark.usefixtures("restless")
def test_somebody_has_so_many_streams(comes: Comes, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(live, "MOST", 2)
    mine, others = comes("operator"), comes("supervisor")

    def opened(visitor: Visitor) -> Any:
        return visitor.http.stream("GET", "/live")

    with opened(others) as other, opened(mine) as oldest, opened(mine) as second:
        lines = {name: begun(stream) for name, stream in (("other", other), ("oldest", oldest), ("second", second))}
        with opened(mine) as newest:
            begun(newest)
            assert len(list(islice(lines["oldest"], 20))) < 20
            for name in ("other", "second"):
                assert len(list(islice(lines[name], 20))) == 20, name


@pytest.mark.usefixtures("restless")
def test_while_somebody_listens_answers_are_kept_warm(comes: Comes, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(live, "WARMING", 0.05)
    warmed: list[object] = []
    monkeypatch.setattr(pacing, "keep_warm", warmed.append)
    with comes("reviewer").http.stream("GET", "/live") as stream:  # whoever it is, and whatever his pages need
        lines = begun(stream)
        while len(warmed) < 2:
            next(lines)


# -- large bodies ---------------------------------------------------------------------------------------------------


def announced(base_url: str, path: str, cookie: str) -> str:
    """The first line of the answer to somebody who says that nine megabytes will come, and sends none."""
    host, port = re.findall(r"//([^:]+):(\d+)", base_url)[0]
    with socket.create_connection((host, int(port)), timeout=10) as wire:
        wire.sendall(
            f"POST /console{path} HTTP/1.1\r\nHost: x\r\nCookie: kinbind_session={cookie}\r\n"
            "Content-Type: multipart/form-data; boundary=b\r\nContent-Length: 9000000\r\n\r\n".encode()
        )
        return wire.recv(4096).split(b"\r\n")[0].decode()


def test_nothing_is_read_of_whoever_may_not_send(comes: Comes, base_url: str) -> None:
    reviewer = comes("reviewer").http.cookies["kinbind_session"]
    assert " 401" in announced(base_url, "/counter/bnd_1/upload", "x" * 43)  # and is told where he can sign in
    assert " 403" in announced(base_url, "/counter/bnd_1/upload", reviewer)


def test_who_has_not_signed_in_sends_little(guest: Visitor, comes: Comes, office: Office) -> None:
    ticket, clerk = life.to_state(office, OFFLINE_FALLBACK), comes("counter")
    large = {"file": ("scan.pdf", b"%PDF-1.7 " + b"x" * 200_000)}
    for path in ("/sign-in", "/sandbox-sign-in", "/set-up", "/language"):
        assert guest.post(path, files=large).status_code == 413, path
    refused = clerk.post(f"/counter/{ticket}/upload", files=large, kind="commitment_letter")
    assert refused.status_code != 413, text_of(refused)  # it was read, and looked at
