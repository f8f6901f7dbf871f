"""Texts that reviewers need again and again, filled from the record, to be edited before they are sent.

What goes to a family is Chinese first, whatever language the reviewer has chosen for his pages.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from console.words import Tongue
from policies.languages import Language, Words


class Canned(NamedTuple):
    """A label for the reviewer, and the text itself."""

    label: str
    text: str


_RETURN: Sequence[tuple[Words, str]] = (
    (("重新拍摄", "Retake"), "请在光线充足处将证件平放拍摄，四角完整、文字清晰、无反光。"),
    (("承诺书签名", "Sign the letter"), "承诺书须由{holder}本人签名并注明日期，签名后请完整拍摄上传。"),
    (("户口簿两页", "Both register pages"), "户口簿须同时上传首页和{member}所在页，两页户号应一致。"),
    (("证件过期", "Document expired"), "所传证件已过有效期，请上传在有效期内的证件正反面。"),
    (
        ("补充关系证明", "Prove the relationship"),
        "现有材料不能证明双方为“{relationship}”关系，请补充户口簿、结婚证、出生医学证明或关系公证书之一。",
    ),
    (("可到窗口办理", "The counter helps"), "如线上补正有困难，可携带材料原件到{agency}窗口办理，工作人员会协助您。"),
)
# Notes on a rejection or an approval are internal: the applicant is told only the reason that was chosen.
_REJECT: Sequence[tuple[Words, str]] = (
    (
        ("关系不能证明", "Relation not proven"),
        "已逐份核对，所交材料均不能证明双方为“{relationship}”关系。",
    ),
    (("材料不一致", "Materials disagree"), "所交材料相互矛盾，与登记信息核对后仍不能认定。"),
    (("涉嫌冒用", "Suspected misuse"), "申请信息存在冒用疑点；如再次申请，建议由{agency}窗口当面核验。"),
)
_APPROVE: Sequence[tuple[Words, str]] = (
    (("材料齐全", "Complete"), "材料齐全，双方关系清楚，符合办理条件。"),
    (("已电话核实", "Checked by phone"), "已电话向申请人核实，情况属实。"),
)
_BY_ACTION = {"return": _RETURN, "reject": _REJECT, "approve": _APPROVE}


def texts(case: Mapping[str, Any], language: Language) -> dict[str, list[Canned]]:
    """The texts for each decision, filled from this case."""
    facts = _facts(case)
    return {
        action: [Canned(label[0 if language == "zh" else 1], text.format(**facts)) for label, text in listed]
        for action, listed in _BY_ACTION.items()
    }


def message(case: Mapping[str, Any], items: Iterable[Mapping[str, str]], reasons: Mapping[str, str]) -> str:
    """What the applicant is told when documents are returned: what is wrong with each, and until when it can be mended.

    `items` are `{kind, reason, note?}`, `reasons` what each reason means in Chinese.
    """
    facts, lines = _facts(case), []
    for place, item in enumerate(items, 1):
        kind = _chinese(case).of("kind", item["kind"])
        note = f"（{item['note']}）" if item.get("note") else ""
        lines.append(f"{place}. {kind}：{reasons.get(item['reason'], item['reason'])}{note}")
    if not lines:
        return ""
    term = "请于收到本通知起 {days} 个工作日内补正，逾期申请将过期。" if facts["days"] else "请尽快补正。"
    opening = "您好，您的{product}申请需要补正以下材料：".format(**facts)
    return "\n".join([opening, *lines, term.format(**facts)])


def _facts(case: Mapping[str, Any]) -> dict[str, Any]:
    t = _chinese(case)
    return {
        "relationship": t.of("relationship", case["relationship"]), "product": t.of("product", case["product"]),
        "holder": t.of("party", "holder"), "member": t.of("party", "member"),
        "agency": "参保地医保经办机构", "days": case["correction_days"],
    }  # fmt: skip


def _chinese(case: Mapping[str, Any]) -> Tongue:
    return Tongue("zh", lambda code, _: code, case["product"])
