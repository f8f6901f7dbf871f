"""A month's partition is made also where its lines have come before it and lie in the default one.

`history_partitions_v1` is made anew under the same name: it moves them. What it takes and gives is the same, so the
release before goes on with it.
"""

from pathlib import Path

from alembic import op

revision = "0017"
down_revision = "0016"
branch_labels = None
depends_on = None

_SQL = Path(__file__).resolve().parents[2] / "models" / "sql"


def upgrade() -> None:
    """Apply."""
    op.execute((_SQL / "partitions_v1.sql").read_text())


def downgrade() -> None:
    """Nothing to take back: the release before goes on with this one."""
