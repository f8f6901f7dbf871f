"""Until when a face provider begins no attempt of somebody: what it said when one was to begin is remembered.

The release before neither writes nor reads it: it lists the attempt, and the provider refuses it again.
"""

import sqlalchemy as sa
from alembic import op

revision = "0023"
down_revision = "0022"
branch_labels = None
depends_on = None

_GRANTS = """
do $$
begin
  grant select, insert, update, delete on face_rests to kinbind_desk;
  grant select on face_rests to kinbind_reader;
exception
  when insufficient_privilege or undefined_object then
    raise notice 'roles kinbind_desk and kinbind_reader were granted nothing';
end
$$;
"""


def upgrade() -> None:
    """Apply."""
    op.create_table(
        "face_rests",
        sa.Column("binding_id", sa.Text(collation="C"), nullable=False),
        sa.Column("subject", sa.Text(), nullable=False),
        sa.Column("until", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("binding_id", "subject", name=op.f("face_rests_pkey")),
    )
    op.execute(_GRANTS)


def downgrade() -> None:
    """Take back."""
    op.drop_table("face_rests")
