"""Nobody is let in whose face nobody saw: what is shown, or looked at, is what was reported then and nothing since."""

from collections.abc import Callable, Iterator
from datetime import date
from typing import Any

import pytest

from cli.checking.audit import examine
from gateways.registries import PersonAnswer
from tasks.changes import prepared
from tasks.faces import settle_all
from tasks.office import Office
from tasks.unbinding import confirm_unbind
from tests import life
from tests.store.invariants import check
from workflows.commands import Command
from workflows.errors import Refused

MEMBER_BORN, CHILD_BORN = date(1958, 3, 7), date(2019, 5, 1)
SOMEBODY = life.number(MEMBER_BORN, 901)  # born on the same day; nobody has ever seen him


@pytest.fixture
def office(database_url: str) -> Iterator[Office]:
    with life.office(database_url) as opened:
        yield opened
        check(opened)
        assert not examine(opened.ledger.url).faults


def then(monkeypatch: pytest.MonkeyPatch, window: Any, question: str, happens: Callable[[], object]) -> None:
    """While this window is being asked, and before its answer has come back, something happens, once."""
    asked, left = getattr(window, question), [happens]

    def answers(*told: Any) -> Any:
        answer = asked(*told)
        if left:
            left.pop()()
        return answer

    monkeypatch.setattr(window, question, answers)


def refused(code: str) -> pytest.RaisesExc[Refused]:
    return pytest.raises(Refused, match=code)


# -- the camera ------------------------------------------------------------------------------------------------


