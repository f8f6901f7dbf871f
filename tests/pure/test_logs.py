"""A log that cannot be written stops no work."""

from pathlib import Path

import pytest
from celery.beat import SchedulingError
from kombu.exceptions import OperationalError
from redis.exceptions import OutOfMemoryError

from models import logs


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="a disk that is always full is Linux's")
def test_the_disk_of_the_log_is_full() -> None:
    full = Path("/dev/full").open("w")  # noqa: SIM115  what is left in its buffer fails with the close
    log = logs._Lines(full)
    for level in (log.debug, log.info, log.warning, log.error, log.exception, log.critical):
        level("a line")
    with pytest.raises(OSError, match="space"):
        full.close()


def test_a_fault_of_the_system_says_which() -> None:
    fault = FileNotFoundError(2, "No such file", "/of/a/family")
    told = logs.fault(None, "error", {"event": "x", "exc_info": fault})
    assert (told["fault"], told["errno"]) == ("FileNotFoundError", "ENOENT")
    assert "family" not in str(told)


def test_a_fault_says_what_it_came_of() -> None:
    """Celery's beat only says that it could not send, and keeps the rest as what was being dealt with."""
    full = OutOfMemoryError("of a family")
    away = OperationalError("of a family")
    away.__cause__ = full
    unsent = SchedulingError("of a family")
    unsent.__context__ = away
    told = logs.fault(None, "error", {"event": "x", "exc_info": unsent})
    assert (told["fault"], told["causes"]) == ("SchedulingError", ["OperationalError", "OutOfMemoryError"])
    assert "family" not in str(told)
    unsent.__suppress_context__ = True
    assert "causes" not in logs.fault(None, "error", {"event": "x", "exc_info": unsent})
