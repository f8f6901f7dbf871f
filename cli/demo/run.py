"""The demo from beginning to end: a fresh var/demo, the service in it, all stories, the table, and out."""

from __future__ import annotations

import os
import shutil
import socket
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx

from cli import household
from cli.demo import desks, morning, show, stories
from cli.demo.channel_app import GLANCE, Otherwise, View
from cli.demo.receiver import Receiver, receiving
from cli.demo.town import Ending, Town
from cli.screen import Trouble, say
from embedded import supervisor
from embedded.addresses import BROKER, DATABASE, READER, VAR, Addresses, var_folder
from embedded.lock import lock
from models.settings import sandbox

Story = Callable[[Town], list[Ending]]
AT_ONCE = 4  # stories told at the same time
LETTERS_WITHIN = 30.0  # seconds for the last webhook

# Side by side: each has families of its own.
TOGETHER: tuple[Story, ...] = (
    desks.a_shared_account,
    desks.a_relation_not_proven,
    stories.a_mother_by_camera,
    stories.a_father_at_the_third_try,
    stories.sixteen_here_and_there,
    stories.a_newborn_by_certificate,
    stories.a_passport_goes_to_the_counter,
    stories.a_face_declined,
    stories.a_photo_nobody_has,
    stories.insurance_in_arrears,
    stories.the_wrong_door,
    stories.the_sixth_member,
    stories.the_third_binder,
    desks.a_child_at_the_counter,
    desks.a_suspicion_lifted,
)
# One after the other, at the end: these move the clock, which is everybody's.
IN_TURN: tuple[Story, ...] = (stories.a_night_without_a_pass, stories.a_week_goes_by)
# When all time has been skipped: these stay as they are.
AFTERWARDS: tuple[Story, ...] = (
    morning.before_a_reviewer,
    morning.on_the_way_to_a_counter,
    morning.before_the_camera,
    morning.in_force_but,
)


def play(door: socket.socket, *, leave: bool) -> None:
    """Run the demo behind this door; with `leave` end after the stories. Raises `Trouble` if one ends otherwise."""
    os.environ["KINBIND_SANDBOX"] = "1"
    sandbox()  # refuses production before anything is touched
    os.environ[VAR] = str(var_folder() / "demo")
    # A demo moves the clock and makes up people: nobody's own database, keys or documents.
    for name in (DATABASE, READER, BROKER, "KINBIND_KEYS_FILE", "KINBIND_DOCUMENTS", "KINBIND_PACKS"):
        os.environ.pop(name, None)
    _fresh(var_folder())
    say("Starting PostgreSQL, Valkey, API, worker and beat ...")
    port: int = door.getsockname()[1]
    told: list[show.Progress] = []

    def tell(_addresses: Addresses) -> bool:
        household.wait_until_ready(port)
        told.append(show.Progress(of=len(TOGETHER + IN_TURN + AFTERWARDS) + 1))
        return _tell(told[0], port, receiver, leave=leave)

    with receiving() as receiver:  # to the end: what a newcomer does afterwards is told to the channels too
        supervisor.run(household.family(door), prepare=household.prepare, on_ready=tell)
    if not (told and told[0].complete):
        raise Trouble("stopped before the stories were over")


def _fresh(var: Path) -> None:
    """Empty the demo's folder; waits for, or is refused by, a demo that still runs in it."""
    with lock(var):
        for entry in var.iterdir():
            if entry.is_symlink():  # the database, where its own account cannot come into ours
                shutil.rmtree(entry.resolve(), ignore_errors=True)
                entry.unlink()
            elif entry.is_dir():
                shutil.rmtree(entry)
            elif entry.name != "lock":
                entry.unlink()


def _tell(told: show.Progress, port: int, receiver: Receiver, *, leave: bool) -> bool:
    base = f"http://{household.HOST}:{port}"
    town = Town(base, receiver)
    endings = _together(town, told, TOGETHER)
    endings += [ending for story in IN_TURN for ending in _one(town, told, story)]
    endings += _together(town, told, AFTERWARDS)
    rows = show.look_back(endings)
    _letters(receiver, rows, told)
    _judge(told, rows)
    if not leave:
        show.address(base, next(row.view["id"] for row in rows if row.view and row.ending.app is town.anyone))
    return leave


def _judge(told: show.Progress, rows: Sequence[show.Row]) -> None:
    """Show the table. Raises `Trouble` unless every story and every application ended as it should."""
    show.outcome(rows)
    wrong = [row.otherwise for row in rows if row.otherwise]
    for one in wrong:
        say(one)
    if told.failed or wrong:
        ended = f"{told.failed} stories and {len(wrong)} applications ended otherwise"
        raise Trouble(f"{ended}; logs in {var_folder() / 'log'}")


def _together(town: Town, told: show.Progress, telling: tuple[Story, ...]) -> list[Ending]:
    with ThreadPoolExecutor(AT_ONCE) as pool:
        begun = [pool.submit(_one, town, told, story) for story in telling]
        try:
            return [ending for one in begun for ending in one.result()]
        except Trouble:
            pool.shutdown(wait=False, cancel_futures=True)
            raise


def _one(town: Town, told: show.Progress, story: Story) -> list[Ending]:
    """Tell one story; what goes wrong in it is shown and does not stop the others.

    Raises `Trouble` when nobody answers any more: then it is no story's fault, or Ctrl-C was pressed.
    """
    title = " ".join((story.__doc__ or story.__name__).split())
    try:
        endings = story(town)
    except httpx.TransportError as gone:
        raise Trouble(f"the service does not answer any more; logs in {var_folder() / 'log'}") from gone
    except Otherwise as otherwise:
        told.ended(title, str(otherwise))
        return []
    told.ended(title, None)
    return endings


def _letters(receiver: Receiver, rows: Sequence[show.Row], told: show.Progress) -> None:
    """Every channel has every event of its bindings: verified, in order, without a gap."""
    title = "Every channel is told by signed webhooks, in order and without a gap."
    missing = [row for row in rows if row.view and row.view["channel"] in receiver.secrets]
    until = time.monotonic() + LETTERS_WITHIN
    while missing and time.monotonic() < until:
        missing = [row for row in missing if row.view and _unheard(receiver, row.view)]
        time.sleep(GLANCE)
    if receiver.forged:
        told.ended(title, f"{receiver.forged} did not verify")
    elif missing and (view := missing[0].view):
        heard = receiver.sequences(view["channel"], view["id"])
        told.ended(title, f"{len(missing)} bindings lack events, {view['id']} has {heard} of {view['version']}")
    else:
        told.ended(f"{title} ({receiver.count} received)", None)


def _unheard(receiver: Receiver, view: View) -> bool:
    return receiver.sequences(view["channel"], view["id"]) != list(range(1, view["version"] + 1))
