"""What takes long the first time in a process is done while the first who comes signs in."""

import time
from functools import partialmethod
from threading import Event, Thread
from typing import Any

import pytest

from console import settling
from console.app import templates
from console.rooms import ROOMS, Room
from console.settling import Settling
from models.ledger import AWAY, Ledger
from tasks.office import Office
from tests.doors.visitor import Comes
from workflows.access import principals
from workflows.access.principals import Principal
from workflows.views.pacing import Paced


def test_it_begins_where_somebody_comes_to_sign_in(comes: Comes, monkeypatch: pytest.MonkeyPatch) -> None:
    begun: list[Settling] = []
    visitor = comes("operator")
    monkeypatch.setattr(Settling, "begin", partialmethod(lambda self, to: to.append(self), begun))
    visitor.get("/ops")
    assert not begun
    comes("").get("/sign-in")
    assert begun


@pytest.mark.parametrize("fault", [AWAY[0], ZeroDivisionError])
def test_it_is_done_once_and_no_fault_keeps_a_page_from_being_read(
    office: Office, monkeypatch: pytest.MonkeyPatch, fault: type[Exception]
) -> None:
    pages, seen = templates(), list[tuple[str, ...]]()

    def looks(_office: Office, who: Principal) -> None:
        seen.append(who.regions)
        raise fault

    monkeypatch.setattr(settling, "ROOMS", (Room("operator", (), lambda _office, _who: {}, looks),))
    once = Settling(lambda: office, pages)
    once.begin()
    once.begin()
    assert pages.cache is not None
    while len(pages.cache) < len(pages.list_templates()):  # a limit of the test's own ends it
        time.sleep(0.02)
    assert seen == [("000000",)]


def test_where_no_thread_is_to_be_had_whoever_comes_next_begins_it(
    office: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Refused(Thread):
        def start(self) -> None:
            raise RuntimeError

    once = Settling(lambda: office, templates())
    done = Event()
    monkeypatch.setattr(Settling, "_settle", lambda _self: done.set())
    with monkeypatch.context() as patched:
        patched.setattr(settling, "Thread", Refused)
        once.begin()
    once.begin()
    assert done.wait(5)


def test_the_rooms_ask_for_what_their_pages_ask_for(
    office: Office, comes: Comes, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Were a page to ask for anything else, the first to turn to it would wait."""
    asked: set[tuple[Any, Any]] = set()
    answer = Paced.__call__

    def noted(self: Paced[Any, Any], ledger: Ledger, question: Any) -> Any:
        asked.add((self, question))
        return answer(self, ledger, question)

    monkeypatch.setattr(Settling, "begin", lambda _self: None)
    monkeypatch.setattr(Paced, "__call__", noted)
    whole = {one.id: one for one in principals.every(office.ledger)}
    for role, paths in {
        "operator": ("/ops", "/ops?span=fortnight", "/ops/life", "/ops/stuck"),
        "supervisor": ("/supervision", "/supervision/sampling"),
    }.items():
        visitor = comes(role)
        for path in paths:
            assert visitor.get(path).status_code == 200
        of_pages, room = set(asked), next(one for one in ROOMS if one.role == role)
        asked.clear()
        assert room.looks is not None
        room.looks(office, whole[f"sandbox-{role}"])
        assert of_pages
        assert asked == of_pages
        asked.clear()
