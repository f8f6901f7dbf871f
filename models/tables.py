"""The tables of the ledger. What is written often is slim; what is looked up is indexed; nothing else is."""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    Date,
    DateTime,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    Table,
    Text,
    UniqueConstraint,
    text,
)
from sqlalchemy.dialects.postgresql import ARRAY, INTERVAL, JSONB
from sqlalchemy.types import UserDefinedType

STATES = (
    "submitted",
    "materials_uploaded",
    "face_check",
    "offline_fallback",
    "agency_review",
    "returned",
    "active",
    "suspended",
    "unbinding",
    "unbound",
    "rejected",
    "withdrawn",
    "expired",
)
FACE_STATUSES = ("pending", "passed", "failed", "expired", "error")
DELIVERY_STATES = ("pending", "delivered", "parked")

metadata = MetaData(
    naming_convention={
        "pk": "%(table_name)s_pkey",
        "ck": "%(table_name)s_%(constraint_name)s",
        "fk": "%(table_name)s_%(column_0_name)s_fkey",
        "uq": "%(table_name)s_%(column_0_N_name)s_key",
        "ix": "%(table_name)s_%(column_0_N_name)s_idx",
    }
)


class Xid8(UserDefinedType[int]):
    """PostgreSQL's 64-bit transaction id."""

    cache_ok = True

    def get_col_spec(self, **_: object) -> str:
        """The type's name in SQL."""
        return "xid8"


def _id(name: str = "id", **options: object) -> Column[str]:
    # byte order: ids are never sorted for people, and a locale's order would cost every comparison
    return Column(name, Text(collation="C"), **options)  # type: ignore[arg-type]


def _binding(*, primary_key: bool = False) -> Column[str]:
    return Column("binding_id", Text(collation="C"), ForeignKey("bindings.id"), primary_key=primary_key, nullable=False)


def _time(name: str, *, nullable: bool = False, default: str | None = None) -> Column[object]:
    return Column(name, DateTime(timezone=True), nullable=nullable, server_default=text(default) if default else None)


def _one_of(column: str, values: tuple[str, ...], name: str) -> CheckConstraint:
    return CheckConstraint(f"{column} in ({', '.join(repr(value) for value in values)})", name=name)


# One row: what the sandbox has added to real time. `kinbind_now()` is the only clock.
service_clock = Table(
    "service_clock",
    metadata,
    Column("one", Boolean, primary_key=True, server_default=text("true")),
    Column("ahead", INTERVAL, nullable=False, server_default=text("interval '0'")),
    CheckConstraint("one", name="one_row"),
)

plans = Table(
    "plans",
    metadata,
    _id("hash", primary_key=True),
    Column("body", JSONB, nullable=False),
)

# A person is a blind index; the row exists to be locked while keys of limits are taken or freed.
persons = Table("persons", metadata, _id("key", primary_key=True))

bindings = Table(
    "bindings",
    metadata,
    _id(primary_key=True),
    Column("state", Text, nullable=False),
    Column("version", Integer, nullable=False),
    _time("state_since"),
    Column("head", LargeBinary, nullable=False),  # hash of the newest history line
    Column("progress", JSONB, nullable=False),
    Column("plan", Text(collation="C"), ForeignKey("plans.hash"), nullable=False),
    # under which its newest line stands in the feed: never behind the line before, whoever began first
    Column("xid", Xid8, nullable=False, server_default=text("pg_current_xact_id()")),
    _one_of("state", STATES, "state_known"),
    postgresql_with={"fillfactor": "75"},
)

# What was applied for: written once, never changed.
applications = Table(
    "applications",
    metadata,
    _binding(primary_key=True),
    Column("product", Text, nullable=False),
    Column("method", Text, nullable=False),
    Column("channel", Text, nullable=False),
    Column("channel_reference", Text),
    Column("region", Text, nullable=False),  # the holder's insured region
    Column("relationship", Text, nullable=False),
    Column("initiator", Text, nullable=False),
    Column("holder", Text(collation="C"), ForeignKey("persons.key"), nullable=False),
    Column("member", Text(collation="C"), ForeignKey("persons.key"), nullable=False),
    Column("sealed", LargeBinary, nullable=False),  # the parties: names, numbers, birth dates
    Column("consents", JSONB, nullable=False),
    Column("face_age_day", Date),  # the day the member reaches the age at which a face is asked
    _time("created_at"),
    Index("applications_holder_idx", "holder", "binding_id"),
    Index("applications_member_idx", "member", "binding_id"),
    Index("applications_channel_idx", "channel", "channel_reference"),
)

