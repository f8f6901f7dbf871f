"""Who applied a repair and who undid it, as persons too; an order whose dry run breaks again and again ends failed."""

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None

_STATES = "'planning', 'planned', 'awaiting_approval', 'running', 'done', 'undoing', 'undone'"
_COLUMNS = ("applied_by", "applied_person", "undone_person")


def upgrade() -> None:
    """Apply."""
    for name in _COLUMNS:
        op.add_column("repairs", sa.Column(name, sa.Text(collation="C"), nullable=True))
    op.add_column("repairs", sa.Column("attempts", sa.Integer(), server_default=sa.text("0"), nullable=False))
    op.add_column("repairs", sa.Column("fault", sa.Text(), nullable=True))
    _states(f"{_STATES}, 'failed'")


def downgrade() -> None:
    """Take back; what has failed is over."""
    op.execute("update repairs set state = 'done' where state = 'failed'")
    _states(_STATES)
    for name in (*_COLUMNS, "attempts", "fault"):
        op.drop_column("repairs", name)


def _states(known: str) -> None:
    # a wider list: every row is within it, and there are few
    op.execute("alter table repairs drop constraint repairs_state_known")
    op.execute(f"alter table repairs add constraint repairs_state_known check (state in ({known}))")
