"""Where events are pushed: endpoints, their secrets, the test button."""

import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any

import httpx
import pytest
from standardwebhooks.webhooks import Webhook, WebhookVerificationError

from tests.doors.conftest import Caller
from tests.doors.family import submitted
from workflows import answers

ENDPOINTS = "/v1/webhook-endpoints"
Letters = list[tuple[bytes, dict[str, str]]]


@pytest.fixture
def letterbox() -> Iterator[tuple[str, Letters]]:
    """A receiver on the loopback, and what it has received."""
    received: Letters = []

    class Receiver(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"]))
            received.append((body, {name.lower(): value for name, value in self.headers.items()}))
            self.send_response(204)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    with HTTPServer(("127.0.0.1", 0), Receiver) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}/hook", received
        server.shutdown()
        thread.join()


def made(client: httpx.Client, url: str, **more: Any) -> dict[str, Any]:
    answer = client.post(ENDPOINTS, json={"url": url, **more})
    assert answer.status_code == 201, answer.text
    told: dict[str, Any] = answer.json()
    return told


def verifies(secret: str, letter: tuple[bytes, dict[str, str]]) -> bool:
    try:
        Webhook(secret).verify(letter[0], letter[1])
    except WebhookVerificationError:
        return False
    return True


def test_the_secret_is_shown_once(alipay: httpx.Client, wechat: httpx.Client) -> None:
    endpoint = made(alipay, "http://127.0.0.1:9/hook", events=["binding.activated"])
    assert endpoint["secret"].startswith("whsec_")
    listed = alipay.get(ENDPOINTS)
    assert endpoint["secret"] not in listed.text
    assert [(one["id"], one["url"], one["events"]) for one in listed.json()["items"]] == [
        (endpoint["id"], "http://127.0.0.1:9/hook", ["binding.activated"])
    ]
    assert wechat.get(ENDPOINTS).json()["items"] == []
    for method, path in (("DELETE", ""), ("POST", "/test"), ("POST", "/rotate-secret")):
        assert wechat.request(method, f"{ENDPOINTS}/{endpoint['id']}{path}").status_code == 404
    assert alipay.delete(f"{ENDPOINTS}/{endpoint['id']}").status_code == 204
    assert alipay.delete(f"{ENDPOINTS}/{endpoint['id']}").status_code == 404
    assert alipay.get(ENDPOINTS).json()["items"] == []


def test_an_endpoint_and_its_secret_are_one_commit(alipay: httpx.Client, monkeypatch: pytest.MonkeyPatch) -> None:
    """Cut off before the answer, its copy is told the secret of the one that was made, and makes none."""
    told: dict[str, Any] = {"json": {"url": "http://127.0.0.1:9/hook"}, "headers": {"Idempotency-Key": "one"}}

    def dies(*_: Any) -> None:
        raise OSError

    with monkeypatch.context() as cut_off:
        cut_off.setattr(answers, "complete", dies)  # what comes after the commit
        assert alipay.post(ENDPOINTS, **told).status_code == 500
    again = alipay.post(ENDPOINTS, **told)
    assert (again.status_code, again.json()["secret"][:6]) == (201, "whsec_")
    assert [one["id"] for one in alipay.get(ENDPOINTS).json()["items"]] == [again.json()["id"]]


@pytest.mark.parametrize(
    ("body", "pointer"),
    [
        ({}, "/url"),
        ({"url": "ftp://127.0.0.1/"}, "/url"),
        ({"url": "http://169.254.169.254/latest"}, "/url"),
        ({"url": "http://user:word@127.0.0.1/"}, "/url"),
        ({"url": "nonsense"}, "/url"),
        ({"url": "http://127.0.0.1/", "events": ["binding.exploded"]}, "/events/0"),
        ({"url": "http://127.0.0.1/", "events": []}, "/events"),
    ],
)
def test_addresses_and_events_that_are_none(alipay: httpx.Client, body: dict[str, Any], pointer: str) -> None:
    refused = alipay.post(ENDPOINTS, json=body)
    assert (refused.status_code, refused.json()["errors"][0]["pointer"]) == (422, pointer)
    assert alipay.get(ENDPOINTS).json()["items"] == []


def test_a_channel_has_ten_at_most(alipay: httpx.Client) -> None:
    for _ in range(10):
        made(alipay, "http://127.0.0.1:9/")
    refused = alipay.post(ENDPOINTS, json={"url": "http://127.0.0.1:9/"})
    assert (refused.status_code, refused.json()["code"]) == (409, "too_many_endpoints")


def test_they_are_listed_page_by_page(alipay: httpx.Client) -> None:
    ids = sorted(made(alipay, "http://127.0.0.1:9/")["id"] for _ in range(3))
    first = alipay.get(ENDPOINTS, params={"limit": 2}).json()
    rest = alipay.get(ENDPOINTS, params={"limit": 2, "cursor": first["next_cursor"]}).json()
    assert [one["id"] for one in first["items"] + rest["items"]] == ids
    assert rest["next_cursor"] is None
    refused = [alipay.get(ENDPOINTS, params=wrong).json()["code"] for wrong in ({"limit": 0}, {"cursor": "zz"})]
    assert refused == ["request_invalid", "cursor_invalid"]


def test_the_test_button(alipay: httpx.Client, letterbox: tuple[str, Letters]) -> None:
    url, received = letterbox
    endpoint = made(alipay, url)
    told = alipay.post(f"{ENDPOINTS}/{endpoint['id']}/test").json()
    assert (told["delivered"], told["status"]) == (True, 204)
    assert verifies(endpoint["secret"], received[0])
    assert received[0][1]["webhook-id"] == told["id"]
    silent = made(alipay, "http://127.0.0.1:9/")
    nobody = alipay.post(f"{ENDPOINTS}/{silent['id']}/test")
    assert (nobody.status_code, nobody.json()["delivered"]) == (200, False)


def test_old_and_new_sign_for_a_day(alipay: httpx.Client, letterbox: tuple[str, Letters]) -> None:
    url, received = letterbox
    endpoint = made(alipay, url)
    path = f"{ENDPOINTS}/{endpoint['id']}"
    fresh = alipay.post(f"{path}/rotate-secret").json()
    assert fresh["secret"] != endpoint["secret"]
    alipay.post(f"{path}/test")
    assert verifies(endpoint["secret"], received[-1])
    assert verifies(fresh["secret"], received[-1])
    alipay.post("/v1/sandbox/clock/advance", json={"seconds": 86_401})
    alipay.post(f"{path}/test")
    assert not verifies(endpoint["secret"], received[-1])
    assert verifies(fresh["secret"], received[-1])
    *_, newest = [alipay.post(f"{path}/rotate-secret").json() for _ in range(12)]
    alipay.post(f"{path}/test")
    assert verifies(newest["secret"], received[-1])
    signatures = next(value for name, value in received[-1][1].items() if name.lower() == "webhook-signature")
    assert len(signatures.split()) == 5  # a header that a receiver reads


def test_events_arrive_signed(alipay: httpx.Client, as_: Caller, letterbox: tuple[str, Letters]) -> None:
    url, received = letterbox
    endpoint = made(alipay, url)
    binding_id = submitted(alipay, seed=90)["id"]
    alipay.post("/v1/sandbox/clock/advance", json={"seconds": 1})
    assert len(received) == 1
    assert verifies(endpoint["secret"], received[0])
    pulled = alipay.get("/v1/events").json()["items"][0]
    sent = httpx.Response(200, content=received[0][0]).json()
    assert sent == {name: pulled[name] for name in ("type", "timestamp", "data")}
    assert sent["data"]["binding"]["id"] == binding_id
