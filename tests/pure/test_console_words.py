"""The texts of the console: each that a page asks for is there, in both languages, with the same gaps to fill."""

import hashlib
import re
from pathlib import Path
from string import Formatter

import pytest

from api.texts import TEXTS
from console import canned, noted
from console.words import CODES, PAGES, Tongue
from console.words_of_plans import PARTS, VALUES
from policies.book import lawbook
from policies.relations import RELATIONSHIPS
from policies.words import Kind, Method, Product
from tests.pure.policy_cases import DAY, plan
from workflows.case import STATES
from workflows.deadlines import DEADLINES_BY_NAME
from workflows.repairs.trial import NOTHING, summary
from workflows.repairs.verbs import Order
from workflows.views import reason_words

CONSOLE = Path(__file__).parents[2] / "console"
TEMPLATES = sorted(CONSOLE.rglob("*.html"))
CODE = sorted(path for path in CONSOLE.rglob("*.py") if not path.name.startswith("words_of_"))
ASKED = re.compile(r"""(?:\bt\(|say_both\(t, |t\.beside\()\s*["'](\w+)["'] *[,)]""")
QUOTED = re.compile(r"""["'](\w+)["']""")
BEGUN = re.compile(r"""\bt\(["'](\w+_)["'] ~""")  # t("order_" ~ said)
ENDED = re.compile(r"""\bt\(f"\{\w+\}(_\w+)\"""")  # t(f"{hand}_by", who=...)


def gaps(text: str) -> set[str]:
    return {name for _, name, _, _ in Formatter().parse(text) if name}


@pytest.mark.parametrize("template", TEMPLATES, ids=lambda path: path.name)
def test_every_text_that_a_page_asks_for_is_there(template: Path):
    assert set(ASKED.findall(template.read_text())) - PAGES.keys() == set()


def test_every_text_that_is_there_is_asked_for():
    said = "".join(path.read_text() for path in (*TEMPLATES, *CODE))
    begun, ended = tuple(BEGUN.findall(said)), tuple(ENDED.findall(said))
    unasked = PAGES.keys() - set(QUOTED.findall(said))
    assert [key for key in unasked if not (key.startswith(begun) or key.endswith(ended))] == []


def test_both_languages_say_the_same():
    every = {f"page {key}": words for key, words in PAGES.items()}
    every |= {f"{group} {code}": words for group, codes in CODES.items() for code, words in codes.items()}
    assert [key for key, (zh, en) in every.items() if not (zh.strip() and en.strip())] == []
    assert [key for key, (zh, en) in every.items() if gaps(zh) != gaps(en)] == []


@pytest.mark.parametrize(
    ("group", "codes"),
    [("state", STATES), ("kind", Kind.__args__), ("product", Product.__args__), ("method", Method.__args__),  # type: ignore[attr-defined]
     ("relationship", RELATIONSHIPS),
     ("deadline", (*DEADLINES_BY_NAME, "face_poll"))],  # stuck attempts are asked about so
)  # fmt: skip
def test_every_code_of_the_api_has_words_and_no_other(group: str, codes: tuple[str, ...]):
    assert CODES[group].keys() == set(codes)


def test_what_guangdong_calls_it_stands_in_guangdongs_packs_only():
    """亲情账号 (号, not 户) is Guangdong's word for a sharing (§E, C16): Jiangsu, Beijing and Zhejiang share too."""
    assert CODES["product"]["account_sharing"][0] == "个人账户家庭共济"
    said = [*PAGES.values(), *(words for codes in CODES.values() for words in codes.values())]
    assert [zh for zh, _ in said if "亲情账号" in zh] == []
    titles = {
        law.pack.pack: law.pack.title.zh for law in lawbook().laws_on(DAY) if law.pack.product == "account_sharing"
    }
    assert {pack for pack, title in titles.items() if "亲情账号" in title} == {"CN-44-guangdong"}
    assert all("家庭共济" in title for title in titles.values())


