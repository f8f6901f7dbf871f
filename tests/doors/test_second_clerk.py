"""A member whom no clerk has seen: whoever stands for him is seen by two (§B.7, 0029)."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from datetime import date, timedelta
from typing import Any

import httpx
import pytest

from policies.ages import birthday_in
from policies.calendar import shanghai_day
from tasks.office import Office
from tests import life
from tests.doors.conftest import Caller
from tests.doors.visitor import Comes, text_of
from tests.wire import NO_AUTHORITIES
from workflows.access import principals
from workflows.case import ACTIVE, OFFLINE_FALLBACK, SUSPENDED
from workflows.views.explaining import explain

TICKETS = "/v1/counter/tickets"
ALONE = {"method": "home_visit", "subjects": ["holder"], "note": "监护人持判决书到场"}
AWAITED = ("agency", "decision")
Clerks = Callable[..., httpx.Client]


@pytest.fixture
def clerk_of(base_url: str, office: Office) -> Iterator[Clerks]:
    """`clerk_of(person, region)`: a new key at the counter, of the person whose own number's index this is."""
    with ExitStack() as clients:

        def clerk(person: str | None = None, region: str = "000000") -> httpx.Client:
            _, key = principals.create_staff(office.ledger, "somebody", ["counter"], [region], person)
            return clients.enter_context(
                httpx.Client(base_url=base_url, headers={"Authorization": f"Bearer {key}"}, timeout=30,
                             verify=NO_AUTHORITIES)
            )  # fmt: skip

        yield clerk


def verified(clerk: httpx.Client, binding_id: str, **other: Any) -> httpx.Response:
    return clerk.post(f"{TICKETS}/{binding_id}/verify", json=ALONE | other)


def a_ward(office: Office, state: str = OFFLINE_FALLBACK) -> str:
    return life.to_state(office, state, relationship="WARD")


def test_one_clerk_alone_decides_nothing(as_: Caller, office: Office) -> None:
    ward = a_ward(office)
    before = as_("alipay").get(f"/v1/bindings/{ward}").json()["waiting_on"]
    first = verified(as_("counter"), ward)
    assert (first.status_code, first.json()["state"]) == (200, OFFLINE_FALLBACK), first.text
    waits = first.json()["waiting_on"]
    assert ((waits["party"], waits["for"]), waits["until"]) == (AWAITED, before["until"])
    assert "另一名窗口人员" in explain(*office.desk.look(ward), office.desk.book)[0]
    (item,) = as_("counter-2").get(TICKETS).json()["items"]
    assert (item["second_clerk_required"], "verify" in item["available_actions"]) == (True, True)
    line = as_("alipay").get(f"/v1/bindings/{ward}/timeline").json()["items"][-1]
    assert (line["event"], line["to"], line["reason"]) == (
        "counter_verified", OFFLINE_FALLBACK, "second_clerk_required",
    )  # fmt: skip

    again = verified(as_("counter"), ward)
    assert (again.status_code, again.json()["code"]) == (409, "second_clerk_required")
    second = verified(as_("counter-2"), ward)
    assert (second.json()["state"], second.json()["waiting_on"]) == (ACTIVE, None)
    assert life.look(office, ward).progress.present == ["holder"]


def test_two_keys_of_one_person_are_one_clerk(clerk_of: Clerks, office: Office) -> None:
    ward = a_ward(office)
    person = office.desk.keys.person("citizen", life.number(date(1980, 1, 1)))
    assert verified(clerk_of(person), ward).status_code == 200
    assert verified(clerk_of(person), ward).json()["code"] == "second_clerk_required"
    assert verified(clerk_of(), ward).json()["state"] == ACTIVE


def test_who_comes_after_all_is_seen_by_one(as_: Caller, office: Office) -> None:
    ward, child = a_ward(office), life.to_state(office, ACTIVE, member_born=date(2019, 1, 1), seed=1)
    assert verified(as_("counter"), ward).json()["state"] == OFFLINE_FALLBACK
    assert verified(as_("counter"), ward, subjects=["member"]).json()["state"] == ACTIVE
    life.report(office, child, "name", "李明月")  # no face of a child's is asked: its guardian is whom the clerk sees
    assert verified(as_("counter"), child).json()["state"] == ACTIVE


def test_so_it_is_when_he_is_verified_again(as_: Caller, office: Office) -> None:
    ward = a_ward(office, ACTIVE)
    life.report(office, ward, "name", "李改名")
    assert verified(as_("counter"), ward).json()["state"] == SUSPENDED
    reported = life.report(office, ward, "name", "李又改")  # the first clerk has not heard of that one
    seen = {"If-Match": f'"{reported.version}"'}
    anew = as_("counter-2").post(f"{TICKETS}/{ward}/verify", json=ALONE, headers=seen)
    assert (anew.json()["state"], anew.json()["waiting_on"]["party"]) == (SUSPENDED, "agency")
    last = as_("counter").post(f"{TICKETS}/{ward}/verify", json=ALONE, headers={"If-Match": anew.headers["etag"]})
    assert (last.json()["state"], last.json()["member"]["name"]) == (ACTIVE, "李**")


def test_and_in_the_grace_of_one_who_has_reached_the_face_age(as_: Caller, office: Office) -> None:
    soon = shanghai_day(office.ledger.now()) + timedelta(days=2)
    ward = life.to_state(office, ACTIVE, relationship="WARD", member_born=birthday_in(soon, soon.year - 16))
    life.advance(office, days=3)
    assert verified(as_("counter"), ward).json()["state"] == ACTIVE
    assert "尚待由另一名窗口人员再次核验" in explain(*office.desk.look(ward), office.desk.book)[0]
    assert life.look(office, ward).progress.reverify_since is not None
    assert verified(as_("counter-2"), ward).json()["counter_ticket"] is None


def test_where_there_is_one_clerk_another_agency_has_the_second(clerk_of: Clerks, office: Office) -> None:
    ward, shenzhen = a_ward(office), clerk_of(region="440300")
    guangzhou = clerk_of(region="440100")
    assert verified(guangzhou, ward).status_code == 200
    assert guangzhou.post(f"{TICKETS}/{ward}/hand-over", json={"agency": "440300"}).status_code == 200
    assert verified(shenzhen, ward).json()["state"] == ACTIVE


def test_back_before_the_camera_nothing_is_left_of_it(as_: Caller, office: Office) -> None:
    ward = a_ward(office)
    assert verified(as_("counter"), ward).status_code == 200
    life.say(office, "resume_online", ward)
    life.say(office, "route_offline", ward, reason="cannot_pass")
    assert verified(as_("counter-2"), ward).json()["state"] == OFFLINE_FALLBACK


def test_the_window_says_that_a_second_is_awaited(comes: Comes, office: Office) -> None:
    ward = a_ward(office)
    life.say(office, "counter_verified", ward, life.COUNTER, **ALONE)
    clerk = comes("counter")
    assert "待第二人核验" in text_of(clerk.get("/counter"))
    assert "须由另一名窗口人员再次核验" in text_of(clerk.get(f"/counter/{ward}"))
