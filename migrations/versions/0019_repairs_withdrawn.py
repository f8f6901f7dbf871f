"""A repair that nobody lets happen is withdrawn: by whom, and why; one that nobody applied, by the hands."""

import sqlalchemy as sa
from alembic import op

revision = "0019"
down_revision = "0018"
branch_labels = None
depends_on = None

_STATES = "'planning', 'planned', 'awaiting_approval', 'running', 'done', 'undoing', 'undone', 'failed'"


def upgrade() -> None:
    """Apply. The release before shows such an order as one to which nothing can be said."""
    op.add_column("repairs", sa.Column("withdrawn_by", sa.Text(collation="C"), nullable=True))
    op.add_column("repairs", sa.Column("withdrawn_because", sa.Text(), nullable=True))
    _states(f"{_STATES}, 'withdrawn'")


def downgrade() -> None:
    """Take back; what was withdrawn is over, and nothing of it was done."""
    op.execute("update repairs set state = 'failed' where state = 'withdrawn'")
    _states(_STATES)
    op.drop_column("repairs", "withdrawn_by")
    op.drop_column("repairs", "withdrawn_because")


def _states(known: str) -> None:
    # a wider list: every row is within it, and there are few
    op.execute("alter table repairs drop constraint repairs_state_known")
    op.execute(f"alter table repairs add constraint repairs_state_known check (state in ({known}))")
