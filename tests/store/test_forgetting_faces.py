"""Face providers keep no attempt for longer than it may be asked about, nor longer than a dispute takes."""

from collections.abc import Iterator

import pytest

from tasks import forgetting
from tasks.faces import poll_faces
from tasks.office import Office
from tasks.upkeep import keep_up
from tests import life
from tests.store.invariants import check
from workflows.access import rights
from workflows.access.principals import Principal

SUPERVISOR = Principal("stf_country", "staff", "陈主任", None, ("supervisor",), ("000000",), "own-2")


@pytest.fixture
def office(database_url: str) -> Iterator[Office]:
    with life.office(database_url) as opened:
        yield opened
        check(opened)


def member(office: Office, binding_id: str) -> str:
    """Whom it is about, by his blind index."""
    return life.look(office, binding_id).application.member


def kept_by_provider(office: Office) -> set[str]:
    """The references of all sessions of which the provider keeps anything."""
    with office.ledger.connection() as conn:
        return {row[0] for row in conn.execute("select certify_id from sandbox.face_sessions")}


def attempted(office: Office, seed: int = 0) -> str:
    """A binding in force after a face that failed and one that passed; its id."""
    binding_id = life.to_state(office, "face_check", seed=seed)
    life.end_face(office, life.start_face(office, binding_id), "no_match")
    life.pass_face(office, binding_id)
    return binding_id


def test_a_provider_keeps_no_attempt_for_longer_than_it_may_be_asked_about(office: Office) -> None:
    binding_id = attempted(office)
    keep_up(office)
    assert len(kept_by_provider(office)) == 2
    life.skip(office, days=2, minutes=1)
    keep_up(office)
    assert kept_by_provider(office) == set()
    assert [one["status"] for one in life.sessions(office, binding_id)] == ["failed", "passed"]  # here what came of it


def test_a_provider_that_is_down_is_asked_again_where_it_was(office: Office, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(forgetting, "BATCH", 1)
    attempted(office, 1)
    life.skip(office, days=3)
    life.faces(office).set_mode("down")
    keep_up(office)
    life.faces(office).set_mode("up")
    with monkeypatch.context() as broken:
        broken.setattr(life.faces(office), "forget", lambda _: 1 / 0)
        keep_up(office)
    assert len(kept_by_provider(office)) == 2
    attempted(office, 2)
    keep_up(office)
    assert len(kept_by_provider(office)) == 2  # those of today


def test_what_is_forgotten_once_is_not_asked_for_again(office: Office, monkeypatch: pytest.MonkeyPatch) -> None:
    attempted(office)
    life.skip(office, days=3)
    keep_up(office)
    attempted(office, 2)
    life.skip(office, days=3)
    asked: list[str] = []
    monkeypatch.setattr(life.faces(office), "forget", asked.append)
    keep_up(office)
    assert len(asked) == len(set(asked)) == 2


def test_what_a_dispute_is_about_is_kept_until_it_is_over(office: Office) -> None:
    persons = [member(office, attempted(office))]
    rights.hold(office.desk, SUPERVISOR, persons, "(2026) 1")
    life.skip(office, days=3)
    keep_up(office)
    assert len(kept_by_provider(office)) == 2
    rights.release(office.desk, SUPERVISOR, persons, "over")
    keep_up(office)
    assert kept_by_provider(office) == set()


def test_one_that_an_adapter_stumbles_over_keeps_no_other(office: Office, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(forgetting, "BATCH", 1)
    attempted(office)
    life.skip(office, days=3)
    real, bad = life.faces(office).forget, min(kept_by_provider(office))

    def forget(reference: str) -> None:
        if reference == bad:
            raise RuntimeError(reference)
        real(reference)

    with monkeypatch.context() as stumbling:
        stumbling.setattr(life.faces(office), "forget", forget)
        keep_up(office)
    assert kept_by_provider(office) == {bad}
    keep_up(office)
    assert kept_by_provider(office) == set()


def test_an_outcome_that_is_not_known_yet_is_still_there_to_be_asked_for(office: Office) -> None:
    binding_id = life.to_state(office, "face_check")
    life.start_face(office, binding_id)
    life.skip(office, days=4)
    keep_up(office)
    assert len(kept_by_provider(office)) == 1


def test_an_attempt_that_ended_in_the_providers_fault_is_forgotten_too(office: Office) -> None:
    binding_id = life.to_state(office, "face_check")
    life.end_face(office, life.start_face(office, binding_id), "provider_down")
    life.say(office, "withdraw", binding_id)
    for _ in range(8):
        life.skip(office, hours=12)
        poll_faces(office)
    keep_up(office)
    assert kept_by_provider(office) == set()


def test_an_attempt_of_somebody_erased_is_asked_about_no_more(office: Office) -> None:
    binding_id = life.to_state(office, "face_check")
    life.start_face(office, binding_id)
    life.say(office, "withdraw", binding_id)
    rights.erase(office.desk, SUPERVISOR, [member(office, binding_id)], "asked")
    life.skip(office, hours=1)
    assert poll_faces(office) == 0
    assert [one["status"] for one in life.sessions(office, binding_id)] == ["expired"]