# Every step, in order; also the event feed. Partitioned by real time, so that a moved clock finds a partition.
history = Table(
    "history",
    metadata,
    Column("id", BigInteger, nullable=False, server_default=text("nextval('history_id_seq')")),
    _id("binding_id", nullable=False),
    Column("sequence", Integer, nullable=False),
    Column("event", Text, nullable=False),
    Column("from_state", Text),
    Column("to_state", Text, nullable=False),
    _time("at"),
    Column("actor", Text, nullable=False),
    Column("reason", Text),
    Column("note", Text),
    Column("after", JSONB, nullable=False),  # {since, progress}: enough for the view as of this line
    Column("hash", LargeBinary, nullable=False),
    Column("channel", Text, nullable=False),
    Column("xid", Xid8, nullable=False, server_default=text("pg_current_xact_id()")),
    _time("recorded_at", default="clock_timestamp()"),
    UniqueConstraint("binding_id", "sequence", "recorded_at"),
    Index("history_channel_idx", "channel", "xid", "id"),
    postgresql_partition_by="RANGE (recorded_at)",
)

deadlines = Table(
    "deadlines",
    metadata,
    _id("binding_id", primary_key=True),  # no foreign key: every step writes here, and only steps do
    Column("name", Text, primary_key=True),
    _time("due_at"),
    Column("watch", Boolean, nullable=False),  # a watch asks and counts; it writes no line
    Column("attempts", Integer, nullable=False, server_default=text("0")),
    _time("leased_until", nullable=True),  # real time: of a watch, while somebody is asking
    Column("parked", Text),  # the cause, once it has been tried ten times
    Index("deadlines_due_idx", "due_at", postgresql_where=text("parked is null and not watch")),
    Index("deadlines_watch_idx", "name", "due_at", postgresql_where=text("parked is null and watch")),
    postgresql_with={"autovacuum_vacuum_scale_factor": "0.02", "fillfactor": "90"},
)

# Place and pair in one row: a submission wins both or neither.
seats = Table(
    "seats",
    metadata,
    _id("scope", primary_key=True),
    _id("holder", primary_key=True),
    Column("n", Integer, primary_key=True),
    _id("member", nullable=False),
    Column("product", Text, nullable=False),
    Column("relationship", Text, nullable=False),
    _id("binding_id", nullable=False),  # no foreign key: seats are taken before the binding is written
    UniqueConstraint("holder", "member", "product"),
    Index("seats_binding_idx", "binding_id"),
)

month_seats = Table(
    "month_seats",
    metadata,
    _id("member", primary_key=True),
    Column("product", Text, primary_key=True),
    Column("month", Text, primary_key=True),
    Column("n", Integer, primary_key=True),
    _id("holder", nullable=False),
    _id("binding_id", nullable=False),
    UniqueConstraint("member", "product", "month", "holder"),
    Index("month_seats_binding_idx", "binding_id"),
)

materials = Table(
    "materials",
    metadata,
    _id(primary_key=True),
    _binding(),
    Column("kind", Text, nullable=False),
    Column("sha256", Text, nullable=False),
    Column("size", Integer, nullable=False),
    Column("media_type", Text, nullable=False),
    Column("pages", Integer, nullable=False),
    Column("added_by", Text, nullable=False),
    _time("added_at"),
    _time("removed_at", nullable=True),
    _time("erased_at", nullable=True),  # the content is gone
    Column("handed_in", Boolean, nullable=False, server_default=text("false")),
    Index("materials_binding_idx", "binding_id"),
)

face_sessions = Table(
    "face_sessions",
    metadata,
    _id(primary_key=True),
    _binding(),
    Column("subject", Text, nullable=False),
    Column("provider", Text, nullable=False),
    Column("reference", Text, nullable=False),
    Column("purpose", Text, nullable=False),  # binding, reverification, unbinding
    _time("started_at"),
    _time("expires_at"),
    Column("status", Text, nullable=False, server_default="pending"),
    Column("reason", Text),
    Column("uses_attempt", Boolean, nullable=False, server_default=text("false")),
    _time("finished_at", nullable=True),
    _time("poll_at", nullable=True),
    Column("attempts", Integer, nullable=False, server_default=text("0")),
    UniqueConstraint("provider", "reference"),
    _one_of("status", FACE_STATUSES, "status_known"),
    Index("face_sessions_binding_idx", "binding_id"),
    Index("face_sessions_poll_idx", "poll_at", postgresql_where=text("poll_at is not null")),
)

review_cases = Table(
    "review_cases",
    metadata,
    _binding(primary_key=True),
    Column("agency", Text, nullable=False),
    _time("entered_at"),
    _time("due_at"),
    Column("escalations", Integer, nullable=False, server_default=text("0")),
    Column("claimed_by", Text),
    _time("lease_until", nullable=True),
    Column("epoch", BigInteger, nullable=False, server_default=text("0")),
    Index("review_cases_queue_idx", "agency", "due_at"),
)

