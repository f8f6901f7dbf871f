"""What the worker can do and what beat calls for are the same: an errand that nobody calls never runs."""

import sys

import pytest

from tasks.schedule import EVERY


def test_every_errand_is_called_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KINBIND_BROKER_URL", "redis://127.0.0.1:1")  # named, never called
    monkeypatch.delitem(sys.modules, "tasks.app", raising=False)
    from tasks.app import ERRANDS, app

    made = {name.removeprefix("kinbind.") for name in app.tasks if name.startswith("kinbind.")}
    assert made == EVERY.keys() == ERRANDS.keys() | {"heartbeat"}
    called = {entry["task"] for entry in app.conf.beat_schedule.values()}
    assert called == {f"kinbind.{name}" for name in made}
