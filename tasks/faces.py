"""Face checks between the desk and the providers: an attempt is begun, an answer is brought back.

A callback is a hint that something has happened; the provider's answer to our own question is the truth. A session
that nobody calls about is polled. Providers are asked outside any transaction.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from operator import itemgetter
from typing import Any

import structlog
from msgspec.structs import replace
from psycopg import Connection
from psycopg.rows import dict_row

from gateways.faces import FaceAnswer, FaceStart, FaceStatus, Forged, ProviderDown, ProviderRefused, Subject
from models.ids import new_id
from tasks import outages
from tasks.office import Office
from workflows import facing
from workflows.case import FACE_CHECK, REVERIFICATION, SYSTEM, Actor, Case, Cursor
from workflows.commands import Answering, Command, Outcome, Reply
from workflows.deadlines import due
from workflows.errors import Refused, undecided
from workflows.views import public

RETENTION = timedelta(days=3)  # how long after its end a session can still be asked about (DOMAIN §D: Tencent)
FIRST_PAUSE = timedelta(minutes=1)  # between two polls of a session; doubles
TOGETHER = 8  # sessions polled for one commit: few, so that none waits long for a slow provider

Session = dict[str, Any]  # a row of face_sessions
Call = tuple[Mapping[str, str], bytes, Mapping[str, str]]  # headers, body and query of a callback
_FIND = "select * from face_sessions where provider = %s and reference = any(%s) order by id"
# The next poll is set before the provider is asked, so that two workers hardly ever ask about one session at once; if
# they do, `_LOCK` lets one answer stand. A session that no provider can be asked about any more has expired.
_DUE = """
with due as (
  select id, now from face_sessions, (select kinbind_now() as now) as clock
  where poll_at <= now order by poll_at limit %(limit)s for update of face_sessions skip locked)
update face_sessions s
set attempts = s.attempts + 1,
    poll_at = case when now < s.expires_at + %(retention)s then now + %(pause)s * power(2, least(s.attempts, 12)) end,
    status = case when now < s.expires_at + %(retention)s then s.status else 'expired' end,
    finished_at = case when now < s.expires_at + %(retention)s then s.finished_at
      else coalesce(s.finished_at, s.expires_at) end
from due where s.id = due.id
returning s.*
"""
_LOCK = """
select id from face_sessions where id = any(%s) and status in ('pending', 'error') order by id for update
"""
_SETTLE = """
update face_sessions set status = %(status)s, reason = %(reason)s, finished_at = %(finished_at)s, poll_at = null
where id = %(id)s
"""
_LATER = """
update face_sessions set poll_at = (select kinbind_now()) + %(pause)s, expires_at = greatest(expires_at, %(until)s)
where id = %(id)s
"""
_ERROR = """
update face_sessions set status = 'error', reason = %(reason)s, finished_at = %(finished_at)s,
  poll_at = case status when 'error' then poll_at else least(poll_at, (select kinbind_now()) + %(pause)s) end
