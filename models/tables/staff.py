"""Who works on cases: queues, keys, accounts and days, and what they note of each other's cases."""

from __future__ import annotations

from sqlalchemy import BigInteger, Column, Date, ForeignKey, Index, Integer, LargeBinary, Table, Text, text
from sqlalchemy.dialects.postgresql import ARRAY, JSONB

from models.tables.base import binding_id, id_, metadata, one_of, time_

review_cases = Table(
    "review_cases",
    metadata,
    binding_id(primary_key=True),
    Column("agency", Text, nullable=False),
    time_("entered_at"),
    time_("due_at"),
    Column("escalations", Integer, nullable=False, server_default=text("0")),
    Column("claimed_by", Text),
    time_("lease_until", nullable=True),
    Column("epoch", BigInteger, nullable=False, server_default=text("0")),
    Index("review_cases_queue_idx", "agency", "due_at"),
)

counter_tickets = Table(
    "counter_tickets",
    metadata,
    binding_id(primary_key=True),
    Column("code", Text, nullable=False, unique=True),
    Column("agency", Text, nullable=False),
    time_("opened_at"),
    time_("due_at"),
    Index("counter_tickets_queue_idx", "agency", "due_at"),
)

principals = Table(
    "principals",
    metadata,
    id_(primary_key=True),
    Column("kind", Text, nullable=False),
    Column("name", Text, nullable=False),
    Column("channel", Text),
    Column("roles", ARRAY(Text), nullable=False, server_default=text("'{}'")),
    Column("regions", ARRAY(Text), nullable=False, server_default=text("'{}'")),
    Column("person", Text(collation="C")),  # staff: the blind index of the own number
    Column("key_hash", Text, nullable=False, unique=True),
    time_("created_at"),
    time_("revoked_at", nullable=True),
    one_of("kind", ("channel", "staff"), "kind_known"),
)

# Who looked at what, and why: searches on behalf of a person, documents opened, numbers revealed. And who signed in, or
# failed to, and what became of accounts and keys.
access_log = Table(
    "access_log",
    metadata,
    Column("id", BigInteger, primary_key=True, autoincrement=True),
    time_("at"),
    Column("principal", Text, nullable=False),
    Column("act", Text, nullable=False),
    Column("binding_id", Text),
    Column("person", Text),
    Column("purpose", Text),
    Index("access_log_binding_idx", "binding_id"),
    Index("access_log_named_idx", "at", postgresql_where=text("person is not null")),
)

# What must be kept for a dispute, or because a court says so: nothing of it is erased until the hold is lifted.
legal_holds = Table(
    "legal_holds",
    metadata,
    binding_id(primary_key=True),
    Column("reason", Text, nullable=False),
    Column("placed_by", Text, nullable=False),
    time_("placed_at"),
    Column("person", Text(collation="C"), primary_key=True, server_default=text("''")),  # for whom, by his blind index
)

# One year's notice of the State Council: weekdays off, and weekend days that are worked. Years that the package knows
# need no row; a row overrides it. A newer version tells processes to read the years again.
working_days = Table(
    "working_days",
    metadata,
    Column("year", Integer, primary_key=True, autoincrement=False),
    Column("holidays", ARRAY(Date), nullable=False),
    Column("make_up", ARRAY(Date), nullable=False),
    Column("source", Text, nullable=False),
    Column("version", Integer, nullable=False, unique=True),
    time_("loaded_at"),  # real time, as is the next
    time_("recounted_at", nullable=True),  # when the deadlines counted before were brought in line
)

# How a member of staff signs in to the console. Times of these two tables are real time: moving a sandbox's clock signs
# nobody out and unlocks nothing, and authenticator apps know no other time.
staff_accounts = Table(
    "staff_accounts",
    metadata,
    Column("principal", Text(collation="C"), ForeignKey("principals.id"), primary_key=True),
    Column("login", Text, nullable=False, unique=True),
    Column("password_hash", Text, nullable=False),  # argon2id, with its own parameters
    Column("totp", LargeBinary),  # sealed; null until the first sign-in has set it up
    Column("totp_step", BigInteger, nullable=False, server_default=text("0")),  # of the last code: none is taken twice
    Column("failed", Integer, nullable=False, server_default=text("0")),
    time_("locked_until", nullable=True),
    time_("created_at"),
)

staff_sessions = Table(
    "staff_sessions",
    metadata,
    id_(primary_key=True),  # SHA-256 of the cookie
    Column("principal", Text(collation="C"), ForeignKey("principals.id"), nullable=False),
    Column("setup", LargeBinary),  # sealed: the authenticator's secret until it is confirmed
    time_("started_at"),
    time_("seen_at"),
    time_("expires_at"),
    Index("staff_sessions_principal_idx", "principal"),
)

# A reviewer's decision for the seconds in which he may take it back; then what became of it: his day's work.
held_decisions = Table(
    "held_decisions",
    metadata,
    id_(primary_key=True),
    binding_id(),
    Column("staff", Text(collation="C"), nullable=False),
    Column("epoch", BigInteger, nullable=False),  # of the lease under which it was decided
    Column("version", Integer, nullable=False),
    Column("said", Text, nullable=False),
    Column("facts", JSONB, nullable=False),
    time_("held_at"),
    time_("send_at"),
    time_("settled_at", nullable=True),
    Column("outcome", Text),  # `sent`, `taken_back`, or the code of the desk's refusal
    Index("held_decisions_open_idx", "binding_id", unique=True, postgresql_where=text("settled_at is null")),
    Index("held_decisions_due_idx", "send_at", postgresql_where=text("settled_at is null")),
    Index("held_decisions_staff_idx", "staff", "held_at"),
)

# What reviewers write to each other about a case: never sent to a family, no step of the case.
case_notes = Table(
    "case_notes",
    metadata,
    id_(primary_key=True),
    binding_id(),
    Column("staff", Text(collation="C"), nullable=False),
    Column("body", Text, nullable=False),
    time_("at"),
    Index("case_notes_binding_idx", "binding_id"),
)

# Who has a case open at this moment (real time); losing it costs nothing.
case_viewers = Table(
    "case_viewers",
    metadata,
    id_("binding_id", primary_key=True),
    id_("staff", primary_key=True),
    time_("seen_at"),
    prefixes=["UNLOGGED"],
)
