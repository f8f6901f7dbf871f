"""The yardstick: pgbench writing the rows of the same nine steps, one durable commit a step.

A life is carried through the desk once, and what it left after each step in `bindings`, `history` and `deadlines`
becomes a prepared statement: row, history line and deadlines in one CTE, nothing read, checked, hashed or answered.
Eight clients repeat it. Where there is no pgbench, threads of psycopg do the same; the figure then has another name.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import shutil
import subprocess
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import psutil
import psycopg
from psycopg import Connection, sql

from bench.lives import Lives, lay_papers, life_id
from bench.measure import WARM_UP, Did, Figure, figure, own_memory
from embedded.binaries import postgres_installations
from models.keyring import keyring
from models.ledger import Ledger
from policies.book import lawbook
from workflows.engine import Desk

CLIENTS = 8
RUN = 98  # the families of the recorded life: nobody else's
_ID = "('yds_' || lpad({life}::text, 26, '0'))"
_INSERT = """
with b as (insert into bindings (id, state, version, state_since, head, progress, plan)
           values ({id}, {state}, {version}, now(), {head}, {progress}, {plan}))"""
_UPDATE = """
with b as (update bindings set state = {state}, version = {version}, state_since = now(), head = {head},
             progress = {progress} where id = {id} and version = {expected})"""
_LINE = """,
h{n} as (insert into history
           (binding_id, sequence, event, from_state, to_state, at, actor, reason, after, hash, channel)
         values ({id}, {sequence}, {event}, {from_state}, {to_state}, now(), {actor}, {reason}, {after}, {hash},
           {channel}))"""
_DISARM = """,
g{n} as (delete from deadlines where binding_id = {id} and name = {name})"""
_ARM = """,
d{n} as (insert into deadlines (binding_id, name, due_at, watch) values ({id}, {name}, now() + {after}, {watch})
         on conflict (binding_id, name) do update set due_at = excluded.due_at)"""


@dataclass(slots=True)
class Left:
    """What a step of the recorded life left behind."""

    expected: int
    binding: dict[str, Any]
    lines: list[dict[str, Any]]
    armed: list[dict[str, Any]]
    disarmed: list[str]


@dataclass(slots=True)
class Yardstick:
    """Measures the machine: `name` says by what."""

    url: str
    folder: Path
    name: str = "pgbench"
    _steps: list[Left] = field(default_factory=list)
    _rounds: count[int] = field(default_factory=count)

    def __post_init__(self) -> None:
        """Record a life, and write the script if there is a pgbench to run it."""
        self._steps = _record(self.url)
        if _pgbench() is None:
            self.name = "psycopg_loop"
        else:
            (self.folder / "yardstick.sql").write_text(_script(self._steps))

    def run(self, seconds: float) -> Figure:
        """One round of at least `seconds`, after the warm-up."""
        program, number = _pgbench(), next(self._rounds)
        if program is None:
            return self._loop(number, seconds)
        return self._pgbench(program, number, seconds)

    def _pgbench(self, program: Path, number: int, seconds: float) -> Figure:
        address = urlsplit(self.url)
        argv = [str(program), "--no-vacuum", "--protocol=prepared", f"--client={CLIENTS}", "--jobs=2", "--log",
                f"--log-prefix=round{number}", f"--time={round(seconds + WARM_UP + 0.5)}", "--file=yardstick.sql",
                "--define=n=0", f"--define=round={number}", f"--host={address.hostname}", f"--port={address.port}",
                f"--username={address.username}", address.path[1:]]  # fmt: skip
        environment = os.environ | {"PGPASSWORD": address.password or ""}
        said = self.folder / "pgbench.out"
        with (
            said.open("wb") as out,
            subprocess.Popen(argv, cwd=self.folder, env=environment, stdout=out, stderr=out) as process,
        ):
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(timeout=seconds)
            memory = psutil.Process(process.pid).memory_info().rss
        assert process.returncode == 0, said.read_text()
        done = [did for log in self.folder.glob(f"round{number}.*") for did in _logged(log)]
        begin = min(did.at for did in done) + WARM_UP
        return figure(done, begin, seconds, memory)

    def _loop(self, number: int, seconds: float) -> Figure:
        done: list[Did] = []
        begin = time.perf_counter() + WARM_UP
        until = begin + seconds
        threads = [
            threading.Thread(target=self._client, args=(done, number, client, until)) for client in range(CLIENTS)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        return figure(done, begin, seconds, own_memory())

    def _client(self, done: list[Did], number: int, client: int, until: float) -> None:
        with psycopg.connect(self.url, autocommit=True, prepare_threshold=0) as conn:
            steps = [_statement(left, sql.Placeholder("life")).as_string(conn) for left in self._steps]
            for life in count((number * CLIENTS + client) * 1_000_000):
                for step in steps:
                    started = time.perf_counter()
                    conn.execute(step, {"life": life})
                    ended = time.perf_counter()
                    done.append(Did(ended, ended - started))
                    if ended > until:
                        return


def _pgbench() -> Path | None:
    beside = [one.bin / "pgbench" for one in postgres_installations()]
    on_path = shutil.which("pgbench")
    found = [*beside, *([Path(on_path)] if on_path else [])]
    return next((program for program in found if os.access(program, os.X_OK)), None)


def _logged(log: Path) -> list[Did]:
    """The lines of a pgbench log: client, number, microseconds, script, seconds and microseconds of the end."""
    rows = (line.split() for line in log.read_text().splitlines())
    return [Did(int(row[4]) + int(row[5]) / 1e6, int(row[2]) / 1e6) for row in rows]


# -- the recorded life ---------------------------------------------------------------------------------


def _record(url: str) -> list[Left]:
    ledger = Ledger(url, size=1)
    desk, lives = Desk(ledger, lawbook(), keyring()), Lives(lawbook())
    lay_papers(ledger, RUN, 1)
    steps: list[Left] = []
    before: dict[str, Any] = {}
    for command in lives.commands(RUN, 0):
        desk.say(command)
        with ledger.desk() as conn:
            expected = steps[-1].binding["version"] if steps else 0
            left, before = _left(conn, expected, before)
        steps.append(left)
    ledger.close()
    return steps


def _left(conn: Connection[Any], expected: int, before: dict[str, Any]) -> tuple[Left, dict[str, Any]]:
    bindings, lines, deadlines = (
        _rows(conn, f"select * from {table} where {key} = %s order by {order}")  # noqa: S608  names of our own
        for table, key, order in (("bindings", "id", "id"), ("history", "binding_id", "sequence"),
                                  ("deadlines", "binding_id", "name"))
    )  # fmt: skip
    now = {row["name"]: row for row in deadlines}
    new = [line for line in lines if line["sequence"] > expected]
    armed = [row for name, row in now.items() if before.get(name) != row]
    return Left(expected, bindings[0], new, armed, sorted(before.keys() - now.keys())), now


def _rows(conn: Connection[Any], statement: str) -> list[dict[str, Any]]:
    with conn.cursor(row_factory=psycopg.rows.dict_row) as cursor:
        return cursor.execute(statement, (life_id(RUN, 0),)).fetchall()


# -- the statements ------------------------------------------------------------------------------------


def _script(steps: Sequence[Left]) -> str:
    """Every transaction is one step; a client goes through life after life, all of its own."""
    own = f"(:round * {CLIENTS} + :client_id) * 1000000"
    parts = [f"\\set step :n % {len(steps)}", f"\\set life {own} + :n / {len(steps)}", "\\set n :n + 1"]
    for place, left in enumerate(steps):
        parts.append(f"\\{'elif' if place else 'if'} :step = {place}")
        parts.append(_statement(left, sql.SQL(":life")).as_string() + ";")
    return "\n".join([*parts, "\\endif", ""])


def _statement(left: Left, life: sql.Composable) -> sql.Composed:
    same = {"id": sql.SQL(_ID).format(life=life)}
    row = _literals(left.binding, "state", "version", "head", "progress", "plan")
    parts = [sql.SQL(_UPDATE if left.expected else _INSERT).format(**same, **row, expected=sql.Literal(left.expected))]
    told = ("sequence", "event", "from_state", "to_state", "actor", "reason", "after", "hash", "channel")
    parts += [
        sql.SQL(_LINE).format(n=sql.Literal(n), **same, **_literals(line, *told)) for n, line in enumerate(left.lines)
    ]
    parts += [
        sql.SQL(_DISARM).format(n=sql.Literal(n), name=sql.Literal(name), **same)
        for n, name in enumerate(left.disarmed)
    ]
    after = sql.SQL("interval '7 days'")
    parts += [
        sql.SQL(_ARM).format(n=sql.Literal(n), after=after, **same, **_literals(deadline, "name", "watch"))
        for n, deadline in enumerate(left.armed)
    ]
    return sql.Composed([*parts, sql.SQL("\nselect")])


def _literals(row: dict[str, Any], *names: str) -> dict[str, sql.Composable]:
    return {name: _literal(row[name]) for name in names}


def _literal(value: Any) -> sql.Composable:
    # pgbench takes a colon before a letter or digit for a variable, in a literal too
    if isinstance(value, dict):
        return sql.SQL("{}::jsonb").format(sql.Literal(re.sub(r":(?=\w)", r"\\u003a", json.dumps(value))))
    if isinstance(value, bytes):
        return sql.SQL("'\\x{}'::bytea").format(sql.SQL(value.hex()))
    if isinstance(value, str) and ":" in value:
        return sql.SQL(" || chr(58) || ").join(map(sql.Literal, value.split(":")))
    return sql.Literal(value)
