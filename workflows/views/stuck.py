"""Bindings that do not move though they should: each with its cause, the evidence, and since when.

A cause is one query over small tables; all causes asked for are read by one statement. Their intervals say how late
something may be before it is worth a person's look. Bindings with the same fingerprint are stuck in the same way, and
may be repaired together. Nobody sets or clears a cause: it is there as long as its query finds it.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from functools import partial
from typing import Any

from msgspec import DecodeError
from sqlalchemy import RowMapping, text

from models.ledger import Ledger
from policies.plan import plan_from_json
from workflows.access.scopes import patterns
from workflows.case import ACTIVE, FINAL
from workflows.check import impossible
from workflows.deadlines import DEADLINES_BY_NAME
from workflows.repairs.verbs import fitting
from workflows.sweeping import HELD_OPEN
from workflows.views import cursors
from workflows.views.narrowing import asked_by
from workflows.views.overview import TO_BE_SENT, moments
from workflows.views.pacing import PAGE, Paced

# Each gives binding_id, since, evidence, and `print`: what bindings that are stuck in the same way have in common.
# `clock` is the service's now; `:now` is the same as a value, for the planner to see that few rows are late.
# A receiver that takes nothing may have any number of letters waiting: a binding and an endpoint are found once, with
# the first of them. Keep evidence free of names and addresses.
CAUSES: dict[str, str] = {
    # the sweep looks every second: if it is a minute late it is ill, unless an outage holds the window open
    "deadline_overdue": f"""
select d.binding_id, d.due_at as since, d.name as print,
  jsonb_build_object('deadline', d.name, 'due_at', d.due_at, 'attempts', d.attempts) as evidence
from deadlines d
where d.parked is null and not d.watch and d.due_at < cast(:now as timestamptz) - interval '1 minute'
  and not {HELD_OPEN}""",  # noqa: S608  a text of ours
    # a question that our own hands should have asked and did not. In a sandbox whose clock was moved, the daily look at
    # an insurance may be a week late (tasks/advance.py)
    "system_slow": """
select d.binding_id, d.due_at as since, d.name as print,
  jsonb_build_object('deadline', d.name, 'due_at', d.due_at, 'attempts', d.attempts) as evidence
from deadlines d
where d.parked is null and d.watch and d.name = any(:watches)
  and d.due_at < cast(:now as timestamptz) - interval '1 minute'
  and (d.name <> 'insurance_to_rechecked' or d.due_at < cast(:now as timestamptz) - case
    when (select ahead > interval '0' from service_clock) then interval '8 days' else interval '1 hour' end)
union all
select f.binding_id, f.poll_at, 'face_poll', jsonb_build_object('face_check_id', f.id, 'provider', f.provider,
  'due_at', f.poll_at, 'attempts', f.attempts)
from face_sessions f, clock where f.poll_at < clock.now - interval '1 minute'""",
    "step_poisoned": """
select d.binding_id, d.due_at as since, d.name as print,
  jsonb_build_object('deadline', d.name, 'parked', d.parked, 'attempts', d.attempts) as evidence
from deadlines d where d.parked is not null""",
    "no_deadline": """
select b.id as binding_id, b.state_since as since, b.state as print,
  jsonb_build_object('state', b.state, 'version', b.version) as evidence
from bindings b
where b.id = any(:suspects) and b.state <> all(:resting)
  and not exists (select from deadlines d where d.binding_id = b.id)""",
    "registry_unanswered": """
select d.binding_id, b.state_since as since, a.region as print,
  jsonb_build_object('attempts', d.attempts, 'asked_again_at', d.due_at) as evidence
from deadlines d join bindings b on b.id = d.binding_id join applications a on a.binding_id = d.binding_id
where d.parked is null and d.watch and d.name = 'materials_to_checked' and d.attempts > 1""",
    # a session without an answer is polled at its end; ten minutes later even the poll has brought none
    "callback_lost": """
select f.binding_id, f.expires_at as since, f.provider as print,
  jsonb_build_object('face_check_id', f.id, 'provider', f.provider, 'expires_at', f.expires_at,
                     'polls', f.attempts) as evidence
from face_sessions f, clock
where f.status = 'pending' and f.expires_at < clock.now - interval '10 minutes'""",
    # a letter that only tells that something is stuck (`notice`) does not count itself
    "delivery_parked": f"""
