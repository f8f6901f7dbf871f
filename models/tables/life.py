"""The life of a binding: the case, its history and deadlines, places at the limits, papers and faces."""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    Date,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    Table,
    Text,
    UniqueConstraint,
    text,
)
from sqlalchemy.dialects.postgresql import ARRAY, INTERVAL, JSONB

from models.tables.base import FACE_STATUSES, STATES, Xid8, binding_id, id_, metadata, one_of, time_

# One row: what the sandbox has added to real time. `kinbind_now()` is the only clock.
service_clock = Table(
    "service_clock",
    metadata,
    Column("one", Boolean, primary_key=True, server_default=text("true")),
    Column("ahead", INTERVAL, nullable=False, server_default=text("interval '0'")),
    CheckConstraint("one", name="one_row"),
)

# One row: whose ledger it is (`workflows.keyed`). Nobody's until it is first opened.
keyring = Table(
    "keyring",
    metadata,
    Column("one", Boolean, primary_key=True, server_default=text("true")),
    Column("mark", Text, nullable=False),
    CheckConstraint("one", name="one_row"),
)

plans = Table(
    "plans",
    metadata,
    id_("hash", primary_key=True),
    Column("body", JSONB, nullable=False),
)

# A person is a blind index; the row exists to be locked while keys of limits are taken or freed.
persons = Table("persons", metadata, id_("key", primary_key=True))

bindings = Table(
    "bindings",
    metadata,
    id_(primary_key=True),
    Column("state", Text, nullable=False),
    Column("version", Integer, nullable=False),
    time_("state_since"),
    Column("head", LargeBinary, nullable=False),  # hash of the newest history line
    Column("progress", JSONB, nullable=False),
    Column("plan", Text(collation="C"), ForeignKey("plans.hash"), nullable=False),
    # the transaction id of its newest line in the feed; never less than that of the line before
    Column("xid", Xid8, nullable=False, server_default=text("pg_current_xact_id()")),
    one_of("state", STATES, "state_known"),
    postgresql_with={"fillfactor": "75"},
)

# What was applied for: written once, and changed only where the member gets another number or somebody is erased.
applications = Table(
    "applications",
    metadata,
    binding_id(primary_key=True),
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
    time_("created_at"),
    # the roles that were erased: neither name nor number is kept, and a placeholder stands for the index
    Column("erased", ARRAY(Text), nullable=False, server_default=text("'{}'")),
    Index("applications_holder_idx", "holder", "binding_id"),
    Index("applications_member_idx", "member", "binding_id"),
    Index("applications_channel_idx", "channel", "channel_reference"),
    Index("applications_alike_idx", "region", "product", "method", "relationship", "binding_id"),
)

# Every step, in order; also the event feed. Partitioned by real time, so that a moved clock finds a partition.
history = Table(
    "history",
    metadata,
    Column("id", BigInteger, nullable=False, server_default=text("nextval('history_id_seq')")),
    id_("binding_id", nullable=False),
    Column("sequence", Integer, nullable=False),
    Column("event", Text, nullable=False),
    Column("from_state", Text),
    Column("to_state", Text, nullable=False),
    time_("at"),
    Column("actor", Text, nullable=False),
    Column("reason", Text),
    Column("note", Text),
    Column("after", JSONB, nullable=False),  # {since, progress, plan_was}: enough for the view as of this line
    Column("hash", LargeBinary, nullable=False),
    Column("channel", Text, nullable=False),
    Column("xid", Xid8, nullable=False, server_default=text("pg_current_xact_id()")),
    time_("recorded_at", default="clock_timestamp()"),
    UniqueConstraint("binding_id", "sequence", "recorded_at"),
    Index("history_channel_idx", "channel", "xid", "id"),
    # for what happened lately: lines are appended by time, so that a range of pages is a range of time
    Index(
        "history_at_idx",
        "at",
        postgresql_using="brin",
        postgresql_with={"pages_per_range": "32", "autosummarize": "on"},
    ),
    # what has ended, by time: lines never change, while an index on the state of bindings would
    Index(
        "history_endings_idx",
        "at",
        "binding_id",
        postgresql_where=text("to_state in ('unbound', 'rejected', 'withdrawn', 'expired')"),
    ),
    postgresql_partition_by="RANGE (recorded_at)",
)

