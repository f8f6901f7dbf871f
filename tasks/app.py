"""The Celery app: it calls the errands on time, and knows nothing of them but their names.

No task carries data, no outcome is stored, nothing is retried by Celery: what is due is in the ledger, attempts are
counted there, and the next hint comes within seconds.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from contextlib import ExitStack
from typing import Any

import structlog
from celery import Celery, Task
from celery.signals import setup_logging, worker_init, worker_process_shutdown, worker_ready, worker_shutdown

from models import logs
from models.settings import given
from tasks import signs
from tasks.decisions import send_decisions
from tasks.deliver import tell
from tasks.faces import poll_faces
from tasks.office import Office, open_office, seldom_collected
from tasks.outages import watch_outages
from tasks.registries import ask_registries, recheck_insurance
from tasks.repairs import carry_repairs
from tasks.schedule import MOST_WAITING, QUEUE, beat_schedule
from tasks.starting import starting
from tasks.stuck import watch_stuck
from tasks.sweep import sweep_and_sign
from tasks.upkeep import keep_up_and_sign

log = structlog.get_logger()


class BrokerNotSetError(RuntimeError):
    """`KINBIND_BROKER_URL` is not set."""


def broker_url() -> str:
    """The broker's address from `KINBIND_BROKER_URL`. Raises `BrokerNotSetError`."""
    url = given("KINBIND_BROKER_URL")
    if not url:
        raise BrokerNotSetError
    return url


class Hint(Task):  # type: ignore[misc]  # Celery carries no types
    """A task that is not even sent while too many wait: a broker without workers must not fill up."""

    def apply_async(self, *args: Any, producer: Any = None, **options: Any) -> Any:
        """Send it, unless too many wait already; beat brings a `producer` along."""
        if producer is not None and producer.channel._size(QUEUE) >= MOST_WAITING:  # noqa: SLF001  kombu has no other
            return None
        return super().apply_async(*args, producer=producer, **options)


app = Celery("kinbind", broker=broker_url(), task_cls=Hint, set_as_current=False)
app.conf.update(
    accept_content=["json"],
    task_serializer="json",
    task_default_queue=QUEUE,
    task_ignore_result=True,
    task_acks_late=True,
    task_reject_on_worker_lost=True,
    task_publish_retry=False,  # the next hint is a second away
    worker_prefetch_multiplier=1,
    worker_eta_task_limit=100,  # we send none; if anybody does, not without bound
    worker_soft_shutdown_timeout=5.0,
    worker_enable_soft_shutdown_on_idle=True,
    worker_send_task_events=False,
    broker_connection_retry_on_startup=True,
    # nothing that we send runs for ten minutes; kombu looks for lost ones every ten times this by default
    broker_transport_options={
        "visibility_timeout": 600,
        "unacked_restore_interval": 10,
        "unacked_restore_throttle": 1,
        "socket_timeout": 30,
        "socket_connect_timeout": 5,
        "health_check_interval": 10,
    },
    timezone="UTC",
    beat_schedule=beat_schedule(),
    beat_scheduler="celery.beat:Scheduler",  # keeps no file: everything comes round again within seconds
    beat_max_loop_interval=1,
)


@setup_logging.connect  # type: ignore[untyped-decorator]
def _logs(**_: Any) -> None:
    logs.set_up()


# -- the office of this process ----------------------------------------------------------------------------------


class _Opened:
    """Opened by the first errand, after any fork; closed with the process."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._open = ExitStack()
        self._office: Office | None = None

    def office(self) -> Office:
        with self._lock:
            if self._office is None:
                self._office = self._open.enter_context(open_office())
                self._open.enter_context(seldom_collected())
            return self._office

    def close(self, **_: Any) -> None:
        with self._lock:
            self._office = None
            self._open.close()


_opened = _Opened()


@worker_init.connect  # type: ignore[untyped-decorator]
def _come(**_: Any) -> None:
    """Open what the errands will open, and close it, before any fork: over what is wrong with it the worker ends.

    One that stayed would take its share of the hints and throw them away.
    """
    logs.set_up()
    with starting(), open_office(size=1):
        pass


@worker_shutdown.connect  # type: ignore[untyped-decorator]
def _go(sender: Any, **_: Any) -> None:
    """A worker that is told to end takes its sign of life away, so that nobody misses it."""
    try:
        signs.take_away(_opened.office().ledger, _sign(sender.hostname))
    except Exception:  # if the database is away, the sign is deleted after an hour
        log.exception("heartbeat_not_taken_away")
    finally:
        _opened.close()


worker_process_shutdown.connect(_opened.close, weak=False)


# -- a task for each errand --------------------------------------------------------------------------------------


def _errand(name: str, run: Callable[[Office], object]) -> Any:
    """Make the task `kinbind.<name>`; a hint that comes while it runs in this process does nothing."""
    busy = threading.Lock()

    def task() -> None:
        if not busy.acquire(blocking=False):
            return
        try:
            run(_opened.office())
        except Exception:  # the next hint tries again; what keeps failing is counted and parked in the ledger
            log.exception("errand_failed", errand=name)
        finally:
            busy.release()

    return app.task(name=f"kinbind.{name}")(task)


def _sign(hostname: str) -> str:
    return f"worker:{hostname}"


ERRANDS: dict[str, Callable[[Office], object]] = {
    "sweep": sweep_and_sign,
    "send_decisions": send_decisions,
    "ask_registries": ask_registries,
    "poll_faces": poll_faces,
    "deliver": tell,
    "watch_outages": watch_outages,
    "recheck_insurance": recheck_insurance,
    "carry_repairs": carry_repairs,
    "watch_stuck": watch_stuck,
    "keep_up": keep_up_and_sign,
}
for _name, _run in ERRANDS.items():
    _errand(_name, _run)


@app.task(name="kinbind.heartbeat", bind=True)  # type: ignore[untyped-decorator]
def heartbeat(self: Any) -> None:
    """A sign that this worker works: not that its process lives, but that a hint has come through it."""
    signs.give(_opened.office().ledger, _sign(self.request.hostname))


@worker_ready.connect  # type: ignore[untyped-decorator]
def _first_hints(**_: Any) -> None:
    """Through the broker like the others, but at once: whoever waits for a worker need not wait for beat.

    Nor does the upkeep: where beats are started anew more often than every half hour, none of them ever calls for it.
    """
    try:
        for hint in (heartbeat, app.tasks["kinbind.keep_up"]):
            hint.apply_async()
    except Exception:  # beat sends the next
        log.exception("first_hints_not_sent")
