"""The closed lists of words that packs may use, and plans after them: those of API.md."""

from __future__ import annotations

from typing import Literal

Product = Literal["family_account", "account_sharing", "code_display"]
Method = Literal["id_number", "other_document", "birth_certificate"]
Initiator = Literal["holder", "member", "guardian"]
Subject = Literal["holder", "member", "mother"]
Relationship = Literal[
    "SPOUSE", "CHILD", "PARENT", "SIBLING", "GRANDPARENT", "GRANDCHILD", "PARENT_IN_LAW", "WARD", "OTHER"
]
Purpose = Literal["show_code", "activate_credential", "query_usage", "query_expenses", "pay_from_account"]
IdType = Literal["resident_id", "hmt_residence_permit", "foreign_permanent_resident", "passport", "travel_permit"]
Kind = Literal[
    "commitment_letter",
    "household_register_first_page",
    "household_register_member_page",
    "household_register_holder_page",
    "birth_certificate",
    "notarised_relationship",
    "marriage_certificate",
    "guardianship_proof",
    "holder_id_front",
    "holder_id_back",
    "member_id_front",
    "member_id_back",
    "other",
]
ChannelName = Literal[
    "national_app",
    "alipay",
    "wechat",
    "yueyibao_alipay",
    "yueyibao_wechat",
    "jiangsu_yibaoyun",
    "suzhou_yibao_oa",
    "nhsa_oa",
    "counter",
]
Capability = Literal["bind", "bind_and_show", "unknown"]
Credential = Literal["member", "holder"]  # whose is shown
Fund = Literal["member_own", "holder_personal_account"]
Scheme = Literal["employee", "resident"]
InsuredAs = Literal["any", "normal", "not_terminated"]  # what the registry must say of a party
Width = Literal["china", "province", "pooling_area"]  # where both must be insured
ReviewMode = Literal["none", "auto_then_sample", "manual"]
AfterSpoof = Literal["retry", "counter"]  # another attempt, or a person looks
Authentication = Literal["pay_password", "face"]
ReachedOn = Literal["birthday", "day_after"]
Feb29 = Literal["feb28", "mar01"]
AgencyLevel = Literal["county", "prefecture", "province"]
Condition = Literal["always", "face", "materials", "under_14"]
# `first_attempt_to_pass` is missing, as it is `face.window_hours`. So is what no region may change: how often
# registries and providers are asked, and the day on which a child reaches the face age.
DEADLINES = (
    "submitted_to_materials",
    "materials_to_offline",
    "record_to_confirmed",
    "passed_to_authorised",
    "face_to_first_attempt",
    "review_to_decision",
    "returned_to_corrected",
    "offline_to_counter",
    "unbind_to_confirmed",
    "reverification_to_done",
    "insurance_to_rechecked",
    "suspended_to_ended",
)
