"""Packs: what a wrong one is told, what a new version changes, and that the shipped ones are fit for use."""

import re
from datetime import date

import pytest

from policies.book import LawBook, lawbook, load
from policies.check import check_book, check_folders, plans_of
from policies.loader import SHIPPED, PackError, read_folder, read_pack
from policies.refusals import NotAllowed
from policies.words import DEADLINES
from tests.pure.policy_cases import DAY

LATER = date(2026, 11, 22)  # when the newest of ours has come into force
NATIONAL = (SHIPPED / "CN-national.family_account.yaml").read_text("utf-8")
HEAD = """
pack: CN-51-test
version: "1"
effective_from: 2026-01-01
region: "51"
inherits: CN-national/family_account
product: family_account
"""


def book(*texts):
    shipped = read_folder(SHIPPED)
    return LawBook([*shipped, *(read_pack(f"test-{n}.yaml", text) for n, text in enumerate(texts))])


def faults(text):
    with pytest.raises(PackError) as wrong:
        book(text)
    return [(p.path, p.what) for p in wrong.value.problems]


# -- the shipped packs --


def test_the_shipped_packs_are_fit_for_use():
    assert check_folders(SHIPPED) == []


def test_there_is_one_file_for_each_region_and_product():
    assert [f.file for f in lawbook().files] == [f"{f.pack}.{f.product}.yaml" for f in lawbook().files]
    assert [f"{law.pack.pack} {law.pack.product}" for law in lawbook().laws_on(LATER)] == [
        "CN-11-beijing account_sharing",
        "CN-32-jiangsu account_sharing",
        "CN-32-jiangsu family_account",
        "CN-3205-suzhou family_account",
        "CN-33-zhejiang account_sharing",
        "CN-44-guangdong account_sharing",
        "CN-44-guangdong code_display",
        "CN-national family_account",
    ]


def test_every_pack_says_on_what_it_stands():
    mark = re.compile(r"F([1-9]\d?|1[0-6]\d|170)|C([1-9]|1[0-7])|W([1-9]|1\d|2[01])|§[A-D]\.\d+")
    for file in lawbook().files:
        assert file.sources
        assert file.facts
        for marks in file.facts.values():
            assert all(mark.fullmatch(one) for one in marks), marks


def test_chinese_texts_have_no_folded_spaces():
    for law in lawbook().laws_on(LATER):
        texts = [law.pack.care_warning, *law.pack.help.values(), *(n.text for n in law.pack.notices.values())]
        assert [text.zh for text in texts if re.search(r"[\u4e00-\u9fff，。；] [\u4e00-\u9fff]", text.zh)] == []


@pytest.mark.parametrize("law", lawbook().laws_on(LATER), ids=lambda law: law.chain[0].name)
def test_what_families_are_told_is_true_of_their_product(law):
    """Help that was taken over from another product speaks of faces, papers and reviews that are not asked here."""
    pack, told = law.pack, {topic: text.zh for topic, text in law.pack.help.items()}
    branches = [branch for rule in pack.methods.values() for branch in rule.branches.values()]
    faces = any(branch.face or branch.face_at_age for branch in branches)
    assert ("face_why" in told, "face_retry" in told, "24小时" in "".join(told.values())) == (faces,) * 3
    assert ("papers" in told, "letter" in told) == (any(branch.papers for branch in branches),) * 2
    assert ("绑定方式" in told.get("papers", "")) == ("birth_certificate" in pack.methods)
    assert "progress" not in told or pack.review.mode != "none"
    shares = pack.fund_source == "holder_personal_account"
    assert ("另行办理家庭共济" in "".join(told.values())) is not shares
    assert ("只是代为出示家人本人的医保码" in told["product"]) is not shares


def test_every_law_serves_somebody_and_knows_all_deadlines():
    for law in lawbook().laws_on(LATER):
        plans = list(plans_of(lawbook(), law, LATER))
        assert plans
        for plan in plans:
            assert set(plan.deadlines) == {*DEADLINES, "first_attempt_to_pass"}


def test_a_folder_of_ones_own_stands_beside_the_shipped(tmp_path, monkeypatch):
    (tmp_path / "own.yaml").write_text(HEAD + "limits: {members_per_holder: 3}\n", "utf-8")
    monkeypatch.setenv("KINBIND_PACKS", str(tmp_path))
    lawbook.cache_clear()
    try:
        assert lawbook().pack_for("510100", "family_account", DAY).limits.members_per_holder == 3
    finally:
        lawbook.cache_clear()


