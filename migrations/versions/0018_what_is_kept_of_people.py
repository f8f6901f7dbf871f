"""Names and numbers of what has ended are erased in their time, or when the person asks; a legal hold stops that.

The release before goes on with it: it reads an erased party like any other, without a name or a number. Only what a
member is called from now on is sealed with a key that it does not know (decision 0025).
"""

import sqlalchemy as sa
from alembic import op

revision = "0018"
down_revision = "0017"
branch_labels = None
depends_on = None

_RIGHTS = """
do $$
begin
  grant select, insert, update, delete on legal_holds to kinbind_desk;
  grant select on legal_holds to kinbind_reader;
exception
  when insufficient_privilege or undefined_object then
    raise notice 'roles kinbind_desk and kinbind_reader are not there';
end
$$;
"""


def upgrade() -> None:
    """Apply. A column with a constant for its default rewrites nothing."""
    # each alone: whoever held `applications` while he waits for `bindings` would stand in the desk's way, as it in his
    with op.get_context().autocommit_block():
        op.create_index(
            "access_log_named_idx", "access_log", ["at"], postgresql_where=sa.text("person is not null"),
            postgresql_concurrently=True, if_not_exists=True,
        )  # fmt: skip
        op.execute("alter table applications add column if not exists erased text[] not null default '{}'")
    op.create_table(
        "legal_holds",
        sa.Column("binding_id", sa.Text(collation="C"), sa.ForeignKey("bindings.id"), primary_key=True),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("placed_by", sa.Text(), nullable=False),
        sa.Column("placed_at", sa.DateTime(timezone=True), nullable=False),
    )
    op.execute(_RIGHTS)


def downgrade() -> None:
    """Take off; what has been erased stays erased."""
    op.drop_index("access_log_named_idx", "access_log")
    op.drop_table("legal_holds")
    op.drop_column("applications", "erased")