def test_a_pass_lets_nobody_in_who_is_reported_while_the_provider_is_asked(
    office: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    binding_id = life.to_state(office, "active")
    life.report(office, binding_id, "name", "李秀英")
    session = life.start_face(office, binding_id)
    life.faces(office).complete(session["reference"], "passed")
    then(monkeypatch, life.faces(office), "ask", lambda: life.report(office, binding_id, "id_number", SOMEBODY))
    settle_all(office, [session])
    case = life.look(office, binding_id)
    assert (case.state, case.application.parties["reported"]["id_number"]) == ("suspended", SOMEBODY)
    assert case.application.parties["member"]["id_number"] != SOMEBODY
    assert life.sessions(office, binding_id)[-1]["status"] == "passed"  # noted only
    life.pass_face(office, binding_id)  # and the one who was reported may show himself
    assert life.look(office, binding_id).application.parties["member"]["id_number"] == SOMEBODY


def test_nor_who_is_reported_after_the_guardian_began(office: Office) -> None:
    """His own face is the same whatever was reported: it stands for what he was asked about."""
    binding_id = life.to_state(office, "active", member_born=CHILD_BORN)
    life.report(office, binding_id, "name", "李明月")
    session = life.start_face(office, binding_id, "holder")
    life.report(office, binding_id, "id_number", life.number(CHILD_BORN, 902))
    life.end_face(office, session)
    assert life.look(office, binding_id).state == "suspended"
    life.pass_face(office, binding_id, "holder")
    assert life.look(office, binding_id).state == "active"


def test_nor_while_the_provider_begins(office: Office, monkeypatch: pytest.MonkeyPatch) -> None:
    binding_id = life.to_state(office, "active")
    life.report(office, binding_id, "name", "李秀英")
    then(monkeypatch, life.faces(office), "begin", lambda: life.report(office, binding_id, "id_number", SOMEBODY))
    with refused("busy"):
        life.start_face(office, binding_id)
    assert life.sessions(office, binding_id)[-1]["purpose"] == "binding"  # the new one is nobody's
    life.pass_face(office, binding_id)
    assert life.look(office, binding_id).state == "active"


def test_a_face_shown_for_one_end_is_none_for_the_next(office: Office) -> None:
    binding_id = life.to_state(office, "active")
    life.say(office, "request_unbind", binding_id, initiator="holder", method="face")
    session = life.start_face(office, binding_id, "holder")
    life.say(office, "cancel_unbind", binding_id)
    life.say(office, "request_unbind", binding_id, initiator="holder", method="face")
    life.end_face(office, session)
    assert life.look(office, binding_id).state == "unbinding"
    life.pass_face(office, binding_id, "holder")
    assert life.look(office, binding_id).state == "unbound"


def test_nor_is_a_password(office: Office, monkeypatch: pytest.MonkeyPatch) -> None:
    binding_id = life.to_state(office, "unbinding")

    def asked_anew() -> None:
        life.say(office, "cancel_unbind", binding_id)
        life.say(office, "request_unbind", binding_id, initiator="holder", method="pay_password")

    then(monkeypatch, life.registries(office), "pay_password_right", asked_anew)
    command = Command("confirm_unbind", binding_id, life.channel())
    with refused("action_not_available"):
        confirm_unbind(office, command, "123456")
    confirm_unbind(office, command, "123456")
    assert life.look(office, binding_id).state == "unbound"


# -- the registries --------------------------------------------------------------------------------------------


def test_a_change_is_made_on_top_of_what_is_known_when_it_is_said(
    office: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Else the name that was verified while the registry was asked would be lost again, and the number with it."""
    binding_id = life.to_state(office, "active", member_born=CHILD_BORN)
    number = life.number(CHILD_BORN, 903)

    def verified() -> None:
        life.report(office, binding_id, "id_number", number)
        life.pass_face(office, binding_id, "holder")

    then(monkeypatch, life.registries(office), "person", verified)
    with refused("busy"):
        life.report(office, binding_id, "name", "李明月")
    life.report(office, binding_id, "name", "李明月")
    life.pass_face(office, binding_id, "holder")
    member = life.look(office, binding_id).application.parties["member"]
    assert (member["name"], member["id_number"]) == ("李明月", number)


def test_a_childs_number_of_another_birthday_is_not_its_own(office: Office, monkeypatch: pytest.MonkeyPatch) -> None:
    """The registry's own date is compared where it tells one: most documents carry none."""
    binding_id = life.to_state(office, "active", member_born=CHILD_BORN)
    told = PersonAnswer(known=True, name_matches=True, insured=None, credential_active=True, birth_date=MEMBER_BORN)
    monkeypatch.setattr(life.registries(office), "person", lambda *_: told)
    with refused("name_id_mismatch"):
        office.desk.say(
            prepared(office, Command("report_change", binding_id, life.channel(), {"what": "name", "value": "李明月"}))
        )


# -- the counter -----------------------------------------------------------------------------------------------


def test_a_clerk_verifies_the_report_that_he_saw(office: Office) -> None:
    binding_id = life.to_state(office, "active")
    seen = life.report(office, binding_id, "name", "欧阳秀英").version
    life.report(office, binding_id, "id_number", SOMEBODY)

    def verify(version: int | None) -> Command:
        return Command("counter_verified", binding_id, life.COUNTER, {"method": "document_reader"}, if_match=version)

    for version in (None, seen):
        with refused("stale_version"):
            office.desk.say(verify(version))
    assert life.look(office, binding_id).application.parties["member"]["name"] == "李秀英"
    office.desk.say(verify(life.look(office, binding_id).version))
    assert life.look(office, binding_id).application.parties["member"]["id_number"] == SOMEBODY


def test_nor_does_he_refuse_it_for_whatever_comes_to_his_mind(office: Office) -> None:
    binding_id = life.to_state(office, "active")
    life.report(office, binding_id, "name", "欧阳秀英")
    with refused("reason_not_listed"):
        life.say(office, "counter_refused", binding_id, life.COUNTER, reason="because")


def test_whoever_died_while_it_was_suspected_is_told_to_have_died(office: Office) -> None:
    """Not what was suspected of him: that is the last word that his family reads."""
    binding_id = life.to_state(office, "suspended")
    ended = life.say(office, "report_change", binding_id, what="death")
    assert (ended.state, ended.progress.reason) == ("unbound", "death")
