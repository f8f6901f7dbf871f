"""Face checks between the desk and the provider: begun, answered, doubled, late, never answered, and an outage."""

from collections.abc import Iterator
from datetime import datetime, timedelta
from unittest.mock import Mock

import pytest
from msgspec.structs import replace

from gateways.faces import ProviderRefused
from tasks import faces as errands
from tasks import outages
from tasks.changes import prepared
from tasks.office import Office
from tests import life
from tests.life import advance, end_face, events, look, sessions, start_face, to_state
from workflows.commands import Command
from workflows.errors import Refused
from workflows.views import listing, stuck
from workflows.views.public import available_actions


@pytest.fixture
def office(database_url: str) -> Iterator[Office]:
    with life.office(database_url) as opened:
        yield opened


def refused(code: str) -> pytest.RaisesExc[Refused]:
    return pytest.raises(Refused, match=code)


def test_a_pass_makes_the_binding_active(office: Office) -> None:
    binding_id = to_state(office, "face_check")
    session = start_face(office, binding_id)
    assert (session["status"], session["subject"], session["purpose"]) == ("pending", "member", "binding")
    end_face(office, session)
    assert look(office, binding_id).state == "active"
    settled = sessions(office, binding_id)[0]
    assert (settled["status"], settled["poll_at"]) == ("passed", None)
    assert settled["finished_at"] is not None


def test_the_answer_says_where_the_person_does_it(office: Office) -> None:
    binding_id = to_state(office, "face_check")
    command = Command("face_started", binding_id, life.channel(), {"subject": "member"})
    outcome = errands.start_face_check(office, command)
    reply = outcome.answer()
    assert reply.status == 201
    assert outcome.case is not None
    assert reply.headers == {"ETag": f'"{outcome.case.version}"'}
    for word in (b'"id":"fac_', b'"subject":"member"', b'"provider":"sandbox"', b'"token":null', b'"url":"https'):
        assert word in reply.body


def test_a_failure_uses_an_attempt_and_leaves_the_window_open(office: Office) -> None:
    binding_id = to_state(office, "face_check")
    end_face(office, start_face(office, binding_id), "no_match")
    case = look(office, binding_id)
    assert (case.state, case.progress.windows["member"].used) == ("face_check", 1)
    failed = sessions(office, binding_id)[0]
    assert (failed["status"], failed["reason"], failed["uses_attempt"]) == ("failed", "face_no_match", True)


@pytest.mark.parametrize("outcome", ["photo_not_found", "id_not_found"])
def test_what_no_retry_can_mend_goes_offline_at_once(office: Office, outcome: str) -> None:
    binding_id = to_state(office, "face_check")
    end_face(office, start_face(office, binding_id), outcome)
    assert look(office, binding_id).state == "offline_fallback"
    assert events(office, binding_id)[-2:] == ["face_check_failed", "routed_offline"]


def test_whom_the_provider_refuses_for_ever_goes_offline_when_he_begins(office: Office) -> None:
    first = to_state(office, "face_check", seed=1)
    end_face(office, start_face(office, first), "photo_not_found")
    again = to_state(office, "face_check", seed=2, member_seed=1)
    with refused("face_photo_unavailable") as caught:
        start_face(office, again)
    assert caught.value.extra["state"] == "offline_fallback"
    assert look(office, again).state == "offline_fallback"
    assert sessions(office, again) == []
    with refused("action_not_available"):  # nor is he invited back
        life.say(office, "resume_online", again)


def test_too_many_today_is_no_attempt_before_midnight(office: Office) -> None:
    first = to_state(office, "face_check", seed=1)
    end_face(office, start_face(office, first), "rate_limited")
    with refused("face_rate_limited"):
        start_face(office, first)  # the window knows
    again = to_state(office, "face_check", seed=2, member_seed=1)
    with refused("face_rate_limited") as caught:
        start_face(office, again)  # the provider says so
    midnight = caught.value.extra["next_retry_at"]
    assert midnight > office.ledger.now()
    assert look(office, again).progress.windows == {}
    case, now = office.desk.look(again)  # and from then on it is known
    assert "start_face_check" not in available_actions(case, life.channel(), now)
    assert listing.face_checks(office.ledger, case, now)["next_retry_at"] == midnight
    advance(office, seconds=(midnight - office.ledger.now()).total_seconds() + 1)
    case, now = office.desk.look(again)
    assert "start_face_check" in available_actions(case, life.channel(), now)
    assert listing.face_checks(office.ledger, case, now)["next_retry_at"] is None