# -- inheritance and versions --


def test_a_pack_says_only_what_differs():
    found = book(HEAD + "limits: {members_per_holder: 3}\n")
    pack = found.pack_for("510100", "family_account", DAY)
    assert (pack.pack, pack.limits.members_per_holder, pack.limits.binders_per_member) == ("CN-51-test", 3, 2)
    assert found.pack_for("520100", "family_account", DAY).pack == "CN-national"


def test_a_term_is_replaced_whole_and_null_takes_a_member_away():
    text = HEAD + "deadlines: {review_to_decision: {days: 3}}\nnotices: {adding_member: null}\n"
    pack = book(text).pack_for("510100", "family_account", DAY)
    assert pack.deadlines["review_to_decision"].span.hours == 72
    assert "adding_member" not in pack.notices


def test_what_is_replaced_keeps_nothing_of_the_parent():
    text = HEAD + "replaces: [channels]\nchannels: {needs: bind, open: {}}\n"
    assert dict(book(text).pack_for("510100", "family_account", DAY).channels.open) == {}


def test_what_was_replaced_is_nobodys_but_the_childs():
    text = HEAD.replace('"51"', '"3201"').replace("CN-national/", "CN-32-jiangsu/")
    text += "replaces: [channels]\nchannels: {needs: bind, open: {}}\n"
    law = book(text).law_for("320100", "family_account", DAY)
    assert law.origin("channels.open.jiangsu_yibaoyun").file == "test-0.yaml"
    assert law.origin("no.such.key").file == "test-0.yaml"
    assert law.origin("age.reached_on").file == "CN-national.family_account.yaml"


def test_a_version_rules_from_its_day_on_and_a_running_case_finds_its_own():
    later = HEAD.replace('"1"', '"2"').replace("2026-01-01", "2026-11-21") + "limits: {members_per_holder: 4}\n"
    found = book(HEAD + "limits: {members_per_holder: 3}\n", later)
    days = [date(2025, 12, 31), date(2026, 1, 1), date(2026, 11, 20), date(2026, 11, 21)]
    packs = [found.pack_for("510100", "family_account", day) for day in days]
    assert [(p.pack, p.limits.members_per_holder) for p in packs] == [
        ("CN-national", 5), ("CN-51-test", 3), ("CN-51-test", 3), ("CN-51-test", 4),
    ]  # fmt: skip
    assert found.law("CN-51-test", "family_account", "1").pack.limits.members_per_holder == 3
    with pytest.raises(KeyError):
        found.law("CN-51-test", "family_account", "3")


def test_a_national_change_reaches_the_regions_on_its_day():
    changed = (
        NATIONAL.replace('version: "2026-11-01"\neff', 'version: "2027"\neff')
        .replace("2024-03-02", "2027-01-01")
        .replace("window_hours: 24", "window_hours: 48")
    )
    found = book(changed)
    hours = [found.pack_for("320500", "family_account", date(y, 6, 1)).face.window_hours for y in (2026, 2027)]
    assert hours == [24, 48]


def test_before_any_pack_nobody_offers_anything():
    with pytest.raises(NotAllowed, match="region_not_allowed"):
        lawbook().pack_for("440100", "family_account", date(2020, 1, 1))


# -- what is wrong, and where --


