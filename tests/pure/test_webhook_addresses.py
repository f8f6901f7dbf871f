"""Where letters may go: to public addresses over https, and in the sandbox to this machine."""

import pytest

from tasks.webhooks import UrlNotAllowed, allowed_url


@pytest.fixture(autouse=True)
def _in_the_sandbox(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KINBIND_SANDBOX", "1")


@pytest.mark.parametrize("url", ["http://127.0.0.1:8000/x", "http://localhost/x", "https://[::1]/x"])
def test_loopback_is_for_the_sandbox(monkeypatch: pytest.MonkeyPatch, url: str) -> None:
    assert allowed_url(url)
    monkeypatch.delenv("KINBIND_SANDBOX")
    with pytest.raises(UrlNotAllowed):
        allowed_url(url)


@pytest.mark.parametrize(
    "url",
    [
        "ftp://127.0.0.1/x", "http://169.254.169.254/latest", "http://0.0.0.0/x", "nonsense", "http:///x",
        "http://me:secret@127.0.0.1/x", "http://[::ffff:169.254.169.254]/x", "http://224.0.0.1/x",
    ],
)  # fmt: skip
def test_what_is_nowhere_allowed(url: str) -> None:
    with pytest.raises(UrlNotAllowed):
        allowed_url(url)


@pytest.mark.parametrize("sandbox", ["1", "0"])
@pytest.mark.parametrize(
    "url", ["https://10.1.2.3/x", "http://10.1.2.3/x", "https://192.168.0.1/x", "https://[fd00::1]/x",
            "http://[::ffff:10.1.2.3]/x", "http://1.1.1.1/x",
            # what carries a private address within, and what stands for a protocol
            "https://[64:ff9b::a01:203]/x", "https://[64:ff9b:1::a01:203]/x", "https://[2002:a01:203::1]/x",
            "https://[::a01:203]/x", "https://[::7f00:1]/x", "https://[2001:0:a01:203::1]/x", "https://[fec0::1]/x",
            "https://192.0.0.8/x", "https://192.88.99.1/x"]
)  # fmt: skip
def test_inner_networks_are_for_nobody_and_plain_http_stays_on_this_machine(
    monkeypatch: pytest.MonkeyPatch, url: str, sandbox: str
) -> None:
    monkeypatch.setenv("KINBIND_SANDBOX", sandbox)
    with pytest.raises(UrlNotAllowed):
        allowed_url(url)


def test_a_public_address_is_allowed_in_production(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("KINBIND_SANDBOX")
    assert allowed_url("https://1.1.1.1/x") == ["1.1.1.1"]
