"""What each call may refuse, for the OpenAPI document alone: its codes by status.

What many calls have in common follows from what a call is: whether it takes a key, a body, an `If-Match`. The rest is
told call by call. A test hears every refusal of the doors, and fails where the document does not know it.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping
from typing import Any

from api import headers

Codes = Mapping[int, str]  # by status, with spaces between them

MEANINGS = {
    400: "the request cannot be read, or lacks a header that it needs",
    401: "no key, or one that opens nothing",
    403: "the key is not of those whom this call is for",
    404: "not there, or not for this caller to know",
    405: "this address takes other methods",
    409: "not in this state, or against a limit",
    412: "`If-Match` names a version that has moved on",
    413: "too large",
    415: "a `Content-Type` that is not read here",
    422: "it can never be granted as it stands; `errors` says which field",
    429: "too many requests: after `Retry-After`",
    500: "a fault of ours: the same again, with the same `Idempotency-Key`",
    503: "something is away: the same again, after `Retry-After` where that is told",
}
# What is answered so everywhere is said once, by these names.
SHARED: dict[str, tuple[int, str]] = {
    "Unreadable": (400, "request_unreadable"),
    "KeyRefused": (401, "key_required key_invalid"),
    "RoleRefused": (403, "role_required"),
    "NotFound": (404, "not_found"),
    "OutOfTurn": (409, "action_not_available busy"),
    "Stale": (412, "stale_version"),
    "TooLarge": (413, "request_too_large"),
    "NotReadHere": (415, "content_type_unsupported"),
    "Invalid": (422, "request_invalid"),
    "TooMany": (429, "rate_limited"),
    "OurFault": (500, "internal_error"),
    "Away": (503, "unavailable"),
}
NEVER_KEPT = "/v1/bindings/{binding_id}/reveal"  # reads no `Idempotency-Key` and no `If-Match`

# -- what follows from what a call is --------------------------------------------------------------------------------

_EVERY: Codes = {400: "request_unreadable", 500: "internal_error", 503: "unavailable"}
_WITH_KEY: Codes = {401: "key_required key_invalid", 403: "role_required", 422: "request_invalid", 429: "rate_limited"}
_BODY: Codes = {413: "request_too_large", 415: "content_type_unsupported", 422: "request_invalid"}
_KEPT: Codes = {400: "idempotency_key_invalid", 422: "idempotency_key_reused"}
_VERSION: Codes = {400: "if_match_invalid", 412: "stale_version"}
_SAID: Codes = {409: "action_not_available busy"}
_PAGE: Codes = {400: "cursor_invalid"}
_WINDOW: Codes = {409: "idempotency_in_progress"}
_ACTING: Codes = {422: "id_number_invalid"}

# -- what a call has of its own --------------------------------------------------------------------------------------

_LAW = "relation_not_allowed region_not_allowed method_not_allowed channel_not_open wrong_product"
_BORN = "id_number_invalid birth_date_required birth_date_invalid birth_date_mismatch"
_APPLYING: Codes = {
    400: "idempotency_key_required",
    409: "busy duplicate_binding holder_limit holder_relation_limit member_binder_limit sharing_not_active",
    422: f"{_BORN} id_number_required birth_certificate_required self_binding {_LAW} initiator_not_allowed"
    " holder_under_age consent_missing consent_version_unknown consent_time_invalid",
}
_ENDING: Codes = {409: "unbind_too_early", 422: "initiator_not_allowed method_not_allowed"}
_DECIDING: Codes = {409: "own_case lease_required"}
_WITH_REASON: Codes = {409: "own_case", 422: "reason_not_listed"}
_ORDERING: Codes = {409: "agency_unserved", 422: "argument_missing argument_invalid"}
_ORDERED: Codes = {409: "repair_not_available"}

_BINDING, _ACTION = "/v1/bindings/{binding_id}", "/v1/bindings/{binding_id}/actions"
_REVIEW, _TICKET, _REPAIR = (
    "/v1/reviews/{binding_id}",
    "/v1/counter/tickets/{binding_id}",
    "/v1/ops/repairs/{repair_id}",
)
_ENDPOINT = "/v1/webhook-endpoints/{endpoint_id}"
_OWN: dict[str, tuple[Codes, ...]] = {
    "post /v1/requirements": ({409: "channel_unknown", 422: f"{_BORN} {_LAW}"},),
    "post /v1/bindings": (_APPLYING, {409: "channel_unknown"}),
    "post /v1/counter/tickets": (_APPLYING, {409: "own_case"}),
    "post /v1/bindings/search": ({400: "cursor_invalid", 422: "id_number_invalid"},),
    f"post {_ACTION}/submit_materials": ({409: "material_incomplete"},),
    f"post {_ACTION}/resume_online": ({409: "face_rate_limited"},),
    f"post {_ACTION}/withdraw": ({409: "own_case"},),
    f"post {_ACTION}/withdraw_consent": (_ENDING, {422: "notice_unknown"}),
    f"post {_ACTION}/request_unbind": (_ENDING,),
    f"post {_ACTION}/confirm_unbind": (
        _WINDOW,
        {409: "pay_password_locked id_number_required", 422: "pay_password_wrong", 503: "pay_password_unavailable"},
    ),
    f"post {_ACTION}/report_change": (
        {409: "registry_unanswered own_case",
         422: "birth_date_mismatch self_binding name_id_mismatch region_not_allowed"},
    ),
    f"post {_BINDING}/materials": (
        _WINDOW,
        {409: "action_not_available too_many_files own_case", 413: "file_too_large", 415: "media_type_unsupported",
         422: "document_too_large document_unreadable"},
    ),
    f"delete {_BINDING}/materials/{{material_id}}": ({409: "action_not_available material_handed_in own_case"},),
    f"get {_BINDING}/materials/{{material_id}}/content": ({409: "own_case"},),
    f"post {_BINDING}/face-checks": (
        _WINDOW,
        {409: "face_subject_not_next face_rate_limited face_id_not_found face_id_name_mismatch face_photo_unavailable",
         503: "face_provider_down"},
    ),
    "post /v1/callbacks/face/{provider}": ({401: "callback_forged", 413: "request_too_large", 429: "rate_limited"},),
    "post /v1/entitlements/check": ({422: "id_number_invalid"},),
    "post /v1/webhook-endpoints": ({409: "too_many_endpoints", 422: "url_not_allowed"},),
    f"post {_ENDPOINT}/test": (_WINDOW, {429: "too_many_tests"}),
    f"post {_REVIEW}/claim": ({409: "action_not_available own_case claimed_by_other"},),
    f"post {_REVIEW}/release": ({409: "action_not_available claimed_by_other"},),
    f"post {_REVIEW}/approve": (_DECIDING, {409: "own_verification"}),
    f"post {_REVIEW}/escalate": (_DECIDING,),
    f"post {_REVIEW}/reject": (_DECIDING, _WITH_REASON),
    f"post {_REVIEW}/return": (_DECIDING, _WITH_REASON, {409: "supervisor_required"}),
    f"post {_TICKET}/verify": (
        {409: "own_case material_incomplete registry_unanswered registry_objects duplicate_binding member_binder_limit"
              " second_clerk_required",
         422: "subject_not_present"},
    ),
    f"post {_TICKET}/refuse": (_WITH_REASON,),
    f"post {_TICKET}/hand-over": ({409: "own_case agency_unserved agency_unchanged"},),
    f"post {_TICKET}/unbind": ({409: "own_case"},),
    f"post {_BINDING}/suspend": ({409: "own_case"},),
    f"post {_BINDING}/resume": ({409: "own_case"},),
    f"post {_BINDING}/unbind": ({409: "own_case"},),
    f"post {NEVER_KEPT}": ({409: "own_case", 422: "field_unknown"},),
    "post /v1/ops/bindings/{binding_id}/repair": (_ORDERING,),
    "post /v1/ops/repairs": (_ORDERING, {422: "filter_empty"}),
    f"post {_REPAIR}/apply": (_ORDERED,),
    f"post {_REPAIR}/withdraw": (_ORDERED, {422: "argument_invalid"}),
    f"post {_REPAIR}/pause": (_ORDERED,),
    f"post {_REPAIR}/resume": (_ORDERED,),
    f"post {_REPAIR}/approve": (_ORDERED, {409: "second_person_required"}),
    f"post {_REPAIR}/undo": (_ORDERED, {409: "not_undoable", 422: "argument_invalid"}),
    "post /v1/sandbox/clock/advance": ({409: "busy"},),
    "post /v1/sandbox/face-checks/{face_check_id}/complete": ({409: "face_session_closed"},),
    "put /v1/sandbox/persons": ({422: "id_number_invalid"},),
}  # fmt: skip


def with_key(path: str) -> bool:
    """Whether a call wants the key of a channel or of staff."""
    return path.startswith("/v1/") and not path.startswith("/v1/callbacks")


def kept(path: str, method: str) -> bool:
    """Whether an answer is kept under an `Idempotency-Key`."""
    return method == "post" and with_key(path) and path != NEVER_KEPT


def at_version(path: str, method: str) -> bool:
    """Whether a call reads `If-Match`."""
    return method in {"post", "delete"} and "{binding_id}" in path and path != NEVER_KEPT


def codes(path: str, method: str, operation: Mapping[str, Any]) -> dict[int, list[str]]:
    """All codes that a call may be refused with, by status."""
    found: dict[int, list[str]] = defaultdict(list)
    for told in _told(path, method, operation):
        for status, some in told.items():
            found[status] += some.split()
    return {status: list(dict.fromkeys(found[status])) for status in sorted(found)}


def _told(path: str, method: str, operation: Mapping[str, Any]) -> Iterator[Codes]:
    yield _EVERY
    if with_key(path):
        yield _WITH_KEY
    if "{" in path:
        yield {404: "not_found"}
    if "requestBody" in operation:
        yield _BODY
    if kept(path, method):
        yield _KEPT
    if at_version(path, method):
        yield _VERSION
    if any(one.get("name") in {"cursor", "after"} for one in operation.get("parameters", [])):
        yield _PAGE
    if path.startswith(_ACTION) or path == f"{_BINDING}/face-checks":
        yield _ACTING if method == "post" else {}
    if _moves(path, method):
        yield _SAID
    yield from _OWN.get(f"{method} {path}", ())


def _moves(path: str, method: str) -> bool:
    """Whether a call says something of a binding to the desk."""
    beside = ("/materials", "/reveal", "/claim", "/release", "/repair")
    return method == "post" and "{binding_id}" in path and not path.endswith(beside)


# -- as responses ----------------------------------------------------------------------------------------------------


def shared() -> dict[str, Any]:
    """The responses that are said once."""
    return {name: _response(status, some.split()) for name, (status, some) in SHARED.items()}


def responses(path: str, method: str, operation: Mapping[str, Any]) -> dict[str, Any]:
    """The responses of a call that are problems, by status; a shared one by its name."""
    names = {(status, some): name for name, (status, some) in SHARED.items()}
    told = {}
    for status, some in codes(path, method, operation).items():
        name = names.get((status, " ".join(some)))
        told[str(status)] = {"$ref": f"#/components/responses/{name}"} if name else _response(status, some)
    return told


def _response(status: int, some: list[str]) -> dict[str, Any]:
    # beside a `$ref`: whoever does not read what stands there reads a Problem all the same
    schema = {"$ref": "#/components/schemas/Problem", "properties": {"code": {"enum": some}}}
    listed = ", ".join(f"`{code}`" for code in some)
    told: dict[str, Any] = {"description": f"{MEANINGS[status]}: {listed}"}
    if names := headers.of_problem(status, some):
        told["headers"] = names
    return told | {"content": {"application/problem+json": {"schema": schema}}}
