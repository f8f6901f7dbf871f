"""What registries' answers mean, and what an active binding entitles to."""

from dataclasses import replace
from datetime import date

import pytest

from policies.eligibility import Answers, Certificate, Insurance, Party, insurance_verdict, judge
from policies.entitlements import refusal
from policies.relations import to_gbt4761
from tests.pure.policy_cases import CHANGSHU, plan

FAMILY = plan()
SHARING = plan("account_sharing")
DISPLAY = plan("code_display")
JIANGSU = plan("account_sharing", region=CHANGSHU)
NEWBORN = plan(method="birth_certificate", relationship="CHILD", born=date(2026, 10, 1))


def person(status="normal", scheme="employee", region="440100", **other):
    usual = Party(known=True, name_matches=True, insured=Insurance(scheme, status, region), credential_active=True)
    return replace(usual, **other)


def answers(holder=None, member=None, **other):
    return Answers(holder or person(), member or person(scheme="resident"), **other)


UNKNOWN = Party()
RIGHT = Certificate(found=True, mother_matches=True, child_matches=True, date_matches=True)


@pytest.mark.parametrize(
    ("law", "found", "reason"),
    [
        (FAMILY, answers(), None),
        (FAMILY, answers(member=person(region="650100")), None),  # anywhere in China (F67)
        (FAMILY, answers(holder=UNKNOWN), "not_insured"),
        (FAMILY, answers(member=UNKNOWN), "not_insured"),
        (FAMILY, Answers(person()), "not_insured"),
        (FAMILY, answers(member=person(name_matches=False)), "name_id_mismatch"),
        (FAMILY, answers(holder=person(insured=None), member=person(name_matches=False)), "name_id_mismatch"),
        (FAMILY, answers(member=person(birth_date_matches=False)), "birth_date_mismatch"),
        (FAMILY, answers(holder=person(birth_date_matches=False)), "birth_date_mismatch"),
        (FAMILY, answers(member=person(birth_date_matches=None)), None),
        (FAMILY, answers(member=person(insured=None)), "not_insured"),
        (FAMILY, answers(member=person("suspended")), "insurance_suspended"),
        (FAMILY, answers(holder=person("terminated")), "insurance_suspended"),
        (FAMILY, answers(holder=person(credential_active=False)), "holder_credential_inactive"),
        (FAMILY, answers(member=person(credential_active=False)), None),  # to activate it is why one binds
        (SHARING, answers(), None),
        (SHARING, answers(holder=person(credential_active=False)), None),
        (SHARING, answers(holder=person(scheme="resident")), "not_insured"),  # F104
        (SHARING, answers(member=person(region="440400")), "region_not_allowed"),  # F110
        (
            SHARING,
            answers(holder=person(region="110105"), member=person(region="110105")),
            "region_not_allowed",
        ),
        (DISPLAY, answers(holder=person(credential_active=False)), "holder_credential_inactive"),
        (JIANGSU, answers(person(region="320581"), person(region="320100")), None),
        (JIANGSU, answers(person("suspended", region="320581"), person(region="320100")), None),  # F154
        (
            JIANGSU,
            answers(person("terminated", region="320581"), person(region="320100")),
            "insurance_suspended",
        ),
        (JIANGSU, answers(person(region="320581"), person(region="440100")), "region_not_allowed"),
        (NEWBORN, answers(member=UNKNOWN, certificate=RIGHT), None),
        (NEWBORN, answers(member=UNKNOWN), "birth_cert_not_found"),
        (NEWBORN, answers(certificate=Certificate(found=False)), "birth_cert_not_found"),
        (NEWBORN, answers(certificate=Certificate(found=True)), "birth_cert_mother_mismatch"),
        (NEWBORN, answers(certificate=replace(RIGHT, child_matches=False)), "birth_cert_child_mismatch"),
        (NEWBORN, answers(certificate=replace(RIGHT, date_matches=False)), "birth_cert_date_mismatch"),
    ],
)
def test_registries_judge(law, found, reason):
    assert judge(law, found) == reason


def test_prior_filing_is_asked_where_the_law_says_so():
    beijing = replace(FAMILY, registry=replace(FAMILY.registry, prior_filing=True))
    assert judge(beijing, answers(filed=True)) is None
    assert judge(beijing, answers()) == "prior_filing_missing"


@pytest.mark.parametrize(
    ("law", "found", "verdict"),
    [
        (FAMILY, answers(), None),
        (FAMILY, answers(member=person("suspended")), "insurance_suspended"),
        (FAMILY, answers(holder=person("suspended"), member=person("terminated")), "insurance_ended"),
        (FAMILY, answers(member=person(insured=None)), "not_insured"),
        (FAMILY, answers(holder=person(credential_active=False)), None),
        (JIANGSU, answers(person("suspended", region="320100"), person(region="320100")), None),
        (JIANGSU, answers(person(region="310000"), person(region="320100")), "region_not_allowed"),  # moved out (W6)
        (NEWBORN, answers(member=UNKNOWN), None),
    ],
)
def test_the_daily_look(law, found, verdict):
    assert insurance_verdict(law, found) == verdict


@pytest.mark.parametrize(
    ("law", "purpose", "patient", "region", "reason"),
    [
        (FAMILY, "show_code", "member", None, None),
        (FAMILY, "show_code", None, None, None),
        (FAMILY, "show_code", "holder", None, "not_own_code"),
        (FAMILY, "pay_from_account", "member", None, "wrong_product"),
        (FAMILY, "query_expenses", None, None, None),
        (SHARING, "show_code", "member", None, "purpose_not_allowed"),
        (SHARING, "query_expenses", None, None, "purpose_not_allowed"),
        (SHARING, "pay_from_account", "member", "440106", None),
        (SHARING, "pay_from_account", None, None, None),
        (SHARING, "pay_from_account", "member", "440400", "region_not_allowed"),
        (DISPLAY, "show_code", "member", None, None),  # F99, against F52
        (DISPLAY, "pay_from_account", "member", "330100", "region_not_allowed"),
        (JIANGSU, "pay_from_account", "member", "320100", None),
        (JIANGSU, "pay_from_account", "member", "310000", "region_not_allowed"),
    ],
)
def test_entitlements(law, purpose, patient, region, reason):
    assert refusal(law, purpose, patient, region) == reason


# -- relationships --


@pytest.mark.parametrize(
    ("word", "code"),
    [
        ("SPOUSE", "10"), ("CHILD", "20"), ("PARENT", "50"), ("PARENT_IN_LAW", "53"), ("SIBLING", "70"),
        ("GRANDPARENT", "60"), ("GRANDCHILD", "40"), ("WARD", None), ("OTHER", "97"),
    ],
)  # fmt: skip
def test_gbt_4761_codes(word, code):
    assert to_gbt4761(word) == code
