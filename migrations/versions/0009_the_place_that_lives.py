"""A member with another number keeps the month's place that lives, not one of a binding that has ended.

`desk_write_v1` is made anew under the same name: what it takes and gives is the same, so the release before goes on
with it. It is made by 0014, after all columns that the file of today asks for (0003 tells why).
"""

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Nothing yet: the older function goes on for the few seconds."""


def downgrade() -> None:
    """Nothing to take back: the release before goes on with this one."""
