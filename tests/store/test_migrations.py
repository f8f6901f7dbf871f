"""The schema: one migration after another, failing fast on locks, and the same as `models/tables/` in the end."""

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
from alembic import command
from alembic.script import ScriptDirectory
from psycopg.errors import LockNotAvailable
from sqlalchemy.exc import OperationalError

from models import ledger

ROOT = Path(__file__).parents[2]
VERSIONS = sorted((ROOT / "migrations" / "versions").glob("*.py"))
FIRST = VERSIONS[0]


def schema(url: str) -> list[tuple[object, ...]]:
    """Every column and function that there is."""
    with psycopg.connect(url) as conn:
        columns = conn.execute(
            "select table_name, column_name, data_type, is_nullable, column_default from information_schema.columns"
            " where table_schema = 'public' order by 1, 2"
        ).fetchall()
        functions = conn.execute(
            "select proname, md5(prosrc) from pg_proc where pronamespace = 'public'::regnamespace order by 1, 2"
        ).fetchall()
    return [*columns, *functions]


def test_the_tables_are_what_the_migrations_make(empty_database_url: str) -> None:
    ledger.migrate(empty_database_url)
    command.check(ledger.alembic_config(empty_database_url))  # raises where a column differs


def test_migrating_again_is_harmless(empty_database_url: str) -> None:
    ledger.migrate(empty_database_url)
    before = schema(empty_database_url)
    ledger.migrate(empty_database_url)
    assert schema(empty_database_url) == before


def test_deployments_at_once_wait_for_each_other(empty_database_url: str) -> None:
    code = f"from models import ledger; ledger.migrate({empty_database_url!r})"
    deployments = [subprocess.Popen([sys.executable, "-c", code], cwd=ROOT) for _ in range(3)]
    assert [deployment.wait(50) for deployment in deployments] == [0, 0, 0]


def test_a_table_in_use_is_not_waited_for_long(empty_database_url: str) -> None:
    with psycopg.connect(empty_database_url) as busy:
        # not committed: whoever makes a table of this name must wait for the end of this transaction
        busy.execute("create table plans (hash text)")
        with pytest.raises(OperationalError) as failed:
            ledger.migrate(empty_database_url)
    assert isinstance(failed.value.orig, LockNotAvailable)


def test_there_is_one_head_and_each_migration_says_what_it_is_for(empty_database_url: str) -> None:
    scripts = ScriptDirectory.from_config(ledger.alembic_config(empty_database_url))
    assert len(scripts.get_heads()) == 1
    assert all(script.doc for script in scripts.walk_revisions())


def test_outages_that_were_doubled_are_one(empty_database_url: str) -> None:
    """Of those that went on together the first stays; one that fell silent before another began is over."""
    command.upgrade(ledger.alembic_config(empty_database_url), "0015")
    with psycopg.connect(empty_database_url, autocommit=True) as conn:
        for provider, first, last in (
            ("twice", "09:00:00", "09:20"), ("twice", "09:00:01", "09:20"), ("twice", "09:00:02", "09:20"),
            ("silent", "09:00", "09:05"), ("silent", "10:00", "10:05"), ("alone", "09:00", "09:05"),
        ):  # fmt: skip
            conn.execute(
                "insert into provider_outages (provider, first_at, last_at)"
                " values (%s, '2026-11-02'::date + %s::time, '2026-11-02'::date + %s::time)",
                (provider, first, last),
            )
        ledger.migrate(empty_database_url)
        left = conn.execute(
            "select provider, to_char(first_at, 'HH24:MI:SS'), made_good_to from provider_outages order by 1, 2"
        ).fetchall()
    assert left == [("alone", "09:00:00", None), ("silent", "09:00:00", ""), ("silent", "10:00:00", None),
                    ("twice", "09:00:00", None)]  # fmt: skip


# -- what a migration may not do while yesterday's code is running -----------------------------------------------------


def traps(tree: ast.AST) -> Iterator[str]:
    """What breaks yesterday's code, or locks a large table: NOT NULL in one step, drops, renames, plain indexes."""
    for node in ast.walk(tree):
        if not (isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute)):
            continue
        name, said = node.func.attr, {word.arg: word.value for word in node.keywords}
        for column in (n for n in ast.walk(node) if isinstance(n, ast.Call) and name == "add_column"):
            told = {word.arg: ast.unparse(word.value) for word in column.keywords}
            if told.get("nullable") == "False" and "server_default" not in told:
                yield "add_column: NOT NULL without a default"
        if name == "alter_column" and ast.unparse(said.get("nullable", ast.Constant(None))) == "False":
            yield "alter_column: NOT NULL in one step"
        if name in ("drop_column", "drop_table", "rename_table") or "new_column_name" in said:
            yield f"{name}: yesterday's code still reads it"
        if name == "create_index" and ast.unparse(said.get("postgresql_concurrently", ast.Constant(None))) != "True":
            yield "create_index: not concurrently"


def upgrade_of(code: str) -> ast.AST:
    """The `upgrade` of a migration; a `downgrade` may drop what it made."""
    return next(node for node in ast.parse(code).body if isinstance(node, ast.FunctionDef) and node.name == "upgrade")


@pytest.mark.parametrize("path", VERSIONS, ids=lambda path: path.stem)
def test_yesterdays_code_runs_on_todays_schema(path: Path) -> None:
    if path != FIRST:  # before the first there was no code
        assert list(traps(upgrade_of(path.read_text(encoding="utf-8")))) == []


@pytest.mark.parametrize(
    ("statement", "trapped"),
    [
        ("op.add_column('t', sa.Column('c', sa.Text(), nullable=False))", True),
        ("op.add_column('t', sa.Column('c', sa.Text(), nullable=False, server_default='x'))", False),
        ("op.add_column('t', sa.Column('c', sa.Text(), nullable=True))", False),
        ("op.alter_column('t', 'c', nullable=False)", True),
        ("op.alter_column('t', 'c', new_column_name='d')", True),
        ("op.drop_column('t', 'c')", True),
        ("op.create_index('i', 't', ['c'])", True),
        ("op.create_index('i', 't', ['c'], postgresql_concurrently=True)", False),
        ("op.create_table('t', sa.Column('c', sa.Text(), nullable=False))", False),
    ],
)
def test_the_traps_are_seen(statement: str, trapped: bool) -> None:
    assert bool(list(traps(upgrade_of(f"def upgrade():\n    {statement}")))) is trapped


@pytest.mark.parametrize("before", ["0004"])
def test_a_migration_that_was_broken_off_over_an_index_can_be_repeated(empty_database_url: str, before: str) -> None:
    """Somebody's look was older than its patience: what is half built serves nobody, and must not stay."""
    command.upgrade(ledger.alembic_config(empty_database_url), before)
    with psycopg.connect(empty_database_url) as looking:
        looking.execute("set transaction isolation level repeatable read")
        looking.execute("select count(*) from plans")
        with pytest.raises(OperationalError):
            ledger.migrate(empty_database_url)
    ledger.migrate(empty_database_url)
    with psycopg.connect(empty_database_url) as conn:
        left = conn.execute("select indexrelid::regclass::text from pg_index where not indisvalid").fetchall()
        assert (ledger.schemas(conn), left) == ([ledger.newest_schema(empty_database_url)], [])