select o.binding_id, o.since, o.endpoint_id || ':' || o.error as print, o.letters,
  (select jsonb_build_object('delivery_id', d.id, 'endpoint_id', d.endpoint_id, 'sequence', d.sequence, 'type', d.type,
                             'attempts', d.attempts, 'last_error', d.last_error, 'letters', o.letters)
   from deliveries d
   where d.binding_id = o.binding_id and d.state = 'parked' and d.notice = '' and d.endpoint_id = o.endpoint_id
     and coalesce(d.last_error, '') = o.error order by coalesce(d.settled_at, d.created_at), d.id limit 1) as evidence
from (
  select l.binding_id, l.endpoint_id, coalesce(l.last_error, '') as error, count(*) as letters,
    min(coalesce(l.settled_at, l.created_at)) as since
  from deliveries l where l.state = 'parked' and l.notice = '' and {TO_BE_SENT} group by 1, 2, 3) o""",  # noqa: S608  a text of ours
    "delivery_late": f"""
select o.binding_id, o.since, o.endpoint_id as print, o.letters,
  (select jsonb_build_object('delivery_id', d.id, 'endpoint_id', d.endpoint_id, 'sequence', d.sequence,
                             'attempts', d.attempts, 'next_at', d.next_at, 'last_error', d.last_error,
                             'letters', o.letters)
   from deliveries d
   where d.endpoint_id = o.endpoint_id and d.binding_id = o.binding_id and d.state = 'pending' and d.notice = ''
   order by d.sequence, d.id limit 1) as evidence
from (
  select l.binding_id, l.endpoint_id, count(*) as letters, min(l.created_at) as since
  from deliveries l, clock
  where l.state = 'pending' and l.notice = '' and l.created_at < clock.now - interval '1 hour' and {TO_BE_SENT}
  group by 1, 2) o""",  # noqa: S608  a text of ours
    # the lease ran out a minute of real time ago, and was neither used nor given back: whoever had it has died
    "lease_lost": f"""
select d.binding_id, d.leased_until as since, d.name as print,
  jsonb_build_object('deadline', d.name, 'leased_until', d.leased_until) as evidence
from deadlines d where d.leased_until < clock_timestamp() - interval '1 minute'
union all
select l.binding_id, l.leased_until, 'delivery',
  jsonb_build_object('delivery_id', l.id, 'endpoint_id', l.endpoint_id, 'leased_until', l.leased_until)
from deliveries l
where l.state = 'pending' and l.notice = '' and l.leased_until < clock_timestamp() - interval '1 minute'
  and {TO_BE_SENT}""",  # noqa: S608  a text of ours
    # under this plan a case gets lost in the machine as it is now (`workflows.check`), or the plan cannot be read
    "plan_impossible": """
select b.id as binding_id, b.state_since as since,
  coalesce(p.body ->> 'pack', '') || ':' || coalesce(p.body ->> 'version', '') as print,
  jsonb_build_object('plan', b.plan, 'pack', p.body ->> 'pack', 'version', p.body ->> 'version') as evidence
from bindings b join plans p on p.hash = b.plan
where b.id = any(:suspects) and b.plan = any(:impossible) and b.state <> all(:final)""",
    # the oldest line of a channel that was not turned into deliveries for a minute of real time. A transaction that
    # does not end may hold up the lines behind it: the age of the oldest one tells whether to look for it
    "feed_lagging": """
select line.binding_id, line.at as since, e.channel as print,
  jsonb_build_object('channel', e.channel, 'sequence', line.sequence,
    'seconds', round(extract(epoch from clock_timestamp() - line.recorded_at)),
    'oldest_transaction_seconds', (select round(extract(epoch from max(clock_timestamp() - t.xact_start)))
                                   from pg_stat_activity t where t.backend_xid is not null)) as evidence
from (select distinct channel from webhook_endpoints where disabled_at is null) e
left join feed_cursors c on c.channel = e.channel
cross join lateral (
  select h.binding_id, h.sequence, h.at, h.recorded_at from history h
  where h.channel = e.channel and (c.channel is null or (h.xid, h.id) > (c.xid, c.id))
  order by h.xid, h.id limit 1) line
