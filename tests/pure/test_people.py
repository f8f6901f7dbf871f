"""Numbers of documents: the standard's own vectors, the traps of ready-made validators, and what is shown."""

from datetime import date, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from policies.people import (
    carries_birth_date,
    check_digit,
    make_id_number,
    mask_name,
    mask_number,
    normalise_name,
    normalise_number,
    parse_birth_certificate,
    parse_by_number,
    parse_for_search,
    parse_identity,
    same_name,
    upgrade_legacy,
)
from policies.refusals import NotAllowed
from workflows.texts import holds_citizens_number, is_blank

TODAY = date(2026, 11, 21)
BODIES = st.text("0123456789", min_size=17, max_size=17)


@pytest.mark.parametrize(
    ("number", "born", "sex"),
    [
        ("11010519491231002X", date(1949, 12, 31), "female"),  # printed in GB 11643
        ("440524188001010014", date(1880, 1, 1), "male"),  # likewise; the county is no more
        ("320581196201010019", date(1962, 1, 1), "male"),  # Changshu, a city since 1983 only
        ("110112198301010011", date(1983, 1, 1), "male"),  # Tongzhou, a district since 1997 only
        ("330702198301010012", date(1983, 1, 1), "male"),
        ("500103197501010018", date(1975, 1, 1), "male"),  # Chongqing, a province since 1997 only
    ],
)
def test_citizens_of_every_age_and_place_are_read(number, born, sex):
    found = parse_identity("resident_id", number, None, TODAY)
    assert (found.number, found.birth_date, found.sex, found.family) == (number, born, sex, "citizen18")


@pytest.mark.parametrize("number", ["810000199001010019", "820000199001010010", "830000199001010012"])
def test_permits_are_read_as_permits_only(number):
    assert parse_identity("hmt_residence_permit", number, None, TODAY).birth_date == date(1990, 1, 1)
    with pytest.raises(NotAllowed, match="id_number_invalid"):
        parse_identity("resident_id", number, None, TODAY)


def test_foreign_residents_have_two_kinds_of_number():
    card = parse_identity("foreign_permanent_resident", "911222199001010012", None, TODAY)
    assert (card.family, card.birth_date) == ("citizen18", date(1990, 1, 1))
    old = parse_identity("foreign_permanent_resident", "usa110119900101", date(1990, 1, 1), TODAY)
    assert (old.family, old.number, old.sex) == ("foreign_permanent_resident15", "USA110119900101", None)


@pytest.mark.parametrize(
    "written", ["11010519491231002x", "１１０１０５１９４９１２３１００２Ｘ", " 110105 19491231 002X "]
)
def test_a_number_is_normalised_before_anything_else(written):
    assert parse_identity("resident_id", written, None, TODAY).number == "11010519491231002X"


@pytest.mark.parametrize(
    "number",
    [
        "110105194912310021",  # check digit
        "11010519491231002",  # too short
        "1101051949123100200",  # too long
        "1101051949123100 X",
        "A1010519491231002X",
        make_id_number("110105", date(2026, 11, 22), 1),  # not born yet
        make_id_number("110105", date(1849, 12, 31), 1),
        make_id_number("660105", date(1990, 1, 1), 1),  # no such province
        "110105490231002",  # 15 digits are for searches
        "11010519900230001" + check_digit("11010519900230001"),  # 30 February
        "",
    ],
)
def test_what_is_no_resident_number_is_refused(number):
    with pytest.raises(NotAllowed) as refused:
        parse_identity("resident_id", number, None, TODAY, "/member")
    assert (refused.value.code, refused.value.pointer, refused.value.status) == (
        "id_number_invalid", "/member/id_number", 422,
    )  # fmt: skip


def test_today_and_the_first_day_are_inside_the_range():
    for born in (TODAY, date(1850, 1, 1)):
        assert parse_identity("resident_id", make_id_number("110105", born, 1), None, TODAY).birth_date == born


