"""A receiver that drips, or is dead, costs itself time and nobody else."""

import contextlib
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from tasks import advance as clock
from tasks import webhooks
from tasks.deliver import deliver
from tasks.feed import fan_out
from tasks.office import Office
from tasks.webhooks import Letter, UrlNotAllowed, allowed_url, post
from tests import life
from tests.life import advance, look, to_state
from tests.receiver import receiving


@pytest.fixture
def office(database_url: str) -> Iterator[Office]:
    with life.office(database_url) as opened:
        yield opened


@contextmanager
def dripping() -> Iterator[str]:
    """A receiver that sends a byte of a header every twentieth of a second, and never the last; its address."""
    over = threading.Event()

    def drip(conn: socket.socket) -> None:
        with conn, contextlib.suppress(OSError):
            conn.sendall(b"HTTP/1.1 200 OK\r\nx-slow: ")
            while not over.wait(0.05):
                conn.sendall(b"x")

    def accept() -> None:
        with contextlib.suppress(OSError):
            while True:
                threading.Thread(target=drip, args=(listening.accept()[0],), daemon=True).start()

    with socket.create_server(("127.0.0.1", 0), backlog=64) as listening:
        thread = threading.Thread(target=accept, daemon=True)
        thread.start()
        try:
            yield f"http://127.0.0.1:{listening.getsockname()[1]}/hook"
        finally:
            over.set()
            listening.shutdown(socket.SHUT_RDWR)
            thread.join(5)


def number(office: Office, statement: str) -> int:
    with office.ledger.desk() as conn:
        row = conn.execute(statement).fetchone()
    assert row is not None
    return int(row[0])


def test_an_attempt_ends_at_its_deadline_however_the_answer_drips(
    office: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(webhooks, "DEADLINE", 0.5)
    with dripping() as url:
        begun = time.monotonic()
        answer = post(Letter("dlv_1", url, ["whsec_aaaa"], int(time.time()), b"{}"))
        assert 0.4 < time.monotonic() - begun < 5
    assert (answer.status, answer.error) == (None, "timeout")


def test_the_deadline_is_shorter_than_the_lease() -> None:
    # connecting and the handshake may each last their own timeout before the watch gets hold of the socket
    assert max(webhooks.DEADLINE, 2 * webhooks.TIMEOUT) < 60


def test_nine_that_drip_do_not_hold_up_the_tenth(office: Office, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(webhooks, "DEADLINE", 5.0)
    with dripping() as slow, receiving() as good:
        for _ in range(9):
            life.endpoint(office.desk, slow)
        good.secrets.append(life.endpoint(office.desk, good.url)["secret"])
        for seed in range(4):
            to_state(office, "submitted", seed=seed)
        fan_out(office)
        begun = time.monotonic()
        while len(good.letters) < 4 and time.monotonic() - begun < 4:
            deliver(office, patience=0.1)
        assert len(good.letters) == 4  # and none of the others has ended
        assert number(office, "select count(*) from deliveries where last_error is not null") == 0
        pause = threading.Event()
        while number(office, "select count(*) from deliveries where leased_until > clock_timestamp()"):
            assert time.monotonic() - begun < 30
            pause.wait(0.1)
        assert number(office, "select count(*) from deliveries where last_error = 'timeout'") >= 28
        assert not good.faults


def test_dead_endpoints_do_not_set_the_pace_of_the_clock(office: Office, monkeypatch: pytest.MonkeyPatch) -> None:
    life.endpoint(office.desk, "http://127.0.0.1:9/hook")
    made = [to_state(office, "submitted", seed=seed) for seed in range(12)]
    monkeypatch.setattr(clock, "PATIENCE", 0.0)
    advance(office, days=40)
    assert {look(office, one).state for one in made} == {"expired"}
    # ten tries each fall into these days: with no time for them, one is made, at the end
    assert number(office, "select max(attempts) from deliveries") == 1
    assert number(office, "select count(*) from deliveries where attempts = 1") == 12


@pytest.mark.parametrize(
    "url", ["https://xn--/", "https://xn--a/", "http://127.0.0.1:99999/", "http://127.0.0.1:0/", "https://a..b/"]
)
def test_a_name_or_port_that_is_none_is_refused(office: Office, url: str) -> None:
    with pytest.raises(UrlNotAllowed):
        allowed_url(url)
