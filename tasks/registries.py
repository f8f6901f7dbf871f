"""Ask the registries: whether an application may go on, and every day whether a binding is still insured.

Both are watches: due rows that ask and count, without a line in the history until an answer changes something. A
row is put off before its question is asked, so that two workers never ask the same at once and nothing is locked
meanwhile; whoever dies while asking is followed by the next round.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import date, datetime, timedelta
from typing import Any, NamedTuple

import structlog
from psycopg import Connection

from gateways.registries import BirthRecord, Unanswered
from policies.eligibility import Answers, Certificate, Party, insurance_verdict, judge
from policies.people import carries_birth_date, normalise_number, same_name
from tasks.changes import birth_record, number_found, unnumbered
from tasks.office import Office
from workflows import suspicion
from workflows.case import ACTIVE, INSURANCE, MATERIALS_UPLOADED, SUSPENDED, SYSTEM, Case
from workflows.commands import Command
from workflows.deadlines import ASK_AGAIN, daily_look
from workflows.entitlements import NO_GROUNDS, has_grounds
from workflows.errors import Refused, undecided
from workflows.guards import SUSPECTED

AT_ONCE = 8  # questions at the same time: the registries are slow, and others' servers
CLAIM = 2 * AT_ONCE  # cases leased at a time: each is asked about well within its lease
GOES_ON = 9.0  # real seconds for which one call takes on more claims; what is left waits for the next
RETRY_LOOK = timedelta(hours=1)  # after a daily look that had no answer

# Put off to the grid of `due_at` plus multiples of the pause, as `waiting_on` shows it.
_PUT_OFF = """
with due as (
  select d.binding_id, now from deadlines d, (select kinbind_now() as now) as clock
  where d.name = %(name)s and d.watch and d.parked is null and d.due_at <= now
  order by d.due_at limit %(limit)s for update of d skip locked)
update deadlines d
set attempts = d.attempts + 1, leased_until = clock_timestamp() + interval '60 seconds',
    due_at = d.due_at + %(pause)s
      * (floor(extract(epoch from now - d.due_at) / extract(epoch from %(pause)s::interval)) + 1)
from due where d.binding_id = due.binding_id and d.name = %(name)s
returning d.binding_id
"""
# The lease is over: who was asking has died. The family must not wait for the next round, which may be an hour away.
_GIVE_BACK = """
update deadlines d set due_at = d.due_at - %(pause)s, leased_until = null
from (select binding_id, name from deadlines
      where leased_until < clock_timestamp() and watch and name = %(name)s for update skip locked) as lost
where d.binding_id = lost.binding_id and d.name = lost.name
"""
_ASKED = "update deadlines set leased_until = null where binding_id = any(%s) and name = %s"
# After an end, what else is in force between the same two is looked at at once; after a death, all that either has.
_LOOK_NOW = """
update deadlines d set due_at = least(d.due_at, (select kinbind_now()))
from (select w.binding_id, w.name from deadlines w
      where w.name = 'insurance_to_rechecked' and w.binding_id in (
        select o.binding_id from applications e join applications o on o.holder = e.holder and o.member = e.member
        where e.binding_id = any(%(ended)s)
        union select o.binding_id from applications e join applications o on o.holder in (e.holder, e.member)
        where e.binding_id = any(%(dead)s)
        union select o.binding_id from applications e join applications o on o.member in (e.holder, e.member)
        where e.binding_id = any(%(dead)s))
      for update of w skip locked) as free
where d.binding_id = free.binding_id and d.name = free.name
"""
# A row that a step has just locked is skipped, not waited for: it is due again in an hour, as it was put off.
_NEXT_LOOKS = """
update deadlines d set attempts = 0, due_at = free.due_at
from (select w.binding_id, w.name, l.due_at
      from unnest(%s::text[], %s::timestamptz[]) as l(binding_id, due_at)
      join deadlines w on w.binding_id = l.binding_id and w.name = 'insurance_to_rechecked'
      for update of w skip locked) as free
