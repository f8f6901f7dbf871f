"""What the identity, insurance and birth registries and the payment-password service are to kinbind."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from typing import Protocol

from policies.eligibility import Insurance


class Unanswered(Exception):
    """A registry did not answer: nothing is known, and it will be asked again."""


@dataclass(frozen=True, slots=True)
class PersonAnswer:
    """What the registries say of one person: facts only, the desk judges them."""

    known: bool
    name_matches: bool
    insured: Insurance | None  # None: no insurance found
    credential_active: bool  # 医保电子凭证 (F116)
    birth_date: date | None = None  # None: this registry does not say


@dataclass(frozen=True, slots=True)
class BirthRecord:
    """What the birth-certificate registry says of one certificate (F22)."""

    found: bool
    mother_matches: bool = False
    child_name: str | None = None  # None too if the mother does not match: then it is not hers to read
    child_birth_date: date | None = None
    child_id_number: str | None = None  # once the child is registered and has one


class Registries(Protocol):
    """The registries behind one opening. Every method raises `Unanswered` where there is no answer."""

    def person(self, name: str, id_type: str, number: str, region: str) -> PersonAnswer:
        """What is known of a person who says to be insured in `region` (6-digit area code).

        If the answer has no birth date, children whose document has none either go to the counter.
        """

    def birth_certificate(self, number: str, mother_name: str, mother_number: str) -> BirthRecord:
        """The record of a birth certificate, and whether the mother is the one it names."""

    def pay_password_right(self, number: str, password: str) -> bool:
        """Whether this is that person's payment password; attempts are counted by the desk."""

    def prior_filing(self, holder_number: str, member_number: str) -> bool:
        """Whether the two have been filed with the agency beforehand (F35, Beijing)."""
