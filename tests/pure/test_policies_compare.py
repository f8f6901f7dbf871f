"""What another version of a pack would do differently: two plans line by line, and two worlds for every pack."""

from dataclasses import replace
from datetime import date

import pytest

from policies.book import LawBook, lawbook
from policies.compare import differences, lines_of
from policies.loader import SHIPPED, PackError, read_folder, read_pack
from policies.plan import Span
from policies.planning import plan_for
from policies.worlds import NotComparable, worlds
from tests.pure.policy_cases import CHANGSHU, DAY, NANJING, asked, plan

NATIONAL = (SHIPPED / "CN-national.family_account.yaml").read_text("utf-8")
SHARING = (SHIPPED / "CN-44-guangdong.account_sharing.yaml").read_text("utf-8")
HEAD = """
pack: CN-51-test
version: "1"
effective_from: 2030-01-01
region: "51"
inherits: CN-national/family_account
product: family_account
"""


def newer(text, *changes, version="2027-01-01"):
    """The same pack in a later version, in which something was replaced."""
    for old, new in (('version: "2026-11-01"\neff', f'version: "{version}"\neff'), ("2024-03-02", version), *changes):
        assert old in text
        text = text.replace(old, new, 1)
    return read_pack("draft.yaml", text)


def standing(name):
    return lawbook().file(name, "2026-11-01")


def said(old, new):
    return {one.part: (one.old, one.new) for one in differences(old, new)}


# -- two plans --


def test_equal_plans_do_not_differ_nor_do_plans_that_differ_in_name_only():
    assert differences(plan(), plan()) == ()
    assert differences(plan(), replace(plan(), pack="CN-other", version="9")) == ()


def test_each_line_that_differs_is_named_with_both_values():
    old = plan()
    new = replace(
        old,
        face=replace(old.face, window_hours=48, subjects=()),
        deadlines=old.deadlines | {"review_to_decision": Span(working_days=1)},
        limits=replace(old.limits, binders_per_member=None, per_relation={"SPOUSE": 1}),
    )
    assert said(old, new) == {
        "face.window_hours": ("24.0", "48"),
        "face.subjects": ('["member"]', "[]"),
        "deadlines.review_to_decision": (
            '{"hours":null,"working_days":2}', '{"hours":null,"working_days":1}',
        ),
        "limits.binders_per_member": ("2", "null"),
        "limits.per_relation.SPOUSE": (None, "1"),
    }  # fmt: skip
    assert said(new, old) == {part: values[::-1] for part, values in said(old, new).items()}


def test_every_line_of_a_plan_is_compared():
    lines = lines_of(plan())
    tops = {part.partition(".")[0] for part in lines}
    assert tops == {name for name in plan().__dataclass_fields__ if name[0] != "_"} - {"pack", "version"}


# -- two worlds --


def test_a_version_that_says_the_same_treats_everybody_alike():
    both = worlds(lawbook(), standing("CN-national/family_account"), newer(NATIONAL))
    for facts in (asked(), asked(region=CHANGSHU), asked(relationship="CHILD", born=date(2015, 1, 1))):
        assert differences(*(plan_for(book, facts, DAY) for book in (both.old, both.new))) == ()


def test_a_new_version_is_asked_as_if_it_had_always_been_the_law():
    draft = newer(NATIONAL, ("window_hours: 24", "window_hours: 48"))
    both = worlds(lawbook(), standing("CN-national/family_account"), draft)
    for day in (date(2000, 1, 1), DAY, date(2040, 1, 1)):
        found = said(plan_for(both.old, asked(), day), plan_for(both.new, asked(), day))
        assert found["face.window_hours"] == ("24.0", "48.0")


def test_packs_that_inherit_are_reached_and_others_are_not():
    draft = newer(NATIONAL, ("window_hours: 24", "window_hours: 48"))
    both = worlds(lawbook(), standing("CN-national/family_account"), draft)
    assert both.reach == {(file.product, file.region) for file in lawbook().files}  # all stand on the national one
    assert plan_for(both.new, asked(region=CHANGSHU), DAY).face.window_hours == 48
    draft = newer(SHARING, ("members_per_holder: 5", "members_per_holder: 3"))
    both = worlds(lawbook(), standing("CN-44-guangdong/account_sharing"), draft)
    assert both.reach == {("account_sharing", "44"), ("code_display", "44")}
    assert plan_for(both.new, asked("code_display", channel="alipay"), DAY).limits.members_per_holder == 3
    assert plan_for(both.new, asked(region=NANJING), DAY).hash == plan_for(both.old, asked(region=NANJING), DAY).hash


def test_a_new_pack_takes_its_region_over():
    draft = read_pack("draft.yaml", HEAD + "limits: {members_per_holder: 3}\n")
    both = worlds(lawbook(), standing("CN-national/family_account"), draft)
    assert both.reach == {("family_account", "51")}
    packs = [plan_for(book, asked(region="510100"), DAY).pack for book in (both.old, both.new)]
    assert packs == ["CN-national", "CN-51-test"]


def test_a_pack_that_is_served_is_asked_what_it_changed_with_those_that_inherit_from_it():
    both = worlds(lawbook(), standing("CN-national/family_account"), standing("CN-32-jiangsu/family_account"))
    assert both.reach == {("family_account", "32"), ("family_account", "3205")}
    for region, pack in ((NANJING, "CN-32-jiangsu"), (CHANGSHU, "CN-3205-suzhou")):
        packs = [plan_for(book, asked(region=region), DAY).pack for book in (both.old, both.new)]
        assert packs == ["CN-national", pack]


def test_both_ways_and_between_two_versions_of_the_book():
    old, new = standing("CN-national/family_account"), newer(NATIONAL, ("window_hours: 24", "window_hours: 48"))
    book = LawBook([*read_folder(SHIPPED), new])
    hours = [
        [plan_for(world, asked(), DAY).face.window_hours for world in (both.old, both.new)]
        for both in (worlds(book, old, new), worlds(book, new, old))
    ]
    assert hours == [[24, 48], [48, 24]]


@pytest.mark.parametrize(
    ("old", "new", "why"),
    [
        ("CN-national/family_account", "CN-44-guangdong/account_sharing", "different products"),
        ("CN-3205-suzhou/family_account", "CN-32-jiangsu/family_account", "no version of"),
    ],
)
def test_packs_that_cannot_stand_in_for_each_other(old, new, why):
    with pytest.raises(NotComparable, match=why):
        worlds(lawbook(), standing(old), standing(new))


def test_a_draft_that_does_not_fit_says_where():
    with pytest.raises(PackError, match=r"draft\.yaml: limits\.members_per_holder"):
        worlds(
            lawbook(),
            standing("CN-national/family_account"),
            newer(NATIONAL, ("members_per_holder: 5", "members_per_holder: 0")),
        )
