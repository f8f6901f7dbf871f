"""What stands on a binding of another product comes into force only while that one is there.

`desk_write_v1` is made anew under the same name: what it takes beside is looked for by name, so the release before goes on
through it.
"""

from pathlib import Path

from alembic import op

revision = "0024"
down_revision = "0023"
branch_labels = None
depends_on = None

_SQL = Path(__file__).parents[2] / "models" / "sql"


def upgrade() -> None:
    """Apply."""
    op.execute((_SQL / "desk_write_v1.sql").read_text())


def downgrade() -> None:
    """Nothing to take back: the release before sends no such rows."""
