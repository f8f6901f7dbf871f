"""A face vendor with no camera: Alibaba's financial-grade protocol (DOMAIN §D.3), outcomes of one's choice.

Speaks that vendor's words (`InitFaceVerify`, `DescribeFaceVerify`, `Code`, `SubCode`, `Passed`), so that the
adapter in `faces.py` is read and tested as a real one would be. Identities lie sealed and are found
again by blind index only.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import secrets
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from gateways.sandbox import Pool
from models.keyring import Keyring
from policies.calendar import next_midnight
from policies.people import normalise_number

SESSION_SECONDS = 1800  # CertifyUrl's life
PAGE = "https://face.sandbox.invalid/h5"  # a reserved name: no such host can exist

# outcome -> (Code, SubCode); SubCodes from 901 on are the stand-in's own, see face_outcomes.
OUTCOMES: dict[str, tuple[str, str | None]] = {
    "passed": ("200", "200"),
    "no_match": ("200", "204"),
    "liveness_failed": ("200", "205"),
    "quality": ("200", "901"),
    "network": ("200", "902"),
    "timeout": ("200", "903"),
    "user_cancelled": ("200", "904"),
    "photo_not_found": ("200", "203"),
    "id_not_found": ("200", "202"),
    "rate_limited": ("418", None),
    "provider_down": ("500", None),
}
_BLOCKS = {"photo_not_found": "417", "id_not_found": "417", "rate_limited": "418"}


class OutcomeUnknown(ValueError):
    """Not one of `OUTCOMES`."""


class SessionUnknown(LookupError):
    """The vendor never opened such a session."""


class SessionClosed(Exception):
    """The session has ended otherwise, or its 30 minutes are over: it takes no (other) outcome."""


@dataclass(frozen=True, slots=True)
class Callback:
    """What the vendor would post to `/v1/callbacks/face/sandbox`."""

    headers: dict[str, str]
    body: bytes


class SandboxVendor:
    """The vendor's side: its API as plain dicts, and the developer's hand that chooses outcomes."""

    def __init__(self, pool: Pool, keys: Keyring) -> None:
        """Remember in schema `sandbox` of `pool`, sealed with `keys`."""
        self._pool = pool
        self._keys = keys

    def init_face_verify(self, request: dict[str, str]) -> dict[str, Any]:
        """Answer `InitFaceVerify`: a CertifyId, or Code 417 or 418 for whom no session can begin."""
        identity = self._identity(request)
        with self._pool.connection() as connection:
            block = connection.execute(_BLOCKED, {"identity": identity}).fetchone()
            if block is not None:
                return _wire(block[0], None)
            certify_id = secrets.token_hex(16)
            who = {key: request[key] for key in ("CertType", "CertName", "CertNo")}
            row = connection.execute(
                _BEGIN,
                {
                    "certify_id": certify_id,
                    "order": request["OuterOrderNo"],
                    "identity": identity,
                    "sealed": self._keys.seal(json.dumps(who).encode(), _context(request["OuterOrderNo"])),
                    "seconds": SESSION_SECONDS,
                },
            ).fetchone()
        if row is None:  # the order number was used for somebody else
            return _wire("401", None)
        begun, expires_at = row
        url = f"{PAGE}?certifyId={begun}"
        return _wire("200", {"CertifyId": begun, "CertifyUrl": url, "ExpiresAt": expires_at.isoformat()})

    def describe_face_verify(self, certify_id: str) -> dict[str, Any]:
        """Answer `DescribeFaceVerify`: 424 while unanswered, then `Passed`, `SubCode` and the identity."""
        with self._pool.connection() as connection:
            row = connection.execute(_DESCRIBE, {"certify_id": certify_id}).fetchone()
        if row is None:
            return _wire("404", None)
        order, sealed, expires_at, outcome, finished_at, now = row
        if outcome is None:
            return _wire("424", {"ExpiresAt": expires_at.isoformat(), "AskedAt": now.isoformat()})
        code, sub_code = OUTCOMES[outcome]
        result = {
            "Passed": "T" if outcome == "passed" else "F",
            "SubCode": sub_code,
            "UserInfo": self._keys.open(sealed, _context(order)).decode(),
            "MaterialInfo": json.dumps({"finishedAt": finished_at.isoformat()}),
        }
        return _wire(code, result)

    def delete_face_verify_result(self, certify_id: str) -> dict[str, Any]:
        """Answer `DeleteFaceVerifyResult`: delete the session; no error if there is none."""
        with self._pool.connection() as connection:
            connection.execute(_DELETE, {"certify_id": certify_id})
        return _wire("200", None)

    def complete(self, certify_id: str, outcome: str) -> Callback:
        """End a session as the developer chooses and give the signed callback; said again, again.

        Raises `OutcomeUnknown`, `SessionUnknown` and `SessionClosed`.
        """
        if outcome not in OUTCOMES:
            raise OutcomeUnknown(outcome)
        block = _BLOCKS.get(outcome)
        with self._pool.connection() as connection, connection.transaction():
            row = connection.execute(_LOCK, {"certify_id": certify_id}).fetchone()
            if row is None:
                raise SessionUnknown(certify_id)
            identity, before, expires_at, now = row
            if before not in {None, outcome} or (before is None and now >= expires_at):
                raise SessionClosed(certify_id)
            if before is None:
                connection.execute(_FINISH, {"certify_id": certify_id, "outcome": outcome, "now": now})
            if before is None and block is not None:
                until = next_midnight(now) if block == "418" else None
                connection.execute(_BLOCK, {"identity": identity, "code": block, "until": until})
        return self.callback(certify_id, outcome)

    def callback(self, certify_id: str, outcome: str) -> Callback:
        """The vendor's callback: JSON, signed by HMAC-SHA-256 of `timestamp.body` (real time, seconds)."""
        body = json.dumps({"certifyId": certify_id, "passed": OUTCOMES[outcome][1] or OUTCOMES[outcome][0]}).encode()
        secret, now = self.secret_and_real_time()
        stamp = str(int(now.timestamp()))
        signature = sign(secret, stamp, body)
        headers = {
            "content-type": "application/json",
            "sandbox-timestamp": stamp,
            "sandbox-signature": signature,
        }
        return Callback(headers, body)

    def secret_and_real_time(self) -> tuple[bytes, datetime]:
        """The callback secret, and real time: signatures age with the world, not with the sandbox's clock."""
        with self._pool.connection() as connection:
            row = connection.execute(_SECRET).fetchone()
        assert row is not None  # noqa: S101 - the schema put it there
        return bytes(row[0]), row[1]

    def _identity(self, request: dict[str, str]) -> str:
        number = normalise_number(request["CertNo"])
        return self._keys.person("sandbox-face", f"{request['CertType']}:{number}")


