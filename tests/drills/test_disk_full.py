"""No room and no connection: what cannot be written is refused whole, and goes on when there is room again."""

import contextlib
import os
import shutil
import subprocess
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import date
from pathlib import Path

import psycopg
import pytest
from psycopg_pool import PoolTimeout

from embedded.binaries import ServerMissing
from embedded.postgres import TEST_SETTINGS, Postgres
from models import ledger
from tasks.office import Office
from tests import life
from tests.drills import parts
from tests.evidence import cannot_run
from tests.store.invariants import check

ROOM = 160  # MB of the whole disk; a new cluster with our schema takes 60
pytestmark = pytest.mark.timeout(parts.size(120, 600))


@pytest.fixture
def disk(open_folder: Path) -> Iterator[Path]:
    """A disk of its own, and small."""
    mount, umount = shutil.which("mount"), shutil.which("umount")
    if os.geteuid() or not (mount and umount):
        cannot_run("a full disk: only root may mount a small one")
    folder = open_folder / "disk"
    folder.mkdir()
    made = subprocess.run([mount, "-t", "tmpfs", "-o", f"size={ROOM}m,mode=755", "none", folder], check=False)
    if made.returncode:
        cannot_run("a full disk: mounting a small one is not allowed here")
    try:
        yield folder
    finally:
        subprocess.run([umount, "--lazy", folder], check=True)


def test_the_disk_is_full(disk: Path) -> None:
    settings = TEST_SETTINGS | {"max_wal_size": "48MB", "min_wal_size": "32MB", "wal_recycle": "off"}
    try:
        server = Postgres(disk / "postgres", settings=settings)
    except ServerMissing as missing:
        cannot_run(str(missing))
    with server:
        ledger.migrate(server.url)
        with life.office(server.url) as office:
            made = [life.to_state(office, "submitted", seed=seed) for seed in range(10)]
            ballast = disk / "ballast"
            refused = full(office, ballast)
            ballast.unlink()
            went_on = [one for one in made if life.look(office, one).state == "submitted"]
            after = [life.to_state(office, "active", seed=seed, holder_seed=500 + seed) for seed in range(500, 505)]
            assert {life.look(office, one).state for one in after} == {"active"}
            check(office)
            parts.prove(server.url, settled=False)
    assert refused.keys() <= {"53100", "57P02", "57P03", "58030", "connection lost", "no connection"}
    parts.figures("disk full, refused by code", dict(refused))
    parts.figures("disk full", {"kept": len(went_on), "done when there was room": len(after)})


def full(office: Office, ballast: Path) -> Counter[str]:
    """Fill the disk, and go on applying until ten have been refused; by which code."""
    with contextlib.suppress(OSError), ballast.open("wb") as file:
        while True:
            file.write(bytes(1 << 16))
            file.flush()
    refused: Counter[str] = Counter()
    for seed in range(1, 900):
        try:
            life.to_state(office, "face_check", seed=seed, holder_born=date(1979, 1, 1))
        except psycopg.Error as no:
            refused[no.sqlstate or "connection lost"] += 1
        except PoolTimeout:
            refused["no connection"] += 1
        if refused.total() >= 10:
            break
    return refused


def test_every_connection_is_taken(database_url: str) -> None:
    with life.office(database_url, size=2) as office:
        binding_id = life.to_state(office, "submitted")
        office.ledger.pool.timeout = 0.2
        with office.ledger.connection(), office.ledger.connection():
            begun = time.monotonic()
            with pytest.raises(PoolTimeout):
                life.say(office, "withdraw", binding_id)
            waited = time.monotonic() - begun
        assert life.say(office, "withdraw", binding_id).state == "withdrawn"
        office.ledger.pool.timeout = 5
        families = [life.to_state(office, "submitted", seed=seed) for seed in range(100, 140)]
        with ThreadPoolExecutor(20) as many:  # ten for each connection: they wait, and none is lost
            list(many.map(lambda one: life.say(office, "withdraw", one), families))
        check(office)
        parts.prove(database_url)
        parts.figures("no connection free", f"told after {waited:.2f} s; 20 threads on 2 connections: none lost")
