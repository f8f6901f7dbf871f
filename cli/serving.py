"""Commands that run something: the whole service on this machine, the demo, one sweep, the migrations."""

from __future__ import annotations

import os
import socket
import time
from typing import Annotated

import structlog
import typer

from cli import household, places
from cli.screen import Trouble, say
from embedded import supervisor
from embedded.addresses import VAR, Addresses, var_folder
from models import ledger, settings
from tasks import signs
from workflows import sweeping
from workflows.access import principals
from workflows.engine import Desk

PORT = 8000
SWEEP_EVERY = 1.0  # seconds between two sweeps that found nothing
log = structlog.get_logger()

Port = Annotated[int, typer.Option(min=1, max=65535, help="Of the API, on 127.0.0.1.")]


def up(
    sandbox: Annotated[
        bool, typer.Option("--sandbox", help="Stand-ins for cameras and registries; a movable clock.")
    ] = False,
    port: Port = PORT,
) -> None:
    """Run the whole service here until Ctrl-C: database, broker, API, worker, beat.

    KINBIND_DATABASE_URL and KINBIND_BROKER_URL name servers to use instead of ours; data, keys and logs lie in
    KINBIND_VAR (./var). Without --sandbox it needs adapters to real face providers and registries: none is there yet.
    """
    os.environ[VAR] = str(var_folder())  # absolute, and the same for us and for every child
    if sandbox:
        os.environ["KINBIND_SANDBOX"] = "1"
    in_sandbox = settings.sandbox()
    places.given_urls()

    def ready(_addresses: Addresses) -> None:
        household.wait_until_ready(port)
        base = f"http://{household.HOST}:{port}"
        say(f"kinbind is ready on {base}{' (sandbox)' if in_sandbox else ''}; Ctrl-C ends it")
        say(f"the console for staff is at {base}/console/")
        say(f"describes itself at {base}/docs; logs in {var_folder() / 'log'}")
        if in_sandbox:
            channels, staff = principals.sandbox_keys()
            say(f"keys of channels: {' '.join(channels)}")
            say(f"keys of staff:    {' '.join(staff)}")

    with household.open_door(port) as door:
        supervisor.run(household.family(door), prepare=household.prepare, on_ready=ready)


def demo(
    leave: Annotated[bool, typer.Option("--exit", help="End after the stories instead of staying up.")] = False,
    port: Annotated[int | None, typer.Option(min=1, max=65535, help=f"{PORT}, or any that is free.")] = None,
) -> None:
    """Run the sandbox in a fresh var/demo and act out a family's stories over HTTP; fails if one ends otherwise."""
    from cli.demo.run import play  # noqa: PLC0415  Pillow and the stories are nobody else's business

    with _door_of_the_demo(port) as door:
        play(door, leave=leave)


def _door_of_the_demo(port: int | None) -> socket.socket:
    if port is not None:
        return household.open_door(port)
    try:
        return household.open_door(PORT)
    except Trouble:
        return household.open_door(0)


def sweep(
    once: Annotated[bool, typer.Option("--once", help="Fire what is due now, and end.")] = False,
) -> None:
    """Fire due deadlines: beside beat, or in its place; safe to run from several places at once."""
    with places.desk() as desk:
        while True:
            try:
                fired = _fire_all(desk)
            except ledger.AWAY as fault:
                if once:
                    raise
                fired = 0  # whoever runs on outlives the database
                log.warning("sweep_failed", fault=type(fault).__name__)
            if fired or once:
                say(f"{fired} deadlines dealt with")
            if once:
                return
            time.sleep(SWEEP_EVERY)


def _fire_all(desk: Desk) -> int:
    """Until nothing is due, with the sign that beat's sweep gives; without an office, as no window is opened."""
    fired, found = 0, 1
    while found:
        found = sweeping.sweep(desk)
        signs.give(desk.ledger, "sweep")  # after each batch: a backlog may take longer than a sweep is waited for
        fired += found
    return fired


def migrate() -> None:
    """Bring the database's schema to the newest version; harmless when it is there already."""
    ledger.migrate(places.database_url())
    say("the schema is at its newest version")
