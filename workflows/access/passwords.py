"""Wrong payment passwords: five of a person on one Shanghai day, in all channels together, and it is locked.

An attempt is taken before the password is checked and given back when it was right, so that twenty guesses sent at
once are five guesses too.
"""

from __future__ import annotations

from datetime import date, datetime

from models.ledger import Ledger
from policies.calendar import next_midnight, shanghai_day
from workflows.errors import Refused
from workflows.guards import MOST_WRONG

_TAKE = """
insert into password_failures (person, day, wrong) values (%(person)s, %(day)s, 1)
on conflict (person, day) do update set wrong = password_failures.wrong + 1 where password_failures.wrong < %(most)s
returning wrong
"""
_GIVE_BACK = "update password_failures set wrong = wrong - 1 where person = %(person)s and day = %(day)s and wrong > 0"


def take_attempt(ledger: Ledger, person: str, now: datetime) -> tuple[date, int]:
    """Take one of the day's attempts; the day, and how many are left if this one is wrong.

    Raises `Refused` 409 `pay_password_locked`.
    """
    day = shanghai_day(now)
    with ledger.connection() as conn:
        row = conn.execute(_TAKE, {"person": person, "day": day, "most": MOST_WRONG}).fetchone()
    if row is None:
        raise Refused("pay_password_locked", 409, until=next_midnight(now))
    return day, MOST_WRONG - row[0]


def give_back(ledger: Ledger, person: str, day: date) -> None:
    """The password was right, or nobody could say: the attempt does not count."""
    with ledger.connection() as conn:
        conn.execute(_GIVE_BACK, {"person": person, "day": day})
