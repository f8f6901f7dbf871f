"""Registries that know what a developer told them, and believe everybody else."""

from __future__ import annotations

import hmac
import json
from collections.abc import Iterable, Mapping
from datetime import date
from typing import Any

from gateways.registries import BirthRecord, PersonAnswer, Unanswered
from gateways.sandbox import Pool
from gateways.sandbox.switches import Mode, answers, switch
from models.keyring import Keyring, keyring
from policies.eligibility import Insurance
from policies.people import normalise_number, same_name

DEFAULT_PASSWORD = "123456"  # noqa: S105 - API.md says so; it opens nothing but the sandbox
_PERSON_FIELDS = ("name", "insured", "credential_active", "pay_password", "birth_date")
_MEANT = {  # what developers write for the three statuses of DOMAIN §E
    "active": "normal",
    "insured": "normal",
    "paused": "suspended",
    "stopped": "suspended",
    "arrears": "suspended",
    "ended": "terminated",
}
STATUSES = ("normal", "suspended", "terminated", *_MEANT)


class SandboxRegistries:
    """`Registries` over schema `sandbox`; numbers are found by blind index, what is known lies sealed.

    Unknown people are insured where they say, in the employee scheme, credential active, password `123456`,
    names match, birth dates are not known; unknown birth certificates are not found, unknown pairs not filed.
    """

    def __init__(self, pool: Pool, keys: Keyring | None = None) -> None:
        """Use schema `sandbox` of `pool`, and the keyring of the process unless another is given."""
        self._pool = pool
        self._keys = keys or keyring()

    def person(self, name: str, id_type: str, number: str, region: str) -> PersonAnswer:
        """As in `Registries`; what was not told of a person is as for unknown people."""
        del id_type  # a number says enough to the sandbox
        told = self._told(number)
        insured: Insurance | None = None
        if (given := told.get("insured", {})) is not None:
            status = str(given.get("status") or "normal")
            insured = Insurance(
                scheme=str(given.get("scheme") or "employee"),
                status=_MEANT.get(status, status),
                region=str(given.get("region") or region),
            )
        return PersonAnswer(
            known=True,
            name_matches="name" not in told or same_name(told["name"], name),
            insured=insured,
            credential_active=bool(told.get("credential_active", True)),
            birth_date=_day(told.get("birth_date")),
        )

    def birth_certificate(self, number: str, mother_name: str, mother_number: str) -> BirthRecord:
        """As in `Registries`."""
        record = self._read(_CERTIFICATE, self._key("certificate", number))
        if record is None:
            return BirthRecord(found=False)
        told = record.get("mother_name")
        names_her = told is None or same_name(told, mother_name)
        if not names_her or normalise_number(record["mother_id_number"]) != normalise_number(mother_number):
            return BirthRecord(found=True)
        return BirthRecord(
            found=True,
            mother_matches=True,
            child_name=record.get("child_name"),
            child_birth_date=_day(record.get("child_birth_date")),
            child_id_number=record.get("child_id_number"),
        )

    def pay_password_right(self, number: str, password: str) -> bool:
        """As in `Registries`."""
        right = str(self._told(number).get("pay_password") or DEFAULT_PASSWORD)
        return hmac.compare_digest(right.encode(), password.encode())

    def prior_filing(self, holder_number: str, member_number: str) -> bool:
        """As in `Registries`."""
        self._be_up()
        pair = (self._key("person", holder_number), self._key("person", member_number))
        with self._pool.connection() as connection:
            row = connection.execute("select from sandbox.filings where holder = %s and member = %s", pair).fetchone()
        return row is not None

    def put_person(self, id_number: str, told: Mapping[str, Any]) -> None:
        """Learn of a person the fields of `PUT /v1/sandbox/persons` that are given; the others stay.

        `insured` may be given in parts, or None for "not insured"; `birth_certificates` are replaced
        one by one, by number. Beyond the API: `birth_date`, and `prior_filings` (members' numbers), which adds
        filings of this holder. Raises `ValueError` for a date that is no ISO date.
        """
        fields = {field: told[field] for field in _PERSON_FIELDS if field in told}
        if "birth_date" in fields:
            fields["birth_date"] = _iso(fields["birth_date"])
        certificates = [dict(one) for one in told.get("birth_certificates") or ()]
        for certificate in certificates:
            certificate["child_birth_date"] = _iso(certificate.get("child_birth_date"))
        person = self._key("person", id_number)
        with self._pool.connection() as connection, connection.transaction():
            connection.execute(_ENSURE, (person, self._seal(person, {})))
            row = connection.execute(f"{_PERSON} for update", (person,)).fetchone()
            assert row is not None  # noqa: S101 - ensured above
            known = _merged(self._unseal(person, row[0]), fields)
            connection.execute(_LEARN, (self._seal(person, known), person))
            for certificate in certificates:
                defaults = {"mother_id_number": id_number, "mother_name": known.get("name")}
                given = {key: value for key, value in certificate.items() if value is not None}
                key = self._key("certificate", str(certificate["number"]))
                connection.execute(_CERTIFY, (key, self._seal(key, defaults | given)))
        self._file(person, told.get("prior_filings") or ())

    def set_mode(self, mode: Mode, seconds: float = 0) -> None:
        """For drills: `up`, `down` (every question raises `Unanswered`), or `slow` by `seconds` of real time."""
        switch(self._pool, "registries", mode, seconds)

    def _file(self, holder: str, members: Iterable[str]) -> None:
        with self._pool.connection() as connection:
            for member in members:
                connection.execute(
                    "insert into sandbox.filings (holder, member) values (%s, %s) on conflict do nothing",
                    (holder, self._key("person", member)),
                )

    def _told(self, number: str) -> dict[str, Any]:
        return self._read(_PERSON, self._key("person", number)) or {}

    def _read(self, statement: str, key: str) -> dict[str, Any] | None:
        self._be_up()
        with self._pool.connection() as connection:
            row = connection.execute(statement, (key,)).fetchone()
        return None if row is None else self._unseal(key, row[0])

    def _be_up(self) -> None:
        if not answers(self._pool, "registries"):
            raise Unanswered

    def _key(self, kind: str, number: str) -> str:
        family = "sandbox" if kind == "person" else f"sandbox-{kind}"
        return self._keys.person(family, normalise_number(number))

    def _seal(self, key: str, body: Mapping[str, Any]) -> bytes:
        return self._keys.seal(json.dumps(body).encode(), f"sandbox:{key}")

    def _unseal(self, key: str, sealed: bytes) -> dict[str, Any]:
        body: dict[str, Any] = json.loads(self._keys.open(sealed, f"sandbox:{key}"))
        return body


def _merged(before: dict[str, Any], told: dict[str, Any]) -> dict[str, Any]:
    after = before | told
    if told.get("insured") is not None:
        after["insured"] = (before.get("insured") or {}) | told["insured"]
    return after


def _iso(given: date | str | None) -> str | None:
    if given is None:
        return None
    return (given if isinstance(given, date) else date.fromisoformat(given)).isoformat()


def _day(told: str | None) -> date | None:
    return date.fromisoformat(told) if told else None


_PERSON = "select sealed from sandbox.persons where person = %s"
_CERTIFICATE = "select sealed from sandbox.birth_certificates where certificate = %s"
_ENSURE = "insert into sandbox.persons (person, sealed) values (%s, %s) on conflict do nothing"
_LEARN = "update sandbox.persons set sealed = %s where person = %s"
_CERTIFY = """
insert into sandbox.birth_certificates (certificate, sealed) values (%s, %s)
on conflict (certificate) do update set sealed = excluded.sealed
"""
