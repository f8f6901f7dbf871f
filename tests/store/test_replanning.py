"""Which open bindings another version of a pack would have treated differently: every one, each once, read-only."""

from collections.abc import Iterator
from datetime import date

import pytest

from policies.book import lawbook
from policies.loader import SHIPPED, PackFile, read_pack
from policies.worlds import Worlds, worlds
from tasks.office import Office
from tests import life
from workflows.case import FINAL
from workflows.replanning import open_bindings, replanned, report

NATIONAL = (SHIPPED / "CN-national.family_account.yaml").read_text("utf-8")
CHILD = date(2019, 5, 1)


@pytest.fixture
def office(database_url: str) -> Iterator[Office]:
    with life.office(database_url) as opened:
        yield opened


def newer(*changes: tuple[str, str]) -> PackFile:
    text = NATIONAL.replace('version: "2026-11-01"\neff', 'version: "draft"\neff').replace("2024-03-02", "2030-01-01")
    for old, new in changes:
        assert old in text
        text = text.replace(old, new, 1)
    return read_pack("draft.yaml", text)


def with_draft(*changes: tuple[str, str]) -> Worlds:
    return worlds(lawbook(), lawbook().file("CN-national/family_account", "2026-11-01"), newer(*changes))


def test_those_whom_it_would_touch_are_counted_in_groups(office: Office) -> None:
    grown = [life.to_state(office, state, seed=seed) for seed, state in ((1, "face_check"), (2, "active"))]
    child = life.to_state(office, "active", seed=3, member_born=CHILD)
    suzhou = life.to_state(office, "submitted", seed=4, region="320500")
    sharing = life.to_state(office, "agency_review", seed=5)
    both = with_draft(("letter, register]", "register]"))
    found = report(replanned(office.desk, both))
    assert (found.looked_at, found.alike) == (5, 3)
    (group,) = found.groups
    assert (group.count, dict(group.states)) == (2, {"face_check": 1, "active": 1})
    assert sorted(group.examples) == sorted(grown)
    assert group.old == "CN-national/family_account 2026-11-01"
    assert group.new == "CN-national/family_account draft"
    parts = {line.part for line in group.differences}
    assert parts == {"materials", "counter.bring"}
    alike = {one.binding_id for one in replanned(office.desk, both) if not one.differences}
    assert alike == {child, suzhou, sharing}


def test_a_change_that_the_regions_inherit_reaches_them(office: Office) -> None:
    for seed, region in ((1, "440100"), (2, "320500"), (3, "320100")):
        life.to_state(office, "submitted", seed=seed, region=region)
    found = report(replanned(office.desk, with_draft(("window_hours: 24", "window_hours: 48"))))
    assert {(group.old.split("/")[0], group.count) for group in found.groups} == {
        ("CN-national", 1), ("CN-3205-suzhou", 1), ("CN-32-jiangsu", 1),
    }  # fmt: skip
    for group in found.groups:
        assert {line.part for line in group.differences} == {"face.window_hours", "deadlines.first_attempt_to_pass"}


def test_an_application_that_would_have_been_refused(office: Office) -> None:
    binding_id = life.to_state(office, "active", relationship="PARENT")
    found = report(replanned(office.desk, with_draft(("[SPOUSE, CHILD, PARENT, ", "[SPOUSE, CHILD, "))))
    (group,) = found.groups
    assert (group.new, group.examples) == ("relation_not_allowed", [binding_id])
    assert [(line.part, line.old, line.new) for line in group.differences] == [
        ("application", '"accepted"', '"relation_not_allowed"')
    ]


def test_the_age_is_that_of_the_day_of_the_application(office: Office) -> None:
    """Replanned a year later, a case is judged by the age that it had: a birthday meanwhile is no difference."""
    today = office.ledger.now().date()
    born = date(today.year - 15, today.month, 1)  # fifteen now, sixteen in 400 days
    life.to_state(office, "active", member_born=born)
    life.skip(office, days=400)
    border = with_draft(("minor_max_exclusive: 16, minor_max_inclusive: null", "minor_max_exclusive: 15"))
    (group,) = report(replanned(office.desk, border)).groups
    assert ("age_group", '"minor"', '"adult"') in [(d.part, d.old, d.new) for d in group.differences]


def test_pages_end_and_bring_every_open_binding_once(office: Office) -> None:
    ends = [life.to_state(office, state, seed=seed) for seed, state in enumerate(FINAL)]
    lives = [life.to_state(office, "submitted", seed=seed) for seed in range(10, 15)]
    for size in (1, 2, 100):
        found = [case.id for case in open_bindings(office.desk, {("family_account", "44")}, size)]
        assert sorted(found) == sorted(lives)
        assert not set(ends) & set(found)
    assert list(open_bindings(office.desk, {("family_account", "32")}, 2)) == []


def test_nothing_is_written(office: Office) -> None:
    binding_id = life.to_state(office, "face_check")
    before = life.look(office, binding_id)
    report(replanned(office.desk, with_draft(("window_hours: 24", "window_hours: 48"))))
    after = life.look(office, binding_id)
    assert (after.version, after.plan) == (before.version, before.plan)
