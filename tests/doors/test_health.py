"""Alive, ready, and figures."""

import re
from collections.abc import Iterator
from contextlib import contextmanager

import httpx
import psycopg
import pytest
from psycopg import sql
from psycopg.conninfo import conninfo_to_dict
from typer.testing import CliRunner

from api.clerk import Clerk
from api.health import broker_takes
from cli.main import app
from gateways.sandbox.registries import SandboxRegistries
from models.ledger import PATIENCE, migrate
from tasks.office import Office
from tests import life
from tests.doors.conftest import Run, serving
from tests.doors.family import application, key
from workflows.case import ACTIVE, AGENCY_REVIEW


def beat(office: Office, seconds_ago: int = 0) -> None:
    with office.ledger.connection() as conn:
        conn.execute(
            "insert into heartbeats (name, seen_at) values ('worker', clock_timestamp() - make_interval(secs => %s))"
            " on conflict (name) do update set seen_at = excluded.seen_at",
            (seconds_ago,),
        )


def ready(base_url: str) -> tuple[int, dict[str, bool]]:
    answer = httpx.get(f"{base_url}/readyz", timeout=30)
    return answer.status_code, answer.json()["checks"]


def figures(base_url: str) -> dict[str, float]:
    answer = httpx.get(f"{base_url}/metrics", timeout=30)
    assert answer.headers["content-type"].startswith("text/plain")
    lines = [line.rsplit(" ", 1) for line in answer.text.splitlines() if line and not line.startswith("#")]
    return {name: float(value) for name, value in lines}


def test_alive_without_a_key(base_url: str) -> None:
    assert httpx.get(f"{base_url}/healthz").status_code == 200


@pytest.mark.parametrize("path", ["/healthz", "/readyz", "/openapi.json", "/v1/bindings/bnd_none"])
def test_head_is_get_without_the_body(alipay: httpx.Client, path: str) -> None:
    """Some load balancers ask so, and take out whoever answers 405."""
    head, get = alipay.head(path), alipay.get(path)
    assert (head.status_code, head.headers["content-type"]) == (get.status_code, get.headers["content-type"])
    assert head.content == b""
    assert get.content != b""


def test_ready_when_a_worker_was_seen_lately(base_url: str, office: Office) -> None:
    status, checks = ready(base_url)
    assert (status, checks["worker"], checks["database"], checks["migrations"]) == (503, False, True, True)
    beat(office)
    assert ready(base_url)[0] == 200
    life.skip(office, days=3)  # a moved clock makes no worker old
    assert ready(base_url)[0] == 200
    beat(office, seconds_ago=61)
    assert ready(base_url)[1]["worker"] is False


def test_not_ready_on_yesterdays_schema(base_url: str, office: Office) -> None:
    beat(office)
    with psycopg.connect(office.ledger.url, autocommit=True) as conn:
        conn.execute("update alembic_version set version_num = '0000'")
    assert ready(base_url)[1]["migrations"] is False
    with psycopg.connect(office.ledger.url, autocommit=True) as conn:
        conn.execute("update alembic_version set version_num = '9999'")  # the next release's migrations have run
    assert ready(base_url)[1]["migrations"] is True
    migrate(office.ledger.url)  # and a rollback begins with those of this one: there is nothing to do
    with psycopg.connect(office.ledger.url, autocommit=True) as conn:
        assert conn.execute("select version_num from alembic_version").fetchone() == ("9999",)
        conn.execute("drop table alembic_version")
    assert ready(base_url)[1] == {
        "clerk": True, "database": True, "writable": True, "migrations": False, "keyring": False, "worker": False,
    }  # fmt: skip


def test_not_ready_on_the_ledger_of_another_keyring(base_url: str, office: Office, kinbind: Run) -> None:
    beat(office)
    for whose, well in (("insert into keyring (mark) values ('another')", False), ("select", True)):
        with office.ledger.connection() as conn:
            conn.execute("delete from keyring")  # a restore, to another ledger or to a moment before it was anybody's
            conn.execute(whose)
        status, checks = ready(base_url)
        assert (status, checks["keyring"]) == (200 if well else 503, well)
        assert bool(re.search("bad +ledger .* is not the keyring of this ledger", kinbind("doctor").stdout)) is not well
        swept = kinbind("sweep", "--once")
        assert (swept.exit_code, swept.stderr.count("\n")) == ((0, 0) if well else (1, 1))


@contextmanager
def only_reading(url: str) -> Iterator[None]:
    """A database that takes nothing, as a standby does, or a rented server whose disk is nearly full."""
    name = sql.Identifier(str(conninfo_to_dict(url)["dbname"]))
    with psycopg.connect(url, autocommit=True) as conn:
        conn.execute("set default_transaction_read_only = off")

        def put(state: str) -> None:
            conn.execute(
                sql.SQL("alter database {} set default_transaction_read_only = {}").format(name, sql.SQL(state))
            )
            conn.execute(
                "select pg_terminate_backend(pid, 5000) from pg_stat_activity"
                " where datname = current_database() and pid <> pg_backend_pid()"
            )

        put("on")
        yield
        put("off")


