"""`kinbind deliveries`: letters that no receiver took within three days, and sending one of them again."""

from __future__ import annotations

from typing import Annotated

import typer

from cli import places
from cli.looking import plain
from cli.screen import Trouble, say, table
from tasks import deliver
from workflows.errors import Refused

app = typer.Typer(no_args_is_help=True, help="Webhooks that were put aside: see them, send them again.")
_SAID = {
    "not_found": "no delivery of that id has been put aside or has arrived; `kinbind deliveries list` shows them",
    "endpoint_disabled": "its endpoint answered 410 and is switched off; the channel must make another",
}


@app.command("list")
def list_(limit: Annotated[int, typer.Option(min=1, max=10_000, help="The latest so many.")] = 100) -> None:
    """Show what was put aside, the latest first, and why."""
    with places.ledger() as ledger:
        found = deliver.put_aside(ledger, limit)
    heads = ("id", "channel", "endpoint_id", "binding_id", "sequence", "type", "settled_at", "last_error")
    table(heads, ([plain(one[head]) for head in heads] for one in found), nothing="nothing has been put aside")


@app.command("resend")
def resend(delivery_id: Annotated[str, typer.Argument(metavar="ID", help="As `deliveries list` shows it.")]) -> None:
    """Send one again: the worker makes one attempt at once, with the same bytes and the same webhook-id."""
    with places.ledger() as ledger:
        try:
            deliver.send_again(ledger, delivery_id)
        except Refused as no:
            raise Trouble(_SAID.get(no.code, no.code)) from no
    say(f"{delivery_id} will be sent again within seconds; if that fails too, it is listed again")
