"""What an active binding entitles to, asked at the moment of use (C6, C7, F52, F110)."""

from __future__ import annotations

from policies.plan import Plan


def refusal(plan: Plan, purpose: str, patient: str | None = None, region: str | None = None) -> str | None:
    """Return why an active binding with this plan does not allow the use, or None where it does.

    `patient` is who is being treated, "member" where nobody says; `region` the six digits of the place of
    use, the insured place where nobody says. Reasons: `wrong_product` (money asked of a binding that shares
    none, F34, F63), `purpose_not_allowed`, `not_own_code` (another person's code than the patient's, F52) and
    `region_not_allowed` (shared money outside its area, F110: also where the holder's code is shown, for it pays, F99).
    """
    if purpose not in plan.purposes:
        return "wrong_product" if purpose == "pay_from_account" else "purpose_not_allowed"
    if purpose == "show_code" and plan.own_code_only and (patient or "member") != plan.shown_credential:
        return "not_own_code"
    pays = purpose == "pay_from_account" or (purpose == "show_code" and plan.shown_credential == "holder")
    outside = region is not None and not region.startswith(plan.registry.region)
    return "region_not_allowed" if pays and outside else None
