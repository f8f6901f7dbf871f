"""The yardstick: pgbench writing the rows of the same nine steps, one durable commit a step.

A life is carried through the desk once, and the rows that each step wrote, in every table, become a prepared
statement of one CTE: nothing is read, checked, locked, sealed, hashed or answered, no place at a limit looked for.
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
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime
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
# Every table in which a life leaves rows, by what they are its own, and by what each is known.
_TABLES = {
    "persons": ("key = any(%(persons)s)", ("key",)),
    "bindings": ("id = %(id)s", ("id",)),
    "applications": ("binding_id = %(id)s", ("binding_id",)),
    "person_channels": ("person = any(%(persons)s)", ("person", "channel")),
    "history": ("binding_id = %(id)s", ("binding_id", "sequence")),
    "deadlines": ("binding_id = %(id)s", ("binding_id", "name")),
    "seats": ("binding_id = %(id)s", ("scope", "holder", "n")),
    "month_seats": ("binding_id = %(id)s", ("member", "product", "month", "n")),
    "face_sessions": ("binding_id = %(id)s", ("id",)),
    "idempotency": ("key like %(id)s || '-%%'", ("principal", "key")),
}
_BY_ITSELF = ("xid", "recorded_at")  # what PostgreSQL fills in

Row = dict[str, Any]
Rows = dict[str, dict[tuple[Any, ...], Row]]


@dataclass(frozen=True, slots=True)
class Change:
    """One row that a step of the recorded life wrote: `was` is None for a new one, `now` for one that is gone."""

    table: str
    was: Row | None
    now: Row | None


@dataclass(frozen=True, slots=True)
class Life:
    """What the steps of the recorded life wrote, and the words in it that are another family's in another life."""

    steps: list[list[Change]]
    own: dict[str, str]  # the recorded word: SQL that makes another life's
    at: datetime


@dataclass(slots=True)
class Yardstick:
    """Measures the machine: `name` says by what."""

    url: str
    folder: Path
    name: str = "pgbench"
    _rounds: count[int] = field(default_factory=count)
    _life: Life = field(init=False)

    def __post_init__(self) -> None:
        """Record a life, and write the script if there is a pgbench to run it."""
        self._life = _record(self.url)
        if _pgbench() is None:
            self.name = "psycopg_loop"
        else:
            (self.folder / "yardstick.sql").write_text(_script(self._life))

    def run(self, seconds: float) -> Figure:
        """One round of at least `seconds`, after the warm-up."""
        program, number = _pgbench(), next(self._rounds)
        found = self._loop(number, seconds) if program is None else self._pgbench(program, number, seconds)
        with psycopg.connect(self.url) as conn:  # lives cut off in the middle: no sweep shall find what they left armed
            conn.execute("delete from deadlines where binding_id like 'bnd\\_yds\\_%'")
        return found

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
            assert process.poll() is None, said.read_text()
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
            steps = _statements(self._life, sql.Placeholder("life"))
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


def _record(url: str) -> Life:
    ledger = Ledger(url, size=1)
    desk, lives = Desk(ledger, lawbook(), keyring()), Lives(lawbook())
    lay_papers(ledger, RUN, 1)
    steps: list[list[Change]] = []
    before: Rows = {}
    own = {life_id(RUN, 0).removeprefix("bnd_"): _ID}
    for command in lives.commands(RUN, 0):
        case = desk.say(command).case
        assert case is not None
        holder, member = case.application.holder, case.application.member
        with ledger.connection() as conn:
            now = _rows(conn, [holder, member])
        steps.append(list(_changes(before, now)))
        before = now
        own |= {holder: f"('h' || {_ID})", member: f"('m' || {_ID})"}
    at = ledger.now()
    ledger.close()
    return Life(steps, own, at)


def _rows(conn: Connection[Any], persons: list[str]) -> Rows:
    asked = {"id": life_id(RUN, 0), "persons": persons}
    with conn.cursor(row_factory=psycopg.rows.dict_row) as cursor:
        return {
            table: {
                tuple(row[name] for name in key): row
                for row in cursor.execute(f"select * from {table} where {mine}", asked)  # noqa: S608  names of our own
            }
            for table, (mine, key) in _TABLES.items()
        }


