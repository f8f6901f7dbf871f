"""What else must add up: seats, places of a month, letters and notices. One statement each; a row is a fault."""

from __future__ import annotations

from typing import Any

import psycopg

from cli.checking.findings import Findings

# Of a plan `p` and an application `a`: whether an activation takes a place of the month, whether that stays when the
# binding ends, and under which product it is counted. What a plan of an earlier release does not say is as it was then.
_COUNTS_ENDED_BINDERS = "coalesce((p.body #>> '{limits,count_ended}')::boolean, true)"
_WINDOWED = "coalesce(p.body #>> '{limits,holder_window}', 'at_once') <> 'at_once'"
_TAKES_A_MONTH = f"(p.body #>> '{{limits,binders_per_member}}' is not null or {_WINDOWED})"
_KEEPS_THE_MONTH = f"""(
  (p.body #>> '{{limits,binders_per_member}}' is not null and {_COUNTS_ENDED_BINDERS}
    and coalesce(p.body #>> '{{limits,member_window}}', 'calendar_month') <> 'at_once')
  or ({_WINDOWED} and coalesce((p.body #>> '{{limits,holder_count_ended}}')::boolean, true)))"""
_COUNTED_AS = """(a.product || case when p.body #>> '{limits,member_scope}' = 'per_channel'
  then '/' || a.channel else '' end)"""

_SCOPE = """(a.product || case when p.body #>> '{limits,holder_scope}' = 'per_channel'
  then '/' || a.channel else '' end)"""
# Of a binding `b`: it has the plan that it was applied with, so that its rows are as that plan has them.
_UNREPAIRED = "not exists (select from history r where r.binding_id = b.id and r.event = 'repaired')"

