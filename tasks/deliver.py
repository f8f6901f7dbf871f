"""Bring letters to the channels: signed, at least once, in order for each binding, tried again for three days.

A letter is claimed by a short lease in real time, so that nothing is locked while it is under way and whoever dies
is followed by another. Its bytes are frozen before the first attempt. Of one binding only the oldest pending letter
goes to an endpoint; one that was put aside lets the later ones go on.

Whoever does not answer in time holds a place for long. Until he does he is asked by one letter at a time, with pauses
as long as he has failed, an hour at most; the others wait, and are put aside when he has taken none for three days.
"""

from __future__ import annotations

import time
import zlib
from concurrent.futures import ThreadPoolExecutor, wait
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, NamedTuple

import structlog
from psycopg import Connection
from sqlalchemy import text

from models.ids import new_id
from models.ledger import Ledger
from tasks.feed import fan_out
from tasks.office import Office
from tasks.webhooks import Answer, Letter, post
from workflows import endpoints
from workflows.errors import Refused, not_found
from workflows.views import public
from workflows.views.asof import case_as_of
from workflows.views.feed import PARTY_NOTICE, notice_of, said_of

# After the first attempt, seconds until each further one: 75.6 hours in all.
SCHEDULE = (5, 300, 1800, 7200, 18_000, 36_000, 50_400, 72_000, 86_400)
MOST_RETRY_AFTER = 86_400  # seconds; a receiver may not ask for more
AT_ONCE = 32  # attempts begun by one call, each in its own thread, so that none waits for a slow one
PER_ENDPOINT = 4  # attempts at the same time at one endpoint: a slow one must not take all the places
LONGEST = timedelta(seconds=sum(SCHEDULE))  # for which a letter waits whose endpoint hangs
SHORTEST_REST, LONGEST_REST = timedelta(seconds=5), timedelta(hours=1)  # of an endpoint that hangs
HANGS, GIVEN_UP = "timeout", "given_up"  # what a letter's `last_error` says: its own attempt; those before it
OURS = ("internal_error", "url_not_allowed")  # errors that say nothing of the endpoint
PAGE = 5000  # letters that are given up in one commit