where line.recorded_at < clock_timestamp() - interval '1 minute'""",
}

# Every question about what is stuck begins so, with the causes that it is about.
_FOUND = """
with clock as (select kinbind_now() as now),
found as ({causes})
"""
# The same without evidence: it is not even made then.
_THERE = """
with clock as (select kinbind_now() as now),
there as materialized (select binding_id, cause, key, since from ({causes}) found)
"""
# What tells two findings of one cause in one binding apart, and how many letters one is about. Of the same types in all
# causes: only then does PostgreSQL leave out what a question does not ask for.
_KEY = "coalesce(s.evidence ->> 'delivery_id', s.evidence ->> 'face_check_id', s.evidence ->> 'deadline', '')"
_ONE = f"{_KEY} as key, 1 as letters"
_TOGETHER = dict.fromkeys(("delivery_parked", "delivery_late"), "s.print as key, s.letters::int")
# Few bindings are stuck, which the planner does not know: the lateral joins make it look up each by its key.
_LIST = """
select f.binding_id, f.cause, f.fingerprint, f.since, f.evidence, f.key, {times} as times, b.state, b.version,
  a.product, a.channel, a.region
from {found} f
cross join lateral (select state, version from bindings where id = f.binding_id limit 1) b
cross join lateral (select product, channel, region from applications where binding_id = f.binding_id limit 1) a
where a.region like any(:granted)
  and (cast(:fingerprint as text) is null or f.fingerprint = :fingerprint)
  and (cast(:since as timestamptz) is null or (f.since, f.binding_id, f.cause, f.key)
       > (cast(:since as timestamptz), :after, :after_cause, :after_key))
order by f.since, f.binding_id, f.cause, f.key
limit :limit
"""
_EACH = _LIST.format(found="found", times="1")
# For each binding and cause one row, the first finding, and how many there are, each letter counted.
_FOLDED = _LIST.format(found="""(
  select distinct on (o.binding_id, o.cause) o.*, sum(o.letters) over (partition by o.binding_id, o.cause)::int as times
  from found o where cast(:fingerprint as text) is null or o.fingerprint = :fingerprint
  order by o.binding_id, o.cause, o.since, o.key)""", times="f.times")  # fmt: skip
_GROUPS = """
select f.fingerprint, f.cause, count(distinct f.binding_id) as count, min(f.since) as oldest_since,
  min(f.binding_id) as example
from found f
cross join lateral (select region from applications where binding_id = f.binding_id limit 1) a
where a.region like any(:granted)
group by f.fingerprint, f.cause order by 3 desc, f.fingerprint
"""
_CAUSES = """
select f.cause, count(distinct f.binding_id) as count, min(f.since) as oldest_since
from found f
cross join lateral (select region from applications where binding_id = f.binding_id limit 1) a
where a.region like any(:granted)
group by f.cause order by 2 desc, 1
"""
_COUNTS = """
select f.cause, count(distinct f.binding_id) as count, min(f.since) as oldest_since from found f group by f.cause
"""
# What has been found and not noted, and what is noted and no longer found: both as of one moment, so that nothing
# that another has just noted is taken for gone. Nor is what he noted behind `:now`, or of a binding that is no suspect
# of ours: neither was looked for.
_CHANGES = """,
noted as (select id, binding_id, cause, key, since, found_at from stuck_findings where recovered_at is null)
(select cast(null as text) as id, t.binding_id, t.cause, t.key from there t
 where not exists (select from noted n where (n.binding_id, n.cause, n.key) = (t.binding_id, t.cause, t.key))
 order by t.since, t.binding_id, t.cause, t.key limit :limit)
union all
(select n.id, n.binding_id, n.cause, n.key from noted n
 where n.found_at < cast(:now as timestamptz) and (n.cause <> all(:suspected) or n.binding_id = any(:suspects))
   and not exists (select from there t where (t.binding_id, t.cause, t.key) = (n.binding_id, n.cause, n.key))
 order by n.since, n.id limit :limit)