where d.binding_id = free.binding_id and d.name = free.name
"""
log = structlog.get_logger()
Looked = tuple[Case, datetime]  # a case, and the time at which it was read


class Asked(NamedTuple):
    """What the answers about a case come to; `next_look` where a daily look was answered."""

    command: Command | None = None
    next_look: datetime | None = None


Asking = Callable[[Office, Looked], Asked]


# -- applications ----------------------------------------------------------------------------------------------


def ask_registries(office: Office, limit: int = CLAIM, at_once: int = AT_ONCE) -> int:
    """Ask about applications whose time has come, claiming `limit`, `at_once` at the same time; return how many."""
    return _ask_all(office, "materials_to_checked", ASK_AGAIN, limit, _check, at_once)


def _check(office: Office, looked: Looked) -> Asked:
    case, _ = looked
    if case.state != MATERIALS_UPLOADED:
        return Asked()
    answers, record = _all_answers(office, case)
    reason = judge(case.plan, answers)
    if reason is not None:
        return Asked(Command("registry_refused", case.id, SYSTEM, {"reason": reason}))
    facts: dict[str, Any] = {"record": _told(record) if record is not None else None}
    if suspicion.unlifted(office.desk, case):
        facts |= {"reason": SUSPECTED, "go_offline": True}
    elif _age_unproved(case, answers):
        facts |= {"reason": "document_not_readable", "go_offline": True}
    return Asked(Command("registries_answered", case.id, SYSTEM, facts))


def _age_unproved(case: Case, answers: Answers) -> bool:
    """Whether no face is asked because the member is a child, and only the family says so (W8): then a clerk looks."""
    number = case.application.parties["member"]["id_number"]
    stated = case.plan.age_group == "minor" and case.plan.face_at_age and not carries_birth_date(number)
    return bool(stated) and answers.member.birth_date_matches is None


# -- bindings --------------------------------------------------------------------------------------------------


def recheck_insurance(office: Office, limit: int = CLAIM, at_once: int = AT_ONCE) -> int:
    """Look at bindings whose daily look is due, claiming `limit`, `at_once` at the same time; return how many."""
    return _ask_all(office, "insurance_to_rechecked", RETRY_LOOK, limit, _look_again, at_once)


def look_now(conn: Connection[Any], ended: list[str], dead: list[str]) -> None:
    """Bring forward the daily look at what is touched by the end of these bindings, `dead` those that a death ended.

    A row that a step has just locked is passed over, and looked at within its day.
    """
    conn.execute(_LOOK_NOW, {"ended": ended, "dead": dead})


def _look_again(office: Office, looked: Looked) -> Asked:
    """Suspend what is no longer insured, resume what is again, end what has no grounds; find a newborn's number."""
    case, now = looked
    resting = case.state == SUSPENDED and case.progress.suspended_for == INSURANCE
    if not case.in_force and not resting:
        return Asked()  # suspended and being ended: nothing is looked up until that is over
    if not has_grounds(office.desk, case):
        return Asked(Command("end", case.id, SYSTEM, {"reason": NO_GROUNDS}))
    answers = _answers(office, case)
    return Asked(_verdict(office, looked, answers, resting=resting), _next_look(case, now))


def _verdict(office: Office, looked: Looked, answers: Answers, *, resting: bool) -> Command | None:
    case, now = looked
    reason = insurance_verdict(case.plan, answers)
    if reason is None and resting:
        return Command("resume", case.id, SYSTEM, {"reason": "insurance_back"})
    if reason is None:
        return number_found(office, case, now) if case.state == ACTIVE and unnumbered(case) else None
    if resting:
        return None
    return Command("suspend", case.id, SYSTEM, {"suspended_for": INSURANCE, "reason": reason})


