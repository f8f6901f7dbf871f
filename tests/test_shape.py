"""What the linters cannot see: who may write a state, who may commit, who may ask for the time."""

import ast
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
    "models/ledger.py": "is the clock",
    "embedded/": "process ages, not the service's time",
    "gateways/documents.py": "the ages of files, by the clock that stamped them",
    "cli/": "shows how long ago something was",
}

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


def commits(tree: ast.AST) -> Iterator[ast.AST]:
    """`anything.commit(…)`."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr == "commit":
            yield node


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
    "only the ledger commits": (commits, {"models/ledger.py"}),
    "only the clock asks for the time": (clock_reads, set(CLOCK_READERS)),
}


def sources() -> Iterator[tuple[str, ast.AST]]:
    for package in PACKAGES:
        for path in sorted((ROOT / package).rglob("*.py")):
            yield path.relative_to(ROOT).as_posix(), ast.parse(path.read_text(), filename=str(path))


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


def test_there_is_something_to_look_at() -> None:
    assert sum(1 for _ in sources()) > 5


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


@pytest.mark.parametrize("code", ["session.commit()", "self.connection.commit()", "transaction().commit(now=True)"])
def test_a_commit_is_found(code: str) -> None:
    assert list(commits(ast.parse(code)))


@pytest.mark.parametrize("code", ["commit = 1", "session.begin()", "'session.commit()'", "row.commit_id"])
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