@pytest.mark.parametrize(
    ("product", "holder", "member"),
    [(None, "绑定人", "家庭成员"), ("family_account", "绑定人", "家庭成员"), ("account_sharing", "授权人", "使用人"),
     ("code_display", "授权人", "使用人")],
)  # fmt: skip
def test_the_two_are_called_as_their_product_calls_them(product: str | None, holder: str, member: str):
    """F74, F77 and §E; in a code display the member is the one who binds (C6), so 绑定人 would be the wrong one."""
    t = Tongue("zh", lambda code, _: code).about(product)
    assert (t.of("party", "holder"), t.of("party", "member"), t.of("party", "mother")) == (holder, member, "母亲")
    assert (t.of("kind", "holder_id_front"), t.of("kind", "member_id_back")) == (
        f"{holder}证件（人像面）", f"{member}证件（国徽面）",
    )  # fmt: skip
    assert t.of("shared", "holder_as_member") == f"{holder}曾作为{member}"
    assert t.of("finding", "ages", holder_age=40, member_age=70) == f"年龄：{holder} 40 周岁，{member} 70 周岁"
    assert t.of("finding", "regions", holder="广州市", member="深圳市") == "参保地：广州市 / 深圳市"
    assert t("relationship") == f"{member}是{holder}的"


def test_a_family_that_shares_is_written_to_in_its_words():
    case = {"product": "account_sharing", "relationship": "PARENT", "correction_days": 10}
    told = canned.message(
        case, [{"kind": "member_id_front", "reason": "material_expired"}], {"material_expired": "过期"}
    )
    assert "您的个人账户家庭共济申请" in told
    assert "1. 使用人证件（人像面）：过期" in told
    texts = " ".join(one.text for some in canned.texts(case, "zh").values() for one in some)
    assert ("授权人本人签名" in texts, "绑定人" in texts, "家庭成员" in texts) == (True, False, False)


def test_what_stays_in_the_house_speaks_to_no_applicant():
    case = {"product": "family_account", "relationship": "PARENT", "correction_days": 10}
    texts = canned.texts(case, "zh")
    said = [one.text for kind in ("reject", "approve") for one in texts[kind]]
    assert [text for text in said if re.search("您|请|可重新|异议", text.replace("申请", ""))] == []


def test_why_it_ended_is_said_in_the_words_of_its_product():
    codes = ("by_holder", "member_elsewhere", "holder_limit")
    said = {kind: reason_words.every(codes, plan(kind), lawbook()) for kind in ("family_account", "account_sharing")}
    assert said == {
        "family_account": {
            "by_holder": ("绑定人解绑", "the holder ended it"),
            "member_elsewhere": ("家庭成员不在身边", "the member is elsewhere"),
            "holder_limit": ("您绑定的家庭成员已达上限", "The holder has as many members as allowed"),
        },
        "account_sharing": {
            "by_holder": ("授权人解绑", "the authoriser ended it"),
            "member_elsewhere": ("使用人不在身边", "the user is elsewhere"),
            "holder_limit": ("您的使用人人数已达上限", "The authoriser has as many users as allowed"),
        },
    }


def test_what_is_refused_in_all_products_names_the_parties_of_none():
    asked_of_one = {"product_not_offered"}  # nobody is without a family account
    named = {code for code, (zh, _) in TEXTS.items() if re.search("绑定人(?!数)|家庭成员|授权人|使用人", zh)}
    assert named == asked_of_one


def test_whoever_keeps_it_running_is_called_one_thing():
    readme = (CONSOLE.parent / "README.zh-CN.md").read_text()
    assert (CODES["role"]["operator"][0], CODES["actor"]["operator"][0]) == ("运维", "运维")
    said = [zh for words in (PAGES, *CODES.values()) for zh, _ in words.values()]
    assert [zh for zh in (*said, readme) if "运营" in zh] == []


def test_one_thing_has_one_name():
    """Nothing beside 复核, 创建, 审核员 and 人脸核验; nothing hidden from a 家庭 of which 家庭成员 is one party."""
    said = [*(zh for words in (PAGES, *CODES.values()) for zh, _ in words.values())]
    said += [zh for words in (PARTS, VALUES) for zh, _ in words.values()]
    others = re.compile("复看|开立|审核人(?!员)|刷脸|家庭(不?可见|看到)")
    assert [zh for zh in said if others.search(zh)] == []
    assert (PAGES["sheet"][0], PAGES["print_sheet"][0]) == ("办件单", "打印办件单")
    assert PAGES["frame_in_force"][0] != CODES["state"]["active"][0]  # it has 已暂停 in it


