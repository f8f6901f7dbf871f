"""Keys of channels, made and taken back at the console; who did it is noted in the same commit.

A key opens a channel everywhere, so only a supervisor of the whole country may make or take back one.
"""

from __future__ import annotations

from models.ledger import Ledger
from workflows.access import noting, principals
from workflows.access.principals import EVERYWHERE, Principal
from workflows.errors import Refused, not_found


def may_keep(supervisor: Principal) -> bool:
    """Whether this supervisor makes keys and takes them back."""
    return "supervisor" in supervisor.roles and EVERYWHERE in supervisor.regions


def make_key(ledger: Ledger, supervisor: Principal, channel: str, name: str) -> tuple[Principal, str]:
    """Give a channel one more key; the key is told this once. Raises `Refused` 403 `role_required`, 422."""
    _ask(supervisor)
    if channel not in principals.CHANNELS:
        raise Refused("channel_unknown", 422, "/channel")
    made = principals.new_channel(ledger.now(), channel, name)
    with ledger.transaction() as conn:
        key = principals.keep(conn, made)
        noting.note(conn, supervisor.id, f"key_made:{made.id}", purpose=name)
    return made, key


def revoke_key(ledger: Ledger, supervisor: Principal, principal_id: str, reason: str) -> None:
    """Take a channel's key back. Raises `Refused` 403 `role_required`, 404 where there is no such key."""
    _ask(supervisor)
    if not any(one.id == principal_id and one.kind == "channel" for one in principals.every(ledger)):
        raise not_found()
    with ledger.transaction() as conn:
        if not principals.take_back(conn, principal_id):
            raise not_found()  # somebody else was faster, and the log names him
        noting.note(conn, supervisor.id, f"key_revoked:{principal_id}", purpose=reason)


def _ask(supervisor: Principal) -> None:
    if not may_keep(supervisor):
        raise Refused("role_required", 403)
