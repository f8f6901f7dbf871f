"""Every binding says where it is, whom it waits on, until when, and what happens then, in both languages."""

import re
from datetime import date

import pytest
from typer.testing import CliRunner

from cli.main import app
from policies.parties import parties
from tests import life
from workflows.case import ACTIVE, FINAL, STATES, SYSTEM
from workflows.deadlines import DEADLINES
from workflows.views.explaining import DEEDS, PARTIES, THEN, explain, spoken
from workflows.views.public import public_view
from workflows.views.reason_words import say
from workflows.views.waiting import waiting_on


@pytest.fixture
def office(database_url):
    with life.office(database_url) as opened:
        yield opened


def sentence(office, binding_id):
    case, now = office.desk.look(binding_id)
    return explain(case, now, office.desk.book)


def until(office, binding_id):
    waits = waiting_on(*office.desk.look(binding_id))
    assert waits is not None
    return waits["until"]


@pytest.mark.parametrize("state", STATES)
def test_every_state_answers_the_four_questions(office, state):
    binding_id = life.to_state(office, state)
    case, now = office.desk.look(binding_id)
    said, waiting = sentence(office, binding_id), waiting_on(case, now)
    assert "(since" in said[1]
    assert "_" not in said[1]
    assert re.match(r"该绑定(已|处于|未|材料已).*（自20\d\d年", said[0]), said[0]
    assert state not in said[0]
    if state in FINAL:
        assert "final" in said[1]
    elif state == ACTIVE:
        assert "nobody is waited on" in said[1]
    else:
        assert waiting is not None
        called = {**PARTIES, **parties(case.application.product)}
        assert f"waiting for {called[waiting['party']][1]} {DEEDS[waiting['for']][1]} until" in said[1]
        assert THEN[waiting["then"]][1] in said[1]
        assert THEN[waiting["then"]][0] in said[0]
    assert not re.search(r"\d{15}", said[0] + said[1])
    assert not any(party["name"] in said[0] for party in case.application.parties.values())


def test_the_command_says_it_in_both_languages(office):
    binding_id = life.to_state(office, "face_check")
    done = CliRunner().invoke(app, ["explain", binding_id])
    said = sentence(office, binding_id)
    assert done.stdout.splitlines() == list(said)
    shown = CliRunner().invoke(app, ["show", binding_id])
    assert re.search(r"state +face_check", shown.stdout)
    assert re.search(r"^holder\n(  .+\n)*  insured_region +440100$", shown.stdout, re.MULTILINE)
    assert "{" not in shown.stdout
    assert "\tmaterials_submitted\tsubmitted\tmaterials_uploaded\t" in shown.stdout
    assert "张伟" not in shown.stdout


def test_why_is_said_in_the_words_of_the_pack_or_ours(office):
    rejected = sentence(office, life.to_state(office, "rejected"))
    assert "未查询到参保信息" in rejected[0]
    assert "No insurance was found" in rejected[1]
    offline = sentence(office, life.to_state(office, "offline_fallback", seed=1))
    assert "a face check was declined" in offline[1]


def test_a_term_that_is_over_is_said_to_be_over(office):
    binding_id = life.to_state(office, "submitted")
    life.skip(office, days=8)
    assert "which is over" in sentence(office, binding_id)[1]


def test_a_review_that_was_not_decided_in_time_says_since_when_and_when_it_is_told_again(office):
    binding_id = life.to_state(office, "agency_review")
    missed, before = until(office, binding_id), sentence(office, binding_id)
    life.advance(office, seconds=int((missed - office.ledger.now()).total_seconds()) + 60)
    again, late = spoken(until(office, binding_id)), sentence(office, binding_id)
    assert f"期限{spoken(missed)[0]}，逾期" in before[0]
    assert f"期限{spoken(missed)[0]}已过，{again[0]}将再次提请督办" in late[0]
    assert f"by {spoken(missed)[1]}, which is over; on {again[1]} it is escalated again" in late[1]


def test_a_child_in_force_is_told_the_day_of_its_face(office):
    binding_id = life.submit(office, life.a_request(office.desk.book, member_born=date(2014, 5, 20)))
    life.hand_in(office, binding_id)
    assert life.say(office, "registries_answered", binding_id, SYSTEM).state == ACTIVE
    said = sentence(office, binding_id)
    assert "20 May 2030" in said[1]
    assert "2030年5月20日" in said[0]


def test_all_who_must_come_to_the_window_are_named(office):
    child = life.submit(office, life.a_request(office.desk.book, member_born=date(2014, 5, 20), seed=1))
    life.hand_in(office, child)
    life.registries_say_yes(office, child)
    code = authorised(office)
    display = life.submit(office, life.a_request(office.desk.book, product="code_display"))
    life.registries_say_yes(office, display)
    life.say(office, "route_offline", display, reason="cannot_pass")
    assert "正在等待使用人、授权人到经办窗口办理" in sentence(office, display)[0]
    assert "waiting for the user and the authoriser to come to the counter" in sentence(office, display)[1]
    life.say(office, "counter_verified", display, life.COUNTER, method="document_reader")
    life.say(office, "confirm_authorisation", display)
    assert "须有有效的家庭共济授权方可使用" in sentence(office, display)[0]
    assert "家庭共济" not in sentence(office, code)[0]

    life.report(office, child, "name", "李明月")  # no child's face is asked: whoever stands for it
    assert "正在等待绑定人重新核验身份" in sentence(office, child)[0]
    ticket = public_view(*office.desk.look(child))["counter_ticket"]
    assert (ticket["service"], ticket["bring"]) == ("重新核验身份", ["双方有效身份证件原件"])


def test_what_a_clerk_has_begun_waits_for_him(office):
    binding_id = life.to_state(office, "active")
    life.say(office, "suspend", binding_id, life.SUPERVISOR, reason="suspected_fraud")
    life.say(office, "request_unbind", binding_id, life.COUNTER)
    said = sentence(office, binding_id)[0]
    assert said.startswith("该绑定处于解绑核验阶段（自")  # and not for what it is suspended
    assert "正在等待经办窗口确认解绑" in said


def test_who_has_moved_is_not_told_that_his_insurance_has_ended(office):
    binding_id = authorised(office)
    holder = life.look(office, binding_id).application.parties["holder"]
    life.registries(office).put_person(holder["id_number"], {"insured": {"region": "440300"}})
    life.advance(office, days=2)
    said = sentence(office, binding_id)[0]
    assert "已暂停，原因：参保地不符合办理条件" in said
    assert "正在等待参保登记机构确认参保状态符合办理条件" in said


def authorised(office):
    """A sharing in force."""
    binding_id = life.to_state(office, "agency_review")
    life.claim(office, binding_id)
    life.say(office, "approve", binding_id, life.REVIEWER)
    return binding_id


def test_a_working_day_ends_at_its_own_midnight(office):
    assert re.search(r"until \d+ \w{3} 20\d\d 24:00", sentence(office, life.to_state(office, "agency_review"))[1])


def test_every_deadline_that_ends_something_has_words(office):
    case, _ = office.desk.look(life.to_state(office, "submitted"))
    for deadline in DEADLINES:
        if deadline.move in ("expire", "route_offline", "suspend", "end"):
            reason = deadline.reason or deadline.name
            assert say(reason, case.plan, office.desk.book)[1] != reason


def test_a_reason_without_words_stands_for_itself(office):
    case, _ = office.desk.look(life.to_state(office, "submitted"))
    assert say("something_new", case.plan, office.desk.book)[0] == "something_new"
