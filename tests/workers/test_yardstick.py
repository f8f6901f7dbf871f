"""The yardstick of the benchmarks still fits the tables: a column that it does not know how to write ends them all."""

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
MEASURE = """
from bench.measure import own_ledger
from bench.yardstick import Yardstick
from models.ledger import database_url
with own_ledger() as folder:
    yardstick = Yardstick(database_url(), folder)
    print(yardstick.name, yardstick.run(1.0).rate > 0)
"""


def test_it_writes_the_rows_of_a_life() -> None:
    done = subprocess.run([sys.executable, "-c", MEASURE], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout.split() in (["pgbench", "True"], ["psycopg_loop", "True"])
