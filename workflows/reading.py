"""One statement that reads every case of a batch, with the clock and what was answered before under the same key."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import date, datetime
from typing import Any, NamedTuple

import msgspec
import orjson
import structlog
from psycopg import Connection

from models.keyring import Keyring
from models.ledger import run
from policies.calendar import SEED
from policies.plan import Plan, plan_from_json
from workflows import calendars
from workflows.case import Application, Case, Lease, Progress, parties_context
from workflows.changes import opened
from workflows.errors import not_found

log = structlog.get_logger()

_READ = """
select b.id, b.state, b.version, b.state_since, b.head, b.progress::text, b.plan,
  a.product, a.method, a.channel, a.channel_reference, a.region, a.relationship, a.initiator, a.holder, a.member,
  a.sealed, a.face_age_day, a.created_at,
  (select string_agg(concat_ws(' ', m.id, m.kind, m.sha256, m.size, m.media_type), ' ')
   from materials m where m.binding_id = b.id and m.removed_at is null),
  r.claimed_by, r.lease_until, r.epoch,
  i.fingerprint, i.status, i.headers, i.body,
  (select kinbind_now()),
  case when b.state in ('returned', 'offline_fallback') then
    (select array_agg(m.kind) from materials m
     where m.binding_id = b.id and m.removed_at is null and m.added_at >= b.state_since) end,
  (select coalesce(max(version), 0) from working_days),
  case when b.state in ('active', 'suspended', 'unbinding') then
    (select jsonb_object_agg(case f.person when a.member then 'member' else 'holder' end, f.wrong)
     from password_failures f
     where f.person in (a.holder, a.member) and f.day = (kinbind_now() at time zone 'Asia/Shanghai')::date) end,
  case when b.state in ('face_check', 'offline_fallback', 'active', 'suspended', 'unbinding') then
    (select jsonb_object_agg(f.subject, f.until) from face_rests f where f.binding_id = b.id) end
from rows from (jsonb_to_recordset($1::jsonb) as (id text, principal text, key text))
  with ordinality as c(id, principal, key, place)
