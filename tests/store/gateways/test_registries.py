"""The sandbox's registries, and what it keeps of both in clear: nothing."""

import json
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import date

import pytest

from gateways.faces import Subject
from gateways.registries import BirthRecord, PersonAnswer, Registries, Unanswered
from gateways.windows import open_windows
from policies.eligibility import Insurance
from tests.store.gateways.conftest import LI, ZHANG, everything


def ask(registries: Registries, subject: Subject = ZHANG, region: str = "440100") -> PersonAnswer:
    return registries.person(subject.name, subject.id_type, subject.id_number, region)


def test_unknown_people_are_believed(registries):
    believed = PersonAnswer(True, True, Insurance("employee", "normal", "440100"), True)
    assert ask(registries) == believed
    assert registries.pay_password_right(ZHANG.id_number, "123456")
    assert not registries.pay_password_right(ZHANG.id_number, "654321")
    assert registries.birth_certificate("A440000001", "张三", ZHANG.id_number) == BirthRecord(found=False)
    assert not registries.prior_filing(ZHANG.id_number, LI.id_number)


def test_what_is_told_stays_and_the_rest_is_as_for_unknown_people(registries):
    registries.put_person(ZHANG.id_number, {"name": "张三", "credential_active": False})
    registries.put_person(ZHANG.id_number.lower(), {"insured": {"status": "suspended"}})
    registries.put_person(ZHANG.id_number, {"insured": {"region": "320500"}, "pay_password": "888888"})
    assert ask(registries) == PersonAnswer(True, True, Insurance("employee", "suspended", "320500"), False)
    assert not ask(registries, replace(ZHANG, name="张山")).name_matches
    assert registries.pay_password_right(ZHANG.id_number, "888888")
    assert not registries.pay_password_right(ZHANG.id_number, "123456")
    registries.put_person(ZHANG.id_number, {"insured": None})
    assert ask(registries).insured is None
    registries.put_person(ZHANG.id_number, {"insured": {"status": "active"}})
    assert ask(registries).insured == Insurance("employee", "normal", "440100")


def test_a_birth_date_is_told_or_not_known(registries):
    registries.put_person(ZHANG.id_number, {"birth_date": date(1990, 3, 7)})
    assert ask(registries).birth_date == date(1990, 3, 7)
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
    registries.set_mode("down")
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
    registries.set_mode("up")
    assert ask(registries).name_matches


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
