"""What was logged, for tests that look at it."""

from collections.abc import Iterator, MutableMapping
from contextlib import contextmanager
from types import ModuleType
from typing import Any

import pytest
import structlog
from structlog.testing import capture_logs


@contextmanager
def logged(module: ModuleType) -> Iterator[list[MutableMapping[str, Any]]]:
    """The lines that a module logs meanwhile.

    By a logger made for it: its own may be kept from an API tested before, with another configuration than today's.
    """
    with pytest.MonkeyPatch.context() as instead, capture_logs() as lines:
        instead.setattr(module, "log", structlog.get_logger())
        yield lines
