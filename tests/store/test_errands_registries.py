"""The registries are asked after hand-in, again while they do not answer, and every day while a binding is active."""

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import date, datetime, timedelta
from typing import Any

import pytest
from psycopg import OperationalError

from gateways.registries import PersonAnswer, Unanswered
from tasks import registries
from tasks.office import Office
from tasks.registries import CLAIM, ask_registries, recheck_insurance
from tests import life
from tests.life import a_request, advance, events, hand_in, look, submit, to_state
from tests.logs import logged
from workflows.case import SYSTEM
from workflows.commands import Command, Outcome
from workflows.deadlines import daily_look
from workflows.views.public import public_view
from workflows.views.waiting import waiting_on

MEMBER = life.number(date(1958, 3, 7))


@pytest.fixture
def office(database_url: str) -> Iterator[Office]:
    with life.office(database_url) as opened:
        yield opened


def watch(office: Office, binding_id: str, name: str) -> tuple[object, int]:
    with office.ledger.connection() as conn:
        row = conn.execute(
            "select due_at, attempts from deadlines where binding_id = %s and name = %s", (binding_id, name)
        ).fetchone()
    assert row is not None
    return row[0], row[1]


def without_scheme(office: Office, monkeypatch: pytest.MonkeyPatch, number: str) -> None:
    """From now on, of the person of this number, the registries give an answer that the law cannot judge."""
    real = life.registries(office).person

    def person(*asked: Any) -> Any:
        if asked[2] != number:
            return real(*asked)
        return PersonAnswer(True, True, {"status": "normal", "region": asked[3]}, True)  # type: ignore[arg-type]

    monkeypatch.setattr(life.registries(office), "person", person)


# -- applications ----------------------------------------------------------------------------------------


def test_a_yes_leads_to_the_face(office: Office) -> None:
    binding_id = to_state(office, "materials_uploaded")
    assert ask_registries(office) == 1
    assert look(office, binding_id).state == "face_check"
    assert ask_registries(office) == 0


@pytest.mark.parametrize(
    ("told", "reason"),
    [
        ({"insured": None}, "not_insured"),
        ({"insured": {"status": "suspended"}}, "insurance_suspended"),
        ({"name": "别人"}, "name_id_mismatch"),
    ],
)
def test_a_no_is_a_rejection_with_its_reason(office: Office, told: dict[str, object], reason: str) -> None:
    life.registries(office).put_person(MEMBER, told)
    binding_id = to_state(office, "materials_uploaded")
    ask_registries(office)
    case = look(office, binding_id)
    assert (case.state, case.progress.reason) == ("rejected", reason)
    assert events(office, binding_id)[-1] == "registry_refused"


def test_a_birth_record_is_shown_masked_and_confirmed(office: Office) -> None:
    request = a_request(office.desk.book, method="birth_certificate")
    life.know_birth(office, request)
    binding_id = submit(office, request)
    ask_registries(office)  # such a plan asks for no materials
    case, now = office.desk.look(binding_id)
    assert case.state == "materials_uploaded"
    assert request.member.birth_date is not None
    assert case.progress.record == {"child_name": True, "child_birth_date": True}  # what is sealed stands nowhere else
    assert public_view(case, now)["registry_record"] == {
        "certificate": "K*******00", "mother_name": "王*", "child_name": "李**",
        "child_birth_date": request.member.birth_date.isoformat(),
    }  # fmt: skip
    shown = waiting_on(case, now)
    assert shown is not None
    assert shown["for"] == "registry_confirmation"
    assert life.say(office, "confirm_registry_record", binding_id).state == "face_check"
    life.pass_face(office, binding_id, "mother")
    assert look(office, binding_id).state == "active"


