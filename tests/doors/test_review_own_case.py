"""Nobody decides a case in which he is a party: not the reviewer, not the clerk, not the supervisor, not the mother."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from datetime import date

import httpx
import pytest

from policies.people import parse_identity
from tasks.office import Office
from tests import life
from tests.doors.family import act, application, key, uploaded
from tests.doors.visitor import Comes, with_pictures
from tests.wire import NO_AUTHORITIES
from workflows.access import principals
from workflows.case import ACTIVE, AGENCY_REVIEW, OFFLINE_FALLBACK, SUSPENDED, SYSTEM

Staff = Callable[[str, str], httpx.Client]
TODAY = date(2026, 1, 1)


@pytest.fixture
def who(base_url: str, office: Office) -> Iterator[Staff]:
    """`who("counter", number)`: the client of a new member of staff whose own ID number this is."""
    with ExitStack() as clients:

        def somebody(role: str, number: str) -> httpx.Client:
            own = parse_identity("resident_id", number, None, TODAY)
            person = office.desk.keys.person(own.family, own.number)
            _, key = principals.create_staff(office.ledger, "somebody", [role], ["000000"], person)
            told = {"Authorization": f"Bearer {key}"}
            return clients.enter_context(
                httpx.Client(base_url=base_url, headers=told, timeout=30, verify=NO_AUTHORITIES)
            )

        yield somebody


def number_of(office: Office, binding_id: str, role: str) -> str:
    return str(life.look(office, binding_id).application.parties[role]["id_number"])


@pytest.mark.parametrize("role", ["holder", "member"])
def test_no_reviewer(who: Staff, office: Office, role: str) -> None:
    binding_id = life.to_state(office, AGENCY_REVIEW)
    party = who("reviewer", number_of(office, binding_id, role))
    with office.ledger.connection() as conn:  # even where somebody has put it into his hands
        conn.execute(
            "update review_cases set claimed_by = p.id, lease_until = kinbind_now() + interval '15 minutes'"
            " from principals p where p.name = 'somebody'"
        )
    items = [{"kind": "commitment_letter", "reason": "letter_unsigned"}]
    bodies: dict[str, dict[str, object]] = {
        "claim": {}, "approve": {}, "reject": {"reason": "relation_unproven"},
        "return": {"reason": "letter_unsigned", "items": items},
    }  # fmt: skip
    for said, body in (bodies | {"escalate": {"note": "x"}}).items():
        refused = party.post(f"/v1/reviews/{binding_id}/{said}", json=body)
        assert (refused.status_code, refused.json()["code"]) == (409, "own_case"), said
    listed = set(party.get(f"/v1/bindings/{binding_id}").json()["available_actions"])
    assert not listed & {"approve", "reject", "return", "escalate"}
    assert life.events(office, binding_id)[-1] == "review_begun"


@pytest.mark.parametrize("role", ["holder", "member"])
def test_no_clerk(who: Staff, office: Office, role: str) -> None:
    binding_id = life.to_state(office, OFFLINE_FALLBACK)
    party = who("counter", number_of(office, binding_id, role))
    bodies = {"verify": {"method": "document_reader"}, "refuse": {"reason": "relation_unproven"},
              "hand-over": {"agency": "440300"}}  # fmt: skip
    for said, body in bodies.items():
        refused = party.post(f"/v1/counter/tickets/{binding_id}/{said}", json=body)
        assert (refused.status_code, refused.json()["code"]) == (409, "own_case"), said
    assert act(party, binding_id, "withdraw").json()["code"] == "own_case"
    assert uploaded(party, binding_id, "other").json()["code"] == "own_case"
    listed = set(party.get(f"/v1/bindings/{binding_id}").json()["available_actions"])
    assert not listed & {"verify", "refuse", "withdraw", "upload_material", "hand_over"}


def test_no_clerk_ends_or_changes_his_own_binding(who: Staff, office: Office) -> None:
    binding_id = life.to_state(office, ACTIVE, member_born=date(2019, 1, 1))
    party = who("counter", number_of(office, binding_id, "holder"))
    ended = party.post(f"/v1/counter/tickets/{binding_id}/unbind", json={"initiator": "holder"})
    assert ended.json()["code"] == "own_case"
    assert act(party, binding_id, "report_change", what="relationship_ended").json()["code"] == "own_case"


def test_no_clerk_verifies_himself_into_a_binding(who: Staff, office: Office) -> None:
    """Whom the member is reported to be is a party already, before anybody has seen him."""
    binding_id, number = life.to_state(office, ACTIVE), life.number(date(1958, 3, 7), 78)
    clerk = who("counter", number)
    assert act(clerk, binding_id, "report_change", what="id_number", value=number).json()["state"] == SUSPENDED
    verified = clerk.post(f"/v1/counter/tickets/{binding_id}/verify", json={"method": "document_reader"})
    assert (verified.status_code, verified.json()["code"]) == (409, "own_case")
    assert "verify" not in clerk.get(f"/v1/bindings/{binding_id}").json()["available_actions"]


def test_no_supervisor(who: Staff, office: Office) -> None:
    binding_id = life.to_state(office, SUSPENDED, member_born=date(2019, 1, 1))
    party = who("supervisor", number_of(office, binding_id, "member"))
    for said in ("resume", "unbind"):
        assert party.post(f"/v1/bindings/{binding_id}/{said}", json={"reason": "x"}).json()["code"] == "own_case"


def test_a_mother_who_is_a_clerk_does_not_stand_for_her_own_face(who: Staff, office: Office) -> None:
    binding_id = life.submit(office, life.a_request(office.desk.book, method="birth_certificate"))
    life.registries_say_yes(office, binding_id)
    life.say(office, "route_offline", binding_id, SYSTEM, reason="registry_unanswered")
    mother = who("counter", number_of(office, binding_id, "mother"))
    body = {"method": "compared_by_eye", "subjects": ["mother"]}
    refused = mother.post(f"/v1/counter/tickets/{binding_id}/verify", json=body)
    assert (refused.status_code, refused.json()["code"]) == (409, "own_case")
    another = who("counter", life.number(date(1980, 1, 1), 77))
    answer = another.post(f"/v1/counter/tickets/{binding_id}/verify", json=body)
    assert answer.json()["state"] == ACTIVE


def test_no_clerk_takes_an_application_of_his_own(who: Staff, office: Office) -> None:
    """A child's needs no face and no review: at his own window nobody but himself would have looked."""
    body = application(member_born=date(2019, 1, 1), relationship="CHILD")
    for role in ("holder", "member"):
        refused = who("counter", body[role]["id_number"]).post("/v1/counter/tickets", json=body, headers=key())
        assert (refused.status_code, refused.json()["code"]) == (409, "own_case"), role
    newborn = application(method="birth_certificate")
    mother = who("counter", newborn["birth_certificate"]["mother_id_number"])
    assert mother.post("/v1/counter/tickets", json=newborn, headers=key()).json()["code"] == "own_case"
    another = who("counter", life.number(date(1980, 1, 1), 78))
    assert another.post("/v1/counter/tickets", json=body, headers=key()).status_code == 201


