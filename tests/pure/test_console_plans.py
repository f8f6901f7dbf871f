"""A plan on the supervisors' page: every line has a name and a value that people read, in both languages."""

import re

import pytest

from api.texts import text
from console import explained
from console.words import Tongue
from policies.book import lawbook
from policies.check import applications
from policies.explain import Because, explain_plan
from policies.languages import Language
from policies.pack import Pack
from policies.refusals import NotAllowed
from tests.pure.policy_cases import DAY, asked

LANGUAGES: tuple[Language, ...] = ("zh", "en")
CODE = re.compile(r"[a-z]+_[a-z]|[\[\]{}\"]|null|false|true")
Lines = dict[tuple[str, str], tuple[Because, Pack]]


def as_it_is(code: str, _: Language) -> str:
    return code


@pytest.fixture(scope="session")
def every() -> Lines:
    """Every different line of every plan of every pack, with its pack."""
    found: Lines = {}
    for law in lawbook().laws_on(DAY):
        for facts in applications(law, DAY):
            try:
                _, told = explain_plan(lawbook(), facts, DAY)
            except NotAllowed:
                continue
            for line in told:
                found.setdefault((line.part, line.value), (line, law.pack))
    return found


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_line_is_said_in_words(every: Lines, language: Language):
    t = Tongue(language, as_it_is)
    assert len(every) > 100
    for line, pack in every.values():
        name, value = explained.part(t, pack, line.part), explained.value(t, pack, line)
        assert name != line.part, line.part
        assert value, line
        assert not CODE.search(f"{name} {value}"), (line.part, line.value, value)


def test_english_is_said_where_there_is_english(every: Lines):
    t = Tongue("en", as_it_is)
    chinese = {}
    for line, pack in every.values():
        told = f"{explained.part(t, pack, line.part)} {explained.value(t, pack, line)} {line.why}"
        if re.search("[\u4e00-\u9fff]", told):
            chinese[line.part] = told
    # the names of agencies and places: the page marks them as Chinese
    assert [part for part in chinese if not explained.only_chinese(part)] == [], chinese
    line, pack = next(one for (part, _), one in every.items() if part == "counter.bring")
    assert explained.value(t, pack, line).startswith("Originals of the valid identity documents of")


def test_lengths_and_alternatives_are_told_as_people_tell_them(every: Lines):
    t = Tongue("zh", as_it_is)
    said = {part: explained.value(t, pack, line) for (part, _), (line, pack) in every.items()}
    assert said["deadlines.offline_to_counter"] == "30 天"
    assert said["deadlines.review_to_decision"] == "2 个工作日"
    assert said["warning_days"] == "30 天、7 天"
    assert said["limits.members_per_holder"] == "5 人"
    assert said["face.grace_minutes"] == "30 分钟"
    assert said["materials.register"] == "户口簿首页 + 户口簿成员页"
    pack = every["relationship", '"SPOUSE"'][1]
    assert explained.part(t, pack, "limits.per_relation.SPOUSE") == "此类关系可绑定的人数 · 配偶"


def test_the_border_of_the_face_is_not_called_that_of_age(every: Lines):
    """未成年人 are those under 18 (§E); the branches of a pack part at the face age."""
    said = {}
    for language in LANGUAGES:
        t = Tongue(language, as_it_is)
        groups = {
            line.value: explained.value(t, pack, line) for line, pack in every.values() if line.part == "age_group"
        }
        said[language] = groups['"minor"'], groups['"adult"']
        words = [explained.part(t, pack, line.part) + explained.value(t, pack, line)
                 for line, pack in every.values() if line.part.startswith("age")]  # fmt: skip
        assert not [word for word in words if "未成年" in word or "minor" in word or "adult" in word]
    assert said == {"zh": ("未达人脸核验年龄", "已达人脸核验年龄"), "en": ("below the face age", "at the face age")}


@pytest.mark.parametrize(
    ("region", "product", "his", "its"),
    [
        ("110105", "family_account", ("绑定人的家庭成员人数", "members of the holder"),
         ("家庭成员的绑定人人数", "holders of the member")),
        ("440100", "account_sharing", ("授权人的使用人人数", "users of the authoriser"),
         ("使用人的授权人人数", "authorisers of the user")),
    ],
)  # fmt: skip
def test_a_limit_says_who_is_counted(region: str, product: str, his: tuple[str, str], its: tuple[str, str]):
    """The holder's limits count his members (F50), the member's count his holders (F51)."""
    pack = lawbook().pack_for(region, product, DAY)
    keys = {"holder_scope": his, "holder_window": his, "holder_count_ended": his,
            "member_scope": its, "member_window": its, "count_ended": its}  # fmt: skip
    for key, words in keys.items():
        told = [explained.part(Tongue(language, as_it_is), pack, f"limits.{key}") for language in LANGUAGES]
        assert [word in said for word, said in zip(words, told, strict=True)] == [True, True], told


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_plan_of_a_sharing_speaks_of_those_who_share(language: Language):
    """F74, F77: 授权人 and 使用人; in a code display it is the member who binds (C6)."""
    t, theirs = Tongue(language, as_it_is), ("绑定人", "家庭成员", "the holder", "the member")
    for product, channel in (("account_sharing", None), ("code_display", "alipay")):
        _, lines = explain_plan(lawbook(), asked(product, channel=channel), DAY)
        pack = lawbook().pack_for("440100", product, DAY)
        said = [f"{explained.part(t, pack, line.part)} {explained.value(t, pack, line)} "
                f"{line.why_zh if language == 'zh' else line.why}" for line in lines]  # fmt: skip
        assert [one for one in said if any(word in one for word in theirs)] == []
        assert any("授权人" in one or "the authoriser" in one for one in said)
        assert any("使用人" in one or "the user" in one for one in said)


@pytest.mark.parametrize(("language", "counted"), [("zh", "人数"), ("en", "people")])
def test_the_limit_of_a_member_is_told_as_one_of_people(language: Language, counted: str):
    """F51: bound by at most two people, however often each of them did it."""
    told = lawbook().pack_for("110105", "family_account", DAY).reasons["member_binder_limit"]
    for said in (Tongue(language, text).pair(told.words), text("member_binder_limit", language)):
        assert counted in said
        assert "次数" not in said


def test_the_grace_is_that_of_a_session_begun_in_time(every: Lines):
    """§D.7: it has nothing to do with an outage, which lengthens the window by its own length."""
    pack = every["relationship", '"SPOUSE"'][1]
    names = [explained.part(Tongue(language, as_it_is), pack, "face.grace_minutes") for language in LANGUAGES]
    assert names == ["时限内开始的核验，可延后通过", "A session begun in time may pass later by"]
