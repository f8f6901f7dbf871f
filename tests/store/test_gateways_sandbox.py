"""The sandbox's faces and registries, with their state in a real PostgreSQL and a clock that is moved."""

import json
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import date, datetime, timedelta
from typing import cast

import psycopg
import pytest
from psycopg_pool import ConnectionPool

from gateways.faces import FaceStatus, Forged, ProviderDown, ProviderRefused, Subject
from gateways.registries import BirthRecord, Insured, PersonAnswer, Registries, Unanswered
from gateways.sandbox import Pool
from gateways.sandbox.faces import SandboxFaces
from gateways.sandbox.registries import SandboxRegistries
from gateways.sandbox.schema import sandbox_schema_sql
from gateways.sandbox.vendor import OUTCOMES, OutcomeUnknown, SessionClosed, SessionUnknown
from gateways.windows import open_windows
from models.keyring import Keyring

KEYS = Keyring({"k001": b"k" * 32}, "k001", b"i" * 32)
ZHANG = Subject("张三", "resident_id", "11010119900307123X")
LI = Subject("李四", "resident_id", "310101199801011234")
# A clock of the test's own, found before the ledger's: these tests need no ledger.
CLOCK = """
create schema test_clock;
create table test_clock.ahead as select interval '0' as by;
create function test_clock.kinbind_now() returns timestamptz language sql volatile
  as 'select clock_timestamp() + by from test_clock.ahead';
"""


@pytest.fixture
def pool(empty_database_url):
    with psycopg.connect(empty_database_url, autocommit=True) as connection:
        connection.execute(CLOCK)
        connection.execute(sandbox_schema_sql())
        connection.execute(sandbox_schema_sql())  # said again, it changes nothing
    options = {"autocommit": True, "options": "-c search_path=test_clock,public"}
    with ConnectionPool(empty_database_url, min_size=1, max_size=4, kwargs=options) as pool:
        yield pool


@pytest.fixture
def faces(pool):
    return SandboxFaces(pool, KEYS)


@pytest.fixture
def registries(pool):
    return SandboxRegistries(pool, KEYS)


def advance(pool: Pool, **by: float) -> None:
    with pool.connection() as connection:
        connection.execute("update test_clock.ahead set by = by + %s", (timedelta(**by),))


def now(pool: Pool) -> datetime:
    with pool.connection() as connection:
        row = connection.execute("select kinbind_now()").fetchone()
    assert row
    return cast("datetime", row[0])


def everything(pool: Pool) -> str:
    """All that lies in schema sandbox, as text."""
    with pool.connection() as connection:
        names = connection.execute(
            "select tablename from pg_tables where schemaname = 'sandbox' and tablename <> 'secrets'"
        ).fetchall()
        return " ".join(
            str(connection.execute(f"select coalesce(json_agg(t)::text, '') from sandbox.{name} t").fetchone())
            for (name,) in names
        )


# -- faces ---------------------------------------------------------------------------------------------


def test_a_session_begins_pending_and_lives_half_an_hour(pool, faces):
    before = now(pool)
    start = faces.begin("fcs_1", ZHANG)
    assert timedelta(seconds=1800) <= start.expires_at - before < timedelta(seconds=1810)
    assert start.reference in start.url
    assert faces.ask(start.reference, ZHANG).status is FaceStatus.PENDING


OFFLINE = {"photo_not_found": "face_photo_unavailable", "id_not_found": "face_id_not_found"}
RETRY = {
    "no_match": ("failed", "face_no_match", True),
    "liveness_failed": ("failed", "face_liveness", True),
    "quality": ("failed", "face_quality", True),
    "network": ("failed", "face_network", False),
    "timeout": ("failed", "face_timeout", False),
    "user_cancelled": ("failed", "face_cancelled", False),
    "rate_limited": ("failed", "face_rate_limited", False),
    "provider_down": ("error", "face_provider_down", False),
}


def test_every_outcome_of_the_api_is_proven_here():
    assert set(OUTCOMES) == {"passed", *OFFLINE, *RETRY}


def test_a_pass(pool, faces):
    reference = faces.begin("fcs_1", ZHANG).reference
    before = now(pool)
    faces.complete(reference, "passed")
    advance(pool, hours=5)
    answer = faces.ask(reference, ZHANG)
    assert (answer.status, answer.reason, answer.go_offline) == (FaceStatus.PASSED, None, False)
    assert before <= answer.finished_at <= before + timedelta(minutes=1)  # when it ended, not when we asked


