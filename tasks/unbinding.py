"""The end of a binding by payment password: whoever asked for it shows that it is he."""

from __future__ import annotations

from msgspec.structs import replace

from gateways.registries import Unanswered
from tasks.office import Office
from workflows.access import passwords
from workflows.case import Case
from workflows.commands import Command, Outcome
from workflows.errors import Refused


def confirm_unbind(office: Office, command: Command, password: str) -> Outcome:
    """Check the password outside any transaction, then say `confirm_unbind`.

    Raises `Refused`: the desk's own, 422 `pay_password_wrong` with `attempts_left`, 409 `pay_password_locked`, 503
    `pay_password_unavailable`; and whatever breaks the question, which costs no attempt either.
    """
    rehearsed = office.desk.rehearse(command)
    if rehearsed.reply is not None or rehearsed.case is None or rehearsed.now is None:
        return rehearsed  # a replay
    person, number = _who_asked(rehearsed.case)
    day, left = passwords.take_attempt(office.ledger, person, rehearsed.now)
    try:
        right = office.windows.registries.pay_password_right(number, password)
    except Unanswered:
        passwords.give_back(office.ledger, person, day)
        raise Refused("pay_password_unavailable", 503, retry_after=30) from None
    except Exception:  # the service failed: that must not lock a family out for the day
        passwords.give_back(office.ledger, person, day)
        raise
    if not right:
        raise Refused("pay_password_wrong", 422, "/pay_password", attempts_left=left)
    passwords.give_back(office.ledger, person, day)
    facts = {**command.facts, "asked_at": rehearsed.case.since}
    return office.desk.say(replace(command, facts=facts))


def _who_asked(case: Case) -> tuple[str, str]:
    """Blind index and number of the person whose password it must be; for a guardian, the holder's.

    Raises `Refused` if the member is a newborn without a number: he has to come to a counter.
    """
    unbinding, application = case.progress.unbinding, case.application
    role = "member" if unbinding is not None and unbinding.by == "member" else "holder"
    number = application.parties[role]["id_number"]
    if number is None:
        raise Refused("id_number_required", 409)
    return getattr(application, role), number
