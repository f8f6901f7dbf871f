"""An endpoint that hangs is asked by one letter at a time, and what it did not take for three days is put aside.

The release before neither writes nor reads these: it goes on with four letters at a time.
"""

import sqlalchemy as sa
from alembic import op

revision = "0025"
down_revision = "0024"
branch_labels = None
depends_on = None

_COLUMNS = (("webhook_endpoints", "fails_since"), ("webhook_endpoints", "rests_until"), ("deliveries", "again_at"))


def upgrade() -> None:
    """Apply."""
    for table, column in _COLUMNS:
        op.add_column(table, sa.Column(column, sa.DateTime(timezone=True), nullable=True))


def downgrade() -> None:
    """Take back."""
    for table, column in _COLUMNS:
        op.drop_column(table, column)
