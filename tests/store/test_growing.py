"""A child that reaches the face age on its way: whichever step it grows in, its own face is asked, and asked once."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import date, timedelta

import pytest

from policies.ages import birthday_in
from policies.book import LawBook
from policies.calendar import shanghai_day, start_of_day
from policies.loader import SHIPPED, read_folder, read_pack
from tasks.office import Office
from tests import life
from tests.store.invariants import check
from tests.store.test_repairs import OPERATOR, SUPERVISOR
from workflows.case import SYSTEM, Actor
from workflows.deadlines import armed
from workflows.engine import Desk
from workflows.errors import Refused
from workflows.repairs import carrying, orders
from workflows.repairs.orders import Wish
from workflows.views import window

DAYS = 3  # until it is sixteen
REVIEWED = """
pack: CN-11-reviewed
version: "1"
effective_from: 2025-01-01
region: "11"
inherits: CN-national/family_account
product: family_account
title: {zh: 北京, en: Beijing}
sources: [S0]
facts: {review: [S0]}
review: {mode: manual}
"""


@pytest.fixture
def office(database_url: str) -> Iterator[Office]:
    with life.office(database_url) as opened:
        yield opened
        check(opened)


def born(office: Office) -> date:
    soon = shanghai_day(office.ledger.now()) + timedelta(days=DAYS)
    return birthday_in(soon, soon.year - 16)


def its_own(office: Office, **options: object) -> str:
    """The application for such a child, before the registries."""
    request = life.a_request(office.desk.book, member_born=born(office), relationship="CHILD", **options)  # type: ignore[arg-type]
    binding_id = life.submit(office, request)
    if life.look(office, binding_id).plan.materials:
        life.hand_in(office, binding_id)
    return binding_id


def waiting_at_the_counter(office: Office, **options: object) -> str:
    binding_id = its_own(office, **options)
    life.say(office, "route_offline", binding_id, SYSTEM, reason="registry_unanswered")
    return binding_id


def test_between_the_holders_face_and_his_authorisation(office: Office) -> None:
    sharing = its_own(office, product="account_sharing")
    life.registries_say_yes(office, sharing)
    life.claim(office, sharing)
    life.say(office, "approve", sharing, life.REVIEWER)
    code = its_own(office, product="code_display", initiator="holder")
    life.registries_say_yes(office, code)
    life.pass_face(office, code, "holder")
    life.advance(office, days=DAYS + 1)
    asked = life.say(office, "confirm_authorisation", code)
    assert (asked.state, asked.next_subject) == ("face_check", "member")
    life.pass_face(office, code)
    assert life.look(office, code).state == "active"


def test_while_its_ticket_is_open(office: Office) -> None:
    """The clerk is told that it must stand before him, or somebody for it, and lets nobody in unseen."""
    binding_id = waiting_at_the_counter(office)
    for who, asked in (("holder", []), ("member", ["member"])):
        shown = window.window_case(office.desk, binding_id, life.COUNTER)
        assert (shown["waiting_on"]["party"], shown["subjects_open"]) == (who, asked)
        life.advance(office, days=DAYS + 1)
    seen = {"method": "document_reader", "registry_checked": True}
    with pytest.raises(Refused, match="subject_not_present"):
        life.say(office, "counter_verified", binding_id, life.COUNTER, **seen, subjects=[])
    case = life.say(office, "counter_verified", binding_id, life.COUNTER, **seen, subjects=["member"])
    assert (case.state, case.progress.passed, case.progress.present) == ("active", ["member"], ["member"])
    assert "member_to_age" not in armed(case)


@pytest.mark.parametrize(("relationship", "years", "alone"), [("SIBLING", 17, False), ("CHILD", 16, False),
                                                              ("WARD", 17, True), ("CHILD", 19, False)])  # fmt: skip
def test_nobody_stands_at_a_counter_for_whom_the_face_age_asks_himself(
    office: Office, relationship: str, years: int, alone: bool
) -> None:
    """At seventeen a guardian may still sign, and is not the member (F16)."""
    today = shanghai_day(office.ledger.now())
    request = life.a_request(office.desk.book, member_born=birthday_in(today, today.year - years),
                             relationship=relationship)  # fmt: skip
    binding_id = life.submit(office, request)
    life.hand_in(office, binding_id)
    life.registries_say_yes(office, binding_id)
    life.say(office, "route_offline", binding_id, reason="declines_face")
    assert bool(window.window_case(office.desk, binding_id, life.COUNTER)["guardians"]) is alone
    another = Actor("counter", "stf_another", regions=life.COUNTER.regions)
    seen = {"method": "document_reader", "subjects": ["holder"]}
    if alone:
        assert life.say(office, "counter_verified", binding_id, life.COUNTER, **seen).state == "offline_fallback"
        assert life.say(office, "counter_verified", binding_id, another, **seen).state == "active"
    else:
        with pytest.raises(Refused, match="subject_not_present"):
            life.say(office, "counter_verified", binding_id, life.COUNTER, **seen)


def test_in_a_review_after_a_ticket(office: Office) -> None:
    """A clerk has settled what was asked then; what is asked now may be shown to a camera, or at a counter again."""
    book = LawBook([*read_folder(SHIPPED), read_pack("reviewed.yaml", REVIEWED)])
    office = replace(office, desk=Desk(office.ledger, book, office.desk.keys))
    ways = {}
    for seed in (1, 2, 3):
        binding_id = ways[seed] = waiting_at_the_counter(office, region="110100", seed=seed)
        seen = {"method": "document_reader", "registry_checked": True}
        assert life.say(office, "counter_verified", binding_id, life.COUNTER, **seen).state == "agency_review"
    life.advance(office, days=DAYS + 1)
    for binding_id in ways.values():
        life.claim(office, binding_id)
        assert life.say(office, "approve", binding_id, life.REVIEWER).next_subject == "member"
    life.pass_face(office, ways[1])
    for seed in (2, 3):
        life.say(office, "route_offline", ways[seed], reason="declines_face")
    life.say(office, "resume_online", ways[2])
    life.pass_face(office, ways[2])
    life.say(office, "counter_verified", ways[3], life.COUNTER, method="document_reader")
    assert {life.look(office, binding_id).state for binding_id in ways.values()} == {"active"}


def test_once_shown_it_is_not_asked_again_when_a_supervisor_lets_a_name_go(office: Office) -> None:
    binding_id = its_own(office)
    life.registries_say_yes(office, binding_id)
    life.advance(office, days=DAYS + 1)
    life.pass_face(office, binding_id)
    life.report(office, binding_id, "name", "李改名")
    life.say(office, "resume", binding_id, life.SUPERVISOR, reason="decided_by_agency")
    life.advance(office, days=40)
    case = life.look(office, binding_id)
    assert (case.state, case.progress.reverify_since, case.progress.passed) == ("active", None, ["member"])


def replanned_to(office: Office, border: str, binding_id: str) -> tuple[Office, str]:
    """An office with a version to come that draws the border of the face otherwise, and the order to it, done."""
    later = (SHIPPED / "CN-national.family_account.yaml").read_text(encoding="utf-8")
    for old, new in (
        ('version: "2026-11-01"\neffective_from: 2024-03-02', 'version: "2099-01-01"\neffective_from: 2099-01-01'),
        ("minor_max_exclusive: 16, minor_max_inclusive: null", border),
    ):
        assert later.count(old) == 1
        later = later.replace(old, new)
    book = LawBook([*read_folder(SHIPPED), read_pack("later.yaml", later)])
    office = replace(office, desk=Desk(office.ledger, book, office.desk.keys))
    wish = Wish(
        "replan", "新版政策", {"binding_ids": [binding_id]}, {"version": "2099-01-01"}, dry_run=False, pace=1000
    )
    order = orders.make(office.ledger, OPERATOR, wish)
    carrying.to_its_end(office.desk, order, 20)
    orders.approve(office.ledger, SUPERVISOR, order)
    carrying.to_its_end(office.desk, order, 20)
    return office, order


def in_force(office: Office) -> str:
    binding_id = its_own(office)
    life.registries_say_yes(office, binding_id)
    return binding_id


def test_under_a_plan_that_asks_a_year_later(office: Office) -> None:
    """Replanned to "16 and under", it is asked at seventeen; taken back, at sixteen again."""
    binding_id = in_force(office)
    day = life.look(office, binding_id).application.face_age_day
    assert day is not None
    office, order = replanned_to(office, "minor_max_exclusive: null, minor_max_inclusive: 16", binding_id)
    after = life.look(office, binding_id)
    assert (after.plan.version, after.application.face_age_day) == ("2099-01-01", birthday_in(day, day.year + 1))
    assert armed(after)["member_to_age"].at == start_of_day(birthday_in(day, day.year + 1))
    check(office)

    orders.undo(office.ledger, OPERATOR, order, "发布有误")
    carrying.to_its_end(office.desk, order, 20)
    undone = life.look(office, binding_id)
    assert (undone.application.face_age_day, armed(undone)["member_to_age"].at) == (day, start_of_day(day))


def test_under_a_plan_that_would_have_asked_before(office: Office) -> None:
    """In force unseen, and by "under fourteen" old enough already: it is asked now, not never."""
    binding_id = in_force(office)
    office, _ = replanned_to(office, "minor_max_exclusive: 14, minor_max_inclusive: null", binding_id)
    life.advance(office, minutes=1)
    case = life.look(office, binding_id)
    assert (case.state, case.progress.reverify_since is not None) == ("active", True)
    life.pass_face(office, binding_id)
    life.advance(office, days=40)
    assert life.look(office, binding_id).state == "active"