def test_a_refusal_names_no_number():
    with pytest.raises(NotAllowed) as refused:
        parse_identity("resident_id", "110105194912310021", None, TODAY, "/holder")
    assert "1101" not in str(refused.value)


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("阿依古丽·买买提", "阿依古丽•买买提 ", True),
        ("MARIA  SILVA", "Maria Silva", True),
        ("张 三", "张三", True),
        ("张三", "张山", False),
        ("阿依古丽·买买提", "阿依古丽买买提", False),
    ],
)
def test_a_name_is_the_same_however_it_is_typed(one, other, same):
    assert same_name(one, other) is same


def test_which_numbers_carry_a_birth_date():
    carrying = ["11010519491231002x", make_id_number("810000", date(1990, 1, 1), 1)]
    assert all(carries_birth_date(number) for number in carrying)
    assert not any(carries_birth_date(number) for number in ("E12345678", "USA110119900101", "K000000001"))


def test_birth_dates_agree_with_the_number_or_stand_for_it():
    number = "11010519491231002X"
    assert parse_identity("resident_id", number, date(1949, 12, 31), TODAY).sex == "female"
    for id_type, written, born, code in [
        ("resident_id", number, date(1949, 12, 30), "birth_date_mismatch"),
        ("passport", "E12345678", None, "birth_date_required"),
        ("passport", "E12345678", TODAY + timedelta(days=1), "birth_date_invalid"),
        ("passport", "E123", date(1990, 1, 1), "id_number_invalid"),
        ("travel_permit", "H1234567-8", date(1990, 1, 1), "id_number_invalid"),
        # one number is one person: a citizen's or a foreign resident's is no passport's
        ("passport", "11010519491231002X", date(1949, 12, 31), "id_number_invalid"),
        ("travel_permit", "１１０１０５１９４９１２３１００２x", date(2016, 1, 1), "id_number_invalid"),
        ("passport", "110105491231002", date(1949, 12, 31), "id_number_invalid"),
        ("passport", "USA110119900101", date(1990, 1, 1), "id_number_invalid"),
        ("library_card", "12345678", date(1990, 1, 1), "id_number_invalid"),
    ]:
        with pytest.raises(NotAllowed) as refused:
            parse_identity(id_type, written, born, TODAY)
        assert refused.value.code == code
    assert parse_identity("travel_permit", "h12345678", date(1990, 1, 1), TODAY).family == "travel_permit"


@pytest.mark.parametrize(
    ("old", "new"),
    [("110105491231002", "11010519491231002X"), ("440524800101996", "440524188001019967")],
)
def test_fifteen_digits_are_found_in_searches(old, new):
    assert upgrade_legacy(old) == new
    assert [found.number for found in parse_for_search(old, TODAY)] == [new]


def test_a_search_returns_all_whom_a_number_may_name():
    assert [f.id_type for f in parse_for_search("810000199001010019", TODAY)] == ["hmt_residence_permit"]
    assert [f.id_type for f in parse_for_search("e12345678", TODAY)] == ["passport", "travel_permit"]
    assert [f.id_type for f in parse_for_search("X320101001", TODAY)][-1] == "birth_certificate"
    assert parse_for_search("USA110119900101", TODAY)[0].id_type == "foreign_permanent_resident"
    for nobody in ("张三", "", "110105194912310021"):
        with pytest.raises(NotAllowed, match="id_number_invalid"):
            parse_for_search(nobody, TODAY)


@pytest.mark.parametrize(
    ("number", "id_type"),
    [
        ("11010519491231002x", "resident_id"),
        ("810000199001010019", "hmt_residence_permit"),
        ("911222199001010012", "foreign_permanent_resident"),
        ("USA110119900101", "foreign_permanent_resident"),
        ("ea1234567", "passport"),
        ("567890123", "passport"),  # of the United States and others: digits alone
        ("06123456", "passport"),  # a permit of eight digits
        ("12345", "passport"),
        ("1" * 14, "passport"),
    ],
)
def test_a_number_alone_says_whose_it_is(number, id_type):
    assert parse_by_number(number, TODAY, "/mother").id_type == id_type


@pytest.mark.parametrize(
    "number",
    [
        "",
        "1234",
        "张三123456",
        "AB-123456",
        "1101051949123100",
        "11010519491231002",
        "110105194912310021",
        "110105491231002",
        "E" * 15,
    ],
)
def test_a_digit_forgotten_is_no_passport(number):
    with pytest.raises(NotAllowed) as refused:
        parse_by_number(number, TODAY, "/mother")
    assert (refused.value.code, refused.value.pointer) == ("id_number_invalid", "/mother")


