"""A member with another number: `desk_write_v1` moves a binding and its places to the person of that number.

The function is made anew under the same name: yesterday's code sends no `rekeyed` rows, and nothing else differs. It is
made by 0014, after all columns that the file of today asks for: made here, it would refuse every activation
until then (`tests/drills/test_releases.py`).
"""

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Nothing yet: the older function goes on for the few seconds."""


def downgrade() -> None:
    """Nothing to take back: what asks for nothing new gets nothing new."""