where id = %(id)s
"""
# No attempt was begun, so nothing of the binding moves.
_RESTS = """
insert into face_rests (binding_id, subject, until) values (%s, %s, %s)
on conflict (binding_id, subject) do update set until = excluded.until
"""
# A callback says that something has happened, but the provider, when asked, did not answer: it is asked again soon.
_SOON = """
update face_sessions set poll_at = least(poll_at, (select kinbind_now()) + %(pause)s)
where id = any(%(sessions)s) and status = 'pending'
"""
log = structlog.get_logger()


# -- an attempt begins ---------------------------------------------------------------------------------------------


def start_face_check(office: Office, command: Command) -> Outcome:
    """Begin an attempt at the provider, then say `face_started`; the reply tells where the person shows his face.

    Raises `Refused`: the desk's own, `face_rate_limited`, 503 `face_provider_down` (nothing moved), or the
    provider's reason where no retry can mend it: then the case has gone offline.
    """
    begun = begin_at_provider(office, [command])[0]
    return begun.unwrap() if isinstance(begun, Outcome) else office.desk.say(begun)


def begin_at_provider(office: Office, commands: Sequence[Command]) -> list[Command | Outcome]:
    """Begin attempts at the provider; return of each the command to say next, or the refusal or replay that ends it."""
    begun: list[Command | Outcome] = []
    to_come = [replace(one, facts={**one.facts, "session": {"expires_at": None}}) for one in commands]
    for command, rehearsed in zip(commands, office.desk.rehearse_all(to_come), strict=True):
        case, now = rehearsed.case, rehearsed.now
        if rehearsed.refused is not None or rehearsed.reply is not None or case is None or now is None:
            begun.append(rehearsed)
            continue
        try:
            begun.append(_begin(office, command, case, now))
        except Refused as no:
            begun.append(Outcome(refused=no, case=case, now=now))
    return begun


def _begin(office: Office, command: Command, case: Case, now: datetime) -> Command:
    provider = next(iter(office.windows.faces.values()))
    cursor, session_id = Cursor(case, now), new_id("fac", now)
    subject = facing.face_subject(cursor)
    try:
        started = provider.begin(session_id, _identity(case, subject, facing.face_purpose(cursor)))
    except ProviderDown:
        outages.found_down(office, provider.name, now)
        raise Refused("face_provider_down", 503) from None
    except ProviderRefused as no:
        raise _refused(office, command, case, now, subject, no) from None
    session = {"id": session_id, "provider": provider.name, "reference": started.reference,
               "expires_at": started.expires_at}  # fmt: skip
    return replace(
        command,
        facts={**command.facts, "session": session, "question": facing.question(cursor)},
        answering=_answering(session_id, subject, provider.name, started),
    )


def _identity(case: Case, subject: str, purpose: str) -> Subject:
    """Whom the provider compares with: in a re-verification the member as he was last reported (F136)."""
    parties = case.application.parties
    party = parties[subject]
    if purpose == REVERIFICATION and subject == "member":
        party = parties.get("reported", party)
    if party["id_number"] is None:  # bound as a newborn: without a number no provider can compare
        raise ProviderRefused("face_id_not_found", go_offline=True)
    return Subject(party["name"], party["id_type"], party["id_number"])


def _answering(session_id: str, subject: str, provider: str, started: FaceStart) -> Answering:
    def answer(case: Case, _actor: Actor, _now: datetime) -> Reply:
        body = {"id": session_id, "subject": subject, "provider": provider, "url": started.url,
                "token": started.token, "expires_at": started.expires_at.astimezone(UTC)}  # fmt: skip
        return Reply(201, public.dumps(body), {"ETag": f'"{case.version}"'}, secret=True)

    return answer


def _refused(office: Office, command: Command, case: Case, now: datetime, subject: str, no: ProviderRefused) -> Refused:
    """What to answer when the provider would not begin; if no retry can help, the case goes to a counter."""
    if no.go_offline and case.state == FACE_CHECK:
        facts = {"reason": no.reason, "beyond_camera": subject}
        outcome = office.desk.say(Command("route_offline", case.id, SYSTEM, facts))
        if outcome.case is not None and outcome.now is not None:
            return Refused(no.reason, 409, **public.instead(outcome.case, command.actor, outcome.now))
    if no.go_offline:
        return Refused(no.reason, 409, **public.instead(case, command.actor, now))
    if no.next_retry_at is not None:
        with office.ledger.connection() as conn:
            conn.execute(_RESTS, (case.id, subject, no.next_retry_at))
        return Refused("face_rate_limited", 409, next_retry_at=no.next_retry_at.astimezone(UTC))
    log.error("face_begin_refused", provider_reason=no.reason, binding_id=case.id)
    return Refused("face_provider_down", 503)


# -- an answer comes -----------------------------------------------------------------------------------------------


def hear(office: Office, provider: str, headers: Mapping[str, str], body: bytes, query: Mapping[str, str]) -> None:
    """Take a provider's callback. Raises `Refused` with 401 `callback_forged`, for unknown sessions too."""
    hear_all(office, provider, [(headers, body, query)])