@pytest.mark.parametrize(
    ("more", "path", "what"),
    [
        ("colour: red\n", "colour", "unknown key"),
        ("face: {windows: 24}\n", "face.windows", "unknown key"),
        ("age: {minor_max_inclusive: 16}\n", "age", "exactly one of"),  # both: the parent's is still there
        ("age: {minor_max_exclusive: null}\n", "age", "exactly one of"),  # neither
        ("limits: {members_per_holder: many}\n", "limits.members_per_holder", "valid integer"),
        ("deadlines: {unbind_to_confirmed: {days: 1, hours: 2}}\n", "deadlines.unbind_to_confirmed", "one"),
        ("deadlines: {unbind_to_confirmed: {days: .nan}}\n", "deadlines.unbind_to_confirmed.days", "finite number"),
        ("deadlines: {unbind_to_confirmed: {hours: .inf}}\n", "deadlines.unbind_to_confirmed.hours", "finite number"),
        ("deadlines: {unbind_to_confirmed: {minutes: -.inf}}\n", "deadlines.unbind_to_confirmed.minutes", "finite"),
        ("deadlines: {unbind_to_confirmed: {minutes: -1}}\n", "deadlines.unbind_to_confirmed.minutes", "equal to 0"),
        ("deadlines: {unbind_to_confirmed: {days: 1e300}}\n", "deadlines.unbind_to_confirmed.days", "equal to 36525"),
        ("deadlines: {review_to_decision: {working_days: -1}}\n", "deadlines.review_to_decision.working_days", "to 0"),
        ("face: {grace_minutes: -5}\n", "face.grace_minutes", "greater than or equal to 0"),
        ("face: {grace_minutes: .nan}\n", "face.grace_minutes", "finite number"),
        ("face: {window_hours: 0}\n", "face.window_hours", "greater than 0"),
        ("face: {window_hours: .inf}\n", "face.window_hours", "finite number"),
        ("term_days: 99999999999\n", "term_days", "equal to 36525"),
        ("warning_days: [99999999999]\n", "warning_days.0", "equal to 36525"),
        ("deadlines: {tea_to_drunk: {days: 1}}\n", "deadlines", "tea_to_drunk"),
        ("deadlines: {review_to_decision: null}\n", "deadlines", "review_to_decision"),
        ("relations: {allowed: [COUSIN]}\n", "relations", "COUSIN"),
        ("methods: {birth_certificate: {relations: [COUSIN]}}\n", "methods.birth_certificate", "COUSIN"),
        ("methods: {birth_certificate: {relations: []}}\n", "methods.birth_certificate.relations", "at least 1"),
        ("methods: {birth_certificate: {relations: [OTHER]}}\n", "", "open to none of relations.allowed: birth_cert"),
        ("limits: {per_relation: {FATHER: 1}}\n", "limits", "FATHER"),
        ("limits: {members_per_holder: 0}\n", "limits.members_per_holder", "greater than"),
        ("methods: {id_number: {branches: {adult: {face: [mother]}}}}\n", "methods.id_number", "birth_certificate"),
        ("channels: {open: {alipay: {entry: {zh: a, en: a}, as_of: 2026-01-01, cities: {'3301': bind}}}}\n",
         "", "outside the region: 3301"),
        ("relations: {papers: {WARD: [stone]}}\n", "", "papers used but not defined: stone"),
        ("review: {reject_reasons: [mood]}\n", "", "reasons used but not defined: mood"),
        ("notices: {face: null}\n", "", "notices used but not defined: face"),
        ("channels: {open: {alipay: {entry: {zh: a, en: a}, as_of: 2026-01-01}}}\n",
         "channels.open.alipay", "exactly one of everywhere, cities and refuses"),
        ("unconfirmed: [age.colour]\n", "unconfirmed.age.colour", "does not have"),
        ("facts: {weather: [F1]}\n", "facts.weather", "does not have"),
        ("replaces: [limits]\n", "replaces", "not in this file: limits"),
        ("sources: S1\n", "sources", "must be a list"),
        ("sources: [7]\n", "sources", "must be a list of words"),
        ("replaces: [3]\n", "replaces", "must be a list of words"),
        ("facts: {limits: 3}\n", "facts.limits", "must be a list"),
        ("facts: {limits: [3]}\n", "facts.limits", "must be a list of words"),
        ("title: !!int x\n", "", "not what it looks like"),
        ("title: !!bool x\n", "", "not what it looks like"),
        (f"title: {'[' * 30_000}{']' * 30_000}\n", "", "nested deeper than 500"),
        (f"title:\n{'- ' * 30_000}x\n", "", "nested deeper than 500"),
        ("region: 51\n", "", "key said twice: region"),
        ("title: [\n", "", "expected"),
    ],
)  # fmt: skip
def test_a_wrong_pack_is_told_where_and_what(more, path, what):
    assert any(p == path and what in said for p, said in faults(HEAD + more)), faults(HEAD + more)


def test_errors_name_the_file():
    with pytest.raises(PackError, match=r"^test-0\.yaml: colour: unknown key$"):
        book(HEAD + "colour: red\n")


@pytest.mark.parametrize(
    ("old", "new", "path", "what"),
    [
        ("pack: CN-51-test\n", "", "pack", "missing"),
        ('"51"', "51", "region", "quote it"),
        ('"51"', '"59"', "", "no province begins with 59"),
        ('"51"', '"510000"', "", "digits that all its places begin with"),
        ("effective_from: 2026-01-01", "effective_from: soon", "effective_from", "must be a date"),
        ("effective_from: 2026-01-01", "effective_from: 2026-13-45", "", "month must be in 1..12"),
        ("/family_account", "", "inherits", "<pack>/<product>"),
        ("CN-national/", "CN-51-test/", "inherits", "inherits itself"),
    ],
)
def test_a_wrong_head(old, new, path, what):
    assert any(p == path and what in said for p, said in faults(HEAD.replace(old, new)))