@pytest.mark.parametrize("role", ["reviewer", "counter", "supervisor"])
def test_nobody_reads_his_own_case_in_clear(who: Staff, office: Office, role: str) -> None:
    """The masked view stays; numbers and documents are as closed to him as the decision, and nothing is logged."""
    binding_id = life.to_state(office, AGENCY_REVIEW if role == "reviewer" else OFFLINE_FALLBACK)
    with_pictures(office, binding_id)
    material = life.look(office, binding_id).materials[0]["id"]
    party = who(role, number_of(office, binding_id, "holder"))
    asked = {"field": "member.id_number", "purpose": "compare"}
    looks = (
        party.post(f"/v1/bindings/{binding_id}/reveal", json=asked),
        party.get(f"/v1/bindings/{binding_id}/materials/{material}/content"),
    )
    assert [(no.status_code, no.json()["code"]) for no in looks] == [(409, "own_case")] * 2
    assert party.get(f"/v1/bindings/{binding_id}").json()["member"]["id_number"].count("*") == 10
    with office.ledger.connection() as conn:
        noted = conn.execute("select act from access_log where binding_id = %s", (binding_id,)).fetchall()
    assert noted == []
    another = who(role, life.number(date(1980, 1, 1), 79))
    assert another.post(f"/v1/bindings/{binding_id}/reveal", json=asked).status_code == 200
    assert another.get(f"/v1/bindings/{binding_id}/materials/{material}/content").status_code == 200