# The heads of the queues whose time has come, a few for each endpoint, one where it hangs. The lease is real time.
_CLAIM = """
with due as (
  select head.id, head.place
  from webhook_endpoints e
  cross join lateral (
    select count(*) as number from deliveries f
    where f.endpoint_id = e.id and f.state = 'pending' and f.leased_until > clock_timestamp()) as under_way
  cross join lateral (
    select d.id, row_number() over (order by d.next_at, d.id) + under_way.number as place
    from deliveries d
    where d.endpoint_id = e.id and d.state = 'pending' and d.next_at <= (select kinbind_now())
      and (d.leased_until is null or d.leased_until < clock_timestamp())
      and not exists (
        select from deliveries o
        where o.endpoint_id = d.endpoint_id and o.binding_id = d.binding_id and o.state = 'pending'
          and (o.sequence, o.id) < (d.sequence, d.id))
    order by d.next_at, d.id limit %(per_endpoint)s) as head
  where e.disabled_at is null and (e.rests_until is null or e.rests_until <= (select kinbind_now()))
    and head.place <= case when e.rests_until is null then %(per_endpoint)s else 1 end),
picked as (
  select id from deliveries
  where id in (select id from due order by place limit %(limit)s)
    and state = 'pending' and (leased_until is null or leased_until < clock_timestamp())
  for update skip locked)
update deliveries d
set attempts = d.attempts + 1, leased_until = clock_timestamp() + interval '60 seconds'
from picked, webhook_endpoints e
where d.id = picked.id and e.id = d.endpoint_id
returning d.id, d.endpoint_id, d.binding_id, d.sequence, d.type, d.body, d.attempts, e.url, e.secrets, e.channel,
  e.fails_since is not null, coalesce(d.again_at, d.created_at) < kinbind_now() - %(longest)s,
  extract(epoch from clock_timestamp())::float8, kinbind_now()
"""
_FREEZE = "update deliveries set body = %s where id = %s and body is null"
_DELIVERED = """
update deliveries set state = 'delivered', settled_at = kinbind_now(), last_error = null, leased_until = null
where id = %(id)s and state = 'pending'
"""
_PARKED = """
update deliveries set state = 'parked', settled_at = kinbind_now(), last_error = %(error)s, leased_until = null
where id = %(id)s and state = 'pending'
"""
# The letters behind it in the queue share its fate, so that they are not looked at in vain.
_GO_ON = """
update deliveries set next_at = kinbind_now()
where endpoint_id = %(endpoint)s and binding_id = %(binding)s and state = 'pending' and next_at > kinbind_now()
"""
_LATER = """
update deliveries set next_at = kinbind_now() + %(pause)s, last_error = %(error)s, leased_until = null
where id = %(id)s and state = 'pending'
"""
_WAIT = """
update deliveries set next_at = greatest(next_at, kinbind_now() + %(pause)s)
where endpoint_id = %(endpoint)s and binding_id = %(binding)s and state = 'pending' and id <> %(id)s
"""
_DISABLE = "update webhook_endpoints set disabled_at = kinbind_now() where id = %s and disabled_at is null"
_PARK_ALL = """
update deliveries set state = 'parked', settled_at = kinbind_now(), last_error = 'endpoint_disabled'
where endpoint_id = %s and state = 'pending'
"""
# Whoever notes an attempt locks the endpoint's row before its letters.
_TAKES = "update webhook_endpoints set fails_since = null, rests_until = null where id = %s"
_FAILS = """
update webhook_endpoints
set fails_since = coalesce(fails_since, kinbind_now()),
    rests_until = case when %(hangs)s
      then kinbind_now() + least(greatest(kinbind_now() - fails_since, %(shortest)s), %(most)s) end
where id = %(endpoint)s
returning %(hangs)s and fails_since < kinbind_now() - %(longest)s
"""
# Of each binding the head: the others have not waited for their own turn yet. One that somebody writes of is left to
# the next attempt.
_GIVE_UP = """
update deliveries set state = 'parked', settled_at = kinbind_now(), last_error = %(given_up)s, leased_until = null
where id in (
  select d.id from deliveries d
  where d.endpoint_id = %(endpoint)s and d.binding_id <> %(binding)s and d.state = 'pending'
    and coalesce(d.again_at, d.created_at) < kinbind_now() - %(longest)s
    and (d.leased_until is null or d.leased_until < clock_timestamp())
    and not exists (
      select from deliveries o
      where o.endpoint_id = d.endpoint_id and o.binding_id = d.binding_id and o.state = 'pending'
        and (o.sequence, o.id) < (d.sequence, d.id))
  limit %(page)s for update skip locked)
returning binding_id
"""
_ALL_GO_ON = """
update deliveries set next_at = kinbind_now()
where endpoint_id = %(endpoint)s and binding_id = any(%(bindings)s) and state = 'pending' and next_at > kinbind_now()
"""
_AGAIN = """
update deliveries d
set state = 'pending', attempts = %s, next_at = kinbind_now(), again_at = kinbind_now(), settled_at = null,
    leased_until = null
where id = %s and state <> 'pending'
returning d.endpoint_id, (select e.disabled_at is null from webhook_endpoints e where e.id = d.endpoint_id)
"""
_ASIDE = text("""
select d.id, e.channel, d.endpoint_id, d.binding_id, d.sequence, d.type, d.settled_at, d.last_error
from deliveries d join webhook_endpoints e on e.id = d.endpoint_id
where d.state = 'parked' order by d.settled_at desc, d.id desc limit :limit
""")
_ENDPOINT = """
select url, secrets, kinbind_now(), extract(epoch from clock_timestamp())::float8 from webhook_endpoints where id = %s
"""
log = structlog.get_logger()


class Claimed(NamedTuple):
    """A letter under lease, and where it goes; `now` is the service's clock, `real` is real time in Unix seconds.

    `failing`: the endpoint has taken nothing since some time; `old`: the letter has waited for as long as any may.
    """

    id: str
    endpoint_id: str
    binding_id: str
    sequence: int
    type: str
    body: str | None
    attempts: int
    url: str
    secrets: bytes
    channel: str
    failing: bool
    old: bool
    real: float
    now: datetime


