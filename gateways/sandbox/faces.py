"""The face provider `sandbox`: an adapter like a real one, in front of the vendor with no camera."""

from __future__ import annotations

import hashlib
import hmac
import json
from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime
from typing import Any

import structlog

from gateways.face_outcomes import FAULT, SESSION_EXPIRED, answer_for
from gateways.faces import (
    FaceAnswer,
    FaceStart,
    FaceStatus,
    Forged,
    ProviderDown,
    ProviderRefused,
    Subject,
)
from gateways.sandbox import Pool
from gateways.sandbox.switches import Mode, answers, switch
from gateways.sandbox.vendor import Callback, SandboxVendor, sign
from models.keyring import Keyring, keyring

log = structlog.get_logger(__name__)

_CALLBACK_SECONDS = 300  # how old a signature may be, real time, either way
_CALLBACK_BYTES = 4096
_CERT_TYPES = {"resident_id": "IDENTITY_CARD"}  # no codes of the vendor are known for others: they keep our own words


class SandboxFaces:
    """Face checks without faces: `complete` chooses how one ends (DOMAIN §D.3, §D.6)."""

    name = "sandbox"

    def __init__(self, pool: Pool, keys: Keyring | None = None) -> None:
        """Use schema `sandbox` of `pool`, and the keyring of the process unless another is given."""
        self._pool = pool
        self._vendor = SandboxVendor(pool, keys or keyring())

    def begin(self, session_id: str, subject: Subject) -> FaceStart:
        """Open a session of 1800 s; as in `FaceProvider`.

        Refused for ever after photo or ID not found (417, a counter helps), to midnight after too many (418).
        """
        self._be_up()
        request = {"OuterOrderNo": _order(session_id), "ProductCode": "ID_PRO", **_wire(subject)}
        reply = self._vendor.init_face_verify(request)
        if reply["Code"] != "200":
            self._refuse(reply["Code"])
        result = reply["ResultObject"]
        expires_at = datetime.fromisoformat(result["ExpiresAt"])
        return FaceStart(result["CertifyId"], result["CertifyUrl"], None, expires_at)

    def ask(self, reference: str, expect: Subject) -> FaceAnswer:
        """Ask for the truth of a session; as in `FaceProvider`."""
        self._be_up()
        reply = self._vendor.describe_face_verify(reference)
        code, result = reply["Code"], reply["ResultObject"] or {}
        finished_at = self._finished_at(result)
        if code == "424" and finished_at >= (over := datetime.fromisoformat(result["ExpiresAt"])):
            return replace(SESSION_EXPIRED, finished_at=over)  # the vendor goes on saying "not finished"
        if code != "200":
            return answer_for(self.name, "ID_PRO.Code", code, finished_at)
        answer = answer_for(self.name, "ID_PRO.SubCode", result["SubCode"], finished_at)
        passed = answer.status is FaceStatus.PASSED
        if passed != (result["Passed"] == "T") or not _echo(result).is_same(expect):
            # If two fields disagree, or the result is another person's, it is no pass (DOMAIN §D.2).
            log.error("face_answer_not_ours", provider=self.name, reference=reference)
            return replace(FAULT, finished_at=finished_at)
        return answer

    def read_callback(self, headers: Mapping[str, str], body: bytes, query: Mapping[str, str]) -> str:
        """Check `sandbox-signature`, HMAC-SHA-256 of `timestamp.body`, 5 minutes old at most."""
        del query  # the sandbox sends nothing in it
        given = {name.lower(): value for name, value in headers.items()}
        stamp, signature = given.get("sandbox-timestamp", ""), given.get("sandbox-signature", "")
        if len(body) > _CALLBACK_BYTES or not (stamp.isascii() and stamp.isdigit() and signature.isascii()):
            raise Forged("form")
        secret, now = self._vendor.secret_and_real_time()
        if not hmac.compare_digest(sign(secret, stamp, body), signature):
            raise Forged("signature")
        if abs(now.timestamp() - int(stamp)) > _CALLBACK_SECONDS:
            raise Forged("timestamp")
        reference = json.loads(body)["certifyId"]  # signed, hence ours and well formed
        return str(reference)

    def forget(self, reference: str) -> None:
        """Erase a session; as in `FaceProvider`."""
        self._be_up()
        self._vendor.delete_face_verify_result(reference)

    def complete(self, reference: str, outcome: str) -> Callback:
        """End a session with one of the API's sandbox outcomes, and give the callback to deliver.

        Raises `OutcomeUnknown`, `SessionUnknown` and `SessionClosed` (of `gateways.sandbox.vendor`).
        """
        return self._vendor.complete(reference, outcome)

    def set_mode(self, mode: Mode, seconds: float = 0) -> None:
        """For drills: `up`, `down` (`begin`, `ask` and `forget` raise `ProviderDown`), or `slow` by real `seconds`."""
        switch(self._pool, "faces", mode, seconds)

    def _be_up(self) -> None:
        if not answers(self._pool, "faces"):
            raise ProviderDown

    def _refuse(self, code: str) -> None:
        answer = answer_for(self.name, "ID_PRO.Code", code, self._now())
        raise ProviderRefused(
            answer.reason or "face_provider_error",
            go_offline=answer.go_offline,
            next_retry_at=answer.next_retry_at,
        )

    def _finished_at(self, result: dict[str, Any]) -> datetime:
        if "MaterialInfo" in result:
            return datetime.fromisoformat(json.loads(result["MaterialInfo"])["finishedAt"])
        return datetime.fromisoformat(result["AskedAt"]) if "AskedAt" in result else self._now()

    def _now(self) -> datetime:
        with self._pool.connection() as connection:
            row = connection.execute("select kinbind_now()").fetchone()
        assert row is not None  # noqa: S101 - a select without a table always answers
        moment: datetime = row[0]
        return moment


def _order(session_id: str) -> str:
    # OuterOrderNo takes 32 letters and digits; our ids have an underscore.
    return hashlib.sha256(session_id.encode()).hexdigest()[:32]


def _wire(subject: Subject) -> dict[str, str]:
    cert_type = _CERT_TYPES.get(subject.id_type, subject.id_type)
    return {"CertType": cert_type, "CertName": subject.name, "CertNo": subject.id_number}


def _echo(result: dict[str, Any]) -> Subject:
    who = json.loads(result["UserInfo"])
    ours = {theirs: word for word, theirs in _CERT_TYPES.items()}
    return Subject(who["CertName"], ours.get(who["CertType"], who["CertType"]), who["CertNo"])
