"""Receivers that redirect, refuse, limit, hang, answer too late or not at all; a relay that stood still for a day."""

import random
import threading
import time
from collections import Counter, defaultdict
from collections.abc import Iterator

import pytest

from tasks import webhooks
from tasks.deliver import deliver
from tasks.feed import fan_out
from tasks.office import Office
from tests import life
from tests.drills import parts
from tests.receiver import Letter, Receiver, receiving

FAMILIES = parts.size(8, 200)
DEADLINE = 0.25  # seconds for an attempt in the bad week
AT_MOST = 10  # attempts of a letter

pytestmark = pytest.mark.timeout(parts.size(120, 1800))


@pytest.fixture
def office(database_url: str) -> Iterator[Office]:
    with life.office(database_url) as opened:
        yield opened


class Consumer:
    """A channel's server in a bad week: each attempt meets something else; it keeps each letter once, by its id."""

    def __init__(self, rng: random.Random, letting: threading.Event) -> None:
        self._rng, self._lock, self._over = rng, threading.Lock(), letting
        self.met: Counter[str] = Counter()
        self.attempts: Counter[str] = Counter()
        self.kept: dict[str, Letter] = {}
        self.order: dict[str, list[int]] = defaultdict(list)

    def __call__(self, letter: Letter) -> tuple[int, dict[str, str]] | int:
        with self._lock:
            mood = self._rng.choice(("ok", "ok", "ok", "moved", "limited", "broken", "late", "hangs"))
            self.met[mood] += 1
            self.attempts[letter.id] += 1
            if mood in ("ok", "late"):  # what comes too late has arrived all the same
                self._keep(letter)
        if mood in ("late", "hangs"):
            self._over.wait(DEADLINE * 2)
        answers: dict[str, tuple[int, dict[str, str]] | int] = {
            "ok": 204, "late": 200, "hangs": 500, "moved": (301, {"location": "/elsewhere"}),
            "limited": (429, {"retry-after": "7"}), "broken": 500,
        }  # fmt: skip
        return answers[mood]

    def _keep(self, letter: Letter) -> None:
        if letter.id in self.kept:
            assert self.kept[letter.id].body == letter.body
        else:
            self.kept[letter.id] = letter
            binding_id, sequence = letter.place
            self.order[binding_id].append(sequence)


def listen(office: Office, receiver: Receiver) -> None:
    receiver.secrets.append(life.endpoint(office.desk, receiver.url)["secret"])


_NEXT = """
select min(greatest(d.next_at, e.rests_until)) - kinbind_now()
from deliveries d join webhook_endpoints e on e.id = d.endpoint_id where d.state = 'pending'
"""


def settle(office: Office) -> None:
    """Bring all that is due until everything has arrived or was put aside, letting days pass."""
    for _ in range(25 * FAMILIES):
        fan_out(office)
        while deliver(office):
            pass
        with office.ledger.connection() as conn:
            row = conn.execute(_NEXT).fetchone()
        if row is None or row[0] is None:
            return
        life.skip(office, seconds=max(row[0].total_seconds(), 0.0) + 1)
    raise AssertionError("never settled")


def test_a_bad_week(office: Office, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(webhooks, "DEADLINE", DEADLINE)
    over = threading.Event()
    with receiving() as receiver:
        listen(office, receiver)
        consumer = receiver.answer = Consumer(random.Random(11), over)
        made = [life.to_state(office, "active", seed=seed) for seed in range(FAMILIES)]
        settle(office)
        over.set()
    assert not receiver.faults
    assert max(consumer.attempts.values()) <= AT_MOST
    lines = sum(len(life.events(office, one)) for one in made)
    with office.ledger.connection() as conn:
        ends = dict(conn.execute("select state, count(*) from deliveries group by 1").fetchall())
    assert sum(ends.values()) == lines
    places = [letter.place for letter in consumer.kept.values()]
    assert len(places) == len(set(places)), "one line came under two ids"
    if "parked" not in ends:
        assert all(consumer.order[one] == sorted(consumer.order[one]) for one in made)
        assert len(places) == lines
    parts.prove(office.ledger.url)
    parts.figures("a bad week", {"lines": lines, "attempts": consumer.attempts.total()} | ends | dict(consumer.met))


def test_the_relay_stood_still_for_a_day(office: Office) -> None:
    with receiving() as receiver:
        listen(office, receiver)
        for hour in range(24):
            life.to_state(office, "active", seed=hour)
            life.skip(office, hours=1)
        at_once = busiest = 0
        lock = threading.Lock()

        def answer(_: Letter) -> int:
            nonlocal at_once, busiest
            with lock:
                at_once += 1
                busiest = max(busiest, at_once)
            time.sleep(0.005)
            with lock:
                at_once -= 1
            return 204

        receiver.answer = answer
        begun = time.monotonic()
        settle(office)
        took = time.monotonic() - begun
    places = [letter.place for letter in receiver.letters]
    assert len(places) == len(set(places)) == 24 * 6
    for binding_id in {one for one, _ in places}:
        assert receiver.sequences(binding_id) == [1, 2, 3, 4, 5, 6]
    assert busiest <= 4, "no herd: so many at the same time and no more"
    parts.prove(office.ledger.url)
    parts.figures("a day's letters at once", f"{len(places)} in {took:.1f} s, at most {busiest} at the same time")