@dataclass(frozen=True, slots=True)
class Trial:
    """What the test button found out: the id that was sent, and the status or the error."""

    id: str
    answer: Answer


def deliver(office: Office, limit: int = AT_ONCE, patience: float = 20.0) -> int:
    """Begin at most `limit` attempts that are due and wait `patience` real seconds for them; return how many.

    What is still under way then is finished in the background and writes its result itself.
    """
    with office.ledger.connection() as conn:
        claimed_at = time.monotonic()
        asked = {"limit": limit, "per_endpoint": PER_ENDPOINT, "longest": LONGEST}
        claimed = [Claimed(*row) for row in conn.execute(_CLAIM, asked)]
    if claimed:
        pool = ThreadPoolExecutor(len(claimed), thread_name_prefix="deliver")
        under_way = [pool.submit(_bring, office, letter, claimed_at) for letter in claimed]
        wait(under_way, timeout=patience)
        pool.shutdown(wait=False)
    return len(claimed)


def tell(office: Office, patience: float = 2.0) -> int:
    """Turn new lines into letters and bring all that are due, waiting `patience` real seconds in all; how many.

    Raises what broke the first, in the end: the letters that are there are brought in any case.
    """
    until = time.monotonic() + patience
    brought = 0
    try:
        fan_out(office)
    finally:
        while begun := deliver(office, patience=max(0.0, until - time.monotonic())):
            brought += begun
    return brought


def put_aside(ledger: Ledger, limit: int) -> list[dict[str, Any]]:
    """The letters that were put aside, the latest first, at most `limit`: for `send_again`."""
    return [dict(row) for row in ledger.read(_ASIDE, {"limit": limit})]


def send_again(ledger: Ledger, delivery_id: str) -> None:
    """Send a letter again, at once, that was put aside or has arrived: to the head of its queue, for one attempt.

    Raises `Refused`: `not_found`, or `endpoint_disabled`.
    """
    with ledger.transaction() as conn:
        row = conn.execute(_AGAIN, (len(SCHEDULE), delivery_id)).fetchone()
        if row is None:
            raise not_found()
        if not row[1]:
            raise Refused("endpoint_disabled", 409)
        endpoints.wake(conn, [row[0]])


def test_delivery(office: Office, endpoint_id: str) -> Trial:
    """Send a letter of type `webhook.test` now, once, and return what came of it. Raises `not_found`."""
    with office.ledger.connection() as conn:
        row = conn.execute(_ENDPOINT, (endpoint_id,)).fetchone()
    if row is None:
        raise not_found()
    url, sealed, now, real = row
    letter_id = new_id("dlv", now)
    body = public.dumps({"type": "webhook.test", "timestamp": now, "data": {"endpoint_id": endpoint_id}})
    secrets = endpoints.signing(office.desk.keys, endpoint_id, sealed, now)
    answer = post(Letter(letter_id, url, secrets, int(real), body))
    if answer.delivered:
        with office.ledger.connection() as conn:
            conn.execute(_TAKES, (endpoint_id,))
    return Trial(letter_id, answer)


# -- one letter ----------------------------------------------------------------------------------------------------


def _bring(office: Office, letter: Claimed, claimed_at: float) -> None:
    try:
        body = letter.body or _freeze(office, letter)
        secrets = endpoints.signing(office.desk.keys, letter.endpoint_id, letter.secrets, letter.now)
        stamp = int(letter.real + time.monotonic() - claimed_at)
        answer = post(Letter(letter.id, letter.url, secrets, stamp, body.encode()))
    except Exception:  # our own fault: counted like the receiver's, so that the letter is put aside in the end and seen
        log.exception("delivery_failed", delivery_id=letter.id)
        answer = Answer(error="internal_error")
    try:
        with office.ledger.transaction() as conn:
            gives_up = _note(conn, letter, answer)
        if gives_up:
            _give_up(office, letter)
    except Exception:  # nobody waits for this thread; once the lease is over, the letter goes out again
        log.exception("delivery_not_noted", delivery_id=letter.id)


