"""Views may be read from a replica that lags: what somebody has just done himself he sees all the same.

The replica of these tests is a copy of the empty schema into which nothing ever comes.
"""

import math
import re
import time
from collections.abc import Iterator

import psycopg
import pytest
from psycopg import sql

from tasks.office import Office
from tasks.stuck import watch_stuck
from tests import life
from tests.conftest import address_of, own_database
from tests.doors.conftest import Caller, Run
from tests.doors.family import key, submitted
from tests.doors.test_health import beat, figures, ready
from tests.doors.visitor import Comes, Visitor, in_review, text_of
from workflows.views import watching

ENDPOINTS, REPAIRS = "/v1/webhook-endpoints", "/v1/ops/repairs"


@pytest.fixture
def replica(server_url: str, template: str) -> Iterator[str]:
    with own_database(server_url, "replica", cloned_from=template) as name:
        yield name


@pytest.fixture
def settings(settings: pytest.MonkeyPatch, server_url: str, replica: str) -> pytest.MonkeyPatch:
    settings.setenv("KINBIND_READER_URL", address_of(server_url, replica))
    return settings


def test_a_channel_sees_what_it_has_done(as_: Caller, office: Office) -> None:
    alipay = as_("alipay")
    made = alipay.post(ENDPOINTS, json={"url": "http://127.0.0.1:9/hook"}).json()
    assert [one["id"] for one in alipay.get(ENDPOINTS).json()["items"]] == [made["id"]]
    tried = alipay.post(f"{ENDPOINTS}/{made['id']}/test", json={})
    assert (tried.status_code, tried.json()["delivered"]) == (200, False)
    assert alipay.post(f"{ENDPOINTS}/{made['id']}/rotate-secret", json={}).status_code == 200
    binding_id = submitted(alipay)["id"]
    lines = alipay.get(f"/v1/bindings/{binding_id}/timeline").json()["items"]
    assert [line["event"] for line in lines] == ["submitted"]
    assert alipay.get(f"/v1/bindings/{binding_id}/consents").json()["items"]
    assert alipay.post("/v1/bindings/search", json={}).json()["items"] == []  # a list lags


def test_a_face_and_a_use_are_there_at_once(as_: Caller, office: Office) -> None:
    alipay = as_("alipay")
    waiting, active = life.to_state(office, "face_check"), life.to_state(office, "active", seed=2)
    begun = alipay.post(f"/v1/bindings/{waiting}/face-checks", json={"subject": "member"}, headers=key())
    listed = alipay.get(f"/v1/bindings/{waiting}/face-checks").json()["items"]
    assert [one["id"] for one in listed] == [begun.json()["id"]]
    parties = life.look(office, active).application.parties
    people = {f"{role}_id_number": parties[role]["id_number"] for role in ("holder", "member")}
    asked = alipay.post("/v1/entitlements/check", json={**people, "purpose": "show_code"}).json()
    assert (asked["allowed"], asked["binding_id"]) == (True, active)
    assert len(alipay.get(f"/v1/bindings/{active}/usage").json()["items"]) == 1


def test_a_repair_is_made_once_and_finds_its_binding(as_: Caller, office: Office) -> None:
    operator, binding_id = as_("operator"), life.to_state(office, "submitted")
    body = {"repair": "rearm", "reason": "看过日志", "filter": {"states": ["submitted"]}, "dry_run": True}
    sent = key()
    first, again = (operator.post(REPAIRS, json=body, headers=sent) for _ in range(2))
    assert (first.status_code, again.headers["idempotency-replayed"]) == (200, "true")
    assert first.json()["id"] == again.json()["id"]
    assert operator.get(f"{REPAIRS}/{first.json()['id']}").status_code == 200
    told = {"repair": "rearm", "reason": "看过日志", "dry_run": True}
    one = operator.post(f"/v1/ops/bindings/{binding_id}/repair", json=told).json()
    assert [(one["state"], item["binding_id"]) for item in one["items"]] == [("planned", binding_id)]


