"""The test button under an attacker's hand: a few at a time, and an address that is none is the caller's fault."""

import socket
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import httpx
import pytest

ENDPOINTS = "/v1/webhook-endpoints"


@pytest.fixture
def silent() -> Iterator[socket.socket]:
    """A receiver that lets us connect and says nothing."""
    with socket.create_server(("127.0.0.1", 0), backlog=16) as listening:
        listening.settimeout(10)
        yield listening


def endpoint(client: httpx.Client, url: str) -> str:
    return str(client.post(ENDPOINTS, json={"url": url}).json()["id"])


def test_two_tests_at_a_time(alipay: httpx.Client, wechat: httpx.Client, silent: socket.socket) -> None:
    url = f"http://127.0.0.1:{silent.getsockname()[1]}/hook"
    path, theirs = f"{ENDPOINTS}/{endpoint(alipay, url)}/test", f"{ENDPOINTS}/{endpoint(wechat, url)}/test"
    with ThreadPoolExecutor(3) as pool:
        under_way = [pool.submit(alipay.post, path) for _ in range(2)]
        held = [silent.accept()[0] for _ in range(2)]
        refused = alipay.post(path)
        other = pool.submit(wechat.post, theirs)
        held.append(silent.accept()[0])
        for one in held:
            one.close()
        answers = [one.result(10) for one in [*under_way, other]]
    assert (refused.status_code, refused.json()["code"]) == (429, "too_many_tests")
    assert int(refused.headers["Retry-After"]) > 0
    assert [(one.status_code, one.json()["error"]) for one in answers] == [(200, "connection_failed")] * 3
    with ThreadPoolExecutor(1) as pool:  # the places are free again
        again = pool.submit(alipay.post, path)
        silent.accept()[0].close()
        assert again.result(10).status_code == 200


def test_eight_tests_in_all(alipay: httpx.Client, silent: socket.socket, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("api.endpoints.TESTS.in_all", 1)
    path = f"{ENDPOINTS}/{endpoint(alipay, f'http://127.0.0.1:{silent.getsockname()[1]}/')}/test"
    with ThreadPoolExecutor(1) as pool:
        first = pool.submit(alipay.post, path)
        held = silent.accept()[0]
        assert alipay.post(path).status_code == 429
        held.close()
        assert first.result(10).status_code == 200


def test_a_name_that_cannot_be_read_is_refused(alipay: httpx.Client) -> None:
    refused = alipay.post(ENDPOINTS, json={"url": "https://xn--/"})
    assert (refused.status_code, refused.json()["code"]) == (422, "url_not_allowed")