def test_a_provider_that_is_down_moves_nothing(office: Office) -> None:
    binding_id = to_state(office, "face_check")
    life.faces(office).set_mode("down")
    with refused("face_provider_down") as caught:
        start_face(office, binding_id)
    assert caught.value.status == 503
    assert look(office, binding_id).version == len(events(office, binding_id))
    assert sessions(office, binding_id) == []


@pytest.mark.parametrize(
    ("state", "why", "code"),
    [
        ("face_check", ProviderRefused("face_provider_error"), "face_provider_down"),  # not the family's fault
        ("unbinding", ProviderRefused("face_photo_unavailable", go_offline=True), "face_photo_unavailable"),
    ],
)
def test_a_provider_that_will_not_begin_moves_nothing(
    office: Office, monkeypatch: pytest.MonkeyPatch, state: str, why: ProviderRefused, code: str
) -> None:
    binding_id = to_state(office, "face_check" if state == "face_check" else "active")
    if state == "unbinding":
        life.say(office, "request_unbind", binding_id, initiator="holder", method="face")
    before = events(office, binding_id)
    monkeypatch.setattr(life.faces(office), "begin", Mock(side_effect=why))
    with refused(code):
        start_face(office, binding_id, "holder" if state == "unbinding" else "member")
    assert (events(office, binding_id), look(office, binding_id).state) == (before, state)


def test_whose_name_was_reported_is_compared_under_it(office: Office, monkeypatch: pytest.MonkeyPatch) -> None:
    binding_id, begin = to_state(office, "active"), Mock(wraps=life.faces(office).begin)
    told = Command("report_change", binding_id, life.channel(), {"what": "name", "value": "李改名"})
    office.desk.say(prepared(office, told))
    monkeypatch.setattr(life.faces(office), "begin", begin)
    start_face(office, binding_id)
    assert begin.call_args.args[1].name == "李改名"


def test_a_callback_that_comes_twice_is_one_step(office: Office) -> None:
    binding_id = to_state(office, "face_check")
    session = start_face(office, binding_id)
    end_face(office, session, "no_match")
    end_face(office, session, "no_match")
    assert events(office, binding_id).count("face_check_failed") == 1
    assert look(office, binding_id).progress.windows["member"].used == 1


def test_two_answers_at_once_are_one_step(office: Office) -> None:
    binding_id = to_state(office, "face_check")
    session = start_face(office, binding_id)
    life.faces(office).complete(session["reference"], "no_match")
    errands.settle_all(office, [session])
    errands.settle_all(office, [session])  # read before the first was written down
    assert events(office, binding_id).count("face_check_failed") == 1


def test_a_forged_callback_and_an_unknown_session_get_the_same_answer(office: Office) -> None:
    binding_id = to_state(office, "face_check")
    session = start_face(office, binding_id)
    callback = life.faces(office).complete(session["reference"], "passed")
    for provider, headers, body in (
        ("sandbox", callback.headers, callback.body + b" "),
        ("sandbox", {}, callback.body),
        ("nobody", callback.headers, callback.body),
    ):
        with refused("callback_forged"):
            errands.hear(office, provider, headers, body, {})
    with office.ledger.connection() as conn:
        conn.execute("update face_sessions set reference = 'another'")
    with refused("callback_forged"):
        errands.hear(office, "sandbox", callback.headers, callback.body, {})
    assert look(office, binding_id).state == "face_check"


def test_a_replaced_session_that_passes_counts(office: Office) -> None:
    binding_id = to_state(office, "face_check")
    replaced, fresh = start_face(office, binding_id), start_face(office, binding_id)
    assert replaced["id"] != fresh["id"]
    end_face(office, replaced)
    assert look(office, binding_id).state == "active"
    end_face(office, fresh)  # noted only
    assert [one["status"] for one in sessions(office, binding_id)] == ["passed", "passed"]
    assert events(office, binding_id)[-1] == "activated"


def test_a_pass_after_the_counter_was_first_is_noted_only(office: Office) -> None:
    binding_id = to_state(office, "face_check")
    session = start_face(office, binding_id)
    life.say(office, "route_offline", binding_id, reason="cannot_pass")
    life.say(office, "counter_refused", binding_id, life.COUNTER, reason="relation_unproven")
    end_face(office, session)
    assert look(office, binding_id).state == "rejected"
    (noted,) = sessions(office, binding_id)
    assert (noted["status"], noted["reason"]) == ("passed", None)


def test_a_lost_callback_is_made_good_by_the_poll(office: Office) -> None:
    binding_id = to_state(office, "face_check")
    session = start_face(office, binding_id)
    life.faces(office).complete(session["reference"], "passed")
    assert errands.poll_faces(office) == 0  # not due before the session's life is over
    advance(office, minutes=31)
    assert look(office, binding_id).state == "active"


