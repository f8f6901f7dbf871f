"""Why a plan is as it is: every line has its key, its file and its source, and words where the application decided."""

from datetime import date

import pytest

from policies.book import LawBook, lawbook
from policies.check import applications
from policies.compare import lines_of
from policies.explain import explain_plan
from policies.loader import SHIPPED, read_folder, read_pack
from policies.refusals import NotAllowed
from tests.pure.policy_cases import DAY, asked

OWN = """
pack: CN-51-test
version: "1"
effective_from: 2026-01-01
region: "51"
inherits: CN-national/family_account
product: family_account
sources: [W11]
facts: {limits: [W11], unbind: [W13]}
unconfirmed: [unbind]
limits: {members_per_holder: 3}
"""


def has(body, path):
    for part in path.split("."):
        if not isinstance(body, dict) or part not in body:
            return False
        body = body[part]
    return True


def test_a_plan_says_which_file_and_which_facts_made_it():
    plan, because = explain_plan(lawbook(), asked(region="320581"), DAY)
    said = {one.part: one for one in because}
    assert plan.pack == "CN-3205-suzhou"
    assert (said["age_group"].file, said["age_group"].key) == ("CN-3205-suzhou.family_account.yaml", "age")
    assert "F155" in said["age_group"].facts
    assert said["face.subjects"].facts == ("F155", "F156", "F157", "F158")
    assert said["face.window_hours"].file == "CN-national.family_account.yaml"
    assert said["deadlines.review_to_decision"].unconfirmed
    assert not said["limits.members_per_holder"].unconfirmed


@pytest.mark.parametrize("law", lawbook().laws_on(DAY), ids=lambda law: law.chain[0].name)
def test_every_line_of_every_plan_has_its_reason(law):
    """Each line of the plan is there, from a key that the pack has, and stands on a fact or is marked as on none."""
    for facts in applications(law, DAY):
        try:
            plan, because = explain_plan(lawbook(), facts, DAY)
        except NotAllowed:
            continue
        lines = {part.partition(".")[0] for part in lines_of(plan)} | {"policy", "relationship"}
        assert lines == {one.part.partition(".")[0] for one in because} - {"channel", "initiator"}
        assert [one for one in because if not (one.facts or one.unconfirmed)] == []
        body = law.pack.model_dump() if (plan.pack, plan.product) == (law.pack.pack, law.pack.product) else None
        assert body is None or [one.key for one in because if not has(body, one.key)] == []


@pytest.mark.parametrize(
    ("facts", "lines"),
    [
        (asked("account_sharing"), {"relationship", "registry.same_region", "registry.region"}),
        (asked("code_display", channel="alipay"), {"relationship", "registry.same_region", "registry.region"}),
        (asked(method="birth_certificate", relationship="CHILD", born=date(2026, 10, 1)), {"relationship"}),
        (asked(region="320581"), {"counter.agency", "counter.agency_name", "counter.address"}),
    ],
    ids=["sharing of 2023", "its second step", "who binds by a certificate", "whose counter in Suzhou"],
)
def test_what_a_later_or_nearer_source_doubts_is_marked(facts, lines):
    """W5: by December 2024 all had widened their sharing; F22: 母婴; F29, F170: the agency may be the county's."""
    doubted = {one.part for one in explain_plan(lawbook(), facts, DAY)[1] if one.unconfirmed}
    assert lines - doubted == set()


def test_a_plan_says_in_words_what_of_the_application_decided():
    facts = asked(
        region="320581", relationship="CHILD", born=date(2010, 11, 21), channel="alipay", initiator="guardian"
    )
    said = {one.part: one.why for one in explain_plan(lawbook(), facts, DAY)[1]}
    assert said["age_group"] == "16 years old on 2026-11-21; 17 is reached on 2027-11-21"
    assert said["policy"].startswith("the holder is insured in 320581")
    assert said["channel"] == "open everywhere, as its source said on 2025-03-07"
    assert said["materials.any_relation"].endswith("asked by methods.id_number.branches.minor.papers")
    assert said["notices.materials_storage"] == "documents are asked"
    both = {bool(one.why) == bool(one.why_zh) for one in explain_plan(lawbook(), facts, DAY)[1]}
    assert both == {True}  # whatever is said is said in Chinese too


def test_a_pack_may_speak_of_what_it_takes_over():
    book = LawBook([*read_folder(SHIPPED), read_pack("own.yaml", OWN)])
    law = book.law_for("510100", "family_account", DAY)
    assert law.facts("limits.members_per_holder") == ("W11",)
    assert law.facts("limits.count_ended") == ("F50", "F51", "F137", "W3", "C10", "C11", "C12")  # the parent's
    assert law.facts("unbind.authentication") == ("W13",)
    assert law.is_unconfirmed("unbind.authentication")
    assert law.origin("unbind.authentication").file == "CN-national.family_account.yaml"
