"""Webhooks: signed, at least once, in order for each binding, tried for three days, and never to the wrong place."""

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any

import pytest

from tasks import deliver as hands
from tasks import feed
from tasks.deliver import SCHEDULE, deliver, send_again, tell
from tasks.feed import fan_out
from tasks.office import Office
from tests import life
from tests.life import advance, look, to_state
from tests.logs import logged
from tests.receiver import Letter, Receiver, receiving
from workflows import endpoints
from workflows.errors import Refused


@pytest.fixture
def office(database_url: str) -> Iterator[Office]:
    with life.office(database_url) as opened:
        yield opened


@pytest.fixture
def receiver(office: Office) -> Iterator[Receiver]:
    with receiving() as made:
        yield made
        assert not made.faults


def listen(office: Office, receiver: Receiver, channel: str = "alipay", events: list[str] | None = None) -> str:
    """An endpoint of the channel at the receiver; its id."""
    made = life.endpoint(office.desk, receiver.url, events, channel)
    receiver.secrets.append(made["secret"])
    return str(made["id"])


def deliveries(office: Office) -> list[dict[str, Any]]:
    with office.ledger.connection() as conn:
        cursor = conn.execute("select * from deliveries order by binding_id, sequence, id")
        names = [column.name for column in cursor.description or ()]
        return [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]


def post_all(office: Office) -> None:
    fan_out(office)
    while deliver(office):
        pass


# -- what is sent ----------------------------------------------------------------------------------------


def test_every_line_is_a_letter_in_order_and_as_of_then(office: Office, receiver: Receiver) -> None:
    listen(office, receiver)
    binding_id = to_state(office, "active")
    post_all(office)
    version = look(office, binding_id).version
    assert receiver.sequences(binding_id) == list(range(1, version + 1))
    first, last = receiver.letters[0], receiver.letters[-1]
    assert (first.type, first.data["binding"]["state"]) == ("binding.submitted", "submitted")
    assert first.data["binding"]["waiting_on"]["for"] == "materials"
    assert first.data["binding"]["materials"] == []
    assert "available_actions" not in first.data["binding"]
    assert (last.type, last.data["binding"]["state"]) == ("binding.activated", "active")
    assert [one.data["binding"]["version"] for one in receiver.letters] == list(range(1, version + 1))
    assert all(one["state"] == "delivered" for one in deliveries(office))


