"""Alive, ready, and figures for Prometheus; open to whoever reaches the port, and without a word about persons."""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Iterator
from concurrent.futures import Future, wait
from datetime import datetime
from typing import Any

import redis
import structlog
from fastapi import APIRouter, Request, Response
from prometheus_client import CONTENT_TYPE_LATEST, REGISTRY, CollectorRegistry, generate_latest
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector
from sqlalchemy.exc import SQLAlchemyError
from starlette.concurrency import run_in_threadpool

from api import examples
from api.answered import Answer
from api.call import answer
from models.ledger import Ledger
from models.settings import given
from tasks.broker import leave_a_word
from tasks.office import Office
from workflows.readiness import heartbeats, reader_lag, readiness
from workflows.views import stuck
from workflows.views.narrowing import EVERYTHING
from workflows.views.overview import overview

log = structlog.get_logger()
router = APIRouter(tags=["health"])
_BROKER_SECONDS = 2
_ANSWER_SECONDS = 5.0  # half of what Prometheus waits for a scrape
_FRESH_SECONDS = 30.0  # how long figures of the ledger are given again: they read every binding's state


class Alive(Answer):
    """Whether the process can work."""

    alive: bool


class Ready(Answer):
    """Whether everything is there, and what is."""

    ready: bool
    checks: dict[str, bool]


def _either_way(shape: type[Answer]) -> dict[str, Any]:
    """It says the same of itself with 200 and with 503."""
    yes, no = examples.tells(shape, 200, "Yes"), examples.tells(shape, 503, "No")
    return {"responses": yes["responses"] | no["responses"]}


@router.get("/healthz", summary="Alive", **_either_way(Alive))
async def healthz(request: Request) -> Response:
    """Answer 200 as long as the process can work: without its clerk it keeps all waiting, and wants a new start."""
    alive = request.app.state.clerk.here()
    return answer({"alive": alive}, 200 if alive else 503)


@router.get("/readyz", summary="Ready: database, schema, broker, clerk, a worker seen lately", **_either_way(Ready))
async def readyz(request: Request) -> Response:
    """Answer 200 when everything that the service needs is there, else 503 and what is not."""
    state = request.app.state
    checks = {"clerk": state.clerk.here(), **await run_in_threadpool(_checks, state.office)}
    ready = all(checks.values())
    return answer({"ready": ready, "checks": checks}, 200 if ready else 503)


@router.get("/metrics", summary="Figures for Prometheus", response_class=Response,
            **examples.is_of({"text/plain": {"type": "string"}}, "In the text format of Prometheus"))  # fmt: skip
async def metrics(request: Request) -> Response:
    """What this process counted, and how the ledger stands."""
    figures = request.app.state.figures.registry
    body = generate_latest(REGISTRY) + await run_in_threadpool(generate_latest, figures)
    return Response(body, media_type=CONTENT_TYPE_LATEST)


def _checks(office: Office) -> dict[str, bool]:
    url = given("KINBIND_BROKER_URL")
    return readiness(office.ledger, office.desk.keys) | ({"broker": broker_takes(url)} if url else {})


def broker_takes(url: str) -> bool:
    """Whether there is a broker at this address that takes what it is sent, and in time."""
    timeouts = {"socket_timeout": _BROKER_SECONDS, "socket_connect_timeout": _BROKER_SECONDS}
    try:
        with redis.Redis.from_url(url, **timeouts) as client:
            leave_a_word(client)
    except redis.exceptions.OutOfMemoryError:
        log.warning("broker_full")
        return False
    except (redis.RedisError, ValueError):
        return False
    return True


