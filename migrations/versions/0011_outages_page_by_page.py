"""How far the end of an outage has come: the windows are moved page by page, each page in a commit of its own."""

import sqlalchemy as sa
from alembic import op

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Apply."""
    op.add_column("provider_outages", sa.Column("made_good_to", sa.Text(collation="C"), nullable=True))


def downgrade() -> None:
    """Take back; an outage that is half made good is over, or its first half would be made good twice."""
    op.execute("update provider_outages set ended_at = kinbind_now() where made_good_to > '' and ended_at is null")
    op.drop_column("provider_outages", "made_good_to")
