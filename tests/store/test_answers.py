"""Keys that are reserved while something is done outside the desk: whose they are, and who may complete them."""

from collections.abc import Iterator

import pytest
from msgspec.structs import replace

from models.ids import new_id
from tasks.office import Office
from tests import life
from tests.store.invariants import check
from workflows import answers, materials
from workflows.commands import Command, Idempotency, Reply
from workflows.errors import Refused
from workflows.materials import Document

ASKED = Idempotency("alipay", "k1", "f1")
REPLY = Reply(200, b"{}")


@pytest.fixture
def office(database_url: str) -> Iterator[Office]:
    with life.office(database_url) as opened:
        yield opened
        check(opened)


def reserved(office: Office, asked: Idempotency = ASKED, lease_seconds: int = 60) -> Idempotency:
    """The key, reserved by this call."""
    ours = answers.reserve(office.ledger, office.desk.keys, asked, lease_seconds)
    assert isinstance(ours, Idempotency)
    return ours


def test_who_comes_late_gives_back_and_completes_nothing_of_whoever_took_over(office: Office) -> None:
    late, second = reserved(office), reserved(office, lease_seconds=0)
    answers.release(office.ledger, late)
    answers.complete(office.ledger, office.desk.keys, late, Reply(200, b'"late"'))
    with pytest.raises(Refused, match="idempotency_in_progress"):  # the second is at work, so nobody else may be
        reserved(office)
    answers.complete(office.ledger, office.desk.keys, second, REPLY)
    kept = answers.reserve(office.ledger, office.desk.keys, ASKED)
    assert isinstance(kept, Reply)
    assert (kept.body, kept.replayed) == (REPLY.body, True)


def test_a_document_is_added_once_though_the_first_was_taken_for_dead(office: Office) -> None:
    binding_id = life.to_state(office, "submitted")
    late, second = reserved(office), reserved(office, lease_seconds=0)

    def add(asked: Idempotency) -> Reply:
        made = Document(new_id("mat", office.ledger.now()), "other", "0" * 64, 1, "image/jpeg", 1, 1)
        return materials.add(office.desk, binding_id, life.channel(), made, lambda *_: True, asked)

    with pytest.raises(Refused, match="idempotency_in_progress"):
        add(late)
    before = len(life.look(office, binding_id).materials)
    assert add(second).status == 201
    assert len(life.look(office, binding_id).materials) == before + 1


def test_a_key_reserved_for_one_request_answers_no_other(office: Office) -> None:
    binding_id, ours = life.to_state(office, "face_check"), reserved(office)
    other = Command("withdraw", binding_id, life.channel(), idempotency=replace(ASKED, fingerprint="f2"))
    with pytest.raises(Refused, match="idempotency_key_reused"):
        office.desk.say(other)
    assert life.look(office, binding_id).state == "face_check"
    assert not office.desk.say(replace(other, idempotency=ours)).answer().replayed