def named(office: Office, provider: str, calls: Sequence[Call]) -> set[str]:
    """The sessions that callbacks name, in the provider's words. Raises `Refused` 401 `callback_forged`."""
    window = office.windows.faces.get(provider)
    try:
        if window is not None:
            return {window.read_callback(*call) for call in calls}
    except Forged:
        log.warning("face_callback_forged", provider=provider)
    raise Refused("callback_forged", 401) from None


def hear_all(office: Office, provider: str, calls: Sequence[Call]) -> None:
    """Take several callbacks of one provider and settle their sessions together. Raises as `hear`, and takes none."""
    references = named(office, provider, calls)
    with office.ledger.connection() as conn, conn.cursor(row_factory=dict_row) as cursor:
        sessions = cursor.execute(_FIND, (provider, list(references))).fetchall()
    if len(sessions) < len(references):
        raise Refused("callback_forged", 401)
    if silent := settle_all(office, sessions):  # something has happened: they are polled soon, not only at their end
        with office.ledger.connection() as conn:
            conn.execute(_SOON, {"sessions": silent, "pause": FIRST_PAUSE})


def poll_faces(office: Office, limit: int = 50) -> int:
    """Ask about at most `limit` sessions whose poll is due; return how many."""
    asked = {"limit": limit, "retention": RETENTION, "pause": FIRST_PAUSE}
    with office.ledger.connection() as conn, conn.cursor(row_factory=dict_row) as cursor:
        found = sorted(cursor.execute(_DUE, asked).fetchall(), key=itemgetter("id"))
    for first in range(0, len(found), TOGETHER):
        _poll(office, found[first : first + TOGETHER])
    return len(found)


def _poll(office: Office, sessions: list[Session]) -> None:
    """Settle these together; if that breaks, each alone, so that the bad one holds up no other."""
    try:
        settle_all(office, sessions)
    except Exception as fault:
        if len(sessions) == 1:
            log.exception("face_poll_failed", session_id=sessions[0]["id"])
            return
        log.warning("face_polls_failed", sessions=len(sessions), fault=type(fault).__name__)
        for session in sessions:
            _poll(office, [session])


def settle_all(office: Office, sessions: Sequence[Session]) -> list[str]:
    """Ask the providers about sessions that are not settled yet, and tell the desk all answers in one commit.

    Returns the sessions whose provider did not answer.
    """
    open_ones = [one for one in sessions if one["status"] in ("pending", "error")]
    if not open_ones:
        return []
    heard: list[tuple[Session, FaceAnswer]] = []
    silent: list[str] = []
    down: set[str] = set()
    with office.ledger.connection() as conn:
        reads = office.desk.reader.read(conn, [(one["binding_id"], None, None) for one in open_ones])
    for session, read in zip(open_ones, reads, strict=True):
        provider = office.windows.faces.get(session["provider"])
        if provider is None:  # no longer open to us
            continue
        if provider.name in down:  # it was down a moment ago: it is not waited for again
            silent.append(session["id"])
            continue
        case, _ = read.found()
        try:
            answer = provider.ask(session["reference"], _identity(case, session["subject"], session["purpose"]))
        except ProviderDown:
            outages.found_down(office, provider.name, read.now)
            down.add(provider.name)
            silent.append(session["id"])
        else:
            heard.append((session, answer))
    if not heard:
        return silent
    _learn(office, heard, reads[0].now)  # first: a pass that ends an outage finds the lost time added
    with office.ledger.transaction() as conn:
        # a callback that comes twice waits for this lock, and then finds the session settled
        locked = {row[0] for row in conn.execute(_LOCK, ([session["id"] for session, _ in heard],))}
        heard = [one for one in heard if one[0]["id"] in locked]
        _take(office, conn, heard)
    return silent


