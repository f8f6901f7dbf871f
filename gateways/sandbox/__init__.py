"""Stand-ins for the outside world, with the state of a small world of their own in schema `sandbox`.

API and workers share it through PostgreSQL. Its clock is the service's (`kinbind_now()`), so that a developer
who skips a day finds every session as old as he expects. Nothing is opened here without `KINBIND_SANDBOX=1`.
"""

from __future__ import annotations

from typing import Any

from psycopg_pool import ConnectionPool

Pool = ConnectionPool[Any]  # autocommit, plain psycopg; apart from the desk's own
