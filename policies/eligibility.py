"""What registries' answers mean under a plan: may an application go on, is a binding still insured."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from policies.plan import Insured, Plan

_Standing = Literal["fits", "none", "suspended", "terminated", "elsewhere"]
_Party = Literal["holder", "member"]

_REASONS: dict[_Standing, str] = {
    "none": "not_insured",
    "suspended": "insurance_suspended",
    "terminated": "insurance_suspended",
    "elsewhere": "region_not_allowed",
}
# Why a binding in force is suspended, the worst first: what it was made with is gone (W6), or only suspended.
_RESTS: dict[_Standing, str] = {
    "terminated": "insurance_ended",
    "elsewhere": "region_not_allowed",
    "none": "not_insured",
    "suspended": "insurance_suspended",
}
# All that `judge` may answer: no paper of the family's can mend it.
REGISTRY_REASONS = frozenset({
    *_REASONS.values(), "name_id_mismatch", "birth_date_mismatch", "birth_cert_not_found",
    "birth_cert_mother_mismatch", "birth_cert_child_mismatch", "birth_cert_date_mismatch",
    "holder_credential_inactive", "member_credential_inactive", "prior_filing_missing",
})  # fmt: skip


@dataclass(frozen=True, slots=True)
class Insurance:
    """Where and how a person is insured (DOMAIN §E: 参保状态)."""

    scheme: str  # "employee", "resident"
    status: str  # "normal", "suspended", "terminated"
    region: str  # 6-digit area code


@dataclass(frozen=True, slots=True)
class Party:
    """What the registries say of one party; `Party()` is one whom no registry knows."""

    known: bool = False
    name_matches: bool = False
    birth_date_matches: bool | None = None  # None: no registry has the date
    insured: Insurance | None = None  # None: no insurance found
    credential_active: bool = False


@dataclass(frozen=True, slots=True)
class Certificate:
    """How the birth registry's record of a certificate compares with what was stated in the application."""

    found: bool
    mother_matches: bool = False
    child_matches: bool = False
    date_matches: bool = False


@dataclass(frozen=True, slots=True)
class Answers:
    """All that the registries were asked about one binding."""

    holder: Party = Party()
    member: Party = Party()
    certificate: Certificate | None = None
    filed: bool = False  # the two, with the agency beforehand (F35)

    def of(self, party: _Party) -> Party:
        """Return what is said of this party."""
        return self.holder if party == "holder" else self.member


def judge(plan: Plan, answers: Answers) -> str | None:
    """Return the reason for which the registries' answers refuse the application, or None.

    Who it is comes first (`name_id_mismatch`, `birth_date_mismatch`, `birth_cert_not_found`,
    `birth_cert_mother_mismatch`, `birth_cert_child_mismatch`, `birth_cert_date_mismatch`), then whether he is insured
    (`not_insured`, `insurance_suspended`, `region_not_allowed`; F67, F81, F154), then the holder's credential
    (`holder_credential_inactive`, F116) and filing (`prior_filing_missing`, F35). Whom no registry knows is
    `not_insured`.
    """
    reasons = (
        _who(plan, answers, "holder"),
        _who(plan, answers, "member"),
        _birth_certificate(plan, answers),
        _REASONS.get(_standing(plan, answers, "holder")),
        _REASONS.get(_standing(plan, answers, "member")),
        _credential(plan, answers, "holder"),
        _credential(plan, answers, "member"),
        _filing(plan, answers),
    )
    return next((reason for reason in reasons if reason is not None), None)


def insurance_verdict(plan: Plan, answers: Answers) -> str | None:
    """Return why an active binding rests by the daily look, or None where it does not: the worse of both parties.

    `insurance_ended`, `region_not_allowed` (moved out of the area), `not_insured` (none found, or of another scheme;
    W6), `insurance_suspended` where it rests and the plan demands that it runs.
    """
    found = {_standing(plan, answers, "holder"), _standing(plan, answers, "member")}
    return next((reason for standing, reason in _RESTS.items() if standing in found), None)


def _demand(plan: Plan, party: _Party) -> Insured:
    return plan.registry.holder if party == "holder" else plan.registry.member


def _who(plan: Plan, answers: Answers, party: _Party) -> str | None:
    answer = answers.of(party)
    if not answer.known:
        # A newborn may be in no registry yet: there the certificate speaks (F18-F22).
        return None if _demand(plan, party).status == "any" else "not_insured"
    if not answer.name_matches:
        return "name_id_mismatch"
    # whether a face is asked stands on this date, and most documents do not carry it
    return "birth_date_mismatch" if answer.birth_date_matches is False else None


def _birth_certificate(plan: Plan, answers: Answers) -> str | None:
    if not plan.registry.birth_certificate:
        return None
    found = answers.certificate
    if found is None or not found.found:
        return "birth_cert_not_found"
    if not found.mother_matches:
        return "birth_cert_mother_mismatch"
    if not found.child_matches:
        return "birth_cert_child_mismatch"  # her own certificate binds nobody else's child
    # whether a face is asked stands on the stated date: it must be the certificate's
    return None if found.date_matches else "birth_cert_date_mismatch"


def _standing(plan: Plan, answers: Answers, party: _Party) -> _Standing:
    demand = _demand(plan, party)
    if demand.status == "any":
        return "fits"
    insured = answers.of(party).insured
    if insured is None or demand.scheme not in (None, insured.scheme):
        return "none"
    if insured.status == "terminated":
        return "terminated"
    if insured.status != "normal" and demand.status == "normal":
        return "suspended"
    return "fits" if insured.region.startswith(plan.registry.region) else "elsewhere"


def _credential(plan: Plan, answers: Answers, party: _Party) -> str | None:
    wanting = _demand(plan, party).credential_active and not answers.of(party).credential_active
    return f"{party}_credential_inactive" if wanting else None


def _filing(plan: Plan, answers: Answers) -> str | None:
    return "prior_filing_missing" if plan.registry.prior_filing and not answers.filed else None
