"""What a clerk scans: led to the page that is missing, and free to take back what was scanned by mistake."""

import re

import httpx
import pytest

from tasks.office import Office
from tests import life
from tests.doors.conftest import Caller
from tests.doors.family import picture
from tests.doors.visitor import Comes, Visitor, text_of
from workflows.case import OFFLINE_FALLBACK
from workflows.views.window import lacking

FIRST, MEMBER = "household_register_first_page", "household_register_member_page"


@pytest.fixture
def clerk(comes: Comes) -> Visitor:
    return comes("counter")


@pytest.fixture
def ticket(office: Office) -> str:
    """A ticket without any paper."""
    binding_id = life.to_state(office, OFFLINE_FALLBACK)
    with office.ledger.connection() as conn:
        conn.execute("update materials set removed_at = kinbind_now()")
    return binding_id


def scan(clerk: Visitor, binding_id: str, kind: str) -> httpx.Response:
    sent = clerk.post(f"/counter/{binding_id}/upload", kind=kind, files={"file": ("scan.jpg", picture())})
    return clerk.follow(sent)


def offered(page: httpx.Response) -> str:
    """The kind that the form for a scan has chosen."""
    return re.findall(r'<option value="(\w+)" selected>', page.text.partition('name="kind"')[2])[0]


def test_page_by_page_the_clerk_is_led_to_what_is_missing(clerk: Visitor, ticket: str) -> None:
    page = clerk.get(f"/counter/{ticket}")
    kinds = []
    while "尚缺" in text_of(page):
        kinds.append(offered(page))
        page = scan(clerk, ticket, kinds[-1])
    assert sorted(kinds) == sorted(["commitment_letter", FIRST, MEMBER])


def test_it_is_said_which_page_is_missing(clerk: Visitor, ticket: str) -> None:
    untouched = text_of(clerk.get(f"/counter/{ticket}"))
    assert "尚缺： 个人承诺书 、 户口簿（户口簿首页、户口簿成员页）" in untouched
    page = text_of(scan(clerk, ticket, FIRST))
    assert "尚缺： 个人承诺书 、 户口簿（户口簿成员页）" in page
    assert "补扫材料：户口簿（户口簿成员页）" in page
    assert "尚缺： 个人承诺书、户口簿（户口簿成员页）" in text_of(clerk.get(f"/counter/{ticket}/slip"))
    clerk.get("/counter")
    clerk.post("/language", to="en", back="/counter")
    english = text_of(clerk.get(f"/counter/{ticket}"))
    assert "Missing: Commitment letter , Household register, member's page" in english


def test_what_is_begun_is_gone_on_with() -> None:
    register, ways = [FIRST, MEMBER], [["marriage_certificate"], [FIRST, MEMBER], ["other"]]
    assert lacking(ways, set()) == ways
    assert lacking(ways, {FIRST}) == [[MEMBER]]
    assert lacking([register], {MEMBER}) == [[FIRST]]


def test_what_was_scanned_by_mistake_is_taken_back(clerk: Visitor, ticket: str, office: Office) -> None:
    scan(clerk, ticket, FIRST)
    page = scan(clerk, ticket, "other")
    wrong = next(one["id"] for one in life.look(office, ticket).materials if one["kind"] == "other")
    path = f"/counter/{ticket}/materials/{wrong}/remove"
    assert f'action="/console{path}"' in page.text
    rash = clerk.post(path)
    assert (rash.status_code, "请勾选确认" in text_of(rash)) == (422, True)
    gone = clerk.follow(clerk.post(path, sure="yes"))
    assert [one["kind"] for one in life.look(office, ticket).materials] == [FIRST]
    assert path not in gone.text
    again = clerk.post(path, sure="yes")  # from another tab, say: it is as was wanted
    assert (again.status_code, path in again.text) == (200, False)


def test_what_a_family_sends_from_its_phone_is_no_clerks_to_take_away(
    clerk: Visitor, as_: Caller, office: Office
) -> None:
    binding_id = life.to_state(office, "submitted")
    life.give_materials(office, binding_id)
    there = life.look(office, binding_id).materials
    assert "/remove" not in clerk.get(f"/counter/{binding_id}").text
    clerk.post(f"/counter/{binding_id}/materials/{there[0]['id']}/remove", sure="yes")
    assert as_("counter").delete(f"/v1/bindings/{binding_id}/materials/{there[0]['id']}").status_code == 404
    assert life.look(office, binding_id).materials == there


def test_what_was_handed_in_stays(clerk: Visitor, office: Office) -> None:
    binding_id = life.to_state(office, OFFLINE_FALLBACK)  # its papers were handed in before
    page = clerk.get(f"/counter/{binding_id}")
    assert "/remove" not in page.text
    there = life.look(office, binding_id).materials
    refused = clerk.post(f"/counter/{binding_id}/materials/{there[0]['id']}/remove", sure="yes")
    assert (refused.status_code, "材料已提交" in text_of(refused)) == (409, True)
    assert life.look(office, binding_id).materials == there


def test_what_a_channel_may_still_change_is_no_clerks(clerk: Visitor, office: Office) -> None:
    with office.ledger.connection() as conn:
        conn.execute("update principals set regions = '{320500}' where id = 'sandbox-counter'")
    binding_id = life.to_state(office, "submitted")
    life.give_materials(office, binding_id)
    material = life.look(office, binding_id).materials[0]["id"]
    assert clerk.post(f"/counter/{binding_id}/materials/{material}/remove", sure="yes").status_code == 404