def _freeze(office: Office, letter: Claimed) -> str:
    """Build the body as of its line and keep it: the same bytes at every retry."""
    notice = None
    if letter.type == PARTY_NOTICE:
        notice = notice_of(office.ledger, letter.channel, letter.binding_id, letter.sequence)
    with office.ledger.connection() as conn:
        case, at = case_as_of(conn, office.desk.reader, letter.binding_id, letter.sequence)
        data = said_of(case, at, notice)
        body = public.dumps({"type": letter.type, "timestamp": at, "data": data}).decode()
        conn.execute(_FREEZE, (body, letter.id))
    return body


def _note(conn: Connection[Any], letter: Claimed, answer: Answer) -> bool:
    """Write down what became of an attempt, and what it means for the letters behind; whether others are given up."""
    queue = {"id": letter.id, "endpoint": letter.endpoint_id, "binding": letter.binding_id}
    gives_up = _heed(conn, letter, answer)
    if answer.delivered:
        conn.execute(_DELIVERED, queue)
        conn.execute(_GO_ON, queue)
    elif answer.status == 410:
        conn.execute(_DISABLE, (letter.endpoint_id,))
        conn.execute(_PARKED, {**queue, "error": answer.error})
        conn.execute(_PARK_ALL, (letter.endpoint_id,))
        log.warning("webhook_endpoint_gone", endpoint_id=letter.endpoint_id)
    elif letter.attempts > len(SCHEDULE) or (letter.old and answer.error == HANGS):
        conn.execute(_PARKED, {**queue, "error": answer.error})
        conn.execute(_GO_ON, queue)
        log.warning("delivery_parked", delivery_id=letter.id, endpoint_id=letter.endpoint_id)
    else:
        pause = {"pause": _pause(letter, answer)}
        conn.execute(_LATER, {**queue, **pause, "error": answer.error})
        conn.execute(_WAIT, {**queue, **pause})
    return gives_up


def _give_up(office: Office, letter: Claimed) -> None:
    """Put aside what has waited for the endpoint of this letter for as long as any may."""
    told = {"endpoint": letter.endpoint_id, "binding": letter.binding_id, "longest": LONGEST, "given_up": GIVEN_UP,
            "page": PAGE}  # fmt: skip
    aside, page = 0, PAGE
    while page == PAGE:
        with office.ledger.transaction() as conn:
            bindings = [row[0] for row in conn.execute(_GIVE_UP, told)]
            conn.execute(_ALL_GO_ON, told | {"bindings": bindings})
        page = len(bindings)
        aside += page
    log.warning("webhook_endpoint_given_up", endpoint_id=letter.endpoint_id, deliveries=aside)


def _heed(conn: Connection[Any], letter: Claimed, answer: Answer) -> bool:
    """Note what an attempt says of the endpoint; whether it hangs and has taken nothing for as long as letters wait."""
    if answer.delivered:
        if letter.failing:
            conn.execute(_TAKES, (letter.endpoint_id,))
        return False
    if answer.error in OURS:
        return False
    told = {"endpoint": letter.endpoint_id, "hangs": answer.error == HANGS, "longest": LONGEST,
            "shortest": SHORTEST_REST, "most": LONGEST_REST}  # fmt: skip
    row = conn.execute(_FAILS, told).fetchone()
    return row is not None and bool(row[0])


def _pause(letter: Claimed, answer: Answer) -> timedelta:
    """How long until the next attempt, on the service's clock: as scheduled, and up to a tenth more, by letter."""
    drawn = zlib.crc32(f"{letter.id}{letter.attempts}".encode()) / 2**32
    seconds = SCHEDULE[letter.attempts - 1] * (1 + drawn / 10)
    if answer.status in (429, 503) and answer.retry_after is not None:
        seconds = max(seconds, min(answer.retry_after, MOST_RETRY_AFTER))
    return timedelta(seconds=seconds)
