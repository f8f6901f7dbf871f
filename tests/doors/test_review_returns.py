"""Returned for correction: all faults in one notice, and a fault overlooked then only by a supervisor's word."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack

import httpx
import pytest

from tasks.office import Office
from tests import life
from tests.doors.conftest import Caller
from tests.doors.family import uploaded
from tests.wire import NO_AUTHORITIES
from workflows.access import principals
from workflows.case import AGENCY_REVIEW, RETURNED, SYSTEM

CHANNEL = "yueyibao_alipay"
LETTER = {"kind": "commitment_letter", "reason": "letter_unsigned"}
BLURRED_LETTER = {"kind": "commitment_letter", "reason": "material_unreadable"}
REGISTER = {"kind": "household_register_first_page", "reason": "material_unreadable"}
Staff = Callable[..., httpx.Client]


@pytest.fixture
def staff(base_url: str, office: Office) -> Iterator[Staff]:
    """`staff("reviewer", "supervisor", regions=["440000"])`: a client of somebody new with these roles."""
    with ExitStack() as clients:

        def somebody(*roles: str, regions: tuple[str, ...] = ("440000",), person: str | None = None) -> httpx.Client:
            _, key = principals.create_staff(office.ledger, "somebody", roles, regions, person)
            told = {"Authorization": f"Bearer {key}", "Accept-Language": "en"}
            return clients.enter_context(
                httpx.Client(base_url=base_url, headers=told, timeout=30, verify=NO_AUTHORITIES)
            )

        yield somebody


@pytest.fixture
def binding_id(base_url: str, office: Office) -> str:
    return life.to_state(office, AGENCY_REVIEW)


def returns(client: httpx.Client, binding_id: str, *items: dict[str, str]) -> httpx.Response:
    body = {"reason": items[0]["reason"], "items": list(items), "note": "请补正"}
    return client.post(f"/v1/reviews/{binding_id}/return", json=body)


def claims(client: httpx.Client, binding_id: str) -> None:
    assert client.post(f"/v1/reviews/{binding_id}/claim", json={}).status_code == 200


def mended(channel: httpx.Client, binding_id: str, *kinds: str) -> None:
    """The family uploads these anew, hands in, and the registries answer."""
    for kind in kinds:
        assert uploaded(channel, binding_id, kind).status_code == 201
    handed_in = channel.post(f"/v1/bindings/{binding_id}/actions/submit_materials", json={})
    assert handed_in.status_code == 200, handed_in.text
    assert channel.post("/v1/sandbox/clock/advance", json={"seconds": 1}).status_code == 200
    assert channel.get(f"/v1/bindings/{binding_id}").json()["state"] == AGENCY_REVIEW


def returned_once(client: httpx.Client, channel: httpx.Client, binding_id: str) -> None:
    """For the letter, which the family has sent anew; the case is in the same reviewer's hands again."""
    claims(client, binding_id)
    assert returns(client, binding_id, LETTER).status_code == 200
    mended(channel, binding_id, "commitment_letter")
    claims(client, binding_id)


def test_all_faults_stand_in_one_notice(as_: Caller, binding_id: str) -> None:
    reviewer, channel = as_("reviewer"), as_(CHANNEL)
    claims(reviewer, binding_id)
    assert returns(reviewer, binding_id, LETTER, REGISTER).status_code == 200
    told = channel.get(f"/v1/bindings/{binding_id}").json()
    assert told["correction"] == {"reason": "letter_unsigned", "items": [LETTER, REGISTER], "note": "请补正"}
    mended(channel, binding_id, "commitment_letter", "household_register_first_page")


