"""Logs: one JSON object a line on standard error; event names are static, a fault shows where, never what with.

Messages of exceptions quote what they choke on (a name, a number, a whole row), so a fault is written as its type,
the places it came through, and the types of its causes: no message, no locals.
"""

from __future__ import annotations

import contextlib
import errno
import logging
import sys
import traceback
from collections.abc import Iterator
from functools import partial
from types import TracebackType
from typing import Any, TextIO

import orjson
import structlog
from structlog.typing import EventDict, WrappedLogger

_PLACES = 12  # innermost frames that a fault shows
# These write URLs, statements or arguments into their messages.
_QUIET = ("httpx", "httpcore", "sqlalchemy", "psycopg", "psycopg.pool", "asyncio", "multipart", "python_multipart")
# These write a line for every step or every second in which nothing is wrong.
_CHATTY = ("transitions", "celery.app.trace", "celery.beat", "celery.worker.strategy")
_set_up: list[bool] = []


def set_up(level: int = logging.INFO) -> None:
    """Let all of this process write its logs so; calling it again changes nothing."""
    if _set_up:
        return
    _set_up.append(True)
    shared: list[Any] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        fault,
    ]
    structlog.configure(
        processors=[*shared, structlog.processors.JSONRenderer(serializer=_json)],
        wrapper_class=structlog.make_filtering_bound_logger(level),
        logger_factory=partial(_Lines, sys.stderr),
        cache_logger_on_first_use=True,
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(_Foreign(shared))
    root = logging.getLogger()
    root.handlers = [handler]
    root.setLevel(level)
    for name in ("uvicorn", "uvicorn.error"):
        logging.getLogger(name).handlers = []
        logging.getLogger(name).propagate = True
    logging.getLogger("uvicorn.error").addFilter(_no_text)
    logging.getLogger("uvicorn.access").disabled = True  # it writes raw paths and queries; `api.edge` logs instead
    for name in _QUIET:
        logging.getLogger(name).setLevel(logging.ERROR)
    for name in _CHATTY:
        logging.getLogger(name).setLevel(logging.WARNING)


class _Lines(structlog.PrintLogger):
    """Lines on standard error. A line that cannot be written, as when the log's disk is full, stops no work."""

    def __init__(self, file: TextIO, *_named: object) -> None:
        super().__init__(file)

    def msg(self, message: str) -> None:
        with contextlib.suppress(OSError, ValueError):  # `ValueError`: the stream is closed
            super().msg(message)

    debug = info = warning = error = critical = exception = msg


class _Foreign(logging.Formatter):
    """Other people's records: their logger, level and unfilled message; their arguments may be anything."""

    def __init__(self, shared: list[Any]) -> None:
        super().__init__()
        self._shared = shared

    def format(self, record: logging.LogRecord) -> str:
        event: EventDict = {"event": str(record.msg), "logger": record.name, "exc_info": record.exc_info}
        for processor in self._shared:
            event = processor(None, record.levelname.lower(), event)
        return _json(event)


def _no_text(record: logging.LogRecord) -> bool:
    """Of a lifespan that failed uvicorn is given a whole traceback as a text: it is written as any other fault.

    Not at all where the process ends by our own will, which has been told.
    """
    if str(record.msg).startswith("Traceback"):
        record.msg, record.exc_info = "lifespan_failed", sys.exc_info()
        return record.exc_info[0] is not SystemExit
    return True


def fault(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
    """Write an exception as its type, its places, and the types of what it came of."""
    given = event.pop("exc_info", None)
    if given is True:
        given = sys.exc_info()
    if isinstance(given, BaseException):
        given = (type(given), given, given.__traceback__)
    if isinstance(given, tuple) and given[1] is not None:
        event["fault"] = type(given[1]).__qualname__
        event["places"] = places(given[2])
        if of := [type(one).__qualname__ for one in _causes(given[1])]:
            event["causes"] = of  # beat's own fault says that it could not send, and not over what
        if isinstance(given[1], OSError) and given[1].errno:
            event["errno"] = errno.errorcode.get(given[1].errno)  # full, forbidden or gone
    return event


def _causes(fault: BaseException) -> Iterator[BaseException]:
    """What it came of, the nearest first, as Python itself would tell it."""
    while cause := fault.__cause__ or (None if fault.__suppress_context__ else fault.__context__):
        yield cause
        fault = cause


def places(trace: TracebackType | None) -> list[str]:
    """Where an exception came through, innermost last: `file:line function`."""
    frames = traceback.extract_tb(trace)[-_PLACES:]
    return [f"{'/'.join(frame.filename.split('/')[-2:])}:{frame.lineno} {frame.name}" for frame in frames]


def _json(event: Any, **_options: Any) -> str:
    return orjson.dumps(event, default=str).decode()
