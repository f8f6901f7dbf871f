"""What the linters cannot see: who may write a state, who may commit, who may ask for the time."""

import ast
import re
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PACKAGES = ("workflows", "tasks", "models", "policies", "gateways", "api", "console", "service", "cli", "embedded")
CLOCKS = {
    ("datetime", "now"),
    ("datetime", "utcnow"),
    ("datetime", "today"),
    ("date", "today"),
    ("time", "time"),
    ("time", "time_ns"),
    ("time", "localtime"),
    ("time", "gmtime"),
}
# Who may ask this machine for the time, and why.
CLOCK_READERS = {
    "gateways/documents.py": "the ages of files, by the clock that stamped them",
    "cli/": "shows how long ago something was",
}
# Who may open a connection of his own, or end a transaction on one, and why. All others are lent theirs by the ledger.
COMMITTERS = {
    "models/ledger.py": "is the ledger",
    "tasks/office.py": "the windows' pool: they are never used inside a transaction of the desk",
    "tasks/advance.py": "a lock that goes with its connection; nothing is written on it",
    "gateways/sandbox/": "what the stand-ins know, on the windows' pool",
    "cli/doctor.py": "looks at a database that may be ill",
    "cli/checking/audit.py": "the auditor shares nothing with what he audits, and only reads",
    "cli/simulate/": "counts in a database of its own, and moves its clock",
    "embedded/": "servers; of bindings it knows nothing",
}
# Where a statement may write rows of `bindings`, and why.
WRITERS = {
    "models/sql/desk_write_v1.sql": "is how the engine writes",
    "workflows/repairs/verbs.py": "pins another plan for a repair, and writes no other column (see below)",
}
PINS = "update bindings set plan = %s where id = %s"
_WRITES = re.compile(r"\b(insert\s+into|update|delete\s+from|merge\s+into|truncate)\s+(only\s+)?(public\.)?bindings\b")

Rule = Callable[[ast.AST], Iterator[ast.AST]]


def state_writes(tree: ast.AST) -> Iterator[ast.AST]:
    """`x.state = …`, `setattr(x, "state", …)` and such; `self.state = …` in an `__init__` is no move."""
    beginnings = {id(node) for init in ast.walk(tree) if _is_init(init) for node in ast.walk(init)}
    for node in ast.walk(tree):
        match node:
            case ast.Attribute(value=ast.Name("self"), attr="state") if id(node) in beginnings:
                pass
            case ast.Attribute(attr="state", ctx=ast.Store() | ast.Del()):
                yield node
            case ast.Call(func=ast.Name("setattr"), args=[_, ast.Constant("state"), *_]):
                yield node


def _is_init(node: ast.AST) -> bool:
    return isinstance(node, ast.FunctionDef) and node.name == "__init__"


def binding_writes(tree: ast.AST) -> Iterator[ast.AST]:
    """SQL that writes rows of `bindings`, as a text or made by SQLAlchemy."""
    for node in ast.walk(tree):
        match node:
            case ast.Constant(value=str(sql)) if _WRITES.search(sql.lower()):
                yield node
            case ast.Call(func=ast.Attribute(value=ast.Name("bindings"), attr="insert" | "update" | "delete")):
                yield node
            case ast.Call(func=ast.Name("insert" | "update" | "delete"), args=[ast.Name("bindings"), *_]):
                yield node


def commits(tree: ast.AST) -> Iterator[ast.AST]:
    """A connection of one's own, one that commits by itself, a transaction that is not the ledger's, or a commit."""
    for node in ast.walk(tree):
        match node:
            case ast.Call(func=ast.Attribute(value=ast.Name("psycopg" | "Connection"), attr="connect")):
                yield node
            case ast.Call(func=ast.Name("ConnectionPool" | "create_engine")):
                yield node
            case ast.Call(func=ast.Attribute(attr="transaction", value=owner)) if not _is_ledger(owner):
                yield node
            case ast.Call(func=ast.Attribute(attr="commit" | "set_autocommit")):
                yield node
            case ast.keyword(arg="autocommit") | ast.Constant("autocommit"):
                yield node
            case ast.Attribute(attr="autocommit", ctx=ast.Store()):
                yield node


def _is_ledger(owner: ast.AST) -> bool:
    """`ledger`, `desk.ledger`, `office.ledger`."""
    return (owner.attr if isinstance(owner, ast.Attribute) else getattr(owner, "id", None)) == "ledger"


