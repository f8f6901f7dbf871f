"""What a supervisor looks after: who decides how much, what is looked at again, what is suspended, who may come in."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import date, datetime, timedelta
from typing import Any

from sqlalchemy import text

from models.ledger import Ledger
from policies.calendar import shanghai_day, start_of_day
from workflows.access.principals import Principal
from workflows.access.scopes import patterns
from workflows.case import SUSPENDED, Actor, region_prefix
from workflows.engine import Desk
from workflows.views import cursors, reviewing
from workflows.views.pacing import PAGE, Paced
from workflows.views.waiting import waiting_on

DAYS = 7  # how far back decisions are counted and drawn from
DRAWN = 12  # decisions that are looked at again each day
DECIDED = ("approved", "rejected", "returned")  # of which the sample is drawn

_STAFF = text("""
select p.id, p.name, p.roles, p.regions, p.created_at, a.login, a.totp is not null as set_up,
  a.locked_until > clock_timestamp() as locked, (select max(s.seen_at) from staff_sessions s where s.principal = p.id)
  as seen_at, extract(epoch from clock_timestamp() - (select max(s.seen_at) from staff_sessions s
  where s.principal = p.id))::float8 as seen_seconds
from principals p left join staff_accounts a on a.principal = p.id
where p.kind = 'staff' and p.revoked_at is null order by p.name, p.id
""")
_LEASES = text("""
with clock as (select kinbind_now() as now)
select w.claimed_by as staff, count(*) as held, count(*) filter (where w.due_at <= clock.now) as overdue
from review_cases w cross join clock
where w.claimed_by is not null and w.lease_until > clock.now and w.agency like any(:granted)
group by w.claimed_by
""")
_DECISIONS = text("""
select split_part(h.actor, ':', 2) as staff, h.event, count(*) as count,
  count(*) filter (where h.at >= :today) as today
from history h where h.at >= :since and h.actor like 'reviewer:%'
  and h.event in ('approved', 'rejected', 'returned', 'review_escalated')
group by 1, 2
""")
_QUEUE = text("""
with clock as (select kinbind_now() as now)
select count(*) as open, count(*) filter (where w.due_at <= clock.now) as overdue,
  count(*) filter (where w.escalations > 0) as escalated,
  count(*) filter (where w.lease_until > clock.now) as claimed
from review_cases w cross join clock where w.agency like any(:granted)
""")
# The same draw all day, another every day. Only from decisions made before the day began: a later one would push
# another out. Reviewers know the ids of their decisions: the day's salt, drawn from the keyring, keeps them from
# knowing beforehand which will be looked at.
_DRAW = text("""
select h.binding_id, h.event, h.at, h.actor, h.reason from history h
join applications a on a.binding_id = h.binding_id
where h.at >= :since and h.at < :until and h.event in ('approved', 'rejected', 'returned')
  and a.region like any(:granted)
order by sha256(convert_to(concat_ws(':', cast(:salt as text), h.binding_id, h.sequence), 'UTF8')) limit :limit
""")
_AUTOMATIC = text("""
select h.actor = 'system' as automatic, count(*) as count from history h
join applications a on a.binding_id = h.binding_id
where h.at >= :since and h.event = 'approved' and a.region like any(:granted) group by 1
""")
_SUSPENDED = text("""
select b.id as binding_id, b.state_since as since from bindings b join applications a on a.binding_id = b.id
where b.state = :suspended and a.region like any(:granted) and (cast(:after as text) is null or b.id > :after)
order by b.id limit :limit
""")
# Two keys may be one person's: what he has decided under one he does not look at again under the other.
_LOOKED = text("""
select n.binding_id, n.at, n.body, p.name,
  (select array_agg(o.id) from principals o where o.id = p.id or o.person = p.person) as keys
from case_notes n join principals p on p.id = n.staff
where n.binding_id = any(:ids) and 'supervisor' = any(p.roles) order by n.at
""")
_HIS = text("select id from principals where id = :id or person = :person")
_KEYS = text("""
select p.id, p.name, p.channel, p.created_at, p.revoked_at,
  (select count(*) from webhook_endpoints e where e.channel = p.channel and e.disabled_at is null) as endpoints
from principals p where p.kind = 'channel' order by p.channel, p.revoked_at is not null, p.created_at
""")


def staff(ledger: Ledger, supervisor: Principal) -> list[dict[str, Any]]:
    """The staff whose regions overlap with the supervisor's."""
    return [dict(row) for row in ledger.read(_STAFF) if overlap(row["regions"], supervisor.regions)]


def overlap(some: Collection[str], others: Collection[str]) -> bool:
    """Whether two grants have a place in common."""
    pairs = [(region_prefix(one), region_prefix(other)) for one in some for other in others]
    return any(one.startswith(other) or other.startswith(one) for one, other in pairs)


