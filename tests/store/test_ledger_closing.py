"""A ledger that closes, or whose server hangs up: nothing is left open, nobody begins to read, no request pays."""

from concurrent.futures import ThreadPoolExecutor

import psycopg
import pytest
from sqlalchemy import text
from sqlalchemy.exc import OperationalError

from models.ledger import Ledger, LedgerClosedError

_SLOWLY = text("select pg_sleep(0.3), 1 as one")
_CANCEL = "select pg_cancel_backend(pid) from pg_stat_activity where query like 'select pg_sleep%'"
_READING = "select count(*) from pg_stat_activity where query like 'select pg_sleep%'"


@pytest.mark.parametrize("fails", [False, True])
def test_who_still_reads_is_the_last(database_url: str, *, fails: bool) -> None:
    ledger = Ledger(database_url)
    with psycopg.connect(database_url, autocommit=True) as beside, ThreadPoolExecutor(1) as reader:
        reading = reader.submit(ledger.read, _SLOWLY)
        while beside.execute(_READING).fetchone() == (0,):
            pass
        ledger.close()
        if fails:
            beside.execute(_CANCEL)
            with pytest.raises(OperationalError):
                reading.result()
        else:
            assert reading.result()[0]["one"] == 1
        with pytest.raises(LedgerClosedError):
            ledger.read(_SLOWLY)
        while beside.execute(_READING).fetchone() != (0,):  # a limit of the test's own ends it
            pass


def test_nobody_is_given_a_connection_that_the_server_has_closed(database_url: str) -> None:
    ledger = Ledger(database_url, size=2)
    try:
        with ledger.connection(), ledger.connection():
            pass  # two are open
        with psycopg.connect(database_url, autocommit=True) as beside:
            others = "from pg_stat_activity where datname = current_database() and pid <> pg_backend_pid()"
            assert beside.execute(f"select pg_terminate_backend(pid) {others}").rowcount >= 2
            while beside.execute(f"select {others}").rowcount:
                pass
        assert [ledger.now() <= ledger.now() for _ in range(4)] == [True] * 4
    finally:
        ledger.close()
