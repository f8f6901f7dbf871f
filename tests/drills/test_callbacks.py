"""Callbacks doubled and shuffled, from eight threads: each session counts once, each family ends where it should."""

import random
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import date, timedelta

import pytest

from gateways.sandbox.vendor import Callback
from models.ids import new_id
from tasks.faces import hear
from tasks.office import Office
from tests import life
from tests.drills import parts
from workflows.case import SYSTEM
from workflows.commands import Command

CALLBACKS = parts.size(600, 100_000)
BATCH = 100  # families brought before the camera in one call
# callbacks shuffled and called: what is older than five minutes would be refused as forged
TOGETHER = min(CALLBACKS, 2_000)
THREADS = 8
OUTCOMES = ("passed", "passed", "passed", "no_match", "user_cancelled", "liveness_failed", "provider_down")

pytestmark = pytest.mark.timeout(parts.size(120, 3600))


@pytest.fixture
def office(database_url: str) -> Iterator[Office]:
    with life.office(database_url, size=THREADS) as opened:
        yield opened


def before_the_camera(office: Office, first: int, count: int) -> list[str]:
    """Bring families to their face check, in batches as the API would; the ids of their bindings."""
    book, now = office.desk.book, office.ledger.now()
    ids = [new_id("bnd", now) for _ in range(count)]
    days = [timedelta(days=(first + n) // 999) for n in range(count)]
    requests = [
        life.a_request(book, seed=(first + n) % 999, member_born=date(1950, 1, 1) + days[n],
                       holder_born=date(1980, 1, 1) + days[n])
        for n in range(count)
    ]  # fmt: skip
    facts = [{"request": request, "channel": "alipay"} for request in requests]
    told = [Command("submit", one, life.channel(), fact) for one, fact in zip(ids, facts, strict=True)]
    for outcome in office.desk.serve(told):
        outcome.unwrap()
    for one in ids:
        life.give_materials(office, one)
    for said, actor in (("submit_materials", life.channel()), ("registries_answered", SYSTEM)):
        for outcome in office.desk.serve([Command(said, one, actor) for one in ids]):
            outcome.unwrap()
    return ids


def callbacks(office: Office, rng: random.Random, ends: dict[str, str]) -> Iterator[list[Callback]]:
    """Of every session two, some thousands together; `ends` gets how each family's session ended."""
    for start in range(0, CALLBACKS // 2, TOGETHER // 2):
        made: list[Callback] = []
        for first in range(start, start + TOGETHER // 2, BATCH):
            for binding_id in before_the_camera(office, first, BATCH):
                reference = life.start_face(office, binding_id)["reference"]
                ends[binding_id] = rng.choice(OUTCOMES)
                made += [life.faces(office).complete(reference, ends[binding_id])] * 2
        rng.shuffle(made)
        yield made


def test_doubled_and_shuffled(office: Office) -> None:
    ends: dict[str, str] = {}
    called = 0

    def call(callback: Callback) -> None:
        hear(office, "sandbox", callback.headers, callback.body, {})

    with ThreadPoolExecutor(THREADS) as threads:
        for made in callbacks(office, random.Random(8), ends):
            called += len(list(threads.map(call, made)))
    assert called == CALLBACKS
    expected = {one: "active" if end == "passed" else "face_check" for one, end in ends.items()}
    with office.ledger.connection() as conn:
        found = dict(conn.execute("select id, state from bindings").fetchall())
        answers = conn.execute(
            "select count(*) from history where event in ('face_check_passed', 'face_check_failed')"
        ).fetchone()
    assert found == expected
    assert answers is not None
    assert answers[0] == sum(end != "provider_down" for end in ends.values())
    parts.prove(office.ledger.url)
    parts.figures("callbacks", {"called": called, "sessions": len(ends), "lines": answers[0]})
