"""The console: accounts and sessions of staff, decisions that may still be taken back, notes, who is looking.

New tables only; nobody's code knows them yet, so that their indexes are made with them.
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

_INDEXES = (
    "create index staff_sessions_principal_idx on staff_sessions (principal)",
    "create unique index held_decisions_open_idx on held_decisions (binding_id) where settled_at is null",
    "create index held_decisions_due_idx on held_decisions (send_at) where settled_at is null",
    "create index held_decisions_staff_idx on held_decisions (staff, held_at)",
    "create index case_notes_binding_idx on case_notes (binding_id)",
)
# The reading side need not see whose password is whose.
_RIGHTS = """
do $$
begin
  grant select, insert, update, delete
    on staff_accounts, staff_sessions, held_decisions, case_notes, case_viewers to kinbind_desk;
  grant select on held_decisions, case_notes, case_viewers to kinbind_reader;
exception
  when insufficient_privilege or undefined_object then
    raise notice 'roles kinbind_desk and kinbind_reader are not there';
end
$$;
"""


def _id(name: str) -> sa.Column[str]:
    return sa.Column(name, sa.Text(collation="C"), nullable=False)


def _time(name: str, *, nullable: bool = False) -> sa.Column[object]:
    return sa.Column(name, sa.DateTime(timezone=True), nullable=nullable)


def upgrade() -> None:
    """Apply."""
    op.create_table(
        "staff_accounts",
        _id("principal"),
        sa.Column("login", sa.Text(), nullable=False),
        sa.Column("password_hash", sa.Text(), nullable=False),
        sa.Column("totp", sa.LargeBinary(), nullable=True),
        sa.Column("totp_step", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("failed", sa.Integer(), server_default=sa.text("0"), nullable=False),
        _time("locked_until", nullable=True),
        _time("created_at"),
        sa.ForeignKeyConstraint(["principal"], ["principals.id"], name=op.f("staff_accounts_principal_fkey")),
        sa.PrimaryKeyConstraint("principal", name=op.f("staff_accounts_pkey")),
        sa.UniqueConstraint("login", name=op.f("staff_accounts_login_key")),
    )
    op.create_table(
        "staff_sessions",
        _id("id"),
        _id("principal"),
        sa.Column("setup", sa.LargeBinary(), nullable=True),
        _time("started_at"),
        _time("seen_at"),
        _time("expires_at"),
        sa.ForeignKeyConstraint(["principal"], ["principals.id"], name=op.f("staff_sessions_principal_fkey")),
        sa.PrimaryKeyConstraint("id", name=op.f("staff_sessions_pkey")),
    )
    op.create_table(
        "held_decisions",
        _id("id"),
        _id("binding_id"),
        _id("staff"),
        sa.Column("epoch", sa.BigInteger(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("said", sa.Text(), nullable=False),
        sa.Column("facts", postgresql.JSONB(), nullable=False),
        _time("held_at"),
        _time("send_at"),
        _time("settled_at", nullable=True),
        sa.Column("outcome", sa.Text(), nullable=True),
        sa.ForeignKeyConstraint(["binding_id"], ["bindings.id"], name=op.f("held_decisions_binding_id_fkey")),
        sa.PrimaryKeyConstraint("id", name=op.f("held_decisions_pkey")),
    )
    op.create_table(
        "case_notes",
        _id("id"),
        _id("binding_id"),
        _id("staff"),
        sa.Column("body", sa.Text(), nullable=False),
        _time("at"),
        sa.ForeignKeyConstraint(["binding_id"], ["bindings.id"], name=op.f("case_notes_binding_id_fkey")),
        sa.PrimaryKeyConstraint("id", name=op.f("case_notes_pkey")),
    )
    op.create_table(
        "case_viewers",
        _id("binding_id"),
        _id("staff"),
        _time("seen_at"),
        sa.PrimaryKeyConstraint("binding_id", "staff", name=op.f("case_viewers_pkey")),
        prefixes=["UNLOGGED"],
    )
    for statement in _INDEXES:
        op.execute(statement)
    op.execute(_RIGHTS)


def downgrade() -> None:
    """Take back."""
    for table in ("case_viewers", "case_notes", "held_decisions", "staff_sessions", "staff_accounts"):
        op.drop_table(table)