@pytest.mark.parametrize("outcome", RETRY)
def test_an_outcome_that_may_be_tried_again(faces, outcome):
    reference = faces.begin("fcs_1", ZHANG).reference
    faces.complete(reference, outcome)
    answer = faces.ask(reference, ZHANG)
    assert (answer.status, answer.reason, answer.uses_attempt) == RETRY[outcome]
    assert not answer.go_offline
    assert answer.finished_at is not None
    if outcome != "rate_limited":
        assert faces.begin("fcs_2", ZHANG).reference != reference


@pytest.mark.parametrize("outcome", OFFLINE)
def test_an_outcome_that_no_retry_can_mend(pool, faces, outcome):
    reference = faces.begin("fcs_1", ZHANG).reference
    faces.complete(reference, outcome)
    answer = faces.ask(reference, ZHANG)
    assert (answer.reason, answer.go_offline) == (OFFLINE[outcome], True)
    advance(pool, days=400)
    with pytest.raises(ProviderRefused) as refused:
        faces.begin("fcs_2", replace(ZHANG, id_number=ZHANG.id_number.lower()))
    assert (refused.value.reason, refused.value.go_offline) == ("face_photo_unavailable", True)
    assert faces.begin("fcs_3", LI).reference


def test_a_rate_limit_lasts_until_midnight_in_shanghai(pool, faces):
    reference = faces.begin("fcs_1", ZHANG).reference
    faces.complete(reference, "rate_limited")
    midnight = faces.ask(reference, ZHANG).next_retry_at
    assert (midnight.astimezone().timestamp() + 8 * 3600) % 86400 == 0
    with pytest.raises(ProviderRefused) as refused:
        faces.begin("fcs_2", ZHANG)
    assert (refused.value.reason, refused.value.next_retry_at) == ("face_rate_limited", midnight)
    assert not refused.value.go_offline
    advance(pool, seconds=(midnight - now(pool)).total_seconds())
    faces.complete(reference, "rate_limited")  # the same callback again begins no new limit
    assert faces.begin("fcs_2", ZHANG).reference


def test_an_unanswered_session_expires_and_takes_no_outcome_any_more(pool, faces):
    start = faces.begin("fcs_1", ZHANG)
    advance(pool, seconds=1800)
    answer = faces.ask(start.reference, ZHANG)
    assert (answer.status, answer.reason) == (FaceStatus.EXPIRED, "face_session_expired")
    assert not answer.go_offline
    assert not answer.uses_attempt
    assert answer.finished_at == start.expires_at
    with pytest.raises(SessionClosed):
        faces.complete(start.reference, "passed")


def test_a_session_ends_once(faces):
    reference = faces.begin("fcs_1", ZHANG).reference
    faces.complete(reference, "no_match")
    with pytest.raises(SessionClosed):
        faces.complete(reference, "passed")
    faces.complete(reference, "no_match")
    assert faces.ask(reference, ZHANG).status is FaceStatus.FAILED


def test_two_outcomes_at_once_have_one_winner(faces):
    reference = faces.begin("fcs_1", ZHANG).reference

    def complete(outcome):
        try:
            faces.complete(reference, outcome)
        except SessionClosed:
            return None
        return outcome

    with ThreadPoolExecutor(2) as both:
        (won,) = set(both.map(complete, ["passed", "no_match"])) - {None}
    assert faces.ask(reference, ZHANG).status == ("passed" if won == "passed" else "failed")


def test_what_is_unknown_is_said_to_be(faces):
    with pytest.raises(SessionUnknown):
        faces.complete("nonsense", "passed")
    with pytest.raises(OutcomeUnknown):
        faces.complete(faces.begin("fcs_1", ZHANG).reference, "wonderful")
    assert faces.ask("nonsense", ZHANG).status is FaceStatus.ERROR


def test_begun_twice_for_one_session_it_is_the_same_and_never_somebody_elses(faces):
    start = faces.begin("fcs_1", ZHANG)
    assert faces.begin("fcs_1", ZHANG) == start
    with pytest.raises(ProviderRefused) as refused:
        faces.begin("fcs_1", LI)
    assert refused.value.reason == "face_provider_error"


@pytest.mark.parametrize("expect", [LI, replace(ZHANG, name="张四"), replace(ZHANG, id_number="110101199003071234")])
def test_the_pass_of_another_person_is_nobodys(faces, expect):
    reference = faces.begin("fcs_1", ZHANG).reference
    faces.complete(reference, "passed")
    answer = faces.ask(reference, expect)
    assert (answer.status, answer.uses_attempt) == (FaceStatus.ERROR, False)


def test_a_pass_needs_both_fields(pool, faces, monkeypatch):
    reference = faces.begin("fcs_1", ZHANG).reference
    faces.complete(reference, "passed")
    truth = faces._vendor.describe_face_verify(reference)
    lie = truth | {"ResultObject": truth["ResultObject"] | {"Passed": "F"}}
    monkeypatch.setattr(faces._vendor, "describe_face_verify", lambda _: lie)
    assert faces.ask(reference, ZHANG).status is FaceStatus.ERROR