def _take(office: Office, conn: Connection[Any], heard: Sequence[tuple[Session, FaceAnswer]]) -> None:
    """Write answers down: as a step where the desk accepts it, else on the session only."""
    said = []
    for session, answer in heard:
        if answer.status is FaceStatus.ERROR:
            conn.execute(_ERROR, _noted(session, answer) | {"pause": FIRST_PAUSE})
        elif answer.status is FaceStatus.EXPIRED:
            conn.execute(_SETTLE, _noted(session, answer))
        elif answer.status is not FaceStatus.PENDING:
            said.append((session, answer))
    outcomes = office.desk.serve_on(conn, [_command(*one) for one in said])
    for (session, answer), outcome in zip(said, outcomes, strict=True):
        if isinstance(outcome.refused, Refused) and (until := _put_off(session, answer, outcome)):
            conn.execute(_LATER, {"id": session["id"], "until": until, "pause": FIRST_PAUSE})
        elif isinstance(outcome.refused, Refused):  # late, another's turn, or the counter was first
            log.info("face_answer_noted_only", session_id=session["id"], code=outcome.refused.code)
            conn.execute(_SETTLE, _noted(session, answer) | _nevertheless(answer, outcome.refused))
        else:
            outcome.unwrap()


def _put_off(session: Session, answer: FaceAnswer, outcome: Outcome) -> datetime | None:
    """When an answer is asked for again, if it is: the desk has not decided about it.

    Or a re-verification was passed during an unbinding, which may be cancelled.
    """
    if undecided(outcome.refused):
        return session["expires_at"]  # type: ignore[no-any-return]  # as it was: the next poll is soon in any case
    waits = session["purpose"] == REVERIFICATION and answer.status is FaceStatus.PASSED
    ends = due(outcome.case, "unbind_to_confirmed") if waits and outcome.case is not None else None
    return ends.at + FIRST_PAUSE if ends is not None else None


def _nevertheless(answer: FaceAnswer, no: Refused) -> dict[str, str]:
    """Why a pass has moved nothing: the person of the reported number is bound already, or to as many as allowed."""
    told = answer.status is FaceStatus.PASSED and no.code in ("duplicate_binding", "member_binder_limit")
    return {"reason": no.code} if told else {}


def _noted(session: Session, answer: FaceAnswer) -> dict[str, Any]:
    return {"id": session["id"], "status": answer.status.value, "reason": answer.reason,
            "finished_at": answer.finished_at}  # fmt: skip


def _command(session: Session, answer: FaceAnswer) -> Command:
    facts = {
        "session": session, "subject": session["subject"], "purpose": session["purpose"],
        "started_at": session["started_at"], "finished_at": answer.finished_at, "status": answer.status.value,
        "reason": answer.reason, "uses_attempt": answer.uses_attempt, "go_offline": answer.go_offline,
        "next_retry_at": answer.next_retry_at,
    }  # fmt: skip
    return Command(f"face_{answer.status.value}", session["binding_id"], SYSTEM, facts)


def _learn(office: Office, heard: Sequence[tuple[Session, FaceAnswer]], now: datetime) -> None:
    """Note what answers tell of the providers: down, or working; a session that failed by their fault counts once."""
    for session, answer in heard:
        if answer.reason == "face_provider_down" and session["status"] != "error":
            outages.found_down(office, session["provider"], answer.finished_at or now)
    compared = [one for one in heard if one[1].status in (FaceStatus.PASSED, FaceStatus.FAILED)]
    for provider in sorted({session["provider"] for session, _ in compared}):
        passed = {session["binding_id"] for session, one in compared
                  if session["provider"] == provider and one.status is FaceStatus.PASSED}  # fmt: skip
        outages.answered(office, provider, sorted(passed))
