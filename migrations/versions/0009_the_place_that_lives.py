"""A member with another number keeps the month's place that lives, not one of a binding that has ended.

`desk_write_v1` is made anew under the same name: what it takes and gives is the same, so the release before goes on
with it.
"""

from pathlib import Path

from alembic import op

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None

_SQL = Path(__file__).resolve().parents[2] / "models" / "sql"


def upgrade() -> None:
    """Apply."""
    op.execute((_SQL / "desk_write_v1.sql").read_text())


def downgrade() -> None:
    """Nothing to take back: the release before goes on with this one."""
