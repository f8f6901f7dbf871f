"""Reason codes in words: the pinned pack's own where it has them, else the desk's."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from policies.book import LawBook
from policies.languages import Words
from policies.parties import named
from policies.plan import Plan

_WORDS: Mapping[str, Words] = {
    # a deadline passed
    "submitted_to_materials": ("未按期提交材料", "the materials were not handed in in time"),
    "record_to_confirmed": ("未按期确认登记信息", "the registry's record was not confirmed in time"),
    "face_to_first_attempt": ("未按期开始人脸核验", "no face check was begun in time"),
    "first_attempt_to_pass": ("24小时内人脸核验未通过", "the face check was not passed within its window"),
    "passed_to_authorised": ("未按期确认授权", "the authorisation was not confirmed in time"),
    "returned_to_corrected": ("未按期补正", "the correction did not come in time"),
    "offline_to_counter": ("未按期到窗口办理", "nobody came to the counter in time"),
    "unbind_to_confirmed": ("未按期确认解绑", "the unbinding was not confirmed in time"),
    "reverification_to_done": ("未按期重新核验", "the new verification did not come in time"),
    "suspended_to_ended": ("暂停期满", "it was suspended for too long"),
    "sharing_not_active": ("所依托的家庭共济已不在有效状态", "the sharing on which it stands is no longer in force"),
    "term_over": ("绑定期限届满", "the term for which it was made is over"),
    # why a counter
    "declines_face": ("选择不刷脸", "a face check was declined"),
    "member_elsewhere": ("{member}不在身边", "{member} is elsewhere"),
    "cannot_pass": ("无法通过人脸核验", "the face check cannot be passed"),
    "second_clerk_required": (
        "仅监护人到场，尚待另一名窗口人员核验",
        "only a guardian was there: a second clerk must see him too",
    ),
    "applied_at_counter": ("在窗口申请，由窗口人员当面核验", "applied at the counter, where the clerk sees the people"),
    "document_not_readable": ("证件类型无法线上核验", "this kind of document cannot be checked online"),
    "registry_unanswered": ("登记机构未答复", "a registry did not answer"),
    "face_photo_unavailable": ("没有可比对的证件照片", "there is no photo to compare with"),
    "face_id_not_found": ("身份信息未查到", "the identity was not found"),
    "face_id_name_mismatch": ("姓名与证件号码不一致", "name and number do not belong together"),
    "face_no_match": ("人脸比对不一致", "the face did not match"),
    "face_liveness": ("活体检测未通过", "the liveness check failed"),
    "face_quality": ("人脸图像质量不足", "the picture was not good enough"),
    # what the system decided of a review, where a pack lets it
    "automatic": ("系统自动审核通过", "it was approved by the system, under the rule of the pack"),
    "sampled": ("抽中人工复核", "it was drawn for a person to look at"),
    # why suspended or ended
    "reverification": ("须重新核验身份", "a new verification is due"),
    "insurance": ("参保状态异常", "the insurance has stopped"),
    "decision": ("待经办机构处理", "the agency must decide"),
    "name": ("姓名变更", "the name has changed"),
    "id_number": ("证件号码变更", "the number has changed"),
    "insured_region": ("参保地变更", "the insured place has changed"),
    "relationship_ended": ("家庭关系解除", "the relationship has ended"),
    "insurance_ended": ("参保终止", "the insurance has ended"),
    "death": ("身故", "one of the two has died"),
    "by_holder": ("{holder}解绑", "{holder} ended it"),
    "by_member": ("{member}解绑", "{member} ended it"),
    "by_guardian": ("监护人解绑", "the guardian ended it"),
    "by_counter": ("窗口解绑", "it was ended at the counter"),
    "agency_decision": ("经办机构决定", "the agency has decided so"),
    "suspected_fraud": ("涉嫌冒用，转人工核查", "a misuse is suspected"),
    "id_number_given": ("登记机构已有证件号码", "the registry has a number by now"),
    "insurance_back": ("参保状态已恢复", "the insurance is back"),
    "cleared": ("经核实无误", "it was looked into and found in order"),
    "refused_by_member": ("{member}拒绝", "{member} refused"),
    "consent_withdrawn": ("撤回同意", "a consent was withdrawn"),
    "other": ("其他", "another reason"),
}  # fmt: skip
BY_AGENCY = "agency_decision"
# Why a supervisor suspends, resumes or ends, by what he says: the family reads it. What he knows besides is a note.
SUPERVISED: Mapping[str, tuple[str, ...]] = {
    "suspend": ("suspected_fraud", "relationship_ended", BY_AGENCY),
    "resume": ("cleared", BY_AGENCY),
    "end": ("suspected_fraud", "relationship_ended", "insurance_ended", "death", BY_AGENCY),
}


def known() -> frozenset[str]:
    """The codes that mean the same under every pack."""
    return frozenset(_WORDS)


def every(codes: Iterable[str], plan: Plan, book: LawBook) -> dict[str, Words]:
    """What each of these reason codes means to people, by code."""
    return {code: say(code, plan, book) for code in codes}


def say(code: str, plan: Plan, book: LawBook) -> Words:
    """Return what a reason code means to people; a code that nobody has words for stands for itself."""
    try:
        listed = book.law(plan.pack, plan.product, plan.version).pack.reasons.get(code)
    except KeyError:  # a pack that is no longer shipped: its cases go on, its words are gone
        listed = None
    if listed is not None:
        return listed.words
    return named(_WORDS[code], plan.product) if code in _WORDS else (code, code)
