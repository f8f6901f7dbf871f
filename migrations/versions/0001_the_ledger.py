"""The ledger: every table, the clock, the write function, the first partitions, the two roles.

Expand first, deploy, then contract: yesterday's code runs on this schema. No NOT NULL in one step.
"""

from pathlib import Path

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

from gateways.sandbox.schema import sandbox_schema_sql
from models.tables import Xid8

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

_SQL = Path(__file__).parents[2] / "models" / "sql"


def upgrade() -> None:
    """Apply."""
    op.execute("create sequence history_id_seq")
    op.create_table(
        "access_log",
        sa.Column("id", sa.BigInteger(), autoincrement=True, nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("principal", sa.Text(), nullable=False),
        sa.Column("act", sa.Text(), nullable=False),
        sa.Column("binding_id", sa.Text(), nullable=True),
        sa.Column("person", sa.Text(), nullable=True),
        sa.Column("purpose", sa.Text(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("access_log_pkey")),
    )
    op.create_index("access_log_binding_idx", "access_log", ["binding_id"], unique=False)
    op.create_table(
        "deadlines",
        sa.Column("binding_id", sa.Text(collation="C"), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("due_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("watch", sa.Boolean(), nullable=False),
        sa.Column("attempts", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.Column("leased_until", sa.DateTime(timezone=True), nullable=True),
        sa.Column("parked", sa.Text(), nullable=True),
        sa.PrimaryKeyConstraint("binding_id", "name", name=op.f("deadlines_pkey")),
        postgresql_with={"autovacuum_vacuum_scale_factor": "0.02", "fillfactor": "90"},
    )
    op.create_index(
        "deadlines_due_idx",
        "deadlines",
        ["due_at"],
        unique=False,
        postgresql_where=sa.text("parked is null and not watch"),
    )
    op.create_index(
        "deadlines_watch_idx",
        "deadlines",
        ["name", "due_at"],
        unique=False,
        postgresql_where=sa.text("parked is null and watch"),
    )
    op.create_table(
        "deliveries",
        sa.Column("id", sa.Text(collation="C"), nullable=False),
        sa.Column("endpoint_id", sa.Text(collation="C"), nullable=False),
        sa.Column("binding_id", sa.Text(collation="C"), nullable=False),
        sa.Column("sequence", sa.Integer(), nullable=False),
        sa.Column("type", sa.Text(), nullable=False),
        sa.Column("body", sa.Text(), nullable=True),
        sa.Column("state", sa.Text(), server_default="pending", nullable=False),
        sa.Column("attempts", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.Column("next_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("leased_until", sa.DateTime(timezone=True), nullable=True),
        sa.Column("last_error", sa.Text(), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("settled_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint("state in ('pending', 'delivered', 'parked')", name=op.f("deliveries_state_known")),
        sa.PrimaryKeyConstraint("id", name=op.f("deliveries_pkey")),
        sa.UniqueConstraint(
            "endpoint_id",
            "binding_id",
            "sequence",
            "type",
            name=op.f("deliveries_endpoint_id_binding_id_sequence_type_key"),
        ),
    )
    op.create_index(
        "deliveries_due_idx",
        "deliveries",
        ["endpoint_id", "next_at"],
        unique=False,
        postgresql_where=sa.text("state = 'pending'"),
    )
    op.create_index(
        "deliveries_leased_idx",
        "deliveries",
        ["endpoint_id"],
        unique=False,
        postgresql_where=sa.text("state = 'pending' and leased_until is not null"),
    )
    op.create_index(
        "deliveries_order_idx",
        "deliveries",
        ["endpoint_id", "binding_id", "sequence"],
        unique=False,
        postgresql_where=sa.text("state = 'pending'"),
    )
    op.create_table(
        "feed_cursors",
        sa.Column("channel", sa.Text(), nullable=False),
        sa.Column("xid", Xid8(), nullable=False),
        sa.Column("id", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("channel", name=op.f("feed_cursors_pkey")),
    )
    op.create_table(
        "heartbeats",
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("seen_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("detail", postgresql.JSONB(astext_type=sa.Text()), nullable=True),
        sa.PrimaryKeyConstraint("name", name=op.f("heartbeats_pkey")),
    )
    op.create_table(
        "history",
        sa.Column("id", sa.BigInteger(), server_default=sa.text("nextval('history_id_seq')"), nullable=False),
        sa.Column("binding_id", sa.Text(collation="C"), nullable=False),
        sa.Column("sequence", sa.Integer(), nullable=False),
        sa.Column("event", sa.Text(), nullable=False),
        sa.Column("from_state", sa.Text(), nullable=True),
        sa.Column("to_state", sa.Text(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("actor", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=True),
        sa.Column("note", sa.Text(), nullable=True),
        sa.Column("after", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("hash", sa.LargeBinary(), nullable=False),
        sa.Column("channel", sa.Text(), nullable=False),
        sa.Column("xid", Xid8(), server_default=sa.text("pg_current_xact_id()"), nullable=False),
        sa.Column(
            "recorded_at", sa.DateTime(timezone=True), server_default=sa.text("clock_timestamp()"), nullable=False
        ),
        sa.UniqueConstraint(
            "binding_id", "sequence", "recorded_at", name=op.f("history_binding_id_sequence_recorded_at_key")
        ),
        postgresql_partition_by="RANGE (recorded_at)",
    )
    op.create_index("history_channel_idx", "history", ["channel", "xid", "id"], unique=False)
    op.create_table(
        "idempotency",
        sa.Column("principal", sa.Text(collation="C"), nullable=False),
        sa.Column("key", sa.Text(collation="C"), nullable=False),
        sa.Column("fingerprint", sa.Text(), nullable=False),
        sa.Column("status", sa.Integer(), nullable=True),
        sa.Column("headers", postgresql.JSONB(astext_type=sa.Text()), nullable=True),
        sa.Column("body", sa.Text(), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("reserved_at", sa.DateTime(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("principal", "key", name=op.f("idempotency_pkey")),
    )
    op.create_index("idempotency_created_at_idx", "idempotency", ["created_at"], unique=False)
    op.create_table(
        "month_seats",
        sa.Column("member", sa.Text(collation="C"), nullable=False),
        sa.Column("product", sa.Text(), nullable=False),
        sa.Column("month", sa.Text(), nullable=False),
        sa.Column("n", sa.Integer(), nullable=False),
        sa.Column("holder", sa.Text(collation="C"), nullable=False),
        sa.Column("binding_id", sa.Text(collation="C"), nullable=False),
        sa.PrimaryKeyConstraint("member", "product", "month", "n", name=op.f("month_seats_pkey")),
        sa.UniqueConstraint(
            "member", "product", "month", "holder", name=op.f("month_seats_member_product_month_holder_key")
        ),
    )
    op.create_index("month_seats_binding_idx", "month_seats", ["binding_id"], unique=False)
    op.create_table(
        "party_notices",
        sa.Column("id", sa.BigInteger(), autoincrement=True, nullable=False),
        sa.Column("channel", sa.Text(), nullable=False),
        sa.Column("binding_id", sa.Text(collation="C"), nullable=False),
        sa.Column("sequence", sa.Integer(), nullable=False),
        sa.Column("xid", Xid8(), server_default=sa.text("pg_current_xact_id()"), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("party_notices_pkey")),
    )
    op.create_index("party_notices_channel_idx", "party_notices", ["channel", "xid", "id"], unique=False)
    op.create_table(
        "password_failures",
        sa.Column("person", sa.Text(collation="C"), nullable=False),
        sa.Column("day", sa.Date(), nullable=False),
        sa.Column("wrong", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("person", "day", name=op.f("password_failures_pkey")),
    )
    op.create_table(
        "person_channels",
        sa.Column("person", sa.Text(collation="C"), nullable=False),
        sa.Column("channel", sa.Text(), nullable=False),
        sa.Column("since", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("person", "channel", name=op.f("person_channels_pkey")),
    )
    op.create_table(
        "persons",
        sa.Column("key", sa.Text(collation="C"), nullable=False),
        sa.PrimaryKeyConstraint("key", name=op.f("persons_pkey")),
    )
    op.create_table(
        "plans",
        sa.Column("hash", sa.Text(collation="C"), nullable=False),
        sa.Column("body", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.PrimaryKeyConstraint("hash", name=op.f("plans_pkey")),
    )
    op.create_table(
        "principals",
        sa.Column("id", sa.Text(collation="C"), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("channel", sa.Text(), nullable=True),
        sa.Column("roles", postgresql.ARRAY(sa.Text()), server_default=sa.text("'{}'"), nullable=False),
        sa.Column("regions", postgresql.ARRAY(sa.Text()), server_default=sa.text("'{}'"), nullable=False),
        sa.Column("person", sa.Text(collation="C"), nullable=True),
        sa.Column("key_hash", sa.Text(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("revoked_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint("kind in ('channel', 'staff')", name=op.f("principals_kind_known")),
        sa.PrimaryKeyConstraint("id", name=op.f("principals_pkey")),
        sa.UniqueConstraint("key_hash", name=op.f("principals_key_hash_key")),
    )
    op.create_table(
        "provider_outages",
        sa.Column("provider", sa.Text(collation="C"), nullable=False),
        sa.Column("first_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("last_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("ended_at", sa.DateTime(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("provider", "first_at", name=op.f("provider_outages_pkey")),
    )
    op.create_table(
        "seats",
        sa.Column("scope", sa.Text(collation="C"), nullable=False),
        sa.Column("holder", sa.Text(collation="C"), nullable=False),
        sa.Column("n", sa.Integer(), nullable=False),
        sa.Column("member", sa.Text(collation="C"), nullable=False),
        sa.Column("product", sa.Text(), nullable=False),
        sa.Column("relationship", sa.Text(), nullable=False),
        sa.Column("binding_id", sa.Text(collation="C"), nullable=False),
        sa.PrimaryKeyConstraint("scope", "holder", "n", name=op.f("seats_pkey")),
        sa.UniqueConstraint("holder", "member", "product", name=op.f("seats_holder_member_product_key")),
    )
    op.create_index("seats_binding_idx", "seats", ["binding_id"], unique=False)
    op.create_table(
        "service_clock",
        sa.Column("one", sa.Boolean(), server_default=sa.text("true"), nullable=False),
        sa.Column("ahead", postgresql.INTERVAL(), server_default=sa.text("interval '0'"), nullable=False),
        sa.CheckConstraint("one", name=op.f("service_clock_one_row")),
        sa.PrimaryKeyConstraint("one", name=op.f("service_clock_pkey")),
    )
    op.create_table(
        "webhook_endpoints",
        sa.Column("id", sa.Text(collation="C"), nullable=False),
        sa.Column("channel", sa.Text(), nullable=False),
        sa.Column("url", sa.Text(), nullable=False),
        sa.Column("events", postgresql.ARRAY(sa.Text()), nullable=True),
        sa.Column("secrets", sa.LargeBinary(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("disabled_at", sa.DateTime(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("webhook_endpoints_pkey")),
    )
    op.create_index("webhook_endpoints_channel_idx", "webhook_endpoints", ["channel"], unique=False)
    op.create_table(
        "bindings",
        sa.Column("id", sa.Text(collation="C"), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("state_since", sa.DateTime(timezone=True), nullable=False),
        sa.Column("head", sa.LargeBinary(), nullable=False),
        sa.Column("progress", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("plan", sa.Text(collation="C"), nullable=False),
        sa.Column("xid", Xid8(), server_default=sa.text("pg_current_xact_id()"), nullable=False),
        sa.CheckConstraint(
            "state in ('submitted', 'materials_uploaded', 'face_check', 'offline_fallback', 'agency_review', 'returned', 'active', 'suspended', 'unbinding', 'unbound', 'rejected', 'withdrawn', 'expired')",
            name=op.f("bindings_state_known"),
        ),
        sa.ForeignKeyConstraint(["plan"], ["plans.hash"], name=op.f("bindings_plan_fkey")),
        sa.PrimaryKeyConstraint("id", name=op.f("bindings_pkey")),
        postgresql_with={"fillfactor": "75"},
    )
    op.create_table(
        "applications",
        sa.Column("binding_id", sa.Text(collation="C"), nullable=False),
        sa.Column("product", sa.Text(), nullable=False),
        sa.Column("method", sa.Text(), nullable=False),
        sa.Column("channel", sa.Text(), nullable=False),
        sa.Column("channel_reference", sa.Text(), nullable=True),
        sa.Column("region", sa.Text(), nullable=False),
        sa.Column("relationship", sa.Text(), nullable=False),
        sa.Column("initiator", sa.Text(), nullable=False),
        sa.Column("holder", sa.Text(collation="C"), nullable=False),
        sa.Column("member", sa.Text(collation="C"), nullable=False),
        sa.Column("sealed", sa.LargeBinary(), nullable=False),
        sa.Column("consents", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("face_age_day", sa.Date(), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["binding_id"], ["bindings.id"], name=op.f("applications_binding_id_fkey")),
        sa.ForeignKeyConstraint(["holder"], ["persons.key"], name=op.f("applications_holder_fkey")),
        sa.ForeignKeyConstraint(["member"], ["persons.key"], name=op.f("applications_member_fkey")),
        sa.PrimaryKeyConstraint("binding_id", name=op.f("applications_pkey")),
    )
    op.create_index("applications_channel_idx", "applications", ["channel", "channel_reference"], unique=False)
    op.create_index("applications_holder_idx", "applications", ["holder", "binding_id"], unique=False)
    op.create_index("applications_member_idx", "applications", ["member", "binding_id"], unique=False)
    op.create_table(
        "counter_tickets",
        sa.Column("binding_id", sa.Text(collation="C"), nullable=False),
        sa.Column("code", sa.Text(), nullable=False),
        sa.Column("agency", sa.Text(), nullable=False),
        sa.Column("opened_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("due_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["binding_id"], ["bindings.id"], name=op.f("counter_tickets_binding_id_fkey")),
        sa.PrimaryKeyConstraint("binding_id", name=op.f("counter_tickets_pkey")),
        sa.UniqueConstraint("code", name=op.f("counter_tickets_code_key")),
    )
    op.create_index("counter_tickets_queue_idx", "counter_tickets", ["agency", "due_at"], unique=False)
    op.create_table(
        "face_sessions",
        sa.Column("id", sa.Text(collation="C"), nullable=False),
        sa.Column("binding_id", sa.Text(collation="C"), nullable=False),
        sa.Column("subject", sa.Text(), nullable=False),
        sa.Column("provider", sa.Text(), nullable=False),
        sa.Column("reference", sa.Text(), nullable=False),
        sa.Column("purpose", sa.Text(), nullable=False),
        sa.Column("started_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("status", sa.Text(), server_default="pending", nullable=False),
        sa.Column("reason", sa.Text(), nullable=True),
        sa.Column("uses_attempt", sa.Boolean(), server_default=sa.text("false"), nullable=False),
        sa.Column("finished_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("poll_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("attempts", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.CheckConstraint(
            "status in ('pending', 'passed', 'failed', 'expired', 'error')", name=op.f("face_sessions_status_known")
        ),
        sa.ForeignKeyConstraint(["binding_id"], ["bindings.id"], name=op.f("face_sessions_binding_id_fkey")),
        sa.PrimaryKeyConstraint("id", name=op.f("face_sessions_pkey")),
        sa.UniqueConstraint("provider", "reference", name=op.f("face_sessions_provider_reference_key")),
    )
    op.create_index("face_sessions_binding_idx", "face_sessions", ["binding_id"], unique=False)
    op.create_index(
        "face_sessions_poll_idx",
        "face_sessions",
        ["poll_at"],
        unique=False,
        postgresql_where=sa.text("poll_at is not null"),
    )
    op.create_table(
        "materials",
        sa.Column("id", sa.Text(collation="C"), nullable=False),
        sa.Column("binding_id", sa.Text(collation="C"), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("sha256", sa.Text(), nullable=False),
        sa.Column("size", sa.Integer(), nullable=False),
        sa.Column("media_type", sa.Text(), nullable=False),
        sa.Column("pages", sa.Integer(), nullable=False),
        sa.Column("added_by", sa.Text(), nullable=False),
        sa.Column("added_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("removed_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("erased_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("handed_in", sa.Boolean(), server_default=sa.text("false"), nullable=False),
        sa.ForeignKeyConstraint(["binding_id"], ["bindings.id"], name=op.f("materials_binding_id_fkey")),
        sa.PrimaryKeyConstraint("id", name=op.f("materials_pkey")),
    )
    op.create_index("materials_binding_idx", "materials", ["binding_id"], unique=False)
    op.create_table(
        "review_cases",
        sa.Column("binding_id", sa.Text(collation="C"), nullable=False),
        sa.Column("agency", sa.Text(), nullable=False),
        sa.Column("entered_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("due_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("escalations", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.Column("claimed_by", sa.Text(), nullable=True),
        sa.Column("lease_until", sa.DateTime(timezone=True), nullable=True),
        sa.Column("epoch", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.ForeignKeyConstraint(["binding_id"], ["bindings.id"], name=op.f("review_cases_binding_id_fkey")),
        sa.PrimaryKeyConstraint("binding_id", name=op.f("review_cases_pkey")),
    )
    op.create_index("review_cases_queue_idx", "review_cases", ["agency", "due_at"], unique=False)
    op.create_table(
        "usage_records",
        sa.Column("id", sa.Text(collation="C"), nullable=False),
        sa.Column("binding_id", sa.Text(collation="C"), nullable=False),
        sa.Column("purpose", sa.Text(), nullable=False),
        sa.Column("patient", sa.Text(), nullable=True),
        sa.Column("channel", sa.Text(), nullable=False),
        sa.Column("region", sa.Text(), nullable=True),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["binding_id"], ["bindings.id"], name=op.f("usage_records_binding_id_fkey")),
        sa.PrimaryKeyConstraint("id", name=op.f("usage_records_pkey")),
    )
    op.create_index("usage_records_binding_idx", "usage_records", ["binding_id", "at"], unique=False)
    op.execute("insert into service_clock default values")
    op.execute("create table history_default partition of history default")
    for name in ("clock_v1", "partitions_v1", "desk_write_v1"):
        op.execute((_SQL / f"{name}.sql").read_text())
    op.execute("select history_partitions_v1(3)")
    op.execute((_SQL / "roles_v1.sql").read_text())
    op.execute(sandbox_schema_sql())  # grants to the desk's role, which must be there
