"""A plan on the supervisors' page: every line has a name and a value that people read, in both languages."""

import re

import pytest

from api.texts import text
from console import explained
from console.words import Language, Tongue
from policies.book import lawbook
from policies.check import applications
from policies.explain import Because, explain_plan
from policies.pack import Pack
from policies.refusals import NotAllowed
from tests.pure.policy_cases import DAY

LANGUAGES: tuple[Language, ...] = ("zh", "en")
CODE = re.compile(r"[a-z]+_[a-z]|[\[\]{}\"]|null|false|true")
Lines = dict[tuple[str, str], tuple[Because, Pack]]


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
    t = Tongue(language, lambda code, _: code)
    assert len(every) > 100
    for line, pack in every.values():
        name, value = explained.part(t, pack, line.part), explained.value(t, pack, line)
        assert name != line.part, line.part
        assert value, line
        assert not CODE.search(f"{name} {value}"), (line.part, line.value, value)


def test_lengths_and_alternatives_are_told_as_people_tell_them(every: Lines):
    t = Tongue("zh", lambda code, _: code)
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
        t = Tongue(language, lambda code, _: code)
        groups = {
            line.value: explained.value(t, pack, line) for line, pack in every.values() if line.part == "age_group"
        }
        said[language] = groups['"minor"'], groups['"adult"']
        words = [explained.part(t, pack, line.part) + explained.value(t, pack, line)
                 for line, pack in every.values() if line.part.startswith("age")]  # fmt: skip
        assert not [word for word in words if "未成年" in word or "minor" in word or "adult" in word]
    assert said == {"zh": ("未达刷脸年龄", "已达刷脸年龄"), "en": ("below the face age", "at the face age")}


@pytest.mark.parametrize(
    ("key", "named", "counted"),
    [("limits.holder_scope", "绑定人的家庭成员数", "A holder's members"),
     ("limits.holder_window", "绑定人的家庭成员数", "A holder's members"),
     ("limits.holder_count_ended", "绑定人的家庭成员数", "a holder's members"),
     ("limits.member_scope", "家庭成员的绑定人数", "A member's holders"),
     ("limits.member_window", "家庭成员的绑定人数", "A member's holders"),
     ("limits.count_ended", "家庭成员的绑定人数", "a member's holders")],
)  # fmt: skip
def test_a_limit_says_who_is_counted(every: Lines, key: str, named: str, counted: str):
    """The holder's limits count his members (F50), the member's count his holders (F51)."""
    pack = every["relationship", '"SPOUSE"'][1]
    zh, en = (explained.part(Tongue(language, lambda code, _: code), pack, key) for language in LANGUAGES)
    assert zh.startswith(named)
    assert counted in en


@pytest.mark.parametrize(("language", "counted"), [("zh", "人数"), ("en", "people")])
def test_the_limit_of_a_member_is_told_as_one_of_people(language: Language, counted: str):
    """F51: bound by at most two people, however often each of them did it."""
    told = lawbook().pack_for("110105", "family_account", DAY).reasons["member_binder_limit"]
    for said in (Tongue(language, text).pair((told.zh, told.en)), text("member_binder_limit", language)):
        assert counted in said
        assert "次数" not in said


def test_the_grace_is_that_of_a_session_begun_in_time(every: Lines):
    """§D.7: it has nothing to do with an outage, which lengthens the window by its own length."""
    pack = every["relationship", '"SPOUSE"'][1]
    names = [
        explained.part(Tongue(language, lambda code, _: code), pack, "face.grace_minutes") for language in LANGUAGES
    ]
    assert names == ["时限内开始的核验，可延后通过", "A session begun in time may pass later by"]
