"""Run migrations one at a time under a lock, each in its own transaction, failing fast on locks."""

import time

from alembic import context
from sqlalchemy import Connection, create_engine, pool, text
from sqlalchemy.dialects.postgresql.base import ischema_names

from models.tables import Xid8, metadata

ischema_names["xid8"] = Xid8  # so that a column of it is recognised when the database is compared with the tables
_GLANCE = 0.1  # seconds between two looks whether the deployment before is done
_ONE_AT_A_TIME = 7_305_402  # any number of ours: the advisory lock that two deployments meet at

_HALF_BUILT = text("""
select indexrelid::regclass::text from pg_index join pg_class c on c.oid = indexrelid
where not indisvalid and c.relkind = 'i' and c.relnamespace = current_schema::regnamespace
""")


def _is_ours(_thing: object, name: str | None, kind: str, reflected: bool, _compare_to: object) -> bool:  # noqa: FBT001
    # partitions are made by upkeep as time goes on; they belong to `history`
    return not (kind == "table" and reflected and name is not None and name.startswith("history_"))


def _drop_half_built(connection: Connection) -> None:
    """An index whose making was broken off is there and serves nobody; `if not exists` would let it be for good."""
    for name in connection.execute(_HALF_BUILT).scalars().all():
        connection.execute(text(f"drop index {name}"))


def run() -> None:
    """Upgrade the database of the configuration."""
    engine = create_engine(context.config.attributes["url"], poolclass=pool.NullPool)
    with engine.connect() as connection:
        connection.execute(text("set lock_timeout = '4s'"))
        connection.execute(text("set timezone = 'UTC'"))
        # asked for again and again, not waited for in a statement: an index made concurrently would wait for that
        while not connection.execute(text("select pg_try_advisory_lock(:n)"), {"n": _ONE_AT_A_TIME}).scalar():
            connection.commit()
            time.sleep(_GLANCE)
        _drop_half_built(connection)
        connection.commit()
        context.configure(
            connection=connection,
            target_metadata=metadata,
            transaction_per_migration=True,
            include_object=_is_ours,
            compare_server_default=False,
        )
        with context.begin_transaction():
            context.run_migrations()
        connection.execute(text("select pg_advisory_unlock(:n)"), {"n": _ONE_AT_A_TIME})
        connection.commit()


run()