"""
_WHOLE = """
select f.binding_id, f.cause, f.key, f.fingerprint, f.since, f.evidence from found f where f.binding_id = any(:bindings)
"""
_NOTED = text("""
select id, binding_id, cause, key, fingerprint, since, evidence from stuck_findings where id = any(:ids) order by since
""")
_NOTED_SUSPECTS = text("""
select distinct binding_id from stuck_findings where recovered_at is null and cause = any(:suspected)
""")
_OF_BINDING = """
select f.cause, f.fingerprint, f.since, f.evidence from found f where f.binding_id = :binding order by f.since
"""
_IDS = """
select f.binding_id from found f where cast(:fingerprint as text) is null or f.fingerprint = :fingerprint
"""
# Two causes are in no small table: all bindings are searched for suspects, and the causes' queries check those again.
_SUSPECTED = ["no_deadline", "plan_impossible"]
_SUSPECTS = text("""
select b.id from bindings b
where b.state <> all(:final) and (
  b.plan = any(:impossible)
  or (b.state <> all(:resting) and not exists (select from deadlines d where d.binding_id = b.id)))
""")
_RESTING = (ACTIVE, *FINAL)
_WATCHES = tuple(name for name, one in DEADLINES_BY_NAME.items() if one.watch)
# The time as whoever is asked for the rest knows it; and the plans not judged in this process.
_NOW = text("""
select c.now, p.hash, p.body::text as body
from (select kinbind_now() as now) c left join plans p on p.hash <> all(:known)
""")
_judged: dict[str, bool] = {}  # by a plan's hash, whether a case can live under it; neither plans nor machine change


def stuck(
    ledger: Ledger,
    granted: Collection[str],
    cause: str | None,
    limit: int,
    cursor: str | None,
    fingerprint: str | None = None,
    *,
    folded: bool = False,
    told: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    """A page of what is stuck in these regions, the longest first; `cause` is one of `CAUSES`, None for all.

    `folded`: what is found several times for one cause in one binding is one row, the first; `times` says how often.
    `told`: the `parameters`, where they have been asked for already.
    """
    place = cursors.decode(cursor, datetime, str, str, str) if cursor else (None, None, None, None)
    since, after, after_cause, after_key = place
    rows = _read(
        ledger, _FOLDED if folded else _EACH, cause, told, granted=patterns(granted), fingerprint=fingerprint,
        since=since, after=after, after_cause=after_cause, after_key=after_key, limit=limit + 1,
    )  # fmt: skip
    page = cursors.page(rows, limit, "since", "binding_id", "cause", "key")
    return page | {"items": [_item(row) | ({"times": row["times"]} if folded else {}) for row in page["items"]]}


def groups(
    ledger: Ledger, granted: Collection[str], cause: str | None = None, told: Mapping[str, Any] | None = None
) -> list[dict[str, Any]]:
    """What is stuck in these regions by fingerprint, the most first; `example` is one of the bindings.

    `told`: the `parameters`, where they have been asked for already.
    """
    return [dict(row) for row in _read(ledger, _GROUPS, cause, told, granted=patterns(granted))]


def causes(ledger: Ledger, granted: Collection[str]) -> list[dict[str, Any]]:
    """How many bindings are stuck in these regions, by cause, the most first, and since when the first of them."""
    return [dict(row) for row in _read(ledger, _CAUSES, granted=patterns(granted))]


def of_binding(ledger: Ledger, binding_id: str) -> list[dict[str, Any]]:
    """Everything for which one binding is stuck at this moment: cause, fingerprint, since, evidence."""
    rows = _read(ledger, _OF_BINDING, None, parameters(ledger, [binding_id]), binding=binding_id)
    return [dict(row) | {"evidence": moments(row["evidence"])} for row in rows]


def counts(ledger: Ledger) -> dict[str, tuple[int, datetime | None]]:
    """How many are stuck, by cause, everywhere, and since when the first; causes with none are there too."""
    none: dict[str, tuple[int, datetime | None]] = dict.fromkeys(CAUSES, (0, None))
    return none | {row["cause"]: (row["count"], row["oldest_since"]) for row in _read(ledger, _COUNTS)}


def changes(ledger: Ledger, limit: int) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """What is stuck and not noted in `stuck_findings`, and what is noted and stuck no longer: `limit` of each at most.

    Of each finding: binding, cause, key, fingerprint, since and evidence; of one that is noted its id, too. Bindings
    that are noted are always checked, even if our list of suspects is older. All is read fresh: letters go out for it.
    """
    asked = {"suspected": _SUSPECTED}
    noted = [row["binding_id"] for row in ledger.read(_NOTED_SUSPECTS, asked, fresh=True)]
    suspects = [*_suspects_anew(ledger, _now_and_lost_plans(ledger, fresh=True)[1]), *noted]
    told = parameters(ledger, suspects, fresh=True)
    rows = _read(ledger, _CHANGES, None, told, begin=_THERE, fresh=True, suspected=_SUSPECTED, limit=limit)
    new = {(row["binding_id"], row["cause"], row["key"]) for row in rows if row["id"] is None}
    found = _read(ledger, _WHOLE, None, told, fresh=True, bindings=[name[0] for name in new]) if new else ()
    gone = ledger.read(_NOTED, {"ids": [row["id"] for row in rows if row["id"] is not None]}, fresh=True)
    return (
        [dict(row) for row in found if (row["binding_id"], row["cause"], row["key"]) in new],
        [dict(row) for row in gone],
    )


def found_in(cause: str | None) -> str:
    """SQL of the ids of what is stuck for this cause, else for any; it asks for `parameters` and `:fingerprint`."""
    return _about(cause, _IDS)


def parameters(ledger: Ledger, suspects: Sequence[str] | None = None, *, fresh: bool = False) -> dict[str, Any]:
    """What the causes ask for; `suspects` where it is known already who is to be looked at."""
    now, lost_plans = _now_and_lost_plans(ledger, fresh=fresh)
    return {"resting": list(_RESTING), "final": list(FINAL), "watches": list(_WATCHES), "now": now,
            "impossible": list(lost_plans),
            "suspects": _suspects(ledger, lost_plans) if suspects is None else list(suspects)}  # fmt: skip


def _read(
    ledger: Ledger, statement: str, cause: str | None = None, told: Mapping[str, Any] | None = None,
    *, begin: str = _FOUND, fresh: bool = False, **more: Any,
) -> Sequence[RowMapping]:  # fmt: skip
    """The rows of a question about what is stuck for this cause, else for any; `told`: the `parameters`, if asked."""
    query = text(_about(cause, statement, begin))
    asked = {**(parameters(ledger) if told is None else told), **more}
    return ledger.read(query, asked_by(query, asked), fresh=fresh)


def _about(cause: str | None, statement: str, begin: str = _FOUND) -> str:
    found = "\nunion all\n".join(
        f"select s.binding_id, '{one}' as cause, '{one}:' || s.print as fingerprint, s.since, s.evidence,"  # noqa: S608 - all ours
        f" {_TOGETHER.get(one, _ONE)} from ({CAUSES[one]}) s"
        for one in ([cause] if cause else CAUSES)
    )
    return begin.format(causes=found) + statement


def _look_for_suspects(ledger: Ledger, lost_plans: tuple[str, ...], *, fresh: bool = False) -> list[str]:
    asked = {"final": list(FINAL), "resting": list(_RESTING), "impossible": list(lost_plans)}
    return [row["id"] for row in ledger.read(_SUSPECTS, asked, fresh=fresh)]


_suspects = Paced(_look_for_suspects, PAGE, behind=True)
# For telling channels: never an old answer that was kept for pages.
_suspects_anew = Paced(partial(_look_for_suspects, fresh=True))


def _now_and_lost_plans(ledger: Ledger, *, fresh: bool = False) -> tuple[datetime, tuple[str, ...]]:
    """The time, and the hashes of stored plans under which a case gets lost; each is judged once in a process."""
    rows = ledger.read(_NOW, {"known": list(_judged)}, fresh=fresh)
    for row in rows:
        if row["hash"] is not None:
            _judged[row["hash"]] = _can_live(row["body"])
    return rows[0]["now"], tuple(sorted(plan for plan, can_live in _judged.items() if not can_live))


def _can_live(body: str) -> bool:
    """Whether a case can live under the plan with this body: it can be read, and nothing is wrong with it."""
    try:
        return not impossible(plan_from_json(body))
    except DecodeError:
        return False


def _item(row: Any) -> dict[str, Any]:
    shown = {name: value for name, value in row.items() if name not in {"key", "times"}}
    return shown | {"evidence": moments(row["evidence"]), "repairs": fitting(row["cause"], row["state"])}
