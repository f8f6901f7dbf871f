"""What every code means to people: one table, Chinese first, English beside it. Codes are for machines and stay."""

from __future__ import annotations

from policies.languages import Language, Words

# By code, in Chinese and in English; of every product, so that the two parties are called as in none of them.
TEXTS: dict[str, Words] = {
    # who calls, and what
    "key_required": ("请求未携带密钥", "No key was sent: Authorization: Bearer <key>"),
    "key_invalid": ("密钥无效或已撤销", "The key is unknown or was revoked"),
    "role_required": ("该密钥没有此权限", "This key does not have the role for it"),
    "not_found": ("未找到", "There is nothing here for this caller"),
    "http_method_not_allowed": ("该路径不支持此请求方法", "This path does not know this HTTP method"),
    "rate_limited": ("请求过于频繁，请稍后再试", "Too many requests: wait as Retry-After says"),
    "unavailable": ("系统暂时不可用，请稍后再试", "The service cannot answer at the moment: try again"),
    "internal_error": ("系统内部错误，未作任何更改或结果未知", "Something went wrong on our side"),
    "busy": ("该业务正在被同时办理，请重试", "Others keep moving this binding: try again"),
    # the form of a request
    "request_unreadable": ("请求内容无法读取", "The request cannot be read: UTF-8 JSON, each field once"),
    "request_too_large": ("请求内容过大", "The request is too large"),
    "request_invalid": ("请求内容有误", "The request has faults: see errors"),
    "content_type_unsupported": ("请求内容类型不受支持", "This Content-Type is not read here"),
    "if_match_invalid": ("If-Match 格式有误", 'If-Match is a version such as "5"'),
    "cursor_invalid": ("翻页标记无效", "The cursor is not one of ours"),
    "stale_version": ("该业务已有新的进展，请刷新", "The binding has moved on since that version"),
    "idempotency_key_required": ("请求必须携带 Idempotency-Key", "This request needs an Idempotency-Key"),
    "idempotency_key_invalid": ("Idempotency-Key 格式有误", "An Idempotency-Key has 1 to 255 visible characters"),
    "idempotency_key_reused": ("该 Idempotency-Key 已用于其他请求", "This key was used for another request"),
    "idempotency_in_progress": ("相同请求正在处理中", "The first request with this key is still running"),
    # the state
    "action_not_available": ("当前状态下不能进行此操作", "This cannot be done in the present state"),
    "deadline_gone": ("该期限已不存在", "This deadline is no longer armed or due"),
    # people
    "id_number_invalid": ("证件号码格式或校验码错误", "The document number is not valid"),
    "id_number_required": ("请填写证件号码", "The document number is needed"),
    "birth_date_required": ("请填写出生日期", "The birth date is needed"),
    "birth_date_invalid": ("出生日期有误", "The birth date is not valid"),
    "birth_date_mismatch": ("出生日期与证件号码不符", "The birth date is not that of the document"),
    "birth_certificate_required": ("请填写出生医学证明信息", "The birth certificate is needed for this method"),
    "self_binding": ("不能绑定本人", "Nobody binds himself"),
    "holder_under_age": ("账户所有人未达到规定年龄", "The account's owner is too young"),
    # the law
    "relation_not_allowed": ("所选关系不在允许范围", "This relationship may not be bound"),
    "region_not_allowed": ("参保地不符合办理条件", "The insured places do not fit"),
    "product_not_offered": (
        "授权人参保地未开办该业务",
        "This product is not offered where the authoriser is insured",
    ),
    "method_not_allowed": ("该方式不适用", "This method does not apply"),
    "initiator_not_allowed": ("该发起人不能办理", "This person may not do it"),
    "channel_not_open": ("该渠道在参保地未开通", "This channel is not open at the insured place"),
    "channel_unknown": (
        "无法确认该渠道在参保地是否开通，请咨询当地经办机构",
        "Not known for this city: ask the agency",
    ),
    "wrong_product": ("您要办理的可能是另一项业务（亲情账户或家庭共济）", "This channel serves another product"),
    "consent_missing": ("请阅读并同意全部告知内容", "A notice has not been accepted"),
    "consent_version_unknown": ("告知内容已更新，请重新阅读", "The notice has changed: show it again"),
    "consent_time_invalid": ("同意时间有误", "It cannot have been accepted then: see the pointer"),
    "notice_unknown": ("该业务没有此项告知", "This binding has no such notice"),
    "reason_not_listed": ("所选原因不在可选范围", "The reason is not on the list: see reasons"),
    # limits
    "holder_limit": ("该账户绑定或授权的人数已达上限", "As many people as allowed are bound to this account"),
    "holder_relation_limit": ("该关系的绑定人数已达上限", "The holder has as many of this relationship as allowed"),
    # never by whom: who the other binders are is not this applicant's business (DOMAIN §B.8)
    "member_binder_limit": (
        "本月绑定该成员的人数已达上限",
        "As many people as allowed have bound this member this month",
    ),
    "sharing_not_active": (
        "须先开通家庭共济授权，且须在有效状态",
        "It stands on a sharing between the two that is in force",
    ),
    "duplicate_binding": ("已存在有效或办理中的绑定", "There is already a binding between the two"),
    # registries
    "name_id_mismatch": ("姓名与证件号码不一致", "Name and number do not belong together"),
    "not_insured": ("未查询到参保信息", "No insurance was found"),
    "insurance_suspended": ("参保状态异常（暂停、终止或欠费）", "The insurance is suspended, ended or unpaid"),
    "insurance_ended": ("参保关系已终止", "The insurance has ended"),
    "holder_credential_inactive": ("本人医保电子凭证未激活", "The holder's credential is not activated"),
    "member_credential_inactive": ("该成员医保电子凭证未激活", "The member's credential is not activated"),
    "prior_filing_missing": ("未在参保地备案", "No prior filing at the insured place"),
    "birth_cert_not_found": ("未查询到出生医学证明", "The birth certificate was not found"),
    "birth_cert_date_mismatch": ("出生日期与出生医学证明不符", "The birth date is not the one on the certificate"),
    "birth_cert_child_mismatch": ("子女信息与出生医学证明不符", "The child is not the one on the certificate"),
    "birth_cert_mother_mismatch": ("母亲信息与出生医学证明不符", "The mother is not the one on the certificate"),
    "registry_unanswered": ("登记机构尚未答复", "The registries have not answered yet"),
    # materials
    "file_too_large": ("文件过大", "The file is too large"),
    "media_type_unsupported": (
        "文件类型不受支持，请上传 JPEG、PNG、WebP、HEIC 或 PDF",
        "By its content the file is no JPEG, PNG, WebP, HEIC or PDF",
    ),
    "document_too_large": ("文件页数或像素过多", "The document has too many pages or pixels"),
    "document_unreadable": ("文件无法完整读取，请重新拍摄或扫描", "The document does not decode whole"),
    "too_many_files": ("材料数量已达上限", "The case has as many files as allowed"),
    "material_incomplete": ("材料不齐全", "Materials are missing"),
    "material_handed_in": ("材料已提交，不能撤回", "The material has been handed in"),
    "material_unreadable": ("照片模糊、反光或缺角", "Blurred, glaring or cut off"),
    "material_expired": ("证件已过有效期", "The document has expired"),
    "letter_unsigned": ("承诺书未签名或签名人不符", "The letter is not signed by the right person"),
    "relation_unproven": ("材料不能证明双方关系", "The materials do not prove the relationship"),
    "suspected_fraud": ("涉嫌冒用，转人工核查", "Suspected misuse"),
    # faces
    "face_subject_not_next": ("请由当前待核验人员进行人脸核验", "It is another person's turn: see subject"),
    "subject_not_present": ("应到场的人员未到场", "Somebody who must be present was not: see subjects"),
    "face_rate_limited": ("今日核验次数已达上限，请次日再试", "Too many attempts today: see next_retry_at"),
    "face_provider_down": ("人脸核验服务暂不可用，请稍后再试", "The face provider cannot be reached: try again"),
    "face_provider_error": ("人脸核验服务异常，请稍后再试", "The face provider failed: try again"),
    "face_no_match": ("人脸比对未通过", "The face did not match"),
    "face_liveness": ("活体检测未通过", "Liveness was not shown"),
    "face_spoof_suspected": ("疑似非本人操作", "The provider suspects that it is not the person"),
    "face_quality": ("光线或画面质量不足", "Light or picture were not good enough"),
    "face_timeout": ("核验超时", "The face check took too long"),
    "face_network": ("网络异常", "The network failed"),
    "face_cancelled": ("核验已取消", "The face check was cancelled"),
    "face_device_unsupported": ("设备不支持人脸核验，请更换设备", "This device cannot do it: try another"),
    "face_session_expired": ("核验会话已过期", "The session has expired: start another"),
    "face_id_name_mismatch": ("姓名与证件号码不一致，请到窗口办理", "Name and number do not match: go to the counter"),
    "face_id_not_found": ("公安库中未查到该证件，请到窗口办理", "The number was not found: go to the counter"),
    "face_photo_unavailable": ("公安库中无可比对照片，请到窗口办理", "There is no photograph: go to the counter"),
    "document_not_readable": ("该证件无法线上核验，请到窗口办理", "It cannot be checked online: go to the counter"),
    "callback_forged": ("回调签名无效", "This is not signed by the provider"),
    # reviews and counters
    "claimed_by_other": ("该业务已被其他审核员领取", "Another reviewer works on it"),
    "lease_required": ("请先领取该业务", "Claim the case first, or again: the lease is over"),
    "own_case": ("不能办理本人为当事人的业务", "Nobody decides a case in which he is a party"),
    "own_number_required": ("该密钥未登记本人证件号码，不能办理", "This key does not say who its owner is"),
    "own_verification": (
        "该业务由本人在窗口核实，须由他人审核",
        "Who has looked into it at the counter does not approve it: another reviewer does",
    ),
    "second_clerk_required": (
        "本人未到场，须由另一名窗口人员再次核验",
        "The member was not there: another clerk must see who stands for him, too",
    ),
    "registry_objects": (
        "登记机构核对未通过：请核实，确认已核实并在备注中写明依据",
        "A registry says no: look into it, confirm that you have (registry_checked), and note on what grounds",
    ),
    "agency_unchanged": ("该业务已由该机构办理，无须转交", "That agency has it already"),
    "agency_unserved": (
        "该机构不存在或没有窗口人员受理，不能转交",
        "There is no such agency, or nobody at a counter there would find the ticket",
    ),
    "supervisor_required": (
        "该问题首次退回时即可发现，再次退回须由主管作出",
        "This fault could be seen when it was first returned: a supervisor returns it, see overlooked",
    ),
    "field_unknown": ("该业务没有此字段", "This binding has no such field"),
    # repairs
    "argument_missing": ("该修复操作缺少参数", "This repair must be told more: see pointer"),
    "argument_invalid": ("该修复操作的参数无效", "This repair does not take this: see pointer"),
    "filter_empty": ("筛选条件不能为空", "A filter that asks nothing would find everything"),
    "repair_not_available": ("该修复当前不能这样操作", "The repair is not at this point: see state"),
    "second_person_required": ("须由另一名主管批准", "Another supervisor than who asked must approve"),
    "not_undoable": ("该修复不能撤销", "This repair cannot be undone"),
    "nothing_to_repair": ("没有可修复的内容", "There is nothing for this repair to do"),
    "state_not_allowed": ("该业务的办理方案不允许转到此状态", "The plan does not allow this state"),
    "policy_unknown": ("没有该政策包版本", "No pack has this version"),
    "plan_impossible": ("按该版本无法继续办理", "Under this version the case could not come to an end"),
    # why a binding does not allow a use
    "not_active": ("没有有效的绑定", "No binding between the two is in force"),
    "suspended": ("绑定已暂停", "The binding is suspended"),
    "purpose_not_allowed": ("该绑定不支持此用途", "The binding is not for this use"),
    "not_own_code": ("只能出示就诊人本人的医保码", "Only the patient's own code may be shown"),
    # webhooks, and the sandbox
    "url_not_allowed": ("推送地址不可用：须为 HTTPS 公网地址", "The address must be HTTPS and public"),
    "too_many_endpoints": ("推送地址数量已达上限", "The channel has as many endpoints as allowed"),
    "too_many_tests": ("测试推送正在进行，请稍后再试", "Other tests are under way: wait as Retry-After says"),
    "endpoint_disabled": ("该推送地址已停用", "The endpoint was disabled: it answered 410"),
    "face_session_closed": ("该核验已结束或已过期", "This face check has ended, or its time is over"),
    # unbinding
    "unbind_too_early": ("尚未到可解绑的日期", "It is too early to end it: see not_before"),
    "pay_password_wrong": ("支付密码错误", "The payment password is wrong: see attempts_left"),
    "pay_password_locked": ("今日密码错误次数过多，请次日再试", "Locked until midnight in Shanghai"),
    "pay_password_unavailable": ("支付密码服务暂不可用，请稍后再试", "The payment password cannot be checked now"),
}

