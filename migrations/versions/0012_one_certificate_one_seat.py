"""A newborn has one seat with a holder, whether it was applied for by its certificate or by its number.

`seats` gets the certificate beside the member; `desk_write_v1`, made anew by 0014, looks at both. Who sends no
certificate takes a seat as before, so the release before goes on with it.
"""

import sqlalchemy as sa
from alembic import op

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Apply."""
    op.add_column("seats", sa.Column("certificate", sa.Text(collation="C"), nullable=True), if_not_exists=True)


def downgrade() -> None:
    """Nothing to take back: the function asks for the column, and the release before goes on with both."""