def test_a_database_that_only_reads_is_not_ready_and_is_tried_again(
    base_url: str, alipay: httpx.Client, office: Office, kinbind: Run
) -> None:
    beat(office)
    with only_reading(office.ledger.url):
        status, checks = ready(base_url)
        assert (status, {one for one, well in checks.items() if not well}) == (503, {"writable"})
        refused = alipay.post("/v1/bindings", json=application(), headers=key())
        assert (refused.status_code, refused.json()["code"]) == (503, "unavailable")
        assert re.search("bad +writable +it only reads", kinbind("doctor").stdout)
        swept = kinbind("sweep", "--once")
        assert (swept.exit_code, swept.stderr) == (1, "kinbind: the database only reads; `kinbind doctor` tells more\n")
    assert ready(base_url)[0] == 200


def test_ready_asks_the_broker_if_there_is_one(
    base_url: str, office: Office, broker_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    beat(office)
    monkeypatch.setenv("KINBIND_BROKER_URL", broker_url)
    assert ready(base_url)[0] == 200
    monkeypatch.setenv("KINBIND_BROKER_URL", "redis://127.0.0.1:9/0")
    status, checks = ready(base_url)
    assert (status, checks["broker"]) == (503, False)
    assert not broker_takes("nonsense")


def test_not_ready_on_a_full_broker(
    base_url: str, office: Office, full_broker_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It answers, and takes no hint: nothing moves, and nothing else says why."""
    beat(office)
    monkeypatch.setenv("KINBIND_BROKER_URL", full_broker_url)
    status, checks = ready(base_url)
    assert (status, checks["broker"]) == (503, False)
    assert "the broker is full" in CliRunner().invoke(app, ["doctor"]).stdout


def test_not_ready_without_a_clerk(settings: pytest.MonkeyPatch) -> None:
    seated: list[Clerk] = []
    begin = Clerk.start

    def start(clerk: Clerk) -> None:
        seated.append(clerk)
        begin(clerk)

    settings.setattr(Clerk, "start", start)
    with serving() as url:
        assert ready(url)[1]["clerk"] is True
        seated[0]._table.put(None)  # as whatever else may end its thread
        seated[0]._thread.join(5)
        status, checks = ready(url)
        assert (status, checks["clerk"], checks["database"]) == (503, False, True)
        assert httpx.get(f"{url}/healthz").status_code == 503  # whoever looks after the process starts it anew


def test_no_pool_waits_long_for_a_host_that_is_gone(office: Office) -> None:
    windows = office.windows.registries
    assert isinstance(windows, SandboxRegistries)
    with (
        office.ledger.connection() as desk,
        office.ledger._reader.connect() as reader,
        windows._pool.connection() as window,
    ):
        for conn in (desk, reader.connection.driver_connection, window):
            assert conn is not None
            told = conn.info.get_parameters()
            assert {name: int(told[name]) for name in PATIENCE} == PATIENCE


def test_the_figures_are_those_of_the_ledger(base_url: str, office: Office) -> None:
    beat(office)
    life.to_state(office, ACTIVE)
    life.to_state(office, AGENCY_REVIEW, seed=2)
    httpx.get(f"{base_url}/v1/reviews")
    seen = figures(base_url)
    assert seen["kinbind_database_up"] == 1
    assert seen['kinbind_bindings{state="active"}'] == 1
    assert seen['kinbind_bindings{state="expired"}'] == 0
    assert seen["kinbind_reviews_open"] == 1
    assert seen['kinbind_stuck_bindings{cause="no_deadline"}'] == 0
    assert seen['kinbind_worker_heartbeat_timestamp_seconds{worker="worker"}'] > 1e9
    assert seen['kinbind_deadlines_armed{deadline="review_to_decision"}'] == 1
    assert seen['kinbind_refusals_total{code="key_required"}'] >= 1
    assert any(name.startswith("kinbind_http_requests_total") for name in seen)
    assert not any("bnd_" in name for name in seen)


def test_a_database_that_stands_still_is_told_of_and_keeps_no_scrape(
    base_url: str, office: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("api.health._FRESH_SECONDS", 0.0)
    with office.ledger.transaction() as conn:
        conn.execute("lock table bindings in access exclusive mode")  # whoever reads waits, as for a disk that hangs
        monkeypatch.setattr("api.health._ANSWER_SECONDS", 0.1)
        assert [figures(base_url)["kinbind_database_up"] for _ in range(3)] == [0, 0, 0]
    monkeypatch.setattr("api.health._ANSWER_SECONDS", 30.0)
    assert figures(base_url)["kinbind_database_up"] == 1


def test_figures_that_broke_once_are_read_anew(base_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("api.health._FRESH_SECONDS", 0.0)
    with monkeypatch.context() as broken:
        broken.setattr("api.health.overview", lambda *_: {})  # a fault of ours, and none of the database
        assert httpx.get(f"{base_url}/metrics", timeout=30).status_code == 500
    assert figures(base_url)["kinbind_database_up"] == 1
