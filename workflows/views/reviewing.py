"""A reviewer's day: how much waits, what is his, what he has sent back, what he has decided and may still take back."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import text

from models.ledger import Ledger
from policies.calendar import shanghai_day, start_of_day
from policies.languages import Words
from workflows import leases
from workflows.access import scopes
from workflows.case import RETURNED, Actor, Case
from workflows.deadlines import due
from workflows.engine import Desk
from workflows.views import explaining, findings, public, reason_words, worklists
from workflows.views.waiting import waiting_on

MOST = 100  # of a list that is one person's own
_SIMILAR_MOST = 5
_LOOKED_AT = 60  # earlier applications that are looked at; the decided ones among them are shown

_TALLIES = text("""
with clock as (select kinbind_now() as now)
select queue.*,
  (select count(distinct h.binding_id) from held_decisions h join bindings b on b.id = h.binding_id
   where h.staff = :staff and h.said = 'return_for_correction' and h.outcome = 'sent' and b.state = :returned)
   as returned,
  (select count(*) from held_decisions h where h.staff = :staff and h.outcome = 'sent' and h.settled_at >= :today)
   as done
from (
  select count(*) as open, count(*) filter (where w.due_at <= clock.now) as overdue,
    greatest(0, count(*) filter (where w.claimed_by = :staff and w.lease_until > clock.now)
      - (select count(*) from held_decisions h where h.staff = :staff and h.settled_at is null)) as mine
  from review_cases w cross join clock where w.agency like any(:granted)
) as queue
""")
_HELD = text("""
select h.binding_id, h.said, h.send_at, greatest(0, extract(epoch from h.send_at - clock.now)) as seconds
from held_decisions h, (select kinbind_now() as now) as clock
where h.staff = :staff and h.settled_at is null order by h.held_at desc
""")
_DECIDED = text("""
select h.binding_id, h.said, h.facts ->> 'reason' as reason, h.settled_at, h.outcome from held_decisions h
where h.staff = :staff and h.settled_at >= :today and h.outcome <> 'taken_back' order by h.settled_at desc limit :limit
""")
_SENT_BACK = text("""
select h.binding_id, max(h.settled_at) as at from held_decisions h join bindings b on b.id = h.binding_id
where h.staff = :staff and h.said = 'return_for_correction' and h.outcome = 'sent' and b.state = :returned
group by h.binding_id order by 2 limit :limit
""")
_ANSWERED = text("select distinct binding_id from history where binding_id = any(:ids) and event = 'returned'")
_NAMES = text("select id, name from principals where id = any(:ids)")
_NOTES = text("""
select n.id, n.at, n.body, p.name from case_notes n join principals p on p.id = n.staff
where n.binding_id = :binding order by n.at desc limit :limit
""")
# The applications just before this one: as the queue goes by age, these were decided lately.
_SIMILAR = text("""
select d.*, coalesce(p.name, d.staff) as by
from (
  select a.binding_id from applications a
  where a.product = :product and a.method = :method and a.relationship = :relationship and a.region = :region
    and a.binding_id < :binding and a.holder <> all(:people) and a.member <> all(:people)
  order by a.binding_id desc limit :looked_at
) as elder cross join lateral (
  select h.binding_id, h.event, h.at, h.reason, h.note, split_part(h.actor, ':', 2) as staff from history h
  where h.binding_id = elder.binding_id and h.event in ('approved', 'rejected', 'returned')
    and h.actor like 'reviewer:%'
  order by h.sequence desc limit 1
) as d left join principals p on p.id = d.staff
order by d.at desc limit :limit
""")
_OF_PERSONS = text("""
select a.binding_id from applications a where a.holder = any(:persons) or a.member = any(:persons)
order by a.binding_id desc limit :limit
""")


def tallies(desk: Desk, actor: Actor) -> Mapping[str, int]:
    """How much there is of each: `open`, `overdue`, `mine`, `returned`, `done`."""
    found = desk.ledger.read(_TALLIES, _named(desk, actor) | {
        "granted": scopes.patterns(actor.regions), "returned": RETURNED,
    })  # fmt: skip
    return dict(found[0])


def queue(desk: Desk, actor: Actor, wanted: worklists.Wanted, status: worklists.Status) -> dict[str, Any]:
    """A page of the queue, with the name of who holds each case, and whether the applicant has answered a return."""
    page = worklists.review_queue(desk, actor, wanted, status)
    ids = [item["binding_id"] for item in page["items"]]
    answered = {row["binding_id"] for row in desk.ledger.read(_ANSWERED, {"ids": ids})} if ids else set()
    names = staff_names(desk.ledger, (item["lease"]["claimed_by"] for item in page["items"] if item["lease"]))
    for item in page["items"]:
        item["answered"] = item["binding_id"] in answered
        item["by"] = names.get(item["lease"]["claimed_by"]) if item["lease"] else None
    return page


def of_persons(desk: Desk, actor: Actor, persons: Sequence[str]) -> list[dict[str, Any]]:
    """All bindings of these persons that this member of staff may see, the newest first."""
    rows = desk.ledger.read(_OF_PERSONS, {"persons": list(persons), "limit": MOST})
    cases = desk.look_many([row["binding_id"] for row in rows])
    return [brief(case) for case, _ in cases if scopes.staff(case, actor)]


def held(desk: Desk, actor: Actor) -> list[dict[str, Any]]:
    """What he has decided and may still take back: `binding_id`, `who` (masked), `said`, `send_at`, `seconds`."""
    rows = desk.ledger.read(_HELD, {"staff": actor.id}, fresh=True)
    cases = _by_id(desk, rows) if rows else {}
    return [dict(row) | {"who": _couple(cases[row["binding_id"]])} for row in rows if row["binding_id"] in cases]


def _couple(case: Case) -> str:
    return " – ".join(public.party_view(case, role)["name"] for role in ("holder", "member"))


def decided_today(desk: Desk, actor: Actor) -> list[dict[str, Any]]:
    """What became today (in Shanghai) of what he decided: briefs with `said`, `reason`, `at`, `outcome`."""
    rows = desk.ledger.read(_DECIDED, _named(desk, actor) | {"limit": MOST}, fresh=True)
    cases = _by_id(desk, rows)
    return [
        brief(cases[row["binding_id"]])
        | {"said": row["said"], "decided": row["reason"], "at": row["settled_at"], "outcome": row["outcome"]}
        for row in rows if row["binding_id"] in cases
    ]  # fmt: skip


def sent_back(desk: Desk, actor: Actor) -> list[dict[str, Any]]:
    """What he has returned and the applicant has not corrected yet: briefs with `at` and what is waited for."""
    rows = desk.ledger.read(_SENT_BACK, {"staff": actor.id, "returned": RETURNED, "limit": MOST},
                            fresh=True)  # fmt: skip
    cases = _by_id(desk, rows)
    now = desk.ledger.now()
    return [
        brief(cases[row["binding_id"]])
        | {"at": row["at"], "waiting_on": waiting_on(cases[row["binding_id"]], now)}
        for row in rows if row["binding_id"] in cases
    ]  # fmt: skip


def case_page(desk: Desk, binding_id: str, actor: Actor, *, working: bool = True) -> dict[str, Any]:
    """Everything that a reviewer's page of a case shows. Raises `Refused` with `not_found`.

    Looking is work and keeps the looker's lease alive; a page that renews itself (`working` is false) does not.
    """
    if working:
        leases.keep_alive(desk, binding_id, actor)
    case, now = desk.seen(binding_id, actor, scopes.reviews)
    shown, party = worklists.review_details(desk, case, actor, now), case.is_party(actor.person)
    holding = held(desk, actor)
    shown["materials"] = in_order(shown)
    shown["similar"] = similar(desk, case, actor)
    return shown | {
        "now": now, "sentence": explaining.explain(case, now, desk.book), "findings": findings.of(case, now),
        "review": review_times(case),
        "by": holder_name(desk.ledger, shown["lease"]),
        "notes": [] if party else notes(desk.ledger, case.id), "party": party,
        "holding": holding, "held": next((one for one in holding if one["binding_id"] == case.id), None),
        "reason_words": _reason_words(desk, case, shown),
        "correction_days": case.plan.deadlines["returned_to_corrected"].working_days,
    }  # fmt: skip


def review_times(case: Case) -> dict[str, Any] | None:
    """Of a review `entered_at` and its own `due_at`, which stands when it is `missed`; `escalations`, `provisional`."""
    review, ends = case.progress.review, due(case, "review_to_decision")
    if review is None or ends is None:
        return None
    return {"entered_at": review.entered, "due_at": review.missed or ends.at, "missed": review.missed is not None,
            "escalations": review.escalations, "provisional": ends.provisional}  # fmt: skip


def planned_kinds(plan: Mapping[str, Any]) -> list[str]:
    """Every kind of document that a plan (as a view has it) would take, in its order."""
    return [kind for group in plan["materials"] for some in group["any_of"] for kind in some]


def in_order(view: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The documents of the case that is viewed, in the order of its plan; then those that it does not ask for."""
    planned = list(dict.fromkeys(planned_kinds(view["plan"])))
    places = {kind: place for place, kind in enumerate(planned)}
    return sorted(view["materials"], key=lambda one: (places.get(one["kind"], len(places)), one["id"]))


