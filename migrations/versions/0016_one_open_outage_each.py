"""A face provider has one open outage at most: two hands that found it down together began two, each made good.

Of those that were doubled the first stays. Who knows nothing of the index goes on with it: the release before inserts
only where nothing is in the way.
"""

from alembic import op

revision = "0016"
down_revision = "0015"
branch_labels = None
depends_on = None

# Doubled: begun while another of the same provider went on, so that each was gone on with together.
_DOUBLED = """
delete from provider_outages doubled using provider_outages first
where doubled.ended_at is null and doubled.made_good_to is null and first.ended_at is null and first.made_good_to is null
  and first.provider = doubled.provider and first.first_at < doubled.first_at
  and first.last_at >= doubled.first_at - interval '15 minutes'
"""
# Two that are open and were not doubled: the older has been silent, and nobody has noted yet that it is over.
_SILENT = """
update provider_outages silent set made_good_to = ''
where ended_at is null and made_good_to is null and exists (
  select from provider_outages newer
  where newer.ended_at is null and newer.made_good_to is null and newer.provider = silent.provider
    and newer.first_at > silent.first_at)
"""
_OPEN = """
create unique index if not exists provider_outages_open_idx on provider_outages (provider)
where ended_at is null and made_good_to is null
"""


def upgrade() -> None:
    """Apply. A handful of rows, so the lock is held for a moment only, and no double comes in between."""
    op.execute("lock table provider_outages in share row exclusive mode")
    for statement in (_DOUBLED, _SILENT, _OPEN):
        op.execute(statement)


def downgrade() -> None:
    """Take it off."""
    op.drop_index("provider_outages_open_idx", "provider_outages")