def test_transactions_are_counted_and_not_spelled(
    office: Office, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    """From the 99th to the 100th no line is passed over, wherever a batch ends."""
    monkeypatch.setattr(feed, "BATCH", 2)
    listen(office, receiver)
    binding_id = to_state(office, "active")
    with office.ledger.connection() as conn:
        conn.execute("update history set xid = (96 + sequence)::text::xid8")
    post_all(office)
    assert receiver.sequences(binding_id) == list(range(1, look(office, binding_id).version + 1))


def test_an_endpoint_hears_only_its_events_and_only_from_its_beginning_on(office: Office, receiver: Receiver) -> None:
    before = to_state(office, "submitted", seed=1)
    listen(office, receiver, events=["binding.submitted"])
    post_all(office)
    assert receiver.letters == []
    after = to_state(office, "face_check", seed=2)
    post_all(office)
    assert [one.place for one in receiver.letters] == [(after, 1)]
    assert before != after


def test_another_channel_s_binding_is_none_of_its_business(office: Office, receiver: Receiver) -> None:
    listen(office, receiver, channel="wechat")
    to_state(office, "submitted")
    post_all(office)
    assert deliveries(office) == []


def test_a_party_learns_of_it_in_every_channel_that_has_acted_for_him(office: Office, receiver: Receiver) -> None:
    listen(office, receiver, channel="wechat")
    book = office.desk.book
    life.submit(office, life.a_request(book, seed=3), "wechat")  # this holder has used wechat
    theirs = life.submit(office, life.a_request(book, seed=4, holder_seed=3), "alipay")
    post_all(office)
    notices = [one for one in receiver.letters if one.type == "binding.party_notice"]
    assert [one.place for one in notices] == [(theirs, 1)]
    assert [notices[0].data[name] for name in ("event", "reason", "parties")] == ["submitted", None, ["holder"]]


def test_both_secrets_sign_while_one_is_rotated(office: Office, receiver: Receiver) -> None:
    endpoint = listen(office, receiver)
    fresh = life.fresh_secret(office.desk, endpoint)
    to_state(office, "submitted")
    post_all(office)
    assert len(receiver.letters[0].headers["webhook-signature"].split()) == 2
    receiver.secrets = [fresh]
    life.skip(office, hours=25)
    to_state(office, "submitted", seed=1)
    post_all(office)
    assert len(receiver.letters[1].headers["webhook-signature"].split()) == 1


def test_the_test_button_says_what_came_of_it(office: Office, receiver: Receiver) -> None:
    endpoint = listen(office, receiver)
    trial = hands.test_delivery(office, endpoint)
    assert (trial.answer.delivered, trial.answer.status) == (True, 204)
    assert [(one.id, one.type) for one in receiver.letters] == [(trial.id, "webhook.test")]
    receiver.answer = lambda _: 500
    trial = hands.test_delivery(office, endpoint)
    assert (trial.answer.delivered, trial.answer.error) == (False, "http_500")
    with pytest.raises(Refused, match="not_found"):
        hands.test_delivery(office, "whe_nowhere")


# -- what goes wrong -------------------------------------------------------------------------------------


def test_it_is_tried_again_with_the_same_bytes_by_the_service_s_clock(office: Office, receiver: Receiver) -> None:
    listen(office, receiver)
    receiver.answer = lambda _: 500
    to_state(office, "submitted")
    post_all(office)
    post_all(office)
    assert len(receiver.letters) == 1
    advance(office, seconds=6)
    receiver.answer = lambda _: 204
    advance(office, seconds=331)
    assert len(receiver.letters) == 3
    assert {one.body for one in receiver.letters} == {receiver.letters[0].body}
    assert {one.id for one in receiver.letters} == {receiver.letters[0].id}
    assert abs(receiver.letters[-1].timestamp - receiver.letters[0].timestamp) < 60  # real time, not the clock's


def test_a_failing_one_holds_back_the_later_ones_of_its_binding_alone(office: Office, receiver: Receiver) -> None:
    listen(office, receiver)
    bad, good = to_state(office, "face_check", seed=1), to_state(office, "face_check", seed=2)
    receiver.answer = lambda letter: 500 if letter.place == (bad, 2) else 204
    post_all(office)
    assert receiver.sequences(bad) == [1, 2]
    assert receiver.sequences(good) == [1, 2, 3]
    receiver.answer = lambda _: 204
    advance(office, seconds=6)
    assert receiver.sequences(bad) == [1, 2, 2, 3]


def test_after_three_days_it_is_put_aside_and_the_later_ones_go_on(office: Office, receiver: Receiver) -> None:
    listen(office, receiver)
    binding_id = to_state(office, "face_check")
    receiver.answer = lambda letter: 500 if letter.place[1] == 1 else 204
    advance(office, days=2, hours=23)
    assert set(receiver.sequences(binding_id)) == {1}
    advance(office, hours=13)
    parked, *others = deliveries(office)
    assert (parked["state"], parked["last_error"], parked["attempts"]) == ("parked", "http_500", len(SCHEDULE) + 1)
    assert {one["state"] for one in others} == {"delivered"}
    assert receiver.sequences(binding_id) == [1] * (len(SCHEDULE) + 1) + [2, 3]
    receiver.answer = lambda _: 204
    send_again(office.ledger, parked["id"])
    post_all(office)
    assert receiver.letters[-1].place == (binding_id, 1)
    assert receiver.letters[-1].body == receiver.letters[0].body
    assert {one["state"] for one in deliveries(office)} == {"delivered"}


def test_one_that_is_sent_again_in_vain_is_put_aside_at_once(office: Office, receiver: Receiver) -> None:
    listen(office, receiver)
    to_state(office, "submitted")
    receiver.answer = lambda _: 500
    advance(office, days=4)
    parked = deliveries(office)[0]
    send_again(office.ledger, parked["id"])
    post_all(office)
    assert deliveries(office)[0]["state"] == "parked"
    with pytest.raises(Refused, match="not_found"):
        send_again(office.ledger, "dlv_nowhere")


def test_gone_disables_the_endpoint(office: Office, receiver: Receiver) -> None:
    endpoint = listen(office, receiver)
    receiver.answer = lambda _: 410
    to_state(office, "face_check")
    post_all(office)
    assert len(receiver.letters) == 1
    assert [one["state"] for one in deliveries(office)] == ["parked"] * 3
    assert endpoints.of_channel(office.desk, "alipay")[0]["disabled_at"] is not None
    with pytest.raises(Refused, match="endpoint_disabled"):
        send_again(office.ledger, deliveries(office)[0]["id"])
    to_state(office, "submitted", seed=1)
    post_all(office)
    assert len(deliveries(office)) == 3
    assert endpoint


def test_retry_after_is_honoured(office: Office, receiver: Receiver) -> None:
    listen(office, receiver)
    receiver.answer = lambda _: (429, {"Retry-After": "3600"})
    to_state(office, "submitted")
    post_all(office)
    after = deliveries(office)[0]["next_at"] - office.ledger.now()
    assert timedelta(minutes=59) < after <= timedelta(hours=1)


def test_a_redirect_is_a_failure(office: Office, receiver: Receiver) -> None:
    listen(office, receiver)
    receiver.answer = lambda _: (302, {"Location": receiver.url})
    to_state(office, "submitted")
    post_all(office)
    assert len(receiver.letters) == 1
    assert deliveries(office)[0]["last_error"] == "http_302"


def test_nobody_there_is_a_failure_too(office: Office) -> None:
    life.endpoint(office.desk, "http://127.0.0.1:9/hook")
    to_state(office, "submitted")
    post_all(office)
    assert deliveries(office)[0]["last_error"] == "connection_failed"


def test_a_slow_endpoint_stops_nobody(office: Office, receiver: Receiver) -> None:
    listen(office, receiver)
    let_go = threading.Event()
    with receiving() as slow:
        slow.answer = lambda _: 204 if let_go.wait(14) else 500
        slow.secrets.append(life.endpoint(office.desk, slow.url)["secret"])
        for seed in range(8):
            to_state(office, "submitted", seed=seed)
        fan_out(office)
        for _ in range(100):
            deliver(office, patience=0.1)
            if let_go.wait(0.02) or len(receiver.letters) == 8:
                break
        assert len(receiver.letters) == 8
        assert len(slow.letters) <= 4  # and none of them answered yet
        let_go.set()
        advance(office, seconds=10)
        wait_for_all(office)
        assert len(slow.letters) == 8


def wait_for_all(office: Office) -> None:
    pause = threading.Event()
    for _ in range(100):
        if all(one["state"] == "delivered" for one in deliveries(office)):
            return
        deliver(office)
        pause.wait(0.05)
    raise AssertionError(deliveries(office))


# -- doubled, and late -----------------------------------------------------------------------------------


def test_two_hands_at_once_bring_each_letter_once_and_in_order(office: Office, receiver: Receiver) -> None:
    listen(office, receiver)
    made = [to_state(office, "active", seed=seed) for seed in range(4)]

    def work(_: int) -> None:
        fan_out(office)
        while deliver(office):
            pass

    with ThreadPoolExecutor(3) as pool:
        list(pool.map(work, range(3)))
    post_all(office)
    for binding_id in made:
        assert receiver.sequences(binding_id) == list(range(1, look(office, binding_id).version + 1))


def test_what_commits_late_is_not_skipped(office: Office, receiver: Receiver) -> None:
    listen(office, receiver)
    late = to_state(office, "submitted", seed=1)
    with office.ledger.transaction() as conn:  # a step that has its number, and is not there yet
        conn.execute("update history set note = null where binding_id = %s", (late,))
        conn.execute(
            "insert into history (binding_id, sequence, event, to_state, at, actor, after, hash, channel)"
            " select binding_id, 2, 'withdrawn', 'withdrawn', at, actor, after, hash, channel"
            " from history where binding_id = %s and sequence = 1",
            (late,),
        )
        early = to_state(office, "submitted", seed=2)
        fan_out(office)
        assert early not in {one["binding_id"] for one in deliveries(office)}  # it came after, so it waits
    fan_out(office)
    assert [(one["binding_id"], one["sequence"]) for one in deliveries(office)] == [(late, 1), (late, 2), (early, 1)]


def test_fanning_out_twice_makes_no_second_letter(office: Office, receiver: Receiver) -> None:
    listen(office, receiver)
    to_state(office, "face_check")
    assert fan_out(office) == 3
    assert fan_out(office) == 0
    with office.ledger.connection() as conn:
        conn.execute("update feed_cursors set xid = '0', id = 0")
    fan_out(office)
    assert len(deliveries(office)) == 3


def test_a_channel_whose_lines_break_keeps_nobody_s_letters_back(
    office: Office, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = feed._write

    def write(conn: Any, channel: str, lines: list[feed.Line]) -> None:
        if channel == "alipay":
            raise ZeroDivisionError(channel)
        real(conn, channel, lines)

    for channel in ("alipay", "wechat"):
        listen(office, receiver, channel)
    book = office.desk.book
    pending = life.submit(office, life.a_request(book, seed=1), "alipay")
    fan_out(office)
    broken = life.submit(office, life.a_request(book, seed=2), "alipay")
    another = life.submit(office, life.a_request(book, seed=3), "wechat")
    with monkeypatch.context() as meanwhile, logged(feed) as said:
        meanwhile.setattr(feed, "_write", write)
        with pytest.raises(ZeroDivisionError):
            tell(office, patience=20)
    assert [(one["event"], one["channel"]) for one in said] == [("fan_out_failed", "alipay")]
    assert {one.place for one in receiver.letters} == {(pending, 1), (another, 1)}
    tell(office, patience=20)  # it has lost nothing by it
    assert {one.place for one in receiver.letters} == {(one, 1) for one in (pending, another, broken)}


def test_whoever_dies_on_the_way_is_followed_by_another(office: Office, receiver: Receiver) -> None:
    listen(office, receiver)
    to_state(office, "submitted")
    fan_out(office)
    with office.ledger.connection() as conn:  # claimed by one who never came back
        conn.execute("update deliveries set attempts = 1, leased_until = clock_timestamp() + interval '1 minute'")
        assert deliver(office) == 0
        conn.execute("update deliveries set leased_until = clock_timestamp() - interval '1 second'")
    assert deliver(office) == 1
    assert len(receiver.letters) == 1


def test_what_was_brought_and_could_not_be_noted_is_said_and_brought_again(
    office: Office, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    listen(office, receiver)
    to_state(office, "submitted")
    fan_out(office)
    with monkeypatch.context() as here, logged(hands) as said:
        here.setattr(hands, "_DELIVERED", "update mislaid set state = 'delivered'")
        assert deliver(office) == 1
    (letter,) = deliveries(office)
    assert [(one["event"], one["delivery_id"]) for one in said] == [("delivery_not_noted", letter["id"])]
    with office.ledger.connection() as conn:
        conn.execute("update deliveries set leased_until = clock_timestamp() - interval '1 second'")
    post_all(office)
    assert [one.id for one in receiver.letters] == [letter["id"]] * 2
    assert deliveries(office)[0]["state"] == "delivered"


def test_what_comes_behind_a_letter_that_waits_waits_with_it(office: Office, receiver: Receiver) -> None:
    listen(office, receiver)
    receiver.answer = lambda _: (503, {"Retry-After": "3600"})
    binding_id = to_state(office, "submitted")
    post_all(office)
    life.hand_in(office, binding_id)
    fan_out(office)
    head, behind = deliveries(office)
    assert behind["next_at"] == head["next_at"] > office.ledger.now() + timedelta(minutes=59)
    receiver.answer = lambda _: 204
    life.skip(office, hours=1, seconds=1)
    post_all(office)
    assert receiver.sequences(binding_id) == [1, 1, 2]


def test_letters_are_told_apart() -> None:
    letter = Letter("dlv_1", 0, "x", b'{"data": {"sequence": 1, "binding": {"id": "b"}}}', {}, "/")
    assert letter.place == ("b", 1)
