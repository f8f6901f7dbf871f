"""The vendors' codes in our words."""

from datetime import UTC, datetime

import pytest

from api.answered import words
from api.texts import TEXTS
from gateways import face_outcomes
from gateways.face_outcomes import OUTCOMES, REASONS, answer_for
from gateways.faces import FaceAnswer, FaceStatus, Subject
from tests.logs import logged

NOON = datetime(2026, 11, 21, 4, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("provider", "product", "code", "status", "reason"),
    [
        ("tencent", "detect_h5", "0", "passed", None),
        ("tencent", "detect_h5", "203", "error", "face_provider_error"),
        ("tencent", "detect_h5", "2018", "failed", "face_rate_limited"),
        ("tencent", "app_sdk", "212", "failed", "face_cancelled"),
        ("alibaba", "ID_PRO.SubCode", "203", "failed", "face_photo_unavailable"),
        ("alibaba", "ID_PRO.SubCode", "200", "passed", None),
        ("alibaba", "ID_PRO.Code", "200", "error", "face_provider_error"),
        ("alibaba", "ID_PRO.Code", "424", "pending", None),
        ("alibaba", "ID_PRO.Code", "427", "failed", "face_spoof_suspected"),
        ("wechat", "verify_ret", "10000", "passed", None),
        ("wechat", "verify_ret", "0", "error", "face_provider_error"),
        ("wechat", "errcode", "0", "error", "face_provider_error"),
        ("wechat", "errcode", "45009", "failed", "face_rate_limited"),
    ],
)
def test_one_number_means_what_its_product_says(provider, product, code, status, reason):
    answer = answer_for(provider, product, code, NOON)
    assert (answer.status, answer.reason) == (status, reason)


@pytest.mark.parametrize("code", ["", "99999", "200 ", "T", "0"])
def test_an_unknown_code_is_an_error_with_an_alarm_and_never_a_pass(code):
    with logged(face_outcomes) as logs:
        answer = answer_for("alibaba", "ID_PRO.SubCode", code, NOON)
    assert (answer.status, answer.go_offline, answer.uses_attempt) == (FaceStatus.ERROR, False, False)
    assert [(line["event"], line["log_level"]) for line in logs] == [("face_code_unknown", "error")]


def test_exactly_one_code_of_a_product_passes():
    passing = [key for key, answer in OUTCOMES.items() if answer.status is FaceStatus.PASSED]
    assert sorted(passing) == [
        ("alibaba", "ID_PRO.SubCode", "200"),
        ("sandbox", "ID_PRO.SubCode", "200"),
        ("tencent", "detect_h5", "0"),
        ("wechat", "verify_ret", "10000"),
    ]


NO_RETRY = {"face_id_name_mismatch", "face_id_not_found", "face_photo_unavailable"}  # of the papers


def test_what_no_retry_can_mend_goes_offline_and_only_that():
    for answer in OUTCOMES.values():
        ended_badly = answer.status not in {FaceStatus.PASSED, FaceStatus.PENDING}
        assert answer.go_offline == (answer.reason in NO_RETRY)
        assert (answer.reason is not None) == ended_badly
        assert answer.uses_attempt <= (answer.status is FaceStatus.FAILED)


@pytest.mark.parametrize(
    ("moment", "midnight"),
    [
        (datetime(2026, 11, 21, 15, 59, 59, tzinfo=UTC), datetime(2026, 11, 21, 16, 0, tzinfo=UTC)),
        (datetime(2026, 11, 21, 16, 0, tzinfo=UTC), datetime(2026, 11, 22, 16, 0, tzinfo=UTC)),
        (datetime(2026, 12, 31, 4, 0, tzinfo=UTC), datetime(2026, 12, 31, 16, 0, tzinfo=UTC)),
    ],
)
def test_a_rate_limit_ends_at_midnight_in_shanghai(moment, midnight):
    assert answer_for("alibaba", "ID_PRO.Code", "418", moment).next_retry_at == midnight


def test_identities_compare_with_either_x_and_are_not_printed():
    one = Subject("张三", "resident_id", "11010119900307123x")
    assert one.is_same(Subject("张三 ", "resident_id", "11010119900307123X"))
    assert one.is_same(Subject("张 三", "resident_id", "１１０１０１１９９００３０７１２３Ｘ"))  # as some write it
    assert not one.is_same(Subject("张三", "passport", "11010119900307123X"))
    assert not one.is_same(Subject("张四", "resident_id", "11010119900307123X"))
    assert "张三" not in repr(one)
    assert "1990" not in repr(one)


def test_every_outcome_has_words_for_the_family():
    told = {one.reason for one in vars(face_outcomes).values() if isinstance(one, FaceAnswer) and one.reason}
    assert told == REASONS
    assert told <= TEXTS.keys()
    assert told <= set(words()["Reason"]["examples"])