def test_two_files_may_not_be_the_same_version_or_begin_on_the_same_day():
    with pytest.raises(PackError, match=r"CN-51-test/family_account 1 is in test-0\.yaml too"):
        book(HEAD, HEAD.replace("2026-01-01", "2026-02-01"))
    with pytest.raises(PackError, match="2026-01-01 is in"):
        book(HEAD, HEAD.replace('"1"', '"2"'))


def test_a_text_changes_with_its_version_only():
    notice = "{version: %s, when: face, title: {zh: 甲, en: a}, text: {zh: 乙, en: b}}"
    with pytest.raises(PackError, match=r"notices\.face: another text has version 2026-11-01"):
        book(HEAD + "notices: {face: " + notice % '"2026-11-01"' + "}\n")
    assert book(HEAD + "notices: {face: " + notice % '"2027-01-01"' + "}\n").knows_notice("face", "2027-01-01")
    assert not lawbook().knows_notice("face", "2027-01-01")
    for no_day in ('"2"', '"20270101"', '"2027-02-30"'):
        with pytest.raises(PackError, match=r"notices\.face\.version"):
            book(HEAD + "notices: {face: " + notice % no_day + "}\n")


def test_all_wrong_files_of_a_folder_are_reported_at_once(tmp_path):
    (tmp_path / "a.yaml").write_text("- a list\n", "utf-8")
    (tmp_path / "b.yaml").write_text(HEAD.replace('"1"', "1.0"), "utf-8")
    (tmp_path / "c.yaml").write_text("title: 亲情账户\n", "gb18030")
    with pytest.raises(PackError) as wrong:
        load(tmp_path)
    assert [p.file for p in wrong.value.problems] == ["a.yaml", "b.yaml", "c.yaml"]
    assert check_folders(SHIPPED, tmp_path) == list(wrong.value.problems)


NOBODY = "replaces: [methods]\nage: {minor_max_exclusive: 0}\n"  # under nought
FACELESS = "methods: {id_number: {branches: {adult: {face: []}, minor: {face: []}}}}\n"
FOR_CHILDREN = "{version: '2027-01-01', when: under_14, title: {zh: a, en: a}, text: {zh: a, en: a}}"


@pytest.mark.parametrize(
    ("more", "path"),
    [
        (FACELESS + "authorisation: true\n", "authorisation"),
        ("counter: {refuse_reasons: []}\n", "counter.refuse_reasons"),
        ("review: {mode: manual, return_reasons: []}\n", "review"),
        (f"notices: {{face: {FOR_CHILDREN}}}\n", "notices.face"),
        ("reasons: {channel_not_open: null}\n", "reasons.channel_not_open"),
        ("limits: {members_per_holder: 3}\n", "limits.members_per_holder"),  # on no source
        ("sources: [W11]\nfacts: {limits: [F171]}\nlimits: {members_per_holder: 3}\n", "facts.limits"),
        (f"{NOBODY}methods: {{id_number: {{id_types: [resident_id], branches: {{minor: {{}}}}}}}}\n", ""),
    ],
)  # fmt: skip
def test_a_pack_that_reads_well_may_still_be_unfit(more, path):
    found = check_book(book(HEAD + more), DAY)
    assert path in {problem.path for problem in found if problem.file == "test-0.yaml"}


def test_a_source_of_ones_own_is_cited_by_the_name_that_the_pack_gives_it():
    text = HEAD + "sources: [notice-3]\nfacts: {limits: [notice-3]}\nlimits: {members_per_holder: 3}\n"
    assert check_book(book(text), DAY) == []


def test_one_file_is_checked_like_a_folder(tmp_path):
    (tmp_path / "own.yaml").write_text(HEAD + "colour: red\n", "utf-8")
    for place in (tmp_path, tmp_path / "own.yaml"):
        assert [problem.path for problem in check_folders(SHIPPED, place)] == ["colour"]
    (problem,) = check_folders(SHIPPED, tmp_path / "none.yaml")
    assert (problem.file, "cannot be read" in problem.what) == ("none.yaml", True)
