"""The chain of the history, walked in the ledger and in exports: whatever is changed anywhere shows."""

import contextlib
from collections.abc import Iterator

import orjson
import pytest

from tasks.office import Office
from tests import life
from workflows import audit
from workflows.audit import Verdict, check_export, export, verify


@pytest.fixture
def office(database_url: str) -> Iterator[Office]:
    with life.office(database_url) as opened:
        yield opened


@pytest.fixture
def lives(office: Office) -> list[str]:
    return [life.to_state(office, state, seed=seed) for seed, state in enumerate(("active", "withdrawn", "submitted"))]


def spoil(office: Office, statement: str, *named: object) -> None:
    with office.ledger.connection() as conn:
        assert conn.execute(statement, named).rowcount > 0


def whats(found: Verdict) -> set[tuple[str, int | None]]:
    return {(fault.binding_id, fault.sequence) for fault in found.faults}


def test_a_whole_ledger_is_whole(office: Office, lives: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    lines = sum(len(life.events(office, one)) for one in lives)
    for size in (500, 2, 1):
        monkeypatch.setattr(audit, "PAGE", size)
        assert verify(office.ledger) == Verdict(3, lines, [])
    assert verify(office.ledger, lives[1]) == Verdict(1, 2, [])
    assert verify(office.ledger, "bnd_nobody") == Verdict()


@pytest.mark.parametrize(
    ("statement", "sequence"),
    [
        ("update history set note = 'x' where binding_id = %s and sequence = 3", 3),
        ("update history set after = after || '{\"x\": 1}' where binding_id = %s and sequence = 2", 2),
        ("update history set at = at + interval '1 microsecond' where binding_id = %s and sequence = 1", 1),
        ("delete from history where binding_id = %s and sequence = 2", 2),
        ("delete from history where binding_id = %s and sequence = 6", None),
        ("delete from history where binding_id = %s", None),
        ("update bindings set state = 'suspended' where id = %s", None),
        ("update bindings set version = version - 1 where id = %s", None),
        (("insert into history (binding_id, sequence, event, to_state, at, actor, after, hash, channel)"
          " select binding_id, 7, event, to_state, at, actor, after, hash, channel from history"
          " where binding_id = %s and sequence = 6"), 7),
    ],
)  # fmt: skip
def test_what_was_tampered_with_is_named(
    office: Office, lives: list[str], statement: str, sequence: int | None
) -> None:
    assert len(life.events(office, lives[0])) == 6
    spoil(office, statement, lives[0])
    found = verify(office.ledger)
    assert (lives[0], sequence) in whats(found)
    assert {one for one, _ in whats(found)} == {lives[0]}


def test_lines_of_nobody_are_found(office: Office, lives: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    spoil(
        office,
        "insert into history (binding_id, sequence, event, to_state, at, actor, after, hash, channel)"
        " select 'bnd_zz', 1, event, to_state, at, actor, after, hash, channel from history limit 1",
    )
    for size in (500, 3, 1):
        monkeypatch.setattr(audit, "PAGE", size)
        assert whats(verify(office.ledger)) == {("bnd_zz", None)}


def test_an_export_is_checked_far_away(office: Office, lives: list[str]) -> None:
    keys = office.desk.keys
    one = list(export(office.ledger, keys, only=lives[0]))
    assert check_export(one, keys.public_key) == Verdict(1, 6, [])
    everything = list(export(office.ledger, keys))
    assert check_export(everything, keys.public_key).bindings == 3
    assert [fault.what for fault in check_export(one, bytes(31) + b"\1").faults] == ["the signature is not of this key"]
    assert "张伟" not in b"".join(everything).decode(), "names stay sealed"


def test_a_period_takes_the_chain_up_in_the_middle(office: Office, lives: list[str]) -> None:
    life.skip(office, days=1)
    since = office.ledger.now()
    life.say(office, "suspend", lives[0], life.SUPERVISOR, reason="suspected_fraud")
    made = list(export(office.ledger, office.desk.keys, since=since))
    assert check_export(made, office.desk.keys.public_key) == Verdict(1, 1, [])
    assert [orjson.loads(line) for line in made][1]["from"] == 7
    before = list(export(office.ledger, office.desk.keys, until=since))
    assert check_export(before).lines == sum(len(life.events(office, one)) for one in lives) - 1


@pytest.mark.parametrize("place", range(9))
def test_no_byte_of_an_export_can_be_changed(office: Office, lives: list[str], place: int) -> None:
    made = list(export(office.ledger, office.desk.keys, only=lives[0]))
    assert len(made) == 9
    told = orjson.loads(made[place])
    name = max(told)
    told[name] = "x" if not isinstance(told[name], int) else told[name] + 1
    made[place] = orjson.dumps(told, option=orjson.OPT_SORT_KEYS) + b"\n"
    for changed in (made, made[:place], made[:place] + made[place + 1 :]):
        with contextlib.suppress(ValueError):  # so broken that it is no export any more
            assert check_export(changed, office.desk.keys.public_key).faults


@pytest.mark.parametrize(
    ("sequences", "alone"), [((6,), False), ((5, 6), False), ((6,), True), ((1, 2, 3, 4, 5, 6), True)]
)
def test_an_export_of_a_cut_history_says_so(
    office: Office, lives: list[str], sequences: tuple[int, ...], alone: bool
) -> None:
    spoil(office, "delete from history where binding_id = %s and sequence = any(%s)", lives[0], list(sequences))
    lines = list(export(office.ledger, office.desk.keys, only=lives[0] if alone else None))
    assert whats(check_export(lines, office.desk.keys.public_key)) == {(lives[0], None)}


def test_an_empty_key_is_nobodys(office: Office, lives: list[str]) -> None:
    lines = list(export(office.ledger, office.desk.keys))
    assert check_export(lines, b"").faults
