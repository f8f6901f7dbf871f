"""Reviews that pass by themselves, and those of them that are drawn to be looked at by a reviewer all the same."""

from __future__ import annotations

import hashlib

from workflows.case import Case


def automatic(case: Case) -> bool:
    """Whether the pack lets reviews pass by themselves, but for a sample.

    Not if a registry objects (0026), nor once a person has returned it: then a person decides.
    """
    untouched = case.progress.objection is None and case.progress.faults_told is None
    return case.plan.review.mode == "auto_then_sample" and untouched


def drawn(case: Case) -> bool:
    """Whether this case is in the sample."""
    return _draw(case) < case.plan.review.sample_share


def draw(holder: str, member: str, product: str) -> float:
    """A number in [0, 1) from two persons (their blind indexes) and the product.

    Applying again draws the same. Persons are indexed under a key of the keyring: only who has it can foresee the draw
    (0021), or check it later (docs/packs.md).
    """
    digest = hashlib.sha256(f"{holder}:{member}:{product}".encode()).digest()
    return int.from_bytes(digest[:4]) / 2**32


def rule(case: Case) -> str:
    """Under which rule the system decided, for the history: enough to check the draw by hand."""
    plan = case.plan
    share = f"sample_share {plan.review.sample_share:g}, drawn {_draw(case):.6f} (sha256 of holder:member:product)"
    return f"{plan.pack} {plan.version}: review.mode auto_then_sample, {share}"


def _draw(case: Case) -> float:
    application = case.application
    return draw(application.holder, application.member, application.product)