def similar(desk: Desk, case: Case, actor: Actor) -> list[dict[str, Any]]:
    """What the reviewer may compare with: cases of the same kind that applied before it, decided last first.

    At most five briefs of the same product, method, relationship and region, of other people, with the last decision
    of a reviewer: `event`, `at`, `by`, `why` (its reason's code) and `note`. One look by an index.
    """
    told = case.application
    rows = desk.ledger.read(_SIMILAR, {
        "product": told.product, "method": told.method, "relationship": told.relationship, "region": told.region,
        "binding": case.id, "people": [told.holder, told.member], "looked_at": _LOOKED_AT, "limit": _SIMILAR_MOST,
    })  # fmt: skip
    cases = _by_id(desk, rows) if rows else {}
    return [
        brief(cases[row["binding_id"]])
        | {"event": row["event"], "at": row["at"], "by": row["by"], "why": row["reason"], "note": row["note"]}
        for row in rows
        if row["binding_id"] in cases and scopes.reviews(cases[row["binding_id"]], actor)
    ]


def holder_name(ledger: Ledger, lease: Mapping[str, Any] | None) -> str | None:
    """The name of who holds a lease; None if nobody does."""
    return staff_names(ledger, [lease["claimed_by"]]).get(lease["claimed_by"]) if lease else None