left join bindings b on b.id = c.id
left join applications a on a.binding_id = b.id
left join review_cases r on r.binding_id = b.id
left join idempotency i on i.principal = c.principal and i.key = c.key
order by c.place
"""
_PLANS = "select hash, body::text from plans where hash = any(%s)"


class _Row(NamedTuple):
    """The columns of `_READ`, in its order; those of the case are null where there is no such binding."""

    id: str
    state: str
    version: int
    since: datetime
    head: bytes
    progress: str
    plan: str  # by its hash
    product: str
    method: str
    channel: str
    channel_reference: str | None
    region: str
    relationship: str
    initiator: str
    holder: str
    member: str
    sealed: bytes
    face_age_day: date | None
    created_at: datetime
    materials: str | None
    claimed_by: str | None
    lease_until: datetime | None
    epoch: int | None  # null where there is no review case
    fingerprint: str | None  # null where nothing was asked under the key
    status: int | None
    headers: dict[str, str] | None
    body: str | None
    now: datetime
    added_since: list[str] | None
    calendar: int
    wrong_passwords: dict[str, int] | None
    rests: dict[str, str] | None


class Answered(msgspec.Struct):
    """What was answered before under this key; `status` is None while the first still runs."""

    fingerprint: str
    status: int | None
    headers: dict[str, str]
    body: str

    @classmethod
    def of(cls, fingerprint: str, status: int | None, headers: dict[str, str] | None, body: str | None) -> Answered:
        """A row of `idempotency` as it is read: headers and body, too, are empty while the first still runs."""
        return cls(fingerprint, status, headers or {}, body or "")


class Read(msgspec.Struct):
    """One row of the read: the case (None where there is none, or it cannot be read), the earlier answer, the time."""

    case: Case | None
    answered: Answered | None
    now: datetime
    fault: Exception | None = None  # why a case that is there cannot be read: its plan, its progress, its seal

    def found(self) -> tuple[Case, datetime]:
        """The case, and the time. Raises what broke its reading, else `Refused` with `not_found`."""
        if self.case is None:
            raise self.fault or not_found()
        return self.case, self.now


class Reader:
    """Turns rows into cases; keeps plans, which never change, in the process."""

    def __init__(self, keys: Keyring) -> None:
        """Open sealed parties with these keys."""
        self._keys = keys
        self._plans: dict[str, Plan] = {}
        self._progress = msgspec.json.Decoder(Progress)
        self.calendar = SEED  # as the ledger had it at the last reading

    def knows(self, plan_hash: str) -> bool:
        """Whether this plan is known to be stored."""
        return plan_hash in self._plans

    def remember(self, plan_hash: str, plan: Plan) -> None:
        """Keep a plan that has been stored."""
        self._plans[plan_hash] = plan

    def forget(self, plan_hash: str) -> None:
        """No longer take a plan for stored."""
        self._plans.pop(plan_hash, None)

    def read(self, conn: Connection[Any], asked: Sequence[tuple[str, str | None, str | None]]) -> list[Read]:
        """Read `(binding id, principal, idempotency key)` of each; the answers come in the same order.

        One that cannot be read has its `fault`, and keeps none of the others from being read.
        """
        told = [{"id": one[0], "principal": one[1], "key": one[2]} for one in asked]
        rows = [_Row._make(row) for row in run(conn, _READ, told)]
        broken = self._learn(conn, {row.plan for row in rows if row.plan and row.plan not in self._plans})
        if rows and rows[0].calendar != self.calendar.version:
            self.calendar = calendars.read(conn)
        return [self._row(row, broken) for row in rows]

    def cases(self, conn: Connection[Any], ids: Iterable[str]) -> list[tuple[Case, datetime]]:
        """These bindings' cases as they are now, and that time, in this order; left out: what is gone or unreadable."""
        asked = [(one, None, None) for one in ids]
        reads = self.read(conn, asked) if asked else []
        return [(read.case, read.now) for read in reads if read.case is not None]

    def plans(self, conn: Connection[Any], hashes: set[str]) -> dict[str, Plan]:
        """The plans of these hashes; left out: what is not stored, or what this code cannot take in."""
        self._learn(conn, hashes - self._plans.keys())
        return {name: self._plans[name] for name in hashes & self._plans.keys()}

    def _learn(self, conn: Connection[Any], hashes: set[str]) -> dict[str, Exception]:
        """Keep the plans of these hashes; of those that this code cannot take in, why."""
        broken: dict[str, Exception] = {}
        for name, body in conn.execute(_PLANS, (list(hashes),)).fetchall() if hashes else ():
            try:
                self._plans[name] = plan_from_json(body)
            except msgspec.DecodeError as fault:
                broken[name] = fault
        return broken

    def _row(self, row: _Row, broken: dict[str, Exception]) -> Read:
        read = Read(None, None, row.now)
        if row.fingerprint is not None:
            read.answered = Answered.of(row.fingerprint, row.status, row.headers, row.body)
        if row.id is not None:
            try:
                read.case = self._case(row)
            except Exception as fault:  # noqa: BLE001  whatever is wrong with it, it is this row's alone
                read.fault = broken.get(row.plan, fault)
                log.error("case_unreadable", binding_id=row.id, fault=type(read.fault).__name__)  # noqa: TRY400
        return read

    def parties(self, binding_id: str, sealed: bytes, progress: Progress) -> dict[str, Any]:
        """The parties as they are called at this stage of the case: as applied with, and what has changed since."""
        parties: dict[str, Any] = orjson.loads(self._keys.open(sealed, parties_context(binding_id)))
        if progress.changed is not None:
            parties["member"] |= opened(self._keys, binding_id, progress.changed, parties["member"])
        if progress.reported is not None:
            reported = opened(self._keys, binding_id, progress.reported, parties["member"])
            parties["reported"] = parties["member"] | reported
        return parties

    def _case(self, row: _Row) -> Case:
        progress = self._progress.decode(row.progress)
        application = Application(
            product=row.product,
            method=row.method,
            channel=row.channel,
            channel_reference=row.channel_reference,
            region=row.region,
            relationship=row.relationship,
            initiator=row.initiator,
            holder=row.holder,
            member=row.member,
            sealed=row.sealed,
            face_age_day=row.face_age_day,
            created_at=row.created_at,
            parties=self.parties(row.id, row.sealed, progress),
        )
        return Case(
            id=row.id,
            state=row.state,
            version=row.version,
            since=row.since,
            head=row.head,
            progress=progress,
            plan=self._plans[row.plan],
            application=application,
            materials=_documents(row.materials) if row.materials else [],
            lease=Lease(row.claimed_by, row.lease_until, row.epoch) if row.epoch is not None else None,
            added_since=tuple(row.added_since or ()),
            wrong_passwords=row.wrong_passwords or {},
            rests={who: datetime.fromisoformat(until) for who, until in row.rests.items()} if row.rests else {},
            calendar=self.calendar,
        )


def _documents(told: str) -> list[dict[str, Any]]:
    """Documents by id. Five words each: as JSON they would take PostgreSQL longer than the rest of the case."""
    words = iter(told.split(" "))
    return [{"id": one, "kind": kind, "sha256": sha256, "size": int(size), "media_type": media_type}
            for one, kind, sha256, size, media_type in sorted(zip(*[words] * 5, strict=True))]  # fmt: skip