def test_a_face_for_an_end_is_asked_about_before_the_end_is_given_up(office: Office) -> None:
    """Its session lives as long as the time there is to confirm: a poll at its own end would come too late."""
    binding_id = to_state(office, "active")
    life.say(office, "request_unbind", binding_id, initiator="holder", method="face")
    life.skip(office, minutes=2)
    session = start_face(office, binding_id, "holder")
    life.faces(office).complete(session["reference"], "passed")
    advance(office, minutes=40)
    assert look(office, binding_id).state == "unbound"


def test_what_a_callback_tells_of_is_asked_about_soon_though_the_provider_was_silent(office: Office) -> None:
    binding_id = to_state(office, "face_check")
    session = start_face(office, binding_id)
    callback = life.faces(office).complete(session["reference"], "passed")
    life.faces(office).set_mode("down")
    errands.hear(office, session["provider"], callback.headers, callback.body, {})
    life.faces(office).set_mode("up")
    assert look(office, binding_id).state == "face_check"
    advance(office, minutes=2)
    assert look(office, binding_id).state == "active"


def test_a_face_shown_again_while_the_other_wants_an_end_is_not_lost(office: Office) -> None:
    binding_id = to_state(office, "active")
    holder = life.channel(acting_for=look(office, binding_id).application.holder)
    life.report(office, binding_id, "name", "李改名")
    session = start_face(office, binding_id)
    life.say(office, "request_unbind", binding_id, holder, initiator="holder", method="pay_password")
    end_face(office, session)
    assert look(office, binding_id).state == "unbinding"
    advance(office, minutes=5)
    assert not stuck.of_binding(office.ledger, binding_id)
    life.say(office, "cancel_unbind", binding_id, holder)
    advance(office, minutes=2)
    assert (look(office, binding_id).state, sessions(office, binding_id)[0]["status"]) == ("active", "passed")


def test_a_session_that_nobody_answers_expires_without_using_an_attempt(office: Office) -> None:
    binding_id = to_state(office, "face_check")
    start_face(office, binding_id)
    before = look(office, binding_id).version
    advance(office, minutes=31)
    session = sessions(office, binding_id)[0]
    assert (session["status"], session["reason"], session["poll_at"]) == ("expired", "face_session_expired", None)
    case = look(office, binding_id)
    assert (case.version, case.progress.windows["member"].used) == (before, 0)


def test_a_provider_that_stays_down_is_polled_with_growing_pauses_and_then_no_more(office: Office) -> None:
    binding_id = to_state(office, "face_check")
    start_face(office, binding_id)
    life.faces(office).set_mode("down")
    advance(office, days=8)
    session = sessions(office, binding_id)[0]
    assert session["poll_at"] is None
    assert 10 <= session["attempts"] <= 16


def test_what_nobody_can_be_asked_about_any_more_has_come_to_nothing(office: Office) -> None:
    binding_id = life.to_state(office, "face_check")
    life.start_face(office, binding_id)
    life.say(office, "withdraw", binding_id)
    life.faces(office).set_mode("down")
    for _ in range(12):
        life.skip(office, hours=12)
        errands.poll_faces(office)
    (session,) = life.sessions(office, binding_id)
    assert (session["status"], session["finished_at"], session["poll_at"]) == ("expired", session["expires_at"], None)
    assert stuck.of_binding(office.ledger, binding_id) == []


def test_a_session_that_ends_in_the_provider_s_fault_is_an_error_and_may_be_begun_again(office: Office) -> None:
    binding_id = to_state(office, "face_check")
    end_face(office, start_face(office, binding_id), "provider_down")
    session = sessions(office, binding_id)[0]
    assert (session["status"], session["reason"]) == ("error", "face_provider_down")
    assert look(office, binding_id).progress.windows["member"].used == 0
    life.pass_face(office, binding_id)
    assert look(office, binding_id).state == "active"


def test_one_bad_moment_of_the_provider_moves_no_window(office: Office) -> None:
    binding_id = to_state(office, "face_check")
    end_face(office, start_face(office, binding_id), "provider_down")
    advance(office, hours=24)
    assert look(office, binding_id).state == "offline_fallback"


def test_the_window_closes_on_the_second(office: Office) -> None:
    binding_id = to_state(office, "face_check")
    started_at = start_face(office, binding_id)["started_at"]
    left = started_at + timedelta(hours=24) - office.ledger.now()
    advance(office, seconds=(left - timedelta(seconds=30)).total_seconds())
    assert look(office, binding_id).state == "face_check"
    advance(office, seconds=31)
    case = look(office, binding_id)
    assert (case.state, case.progress.offline is not None) == ("offline_fallback", True)
    assert case.since - started_at - timedelta(hours=24) < timedelta(seconds=5)


