"""What registries say of two people in order, for the tests of the law book to spoil one thing of."""

from policies.eligibility import Answers, Insurance, Party


def answers(region="440100", *, filed=False, credential_active=True, **insured):
    """Both insured in `region` in the employee scheme, but for what `holder=` and `member=` say of the insurance."""
    usual = {"scheme": "employee", "status": "normal", "region": region}
    holder, member = (
        Party(
            known=True,
            name_matches=True,
            insured=Insurance(**usual | insured.get(party, {})),
            credential_active=credential_active,
        )
        for party in ("holder", "member")
    )
    return Answers(holder, member, filed=filed)
