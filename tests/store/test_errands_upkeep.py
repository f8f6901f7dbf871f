"""What is past its time is tidied away, and nothing else."""

import os
import shutil
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from gateways.documents import DocumentMissing, FolderStore
from tasks import upkeep
from tasks.office import Office
from tasks.upkeep import erase_documents, erase_orphans, keep_up, keep_up_and_sign
from tests import life
from tests.life import advance, look, say, to_state
from tests.logs import logged
from workflows.access import rights
from workflows.access.principals import Principal
from workflows.erasing import DOCUMENTS_KEPT
from workflows.views.asof import case_as_of
from workflows.views.watching import signs_of_life

SUPERVISOR = Principal("stf_country", "staff", "陈主任", None, ("supervisor",), ("000000",), "own-2")


@pytest.fixture
def office(database_url: str) -> Iterator[Office]:
    with life.office(database_url) as opened:
        yield opened


def documents(office: Office, binding_id: str) -> list[str]:
    """Give each material of the binding a content; the ids."""
    ids = [material["id"] for material in look(office, binding_id).materials]
    for document_id in ids:
        office.windows.documents.put(document_id, b"a page")
    return ids


def every_part(office: Office) -> int:
    """Let all parts of the documents have their turn; how many orphans were erased."""
    return sum(erase_orphans(office) for _ in range(upkeep.PARTS))


def there(office: Office, ids: list[str]) -> bool:
    try:
        return all(office.windows.documents.get(one) == b"a page" for one in ids)
    except DocumentMissing:
        return False


def test_documents_go_thirty_days_after_the_end(office: Office) -> None:
    ended, active = to_state(office, "materials_uploaded", seed=1), to_state(office, "active", seed=2)
    theirs, others = documents(office, ended), documents(office, active)
    say(office, "withdraw", ended)
    life.skip(office, days=29)
    assert keep_up(office) == 0
    assert there(office, theirs)
    life.skip(office, days=2)
    assert keep_up(office) == len(theirs) > 0
    assert not there(office, theirs)
    assert look(office, ended).materials == []
    assert keep_up(office) == 0
    assert there(office, others)


def test_what_was_taken_back_goes_too(office: Office) -> None:
    binding_id = to_state(office, "submitted")
    life.give_materials(office, binding_id)
    first, *others = documents(office, binding_id)
    with office.ledger.connection() as conn:
        conn.execute("update materials set removed_at = kinbind_now() where id = %s", (first,))
    life.skip(office, days=31)
    assert keep_up(office) == 1
    assert not there(office, [first])
    assert there(office, others)


