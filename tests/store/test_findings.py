"""What a reviewer is told has been looked at, and by whom."""

from collections.abc import Iterator

import pytest

from tasks.office import Office
from tests import life
from workflows.case import SYSTEM, Case
from workflows.views import findings


@pytest.fixture
def office(database_url: str) -> Iterator[Office]:
    with life.office(database_url) as opened:
        yield opened


def of_registries(office: Office, case: Case) -> tuple[str, str]:
    (found,) = (one for one in findings.of(case, office.ledger.now()) if one["name"].startswith("registries"))
    return found["name"], found["found"]


def verified(office: Office, binding_id: str) -> Case:
    return life.say(office, "counter_verified", binding_id, life.COUNTER, method="compared_by_eye",
                    registry_checked=True)  # fmt: skip


def test_what_a_clerk_has_asked_by_hand_is_no_answer_of_the_registries(office: Office) -> None:
    binding_id = life.to_state(office, "materials_uploaded", product="account_sharing")
    life.say(office, "route_offline", binding_id, SYSTEM, reason="registry_unanswered")
    case = verified(office, binding_id)
    assert case.state == "agency_review"
    assert of_registries(office, case) == ("registries_by_hand", "watch")
    life.claim(office, binding_id)
    items = [{"kind": "commitment_letter", "reason": "letter_unsigned"}]
    life.say(office, "return_for_correction", binding_id, life.REVIEWER, reason="letter_unsigned", items=items)
    life.give_materials(office, binding_id)
    life.hand_in(office, binding_id)
    assert of_registries(office, life.look(office, binding_id)) == ("registries", "open")
    assert of_registries(office, life.registries_say_yes(office, binding_id)) == ("registries", "good")
