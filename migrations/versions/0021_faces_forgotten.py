"""When a face provider was told to erase what it keeps of an attempt.

Attempts of before are told of too; the release before leaves the column empty. What it gave up asking about has ended.
"""

import sqlalchemy as sa
from alembic import op

revision = "0021"
down_revision = "0020"
branch_labels = None
depends_on = None

_INDEX = "face_sessions_kept_idx on face_sessions (provider, id) where forgotten_at is null"


def upgrade() -> None:
    """Apply. The index is made while others write."""
    op.add_column("face_sessions", sa.Column("forgotten_at", sa.DateTime(timezone=True)), if_not_exists=True)
    op.execute("""
        update face_sessions set status = 'expired', finished_at = coalesce(finished_at, expires_at)
        where status in ('pending', 'error') and poll_at is null and expires_at < now() - interval '3 days'
    """)
    with op.get_context().autocommit_block():
        op.execute(f"create index concurrently if not exists {_INDEX}")


def downgrade() -> None:
    """Take back."""
    op.drop_index("face_sessions_kept_idx", "face_sessions")
    op.drop_column("face_sessions", "forgotten_at")