@pytest.mark.parametrize(("known", "reason"), [(False, "birth_cert_not_found"), (True, "birth_cert_mother_mismatch")])
def test_a_birth_certificate_that_does_not_fit(office: Office, known: bool, reason: str) -> None:
    request = a_request(office.desk.book, method="birth_certificate")
    if known:
        told = {"number": "K000000000", "mother_name": "另一位", "mother_id_number": life.number(date(1991, 1, 1))}
        life.registries(office).put_person(life.number(date(1991, 1, 1)), {"birth_certificates": [told]})
    binding_id = submit(office, request)
    ask_registries(office)
    assert look(office, binding_id).progress.reason == reason


def test_no_answer_is_asked_for_again_every_quarter_of_an_hour_without_a_line(office: Office) -> None:
    life.registries(office).set_mode("down")
    binding_id = to_state(office, "materials_uploaded")
    before, now = office.desk.look(binding_id)
    ask_registries(office)
    assert ask_registries(office) == 0
    due, attempts = watch(office, binding_id, "materials_to_checked")
    shown = waiting_on(before, now)
    assert shown is not None
    assert (due, attempts) == (shown["until"], 1)
    assert due == before.since + timedelta(minutes=15)
    advance(office, hours=1)
    due, attempts = watch(office, binding_id, "materials_to_checked")
    assert (due, attempts) == (before.since + timedelta(minutes=75), 5)
    assert look(office, binding_id).version == before.version
    life.registries(office).set_mode("up")
    advance(office, minutes=15)
    assert look(office, binding_id).state == "face_check"


def test_after_three_working_days_without_an_answer_a_clerk_checks(office: Office) -> None:
    life.registries(office).set_mode("down")
    binding_id = to_state(office, "materials_uploaded")
    handed_in = look(office, binding_id).since
    advance(office, days=12)
    case = look(office, binding_id)
    assert case.state == "offline_fallback"
    assert case.progress.offline is not None
    assert case.progress.offline.reason == "registry_unanswered"
    assert (case.since.hour, case.since.minute) == (16, 0)  # 24:00 in Shanghai, on the minute
    assert timedelta(days=3) - timedelta(hours=24) < case.since - handed_in < timedelta(days=12)


def test_two_hands_never_ask_about_one_case_at_once(office: Office) -> None:
    for seed in range(8):
        to_state(office, "materials_uploaded", seed=seed)
    with ThreadPoolExecutor(2) as pool:
        asked = sum(pool.map(lambda _: ask_registries(office), range(2)))
    assert asked == 8


