"""Who was suspended before warnings had a deadline gets one; the sweep then puts it to its right moment. Rows only."""

from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None

# Due at once: what the clock fires too early is no step, but brought in line with its case, or taken off again.
ARM = """
insert into deadlines (binding_id, name, due_at, watch)
select id, 'suspended_to_warned', kinbind_now(), false from bindings
where state = 'suspended' or (state = 'unbinding' and progress ? 'suspended_for')
on conflict do nothing
"""


def upgrade() -> None:
    """Apply."""
    op.execute(ARM)


def downgrade() -> None:
    """Take them off: the code before knows no such deadline."""
    op.execute("delete from deadlines where name = 'suspended_to_warned'")