def test_each_language_has_its_own_marks():
    """A mark that a template sets between two texts is of the language that is spoken; and none of a markup shows."""
    assert {one.name: found for one in TEMPLATES if (found := re.findall(r"[：，；、。]", one.read_text()))} == {}
    assert [key for key, words in PAGES.items() if "`" in "".join(words)] == []


def test_what_is_not_ours_is_what_its_table_says():
    table = (CONSOLE / "static" / "THIRD-PARTY.md").read_text()
    named = dict(re.findall(r"^\| `([\w.]+)` \|.*`([0-9a-f]{64})` \|$", table, re.MULTILINE))
    assert "htmx.min.js" in named
    for name, digest in named.items():
        assert hashlib.sha256((CONSOLE / "static" / name).read_bytes()).hexdigest() == digest, name


def test_nothing_is_inline():
    """What the pages' own policy would refuse: style and event attributes, scripts and styles in the page."""
    found = {
        path.name: re.findall(r"<[^>]*\s(?:style|on\w+)=|<style|<script(?![^>]* src=)", path.read_text())
        for path in TEMPLATES
    }
    assert {name: what for name, what in found.items() if what} == {}


ZH, EN = (Tongue(language, lambda code, _: code) for language in ("zh", "en"))


def test_a_repairs_note_is_said_in_the_language_of_the_page():
    order = Order("rep_1", "move", {}, "供应商故障：\n恢复", (), "prn_1", approved_by="prn_2", applied_by="prn_3")
    named = {"prn_1": "李娜", "prn_2": "王强"}
    said = "修复单 rep_1（移至其他环节）。提出：李娜，执行：prn_3，批准：王强。原因：供应商故障：\n恢复"
    for told in (order.note(plan()), order.note(None)):
        for actor in ("operator:prn_1", "supervisor:prn_2", "clock:rep_1"):
            assert noted.note(ZH, {"actor": actor, "note": told}, named) == said
    undone = {"actor": "system:rep_1", "note": "rep_1 undone to plan abc, asked by prn_1: 误操作"}
    assert noted.note(EN, undone, named) == "Repair rep_1 (Undo), asked by 李娜: 误操作"
    people = {"actor": "operator:prn_1", "note": "he asked by telephone: later"}
    assert noted.note(EN, people, named) == people["note"]


def test_nobody_else_speaks_in_a_repairs_words():
    order = Order("rep_1", "move", {}, "直接通过", (), "prn_1", approved_by="prn_2")
    for actor in ("counter:prn_1", "reviewer:prn_2", "supervisor:prn_3", "operator:prn_2", "system", "clock:rep_2"):
        assert noted.note(ZH, {"actor": actor, "note": order.note(None)}, {}) == order.note(None)


def test_what_a_repair_changes_is_said_in_the_language_of_the_page():
    assert noted.summary(ZH, summary({}), "rearm") == noted.summary(ZH, NOTHING, "rearm") == "只写入一条记录"
    assert noted.summary(ZH, NOTHING, "resend") == "搁置的推送重新推送"
    found = {"state": ["active", "unbound"], "agency": ["440100", "320500"],
             "policy": ["CN-national 1", "CN-national 2"],
             "deadlines": {"insurance_to_rechecked": ["2026-11-22T00:00:00Z", None]}}  # fmt: skip
    assert noted.summary(ZH, summary(found), "replan") == (
        "状态：已生效 → 已解绑；适用政策：CN-national 1 → CN-national 2；经办机构：广州市 → 苏州市；复核参保状态：取消"
    )
    for group, ends in (
        ("later", ["1", "2"]),
        ("earlier", ["2", "1"]),
        ("unparked", ["1", "1"]),
        ("armed", [None, "1"]),
    ):
        told = summary({"deadlines": {"review_to_decision": ends}})
        assert noted.summary(EN, told, "rearm") == f"review decided: {EN.of('deadline_change', group)}"


def test_what_packs_ask_to_bring_has_english_words():
    packs = [law.pack for law in lawbook().laws_on(DAY)]
    every = {one for pack in packs for one in pack.counter.bring}
    every |= {one for pack in packs for rule in pack.methods.values() for one in rule.bring or ()}
    assert every - CODES["bring"].keys() == set()
