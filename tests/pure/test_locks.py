"""What the running service imports is in its own lock: the tests run with more installed, and would not miss it."""

import os
import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
# Everything that a process of ours loads, and what its libraries load when they are first used.
LOAD = """
import sys
from importlib.metadata import packages_distributions
import service.app, cli.main, tasks.app, embedded.supervisor, migrations
import kombu.transport.redis, celery.bin.celery, celery.beat, celery.concurrency.thread
import uvicorn.protocols.http.httptools_impl, uvicorn.loops.uvloop
"""
# Python's own, and what rich looks at only where it happens to be there.
UNASKED = {"pip", "setuptools", "kinbind", "attrs", "greenlet"}
LIST = """
found = packages_distributions()
print(*sorted({name for module in sys.modules for name in found.get(module.partition('.')[0], ())}))
"""


def test_whatever_the_service_imports_is_in_the_lock_that_make_demo_installs() -> None:
    environment = os.environ | {"KINBIND_BROKER_URL": "redis://127.0.0.1:1"}  # named, never called
    made = subprocess.run(
        [sys.executable, "-c", LOAD + LIST], cwd=ROOT, env=environment, check=True, capture_output=True, text=True
    )
    locked = re.findall(r"^([A-Za-z0-9._-]+)(?:\[.*\])?==", (ROOT / "requirements.lock").read_text(), re.MULTILINE)
    names = {re.sub(r"[-_.]+", "-", name).lower() for name in made.stdout.split()}
    assert "celery" in names
    assert names - {re.sub(r"[-_.]+", "-", name).lower() for name in locked} <= UNASKED
