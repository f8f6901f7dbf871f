"""A receiver that drips, or is dead, costs itself time and nobody else."""

import contextlib
import socket
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from tasks import advance as clock
from tasks import deliver as deliveries
from tasks import webhooks
from tasks.deliver import PER_ENDPOINT, deliver
from tasks.feed import fan_out
from tasks.office import Office
from tasks.webhooks import Answer, Letter, UrlNotAllowed, allowed_url, post
from tests import life
from tests.life import advance, look, to_state
from tests.receiver import receiving
from workflows.repairs import verbs


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


def endpoint_of(office: Office) -> str:
    with office.ledger.connection() as conn:
        row = conn.execute("select id from webhook_endpoints").fetchone()
    assert row is not None
    return str(row[0])


def number(office: Office, statement: str) -> int:
    with office.ledger.connection() as conn:
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


class Hanging:
    """A receiver that answers nothing in time, as long as `hangs`; what it was asked by."""

    def __init__(self) -> None:
        self.hangs = True
        self.asked: list[str] = []

    def __call__(self, letter: Letter) -> Answer:
        self.asked.append(letter.id)
        return Answer(error="timeout") if self.hangs else Answer(204)

    def asked_by(self, office: Office) -> int:
        """How many letters go out to it in one call."""
        before = len(self.asked)
        deliver(office)
        return len(self.asked) - before


@pytest.fixture
def hanging(office: Office, monkeypatch: pytest.MonkeyPatch) -> Hanging:
    """One to which the letters of eight bindings are to be brought."""
    receiver = Hanging()
    monkeypatch.setattr(deliveries, "post", receiver)
    life.endpoint(office.desk, "http://127.0.0.1:9/hook")
    for seed in range(8):
        to_state(office, "submitted", seed=seed)
    fan_out(office)
    return receiver


def test_one_that_hangs_is_asked_by_one_letter_at_a_time_until_it_answers(office: Office, hanging: Hanging) -> None:
    assert (hanging.asked_by(office), hanging.asked_by(office)) == (PER_ENDPOINT, 0)
    for seconds, asked in ((0, 0), (60, 1), (20, 0), (60, 1)):  # as long again as it has hung
        life.skip(office, seconds=seconds)
        assert hanging.asked_by(office) == asked
    assert len(set(hanging.asked)) == 6, "those that have not been tried come first"
    hanging.hangs = False
    life.skip(office, minutes=5)
    assert [hanging.asked_by(office) for _ in range(3)] == [1, PER_ENDPOINT, 3]
    assert number(office, "select count(*) from deliveries where state = 'delivered'") == 8


def test_what_one_that_hangs_has_not_taken_for_three_days_is_put_aside(office: Office, hanging: Hanging) -> None:
    hanging.asked_by(office)
    life.skip(office, days=3)
    new = to_state(office, "submitted", seed=9)
    with office.ledger.connection() as conn:  # its letters wait behind one that has been tried nine times
        (behind,) = conn.execute(
            "update deliveries set next_at = kinbind_now() + interval '9 hours'"
            " where id in (select max(id) from deliveries where attempts = 0) returning binding_id"
        ).fetchone() or ("",)
    life.say(office, "withdraw", behind)
    fan_out(office)
    life.skip(office, hours=4)
    assert hanging.asked_by(office) == 1
    assert number(office, "select count(*) from deliveries where state = 'pending' and next_at > kinbind_now()") == 0
    with office.ledger.connection() as conn:
        found = conn.execute("select binding_id, state, last_error from deliveries").fetchall()
    assert Counter((state, error) for binding_id, state, error in found if binding_id != new) == {
        ("parked", "given_up"): 7, ("parked", "timeout"): 1, ("pending", None): 1}  # fmt: skip
    assert [(state, error) for binding_id, state, error in found if binding_id == new] == [("pending", None)]
    assert hanging.asked_by(office) == 0, "it rests"
    put_aside = deliveries.put_aside(office.ledger, 9)
    deliveries.send_again(office.ledger, put_aside[0]["id"])
    with office.ledger.transaction() as conn:
        verbs.resend(conn, put_aside[1]["binding_id"])
    assert hanging.asked_by(office) > 0, "whoever sends again is not kept waiting"
    life.skip(office, hours=1)
    hanging.asked_by(office)
    assert number(office, "select count(*) from deliveries where state = 'parked'") == 7, "one has three days more"


def test_one_that_hangs_for_a_single_letter_is_asked_about_the_others(office: Office, hanging: Hanging) -> None:
    hanging.asked_by(office)
    hanging.hangs = False
    life.skip(office, days=4)
    while hanging.asked_by(office):
        pass
    assert number(office, "select count(*) from deliveries where state = 'delivered'") == 8


def test_the_test_button_ends_the_rest_of_one_that_answers_again(office: Office, hanging: Hanging) -> None:
    hanging.asked_by(office)
    hanging.hangs = False
    assert hanging.asked_by(office) == 0
    assert deliveries.test_delivery(office, endpoint_of(office)).answer.delivered
    assert hanging.asked_by(office) == PER_ENDPOINT


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
