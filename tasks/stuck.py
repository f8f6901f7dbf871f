"""Notice what is stuck and what moves again, and tell the channel once each time.

A finding is a row as long as its cause lasts. The letters go with the row in one commit, so that however many look at
once, or die while looking, each setting and each clearing is told once. To be stuck is no step: the history has no
line of it, and the letter says the view as it is, at the binding's newest line.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, NamedTuple

import structlog
from psycopg import Connection

from models.ids import new_id
from models.ledger import run
from tasks.office import Office
from workflows.views import public, stuck

STUCK, RECOVERED = "binding.stuck", "binding.recovered"
BATCH = 500  # findings in one commit
MOST = 2000  # that are set, or cleared, in one call; what is left is for the next: a receiver may keep many waiting
_FOUND = """
insert into stuck_findings (id, binding_id, cause, key, fingerprint, evidence, since, found_at)
select f.id, f.binding_id, f.cause, f.key, f.fingerprint, f.evidence, f.since, kinbind_now()
from jsonb_to_recordset($1::jsonb)
  as f(id text, binding_id text, cause text, key text, fingerprint text, evidence jsonb, since timestamptz)
on conflict do nothing returning id
"""
_RECOVERED = """
update stuck_findings set recovered_at = kinbind_now() where id = any(%s) and recovered_at is null returning id
"""
_ENDPOINTS = """
select e.id, e.channel from webhook_endpoints e
where e.disabled_at is null and e.channel = any(%(channels)s)
  and (e.events is null or %(type)s = any(e.events) or %(short)s = any(e.events))
"""
_LETTER = """
insert into deliveries (id, endpoint_id, binding_id, sequence, type, notice, body, next_at, created_at)
values (%s, %s, %s, %s, %s, %s, %s, %s, %s) on conflict do nothing
"""
_FORGET = "delete from stuck_findings where recovered_at < kinbind_now() - interval '90 days'"
log = structlog.get_logger()
_STAND = """
select b.id, b.version, b.state, a.channel, kinbind_now() from bindings b join applications a on a.binding_id = b.id
where b.id = any(%s)
"""
Finding = Mapping[str, Any]


class Stand(NamedTuple):
    """Where a binding stands, read without its plan."""

    id: str
    version: int
    state: str
    channel: str
    now: datetime


def watch_stuck(office: Office) -> int:
    """Bring the findings in line with what is stuck now, and write the letters; return how many changed."""
    found, gone = stuck.changes(office.ledger, MOST)
    now = office.ledger.now()
    fresh = [{**row, "id": new_id("stk", now)} for row in found]
    changed = sum(_note(office, fresh[at : at + BATCH], STUCK) for at in range(0, len(fresh), BATCH))
    changed += sum(_note(office, gone[at : at + BATCH], RECOVERED) for at in range(0, len(gone), BATCH))
    with office.ledger.connection() as conn:
        conn.execute(_FORGET)
    return changed


def _note(office: Office, findings: Sequence[Finding], kind: str) -> int:
    """Write down a batch with its letters in one commit, but for what another process has written already."""
    with office.ledger.transaction() as conn:
        if kind == STUCK:
            written = {row[0] for row in run(conn, _FOUND, findings)}
        else:
            written = {row[0] for row in conn.execute(_RECOVERED, ([one["id"] for one in findings],))}
        ours = [one for one in findings if one["id"] in written]
        _write_letters(office, conn, ours, kind)
    for one in ours:
        log.warning(kind.replace(".", "_"), binding_id=one["binding_id"], fingerprint=one["fingerprint"])
    return len(ours)


def _write_letters(office: Office, conn: Connection[Any], findings: Sequence[Finding], kind: str) -> None:
    ids = sorted({one["binding_id"] for one in findings})
    stand = {row[0]: Stand(*row) for row in conn.execute(_STAND, (ids,))} if ids else {}
    channels = sorted({one.channel for one in stand.values()})
    asked = {"channels": channels, "type": kind, "short": kind.removeprefix("binding.")}
    endpoints = conn.execute(_ENDPOINTS, asked).fetchall() if channels else []
    views = _views(office, conn, stand) if endpoints else {}
    letters = []
    for one in findings:
        at = stand.get(one["binding_id"])
        for endpoint, channel in endpoints:
            # a letter cannot tell an endpoint that it takes no letters
            if at is not None and channel == at.channel and endpoint != one["evidence"].get("endpoint_id"):
                letter = (endpoint, at.id, at.version, kind, one["id"], _body(one, at, views[at.id], kind))
                letters.append((new_id("dlv", at.now), *letter, at.now, at.now))
    if letters:
        with conn.cursor() as cursor:
            cursor.executemany(_LETTER, letters)


def _views(office: Office, conn: Connection[Any], stand: Mapping[str, Stand]) -> dict[str, dict[str, Any]]:
    """The views as they are now, by id; for a case that cannot be shown (its plan may be wrong) only its state."""
    views = {at.id: {"id": at.id, "state": at.state, "version": at.version} for at in stand.values()}
    for case, now in office.desk.reader.cases(conn, stand):
        try:
            views[case.id] = public.public_view(case, now)
        except Exception:  # whatever it is, the channel must still be told
            log.exception("stuck_case_not_shown", binding_id=case.id)
    return views


def _body(finding: Finding, at: Stand, view: dict[str, Any], kind: str) -> str:
    data = {"sequence": at.version, "cause": finding["cause"], "since": finding["since"], "binding": view}
    return public.dumps({"type": kind, "timestamp": at.now, "data": data}).decode()