counter_tickets = Table(
    "counter_tickets",
    metadata,
    _binding(primary_key=True),
    Column("code", Text, nullable=False, unique=True),
    Column("agency", Text, nullable=False),
    _time("opened_at"),
    _time("due_at"),
    Index("counter_tickets_queue_idx", "agency", "due_at"),
)

principals = Table(
    "principals",
    metadata,
    _id(primary_key=True),
    Column("kind", Text, nullable=False),
    Column("name", Text, nullable=False),
    Column("channel", Text),
    Column("roles", ARRAY(Text), nullable=False, server_default=text("'{}'")),
    Column("regions", ARRAY(Text), nullable=False, server_default=text("'{}'")),
    Column("person", Text(collation="C")),  # staff: the blind index of the own number
    Column("key_hash", Text, nullable=False, unique=True),
    _time("created_at"),
    _time("revoked_at", nullable=True),
    _one_of("kind", ("channel", "staff"), "kind_known"),
)

idempotency = Table(
    "idempotency",
    metadata,
    _id("principal", primary_key=True),
    _id("key", primary_key=True),
    Column("fingerprint", Text, nullable=False),
    Column("status", Integer),  # null while the first is still running
    Column("headers", JSONB),
    Column("body", Text),
    _time("created_at"),
    _time("reserved_at", nullable=True),  # real time: how long a process may be silent is no matter of the law's clock
    Index("idempotency_created_at_idx", "created_at"),
)

endpoints = Table(
    "webhook_endpoints",
    metadata,
    _id(primary_key=True),
    Column("channel", Text, nullable=False),
    Column("url", Text, nullable=False),
    Column("events", ARRAY(Text)),
    Column("secrets", LargeBinary, nullable=False),  # sealed; the newest first while one is rotated
    _time("created_at"),
    _time("disabled_at", nullable=True),
    Index("webhook_endpoints_channel_idx", "channel"),
)

deliveries = Table(
    "deliveries",
    metadata,
    _id(primary_key=True),  # the webhook-id: the same at every retry
    _id("endpoint_id", nullable=False),
    _id("binding_id", nullable=False),
    Column("sequence", Integer, nullable=False),
    Column("type", Text, nullable=False),
    Column("body", Text),  # frozen at the first attempt
    Column("state", Text, nullable=False, server_default="pending"),
    Column("attempts", Integer, nullable=False, server_default=text("0")),
    _time("next_at"),
    _time("leased_until", nullable=True),  # real time: while somebody is posting it
    Column("last_error", Text),
    _time("created_at"),
    _time("settled_at", nullable=True),
    UniqueConstraint("endpoint_id", "binding_id", "sequence", "type"),
    _one_of("state", DELIVERY_STATES, "state_known"),
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

# Lines of other channels that a channel is told of, because it has acted for one of the parties: part of its feed.
party_notices = Table(
    "party_notices",
    metadata,
    Column("id", BigInteger, primary_key=True, autoincrement=True),
    Column("channel", Text, nullable=False),
    _id("binding_id", nullable=False),
    Column("sequence", Integer, nullable=False),
    Column("xid", Xid8, nullable=False, server_default=text("pg_current_xact_id()")),
    Index("party_notices_channel_idx", "channel", "xid", "id"),
)

# A person who is a party learns of it in every channel that has ever acted for him.
person_channels = Table(
    "person_channels",
    metadata,
    _id("person", primary_key=True),
    Column("channel", Text, primary_key=True),
    _time("since"),
)

usage_records = Table(
    "usage_records",
    metadata,
    _id(primary_key=True),
    _binding(),
    Column("purpose", Text, nullable=False),
    Column("patient", Text),
    Column("channel", Text, nullable=False),
    Column("region", Text),
    _time("at"),
    Index("usage_records_binding_idx", "binding_id", "at"),
)

# Who looked at what, and why: searches on behalf of a person, documents opened, numbers revealed.
access_log = Table(
    "access_log",
    metadata,
    Column("id", BigInteger, primary_key=True, autoincrement=True),
    _time("at"),
    Column("principal", Text, nullable=False),
    Column("act", Text, nullable=False),
    Column("binding_id", Text),
    Column("person", Text),
    Column("purpose", Text),
    Index("access_log_binding_idx", "binding_id"),
)

# Wrong payment passwords of a person on one Shanghai day, in every channel.
password_failures = Table(
    "password_failures",
    metadata,
    _id("person", primary_key=True),
    Column("day", Date, primary_key=True),
    Column("wrong", Integer, nullable=False),
)

provider_outages = Table(
    "provider_outages",
    metadata,
    _id("provider", primary_key=True),
    Column("first_at", DateTime(timezone=True), primary_key=True),
    _time("last_at"),
    _time("ended_at", nullable=True),
)

heartbeats = Table(
    "heartbeats",
    metadata,
    Column("name", Text, primary_key=True),  # of a worker, of beat, of the sweep
    _time("seen_at"),
    Column("detail", JSONB),
)