# kind of fault: the statement that finds them, as (binding, place)
_FAULTS = {
    "seat_missing": """
        select b.id, b.state from bindings b where b.state not in ('unbound', 'rejected', 'withdrawn', 'expired')
        and not exists (select from seats s where s.binding_id = b.id)""",
    "seat_not_given_back": """
        select s.binding_id, s.n from seats s left join bindings b on b.id = s.binding_id
        where b.id is null or b.state in ('unbound', 'rejected', 'withdrawn', 'expired')""",
    "seat_of_another": f"""
        select s.binding_id, s.n from seats s join applications a on a.binding_id = s.binding_id
        join bindings b on b.id = s.binding_id join plans p on p.hash = b.plan
        where (s.holder, s.member, s.product, s.relationship) <> (a.holder, a.member, a.product, a.relationship)
        or (s.scope <> {_SCOPE} and {_UNREPAIRED})""",  # noqa: S608  texts of ours
    "seat_doubled": "select binding_id, count(*) from seats group by 1 having count(*) > 1",
    # seats are what is counted at the same time; a limit over a window counts places of a month
    "seat_beyond_the_limit": """
        select s.binding_id, s.n from seats s join bindings b on b.id = s.binding_id join plans p on p.hash = b.plan
        where s.n < 1 or (s.n > (p.body #>> '{limits,members_per_holder}')::int
          and coalesce(p.body #>> '{limits,holder_window}', 'at_once') = 'at_once')""",
    "month_seat_missing": f"""
        select h.binding_id, h.sequence from history h
        join bindings b on b.id = h.binding_id join plans p on p.hash = b.plan
        join applications a on a.binding_id = h.binding_id
        where h.event = 'activated' and {_TAKES_A_MONTH} and a.erased = '{{}}'
        and (b.state not in ('unbound', 'rejected', 'withdrawn', 'expired') or {_KEEPS_THE_MONTH})
        and not exists (select from month_seats m where m.member = a.member and m.product = {_COUNTED_AS}
          and m.holder = a.holder and m.month = to_char(h.at at time zone 'Asia/Shanghai', 'YYYY-MM'))""",  # noqa: S608  texts of ours
    "month_seat_of_nobody": f"""
        select m.binding_id, m.n from month_seats m where not exists (
          select from history h join applications a on a.binding_id = h.binding_id
          join bindings b on b.id = h.binding_id join plans p on p.hash = b.plan
          where a.member = m.member and a.holder = m.holder and m.product = {_COUNTED_AS} and h.event = 'activated'
          and to_char(h.at at time zone 'Asia/Shanghai', 'YYYY-MM') = m.month)""",  # noqa: S608  texts of ours
    # what was taken before places said of whom, when and until when has none of it
    "month_seat_of_another": f"""
        select m.binding_id, m.n from month_seats m join applications a on a.binding_id = m.binding_id
        join bindings b on b.id = m.binding_id join plans p on p.hash = b.plan
        where (m.holder, m.member) <> (a.holder, a.member) or (m.taken_at is not null and (
          m.ended <> (b.state in ('unbound', 'rejected', 'withdrawn', 'expired'))
          or (m.scope is distinct from case when {_WINDOWED} then {_SCOPE} end and {_UNREPAIRED})))""",  # noqa: S608  texts of ours
    # the number of a place is bounded only where all places of the month count; and a newborn's certificate and its
    # number may have had binders of their own, until the registry linked the two
    "month_seat_beyond_the_limit": f"""
        select m.binding_id, m.n from month_seats m join bindings b on b.id = m.binding_id
        join plans p on p.hash = b.plan
        where m.n < 1 or (m.n > (p.body #>> '{{limits,binders_per_member}}')::int
          and coalesce(p.body #>> '{{limits,member_window}}', 'calendar_month') = 'calendar_month'
          and {_COUNTS_ENDED_BINDERS}
          and not exists (select from history h where h.binding_id = m.binding_id
            and h.event = 'registry_answered' and h.from_state = 'active'))""",  # noqa: S608  texts of ours
    "pass_without_its_session": """
        select h.binding_id, h.sequence from history h where h.event = 'face_check_passed'
        and (select count(*) from face_sessions f where f.binding_id = h.binding_id and f.status = 'passed')
          < (select count(*) from history o where o.binding_id = h.binding_id and o.event = 'face_check_passed')""",
    # a letter that arrived may be forgotten after thirty days
    "delivery_missing": """
        select h.binding_id, h.sequence from history h
        join webhook_endpoints e on e.channel = h.channel and h.at >= e.created_at and e.disabled_at is null
          and (e.events is null or e.events && array[h.event, 'binding.' || h.event])
        join feed_cursors c on c.channel = h.channel and (h.xid, h.id) <= (c.xid, c.id)
        where h.at > kinbind_now() - interval '30 days' and not exists (
          select from deliveries d where d.endpoint_id = e.id and d.binding_id = h.binding_id
          and d.sequence = h.sequence and d.type = 'binding.' || h.event)""",
    # A party learns of it in every other channel that has acted for him before; in the same minute it may have been
    # after. Who has another number has all channels of the one before, as if they had been his from the first.
    "notice_missing": """
        with known as (
          select a.binding_id, c.channel, min(c.since) as since
          from applications a cross join lateral (values (a.holder), (a.member)) as party(person)
          join person_channels c on c.person = party.person and c.channel <> a.channel
          where c.person not in (
            select b.progress #>> '{changed,person}' from bindings b
            where b.progress #>> '{changed,person}' is not null)
          group by 1, 2)
        select h.binding_id, h.sequence from known k
        join history h on h.binding_id = k.binding_id and k.since < h.at - interval '1 minute'
        join feed_cursors c on c.channel = h.channel and (h.xid, h.id) <= (c.xid, c.id)
        where not exists (select from party_notices n
          where n.binding_id = h.binding_id and n.sequence = h.sequence and n.channel = k.channel)""",
    "notice_not_sent": """
        select n.binding_id, n.sequence from party_notices n
        join history h on h.binding_id = n.binding_id and h.sequence = n.sequence
        join webhook_endpoints e on e.channel = n.channel and h.at >= e.created_at and e.disabled_at is null
          and (e.events is null or e.events && array['party_notice', 'binding.party_notice'])
        where h.at > (select kinbind_now()) - interval '30 days' and not exists (
          select from deliveries d where d.endpoint_id = e.id and d.binding_id = n.binding_id
          and d.sequence = n.sequence and d.type = 'binding.party_notice')""",
}
# faults only where nobody is at work any more
_UNDER_WAY = {
    "delivery_not_settled": "select binding_id, sequence from deliveries where state = 'pending'",
    "line_not_told": """
        select h.binding_id, h.sequence from history h
        join webhook_endpoints e on e.channel = h.channel and e.disabled_at is null
        left join feed_cursors c on c.channel = h.channel
        where (h.xid, h.id) > (coalesce(c.xid, '0'), coalesce(c.id, 0))""",
}
_COUNTS = {
    "seats": "select count(*) from seats",
    "month seats": "select count(*) from month_seats",
    "face sessions": "select count(*) from face_sessions",
    "review cases": "select count(*) from review_cases",
    "counter tickets": "select count(*) from counter_tickets",
}


def look(conn: psycopg.Connection[Any], found: Findings) -> None:
    """Run them all on this connection."""
    for kind, statement in _FAULTS.items():
        for binding_id, where in conn.execute(statement):
            found.fault(kind, str(binding_id), where)
    for kind, statement in _UNDER_WAY.items():
        for binding_id, where in conn.execute(statement):
            found.unsettled(kind, str(binding_id), where)
    for name, statement in _COUNTS.items():
        found.count(name, sum(row[0] for row in conn.execute(statement)))
    for state, number in conn.execute("select state, count(*) from deliveries group by 1"):
        found.count(f"deliveries {state}", number)