def test_a_hold_that_is_placed_once_the_hands_have_looked_keeps_the_documents(
    office: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    free, held = (to_state(office, "unbound", seed=seed) for seed in (1, 2))
    theirs, kept = documents(office, free), documents(office, held)
    life.skip(office, days=31)
    erase = upkeep._erase

    def late(office: Office, found: list[str], failed: upkeep.Failed) -> int:
        assert set(found) == {*theirs, *kept}
        assert rights.hold(office.desk, SUPERVISOR, [look(office, held).application.holder], "诉讼") == [held]
        return erase(office, found, failed)

    monkeypatch.setattr(upkeep, "_erase", late)
    assert erase_documents(office) == len(theirs)
    assert (there(office, theirs[:1]), there(office, kept)) == (False, True)
    assert [len(look(office, one).materials) for one in (free, held)] == [0, len(kept)]


class DyingStore(FolderStore):
    """A store whose process dies over the third document that it is to erase; the next one works."""

    left = 2

    def delete(self, document_id: str) -> None:
        self.left -= 1
        if self.left == -1:
            raise KeyboardInterrupt
        super().delete(document_id)


def test_endings_are_gone_through_a_batch_at_a_time_and_again_after_a_crash(
    office: Office, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(upkeep, "BATCH", 2)
    monkeypatch.setattr(upkeep, "ROUNDS", 2)
    ours = replace(office, windows=replace(office.windows, documents=DyingStore(tmp_path)))
    bindings = [to_state(ours, "materials_uploaded", seed=seed) for seed in range(5)]
    theirs = [documents(ours, binding_id) for binding_id in bindings]
    for binding_id in bindings:
        say(ours, "withdraw", binding_id)
        life.skip(office, minutes=1)
    life.skip(office, days=31)
    with pytest.raises(KeyboardInterrupt):
        erase_documents(ours)
    of_each = len(theirs[0])
    # two rounds of two endings, those of the broken one among them, where two are gone
    assert erase_documents(ours) == 4 * of_each - 2
    assert [there(ours, ids) for ids in theirs] == [False] * 4 + [True]
    assert erase_documents(ours) == of_each
    assert erase_documents(ours) == 0


class StubbornStore(FolderStore):
    """A store that some documents cannot be erased from, as long as nobody mends it."""

    stubborn: frozenset[str] = frozenset()

    def delete(self, document_id: str) -> None:
        if document_id in self.stubborn:
            raise PermissionError(document_id)
        super().delete(document_id)


@pytest.fixture
def store(tmp_path: Path) -> StubbornStore:
    return StubbornStore(tmp_path)


@pytest.fixture
def stubborn(office: Office, store: StubbornStore, monkeypatch: pytest.MonkeyPatch) -> Office:
    """An office with such a store, which goes through everything by twos."""
    monkeypatch.setattr(upkeep, "BATCH", 2)
    return replace(office, windows=replace(office.windows, documents=store))


def test_what_ended_and_cannot_be_erased_keeps_no_other_and_is_tried_again(
    stubborn: Office, store: StubbornStore
) -> None:
    bindings = [to_state(stubborn, "materials_uploaded", seed=seed) for seed in range(4)]
    first, *others = [documents(stubborn, binding_id) for binding_id in bindings]
    before = [look(stubborn, bindings[0]).version]
    for binding_id in bindings:
        say(stubborn, "withdraw", binding_id)
        life.skip(stubborn, minutes=1)
    life.skip(stubborn, days=31)
    store.stubborn = frozenset(first)
    for _ in range(2):  # seen each time, and nobody waits for it
        with logged(upkeep) as said, pytest.raises(PermissionError):
            keep_up(stubborn)
        assert {one["document_id"] for one in said if one["event"] == "document_not_erased"} == set(first)
        assert not any(there(stubborn, [one]) for ids in others for one in ids)
    with stubborn.ledger.connection() as conn:
        ended, _ = case_as_of(conn, stubborn.desk.reader, bindings[0], before[0] + 1)
    assert [one["id"] for one in ended.materials] == sorted(first)  # as of its end it had them
    store.stubborn = frozenset()
    assert keep_up(stubborn) == len(first)
    assert not any(there(stubborn, [one]) for one in first)
    assert keep_up(stubborn) == 0


def test_what_was_taken_back_and_cannot_be_erased_keeps_no_other(stubborn: Office, store: StubbornStore) -> None:
    made = [to_state(stubborn, "submitted", seed=seed) for seed in range(4)]
    for binding_id in made:
        life.give_materials(stubborn, binding_id)
    theirs = [one for binding_id in made for one in documents(stubborn, binding_id)]
    with stubborn.ledger.connection() as conn:
        for n, one in enumerate(theirs):
            conn.execute("update materials set removed_at = kinbind_now() + %s where id = %s", (timedelta(0, n), one))
        taken = conn.execute("select id, removed_at from materials order by id").fetchall()
    life.skip(stubborn, days=31)
    store.stubborn = frozenset(theirs[:3])  # more than a batch, and the oldest
    with pytest.raises(PermissionError):
        erase_documents(stubborn)
    assert [there(stubborn, [one]) for one in theirs] == [True] * 3 + [False] * (len(theirs) - 3)
    with stubborn.ledger.connection() as conn:
        assert conn.execute("select id, removed_at from materials order by id").fetchall() == taken
    store.stubborn = frozenset()
    assert erase_documents(stubborn) == 3


def test_an_orphan_that_cannot_be_erased_keeps_no_other(
    stubborn: Office, store: StubbornStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(upkeep, "PARTS", 1)
    orphans = [f"mat_orphan_{n}" for n in range(5)]
    for one in orphans:
        store.put(one, b"a page")
        (file,) = tmp_path.glob(f"s*/{one}")
        os.utime(file, (file.stat().st_atime, file.stat().st_mtime - 172_800))
    store.stubborn = frozenset(orphans[:2])
    with pytest.raises(PermissionError):
        erase_orphans(stubborn)
    assert [there(stubborn, [one]) for one in orphans] == [True] * 2 + [False] * 3


def test_what_a_restore_brings_back_is_erased_again(office: Office, tmp_path: Path) -> None:
    """The rows say that it is gone; the folder of the base before has it still."""
    office = replace(office, windows=replace(office.windows, documents=FolderStore(tmp_path / "documents")))
    binding_id = to_state(office, "materials_uploaded")
    ids = documents(office, binding_id)
    shutil.copytree(tmp_path / "documents", tmp_path / "base")
    say(office, "withdraw", binding_id)
    life.skip(office, days=31)
    keep_up(office)
    assert not there(office, ids[:1])
    shutil.copytree(tmp_path / "base", tmp_path / "documents", dirs_exist_ok=True)
    for file in (tmp_path / "documents").glob("s*/mat_*"):  # as old as it was when it was copied
        os.utime(file, (file.stat().st_atime, file.stat().st_mtime - 172_800))
    assert there(office, ids)
    every_part(office)
    assert [there(office, [one]) for one in ids] == [False] * len(ids)


@pytest.mark.parametrize("statement", ["_TAKEN_BACK", "_ENDINGS"])
def test_what_is_past_its_time_is_found_by_an_index(office: Office, statement: str) -> None:
    asked = {"kept": DOCUMENTS_KEPT, "batch": upkeep.BATCH, "failed": ["mat_x"]}
    with office.ledger.connection() as conn:
        plan = "\n".join(row[0] for row in conn.execute(f"explain {getattr(upkeep, statement)}", asked))
    assert "Seq Scan" not in plan.replace("Seq Scan on upkeep_places", "")
    assert "_endings_idx" in plan or "materials_removed_idx" in plan


def test_a_document_without_a_row_goes_after_a_day(office: Office, tmp_path: Path) -> None:
    store = FolderStore(tmp_path)
    binding_id = to_state(office, "materials_uploaded")
    ids = [material["id"] for material in look(office, binding_id).materials]
    for document_id in (*ids, "mat_orphan_old", "mat_orphan_new"):
        store.put(document_id, b"a page")
        if document_id != "mat_orphan_new":  # as if two days had gone by
            (file,) = tmp_path.glob(f"s*/{document_id}")
            os.utime(file, (file.stat().st_atime, file.stat().st_mtime - 172_800))
    ours = replace(office, windows=replace(office.windows, documents=store))
    assert every_part(ours) == 1
    with pytest.raises(DocumentMissing):
        store.get("mat_orphan_old")
    assert all(store.get(one) == b"a page" for one in (*ids, "mat_orphan_new"))


def test_each_call_looks_for_orphans_in_a_part_of_the_documents(
    office: Office, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(upkeep, "ORPHANED", timedelta(0))
    store = FolderStore(tmp_path)
    ours = replace(office, windows=replace(office.windows, documents=store))
    orphans = {f"mat_{n:02}" for n in range(100)}
    for one in orphans:
        store.put(one, b"a page")
    erased = [erase_orphans(ours) for _ in range(upkeep.PARTS)]
    assert (sum(erased), sum(map(bool, erased)) > 12, max(erased) < 20) == (len(orphans), True, True)


def test_the_sandbox_s_clock_takes_care_of_it(office: Office) -> None:
    binding_id = to_state(office, "materials_uploaded")
    theirs = documents(office, binding_id)
    say(office, "withdraw", binding_id)
    advance(office, days=31)
    assert not there(office, theirs)


def test_answers_are_kept_for_seven_days(office: Office) -> None:
    with office.ledger.connection() as conn:
        for key, days in (("old", 8), ("fresh", 6)):
            conn.execute(
                "insert into idempotency (principal, key, fingerprint, status, created_at)"
                " values ('p', %s, 'f', 200, kinbind_now() - %s)",
                (key, timedelta(days=days)),
            )
    keep_up(office)
    with office.ledger.connection() as conn:
        assert conn.execute("select key from idempotency").fetchall() == [("fresh",)]


def test_partitions_are_made_ahead_and_signs_of_life_age_in_real_time(office: Office) -> None:
    life.skip(office, days=100)
    with office.ledger.connection() as conn:
        for name, minutes in (("worker:new", 59), ("worker:old", 61), ("sweep", 1440)):
            ago = timedelta(minutes=minutes)
            conn.execute("insert into heartbeats (name, seen_at) values (%s, clock_timestamp() - %s)", (name, ago))
    keep_up(office)
    keep_up(office)
    with office.ledger.connection() as conn:
        names = conn.execute("select name from heartbeats order by name").fetchall()
        assert names == [("sweep",), ("worker:new",)]
        parts = conn.execute("select count(*) from pg_inherits where inhparent = 'history'::regclass").fetchone()
    assert parts == (5,)  # this month, three ahead, and the default


def test_who_has_done_all_of_it_leaves_a_sign(office: Office, monkeypatch: pytest.MonkeyPatch) -> None:
    def missed() -> bool:
        return next(one["missed"] for one in signs_of_life(office.ledger) if one["name"] == "keep_up")

    def broken(_office: Office) -> int:
        raise FileNotFoundError

    assert missed(), "nobody has ever done it"
    with monkeypatch.context() as instead:
        instead.setattr(upkeep, "erase_orphans", broken)
        with pytest.raises(FileNotFoundError):
            keep_up_and_sign(office)
    assert missed(), "a chore has failed"
    keep_up_and_sign(office)
    for minutes, late in ((0, False), (119, False), (121, True)):
        with office.ledger.connection() as conn:
            conn.execute("update heartbeats set seen_at = clock_timestamp() - %s", (timedelta(minutes=minutes),))
        assert missed() is late


def test_an_expired_lease_is_swept(office: Office) -> None:
    binding_id = to_state(office, "agency_review")
    life.claim(office, binding_id)
    life.skip(office, minutes=16)
    keep_up(office)
    lease = look(office, binding_id).lease
    assert lease is not None
    assert lease.claimed_by is None


def test_letters_of_an_endpoint_that_is_no_more_are_not_left_waiting(office: Office) -> None:
    with office.ledger.connection() as conn:
        for endpoint, disabled in (("whe_off", True), ("whe_on", False)):
            conn.execute(
                "insert into webhook_endpoints (id, channel, url, secrets, created_at, disabled_at)"
                " values (%s, 'alipay', 'http://127.0.0.1:9/', '', now(), case when %s then now() end)",
                (endpoint, disabled),
            )
        for endpoint in ("whe_off", "whe_on", "whe_forgotten"):
            conn.execute(
                "insert into deliveries (id, endpoint_id, binding_id, sequence, type, next_at, created_at)"
                " values (%s, %s, 'bnd_x', 1, 'binding.submitted', now(), now())",
                (f"dlv_{endpoint}", endpoint),
            )
    keep_up(office)
    with office.ledger.connection() as conn:
        left = conn.execute("select endpoint_id, state from deliveries order by endpoint_id").fetchall()
    assert left == [("whe_off", "parked"), ("whe_on", "pending")]