def clock_reads(tree: ast.AST) -> Iterator[ast.AST]:
    """`datetime.now`, `datetime.datetime.now`, `time.time`, called or handed over, or imported by name."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute):
            owner = node.value.attr if isinstance(node.value, ast.Attribute) else getattr(node.value, "id", None)
            if (owner, node.attr) in CLOCKS:
                yield node
        if isinstance(node, ast.ImportFrom) and any((node.module, name.name) in CLOCKS for name in node.names):
            yield node


RULES: dict[str, tuple[Rule, set[str]]] = {
    "only the engine writes a state": (state_writes, {"workflows/engine.py"}),
    "only the engine writes bindings": (binding_writes, set(WRITERS)),
    "only the ledger commits": (commits, set(COMMITTERS)),
    "only the clock asks for the time": (clock_reads, set(CLOCK_READERS)),
}


def sources() -> Iterator[tuple[str, ast.AST]]:
    for package in PACKAGES:
        for path in sorted((ROOT / package).rglob("*.py")):
            yield path.relative_to(ROOT).as_posix(), ast.parse(path.read_text(), filename=str(path))
        for path in sorted((ROOT / package).rglob("*.sql")):
            yield path.relative_to(ROOT).as_posix(), ast.Constant(path.read_text(), lineno=1)


@pytest.mark.parametrize("name", RULES)
def test_shape(name: str) -> None:
    rule, allowed = RULES[name]
    broken = [
        f"{path}:{getattr(node, 'lineno', '?')}"
        for path, tree in sources()
        if not path.startswith(tuple(allowed))
        for node in rule(tree)
    ]
    assert not broken, f"{name}: {broken}"


@pytest.mark.parametrize("name", RULES)
def test_nobody_is_allowed_what_he_does_not_do(name: str) -> None:
    rule, allowed = RULES[name]
    done = {one for path, tree in sources() for one in allowed if path.startswith(one) and any(rule(tree))}
    assert done == allowed


def test_a_repair_writes_no_column_but_the_plan() -> None:
    path = ROOT / "workflows/repairs/verbs.py"
    found = [ast.unparse(node) for node in binding_writes(ast.parse(path.read_text()))]
    assert found == [repr(PINS)]


@pytest.mark.parametrize(
    "code",
    [
        "binding.state = State.ACTIVE",
        "row.binding.state, x = 1, 2",
        "binding.state += 1",
        "binding.state: State = State.ACTIVE",
        "setattr(binding, 'state', State.ACTIVE)",
        "del binding.state",
        "class Cursor:\n    def __init__(self, case): case.state = 1",
        "class Cursor:\n    def move(self): self.state = 1",
        "for binding.state in states: pass",
        "with door() as binding.state: pass",
    ],
)
def test_a_written_state_is_found(code: str) -> None:
    assert list(state_writes(ast.parse(code)))


@pytest.mark.parametrize(
    "code",
    [
        "if binding.state is State.ACTIVE: pass",
        "state = binding.state",
        "Step(state=State.ACTIVE)",
        "binding.state_since = now",
        "app.state.desk = desk",
        "setattr(binding, name, 1)",
        "class Row:\n    state: State",
        "class Cursor:\n    def __init__(self, case): self.state = case.state",
    ],
)
def test_a_read_state_is_not_found(code: str) -> None:
    assert not list(state_writes(ast.parse(code)))


@pytest.mark.parametrize(
    "code",
    [
        "conn.execute('update bindings set state = %s')",
        "_SQL = 'with x as (UPDATE only bindings b set plan = 1)'",
        "_SQL = f'insert into bindings (id) values ({one})'",
        "_SQL = 'delete\\n  from public.bindings'",
        "bindings.update().values(state=1)",
        "update(bindings)",
    ],
)
def test_a_written_binding_is_found(code: str) -> None:
    assert list(binding_writes(ast.parse(code)))


@pytest.mark.parametrize(
    "code",
    [
        "'select from bindings for update'",
        "'insert into bindings_seen select id from bindings'",
        "'update materials m set x = 1 from bindings b'",
        "seen.update(bindings)",
    ],
)
def test_a_read_binding_is_not_found(code: str) -> None:
    assert not list(binding_writes(ast.parse(code)))


@pytest.mark.parametrize(
    "code",
    [
        "session.commit()",
        "self.connection.commit()",
        "transaction().commit(now=True)",
        "psycopg.connect(url)",
        "Connection.connect(url)",
        "ConnectionPool(url)",
        "create_engine(url)",
        "pool(kwargs={'autocommit': True})",
        "connect(url, autocommit=True)",
        "conn.autocommit = True",
        "conn.transaction()",
        "office.windows.pool.transaction()",
    ],
)
def test_a_commit_is_found(code: str) -> None:
    assert list(commits(ast.parse(code)))


@pytest.mark.parametrize(
    "code",
    [
        "commit = 1",
        "'session.commit()'",
        "row.commit_id",
        "ledger.connection()",
        "ledger.transaction()",
        "desk.ledger.transaction()",
        "worker.connect(close)",
        "from psycopg_pool import ConnectionPool",
    ],
)
def test_other_things_are_no_commit(code: str) -> None:
    assert not list(commits(ast.parse(code)))


@pytest.mark.parametrize(
    "code",
    [
        "datetime.now()",
        "datetime.now(tz=UTC)",
        "datetime.datetime.now(UTC)",
        "dt.datetime.utcnow()",
        "date.today()",
        "datetime.date.today()",
        "time.time()",
        "field(default_factory=datetime.now)",
        "from time import time",
    ],
)
def test_a_look_at_the_clock_is_found(code: str) -> None:
    assert list(clock_reads(ast.parse(code)))


@pytest.mark.parametrize(
    "code",
    [
        "clock.now()",
        "ledger.now(connection)",
        "time.monotonic()",
        "time.perf_counter()",
        "datetime.fromisoformat(text)",
        "datetime.time(8)",
        "from datetime import time",
        "sa.func.now()",
        "timezone.now",
    ],
)
def test_other_times_are_no_look_at_the_clock(code: str) -> None:
    assert not list(clock_reads(ast.parse(code)))
