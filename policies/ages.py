"""Completed years of age on days of Asia/Shanghai, by the border that a pack draws (C1, DOMAIN §C.7)."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Literal

from policies.plan import AgeRule, Plan

Group = Literal["minor", "adult"]


def birthday_in(birth_date: date, year: int, feb29_in_common_year: str = "mar01") -> date:
    """Return the birthday in `year`; 29 February falls on the pack's day in common years."""
    try:
        return birth_date.replace(year=year)
    except ValueError:
        # 民法典 §202 read literally gives the last day of the month, comparing month and day gives 1 March.
        return date(year, 2, 28) if feb29_in_common_year == "feb28" else date(year, 3, 1)


def age_reached_day(rule: AgeRule, birth_date: date, years: int) -> date:
    """Return the first day on which `years` completed years of age are counted."""
    day = birthday_in(birth_date, birth_date.year + years, rule.feb29_in_common_year)
    return day + timedelta(days=1) if rule.reached_on == "day_after" else day


def age_on(rule: AgeRule, birth_date: date, day: date) -> int:
    """Return the completed years of age on `day`; negative before birth."""
    years = day.year - birth_date.year
    return years if day >= age_reached_day(rule, birth_date, years) else years - 1


def face_age(rule: AgeRule) -> int:
    """Return the age at which a minor becomes an adult: 16 for "under 16", 17 for "16 and under" (C1).

    民法典 §1259: 以上 and 以下 include the number, 不满 excludes it. Raises `ValueError` when the rule names
    neither border or both.
    """
    below, up_to = rule.minor_max_exclusive, rule.minor_max_inclusive
    if (below is None) == (up_to is None):
        raise ValueError("exactly one of minor_max_exclusive and minor_max_inclusive")
    return below if below is not None else (up_to or 0) + 1


def face_age_day(rule: AgeRule, birth_date: date) -> date:
    """Return the first day (Asia/Shanghai) on which the member counts as an adult."""
    return age_reached_day(rule, birth_date, face_age(rule))


def face_to_come(plan: Plan, birth_date: date | None) -> date | None:
    """Return the first day on which a face is asked of a member of whom none is asked as a minor; None: never."""
    if not plan.face_at_age or plan.age_group == "adult" or birth_date is None:
        return None
    return face_age_day(plan.age, birth_date)


def age_group(rule: AgeRule, birth_date: date, day: date) -> Group:
    """Return the branch of the law in which a member born on `birth_date` stands on `day`."""
    return "adult" if day >= face_age_day(rule, birth_date) else "minor"
