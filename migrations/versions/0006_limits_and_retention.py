"""Limits over any window from either side; and what finds documents past their time without a look at every row.

`month_seats` gets what its places are counted by; `desk_write_v1`, made anew by 0014, counts them. Endings are indexed
where they are written once and never changed, in the history; a place remembers how far a paced errand has come.
"""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None

_ENDED = "to_state in ('unbound', 'rejected', 'withdrawn', 'expired')"
_INDEXES = (
    "month_seats_holder_idx on month_seats (holder, scope) where scope is not null",
    "materials_removed_idx on materials (removed_at) where removed_at is not null and erased_at is null",
    "deliveries_settled_idx on deliveries (settled_at) where state = 'delivered'",
    "face_sessions_pending_idx on face_sessions (expires_at) where status = 'pending'",
)
_PARTITIONS = "select inhrelid::regclass::text from pg_inherits where inhparent = 'history'::regclass order by 1"
_RIGHTS = """
do $$
begin
  grant select, insert, update, delete on upkeep_places to kinbind_desk;
  grant select on upkeep_places to kinbind_reader;
exception
  when insufficient_privilege or undefined_object then
    raise notice 'roles kinbind_desk and kinbind_reader are not there';
end
$$;
"""


def upgrade() -> None:
    """Apply."""
    # indexes beside the traffic end the transaction half way: all of it may be repeated
    for column in (
        sa.Column("scope", sa.Text(collation="C"), nullable=True),
        sa.Column("relationship", sa.Text(), nullable=True),
        sa.Column("taken_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("ended", sa.Boolean(), server_default=sa.text("false"), nullable=False),
    ):
        op.add_column("month_seats", column, if_not_exists=True)
    op.create_table(
        "upkeep_places",
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("binding_id", sa.Text(collation="C"), nullable=False),
        sa.PrimaryKeyConstraint("name", name=op.f("upkeep_places_pkey")),
        if_not_exists=True,
    )
    op.execute(_RIGHTS)
    # a partitioned table has no index made beside the traffic: each part gets its own, the whole then has them all
    op.execute(f"create index if not exists history_endings_idx on only history (at, binding_id) where {_ENDED}")
    parts = [row[0] for row in op.get_bind().execute(sa.text(_PARTITIONS))]
    with op.get_context().autocommit_block():
        for index in (*_INDEXES, *(f"{part}_endings_idx on {part} (at, binding_id) where {_ENDED}" for part in parts)):
            op.execute(f"create index concurrently if not exists {index}")
    for part in parts:
        op.execute(f"alter index history_endings_idx attach partition {part}_endings_idx")


def downgrade() -> None:
    """Take back what nobody needs; the columns stay, for the function counts by them."""
    op.drop_table("upkeep_places")
    op.execute("drop index history_endings_idx")
    op.drop_index("materials_removed_idx", "materials")
    op.drop_index("deliveries_settled_idx", "deliveries")
    op.drop_index("face_sessions_pending_idx", "face_sessions")
    op.drop_index("month_seats_holder_idx", "month_seats")
