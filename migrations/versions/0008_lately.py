"""What happened lately, found without a look at the whole history: a few bytes for each stretch of its pages."""

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None

_WITH = "using brin (at) with (pages_per_range = 32, autosummarize = on)"
_PARTITIONS = "select inhrelid::regclass::text from pg_inherits where inhparent = 'history'::regclass order by 1"


def upgrade() -> None:
    """Apply."""
    # each part gets its own beside the traffic, the whole then has them all; all of it may be repeated
    op.execute(f"create index if not exists history_at_idx on only history {_WITH}")
    parts = [row[0] for row in op.get_bind().execute(sa.text(_PARTITIONS))]
    with op.get_context().autocommit_block():
        for part in parts:
            op.execute(f"create index concurrently if not exists {part}_at_idx on {part} {_WITH}")
    for part in parts:
        op.execute(f"alter index history_at_idx attach partition {part}_at_idx")


def downgrade() -> None:
    """Take it off."""
    op.execute("drop index history_at_idx")