def test_nor_at_the_console(comes: Comes, office: Office) -> None:
    binding_id = life.to_state(office, AGENCY_REVIEW)
    with_pictures(office, binding_id)
    material = life.look(office, binding_id).materials[0]["id"]
    reviewer = comes("reviewer")
    assert reviewer.get(f"/cases/{binding_id}/materials/{material}").status_code == 200
    holder = life.look(office, binding_id).application.holder
    with office.ledger.connection() as conn:
        conn.execute("update principals set person = %s where id = 'sandbox-reviewer'", (holder,))
    party = comes("reviewer")
    assert party.get(f"/reviews/{binding_id}").status_code == 200
    assert party.get(f"/cases/{binding_id}/materials/{material}").status_code == 409
    fields = {"field": "member.id_number", "purpose": "compare_document"}
    assert party.post(f"/reviews/{binding_id}/reveal", fields=fields).status_code == 409


def test_of_what_is_noted_about_him_he_reads_what_his_family_reads(who: Staff, office: Office, comes: Comes) -> None:
    binding_id = life.to_state(office, AGENCY_REVIEW)
    life.claim(office, binding_id)
    life.say(office, "escalate", binding_id, life.REVIEWER, note="疑似冒用")
    party = who("reviewer", number_of(office, binding_id, "holder"))
    shown = party.get(f"/v1/reviews/{binding_id}").json()
    assert "claim" not in shown["available_actions"]
    for lines in (shown["timeline"], party.get(f"/v1/bindings/{binding_id}/timeline").json()["items"]):
        assert (lines[-1]["event"], lines[-1]["actor"], lines[-1]["note"]) == ("review_escalated", "agency", None)
    assert "疑似冒用" in comes("reviewer").get(f"/reviews/{binding_id}").text
    with office.ledger.connection() as conn:
        holder = life.look(office, binding_id).application.holder
        conn.execute("update principals set person = %s where id = 'sandbox-reviewer'", (holder,))
    assert "疑似冒用" not in comes("reviewer").get(f"/reviews/{binding_id}").text


def test_no_party_tells_his_colleagues_what_to_think_of_his_case(comes: Comes, office: Office) -> None:
    binding_id = life.to_state(office, AGENCY_REVIEW)
    reviewer, supervisor = comes("reviewer"), comes("supervisor")
    cases, page = f"/reviews/{binding_id}", f"/ops/bindings/{binding_id}"

    def noted() -> list[object]:
        asked = reviewer.get(cases).text, supervisor.get(page).text
        said = reviewer.post(f"{cases}/note", body="可以通过"), supervisor.post(f"{page}/look", body="可以通过")
        return ['data-open="note"' in asked[0], f'{page}/look"' in asked[1], *(one.status_code for one in said)]

    assert noted() == [True, True, 303, 303]
    holder = life.look(office, binding_id).application.holder
    with office.ledger.connection() as conn:
        conn.execute("update principals set person = %s where name like 'sandbox-%%'", (holder,))
    assert noted() == [False, False, 409, 409]
    with office.ledger.connection() as conn:
        assert conn.execute("select count(*) from case_notes").fetchone() == (2,)
