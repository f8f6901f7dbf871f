"""What each application must go through, and what must be accepted before."""

from datetime import UTC, date, datetime, timedelta

import pytest

from policies.book import lawbook
from policies.plan import Span, plan_from_json
from policies.planning import check_consents, consents_of, plan_for
from policies.refusals import NotAllowed
from tests.pure.policy_cases import (
    BEIJING,
    CHANGSHU,
    GROWN,
    GUANGZHOU,
    NANJING,
    REGISTER,
    asked,
    kinds,
    plan,
    refusal,
)

NOW = datetime(2026, 11, 21, 8, tzinfo=UTC)

# -- the national family account --


def test_an_adult_brings_letter_and_register_and_shows_the_face():
    found = plan()
    assert (found.pack, found.age_group, found.steps, found.face.subjects) == (
        "CN-national", "adult", ("face_check",), ("member",),
    )  # fmt: skip
    assert kinds(found) == [(("commitment_letter",),), (REGISTER,)]
    assert (found.shown_credential, found.fund_source, found.own_code_only) == ("member", "member_own", True)
    assert (found.limits.members_per_holder, found.limits.binders_per_member) == (5, 2)
    assert (found.review.mode, found.counter.agency, found.face_at_age) == ("none", "440100", ())


def test_a_child_shows_no_face_until_it_has_grown():
    found = plan(relationship="CHILD", born=date(2010, 11, 22))
    assert (found.age_group, found.steps, found.face.subjects, found.face_at_age) == (
        "minor",
        (),
        (),
        ("member",),
    )
    assert kinds(found)[1] == (REGISTER, ("birth_certificate",), ("notarised_relationship",))


@pytest.mark.parametrize(
    "facts",
    [{"relationship": "CHILD", "born": date(2019, 5, 1)}, {"born": GROWN},
     {"relationship": "CHILD", "born": date(2026, 10, 1), "method": "birth_certificate"},
     {"product": "account_sharing"}, {"product": "code_display", "channel": "alipay"}],
    ids=["child", "grown", "newborn", "sharing", "display"],
)  # fmt: skip
def test_everybody_consents_to_the_agency(facts):
    """§C.10: no face and no review are asked of a child, and yet silent registries send the case to the counter."""
    assert "agency_sharing" in {ref.notice for ref in plan(**facts).notices}


def test_a_newborn_brings_nothing_and_the_mother_shows_her_face():
    found = plan(method="birth_certificate", relationship="CHILD", born=date(2026, 10, 1))
    assert (found.age_group, found.materials, found.face.subjects) == ("newborn", (), ("mother",))
    assert found.registry.birth_certificate
    assert found.registry.member.status == "any"
    assert found.counter.bring == ("绑定人和母亲有效身份证件原件", "出生医学证明原件")
    assert [n.notice for n in found.notices] == [
        "adding_member",
        "identity_check",
        "face",
        "agency_sharing",
        "guardian",
    ]


def test_the_day_decides_the_branch():
    born = date(2010, 11, 21)
    groups = [
        plan_for(lawbook(), asked(relationship="CHILD", born=born), date(2026, 11, d)).age_group for d in (20, 21)
    ]
    assert groups == ["minor", "adult"]


def test_in_suzhou_sixteen_is_a_minor_until_the_seventeenth_birthday():
    for born, group in (
        (date(2010, 11, 21), "minor"),
        (date(2009, 11, 22), "minor"),
        (date(2009, 11, 21), "adult"),
    ):
        found = plan(region=CHANGSHU, relationship="CHILD", born=born)
        assert (found.pack, found.age_group) == ("CN-3205-suzhou", group)
    grown = plan(region=CHANGSHU)
    assert kinds(grown) == [(("household_register_member_page",),)]
    assert plan(region=CHANGSHU, born=date(2015, 1, 1)).materials[0].any_of == (
        ("birth_certificate",),
        ("household_register_holder_page", "household_register_member_page"),
        ("notarised_relationship",),
    )
    assert grown.counter.agency == "320500"


def test_the_holders_region_chooses_the_pack_and_the_members_the_counter():
    found = plan(region=BEIJING, member_region=CHANGSHU)
    assert (found.pack, found.counter.agency) == ("CN-national", "320500")
    assert found.counter.address == "苏州市医疗保障局经办大厅"
    assert plan(region=CHANGSHU, member_region="110108").counter.agency == "110000"  # no prefectures in Beijing
    named = [plan(region=GUANGZHOU, member_region=code).counter.agency_name for code in ("330106", "429004")]
    assert named == ["杭州市医疗保障经办机构", "湖北省（429004）医疗保障经办机构"]


@pytest.mark.parametrize("born", [date(2012, 11, 21), date(2012, 11, 22)])
def test_a_guardian_consents_below_fourteen_which_is_not_the_face_border(born):
    found = plan(relationship="CHILD", born=born)
    assert ("guardian" in {n.notice for n in found.notices}) == (born == date(2012, 11, 22))
    assert found.age_group == "minor"


def test_a_ward_needs_proof_of_guardianship():
    assert kinds(plan(relationship="WARD"))[-1] == (("guardianship_proof",),)


def test_the_window_is_said_once_and_terms_have_their_units():
    found = plan()
    assert found.deadlines["first_attempt_to_pass"] == Span(hours=24) == Span(hours=found.face.window_hours)
    assert found.deadlines["review_to_decision"] == Span(working_days=2)
    assert found.deadlines["materials_to_offline"] == Span(working_days=3)
    assert found.deadlines["suspended_to_ended"] == Span(hours=180 * 24)


