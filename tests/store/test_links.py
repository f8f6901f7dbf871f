"""A newborn's certificate becomes a number: the places go along in the same commit, whoever applies meanwhile."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import date
from functools import partial

import pytest

from cli.checking.audit import examine
from policies.calendar import shanghai_day
from policies.people import make_id_number
from tasks.office import Office
from tests import life
from tests.store.invariants import check, rows
from tests.store.test_races import ends, race, saying
from workflows import changes
from workflows.case import SYSTEM

ROUNDS = 4


@pytest.fixture
def office(database_url: str) -> Iterator[Office]:
    with life.office(database_url, size=10) as opened:
        yield opened
        check(opened)


def newborn(office: Office, seed: int) -> tuple[str, str]:
    """A newborn's binding in force; its id, and the number that the child is given."""
    request = life.a_request(office.desk.book, method="birth_certificate", seed=seed)
    life.know_birth(office, request)
    binding_id = life.submit(office, request)
    life.say(office, "registries_answered", binding_id, SYSTEM, record={"mother_name": "王*"})
    life.say(office, "confirm_registry_record", binding_id)
    life.pass_face(office, binding_id, "mother")
    born = request.member.birth_date
    assert born is not None
    return binding_id, make_id_number(life.AREA, born, seed)


def test_the_number_is_linked_or_applied_by_and_never_both(office: Office) -> None:
    for seed in range(1, ROUNDS + 1):
        binding_id, number = newborn(office, seed)
        case, now = office.desk.look(binding_id)
        change = changes.renumbered(office.desk.keys, case, number, shanghai_day(now))
        born = date.fromisoformat(case.application.parties["member"]["birth_date"])
        by_number = life.a_request(office.desk.book, member_born=born, seed=seed, relationship="CHILD")
        assert by_number.member.id_number == number
        applying = partial(life.submit, office, by_number)
        said = race([saying(office, "link_number", binding_id, SYSTEM, change=change), applying])
        assert sorted(said) == ["done", "duplicate_binding"]
        assert ends(office, binding_id)[-1] == "active"
        linked = life.look(office, binding_id).application.member == office.desk.keys.person("citizen18", number)
        assert linked is (said[0] == "done")
        # where the application was first, the child has two seats, one by each number, for the agency to clear up
        assert len(rows(office, "select * from seats where holder = %s", case.application.holder)) == 1 + (not linked)


def test_linking_twice_changes_nothing_more(office: Office) -> None:
    binding_id, number = newborn(office, 9)
    case, now = office.desk.look(binding_id)
    change = changes.renumbered(office.desk.keys, case, number, shanghai_day(now))
    for _ in range(2):
        life.say(office, "link_number", binding_id, SYSTEM, change=change)
    (seat,) = rows(office, "select member from seats")
    (month,) = rows(office, "select member from month_seats")
    (applied,) = rows(office, "select member from applications")
    assert seat == month == applied == {"member": office.desk.keys.person("citizen18", number)}


def test_a_link_may_bring_more_binders_together_than_a_month_allows(office: Office) -> None:
    """No registry had said that the two are one child, so that nobody has done wrong: neither has the audit."""
    binding_id, number = newborn(office, 1)
    by_number = life.a_request(office.desk.book, method="birth_certificate", seed=1)
    for seed in (2, 3):
        other = life.a_request(office.desk.book, method="birth_certificate", seed=seed)
        member = replace(by_number.member, id_number=number)
        bound = life.submit(office, replace(other, member=member))
        life.say(office, "registries_answered", bound, SYSTEM, record={"mother_name": "王*"})
        life.say(office, "confirm_registry_record", bound)
        life.pass_face(office, bound, "mother")
    case, now = office.desk.look(binding_id)
    change = changes.renumbered(office.desk.keys, case, number, shanghai_day(now))
    life.say(office, "link_number", binding_id, SYSTEM, change=change)
    assert [row["n"] for row in rows(office, "select n from month_seats order by n")] == [1, 2, 3]
    assert not examine(office.ledger.url).faults
