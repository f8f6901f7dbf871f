"""What is stuck and was told, repairs with their items, and letters that are not about a line of their own.

New tables, one column with a constant default, indexes made beside the traffic. The wider unique key of deliveries is
there before the narrower one goes; code that knows only the narrower writes '' into the new column.
"""

from typing import Any

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

_INDEXES = (
    "create unique index stuck_findings_open_idx on stuck_findings (binding_id, cause, key) where recovered_at is null",
    "create index stuck_findings_recovered_idx on stuck_findings (recovered_at) where recovered_at is not null",
    "create index repairs_open_idx on repairs (next_at) where state in ('planning', 'running', 'undoing')",
    "create index repair_items_state_idx on repair_items (repair_id, state, binding_id)",
)
_NARROW = "deliveries_endpoint_id_binding_id_sequence_type_key"
_WIDE = "deliveries_endpoint_id_binding_id_sequence_type_notice_key"
_RIGHTS = """
do $$
begin
  grant select, insert, update, delete on stuck_findings, repairs, repair_items to kinbind_desk;
  grant select on stuck_findings, repairs, repair_items to kinbind_reader;
exception
  when insufficient_privilege or undefined_object then
    raise notice 'roles kinbind_desk and kinbind_reader are not there';
end
$$;
"""


def _id(name: str, *, nullable: bool = False, default: str | None = None) -> sa.Column[str]:
    made = sa.text(default) if default else None
    return sa.Column(name, sa.Text(collation="C"), nullable=nullable, server_default=made)


def _text(name: str, *, nullable: bool = False) -> sa.Column[str]:
    return sa.Column(name, sa.Text(), nullable=nullable)


def _time(name: str, *, nullable: bool = False, default: str | None = None) -> sa.Column[Any]:
    made = sa.text(default) if default else None
    return sa.Column(name, sa.DateTime(timezone=True), nullable=nullable, server_default=made)


def _json(name: str, *, nullable: bool = False) -> sa.Column[Any]:
    return sa.Column(name, postgresql.JSONB(), nullable=nullable)


def upgrade() -> None:
    """Apply."""
    op.create_table(
        # where it is there already, a try before was broken off over the indexes that are made while others write
        "stuck_findings", _id("id"), _id("binding_id"), _text("cause"), _text("key"), _text("fingerprint"),
        _json("evidence"), _time("since"), _time("found_at"), _time("recovered_at", nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("stuck_findings_pkey")), if_not_exists=True,
    )  # fmt: skip
    op.create_table(
        "repairs", _id("id"), _text("verb"), _json("args"), _json("filter", nullable=True), _text("reason"),
        sa.Column("dry_run", sa.Boolean(), nullable=False), _text("state"),
        sa.Column("pace", sa.Integer(), nullable=False),
        sa.Column("regions", postgresql.ARRAY(sa.Text()), nullable=False),
        _id("asked_by"), _id("asked_person", nullable=True), _id("approved_by", nullable=True),
        _id("approved_person", nullable=True), _id("undone_by", nullable=True), _text("undone_because", nullable=True),
        _time("created_at"), _time("approved_at", nullable=True), _time("paused_at", nullable=True),
        _time("finished_at", nullable=True), _id("after", default="''"),
        _time("next_at", default="clock_timestamp()"),
        sa.CheckConstraint(
            "state in ('planning', 'planned', 'awaiting_approval', 'running', 'done', 'undoing', 'undone')",
            name=op.f("repairs_state_known"),
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("repairs_pkey")), if_not_exists=True,
    )  # fmt: skip
    op.create_table(
        "repair_items", _id("repair_id"), _id("binding_id"), _text("state"),
        sa.Column("version", sa.Integer(), nullable=False), sa.Column("version_after", sa.Integer(), nullable=True),
        _id("plan"), _json("change"), _text("summary"), _text("code", nullable=True), _time("at"),
        sa.CheckConstraint(
            "state in ('planned', 'refused', 'failed', 'done', 'undone', 'kept')",
            name=op.f("repair_items_state_known"),
        ),
        sa.PrimaryKeyConstraint("repair_id", "binding_id", name=op.f("repair_items_pkey")), if_not_exists=True,
    )  # fmt: skip
    for statement in _INDEXES:  # on tables that are still empty
        op.execute(statement.replace(" index ", " index if not exists ", 1))
    op.execute(_RIGHTS)
    notice = sa.Column("notice", sa.Text(), nullable=False, server_default=sa.text("''"))
    op.add_column("deliveries", notice, if_not_exists=True)
    with op.get_context().autocommit_block():
        op.create_index(
            "deliveries_parked_idx", "deliveries", ["binding_id"], postgresql_where=sa.text("state = 'parked'"),
            postgresql_concurrently=True, if_not_exists=True,
        )  # fmt: skip
        op.create_index(
            "deadlines_parked_idx", "deadlines", ["due_at"], postgresql_where=sa.text("parked is not null"),
            postgresql_concurrently=True, if_not_exists=True,
        )  # fmt: skip
        op.create_index(
            "deadlines_leased_idx", "deadlines", ["leased_until"],
            postgresql_where=sa.text("leased_until is not null"), postgresql_concurrently=True, if_not_exists=True,
        )  # fmt: skip
        op.create_index(
            _WIDE, "deliveries", ["endpoint_id", "binding_id", "sequence", "type", "notice"], unique=True,
            postgresql_concurrently=True, if_not_exists=True,
        )  # fmt: skip
    op.execute(f"alter table deliveries add constraint {_WIDE} unique using index {_WIDE}")
    op.execute(f"alter table deliveries drop constraint {_NARROW}")


def downgrade() -> None:
    """Take back."""
    op.execute(f"alter table deliveries add constraint {_NARROW} unique (endpoint_id, binding_id, sequence, type)")
    op.execute(f"alter table deliveries drop constraint {_WIDE}")
    for index, table in (("deliveries_parked_idx", "deliveries"), ("deadlines_parked_idx", "deadlines"),
                         ("deadlines_leased_idx", "deadlines")):  # fmt: skip
        op.drop_index(index, table)
    op.drop_column("deliveries", "notice")
    for table in ("repair_items", "repairs", "stuck_findings"):
        op.drop_table(table)
