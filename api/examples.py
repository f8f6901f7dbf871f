"""What answers look like, for the OpenAPI document."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pydantic import BaseModel

VIEW: dict[str, Any] = {
    "id": "bnd_01JD5Q8Z0W3N4M7K2H9T6R1V5X",
    "product": "family_account",
    "method": "id_number",
    "channel": "alipay",
    "region": "440100",
    "policy": {"pack": "CN-national", "version": "2026-11-01"},
    "state": "face_check",
    "state_since": "2026-11-21T08:00:00Z",
    "version": 5,
    "reason": None,
    "holder": {
        "name": "张*",
        "id_type": "resident_id",
        "id_number": "4401**********2316",
        "insured_region": "440100",
    },
    "member": {
        "name": "张**",
        "id_type": "resident_id",
        "id_number": "4401**********4215",
        "insured_region": "440100",
    },
    "relationship": "PARENT",
    "shown_credential": "member",
    "fund_source": "member_own",
    "channel_reference": "A-20261121-0001",
    "plan": {
        "materials": [
            {"label": "个人承诺书", "any_of": [["commitment_letter"]]},
            {
                "label": "户口簿",
                "any_of": [["household_register_first_page", "household_register_member_page"]],
            },
        ],
        "steps": ["face_check"],
        "face_subjects": ["member"],
        "face_window_seconds": 86400,
    },
    "materials": [
        {
            "id": "mat_01JD5Q9B7F0C2D4E6G8H0J2K4M",
            "kind": "commitment_letter",
            "sha256": "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
            "size": 81234,
            "media_type": "image/jpeg",
        }
    ],
    "correction": None,
    "registry_record": None,
    "counter_ticket": None,
    "waiting_on": {
        "party": "member",
        "for": "face_check",
        "since": "2026-11-21T08:00:00Z",
        "until": "2026-11-22T08:03:10Z",
        "then": "offline_fallback",
        "provisional": False,
    },
    "available_actions": ["start_face_check", "choose_offline", "withdraw"],
}
SUBMITTED: dict[str, Any] = VIEW | {  # what the example of an application is answered with
    "state": "submitted",
    "version": 1,
    "materials": [],
    "waiting_on": {
        "party": "holder",
        "for": "materials",
        "since": "2026-11-21T08:00:00Z",
        "until": "2026-11-28T08:00:00Z",
        "then": "expired",
        "provisional": False,
    },
    "available_actions": ["upload_material", "withdraw", "withdraw_consent"],
}
PAGE = {"items": [VIEW], "next_cursor": None}
REQUIREMENTS = {
    "policy": VIEW["policy"],
    "plan": VIEW["plan"],
    "notices": [{"notice": "adding_member", "version": "2026-11-01", "title": "家庭成员添加告知书", "text": "……"}],
    "counter": {
        "reason": None,
        "service": "亲情账户线下绑定",
        "agency": "440100",
        "agency_name": "广州市医疗保障经办机构",
        "address": "广州市医疗保障局经办大厅",
        "bring": ["双方有效身份证件原件"],
    },
    "boundaries": {
        "title": "医保亲情账户",
        "shown_credential": "member",
        "fund_source": "member_own",
        "own_code_only": True,
        "purposes": ["show_code", "activate_credential", "query_usage", "query_expenses"],
        "requires_active": None,
        "prior_filing": False,
    },
    "care_warning": "就医购药时必须出示就诊人本人的医保电子凭证，不能出示其他人的。……",
    "help": {"offline": "24小时内仍未通过，……可到当地医保经办机构窗口办理……"},
    "entries": [{"channel": "alipay", "entry": "支付宝 → 医保亲情账户", "as_of": "2025-03-07"}],
}
LINE = {
    "sequence": 1,
    "event": "submitted",
    "from": None,
    "to": "submitted",
    "at": "2026-11-21T08:00:00Z",
    "actor": "channel:alipay",
    "reason": None,
}
MATERIAL = VIEW["materials"][0]
ATTEMPT = {
    "id": "fac_01JD5QA1B2C3D4E5F6G7H8J9K0",
    "subject": "member",
    "provider": "sandbox",
    "url": "https://face.example/begin?certifyId=…",
    "token": None,
    "expires_at": "2026-11-21T08:33:10Z",
}
ATTEMPTS = {
    "items": [
        {
            "id": ATTEMPT["id"],
            "subject": "member",
            "status": "failed",
            "reason": "face_no_match",
            "started_at": "2026-11-21T08:03:10Z",
            "finished_at": "2026-11-21T08:04:02Z",
            "uses_attempt": True,
        }
    ],
    "attempts_left": None,
    "next_retry_at": None,
    "window_closes_at": "2026-11-22T08:03:10Z",
}


def shows(example: Any, shape: type[BaseModel], status: int = 200, description: str = "Done") -> dict[str, Any]:
    """The `responses` of a route: what it answers, in which shape, and an example of it."""
    told = tells(shape, status, description)
    told["responses"][status]["content"]["application/json"]["example"] = example
    return told


def tells(shape: type[BaseModel], status: int = 200, description: str = "Done") -> dict[str, Any]:
    """The same without an example."""
    content = {"application/json": {"schema": {"$ref": f"#/components/schemas/{shape.__name__}"}}}
    return {"responses": {status: {"description": description, "content": content}}}


def is_of(kinds: Mapping[str, dict[str, Any]], description: str) -> dict[str, Any]:
    """The same of what is no JSON, by its media types."""
    content = {kind: {"schema": schema} for kind, schema in kinds.items()}
    return {"responses": {200: {"description": description, "content": content}}}