def test_a_callback_names_its_session(pool, faces):
    reference = faces.begin("fcs_1", ZHANG).reference
    callback = faces.complete(reference, "passed")
    advance(pool, days=30)  # signatures age in real time
    assert faces.read_callback(callback.headers, callback.body, {}) == reference
    upper = {name.upper(): value for name, value in callback.headers.items()}
    assert SandboxFaces(pool, KEYS).read_callback(upper, callback.body, {}) == reference
    assert ZHANG.id_number not in callback.body.decode()


@pytest.mark.parametrize(
    "forge",
    [
        lambda headers, body: ({}, body),
        lambda headers, body: (headers, body.replace(b"204", b"200")),
        lambda headers, body: (headers | {"sandbox-signature": "0" * 64}, body),
        lambda headers, body: (headers | {"sandbox-signature": "签"}, body),
        lambda headers, body: (headers | {"sandbox-timestamp": "1"}, body),
        lambda headers, body: (headers | {"sandbox-timestamp": "²"}, body),
        lambda headers, body: (headers, body + b" " * 5000),
    ],
)
def test_a_forged_callback_is_refused(faces, forge):
    reference = faces.begin("fcs_1", ZHANG).reference
    callback = faces.complete(reference, "no_match")
    headers, body = forge(callback.headers, callback.body)
    with pytest.raises(Forged):
        faces.read_callback(headers, body, {})


def test_an_old_callback_is_refused(faces, monkeypatch):
    callback = faces.complete(faces.begin("fcs_1", ZHANG).reference, "passed")
    secret, real = faces._vendor.secret_and_real_time()
    monkeypatch.setattr(faces._vendor, "secret_and_real_time", lambda: (secret, real + timedelta(seconds=400)))
    with pytest.raises(Forged, match="timestamp"):
        faces.read_callback(callback.headers, callback.body, {})


def test_down_and_up_again_for_every_process(pool, faces):
    reference = faces.begin("fcs_1", ZHANG).reference
    SandboxFaces(pool, KEYS).set_mode("down")
    with pytest.raises(ProviderDown):
        faces.begin("fcs_2", ZHANG)
    with pytest.raises(ProviderDown):
        faces.ask(reference, ZHANG)
    faces.set_mode("slow", 0.01)
    assert faces.ask(reference, ZHANG).status is FaceStatus.PENDING
    faces.set_mode("up")
    assert faces.begin("fcs_2", ZHANG).reference


def test_too_slow_is_down(faces, monkeypatch):
    naps: list[float] = []
    monkeypatch.setattr("gateways.sandbox.switches.time.sleep", naps.append)
    faces.set_mode("slow", 60)
    with pytest.raises(ProviderDown):
        faces.begin("fcs_1", ZHANG)
    assert naps == [5.0]


# -- registries ----------------------------------------------------------------------------------------


def ask(registries: Registries, subject: Subject = ZHANG, region: str = "440100") -> PersonAnswer:
    return registries.person(subject.name, subject.id_type, subject.id_number, region)


def test_unknown_people_are_believed(registries):
    believed = PersonAnswer(True, True, Insured("employee", "normal", "440100"), True)
    assert ask(registries) == believed
    assert believed.as_dict() == {
        "known": True,
        "name_matches": True,
        "insured": {"scheme": "employee", "status": "normal", "region": "440100"},
        "credential_active": True,
        "birth_date": None,
    }
    assert registries.pay_password_right(ZHANG.id_number, "123456")
    assert not registries.pay_password_right(ZHANG.id_number, "654321")
    assert registries.birth_certificate("A440000001", "张三", ZHANG.id_number) == BirthRecord(found=False)
    assert not registries.prior_filing(ZHANG.id_number, LI.id_number)


def test_what_is_told_stays_and_the_rest_is_as_for_unknown_people(registries):
    registries.put_person(ZHANG.id_number, {"name": "张三", "credential_active": False})
    registries.put_person(ZHANG.id_number.lower(), {"insured": {"status": "suspended"}})
    registries.put_person(ZHANG.id_number, {"insured": {"region": "320500"}, "pay_password": "888888"})
    assert ask(registries) == PersonAnswer(True, True, Insured("employee", "suspended", "320500"), False)
    assert not ask(registries, replace(ZHANG, name="张山")).name_matches
    assert registries.pay_password_right(ZHANG.id_number, "888888")
    assert not registries.pay_password_right(ZHANG.id_number, "123456")
    registries.put_person(ZHANG.id_number, {"insured": None})
    assert ask(registries).insured is None
    registries.put_person(ZHANG.id_number, {"insured": {"status": "active"}})
    assert ask(registries).insured == Insured("employee", "normal", "440100")


