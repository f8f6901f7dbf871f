"""What the hands remember: places of long errands, outages, what is stuck, repairs, who is at work."""

from __future__ import annotations

from sqlalchemy import Boolean, Column, DateTime, Index, Integer, Table, Text, text
from sqlalchemy.dialects.postgresql import ARRAY, JSONB

from models.tables.base import id_, metadata, one_of, time_

# How far an errand has come that goes through everything in small steps.
upkeep_places = Table(
    "upkeep_places",
    metadata,
    Column("name", Text, primary_key=True),
    time_("at"),
    id_("binding_id", nullable=False),
)

provider_outages = Table(
    "provider_outages",
    metadata,
    id_("provider", primary_key=True),
    Column("first_at", DateTime(timezone=True), primary_key=True),
    time_("last_at"),
    time_("ended_at", nullable=True),
    id_("made_good_to"),  # null while it is not over; then the windows up to this binding have been moved
    Column("ahead", ARRAY(Text(collation="C"))),  # of bindings behind that, whose pass was to be judged: moved, too
    # at most one is open; beside it another may still be being made good
    Index("provider_outages_open_idx", "provider", unique=True,
          postgresql_where=text("ended_at is null and made_good_to is null")),
)  # fmt: skip

# What was found stuck, and when it was found to move again; each is told once.
stuck_findings = Table(
    "stuck_findings",
    metadata,
    id_(primary_key=True),
    id_("binding_id", nullable=False),
    Column("cause", Text, nullable=False),
    Column("key", Text, nullable=False),  # tells two findings of one cause in one binding apart
    Column("fingerprint", Text, nullable=False),
    Column("evidence", JSONB, nullable=False),
    time_("since"),
    time_("found_at"),
    time_("recovered_at", nullable=True),
    Index("stuck_findings_open_idx", "binding_id", "cause", "key", unique=True,
          postgresql_where=text("recovered_at is null")),
    Index("stuck_findings_recovered_idx", "recovered_at", postgresql_where=text("recovered_at is not null")),
)  # fmt: skip

# What operators order: one verb for one binding or for all that a filter finds, why, and who else said yes.
REPAIR_STATES = ("planning", "planned", "awaiting_approval", "running", "done", "undoing", "undone",
                 "failed", "withdrawn")  # fmt: skip
repairs = Table(
    "repairs",
    metadata,
    id_(primary_key=True),
    Column("verb", Text, nullable=False),
    Column("args", JSONB, nullable=False),
    Column("filter", JSONB),  # of one binding, too: its id
    Column("reason", Text, nullable=False),
    Column("dry_run", Boolean, nullable=False),
    Column("state", Text, nullable=False),
    Column("pace", Integer, nullable=False),  # bindings a second, at most
    Column("regions", ARRAY(Text), nullable=False),  # the grants of who asked
    Column("asked_by", Text(collation="C"), nullable=False),
    Column("asked_person", Text(collation="C")),
    Column("asked_under", Text(collation="C")),  # the idempotency key and the request, for as long as keys are kept
    Column("applied_by", Text(collation="C")),
    Column("applied_person", Text(collation="C")),
    Column("approved_by", Text(collation="C")),
    Column("approved_person", Text(collation="C")),
    Column("undone_by", Text(collation="C")),
    Column("undone_person", Text(collation="C")),
    Column("undone_because", Text),
    Column("withdrawn_by", Text(collation="C")),  # null if the hands closed it, as nobody applied it
    Column("withdrawn_because", Text),
    time_("created_at"),
    time_("approved_at", nullable=True),
    time_("paused_at", nullable=True),
    time_("finished_at", nullable=True),
    id_("after", nullable=False, server_default=text("''")),  # planning: the last binding looked at
    time_("next_at", default="clock_timestamp()"),  # real time: the next batch not before
    Column("attempts", Integer, nullable=False, server_default=text("0")),  # planning: pages that broke, in a row
    Column("fault", Text),  # the last of them
    one_of("state", REPAIR_STATES, "state_known"),
    Index("repairs_asked_under_key", "asked_under", unique=True),
    Index("repairs_open_idx", "next_at", postgresql_where=text("state in ('planning', 'running', 'undoing')")),
)

REPAIR_ITEM_STATES = ("planned", "refused", "failed", "done", "undone", "kept")
repair_items = Table(
    "repair_items",
    metadata,
    id_("repair_id", primary_key=True),
    id_("binding_id", primary_key=True),
    Column("state", Text, nullable=False),
    Column("version", Integer, nullable=False),  # at which it was planned: at another one it is not done
    Column("version_after", Integer),
    Column("plan", Text(collation="C"), nullable=False),  # the hash that the binding named before
    Column("change", JSONB, nullable=False),  # the difference that the repair makes, or would make
    Column("summary", Text, nullable=False),  # the same in one line: equal ones are counted together
    Column("code", Text),  # why not
    time_("at"),
    one_of("state", REPAIR_ITEM_STATES, "state_known"),
    Index("repair_items_state_idx", "repair_id", "state", "binding_id"),
)

heartbeats = Table(
    "heartbeats",
    metadata,
    Column("name", Text, primary_key=True),  # of a worker, of the sweep
    time_("seen_at"),
    Column("detail", JSONB),  # no longer written
)
