"""What channels are told and have asked: kept answers, webhooks, the feed, uses."""

from __future__ import annotations

from sqlalchemy import BigInteger, Column, Date, Index, Integer, LargeBinary, Table, Text, UniqueConstraint, text
from sqlalchemy.dialects.postgresql import ARRAY, JSONB

from models.tables.base import DELIVERY_STATES, Xid8, binding_id, id_, metadata, one_of, time_

idempotency = Table(
    "idempotency",
    metadata,
    id_("principal", primary_key=True),
    id_("key", primary_key=True),
    Column("fingerprint", Text, nullable=False),
    Column("status", Integer),  # null while the first is still running
    Column("headers", JSONB),
    Column("body", Text),
    time_("created_at"),
    time_("reserved_at", nullable=True),  # real time: so is a process's silence measured
    Index("idempotency_created_at_idx", "created_at"),
)

endpoints = Table(
    "webhook_endpoints",
    metadata,
    id_(primary_key=True),
    Column("channel", Text, nullable=False),
    Column("url", Text, nullable=False),
    Column("events", ARRAY(Text)),
    Column("secrets", LargeBinary, nullable=False),  # sealed; the newest first while one is rotated
    time_("created_at"),
    time_("disabled_at", nullable=True),
    time_("fails_since", nullable=True),  # the first attempt in vain since it took a letter
    time_("rests_until", nullable=True),  # since its last attempt was not answered in time: until the next one
    Index("webhook_endpoints_channel_idx", "channel"),
)

deliveries = Table(
    "deliveries",
    metadata,
    id_(primary_key=True),  # the webhook-id: the same at every retry
    id_("endpoint_id", nullable=False),
    id_("binding_id", nullable=False),
    Column("sequence", Integer, nullable=False),
    Column("type", Text, nullable=False),
    # which of several notices that stand at the same line (stuck, recovered, stuck again); '' for the line itself
    Column("notice", Text, nullable=False, server_default=text("''")),
    Column("body", Text),  # frozen at the first attempt
    Column("state", Text, nullable=False, server_default="pending"),
    Column("attempts", Integer, nullable=False, server_default=text("0")),
    time_("next_at"),
    time_("leased_until", nullable=True),  # real time: while somebody is posting it
    Column("last_error", Text),
    time_("created_at"),
    time_("again_at", nullable=True),  # when somebody had it sent again: from then on it is tried as if it were new
    time_("settled_at", nullable=True),
    UniqueConstraint("endpoint_id", "binding_id", "sequence", "type", "notice"),
    one_of("state", DELIVERY_STATES, "state_known"),
    Index("deliveries_parked_idx", "binding_id", postgresql_where=text("state = 'parked'")),
    Index("deliveries_settled_idx", "settled_at", postgresql_where=text("state = 'delivered'")),
    Index("deliveries_due_idx", "endpoint_id", "next_at", postgresql_where=text("state = 'pending'")),
    Index(
        "deliveries_leased_idx", "endpoint_id", postgresql_where=text("state = 'pending' and leased_until is not null")
    ),
    Index(
        "deliveries_order_idx",
        "endpoint_id",
        "binding_id",
        "sequence",
        postgresql_where=text("state = 'pending'"),
    ),
)

# How far the history of each channel has been turned into deliveries.
feed_cursors = Table(
    "feed_cursors",
    metadata,
    Column("channel", Text, primary_key=True),
    Column("xid", Xid8, nullable=False),
    Column("id", BigInteger, nullable=False),
)

# Lines of other channels' bindings that a channel is told of, as it has acted for a party: part of its feed.
party_notices = Table(
    "party_notices",
    metadata,
    Column("id", BigInteger, primary_key=True, autoincrement=True),
    Column("channel", Text, nullable=False),
    id_("binding_id", nullable=False),
    Column("sequence", Integer, nullable=False),
    Column("xid", Xid8, nullable=False, server_default=text("pg_current_xact_id()")),
    Index("party_notices_channel_idx", "channel", "xid", "id"),
)

# A party is told of its binding in every channel that has ever acted for that person.
person_channels = Table(
    "person_channels",
    metadata,
    id_("person", primary_key=True),
    Column("channel", Text, primary_key=True),
    time_("since"),
)

usage_records = Table(
    "usage_records",
    metadata,
    id_(primary_key=True),
    binding_id(),
    Column("purpose", Text, nullable=False),
    Column("patient", Text),
    Column("channel", Text, nullable=False),
    Column("region", Text),
    time_("at"),
    Index("usage_records_binding_idx", "binding_id", "at"),
)

# Wrong payment passwords of a person on one Shanghai day, in every channel.
password_failures = Table(
    "password_failures",
    metadata,
    id_("person", primary_key=True),
    Column("day", Date, primary_key=True),
    Column("wrong", Integer, nullable=False),
)