def _reason_words(desk: Desk, case: Case, shown: Mapping[str, Any]) -> dict[str, Words]:
    """What every reason on the page means: of the lists, the history and the faces."""
    codes = {code for listed in shown["reasons"].values() for code in listed}
    codes |= {one["reason"] for one in (*shown["timeline"], *shown["face_checks"]["items"]) if one["reason"]}
    codes |= {one["reason"] for one in shown["other_bindings"]["items"] if one["reason"]}
    codes |= {one["why"] for one in shown["similar"] if one["why"]}
    return reason_words.every(codes | {case.progress.reason or ""}, case.plan, desk.book)


def notes(ledger: Ledger, binding_id: str) -> list[dict[str, Any]]:
    """What colleagues have noted, newest first: `id`, `at`, `name`, `body`. Not to be shown to a party of the case."""
    return [dict(row) for row in ledger.read(_NOTES, {"binding": binding_id, "limit": MOST}, fresh=True)]


def brief(case: Case) -> dict[str, Any]:
    """A case in a line of a list, masked."""
    application = case.application
    return {"binding_id": case.id, "state": case.state, "product": application.product, "region": application.region,
            "relationship": application.relationship, "channel": application.channel,
            "holder": public.party_view(case, "holder"), "member": public.party_view(case, "member"),
            "since": case.since, "reason": case.progress.reason}  # fmt: skip


def staff_names(ledger: Ledger, ids: Iterable[str]) -> dict[str, str]:
    """The names of members of staff by their ids."""
    wanted = list(ids)
    return {row["id"]: row["name"] for row in ledger.read(_NAMES, {"ids": wanted})} if wanted else {}


def _named(desk: Desk, actor: Actor) -> dict[str, Any]:
    today: datetime = start_of_day(shanghai_day(desk.ledger.now()))
    return {"staff": actor.id, "today": today}


def _by_id(desk: Desk, rows: Iterable[Any]) -> dict[str, Case]:
    ids = list(dict.fromkeys(row["binding_id"] for row in rows))
    return {case.id: case for case, _ in desk.look_many(ids)}
