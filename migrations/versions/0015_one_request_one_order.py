"""A request under an idempotency key makes one order of repairs, and completes no key that another request has.

`desk_write_v1` is made anew under the same name: an answer goes to the key of its own request only. What it takes and
gives is the same, so the release before goes on with it.
"""

from pathlib import Path

import sqlalchemy as sa
from alembic import op

revision = "0015"
down_revision = "0014"
branch_labels = None
depends_on = None

_SQL = Path(__file__).resolve().parents[2] / "models" / "sql"


def upgrade() -> None:
    """Apply."""
    op.add_column("repairs", sa.Column("asked_under", sa.Text(collation="C"), nullable=True))
    op.execute((_SQL / "desk_write_v1.sql").read_text())
    # orders are few: made at once, with all of this or none of it
    op.execute("create unique index repairs_asked_under_key on repairs (asked_under)")


def downgrade() -> None:
    """Take the column off; the release before goes on with the function."""
    op.drop_index("repairs_asked_under_key", "repairs")
    op.drop_column("repairs", "asked_under")
