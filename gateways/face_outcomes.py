"""Every vendor's codes in our words: one table, keyed by (provider, product, code), of DOMAIN §D.6.

One number means different things in different products (203 is a lacking permission at Tencent, a lacking
photo at Alibaba; 200 is "the call worked" as Alibaba's Code, "passed" as its SubCode): a key names all three.
A code that is not here is an error on the provider's side: never a pass, logged for an alarm, and may be tried again.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

import structlog

from gateways.faces import FaceAnswer, FaceStatus
from policies.calendar import next_midnight

log = structlog.get_logger(__name__)

_FAILED, _ERROR, _EXPIRED = FaceStatus.FAILED, FaceStatus.ERROR, FaceStatus.EXPIRED

PASSED = FaceAnswer(FaceStatus.PASSED)
PENDING = FaceAnswer(FaceStatus.PENDING)
SESSION_EXPIRED = FaceAnswer(_EXPIRED, "face_session_expired")
NO_MATCH = FaceAnswer(_FAILED, "face_no_match", uses_attempt=True)
LIVENESS = FaceAnswer(_FAILED, "face_liveness", uses_attempt=True)
SPOOF = FaceAnswer(_FAILED, "face_spoof_suspected", uses_attempt=True)  # the pack may say: counter
QUALITY = FaceAnswer(_FAILED, "face_quality", uses_attempt=True)
TIMEOUT = FaceAnswer(_FAILED, "face_timeout")
NETWORK = FaceAnswer(_FAILED, "face_network")
CANCELLED = FaceAnswer(_FAILED, "face_cancelled")
DEVICE = FaceAnswer(_FAILED, "face_device_unsupported")  # another device may do
RATE_LIMITED = FaceAnswer(_FAILED, "face_rate_limited")  # not before the next Shanghai midnight
ID_NAME_MISMATCH = FaceAnswer(_FAILED, "face_id_name_mismatch", go_offline=True)
ID_NOT_FOUND = FaceAnswer(_FAILED, "face_id_not_found", go_offline=True)
PHOTO = FaceAnswer(_FAILED, "face_photo_unavailable", go_offline=True)
DOWN = FaceAnswer(_ERROR, "face_provider_down")
FAULT = FaceAnswer(_ERROR, "face_provider_error")  # wrong settings, ours or theirs; never the person's fault

# (provider, product) -> what it means -> codes, as they stand on the wire.
_CODES: dict[tuple[str, str], list[tuple[FaceAnswer, str]]] = {
    ("tencent", "detect_h5"): [
        (PASSED, "0"),
        (PENDING, "14 17"),  # 14: done, query again
        (SESSION_EXPIRED, "15 16 BizTokenExpired"),  # 16: the session's own retries are used up
        (NO_MATCH, "2011 2015 2016"),
        (ID_NAME_MISMATCH, "301 2006"),
        (ID_NOT_FOUND, "2005 IdNoExistSystem"),
        (PHOTO, "2007 2008 2009 IdPhotoNoExist"),
        (LIVENESS, "1003 1004 1005 1301 1302 1303"),
        (SPOOF, "1002 LivessDetectFake"),
        (QUALITY, "1202 2004 2010 LifePhotoDetectFaces"),
        (TIMEOUT, "1001 2001"),
        (NETWORK, "1008"),
        (RATE_LIMITED, "2018 IdentityAuthLimitExceeded RequestLimitExceeded"),
        (DOWN, "4 8 10 12 13 1006 2017"),
        (FAULT, "1 2 3 203 204"),
    ],
    ("tencent", "app_sdk"): [(CANCELLED, "212"), (DEVICE, "215")],
    ("alibaba", "ID_PRO.Code"): [  # Code 200 means only that the call worked: SubCode is asked then
        (PENDING, "403 424"),
        (DEVICE, "414 415 416"),
        (PHOTO, "417"),  # after SubCode 201, 202 or 203: this identity can never begin again
        (RATE_LIMITED, "418"),
        (SPOOF, "427"),
        (DOWN, "500"),
        (FAULT, "400 401 402 404 410 411 412"),
    ],
    ("alibaba", "ID_PRO.SubCode"): [
        (PASSED, "200"),
        (ID_NAME_MISMATCH, "201"),
        (ID_NOT_FOUND, "202"),
        (PHOTO, "203"),
        (NO_MATCH, "204"),
        (LIVENESS, "205"),
    ],
    ("wechat", "verify_ret"): [  # asked for only when errcode is 0
        (PASSED, "10000"),
        (QUALITY, "90011 90013 90014"),
        (TIMEOUT, "90017 90107"),
        (NETWORK, "90007 90012"),
        (CANCELLED, "90002 90003 90004 90005 90006"),
        (DEVICE, "90001 90008 90009 90010 90106 90109"),
        (DOWN, "90018 90104 90105 90110 90199"),
    ],
    ("wechat", "errcode"): [(RATE_LIMITED, "45009")],
}
# The stand-in speaks Alibaba's protocol; what that vendor tells only the device has SubCodes from 901.
_CODES["sandbox", "ID_PRO.Code"] = _CODES["alibaba", "ID_PRO.Code"]
_CODES["sandbox", "ID_PRO.SubCode"] = [
    *_CODES["alibaba", "ID_PRO.SubCode"],
    (QUALITY, "901"),
    (NETWORK, "902"),
    (TIMEOUT, "903"),
    (CANCELLED, "904"),
]

OUTCOMES: dict[tuple[str, str, str], FaceAnswer] = {
    (provider, product, code): meaning
    for (provider, product), rows in _CODES.items()
    for meaning, codes in rows
    for code in codes.split()
}

REASONS = frozenset(
    meaning.reason for meaning in (*OUTCOMES.values(), DOWN, SESSION_EXPIRED) if meaning.reason is not None
)


def answer_for(provider: str, product: str, code: str, finished_at: datetime) -> FaceAnswer:
    """Say a vendor's code in our words; `finished_at` is the provider's time, else the time of asking."""
    meaning = OUTCOMES.get((provider, product, code))
    if meaning is None:
        log.error("face_code_unknown", provider=provider, product=product, code=code[:40])
        meaning = FAULT
    if meaning is PENDING:
        return meaning
    # vendors' daily limits begin anew at midnight in Shanghai (DOMAIN §D, §F 13)
    later = next_midnight(finished_at) if meaning is RATE_LIMITED else None
    return replace(meaning, next_retry_at=later, finished_at=finished_at)