def sign(secret: bytes, stamp: str, body: bytes) -> str:
    """The signature of a callback, lower-case hex."""
    return hmac.digest(secret, f"{stamp}.".encode() + body, hashlib.sha256).hex()


def _wire(code: str, result: dict[str, Any] | None) -> dict[str, Any]:
    message = "success" if code == "200" else "refused"
    return {"Code": code, "Message": message, "RequestId": secrets.token_hex(16), "ResultObject": result}


def _context(order: str) -> str:
    return f"sandbox.face_sessions:{order}"


_BLOCKED = """
select code from sandbox.face_blocks
where identity = %(identity)s and (until is null or until > kinbind_now())
order by code limit 1
"""
_BEGIN = """
insert into sandbox.face_sessions as s (certify_id, outer_order_no, identity, sealed, begun_at, expires_at)
select %(certify_id)s, %(order)s, %(identity)s, %(sealed)s, now, now + make_interval(secs => %(seconds)s)
from kinbind_now() as now
on conflict (outer_order_no) do update set outer_order_no = excluded.outer_order_no
  where s.identity = excluded.identity
returning certify_id, expires_at
"""
_DESCRIBE = """
select outer_order_no, sealed, expires_at, outcome, finished_at, kinbind_now()
from sandbox.face_sessions where certify_id = %(certify_id)s
"""
_LOCK = """
select identity, outcome, expires_at, kinbind_now()
from sandbox.face_sessions where certify_id = %(certify_id)s for update
"""
_FINISH = """
update sandbox.face_sessions set outcome = %(outcome)s, finished_at = %(now)s
where certify_id = %(certify_id)s
"""
_DELETE = "delete from sandbox.face_sessions where certify_id = %(certify_id)s"
_BLOCK = """
insert into sandbox.face_blocks (identity, code, until) values (%(identity)s, %(code)s, %(until)s)
on conflict (identity, code) do update set until = excluded.until
"""
_SECRET = "select secret, clock_timestamp() from sandbox.secrets where name = 'faces'"  # noqa: S105