def noted(reviewer: Visitor, office: Office) -> str:
    binding_id = in_review(office)
    reviewer.post(f"/reviews/{binding_id}/claim")
    reviewer.post(f"/reviews/{binding_id}/note", body="已电话核实")
    return f"/reviews/{binding_id}"


def test_a_page_shows_what_was_just_done(comes: Comes, office: Office) -> None:
    reviewer, operator, supervisor = comes("reviewer"), comes("operator"), comes("supervisor")
    assert "已电话核实" in text_of(reviewer.get(noted(reviewer, office)))
    binding_id = life.to_state(office, "submitted", seed=2)
    assert operator.get(f"/ops/bindings/{binding_id}").status_code == 200
    order = operator.post(f"/ops/bindings/{binding_id}/repair", repair="rearm", reason="看过日志")
    assert binding_id in operator.follow(order).text
    made = supervisor.post("/supervision/channels", channel="alipay", name="新的钥匙", once="1")
    assert "新的钥匙" in text_of(made)


def test_ready_only_with_both_sides(
    base_url: str, office: Office, server_url: str, database_url: str, replica: str
) -> None:
    beat(office)
    assert ready(base_url) == (
        200, dict.fromkeys(("clerk", "database", "writable", "migrations", "keyring", "worker", "reader"), True),
    )  # fmt: skip
    primary = database_url.rsplit("/", 1)[1].partition("?")[0]
    with psycopg.connect(server_url, autocommit=True) as admin:
        for name, lacking in (
            (primary, {"database", "writable", "migrations", "keyring", "worker"}),
            (replica, {"reader"}),
        ):
            _closed(admin, name, "false")
            status, checks = ready(base_url)
            assert (status, {one for one, well in checks.items() if not well}) == (503, lacking)
            _closed(admin, name, "true")
            assert ready(base_url)[0] == 200


def figures_now(base_url: str, monkeypatch: pytest.MonkeyPatch) -> dict[str, float]:
    monkeypatch.setattr("api.health._FRESH_SECONDS", 0.0)
    return figures(base_url)


def test_a_replica_that_lags_or_is_gone_is_told_of_and_nobody_else_is_missed(
    base_url: str, office: Office, server_url: str, replica: str, kinbind: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    worker = 'kinbind_worker_heartbeat_timestamp_seconds{worker="worker"}'
    beat(office)
    with psycopg.connect(address_of(server_url, replica), autocommit=True) as conn:
        conn.execute("insert into heartbeats (name, seen_at) values ('worker', clock_timestamp() - interval '90 s')")
    seen = figures_now(base_url, monkeypatch)
    assert 85 < seen["kinbind_reader_lag_seconds"] < 95
    assert (seen["kinbind_database_up"], time.time() - seen[worker] < 30) == (1, True)
    assert re.search(r"bad +reader lag +lags (89|9\d) s", kinbind("doctor").stdout)
    assert ready(base_url)[0] == 200, "whoever comes is served from the main database"
    assert [one["missed"] for one in watching.signs_of_life(office.ledger) if one["name"] == "worker"] == [False]
    with psycopg.connect(server_url, autocommit=True) as admin:
        _closed(admin, replica, "false")
        seen = figures_now(base_url, monkeypatch)
    assert (seen["kinbind_database_up"], seen["kinbind_reader_lag_seconds"]) == (1, math.inf)
    assert worker in seen


def test_channels_are_told_what_is_stuck_and_not_what_a_replica_does_not_know_yet(office: Office) -> None:
    life.to_state(office, "submitted")
    with office.ledger.connection() as conn:
        conn.execute("update deadlines set parked = 'x'")
    assert [watch_stuck(office), watch_stuck(office)] == [1, 0]
    with office.ledger.connection() as conn:
        conn.execute("update deadlines set parked = null")
    assert [watch_stuck(office), watch_stuck(office)] == [1, 0]


def _closed(admin: psycopg.Connection, name: str, allowed: str) -> None:
    """Let nobody into a database any more, or all again."""
    admin.execute(sql.SQL("alter database {} with allow_connections {}").format(sql.Identifier(name), sql.SQL(allowed)))
    admin.execute("select pg_terminate_backend(pid) from pg_stat_activity where datname = %s", (name,))
