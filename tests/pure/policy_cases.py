"""Applications that are in order, for the tests of the law book to spoil one thing of."""

from dataclasses import replace
from datetime import date, timedelta

import pytest

from policies.book import lawbook
from policies.planning import ApplicationFacts, PersonFacts, plan_for
from policies.refusals import NotAllowed

DAY = date(2026, 11, 21)
GUANGZHOU, SHENZHEN, BEIJING, NANJING, CHANGSHU = "440100", "440300", "110105", "320100", "320581"
GROWN = date(1950, 5, 1)


def asked(product="family_account", region=GUANGZHOU, born=GROWN, **other):
    """An application that is in order, but for what a test says."""
    sharing = product == "account_sharing"
    grown = born is None or born.year < 2008
    facts = ApplicationFacts(
        product=product,
        method=other.pop("method", "id_number"),
        relationship=other.pop("relationship", "PARENT" if grown else "CHILD"),
        channel=other.pop("channel", "yueyibao_alipay" if sharing and region[:2] == "44" else None),
        initiator=other.pop("initiator", None),
        holder=PersonFacts("resident_id", region, other.pop("holder_born", date(1980, 1, 1))),
        member=PersonFacts(other.pop("id_type", "resident_id"), other.pop("member_region", region), born),
    )
    return replace(facts, **other)


def plan(*args, **kwargs):
    return plan_for(lawbook(), asked(*args, **kwargs), DAY)


def found_on(day, *args, **kwargs):
    """The plan of an application made on `day`, or the code with which it is refused."""
    try:
        return plan_for(lawbook(), asked(*args, **kwargs), day)
    except NotAllowed as no:
        return no.code


def around(day):
    """The day before a border, the border itself and the day after."""
    return [day - timedelta(days=1), day, day + timedelta(days=1)]


def refusal(*args, **kwargs):
    with pytest.raises(NotAllowed) as refused:
        plan(*args, **kwargs)
    return refused.value.code, refused.value.pointer, refused.value.status


def kinds(found):
    return [group.any_of for group in found.materials]


REGISTER = ("household_register_first_page", "household_register_member_page")