def test_no_more_is_claimed_than_is_asked_about_within_the_lease(
    office: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = [to_state(office, "materials_uploaded", seed=seed) for seed in range(CLAIM + 2)]
    real, leased = life.registries(office).person, []

    def person(*asked: Any) -> Any:
        with office.ledger.connection() as conn:
            row = conn.execute("select count(*) from deadlines where leased_until > clock_timestamp()").fetchone()
        leased.append(row[0] if row else None)
        return real(*asked)

    monkeypatch.setattr(life.registries(office), "person", person)
    assert ask_registries(office) == len(made)
    assert set(leased) == {CLAIM, 2}
    assert {look(office, one).state for one in made} == {"face_check"}


def test_an_answer_that_cannot_be_judged_keeps_nobody_else_waiting(
    office: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = [to_state(office, "materials_uploaded", seed=seed) for seed in range(4)]
    spoilt = look(office, made[0]).application.parties["member"]["id_number"]
    without_scheme(office, monkeypatch, spoilt)
    with logged(registries) as said:
        assert ask_registries(office) == len(made)
    assert [look(office, one).state for one in made] == ["materials_uploaded", *["face_check"] * 3]
    assert [(one["event"], one["binding_id"]) for one in said] == [("registry_question_failed", made[0])]
    assert watch(office, made[0], "materials_to_checked")[1] == 1  # put off, as where nobody answers


def test_what_a_case_has_outrun_is_let_be(office: Office) -> None:
    binding_id = to_state(office, "materials_uploaded")
    life.say(office, "withdraw", binding_id)
    assert ask_registries(office) == 0
    assert look(office, binding_id).state == "withdrawn"


# -- bindings --------------------------------------------------------------------------------------------


def test_all_whose_look_is_due_are_looked_at_as_long_as_there_is_time(
    office: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    with office.ledger.connection() as conn:  # of bindings that nobody finds: to claim them is all that is counted here
        conn.execute(
            "insert into deadlines (binding_id, name, due_at, watch)"
            " select 'bnd_' || n, 'insurance_to_rechecked', kinbind_now(), true from generate_series(1, 60) n"
        )
    with monkeypatch.context() as here:
        here.setattr(registries, "GOES_ON", 0)
        assert recheck_insurance(office, limit=1) == 1
    assert recheck_insurance(office, limit=1) == 59


def test_each_active_binding_is_looked_at_once_a_day_at_an_hour_of_its_own(office: Office) -> None:
    made = [to_state(office, "active", seed=seed) for seed in (1, 2)]
    versions = [look(office, one).version for one in made]
    assert recheck_insurance(office) == 0
    first = [watch(office, one, "insurance_to_rechecked")[0] for one in made]
    advance(office, days=2)
    second = [watch(office, one, "insurance_to_rechecked")[0] for one in made]
    assert second == [at + timedelta(days=1) for at in first]  # type: ignore[operator]
    assert [look(office, one).version for one in made] == versions


@pytest.mark.parametrize("insured", [None, {"status": "normal"}])
def test_what_was_said_at_hand_in_does_not_count_weeks_later(office: Office, insured: dict[str, str] | None) -> None:
    """Nothing is paid for two days from an account whose insurance ended while a review waited (F81, F154)."""
    binding_id = to_state(office, "agency_review")
    number = look(office, binding_id).application.parties["holder"]["id_number"]
    life.registries(office).put_person(number, {"insured": insured})
    life.skip(office, days=20)
    life.claim(office, binding_id)
    assert life.say(office, "approve", binding_id, life.REVIEWER).state == "active"
    now = office.ledger.now()
    assert recheck_insurance(office) == 1
    case = look(office, binding_id)
    assert case.state == ("active" if insured else "suspended")
    due, _ = watch(office, binding_id, "insurance_to_rechecked")
    assert isinstance(due, datetime)
    assert now < due <= now + timedelta(days=1, minutes=1)  # from then on at its own hour
    assert (due - daily_look(case)) % timedelta(days=1) == timedelta(0)


@pytest.mark.parametrize(
    ("told", "reason"),
    [({"status": "suspended"}, "insurance_suspended"), ({"status": "terminated"}, "insurance_ended")],
)
def test_what_stops_the_insurance_suspends_and_what_brings_it_back_resumes(
    office: Office, told: dict[str, object], reason: str
) -> None:
    binding_id = to_state(office, "active")
    life.registries(office).put_person(MEMBER, {"insured": told})
    advance(office, days=2)
    case = look(office, binding_id)
    assert (case.state, case.progress.suspended_for, case.progress.reason) == ("suspended", "insurance", reason)
    advance(office, days=3)
    assert look(office, binding_id).version == case.version
    life.registries(office).put_person(MEMBER, {"insured": {"status": "normal"}})
    advance(office, days=1)
    assert look(office, binding_id).state == "active"
    assert events(office, binding_id)[-2:] == ["suspended", "resumed"]


def test_insurance_that_never_comes_back_ends_it_after_the_plan_s_days(office: Office) -> None:
    binding_id = to_state(office, "active")
    life.registries(office).put_person(MEMBER, {"insured": None})
    advance(office, days=183)
    case = look(office, binding_id)
    assert (case.state, case.progress.reason) == ("unbound", "suspended_to_ended")


def test_a_suspicion_is_not_lifted_by_the_registry(office: Office) -> None:
    binding_id = to_state(office, "suspended")
    advance(office, days=3)
    assert look(office, binding_id).state == "suspended"


def test_a_look_without_an_answer_is_repeated_within_the_hour(office: Office) -> None:
    binding_id = to_state(office, "active")
    life.registries(office).put_person(MEMBER, {"insured": None})
    life.registries(office).set_mode("down")
    advance(office, days=2)
    assert look(office, binding_id).state == "active"
    life.registries(office).set_mode("up")
    advance(office, minutes=61)
    assert look(office, binding_id).state == "suspended"


def test_a_look_whose_answer_cannot_be_judged_hides_nobody_else(
    office: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = [to_state(office, "active", seed=seed) for seed in range(3)]
    spoilt, *others = (look(office, one).application.parties["member"]["id_number"] for one in made)
    for number in others:
        life.registries(office).put_person(number, {"insured": None})
    without_scheme(office, monkeypatch, spoilt)
    life.skip(office, days=2)
    assert recheck_insurance(office) == len(made)
    assert [look(office, one).state for one in made] == ["active", "suspended", "suspended"]


def test_an_unbinding_is_no_shelter(office: Office) -> None:
    binding_id = to_state(office, "active")
    life.registries(office).put_person(MEMBER, {"insured": None})
    life.skip(office, days=2)
    life.say(office, "request_unbind", binding_id, initiator="holder", method="pay_password")
    assert recheck_insurance(office) == 1
    assert look(office, binding_id).state == "suspended"
    assert look(office, binding_id).progress.unbinding is None
    advance(office, minutes=95)
    assert events(office, binding_id)[-2:] == ["unbind_requested", "suspended"]


def test_the_unbinding_of_what_rests_already_is_waited_for(office: Office) -> None:
    """Nobody is helped by a binding that comes back into force while somebody ends it."""
    binding_id = to_state(office, "active")
    life.registries(office).put_person(MEMBER, {"insured": None})
    advance(office, days=3)
    life.registries(office).put_person(MEMBER, {"insured": {"status": "normal"}})
    life.skip(office, days=1)
    life.say(office, "request_unbind", binding_id, initiator="holder", method="pay_password")
    assert recheck_insurance(office) == 1
    assert look(office, binding_id).state == "unbinding"
    advance(office, minutes=95)
    assert events(office, binding_id)[-3:] == ["unbind_requested", "unbind_cancelled", "resumed"]


def test_handing_in_is_what_starts_it(office: Office) -> None:
    binding_id = submit(office, a_request(office.desk.book))
    assert ask_registries(office) == 0
    hand_in(office, binding_id)
    assert ask_registries(office) == 1


def test_what_could_not_be_said_is_looked_at_again_in_an_hour(office: Office, monkeypatch: pytest.MonkeyPatch) -> None:
    binding_id = to_state(office, "active")
    life.skip(office, days=2)
    life.registries(office).put_person(MEMBER, {"insured": None})

    def away(commands: Sequence[Command]) -> list[Outcome]:
        return [Outcome(refused=OperationalError("away")) for _ in commands]

    with monkeypatch.context() as broken:
        broken.setattr(office.desk, "serve", away)
        recheck_insurance(office)
    assert look(office, binding_id).state == "active"
    life.skip(office, hours=1)
    recheck_insurance(office)
    assert look(office, binding_id).state == "suspended"


def test_a_birth_registry_that_is_silent_shields_nobody_from_the_daily_look(
    office: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    request = a_request(office.desk.book, method="birth_certificate")
    life.know_birth(office, request)
    binding_id = submit(office, request)
    life.say(office, "registries_answered", binding_id, SYSTEM, record={"mother_name": "王*"})
    life.say(office, "confirm_registry_record", binding_id)
    life.pass_face(office, binding_id, "mother")

    def silent(*_: str) -> None:
        raise Unanswered

    monkeypatch.setattr(life.registries(office), "birth_certificate", silent)
    life.registries(office).put_person(request.holder.id_number, {"insured": None})
    life.skip(office, days=2)
    recheck_insurance(office)
    assert look(office, binding_id).state == "suspended"