def test_an_outage_holds_the_window_open_and_is_made_good(office: Office) -> None:
    binding_id, other = to_state(office, "face_check"), to_state(office, "face_check", seed=1)
    closes = _window(office, binding_id, start_face(office, binding_id))
    life.skip(office, hours=23, minutes=50)
    life.faces(office).set_mode("down")
    for _ in range(5):  # found down for 24 minutes
        with refused("face_provider_down"):
            start_face(office, other)
        life.skip(office, minutes=6)
    advance(office, seconds=5)
    assert look(office, binding_id).state == "face_check"  # past its end, while the outage is open
    life.faces(office).set_mode("up")
    advance(office, minutes=16)  # a quarter of an hour of silence after the last time
    assert events(office, binding_id)[-1] == "window_extended"
    moved = look(office, binding_id).progress.windows["member"].closes - closes
    assert abs(moved - timedelta(minutes=45)) < timedelta(seconds=20)  # ten minutes are left, as before
    advance(office, hours=1)
    assert look(office, binding_id).state == "offline_fallback"


def test_an_outage_ends_with_the_first_face_that_is_compared(office: Office) -> None:
    binding_id, other = to_state(office, "face_check"), to_state(office, "face_check", seed=1)
    closes = _window(office, binding_id, start_face(office, binding_id))
    life.faces(office).set_mode("down")
    for _ in range(2):
        with refused("face_provider_down"):
            start_face(office, other)
        life.skip(office, minutes=6)
    life.faces(office).set_mode("up")
    life.pass_face(office, other)
    outages.watch_outages(office)
    moved = look(office, binding_id).progress.windows["member"].closes - closes
    assert abs(moved - timedelta(minutes=6)) < timedelta(seconds=20)
    with office.ledger.connection() as conn:
        assert conn.execute("select count(*) from provider_outages where ended_at is null").fetchone() == (0,)


def test_a_pass_that_ends_an_outage_is_judged_by_the_window_made_good(office: Office) -> None:
    """Begun in its last minutes with a provider whose sessions live for hours, and then nobody could be asked."""
    binding_id = to_state(office, "face_check")
    opened = start_face(office, binding_id)["started_at"]
    life.skip(office, hours=23, minutes=50)
    session = start_face(office, binding_id)
    with office.ledger.connection() as conn:
        for table in ("face_sessions", "sandbox.face_sessions"):
            conn.execute(f"update {table} set expires_at = expires_at + interval '2 hours'")
    for _ in range(5):
        outages.found_down(office, "sandbox", office.ledger.now())
        life.skip(office, minutes=10)
    assert office.ledger.now() - opened > timedelta(hours=24, minutes=30)
    life.end_face(office, session)
    assert look(office, binding_id).state == "active"


def test_an_outage_is_made_good_also_at_the_counter(office: Office) -> None:
    """Who has stepped aside while the camera could not be asked finds as much time left when he comes back."""
    stays, steps_aside = to_state(office, "face_check"), to_state(office, "face_check", seed=1)
    for binding_id in (stays, steps_aside):
        start_face(office, binding_id)
    life.skip(office, hours=23, minutes=50)
    for _ in range(4):
        outages.found_down(office, "sandbox", office.ledger.now())
        life.skip(office, minutes=10)
    life.say(office, "route_offline", steps_aside, reason="cannot_pass")
    advance(office, minutes=6)  # a quarter of an hour of silence after the last time
    left = {
        one: look(office, one).progress.windows["member"].closes - office.ledger.now() for one in (stays, steps_aside)
    }
    assert abs(left[stays] - left[steps_aside]) < timedelta(seconds=20)
    assert left[stays] > timedelta(minutes=5)
    assert life.say(office, "resume_online", steps_aside).state == "face_check"


def _window(office: Office, binding_id: str, _session: dict[str, object]) -> datetime:
    return look(office, binding_id).progress.windows["member"].closes


def test_a_replay_opens_no_second_session(office: Office) -> None:
    from workflows.commands import Idempotency

    binding_id = to_state(office, "face_check")
    command = Command("face_started", binding_id, life.channel(), {"subject": "member"},
                      idempotency=Idempotency("chn", "k1", "f1"))  # fmt: skip
    first = errands.start_face_check(office, command).answer()
    again = errands.start_face_check(office, replace(command)).answer()
    assert again.replayed
    assert again.body == first.body
    assert len(sessions(office, binding_id)) == 1
