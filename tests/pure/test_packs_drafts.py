"""What somebody who writes a pack of his own is told: what is still another region's, and what he may leave out."""

from datetime import date

import pytest

from policies.book import LawBook
from policies.check import check_book
from policies.loader import SHIPPED, PackError, read_folder, read_pack
from policies.planning import plan_for
from policies.refusals import NotAllowed
from tests.pure.policy_cases import DAY, asked, plan

SHARING = """
pack: CN-51-test
version: "1"
effective_from: 2026-01-01
region: "51"
inherits: CN-32-jiangsu/account_sharing
product: account_sharing
"""
FAMILY = SHARING.replace("CN-32-jiangsu/", "CN-national/").replace("account_sharing", "family_account")
CHENGDU = "510100"


def book(*texts):
    drafts = [read_pack(f"test-{n}.yaml", text) for n, text in enumerate(texts)]
    return LawBook([*read_folder(SHIPPED), *drafts])


def found_in(text):
    """What `check` finds of the draft: `{key path: what}`."""
    return {one.path: one.what for one in check_book(book(text), DAY) if one.file == "test-0.yaml"}


# -- what is another region's --


def test_words_taken_over_may_not_speak_of_another_place():
    assert set(found_in(SHARING)) == {
        "title", "channels.open.jiangsu_yibaoyun", "help.counter", "notices.sharing",
    }  # fmt: skip
    assert "speaks of 江苏" in found_in(SHARING)["title"]


def test_a_title_of_ones_own_and_a_text_taken_away_are_in_order():
    own = SHARING + "title: {zh: 家庭共济（四川）, en: Sharing (Sichuan)}\nhelp: {counter: null}\n"
    assert set(found_in(own)) == {"channels.open.jiangsu_yibaoyun", "notices.sharing"}


def test_the_name_of_another_city_is_found_like_that_of_a_province():
    found = found_in(FAMILY.replace("CN-national/", "CN-3205-suzhou/"))
    assert {"title", "channels.open.suzhou_yibao_oa", "channels.open.jiangsu_yibaoyun"} <= set(found)
    assert "speaks of 苏州" in found["channels.open.suzhou_yibao_oa"]


def test_a_pack_inside_the_region_takes_its_words_over():
    inside = FAMILY.replace('"51"', '"3201"').replace("CN-national/", "CN-32-jiangsu/")
    assert check_book(book(inside), DAY) == []


def test_another_provinces_source_confirms_nothing_here():
    cited = SHARING + "sources: [notice-3]\nfacts: {fund_source: [notice-3], unbind: [notice-3]}\n"
    law = book(cited + "unbind: {min_age_days: 90}\n").law_for(CHENGDU, "account_sharing", DAY)
    jiangsu = book().law_for("320100", "account_sharing", DAY)
    assert (law.facts("own_code_only"), law.is_unconfirmed("own_code_only")) == (("F146", "C6"), True)
    assert not jiangsu.is_unconfirmed("own_code_only")
    assert not law.is_unconfirmed("fund_source")  # a source of its own
    assert law.is_unconfirmed("unbind.authentication")  # its own speaks of what it sets itself
    assert not law.is_unconfirmed("unbind.min_age_days")
    assert not law.is_unconfirmed("face.window_hours")  # the national law is everybody's


def test_a_city_is_inside_its_province():
    law = book().law_for("320581", "family_account", DAY)
    assert not law.is_borrowed("channels.open.jiangsu_yibaoyun")
    assert not law.is_unconfirmed("channels.open.jiangsu_yibaoyun")


# -- sources and days --


def test_a_source_of_the_web_is_cited_and_listed():
    text = FAMILY + "facts: {limits: [W14]}\nlimits: {members_per_holder: 3}\n"
    assert found_in(text) == {"facts.limits": "cited, but not under sources: W14"}
    assert found_in(text + "sources: [W14]\n") == {}


@pytest.mark.parametrize(
    ("old", "new", "path", "what"),
    [
        ("2026-01-01", "2025-01-01", "effective_from",
         "CN-32-jiangsu/account_sharing, which it inherits, begins on 2025-03-07: take that day or a later one"),
        ("CN-32-jiangsu/", "CN-nowhere/", "inherits", "there is no pack called CN-nowhere/account_sharing"),
    ],
)  # fmt: skip
def test_a_parent_that_is_not_there_yet_or_at_all(old, new, path, what):
    with pytest.raises(PackError) as wrong:
        book(SHARING.replace(old, new))
    assert [(one.file, one.path, one.what) for one in wrong.value.problems] == [("test-0.yaml", path, what)]


def test_a_pack_begins_with_its_parent_at_the_earliest():
    draft = SHARING.replace("2026-01-01", "2025-03-07")
    assert book(draft).pack_for(CHENGDU, "account_sharing", date(2025, 3, 7)).pack == "CN-51-test"


# -- agencies --


@pytest.mark.parametrize(
    ("agency", "name", "address"),
    [
        ('"510100": {name: 成都市医疗保险事业管理局}', "成都市医疗保险事业管理局", "成都市医疗保障局经办大厅"),
        ('"510100": {name: 成都医保局, address: 示例路1号}', "成都医保局", "示例路1号"),
        ('"510300": {name: 自贡医保局}', "成都市医疗保障经办机构", "成都市医疗保障局经办大厅"),
    ],
)
def test_an_agency_has_a_name_of_its_own_with_or_without_an_address(agency, name, address):
    drafted = book(FAMILY + f"agencies: {{{agency}}}\n")
    counter = plan_for(drafted, asked(region=CHENGDU), DAY).counter
    assert (counter.agency_name, counter.address) == (name, address)


# -- methods --


@pytest.mark.parametrize(
    ("asking", "methods"),
    [
        ({"id_type": "passport"}, ["other_document"]),
        ({"id_type": "passport", "born": date(2026, 9, 1), "relationship": "CHILD"},
         ["other_document", "birth_certificate"]),
        ({"id_type": "passport", "born": None}, ["other_document", "birth_certificate"]),
        ({"method": "birth_certificate"}, ["id_number"]),
        ({"product": "account_sharing", "id_type": "passport"}, []),
    ],
)  # fmt: skip
def test_a_refused_method_names_those_that_fit(asking, methods):
    with pytest.raises(NotAllowed) as refused:
        plan(**asking)
    assert (refused.value.code, refused.value.extra) == ("method_not_allowed", {"methods": methods})