deadlines = Table(
    "deadlines",
    metadata,
    id_("binding_id", primary_key=True),  # no foreign key: every step writes here
    Column("name", Text, primary_key=True),
    time_("due_at"),
    Column("watch", Boolean, nullable=False),  # a watch asks and counts; it writes no line
    Column("attempts", Integer, nullable=False, server_default=text("0")),
    time_("leased_until", nullable=True),  # real time: of a watch, while somebody is asking
    Column("parked", Text),  # the cause, once it has been tried ten times
    Index("deadlines_due_idx", "due_at", postgresql_where=text("parked is null and not watch")),
    Index("deadlines_watch_idx", "name", "due_at", postgresql_where=text("parked is null and watch")),
    Index("deadlines_parked_idx", "due_at", postgresql_where=text("parked is not null")),
    Index("deadlines_leased_idx", "leased_until", postgresql_where=text("leased_until is not null")),
    # what has not come to rest, found among all that has (`workflows.deadlines.OPEN`)
    Index(
        "deadlines_open_idx",
        "binding_id",
        "name",
        postgresql_where=text(
            "name in ('submitted_to_materials', 'materials_to_offline', 'record_to_confirmed', 'face_to_first_attempt',"
            " 'first_attempt_to_pass', 'passed_to_authorised', 'review_to_decision', 'returned_to_corrected',"
            " 'offline_to_counter', 'unbind_to_confirmed', 'suspended_to_ended')"
        ),
    ),
    postgresql_with={"autovacuum_vacuum_scale_factor": "0.02", "fillfactor": "90"},
)

# Place and pair in one row: a submission wins both or neither.
seats = Table(
    "seats",
    metadata,
    id_("scope", primary_key=True),
    id_("holder", primary_key=True),
    Column("n", Integer, primary_key=True),
    id_("member", nullable=False),
    Column("product", Text, nullable=False),
    Column("relationship", Text, nullable=False),
    id_("binding_id", nullable=False),  # no foreign key: seats are taken before the binding is written
    id_("certificate"),  # of a newborn, as a person: one seat with a holder, by whichever number it is known
    UniqueConstraint("holder", "member", "product"),
    Index("seats_binding_idx", "binding_id"),
)

# Who came into force with whom in which month: what limits over a window count, for holders and members.
month_seats = Table(
    "month_seats",
    metadata,
    id_("member", primary_key=True),
    Column("product", Text, primary_key=True),  # with its channel where a pack counts each channel apart
    Column("month", Text, primary_key=True),
    Column("n", Integer, primary_key=True),
    id_("holder", nullable=False),
    id_("binding_id", nullable=False),
    Column("scope", Text(collation="C")),  # of the holder's limits, where they have a window
    Column("relationship", Text),
    time_("taken_at", nullable=True),
    Column("ended", Boolean, nullable=False, server_default=text("false")),
    UniqueConstraint("member", "product", "month", "holder"),
    Index("month_seats_binding_idx", "binding_id"),
    Index("month_seats_holder_idx", "holder", "scope", postgresql_where=text("scope is not null")),
)

materials = Table(
    "materials",
    metadata,
    id_(primary_key=True),
    binding_id(),
    Column("kind", Text, nullable=False),
    Column("sha256", Text, nullable=False),
    Column("size", Integer, nullable=False),
    Column("media_type", Text, nullable=False),
    Column("pages", Integer, nullable=False),
    Column("added_by", Text, nullable=False),
    time_("added_at"),
    time_("removed_at", nullable=True),
    time_("erased_at", nullable=True),  # the content is gone
    Column("handed_in", Boolean, nullable=False, server_default=text("false")),
    Index("materials_binding_idx", "binding_id"),
    Index(
        "materials_removed_idx",
        "removed_at",
        postgresql_where=text("removed_at is not null and erased_at is null"),
    ),
)

face_sessions = Table(
    "face_sessions",
    metadata,
    id_(primary_key=True),
    binding_id(),
    Column("subject", Text, nullable=False),
    Column("provider", Text, nullable=False),
    Column("reference", Text, nullable=False),
    Column("purpose", Text, nullable=False),  # binding, reverification, unbinding
    time_("started_at"),
    time_("expires_at"),
    Column("status", Text, nullable=False, server_default="pending"),
    Column("reason", Text),
    Column("uses_attempt", Boolean, nullable=False, server_default=text("false")),
    time_("finished_at", nullable=True),
    time_("poll_at", nullable=True),
    Column("attempts", Integer, nullable=False, server_default=text("0")),
    time_("forgotten_at", nullable=True),  # the provider was told to erase what it keeps
    UniqueConstraint("provider", "reference"),
    one_of("status", FACE_STATUSES, "status_known"),
    Index("face_sessions_binding_idx", "binding_id"),
    Index("face_sessions_poll_idx", "poll_at", postgresql_where=text("poll_at is not null")),
    Index("face_sessions_pending_idx", "expires_at", postgresql_where=text("status = 'pending'")),
    Index("face_sessions_kept_idx", "provider", "id", postgresql_where=text("forgotten_at is null")),
)

# Until when the provider begins no attempt of somebody: it said so when asked to begin one, which it did not.
face_rests = Table(
    "face_rests",
    metadata,
    id_("binding_id", primary_key=True),  # no foreign key: a row lasts a day
    Column("subject", Text, primary_key=True),
    time_("until"),
)
