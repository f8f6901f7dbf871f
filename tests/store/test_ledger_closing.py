"""A ledger that closes while somebody still reads: nothing is left open, and nobody begins to read."""

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
