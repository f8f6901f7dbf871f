"""Cases of one kind in one place, found in the order in which they applied: what a reviewer compares with."""

from alembic import op

revision = "0013"
down_revision = "0012"
branch_labels = None
depends_on = None

_INDEX = "applications_alike_idx on applications (region, product, method, relationship, binding_id)"


def upgrade() -> None:
    """Apply."""
    with op.get_context().autocommit_block():
        op.execute(f"create index concurrently if not exists {_INDEX}")


def downgrade() -> None:
    """Take it off."""
    op.drop_index("applications_alike_idx", "applications")