def test_what_was_there_to_be_seen_is_not_returned_by_the_reviewer_again(as_: Caller, binding_id: str) -> None:
    reviewer, channel = as_("reviewer"), as_(CHANNEL)
    returned_once(reviewer, channel, binding_id)
    before = channel.get(f"/v1/bindings/{binding_id}").json()
    refused = returns(reviewer, binding_id, BLURRED_LETTER, REGISTER)
    assert (refused.status_code, refused.json()["code"]) == (409, "supervisor_required")
    assert refused.json()["overlooked"] == [REGISTER]
    assert channel.get(f"/v1/bindings/{binding_id}").json() == before


def test_what_came_in_since_may_be_returned_again(as_: Caller, binding_id: str) -> None:
    reviewer, channel = as_("reviewer"), as_(CHANNEL)
    returned_once(reviewer, channel, binding_id)
    assert returns(reviewer, binding_id, BLURRED_LETTER).json()["state"] == RETURNED
    # the second notice counts from now on: the letter that it had before it has been seen
    mended(channel, binding_id, "commitment_letter", "member_id_front")
    claims(reviewer, binding_id)
    assert returns(reviewer, binding_id, REGISTER).json()["code"] == "supervisor_required"
    assert returns(reviewer, binding_id, LETTER | {"kind": "member_id_front"}).json()["state"] == RETURNED


def test_a_supervisor_gives_his_word_by_returning_it_himself(as_: Caller, binding_id: str, office: Office) -> None:
    reviewer, supervisor, channel = as_("reviewer"), as_("supervisor"), as_(CHANNEL)
    assert "return" not in supervisor.get(f"/v1/bindings/{binding_id}").json()["available_actions"]
    assert returns(supervisor, binding_id, REGISTER).json()["code"] == "action_not_available"
    returned_once(reviewer, channel, binding_id)
    shown = supervisor.get(f"/v1/bindings/{binding_id}").json()
    assert "return" in shown["available_actions"]
    assert returns(supervisor, binding_id, REGISTER | {"reason": "because"}).json()["code"] == "reason_not_listed"
    stale = supervisor.post(f"/v1/reviews/{binding_id}/return", headers={"If-Match": f'"{shown["version"] - 1}"'},
                            json={"reason": "material_unreadable", "items": [REGISTER]})  # fmt: skip
    assert stale.status_code == 412
    done = returns(supervisor, binding_id, REGISTER)
    assert (done.json()["state"], done.json()["correction"]["items"]) == (RETURNED, [REGISTER])
    lines = [
        line for line in reviewer.get(f"/v1/reviews/{binding_id}").json()["timeline"] if line["event"] == "returned"
    ]
    assert [line["actor"] for line in lines] == ["reviewer:sandbox-reviewer", "supervisor:sandbox-supervisor"]
    # the reviewer who had it in his hands is told, and the clock of the family runs
    assert reviewer.post(f"/v1/reviews/{binding_id}/approve", json={}).json()["code"] == "action_not_available"
    assert done.json()["waiting_on"]["for"] == "correction"


def test_whoever_overlooked_it_does_not_excuse_himself(
    as_: Caller, staff: Staff, binding_id: str, office: Office
) -> None:
    both, another, channel = staff("reviewer", "supervisor"), staff("supervisor", "reviewer"), as_(CHANNEL)
    returned_once(both, channel, binding_id)
    assert returns(both, binding_id, REGISTER).json()["code"] == "supervisor_required"
    both.post(f"/v1/reviews/{binding_id}/release", json={})
    assert returns(both, binding_id, REGISTER).json()["code"] in ("supervisor_required", "lease_required")
    assert returns(another, binding_id, REGISTER).json()["state"] == RETURNED


def test_nor_does_he_under_a_second_key(staff: Staff, as_: Caller, binding_id: str) -> None:
    returned_once(staff("reviewer", person="own-1"), as_(CHANNEL), binding_id)
    himself, another = staff("supervisor", person="own-1"), staff("supervisor", person="own-2")
    assert "return" not in himself.get(f"/v1/bindings/{binding_id}").json()["available_actions"]
    assert returns(himself, binding_id, REGISTER).json()["code"] == "supervisor_required"
    assert returns(another, binding_id, REGISTER).json()["state"] == RETURNED