class Figures(Collector):
    """The ledger's figures, read when they are asked for."""

    def __init__(self, ledger: Ledger) -> None:
        """Keep a registry of its own: a process may serve several ledgers, as tests do."""
        self._ledger = ledger
        self._kept: tuple[float, list[GaugeMetricFamily]] = (float("-inf"), [])
        self._reading: Future[list[GaugeMetricFamily]] | None = None
        self._at_least = [_up(0)]  # what is known already while the rest is read
        self.registry = CollectorRegistry(auto_describe=False)
        self.registry.register(self)

    def describe(self) -> Iterator[GaugeMetricFamily]:
        """Name nothing beforehand: registering must not ask the database."""
        return iter(())

    def collect(self) -> Iterator[GaugeMetricFamily]:
        """Give the figures, at most half a minute old."""
        read_at, families = self._kept
        if time.monotonic() - read_at > _FRESH_SECONDS:
            families = self._read_in_time()
            self._kept = (time.monotonic(), families)
        return iter(families)

    def _read_in_time(self) -> list[GaugeMetricFamily]:
        """A server that stands still neither answers nor refuses: a scrape does not wait for it, nor does the next."""
        reading = self._reading = self._reading or self._begin()
        wait([reading], _ANSWER_SECONDS)
        if not reading.done():
            return self._at_least
        self._reading = None  # also of one that broke: the next scrape reads anew
        return reading.result()

    def _begin(self) -> Future[list[GaugeMetricFamily]]:
        """Read in a thread that keeps no process from ending: a pool's would be waited for, as the server is."""
        reading: Future[list[GaugeMetricFamily]] = Future()
        self._at_least = [_up(0)]

        def read() -> None:
            try:
                reading.set_result(self._read())
            except BaseException as fault:  # noqa: BLE001  whoever asks is told
                reading.set_exception(fault)

        threading.Thread(target=read, name="figures", daemon=True).start()
        return reading

    def _read(self) -> list[GaugeMetricFamily]:
        try:
            working = _of_workers(heartbeats(self._ledger))
            if self._ledger.reads_apart:  # its replica may be gone: the database is up all the same
                self._at_least = [_up(1), working, _of_reader(math.inf)]
            behind = _of_reader(reader_lag(self._ledger))
            seen, found = overview(self._ledger, EVERYTHING), stuck.counts(self._ledger)
        except SQLAlchemyError:
            return self._at_least
        return [_up(1), working, behind, *_of_states(seen), *_of_deadlines(seen), *_of_work(seen), *_of_stuck(found)]


def _up(answers: int) -> GaugeMetricFamily:
    return _gauge("database_up", "Whether the main database answers.", None, {"": answers})


def _gauge(name: str, text: str, label: str | None, values: dict[str, float]) -> GaugeMetricFamily:
    family = GaugeMetricFamily(f"kinbind_{name}", text, labels=[label] if label else [])
    for key, value in values.items():
        family.add_metric([key] if label else [], value)
    return family


def _of_states(seen: dict[str, Any]) -> Iterator[GaugeMetricFamily]:
    states = seen["states"]
    yield _gauge("bindings", "Bindings by state.", "state", {one["state"]: one["count"] for one in states})
    oldest = {one["state"]: one["oldest_since"].timestamp() for one in states if one["oldest_since"]}
    text = "Since when the oldest binding is in its state, by the service's clock."
    yield _gauge("oldest_in_state_timestamp_seconds", text, "state", oldest)
    yield _gauge("service_time_seconds", "The service's clock.", None, {"": seen["at"].timestamp()})


def _of_deadlines(seen: dict[str, Any]) -> Iterator[GaugeMetricFamily]:
    for what in ("armed", "overdue", "parked"):
        values = {one["name"]: one[what] for one in seen["deadlines"]}
        yield _gauge(f"deadlines_{what}", f"Deadlines {what}, by name.", "deadline", values)


def _of_work(seen: dict[str, Any]) -> Iterator[GaugeMetricFamily]:
    for name, count in seen["work"].items():
        yield _gauge(name, f"{name.replace('_', ' ').capitalize()}.", None, {"": count})
    backlog = seen["deliveries"]
    yield _gauge("deliveries_pending", "Deliveries still to be made.", None, {"": backlog["pending"]})
    yield _gauge("deliveries_parked", "Deliveries put aside after three days.", None, {"": backlog["parked"]})
    oldest = backlog["oldest_pending_at"]
    values = {"": oldest.timestamp()} if oldest else {}
    yield _gauge("delivery_oldest_pending_timestamp_seconds", "The oldest pending delivery.", None, values)


def _of_reader(behind: float) -> GaugeMetricFamily:
    text = "How far the database for reads is behind; infinite where it does not answer."
    return _gauge("reader_lag_seconds", text, None, {"": behind})


def _of_workers(workers: list[dict[str, Any]]) -> GaugeMetricFamily:
    beats = {one["name"]: one["seen_at"].timestamp() for one in workers}
    return _gauge("worker_heartbeat_timestamp_seconds", "When a worker was last seen, real time.", "worker", beats)


def _of_stuck(found: dict[str, tuple[int, datetime | None]]) -> Iterator[GaugeMetricFamily]:
    counts: dict[str, float] = {cause: count for cause, (count, _) in found.items()}
    yield _gauge("stuck_bindings", "Bindings that do not move though they should.", "cause", counts)
    oldest = {cause: since.timestamp() for cause, (_, since) in found.items() if since}
    text = "Since when the first of them is stuck, by the service's clock."
    yield _gauge("stuck_oldest_timestamp_seconds", text, "cause", oldest)
