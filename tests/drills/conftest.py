"""Figures of a drill travel with its report, also from another process."""

from collections.abc import Callable, Iterator

import pytest
import structlog

from tests.drills import parts


@pytest.fixture(autouse=True)
def _figures(record_property: Callable[[str, object], None], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(parts, "record", record_property)


@pytest.fixture(autouse=True)
def _quiet() -> Iterator[None]:
    """A drill breaks things a thousand times, and a coloured traceback takes longer than the thing itself."""
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger("critical"))
    yield
    structlog.reset_defaults()