def test_who_is_both_returns_the_first_time_as_the_reviewer_that_he_is(staff: Staff, binding_id: str) -> None:
    both = staff("reviewer", "supervisor")
    assert returns(both, binding_id, LETTER).json()["code"] == "lease_required"
    claims(both, binding_id)
    assert returns(both, binding_id, LETTER).json()["state"] == RETURNED


def test_a_supervisor_of_another_region_sees_nothing(as_: Caller, staff: Staff, binding_id: str) -> None:
    returned_once(as_("reviewer"), as_(CHANNEL), binding_id)
    for elsewhere in (staff("supervisor", regions=("320500",)), staff("reviewer", "supervisor", regions=("320500",))):
        assert returns(elsewhere, binding_id, REGISTER).status_code == 404


def test_a_correction_has_room_also_where_thirty_were_handed_in(
    as_: Caller, binding_id: str, staff: Staff, office: Office
) -> None:
    """What was handed in stays, so that nothing could make room for what is asked for."""
    with office.ledger.connection() as conn:
        conn.execute(
            "insert into materials"
            " (id, binding_id, kind, sha256, size, media_type, pages, added_by, added_at, handed_in)"
            " select 'mat_' || n, %s, 'other', '', 1, 'image/png', 1, 'channel', kinbind_now() - interval '1 h', true"
            " from generate_series(1, 30) n",
            (binding_id,),
        )
    reviewer, channel = staff("reviewer"), as_(CHANNEL)
    claims(reviewer, binding_id)
    assert returns(reviewer, binding_id, LETTER).status_code == 200
    assert "upload_material" in channel.get(f"/v1/bindings/{binding_id}").json()["available_actions"]
    for _ in range(30):
        assert uploaded(channel, binding_id, LETTER["kind"]).status_code == 201
    assert "upload_material" not in channel.get(f"/v1/bindings/{binding_id}").json()["available_actions"]
    assert uploaded(channel, binding_id, LETTER["kind"]).json()["code"] == "too_many_files"
    mended(channel, binding_id)


def test_a_supervisor_may_look_a_third_time(staff: Staff, as_: Caller, binding_id: str) -> None:
    """Excluded is who returned it as its reviewer; an agency may have one supervisor."""
    supervisor, channel = staff("supervisor", person="own-5"), as_(CHANNEL)
    returned_once(as_("reviewer"), channel, binding_id)
    assert returns(supervisor, binding_id, REGISTER).json()["state"] == RETURNED
    mended(channel, binding_id, "household_register_first_page", "member_id_front")
    assert "return" in supervisor.get(f"/v1/bindings/{binding_id}").json()["available_actions"]
    assert returns(supervisor, binding_id, LETTER | {"kind": "holder_id_front"}).json()["state"] == RETURNED


def test_what_a_clerk_has_scanned_since_may_be_returned(as_: Caller, binding_id: str, office: Office) -> None:
    reviewer, channel, counter = as_("reviewer"), as_(CHANNEL), as_("counter")
    claims(reviewer, binding_id)
    assert returns(reviewer, binding_id, LETTER).status_code == 200
    assert uploaded(channel, binding_id, "commitment_letter").status_code == 201
    assert channel.post(f"/v1/bindings/{binding_id}/actions/submit_materials", json={}).status_code == 200
    life.say(office, "route_offline", binding_id, SYSTEM, reason="registry_unanswered")
    assert uploaded(counter, binding_id, REGISTER["kind"]).status_code == 201
    seen = {"method": "document_reader", "registry_checked": True}
    assert counter.post(f"/v1/counter/tickets/{binding_id}/verify", json=seen).json()["state"] == AGENCY_REVIEW
    claims(reviewer, binding_id)
    assert returns(reviewer, binding_id, REGISTER).json()["state"] == RETURNED
