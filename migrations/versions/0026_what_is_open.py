"""What has not come to rest is found without a walk over all that has: the windows of an outage, for one.

And a window whose pass is judged while an outage is made good is moved ahead of its page. The release before does not
know of it and moves it once more, which gives one family some more time.
"""

import sqlalchemy as sa
from alembic import op

revision = "0026"
down_revision = "0025"
branch_labels = None
depends_on = None

_INDEX = """
deadlines_open_idx on deadlines (binding_id, name) where name in (
  'submitted_to_materials', 'materials_to_offline', 'record_to_confirmed', 'face_to_first_attempt',
  'first_attempt_to_pass', 'passed_to_authorised', 'review_to_decision', 'returned_to_corrected',
  'offline_to_counter', 'unbind_to_confirmed', 'suspended_to_ended')
"""


def upgrade() -> None:
    """Apply."""
    with op.get_context().autocommit_block():
        op.execute(f"create index concurrently if not exists {_INDEX}")
    op.add_column("provider_outages", sa.Column("ahead", sa.ARRAY(sa.Text(collation="C")), nullable=True))


def downgrade() -> None:
    """Take back."""
    op.drop_column("provider_outages", "ahead")
    op.drop_index("deadlines_open_idx", "deadlines")
