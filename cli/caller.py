"""Whose command it is, where that matters: by his own key, as at the doors."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Annotated

import typer

from cli import places
from cli.screen import UNFIT, Trouble, WronglyAsked, fail
from embedded.addresses import noted_sandbox
from models.settings import sandbox
from workflows.access import principals
from workflows.access.principals import Principal
from workflows.engine import Desk
from workflows.errors import Refused


def _key() -> str:
    """The caller's key, asked for where somebody is there to answer; never shown, never in the shell's history."""
    if not sys.stdin.isatty():
        fail("whose key? set KINBIND_KEY", code=2)
    return str(typer.prompt("Your key", hide_input=True))


Key = Annotated[str, typer.Option(
    envvar="KINBIND_KEY", default_factory=_key, show_default=False,
    help="Your own; asked for where it is not given. As an option it would stand in the list of processes.",
)]  # fmt: skip


@contextmanager
def at_the_desk(key: str, said: Mapping[str, str], *roles: str) -> Iterator[tuple[Desk, Principal]]:
    """The desk, and whose key it is: of one of these roles. What the desk refuses is `said` in words, by its code."""
    with places.desk() as desk:
        known = sandbox() or noted_sandbox()
        caller = principals.find(desk.ledger, key, sandbox=known)
        if caller is None and key.startswith(principals.SANDBOX) and not known:
            raise Trouble("keys that everybody knows open nothing outside the sandbox")
        if caller is None or not set(roles) & set(caller.roles):
            raise Trouble("this key has not the role for it")
        try:
            yield desk, caller
        except Refused as no:
            words = said.get(no.code, f"{no.code}{f' at {no.pointer}' if no.pointer else ''}")
            raise (WronglyAsked if no.status == UNFIT else Trouble)(words) from no