# What is wrong with one field.
FIELDS: dict[str, Words] = {
    "required": ("必填", "is required"),
    "unknown_field": ("未知字段", "is not a field of this request"),
    "too_long": ("过长", "is too long"),
    "too_short": ("过短", "is too short"),
    "not_one_of": ("不在可选值之内", "is none of the values allowed"),
    "wrong_type": ("类型错误", "has the wrong type"),
    "wrong_form": ("格式错误", "has the wrong form"),
    "out_of_range": ("超出范围", "is out of range"),
    "not_a_date": ("不是有效日期（YYYY-MM-DD）", "is no date: YYYY-MM-DD"),
    "not_a_time": ("不是有效时间（RFC 3339，含时区）", "is no time: RFC 3339 with its zone"),
    "number_in_text": ("不得填写证件号码或电话号码", "must hold no ID or telephone number: others read it"),
    "id_number_in_text": ("不得填写完整的身份证号码", "must hold nobody's whole ID number: it is kept as it is"),
    "bad_characters": ("含有不允许的字符", "has characters that are not allowed"),
    "blank": ("不能为空白", "is blank"),
    "invalid": ("无效", "is not valid"),
}


def language_of(header: str) -> Language:
    """The language asked for by an `Accept-Language` header; Chinese unless English is preferred."""
    best: dict[Language, float] = {"zh": 0.0, "en": 0.0}
    for part in header[:500].split(","):
        tag, _, options = part.strip().partition(";")
        primary = tag.strip().lower().split("-")[0]
        weight = _weight(options)
        if primary in {"zh", "*"}:
            best["zh"] = max(best["zh"], weight)
        elif primary == "en":
            best["en"] = max(best["en"], weight)
    return "en" if best["en"] > best["zh"] else "zh"


def text(code: str, language: Language) -> str:
    """The text of a code, of a refusal or of a field; the code itself where there is none."""
    found = TEXTS.get(code) or FIELDS.get(code)
    if found is None:
        return code
    return found[0] if language == "zh" else found[1]


def _weight(options: str) -> float:
    name, _, value = options.strip().partition("=")
    if name.strip().lower() != "q":
        return 1.0
    try:
        return float(value)
    except ValueError:
        return 0.0
