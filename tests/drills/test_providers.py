"""Providers that are silent, slow, or lie: nobody comes into force on a lie, and nobody waits for ever."""

import json
import random
from collections import Counter
from collections.abc import Iterator
from contextlib import suppress
from datetime import date
from typing import Any

import pytest

from gateways.faces import ProviderDown
from gateways.registries import Unanswered
from tasks.faces import hear
from tasks.office import Office
from tests import life
from tests.drills import parts
from tests.store.invariants import check
from workflows.errors import Refused

FAMILIES = parts.size(60, 3000)
pytestmark = pytest.mark.timeout(parts.size(120, 1800))


@pytest.fixture
def office(database_url: str) -> Iterator[Office]:
    with life.office(database_url) as opened:
        yield opened


class Liar:
    """The vendor's own API, which tells the truth now and then."""

    def __init__(self, vendor: Any, rng: random.Random) -> None:
        self._vendor, self._rng = vendor, rng
        self.told: Counter[str] = Counter()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._vendor, name)

    def describe_face_verify(self, certify_id: str) -> dict[str, Any]:
        """The truth, silence, nonsense, somebody else's result, or two fields that disagree."""
        reply: dict[str, Any] = self._vendor.describe_face_verify(certify_id)
        result = reply["ResultObject"] or {}
        lie = self._rng.choice(("", "", "", "silent", "nonsense", "another", "contradiction"))
        self.told[lie or "the truth"] += 1
        if lie == "silent":
            raise ProviderDown
        if lie == "nonsense":
            return {"Code": "200", "Message": None, "ResultObject": {"Passed": "T"}}
        if lie == "another" and "UserInfo" in result:
            who = json.loads(result["UserInfo"]) | {"CertName": "王五"}
            reply["ResultObject"] = result | {"Passed": "T", "SubCode": "200", "UserInfo": json.dumps(who)}
        if lie == "contradiction" and "Passed" in result:
            reply["ResultObject"] = result | {"Passed": "T" if result["Passed"] == "F" else "F"}
        return reply


def family(n: int) -> dict[str, Any]:
    """The n-th of any number of families, everyone in them another person."""
    years, seed = divmod(n, 900)
    return {"seed": seed, "holder_born": date(1980 + years, 3, 7), "member_born": date(1950 + years, 1, 2)}


def test_a_camera_that_lies(office: Office) -> None:
    rng = random.Random(7)
    faces = life.faces(office)
    liar = faces._vendor = Liar(faces._vendor, rng)
    truth: dict[str, str] = {}
    for n in range(FAMILIES):
        binding_id = life.to_state(office, "face_check", **family(n))
        truth[binding_id] = rng.choice(("passed", "no_match", "user_cancelled"))
        callback = faces.complete(life.start_face(office, binding_id)["reference"], truth[binding_id])
        for _ in range(rng.randrange(3)):
            with suppress(Refused, KeyError):  # nonsense is a fault of ours to log, and is asked about again
                hear(office, "sandbox", callback.headers, callback.body, {})
    life.advance(office, hours=23)
    states = {one: life.look(office, one).state for one in truth}
    assert {truth[one] for one, state in states.items() if state == "active"} == {"passed"}
    assert {states[one] for one, end in truth.items() if end != "passed"} <= {"face_check", "offline_fallback"}
    active = sum(state == "active" for state in states.values())
    life.advance(office, hours=30)  # outages that it made itself believed in are over by then
    assert not [one for one in truth if life.look(office, one).state == "face_check"]
    check(office)
    parts.prove(office.ledger.url)
    passed = sum(end == "passed" for end in truth.values())
    parts.figures("a camera that lies", {"families": FAMILIES, "passed in truth": passed, "in force": active})
    parts.figures("what it told", dict(liar.told))


class Moody:
    """Registries that are silent, break, or answer."""

    def __init__(self, registries: Any, rng: random.Random) -> None:
        self._registries, self._rng = registries, rng
        self.moods: Counter[str] = Counter()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._registries, name)

    def person(self, *asked: Any) -> Any:
        """An answer, in one of three questions."""
        mood = self._rng.choice(("answers", "silent", "breaks"))
        self.moods[mood] += 1
        if mood == "silent":
            raise Unanswered
        if mood == "breaks":
            raise ValueError("a registry's page in place of its answer")
        return self._registries.person(*asked)


def test_registries_in_a_mood(office: Office) -> None:
    moody = Moody(office.windows.registries, random.Random(3))
    object.__setattr__(office.windows, "registries", moody)
    made = [life.to_state(office, "materials_uploaded", **family(n)) for n in range(parts.size(12, 1500))]
    hours = 0
    while left := [one for one in made if life.look(office, one).state == "materials_uploaded"]:
        life.advance(office, hours=1)
        hours += 1
        assert hours < 24, f"{len(left)} of {len(made)} still wait"
    assert {life.look(office, one).state for one in made} == {"face_check"}
    assert {life.events(office, one).count("registry_answered") for one in made} == {1}
    check(office)
    parts.prove(office.ledger.url)
    parts.figures("registries in a mood", {"families": len(made), "hours until all had passed": hours} | moody.moods)


def test_registries_that_never_answer_lead_to_a_clerk(office: Office) -> None:
    life.registries(office).set_mode("down")
    made = [life.to_state(office, "materials_uploaded", seed=seed) for seed in range(parts.size(3, 500))]
    days = 0
    while {life.look(office, one).state for one in made} != {"offline_fallback"}:
        life.advance(office, days=1)
        days += 1
        assert days < 14, "three working days, in whatever holiday"
    found = parts.prove(office.ledger.url)
    assert found.counted["deadlines fired"] == len(made)
    parts.figures("registries silent for days", {"families": len(made), "days until all were sent to a clerk": days})