def _next_look(case: Case, now: datetime) -> datetime:
    """The next one on the case's own grid: once a day, at the hour that its id has drawn."""
    first = daily_look(case)
    length = timedelta(hours=case.plan.deadlines["insurance_to_rechecked"].hours or 24)
    return first + ((now - first) // length + 1) * length


# -- both ------------------------------------------------------------------------------------------------------


def _ask_all(office: Office, name: str, pause: timedelta, limit: int, ask: Asking, at_once: int) -> int:
    """Ask about the watches of this name that are due, claim after claim until none is left; return how many."""
    until = time.monotonic() + GOES_ON
    asked = found = _ask_some(office, name, pause, limit, ask, at_once)
    while found == limit and time.monotonic() < until:
        found = _ask_some(office, name, pause, limit, ask, at_once)
        asked += found
    return asked


def _ask_some(office: Office, name: str, pause: timedelta, limit: int, ask: Asking, at_once: int) -> int:
    """Claim what is due, ask, and give it free again; return how many."""
    with office.ledger.connection() as conn:
        conn.execute(_GIVE_BACK, {"name": name, "pause": pause})
        rows = conn.execute(_PUT_OFF, {"name": name, "pause": pause, "limit": limit}).fetchall()
    claimed = sorted(row[0] for row in rows)
    if claimed:
        try:
            _each(office, claimed, ask, at_once)
        finally:
            with office.ledger.connection() as conn:
                conn.execute(_ASKED, (claimed, name))
    return len(claimed)


def _each(office: Office, ids: list[str], ask: Asking, at_once: int) -> None:
    """Ask about every case, several at a time, and say at once what the answers come to."""
    with office.ledger.connection() as conn:
        cases = office.desk.reader.cases(conn, ids)
    if not cases:
        return
    with ThreadPoolExecutor(min(at_once, len(cases))) as pool:
        one_by_one = at_once == 1 or len(cases) == 1  # then a thread is of no use
        asked = list((map if one_by_one else pool.map)(lambda looked: _guarded(office, ask, looked), cases))
    commands = [one.command for one in asked if one.command]
    unsaid = set()
    for command, outcome in zip(commands, office.desk.serve(commands), strict=True):
        if isinstance(outcome.refused, Refused) and not undecided(outcome.refused):  # the case has gone on meanwhile
            log.info("registry_answer_late", binding_id=command.binding_id, said=command.said)
        elif outcome.refused is not None:  # nothing was decided: it is looked at again in an hour, not tomorrow
            unsaid.add(command.binding_id)
    answered = [(case.id, one.next_look) for (case, _), one in zip(cases, asked, strict=True)
                if one.next_look and case.id not in unsaid]  # fmt: skip
    if answered:
        with office.ledger.connection() as conn:
            conn.execute(_NEXT_LOOKS, tuple(map(list, zip(*answered, strict=True))))


def _guarded(office: Office, ask: Asking, looked: Looked) -> Asked:
    """What the answers about one case come to; nothing if there are none, or none that the law can judge.

    Then the registry is asked again later; when the plan's days are over, the clock sends an application to a clerk.
    """
    case, _ = looked
    try:
        return ask(office, looked)
    except Unanswered:
        log.info("registry_unanswered", binding_id=case.id)
    except Exception:  # an answer that breaks us counts as none: the other cases go on
        log.exception("registry_question_failed", binding_id=case.id)
    return Asked()


def _answers(office: Office, case: Case) -> Answers:
    """What the registries say of both parties. Raises `Unanswered`."""
    parties = case.application.parties
    return Answers(_party(office, parties["holder"]), _party(office, parties["member"]))


def _party(office: Office, party: dict[str, Any]) -> Party:
    if party["id_number"] is None:  # a newborn may have no number yet: there the certificate speaks
        return Party()
    asked = (party["name"], party["id_type"], party["id_number"], party["insured_region"])
    said = office.windows.registries.person(*asked)
    born = _same_day(said.birth_date, party["birth_date"])
    return Party(said.known, said.name_matches, born, said.insured, said.credential_active)


def _all_answers(office: Office, case: Case) -> tuple[Answers, BirthRecord | None]:
    """The same of an application, with all else that its plan asks; and the birth record. Raises `Unanswered`."""
    registries, parties = office.windows.registries, case.application.parties
    answers, record = _answers(office, case), None
    if case.plan.registry.birth_certificate:
        record = birth_record(registries, case)
        answers = replace(answers, certificate=_certificate(record, parties["member"]))
    if case.plan.registry.prior_filing and parties["member"]["id_number"] is not None:
        filed = registries.prior_filing(parties["holder"]["id_number"], parties["member"]["id_number"])
        answers = replace(answers, filed=filed)
    return answers, record


def _certificate(record: BirthRecord, child: dict[str, Any]) -> Certificate:
    """Whether the record is of the child that was stated, as far as it says.

    A number that nothing in the record ties to the child is not taken either: without it the application goes on, and
    the registry links the two one day.
    """
    stated, known = child["id_number"], record.child_id_number
    named = record.child_name is not None
    number = stated is None or (normalise_number(known) == stated if known else named)
    name = not named or same_name(record.child_name or "", child["name"])
    date_fits = _same_day(record.child_birth_date, child["birth_date"]) is not False
    return Certificate(record.found, record.mother_matches, child_matches=name and number, date_matches=date_fits)


def _same_day(known: date | None, stated: str | None) -> bool | None:
    """Whether a registry's date is the one of the application; None where it has none."""
    return None if known is None else known.isoformat() == stated


def _told(record: BirthRecord) -> dict[str, Any]:
    """Of which of the child's fields the record told; it told nothing else than was applied with (`judge`)."""
    return {"child_name": record.child_name is not None, "child_birth_date": record.child_birth_date is not None}
