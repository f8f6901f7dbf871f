"""What registries say of two people in order, for the tests of the law book to spoil one thing of."""


def answers(region="440100", *, filed=False, credential_active=True, **insured):
    """Both insured in `region` in the employee scheme, but for what `holder=` and `member=` say of the insurance."""
    said = {
        party: {
            "known": True,
            "name_matches": True,
            "insured": {"scheme": "employee", "status": "normal", "region": region} | insured.get(party, {}),
            "credential_active": credential_active,
        }
        for party in ("holder", "member")
    }
    return said | {"prior_filing": filed}
