"""Who turns out to have another number brings his binders along only as far as the limit allows.

`desk_write_v1` is made anew under the same name: it counts before it moves places to another person, and gives them the
first one that is free. What it takes and gives is the same, so the release before goes on with it.
"""

from pathlib import Path

from alembic import op

revision = "0014"
down_revision = "0013"
branch_labels = None
depends_on = None

_SQL = Path(__file__).resolve().parents[2] / "models" / "sql"


def upgrade() -> None:
    """Apply."""
    op.execute((_SQL / "desk_write_v1.sql").read_text())


def downgrade() -> None:
    """Nothing to take back: the release before goes on with this one."""