def _changes(before: Rows, now: Rows) -> Iterator[Change]:
    for table in _TABLES:
        was, rows = before.get(table, {}), now[table]
        yield from (Change(table, was[key], None) for key in was.keys() - rows.keys())
        yield from (Change(table, was.get(key), row) for key, row in rows.items() if was.get(key) != row)


# -- the statements ------------------------------------------------------------------------------------


def _script(life: Life) -> str:
    """Every transaction is one step; a client goes through life after life, all of its own."""
    own = f"(:round * {CLIENTS} + :client_id) * 1000000"
    parts = [f"\\set step :n % {len(life.steps)}", f"\\set life {own} + :n / {len(life.steps)}", "\\set n :n + 1"]
    for place, statement in enumerate(_statements(life, sql.SQL(":life"))):
        parts += [f"\\{'elif' if place else 'if'} :step = {place}", statement + ";"]
    return "\n".join([*parts, "\\endif", ""])


def _statements(life: Life, number: sql.Composable) -> list[str]:
    """One statement a step: all its rows in common table expressions."""
    made = []
    for step in life.steps:
        rows = [sql.SQL("c{} as (").format(sql.Literal(n)) + _row(change, life) for n, change in enumerate(step)]
        made.append((sql.SQL("with ") + sql.SQL("),\n").join(rows) + sql.SQL(")\nselect")).as_string())
    return [text.replace("{life}", number.as_string()) for text in made]


def _row(change: Change, life: Life) -> sql.Composed:
    table, was, now = sql.Identifier(change.table), change.was, change.now
    known = {name: (was or now or {})[name] for name in _TABLES[change.table][1]}
    where = sql.SQL(" and ").join(_pairs(known, life))
    if now is None:
        return sql.SQL("delete from {} where {}").format(table, where)
    if was is not None:
        changed = {name: value for name, value in now.items() if was[name] != value and name not in _BY_ITSELF}
        return sql.SQL("update {} set {} where {}").format(table, sql.SQL(", ").join(_pairs(changed, life)), where)
    given = {name: value for name, value in now.items() if name not in _BY_ITSELF and not _counted(change.table, name)}
    names, values = sql.SQL(", ").join(map(sql.Identifier, given)), [_literal(value, life) for value in given.values()]
    return sql.SQL("insert into {} ({}) values ({})").format(table, names, sql.SQL(", ").join(values))


def _counted(table: str, name: str) -> bool:
    return (table, name) == ("history", "id")


def _pairs(row: Row, life: Life) -> list[sql.Composed]:
    return [sql.SQL("{} = {}").format(sql.Identifier(name), _literal(value, life)) for name, value in row.items()]


def _literal(value: Any, life: Life) -> sql.Composable:
    if isinstance(value, datetime):
        return sql.SQL("now() + interval {}").format(sql.Literal(f"{round((value - life.at).total_seconds())} s"))
    if value == []:
        return sql.SQL("'{{}}'").format()  # of words; what this life has in JSON is not empty
    if isinstance(value, (dict, list)):
        return _text(json.dumps(value), life) + sql.SQL("::jsonb")
    if isinstance(value, bytes):
        return sql.SQL("'\\x{}'::bytea").format(sql.SQL(value.hex()))
    return _text(value, life) if isinstance(value, str) else sql.Literal(value)


def _text(value: str, life: Life) -> sql.Composed:
    """A string in which the recorded life's own words are those of the life that is written."""
    pieces = re.split("(" + "|".join(life.own) + ")", value)
    return sql.SQL("({})").format(sql.SQL(" || ").join(_piece(piece, life) for piece in pieces if piece or not value))


def _piece(piece: str, life: Life) -> sql.Composable:
    if piece in life.own:
        return sql.SQL(life.own[piece].replace("{", "{{").replace("}", "}}")).format()
    # pgbench takes a colon before a letter or digit for a variable, in a literal too
    quoted = piece.replace("\\", r"\\").replace("'", r"\'").replace(":", r"\x3a")
    return sql.SQL("E'{}'").format(sql.SQL(quoted.replace("{", "{{").replace("}", "}}")).format())
