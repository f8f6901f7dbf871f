"""Death at a chosen point: of our process, before or after any round trip to the database; or of the database's own
process, before or after any statement inside the desk's write. Nothing of the code under test knows of it.
"""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import psycopg
from psycopg_pool import ConnectionPool

from models.tables import metadata
from tasks.office import Office
from tests.drills import parts

_SCHEMA = """
create sequence drill_points;
create table drill (at bigint not null);
insert into drill values (0);
create function drill_point() returns trigger language plpgsql as $$
begin
  if nextval('drill_points') = (select at from drill) then
    perform pg_terminate_backend(pg_backend_pid());
    perform pg_sleep(1);
  end if;
  return null;
end
$$;
"""


class Killed(BaseException):
    """Our process has died: nobody catches this, and no connection lives on."""


class Fuse:
    """Burns down by one at each point, and kills at nought."""

    def __init__(self) -> None:
        self._left = 0
        self.struck = False
        self._lock = threading.Lock()

    def light(self, points: int) -> None:
        """Kill at the `points`-th point from now; 0: never."""
        self._left, self.struck = points, False

    def point(self, connection: psycopg.Connection[Any]) -> None:
        """One point passed."""
        if not self._left or "-worker-" in threading.current_thread().name:  # the pool's own threads are not ours
            return
        with self._lock:
            self._left -= 1
            if self._left or self.struck:
                return
            self.struck = True
        connection.pgconn.finish()
        raise Killed


def mortal(office: Office, fuse: Fuse) -> None:
    """Let every round trip of the desk's connections have a point before it and one after it."""

    class Mortal(psycopg.Connection[Any]):
        def wait(self, *arguments: Any, **named: Any) -> Any:
            fuse.point(self)
            answer = super().wait(*arguments, **named)
            fuse.point(self)
            return answer

    before = office.ledger.pool
    office.ledger.pool = ConnectionPool(
        office.ledger.url, connection_class=Mortal, min_size=1, max_size=4, open=True, timeout=5, kwargs=before.kwargs
    )
    before.close()


def mine(office: Office) -> None:
    """Lay a point before and after every statement that writes to one of our tables, inside the database."""
    with psycopg.connect(office.ledger.url, autocommit=True) as conn:
        conn.execute(_SCHEMA)
        for table in metadata.tables:
            for when in ("before", "after"):
                conn.execute(
                    f"create trigger drill_{when} {when} insert or update or delete on {table}"
                    " for each statement execute function drill_point()"
                )


def buried(office: Office) -> None:
    """Wait until the server has noticed a death: what it held locked, the next one would pass over as another's."""
    at_work = """
    select from pg_stat_activity where datname = current_database() and backend_type = 'client backend'
      and xact_start is not null and pid <> pg_backend_pid()
    """
    with psycopg.connect(office.ledger.url, autocommit=True) as conn:
        parts.until(lambda: not conn.execute(at_work).rowcount, "what the dead had begun is rolled back")


@contextmanager
def backend_dies_at(office: Office, point: int) -> Iterator[Callable[[], bool]]:
    """Kill the backend at the `point`-th of these; the function tells whether it came to that."""
    with psycopg.connect(office.ledger.url, autocommit=True) as conn:
        conn.execute("update drill set at = %s", (point,))
        conn.execute("select setval('drill_points', 1, false)")

        def came() -> bool:
            row = conn.execute("select last_value >= %s and is_called from drill_points", (point,)).fetchone()
            return bool(row and row[0])

        try:
            yield came
        finally:
            conn.execute("update drill set at = 0")
