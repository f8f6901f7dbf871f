"""What a code display stands on (0028), where its sharing is not what it was: renumbered, or unreadable just now."""

from collections.abc import Iterator

import pytest

from tasks.changes import prepared
from tasks.faces import start_face_check
from tasks.office import Office
from tasks.registries import recheck_insurance
from tests import life
from tests.store.test_identity import SOMEBODY
from workflows.case import ACTIVE, AGENCY_REVIEW
from workflows.commands import Command

SHARING = life.channel("yueyibao_alipay")


@pytest.fixture
def office(database_url: str) -> Iterator[Office]:
    with life.office(database_url) as opened:
        yield opened


@pytest.fixture
def sharing(office: Office) -> str:
    made = life.to_state(office, AGENCY_REVIEW)
    life.claim(office, made)
    life.say(office, "approve", made, life.REVIEWER)
    return made


@pytest.fixture
def display(office: Office, sharing: str) -> str:
    made = life.submit(office, life.a_request(office.desk.book, product="code_display"))
    life.registries_say_yes(office, made)
    for subject in ("member", "holder"):
        life.pass_face(office, made, subject)
    life.say(office, "confirm_authorisation", made)
    return made


def looked(office: Office, binding_id: str) -> tuple[str, str | None]:
    """A day later: its state, and why."""
    life.skip(office, days=2)
    recheck_insurance(office)
    case = life.look(office, binding_id)
    return case.state, case.progress.reason


def renumbered(office: Office, sharing: str) -> None:
    """The member's new number is reported of the sharing, and shown to be his."""
    told = {"what": "id_number", "value": SOMEBODY}
    office.desk.say(prepared(office, Command("report_change", sharing, SHARING, told)))
    start_face_check(office, Command("face_started", sharing, SHARING, {"subject": "member"}))
    life.end_face(office, life.sessions(office, sharing)[-1])


def test_it_stays_while_only_one_of_the_two_knows_the_members_new_number(
    office: Office, sharing: str, display: str
) -> None:
    renumbered(office, sharing)
    assert looked(office, display) == (ACTIVE, None)
    life.report(office, display, "id_number", SOMEBODY)
    life.pass_face(office, display)
    assert looked(office, display) == (ACTIVE, None)


@pytest.mark.parametrize("part", ["plan", "progress", "sealed"])
def test_a_sharing_that_cannot_be_read_just_now_has_not_ended(
    office: Office, sharing: str, display: str, part: str
) -> None:
    with life.unreadable(office, sharing, part):
        assert looked(office, display) == (ACTIVE, None)


def test_it_ends_with_its_sharing(office: Office, sharing: str, display: str) -> None:
    life.say(office, "end", sharing, life.SUPERVISOR, reason="relationship_ended")
    assert looked(office, display) == ("unbound", "sharing_not_active")