def workload(ledger: Ledger, supervisor: Principal, now: datetime) -> dict[str, Any]:
    """The queue, and what each reviewer holds and has decided: `{queue, reviewers}`, who does most first."""
    granted, today = patterns(supervisor.regions), shanghai_day(now)
    leases = {row["staff"]: dict(row) for row in ledger.read(_LEASES, {"granted": granted})}
    decided: dict[str, dict[str, int]] = {}
    for row in _decisions(ledger, today):
        counted = decided.setdefault(row["staff"], {"today": 0})
        counted[row["event"]] = row["count"]
        counted["today"] += row["today"] if row["event"] != "review_escalated" else 0
    people = [one for one in staff(ledger, supervisor) if "reviewer" in one["roles"]]
    reviewers = [_load(one, leases.get(one["id"], {}), decided.get(one["id"], {})) for one in people]
    reviewers.sort(key=lambda one: (-one["decided"], one["name"]))
    return {"queue": dict(ledger.read(_QUEUE, {"granted": granted})[0]), "reviewers": reviewers}


def _since(today: date) -> datetime:
    return start_of_day(today - timedelta(days=DAYS - 1))


def _look_for_decisions(ledger: Ledger, today: date) -> list[dict[str, Any]]:
    asked = {"since": _since(today), "today": start_of_day(today)}
    return [dict(row) for row in ledger.read(_DECISIONS, asked)]


def _look_for_samples(ledger: Ledger, asked: tuple[tuple[str, ...], date, str]) -> dict[str, Any]:
    regions, today, salt = asked
    of = {"granted": patterns(regions), "since": _since(today)}
    counted = {row["automatic"]: row["count"] for row in ledger.read(_AUTOMATIC, of)}
    before = {"since": start_of_day(today - timedelta(days=DAYS)), "until": start_of_day(today)}
    drawn = ledger.read(_DRAW, of | before | {"salt": salt, "limit": DRAWN})
    return {"automatic": counted.get(True, 0), "by_people": counted.get(False, 0),
            "drawn": [dict(row) for row in drawn]}  # fmt: skip


_decisions = Paced(_look_for_decisions, PAGE, behind=True)
_samples = Paced(_look_for_samples, PAGE, behind=True)


def _load(one: Mapping[str, Any], lease: Mapping[str, Any], decided: Mapping[str, int]) -> dict[str, Any]:
    counted = {event: decided.get(event, 0) for event in ("approved", "rejected", "returned")}
    return {"id": one["id"], "name": one["name"], "regions": one["regions"], "seen_seconds": one["seen_seconds"],
            "held": lease.get("held", 0), "held_overdue": lease.get("overdue", 0), "today": decided.get("today", 0),
            "decided": sum(counted.values()), "escalated": decided.get("review_escalated", 0), **counted}  # fmt: skip


def sampling(desk: Desk, supervisor: Principal, now: datetime) -> dict[str, Any]:
    """Of the last days: how many reviews passed by themselves and by people, and today's draw to look at again."""
    today = shanghai_day(now)
    salt = desk.keys.fingerprint(f"supervisors' sample of {today.isoformat()}".encode())
    return _samples(desk.ledger, (supervisor.regions, today, salt))


def looked_at(ledger: Ledger, drawn: Sequence[Mapping[str, Any]]) -> dict[tuple[str, datetime], dict[str, Any]]:
    """Which of these decisions a supervisor has looked at again: by binding and moment `at`, `name` and `body`.

    He has if he noted something about the case after the decision, and the decision was not his own.
    """
    notes = ledger.read(_LOOKED, {"ids": [row["binding_id"] for row in drawn]}, fresh=True)
    return {
        (row["binding_id"], row["at"]): dict(note)
        for row in drawn
        for note in notes
        if note["binding_id"] == row["binding_id"]
        and note["at"] >= row["at"]
        and row["actor"].partition(":")[2] not in note["keys"]
    }


def his_own(ledger: Ledger, lines: Iterable[Mapping[str, Any]], staff: Actor) -> bool:
    """Whether he has made every decision of this history, under any key that names him: then another looks again."""
    decided = {line["actor"].partition(":")[2] for line in lines if line["event"] in DECIDED}
    his = {row["id"] for row in ledger.read(_HIS, {"id": staff.id, "person": staff.person}, fresh=True)}
    return bool(decided) and decided <= his


def suspensions(desk: Desk, supervisor: Principal, limit: int, cursor: str | None = None) -> dict[str, Any]:
    """A page of what is suspended: each with what is waited for. Raises `Refused` 400 `cursor_invalid`."""
    after = cursors.decode(cursor, str)[0] if cursor else None
    asked = {"suspended": SUSPENDED, "granted": patterns(supervisor.regions), "after": after, "limit": limit + 1}
    page = cursors.page(desk.ledger.read(_SUSPENDED, asked), limit, "binding_id")
    now, ids = desk.ledger.now(), [row["binding_id"] for row in page["items"]]
    items = [
        {"binding_id": case.id, "since": case.since, "brief": reviewing.brief(case), "waiting": waiting_on(case, now)}
        for case, _ in desk.look_many(ids)
    ]
    return page | {"items": items}


def channel_keys(ledger: Ledger) -> list[dict[str, Any]]:
    """The keys of channels, by channel, those taken back last; never the keys themselves."""
    return [dict(row) for row in ledger.read(_KEYS, fresh=True)]