def test_birth_certificates_are_a_letter_and_nine_digits():
    assert parse_birth_certificate("x320101001").number == "X320101001"
    for wrong in ("3201010012", "X32010100", "XX20101001"):
        with pytest.raises(NotAllowed, match="birth_certificate/number"):
            parse_birth_certificate(wrong)


@given(BODIES, st.integers(0, 16), st.integers(1, 9))
def test_one_wrong_digit_never_passes(body, place, by):
    wrong = body[:place] + str((int(body[place]) + by) % 10) + body[place + 1 :]
    assert check_digit(wrong) != check_digit(body)


@given(BODIES, st.integers(0, 15))
def test_two_neighbours_changing_places_never_pass(body, place):
    swapped = body[:place] + body[place + 1] + body[place] + body[place + 2 :]
    assert (check_digit(swapped) == check_digit(body)) == (body[place] == body[place + 1])


@given(BODIES)
def test_check_digits_agree_with_the_other_form_of_the_standard(body):
    assert check_digit(body) == "0123456789X"[(1 - 2 * int(body, 13)) % 11]


@given(st.dates(date(1850, 1, 1), TODAY), st.integers(0, 999))
def test_what_is_made_is_read_back(born, sequence):
    found = parse_identity("resident_id", make_id_number("320581", born, sequence), born, TODAY)
    assert (found.birth_date, found.sex) == (born, "male" if sequence % 2 else "female")


@pytest.mark.parametrize(
    ("name", "shown"), [("张三", "张*"), ("司马相如", "司***"), ("张", "*"), ("", ""), ("Ann Lee", "A******")]
)
def test_names_keep_their_first_character(name, shown):
    assert mask_name(name) == shown


@pytest.mark.parametrize(
    ("number", "shown"),
    [
        ("440106199001011234", "4401**********1234"),
        ("USA110119900101", "USA1*******0101"),
        ("E12345678", "E******78"),
        ("X320101001", "X*******01"),
        ("ABC", "***"),
    ],
)
def test_numbers_keep_their_ends(number, shown):
    assert mask_number(number) == shown


@given(st.text("ABC0123456789", max_size=25))
def test_a_masked_number_keeps_its_length_and_hides_at_least_as_much_as_it_shows_of_short_ones(number):
    shown = mask_number(number)
    assert len(shown) == len(number)
    assert number == "" or "*" in shown


def test_names_are_compared_without_their_dress():
    assert normalise_name("  张　三 ") == "张 三"
    assert normalise_name("Ａｎｎ  Lee") == "Ann Lee"


@pytest.mark.parametrize("unseen", ["\u200b", "\u202e", "\u2060", "\u00ad", "\u3164", "\ufeff"])
def test_what_nobody_sees_is_no_part_of_a_name_or_number(unseen):
    assert normalise_name(f"李{unseen}秀英") == "李秀英"
    assert normalise_number(f"{unseen}44010619850307000{unseen}x") == "44010619850307000X"
    assert is_blank(unseen)


@pytest.mark.parametrize("rare", ["\U00031350", "\ue000", "𠮷"])
def test_a_character_that_is_newer_than_our_tables_is_seen(rare):
    assert not is_blank(rare)


@pytest.mark.parametrize(
    "text",
    [
        "张三 440106198503072316 的申请",
        "440106 19850307 2316",
        "单号20261130440106198503072316",
        "１１０１０５１９４９１２３１００２ｘ",
    ],
)
def test_a_citizens_whole_number_is_found_in_a_text(text):
    assert holds_citizens_number(text)


@pytest.mark.parametrize(
    "text",
    [
        "工单 202611300001234567",  # no such month
        "440106198503072317",  # wrong check digit
        "请致电 0512-52345678 或 13800138000",
        "4401**********2316",
        "rep_01KE7Z3J5R8Q2M4N6P8S0T2V4W",
    ],
)
def test_other_numbers_may_stand_in_a_text(text):
    assert not holds_citizens_number(text)
