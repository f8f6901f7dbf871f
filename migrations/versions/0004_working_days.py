"""Years of working days, loadable into the ledger: one row a year. A new table only."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

_RIGHTS = """
do $$
begin
  grant select, insert, update, delete on working_days to kinbind_desk;
  grant select on working_days to kinbind_reader;
exception
  when insufficient_privilege or undefined_object then
    raise notice 'roles kinbind_desk and kinbind_reader are not there';
end
$$;
"""


def upgrade() -> None:
    """Apply."""
    op.create_table(
        "working_days",
        sa.Column("year", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("holidays", postgresql.ARRAY(sa.Date()), nullable=False),
        sa.Column("make_up", postgresql.ARRAY(sa.Date()), nullable=False),
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("loaded_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("recounted_at", sa.DateTime(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("year", name=op.f("working_days_pkey")),
        sa.UniqueConstraint("version", name=op.f("working_days_version_key")),
    )
    op.execute(_RIGHTS)
