"""A legal hold is one person's: lifting it leaves that of the other party of the same binding in place.

The release before places holds that are nobody's, and lifts all of a binding; here nobody's are lifted by either party.
"""

import sqlalchemy as sa
from alembic import op

revision = "0020"
down_revision = "0019"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Apply. There are few holds."""
    op.add_column(
        "legal_holds", sa.Column("person", sa.Text(collation="C"), server_default=sa.text("''"), nullable=False)
    )
    op.drop_constraint("legal_holds_pkey", "legal_holds")
    op.create_primary_key("legal_holds_pkey", "legal_holds", ["binding_id", "person"])


def downgrade() -> None:
    """Take back; of two holds on a binding the first stays."""
    op.execute("""
        delete from legal_holds l using legal_holds o
        where o.binding_id = l.binding_id and (o.placed_at, o.person) < (l.placed_at, l.person)
    """)
    op.drop_constraint("legal_holds_pkey", "legal_holds")
    op.create_primary_key("legal_holds_pkey", "legal_holds", ["binding_id"])
    op.drop_column("legal_holds", "person")
