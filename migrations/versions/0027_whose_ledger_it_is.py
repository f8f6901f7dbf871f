"""A ledger knows whose it is: under another keyring the same people would be others, and be bound twice.

The row is written by the first process of this release that opens the ledger. The release before neither writes nor
reads it, and asks for no keyring.
"""

import sqlalchemy as sa
from alembic import op

revision = "0027"
down_revision = "0026"
branch_labels = None
depends_on = None

_GRANTS = """
do $$
begin
  grant select, insert, update, delete on keyring to kinbind_desk;
  grant select on keyring to kinbind_reader;
exception
  when insufficient_privilege or undefined_object then
    raise notice 'roles kinbind_desk and kinbind_reader were granted nothing';
end
$$;
"""


def upgrade() -> None:
    """Apply."""
    op.create_table(
        "keyring",
        sa.Column("one", sa.Boolean(), server_default=sa.text("true"), nullable=False),
        sa.Column("mark", sa.Text(), nullable=False),
        sa.CheckConstraint("one", name=op.f("keyring_one_row")),
        sa.PrimaryKeyConstraint("one", name=op.f("keyring_pkey")),
    )
    op.execute(_GRANTS)


def downgrade() -> None:
    """Take back."""
    op.drop_table("keyring")