def test_passports_come_by_the_other_method_and_no_camera_reads_them():
    found = plan(method="other_document", id_type="passport")
    assert "passport" not in found.face.document_types
    assert found.face.subjects == ("member",)
    assert refusal(id_type="passport")[0] == "method_not_allowed"
    assert refusal(method="other_document")[0] == "method_not_allowed"


# -- Guangdong and Jiangsu --


def test_guangdong_sharing_is_reviewed_by_the_prefecture_and_asks_no_face():
    found = plan("account_sharing")
    assert (found.pack, found.steps, found.face.subjects) == ("CN-44-guangdong", ("agency_review",), ())
    assert (found.review.mode, found.review.agency) == ("manual", "440100")
    assert kinds(found) == [
        (("holder_id_front", "holder_id_back"),),
        (("member_id_front", "member_id_back"),),
        (REGISTER,),
        (("commitment_letter",),),
    ]
    assert (found.shown_credential, found.fund_source) == ("holder", "holder_personal_account")
    assert (found.limits.binders_per_member, found.registry.holder.scheme) == (None, "employee")
    assert (found.registry.same_region, found.registry.region) == ("pooling_area", "4401")
    notices = [n.notice for n in found.notices]
    assert notices == ["identity_check", "materials_storage", "agency_sharing", "reminder"]


def test_showing_the_holders_code_asks_both_faces_then_the_authorisation():
    found = plan("code_display", channel="alipay", initiator="member")
    assert found.steps == ("face_check", "authorisation")
    assert found.face.subjects == ("member", "holder")
    assert (found.materials, found.requires_active, found.own_code_only) == ((), "account_sharing", False)
    assert found.registry.holder.credential_active
    assert plan("code_display", relationship="CHILD", born=date(2015, 1, 1)).face.subjects == ("holder",)


def test_jiangsu_sharing_stays_in_the_province():
    found = plan("account_sharing", region=CHANGSHU, member_region=NANJING, channel="jiangsu_yibaoyun")
    assert (found.pack, found.registry.region, found.review.agency) == ("CN-32-jiangsu", "32", "320500")
    assert (found.registry.holder.status, found.shown_credential) == ("not_terminated", "member")
    assert refusal("account_sharing", region=CHANGSHU, member_region=GUANGZHOU) == (
        "region_not_allowed", "/member/insured_region", 422,
    )  # fmt: skip


@pytest.mark.parametrize("relationship", ["SIBLING", "GRANDPARENT", "PARENT_IN_LAW", "WARD", "OTHER"])
def test_sharing_is_for_spouse_parents_and_children(relationship):
    for region in (GUANGZHOU, NANJING):
        code = refusal("account_sharing", region=region, relationship=relationship, channel=None)
        assert code == ("relation_not_allowed", "/relationship", 422)


# -- plans and consents --


def test_plans_survive_their_json_and_equal_ones_have_one_name():
    for found in (plan(), plan("account_sharing"), plan("code_display"), plan(born=date(2020, 1, 1))):
        assert plan_from_json(found.to_json()) == found
    assert plan(born=date(1960, 1, 1)).hash == plan().hash
    assert plan(relationship="WARD").hash != plan().hash


def consents(found):
    accepted_at = (NOW - timedelta(minutes=1)).isoformat()
    return [{"notice": n.notice, "version": n.version, "accepted_at": accepted_at} for n in found.notices]


def test_every_notice_is_accepted_in_its_version():
    found = plan()
    said = consents(found)
    check_consents(found, [*said, *said, {"notice": "weather", "version": "1"}], NOW)
    with pytest.raises(NotAllowed) as refused:
        check_consents(found, said[1:], NOW)
    assert (refused.value.code, refused.value.pointer) == ("consent_missing", "/consents")
    said[2] = {**said[2], "version": "2020-01-01"}
    with pytest.raises(NotAllowed) as refused:
        check_consents(found, said, NOW)
    assert (refused.value.code, refused.value.pointer) == ("consent_version_unknown", "/consents/2/version")


@pytest.mark.parametrize(
    ("accepted_at", "right"),
    [
        (NOW + timedelta(minutes=5), True),
        (NOW + timedelta(minutes=6), False),
        (datetime(2026, 11, 1, 16, tzinfo=UTC), True),  # 2026-11-02 in Shanghai, the day of the text
        (datetime(2026, 11, 1, 15, 59, tzinfo=UTC), False),
    ],
)
def test_a_notice_is_accepted_in_its_time(accepted_at, right):
    found = plan()
    said = consents(found)
    said[1] = {**said[1], "accepted_at": accepted_at.isoformat()}
    if right:
        check_consents(found, said, NOW)
        return
    with pytest.raises(NotAllowed) as refused:
        check_consents(found, said, NOW)
    assert (refused.value.code, refused.value.pointer) == ("consent_time_invalid", "/consents/1/accepted_at")


def test_the_last_of_two_consents_counts_and_only_the_plan_s_are_kept():
    found = plan()
    said = consents(found)
    stale = {**said[0], "version": "2020-01-01"}
    check_consents(found, [stale, *said], NOW)
    with pytest.raises(NotAllowed):
        check_consents(found, [*said, stale], NOW)
    assert consents_of(found, [stale, {"notice": "weather"}, *said]) == said


def test_notices_are_shown_in_both_languages():
    shown = lawbook().notices(plan().notices)
    assert shown[0].title == "家庭成员添加告知书"
    assert lawbook().notices(plan().notices, "en")[0].title == "Notice on adding a family member"
    assert [(n.notice, n.version) for n in shown] == [(n.notice, n.version) for n in plan().notices]