def test_a_birth_date_is_told_or_not_known(registries):
    registries.put_person(ZHANG.id_number, {"birth_date": date(1990, 3, 7)})
    assert ask(registries).birth_date == date(1990, 3, 7)
    assert ask(registries).as_dict()["birth_date"] == "1990-03-07"
    with pytest.raises(ValueError, match="isoformat"):
        registries.put_person(ZHANG.id_number, {"birth_date": "1990-02-30x"})


def test_a_name_is_the_same_however_its_dot_is_typed(registries):
    registries.put_person(ZHANG.id_number, {"name": "阿依古丽·买买提"})
    assert ask(registries, replace(ZHANG, name="阿依古丽•买买提 ")).name_matches


def test_two_who_tell_at_once_are_both_heard(registries):
    told = [{"name": "张三"}, {"pay_password": "888888"}, {"credential_active": False}]
    with ThreadPoolExecutor(3) as all_three:
        list(all_three.map(lambda one: registries.put_person(ZHANG.id_number, one), told))
    assert not ask(registries, replace(ZHANG, name="张山")).name_matches
    assert not ask(registries).credential_active
    assert registries.pay_password_right(ZHANG.id_number, "888888")


def test_a_birth_certificate_lies_with_the_mother(registries):
    certificate = {
        "number": "A440000001",
        "mother_name": "张三",
        "mother_id_number": ZHANG.id_number,
        "child_name": "张小",
        "child_birth_date": "2026-11-01",
    }
    registries.put_person(ZHANG.id_number, {"birth_certificates": [certificate]})
    found = registries.birth_certificate("a440000001", "张三", ZHANG.id_number.lower())
    assert found == BirthRecord(True, True, "张小", date(2026, 11, 1))
    assert found.as_dict()["child_birth_date"] == "2026-11-01"
    other = registries.birth_certificate("A440000001", "李四", LI.id_number)
    assert other == BirthRecord(found=True)  # and nothing of the child
    bad = certificate | {"child_birth_date": "yesterday"}
    with pytest.raises(ValueError, match="isoformat"):
        registries.put_person(ZHANG.id_number, {"birth_certificates": [bad]})


def test_a_birth_certificate_needs_only_its_number(registries):
    registries.put_person(ZHANG.id_number, {"birth_certificates": [{"number": "A440000002"}]})
    found = registries.birth_certificate("A440000002", "张三", ZHANG.id_number)
    assert found == BirthRecord(True, True, None, None)


def test_pairs_filed_beforehand(registries):
    registries.put_person(ZHANG.id_number, {"prior_filings": [LI.id_number]})
    assert registries.prior_filing(ZHANG.id_number, LI.id_number)
    assert not registries.prior_filing(LI.id_number, ZHANG.id_number)


def test_registries_that_are_down_say_nothing(registries):
    registries.set_down(True)
    questions = [
        lambda: ask(registries),
        lambda: registries.birth_certificate("A440000001", "张三", ZHANG.id_number),
        lambda: registries.pay_password_right(ZHANG.id_number, "123456"),
        lambda: registries.prior_filing(ZHANG.id_number, LI.id_number),
    ]
    for question in questions:
        with pytest.raises(Unanswered):
            question()
    registries.put_person(ZHANG.id_number, {"name": "张三"})  # the developer is heard all the same
    registries.set_down(False)
    assert ask(registries).name_matches


# -- both ----------------------------------------------------------------------------------------------


def test_no_name_and_no_number_lies_in_clear(pool, faces, registries):
    reference = faces.begin("fcs_1", ZHANG).reference
    faces.complete(reference, "photo_not_found")
    certificate = {"number": "A440000001", "mother_name": "张三", "child_name": "张小"}
    registries.put_person(
        ZHANG.id_number,
        {
            "name": "张三",
            "pay_password": "888888",
            "birth_certificates": [certificate],
            "prior_filings": [LI.id_number],
        },
    )
    lies = everything(pool)
    assert reference in lies
    for secret in (
        ZHANG.name,
        ZHANG.id_number,
        LI.id_number,
        "A440000001",
        "888888",
        "张小",
        json.dumps("张三")[1:-1],
    ):
        assert secret not in lies


def test_the_windows_open_with_the_sandbox(pool, monkeypatch, tmp_path):
    monkeypatch.setenv("KINBIND_SANDBOX", "1")
    monkeypatch.setenv("KINBIND_VAR", str(tmp_path))
    windows = open_windows(pool)
    assert list(windows.faces) == ["sandbox"]
    assert ask(windows.registries).known
    windows.documents.put("mat_1", b"x")
    assert windows.documents.get("mat_1") == b"x"
